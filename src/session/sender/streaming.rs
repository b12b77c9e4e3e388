//! Streams: entries that are read until they end, one chunk at a time.

use std::collections::VecDeque;
use std::time::Instant;

use crate::session::Event;
use crate::session::sender::packing::Pack;
use crate::session::sender::reading::Reading;
use crate::session::sender::{Job, Sender, Streamed};
use crate::wire::CHUNK_BYTES;
use crate::wire::peer::{OfferItem, PeerMessage, Proof, SourceFault, Totals};

/// The streams of a session, and the totals, which are final only when these have ended.
pub(super) struct Streams {
    totals: Totals,
    /// Streams of the offer that have not ended.
    open: usize,
    /// Bytes of those that have.
    bytes: u64,
    /// Those that are wanted and have not ended; the first is read.
    wanted: VecDeque<u32>,
    reading: bool,
    /// Whether what is read is packed.
    pack: Pack,
}

impl Streams {
    /// Those that an offer names; `totals` count everything else.
    pub fn of(items: &[OfferItem], totals: Totals) -> Self {
        let open = items.iter().filter(|it| it.is_stream()).count();
        Self { totals, open, bytes: 0, wanted: VecDeque::new(), reading: false, pack: Pack::No }
    }

    /// Everything else was counted on.
    pub fn counted(&mut self, totals: Totals) {
        self.totals = totals;
    }

    /// All together.
    pub fn totals(&self) -> Totals {
        let bytes = self.totals.bytes.saturating_add(self.bytes);
        Totals { bytes, complete: self.totals.complete && self.open == 0, ..self.totals }
    }

    /// This one is to be read.
    pub fn wanted(&mut self, entry: u32) {
        self.wanted.push_back(entry);
    }

    /// Whether one is waited for.
    pub fn are_read(&self) -> bool {
        self.reading
    }
}

impl Sender {
    /// Issues the next read of a stream, of a whole chunk as far as the window knows.
    pub(super) fn stream_on(&mut self) {
        while !self.streams.reading
            && let Some(&entry) = self.streams.wanted.front()
        {
            let reading = self.outstanding.get(&entry).map(|it| it.reading);
            let Some(Reading::Next(index)) = reading else {
                self.streams.wanted.pop_front();
                continue;
            };
            if self.taken - self.acked + u64::from(CHUNK_BYTES) > self.window {
                break;
            }
            self.taken += u64::from(CHUNK_BYTES);
            self.streams.reading = true;
            // What is asked for is a whole chunk, and one at a time.
            let pack = self.packing.ask(0).unwrap_or(Pack::No);
            self.streams.pack = pack;
            self.out.disk(Job::Stream { entry, index, pack });
            if index == 0
                && let Some(outgoing) = self.outstanding.get(&entry)
            {
                self.out.emit(Event::Current(outgoing.path.clone()));
            }
        }
    }

    pub(super) fn handle_streamed(
        &mut self,
        now: Instant,
        entry: u32,
        result: Result<Streamed, SourceFault>,
    ) {
        let expected = self.streams.reading && self.streams.wanted.front() == Some(&entry);
        let Some(outgoing) = self.outstanding.get_mut(&entry).filter(|_| expected) else { return };
        let Reading::Next(index) = outgoing.reading else { return };
        self.streams.reading = false;
        let bytes = result.as_ref().map_or(0, |it| it.bytes.min(u64::from(CHUNK_BYTES)));
        self.taken -= u64::from(CHUNK_BYTES) - bytes;
        outgoing.sent += bytes;
        self.sent += bytes;
        let size = outgoing.sent;
        let mut ended = true;
        match result {
            Ok(Streamed { frames, hash, last, spent, .. }) => {
                if bytes > 0 {
                    outgoing.digest.push(&hash);
                    self.proofs.push(Proof::Chunk { entry, index, hash });
                    self.send_blocks(now, frames, bytes, (self.streams.pack, spent));
                }
                let Some(outgoing) = self.outstanding.get_mut(&entry) else { return };
                match (last, index.checked_add(1)) {
                    (true, _) => {
                        let digest = outgoing.digest.clone().finish_stream(size);
                        outgoing.reading = Reading::Proven(digest);
                        self.proofs.push(Proof::End { entry, size, digest });
                    }
                    (false, Some(next)) => {
                        outgoing.reading = Reading::Next(next);
                        ended = false;
                    }
                    // 4 PiB came, and there are no more numbers for chunks.
                    (false, None) => {
                        let fault = SourceFault::Io;
                        outgoing.reading = Reading::Failed(fault);
                        self.proofs.push(Proof::Failed { entry, fault, sent: size });
                    }
                }
            }
            Err(fault) => {
                outgoing.reading = Reading::Failed(fault);
                self.proofs.push(Proof::Failed { entry, fault, sent: size });
            }
        }
        self.flush_proofs();
        if ended {
            self.streams.wanted.pop_front();
            self.end_stream(size);
        }
    }

    /// Nothing more comes of a stream, of which so many bytes were sent.
    pub(super) fn end_stream(&mut self, bytes: u64) {
        self.streams.open = self.streams.open.saturating_sub(1);
        self.streams.bytes = self.streams.bytes.saturating_add(bytes);
        self.tell_totals();
    }

    /// Tells both persons how much there is.
    pub(super) fn tell_totals(&mut self) {
        let totals = self.streams.totals();
        self.out.send(&PeerMessage::Totals(totals));
        self.out.emit(Event::Totals(totals));
    }
}

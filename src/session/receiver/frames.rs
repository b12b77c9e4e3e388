//! What the sender says, checked against what was announced and allowed.

use std::time::Instant;

use bytes::Bytes;

use crate::session::incoming::{Chunk, Incoming};
use crate::session::receiver::consent::Consent;
use crate::session::receiver::{
    ACK_AFTER, Job, MAX_LOOSE_HASHES, PREVIEW_ENTRIES, PREVIEW_WITHIN, Receiver, State, Writing,
};
use crate::session::{Event, Failure, Violation, Wish};
use crate::wire::peer::{self, Entry, EntryKind, Offer, PeerMessage, Proof};
use crate::wire::{
    CHUNK_BYTES, Channel, DEFAULT_WINDOW_BYTES, MANY_OUTSTANDING_ENTRIES, MAX_ENTRIES, MAX_ENTRY_BYTES,
    MAX_OUTSTANDING_ENTRIES, MAX_OUTSTANDING_MANIFEST, block,
};

impl Receiver {
    /// The same, and [`MANY_OUTSTANDING_ENTRIES`] may be outstanding, if both sides have said so.
    pub fn with_many_entries(mut self, agreed: bool) -> Self {
        if agreed {
            self.most_entries = MANY_OUTSTANDING_ENTRIES;
        }
        self
    }

    /// The same, and chunks may come packed, if both sides have said so.
    pub fn unpacking(mut self, agreed: bool) -> Self {
        self.unpacking = agreed;
        self
    }

    pub(super) fn handle_frame(
        &mut self,
        now: Instant,
        channel: Channel,
        frame: Bytes,
    ) -> Result<(), Failure> {
        if channel == Channel::Bulk {
            return self.handle_block(now, frame);
        }
        let message = peer::decode(&frame).map_err(Violation::from)?;
        if message.is_empty_list() {
            return Err(Violation::OutOfTurn(message.name()).into());
        }
        let open = matches!(self.state, State::Deciding | State::Writing);
        match message {
            PeerMessage::Abort(reason) => Err(Failure::Peer(reason)),
            PeerMessage::Offer(offer) if self.state == State::Waiting => self.handle_offer(now, offer),
            PeerMessage::Totals(totals) if self.state != State::Waiting => {
                self.out.emit(Event::Totals(totals));
                Ok(())
            }
            PeerMessage::Entries { first, entries } if open && self.end.is_none() => {
                self.handle_entries(first, entries)
            }
            PeerMessage::End { entries, skipped } if open && self.end.is_none() => {
                if entries != self.announced {
                    return Err(Violation::Numbering { expected: self.announced, got: entries }.into());
                }
                self.end = Some(entries);
                self.summary.unsent = skipped;
                Ok(())
            }
            PeerMessage::Proofs(proofs) if self.state == State::Writing => {
                proofs.into_iter().try_for_each(|proof| self.handle_proof(now, proof))
            }
            PeerMessage::Pace { paused, limit } => Ok(self.pacing.hear(Wish { paused, limit })?),
            PeerMessage::Farewell if self.state == State::Lingering => {
                self.end_well();
                Ok(())
            }
            other => Err(Violation::OutOfTurn(other.name()).into()),
        }
    }

    fn handle_offer(&mut self, now: Instant, offer: Offer) -> Result<(), Failure> {
        self.consent = Consent::to(&offer).ok_or(Violation::ImpossibleOffer)?;
        self.state = State::Deciding;
        self.out.emit(Event::Totals(offer.totals));
        self.unasked = Some((offer, now + PREVIEW_WITHIN));
        Ok(())
    }

    /// Asks the person once there is enough to show.
    pub(super) fn ask_on(&mut self, now: Instant) {
        let known = self.end.is_some() || self.outstanding.len() >= PREVIEW_ENTRIES;
        if self.state != State::Deciding {
            self.unasked = None;
        }
        if let Some((offer, _)) = self.unasked.take_if(|(_, until)| known || now >= *until) {
            let entries = self.outstanding.values().take(PREVIEW_ENTRIES).map(|it| it.item.clone()).collect();
            let complete = self.end.is_some() && self.outstanding.len() <= PREVIEW_ENTRIES;
            self.out.emit(Event::Announced { entries, complete });
            self.out.ask(offer);
        }
    }

    fn handle_entries(&mut self, first: u32, entries: Vec<Entry>) -> Result<(), Failure> {
        if first != self.announced {
            return Err(Violation::Numbering { expected: self.announced, got: first }.into());
        }
        if self.outstanding.len() + entries.len() > self.most_entries {
            return Err(Violation::TooMuch("outstanding entries").into());
        }
        self.manifest_bytes += entries.iter().map(Entry::encoded_bytes).sum::<usize>();
        if self.manifest_bytes > MAX_OUTSTANDING_MANIFEST {
            return Err(Violation::TooMuch("bytes of outstanding entries").into());
        }
        for item in &entries {
            let number = self.announced;
            let possible = match &item.kind {
                EntryKind::File { size, .. } => !self.links_begun && *size <= MAX_ENTRY_BYTES,
                EntryKind::Folder { .. } | EntryKind::Stream { .. } => !self.links_begun,
                EntryKind::Link { target } => {
                    self.links_begun = true;
                    target.check_inside(&item.path).is_ok()
                }
            };
            if !self.consent.cover(item) {
                return Err(Violation::BeyondOffer(number).into());
            }
            if !possible || number > MAX_ENTRIES {
                return Err(Violation::ImpossibleEntry(number).into());
            }
            self.outstanding.insert(number, Incoming::new(item.clone()));
            self.announced += 1;
        }
        if self.state == State::Writing && !entries.is_empty() {
            self.out.disk(Job::Plan { first, entries });
        }
        Ok(())
    }

    fn handle_block(&mut self, now: Instant, frame: Bytes) -> Result<(), Failure> {
        let (header, payload) = block::parse(frame).map_err(Violation::from)?;
        if header.packed.is_some() && !self.unpacking {
            return Err(Violation::Unpackable(header.entry).into());
        }
        // What a packed chunk holds counts with its first part.
        let length = match header.packed {
            None => u64::from(header.length),
            Some(it) if header.offset.is_multiple_of(u64::from(CHUNK_BYTES)) => u64::from(it.plain),
            Some(_) => 0,
        };
        self.summary.wire += payload.len() as u64;
        let (_, acknowledged) = self.acked;
        if self.received + length - acknowledged > u64::from(DEFAULT_WINDOW_BYTES) {
            return Err(Violation::TooMuch("unacknowledged bytes").into());
        }
        let incoming =
            self.outstanding.get_mut(&header.entry).ok_or(Violation::UnknownEntry(header.entry))?;
        let chunk = incoming.take_block(header, payload).ok_or(Violation::BlockOutOfPlace(header.entry))?;
        self.received += length;
        // One that is gone on with does not begin at 0.
        if self.current.replace(header.entry) != Some(header.entry) {
            let path = incoming.item.path.clone();
            self.out.emit(Event::Current(path));
        }
        if let Some(chunk) = chunk {
            self.write(header.entry, chunk);
        }
        if now >= self.acked_at + ACK_AFTER {
            self.acknowledge(now);
        }
        Ok(())
    }

    fn handle_proof(&mut self, now: Instant, proof: Proof) -> Result<(), Failure> {
        let (Proof::Chunk { entry, .. }
        | Proof::Entry { entry, .. }
        | Proof::Failed { entry, .. }
        | Proof::End { entry, .. }) = proof;
        let incoming = self.outstanding.get_mut(&entry).ok_or(Violation::UnknownEntry(entry))?;
        let claim = match proof {
            Proof::Chunk { index, hash, .. } => {
                self.loose_hashes += 1;
                // Each entry may have one whose bytes are on their way.
                if self.loose_hashes > MAX_LOOSE_HASHES + self.most_entries - MAX_OUTSTANDING_ENTRIES {
                    return Err(Violation::TooMuch("hashes ahead of their bytes").into());
                }
                incoming.take_hash(index, hash)
            }
            Proof::Entry { digest, .. } => incoming.take_digest(digest),
            Proof::Failed { fault, sent, .. } => incoming.take_fault(fault, sent),
            Proof::End { size, digest, .. } => {
                let (claim, chunk) = incoming.take_end(size, digest);
                if let Some(chunk) = chunk {
                    self.write(entry, chunk);
                }
                claim
            }
        };
        self.release(entry);
        self.judge(now, entry, claim)
    }

    /// Has a complete chunk written, now or once it is proven.
    fn write(&mut self, entry: u32, chunk: Chunk) {
        match self.writing {
            Writing::AtOnce => self.out.disk(chunk.write(entry, None)),
            Writing::Proven => {
                if let Some(incoming) = self.outstanding.get_mut(&entry) {
                    incoming.hold(chunk);
                }
                self.release(entry);
            }
        }
    }

    /// Has chunks written that waited for their proofs.
    fn release(&mut self, entry: u32) {
        let Some(incoming) = self.outstanding.get_mut(&entry) else { return };
        while let Some((chunk, proof)) = incoming.release() {
            self.out.disk(chunk.write(entry, Some(proof)));
        }
    }
}

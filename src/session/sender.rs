//! The sender's state machine: announces entries, reads what is wanted, and believes nothing until the
//! receiver's word authenticates.
//!
//! Invariants: at most [`MAX_OUTSTANDING_ENTRIES`] (four times as many if agreed) entries are announced and unsettled; at most the
//! receiver's window of bytes is read and unacknowledged; an entry is settled once, and as kept only
//! after its proof went out and with the sender's own digest.
//!

mod announcing;
mod jobs;
mod packing;
mod reading;
mod streaming;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use crate::crypto::Key;
use crate::crypto::keys::Complete;
use crate::session::clock::{Clock, Silence};
use crate::session::outbox::Outbox;
use crate::session::pacing::{Alone, Pacing};
use crate::session::receipt::Receipt;
pub use crate::session::sender::jobs::{Done, Job, Streamed, Walked};
pub use crate::session::sender::packing::{Compress, Effort, Pack, Packing};
use crate::session::sender::reading::{Issued, Outgoing, Reading};
use crate::session::sender::streaming::Streams;
use crate::session::{CONSENT_WITHIN, Event, Failure, Input, Machine, Output, Summary, Violation, Wish};
use crate::wire::peer::{
    self, AbortReason, Hash, Offer, OfferItem, Outcome, PeerMessage, Proof, Settled, Totals,
};
use crate::wire::{CHUNK_BYTES, Channel, DEFAULT_WINDOW_BYTES, MAX_OUTSTANDING_ENTRIES};

/// What a sender is made of.
pub struct Config {
    /// The first top-level names.
    pub items: Vec<OfferItem>,
    /// How many more there are.
    pub more: u32,
    /// As far as counted.
    pub totals: Totals,
    /// The key of the receiver's last word.
    pub complete_key: Key<Complete>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The offer is out, the receiver is thinking.
    Offering,
    /// Accepted.
    Streaming,
    /// Everything is settled; what is missing is the receiver's last word.
    Completing,
    /// Over.
    Ended,
}

/// The sender's side of a session.
pub struct Sender {
    state: State,
    clock: Clock,
    out: Outbox<Job>,
    outstanding: BTreeMap<u32, Outgoing>,
    manifest_bytes: usize,
    announced: u32,
    /// How many may be outstanding.
    most_entries: usize,
    wants_seen: u32,
    walking: bool,
    walked: bool,
    to_read: VecDeque<u32>,
    /// Chunks that the receiver asks for again.
    to_resend: VecDeque<(u32, u32)>,
    issued: VecDeque<Issued>,
    streams: Streams,
    pacing: Pacing,
    /// Bytes read or being read, ever; `acked` runs after it within `window`.
    taken: u64,
    /// Bytes sent or held back.
    sent: u64,
    /// How much of them was held back.
    withheld: u64,
    /// How much of that stays so, as far as is known: of entries that are kept, and not asked for again.
    spared: u64,
    received: u64,
    acked: u64,
    window: u64,
    packing: Packing,
    proofs: Vec<Proof>,
    proof_bytes: u64,
    receipt: Receipt,
    summary: Summary,
}

impl Sender {
    /// Starts a session over a link that both sides have bound.
    pub fn new(config: Config, now: Instant) -> Self {
        let mut sender = Self {
            state: State::Offering,
            clock: Clock::new(now),
            out: Outbox::default(),
            outstanding: BTreeMap::new(),
            manifest_bytes: 0,
            announced: 0,
            most_entries: MAX_OUTSTANDING_ENTRIES,
            wants_seen: 0,
            walking: false,
            walked: false,
            to_read: VecDeque::new(),
            to_resend: VecDeque::new(),
            issued: VecDeque::new(),
            streams: Streams::of(&config.items, config.totals),
            pacing: Pacing::new(Alone::Works),
            taken: 0,
            sent: 0,
            withheld: 0,
            spared: 0,
            received: 0,
            acked: 0,
            window: 0,
            packing: Packing::none(),
            proofs: Vec::new(),
            proof_bytes: 0,
            receipt: Receipt::new(config.complete_key),
            summary: Summary::default(),
        };
        let totals = sender.streams.totals();
        sender.out.send(&PeerMessage::Offer(Offer { items: config.items, more: config.more, totals }));
        sender.out.emit(Event::Totals(totals));
        if !config.totals.complete {
            sender.out.disk(Job::Survey);
        }
        sender.walk_on();
        sender.out.wake_at(now + CONSENT_WITHIN);
        sender
    }

    /// The same, with both sides able to say how fast they want it.
    pub fn with_pacing(mut self) -> Self {
        self.pacing.agreed();
        self
    }

    /// The same, with chunks packed as `packing` has it: only for a peer that knows how to unpack.
    pub fn packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    fn handle_done(&mut self, now: Instant, done: Done) {
        match done {
            Done::Surveyed(totals) => {
                self.streams.counted(totals);
                self.tell_totals();
                if !totals.complete {
                    self.out.disk(Job::Survey);
                }
            }
            Done::Walked(walked) => self.handle_walked(walked),
            Done::Read { entry, index, result, spent } => {
                self.handle_read(now, (entry, index), result, spent)
            }
            Done::Streamed { entry, result } => self.handle_streamed(now, entry, result),
        }
    }

    fn handle_frame(&mut self, now: Instant, channel: Channel, frame: &Bytes) -> Result<(), Failure> {
        if channel == Channel::Bulk {
            return Err(Violation::OutOfTurn("bulk").into());
        }
        let message = peer::decode(frame).map_err(Violation::from)?;
        if message.is_empty_list() {
            return Err(Violation::OutOfTurn(message.name()).into());
        }
        match (message, self.state) {
            (PeerMessage::Abort(reason), _) => return Err(Failure::Peer(reason)),
            (PeerMessage::Accept { window }, State::Offering) => {
                self.window = u64::from(window.clamp(CHUNK_BYTES, DEFAULT_WINDOW_BYTES));
                self.state = State::Streaming;
                self.out.emit(Event::Accepted);
            }
            (PeerMessage::Wants { first, wants }, State::Streaming) => self.handle_wants(first, &wants)?,
            (PeerMessage::Ack { received, written }, State::Streaming | State::Completing) => {
                self.handle_ack(received, written)?;
                self.packing.received(now, received);
            }
            (PeerMessage::Settled(batch), State::Streaming) => {
                for settled in batch {
                    self.handle_settled(settled)?;
                }
            }
            (PeerMessage::Again { entry, chunks }, State::Streaming) => self.handle_again(entry, &chunks)?,
            (PeerMessage::Restart { entry }, State::Streaming) => self.handle_restart(entry)?,
            (PeerMessage::Pace { paused, limit }, _) => self.pacing.hear(Wish { paused, limit })?,
            (PeerMessage::Complete { mac }, State::Completing) => return self.handle_complete(&mac),
            (other, _) => return Err(Violation::OutOfTurn(other.name()).into()),
        }
        Ok(())
    }

    fn handle_ack(&mut self, received: u64, written: u64) -> Result<(), Violation> {
        let grows = received >= self.received && written >= self.acked;
        let news = received > self.received || written > self.acked;
        if !grows || !news || written > received || received > self.sent {
            return Err(Violation::TooMuch("acknowledged bytes"));
        }
        self.received = received;
        self.acked = written;
        self.summary.bytes = written.saturating_sub(self.withheld);
        self.out.emit(Event::Moved(received.saturating_sub(self.withheld)));
        Ok(())
    }

    fn handle_settled(&mut self, settled: Settled) -> Result<(), Violation> {
        let Settled { entry, outcome } = settled;
        let outgoing = self.outstanding.get(&entry).ok_or(Violation::UnknownEntry(entry))?;
        let true_claim = match (outcome, outgoing.reading) {
            (Outcome::Kept { digest }, Reading::Proven(ours)) => digest == ours,
            (Outcome::SourceFailed(fault), Reading::Failed(ours)) => fault == ours,
            // A name can be found taken before the bytes are asked for, or when all of them are there.
            (Outcome::Exists | Outcome::Skipped | Outcome::Refused | Outcome::Unwanted, reading) => {
                matches!(reading, Reading::Announced | Reading::Proven(_))
            }
            (Outcome::Kept { .. } | Outcome::SourceFailed(_), _) => false,
        };
        if !true_claim {
            return Err(Violation::FalseClaim(entry));
        }
        let outgoing = self.outstanding.remove(&entry).ok_or(Violation::UnknownEntry(entry))?;
        self.manifest_bytes -= outgoing.manifest_bytes;
        if !matches!(outcome, Outcome::Kept { .. }) {
            self.spared -= outgoing.spared;
        }
        self.summary.spared = self.spared;
        self.receipt.settle(&settled);
        self.summary.count(outcome, &outgoing.kind);
        self.out.disk(Job::Forget { entry });
        if outgoing.kind.is_stream() && outgoing.reading == Reading::Announced {
            self.end_stream(0);
        }
        let file = outgoing.kind.is_file();
        let spared = outgoing.kind.size().saturating_sub(outgoing.sent);
        self.out.emit(Event::Settled { path: outgoing.path, outcome, file, spared });
        Ok(())
    }

    fn handle_complete(&mut self, mac: &Hash) -> Result<(), Failure> {
        if !self.receipt.verify(mac) {
            return Err(Violation::FalseCompletion.into());
        }
        self.out.send(&PeerMessage::Farewell);
        self.end(Ok(self.summary));
        Ok(())
    }

    fn end(&mut self, result: Result<Summary, Failure>) {
        self.state = State::Ended;
        self.out.end(result);
    }

    fn fail(&mut self, failure: Failure) {
        self.end(Err(failure));
    }

    fn handle_tick(&mut self, now: Instant) -> Result<(), Failure> {
        if self.state == State::Offering {
            return match self.clock.silent_for(now) >= CONSENT_WITHIN {
                true => Err(Failure::Own(AbortReason::Unattended)),
                false => Ok(()),
            };
        }
        if self.streams.are_read() || self.pacing.excuses_silence() {
            // Whoever writes into the pipe takes their time, and so does whoever wants it slow.
            self.clock.progress(now);
        }
        match self.clock.check(now) {
            Silence::None => (),
            Silence::Stalled(time) => self.out.emit(Event::Stalled(time)),
            Silence::GivenUp => return Err(Failure::Silence),
        }
        Ok(())
    }
}

impl Machine for Sender {
    type Job = Job;
    type Done = Done;

    fn handle(&mut self, now: Instant, input: Input<Done>) {
        if self.state == State::Ended {
            return;
        }
        let progress = matches!(input, Input::Frame(..) | Input::Disk(_));
        let result = match input {
            Input::Frame(channel, frame) => self.handle_frame(now, channel, &frame),
            Input::Disk(done) => {
                self.handle_done(now, done);
                Ok(())
            }
            Input::Answer(_) => Ok(()),
            Input::Wish(wish) => {
                self.pacing.wish(wish, &mut self.out);
                Ok(())
            }
            Input::Tick => self.handle_tick(now),
            Input::LinkLost => Err(Failure::LinkLost),
            Input::Broken(violation) => Err(violation.into()),
            Input::LinkDown(loss) => {
                self.clock.pause();
                self.out.emit(Event::Disconnected(loss));
                Ok(())
            }
            Input::LinkUp => {
                self.clock.resume(now);
                self.out.emit(Event::Reconnected);
                Ok(())
            }
            Input::Cancel(reason) => Err(Failure::Own(reason)),
        };
        if let Err(failure) = result {
            return self.fail(failure);
        }
        if self.state == State::Ended {
            return;
        }
        self.pacing.take_in(now, &mut self.out);
        self.walk_on();
        self.read_on();
        self.stream_on();
        let all_answered = self.walked && self.wants_seen == self.announced;
        if self.state == State::Streaming && all_answered && self.outstanding.is_empty() {
            self.state = State::Completing;
            self.out.emit(Event::Finishing);
        }
        let offering = self.state == State::Offering;
        if progress && !offering && self.clock.progress(now) {
            self.out.emit(Event::Moving);
        }
        let wake = if offering { self.clock.last() + CONSENT_WITHIN } else { self.clock.wake_at(now) };
        self.out.wake_at(self.pacing.wake_at(wake));
    }

    fn poll(&mut self) -> Option<Output<Job>> {
        self.out.poll()
    }
}

//! The receiver's state machine: nothing touches the disk before consent, nothing gets its name before
//! it is verified, nothing is said to be there before it is durable.
//!
//! Invariants: every frame is checked against what was announced and allowed, so a hostile sender costs
//! at most the window, [`MAX_OUTSTANDING_ENTRIES`] entries and [`MAX_LOOSE_HASHES`] hashes of memory;
//! entries are settled once; folders and links are made after all that comes before them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::crypto::Key;
use crate::crypto::keys::Complete;
use crate::session::clock::{Clock, Silence};
use crate::session::incoming::{Claim, Incoming};
use crate::session::receipt::Receipt;
use crate::session::{Answer, CONSENT_WITHIN, Event, Failure, Input, Machine, Output, Summary, Violation};
use crate::wire::peer::{
    self, AbortReason, Entry, EntryKind, Hash, Offer, Outcome, PeerMessage, Proof, Settled, Want,
};
use crate::wire::{
    CHUNK_BYTES, Channel, DEFAULT_WINDOW_BYTES, MAX_ENTRIES, MAX_ENTRY_BYTES, MAX_OUTSTANDING_ENTRIES, block,
    chunk_length,
};

/// Hashes that the sender may announce ahead of the bytes, over all entries.
pub const MAX_LOOSE_HASHES: usize = 8192;

/// Written and not yet journaled bytes of unfinished entries, at which a checkpoint is due.
const CHECKPOINT_BYTES: u64 = 64 << 20;

/// Time after which a checkpoint is due.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(2);

/// Written bytes after which the sender is told.
const ACK_BYTES: u64 = DEFAULT_WINDOW_BYTES as u64 / 16;

/// Time after which the sender is told of what came in since.
const ACK_AFTER: Duration = Duration::from_millis(200);

/// Settled entries in one message; 1,000 of them are 40 KB.
const SETTLED_BATCH: usize = 1000;

/// How long the receiver stays for the sender's farewell once all is done.
const LINGER: Duration = Duration::from_secs(5);

/// What the receiver asks of the file system.
#[derive(Debug)]
pub enum Job {
    /// Look whether these entries can have their names.
    Plan {
        /// Number of the first.
        first: u32,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// Write one whole chunk and hash it.
    Write {
        /// Of which entry.
        entry: u32,
        /// Which chunk.
        index: u32,
        /// Its bytes, in order.
        parts: Vec<Bytes>,
    },
    /// Make these chunks durable, then journal them.
    Checkpoint(Vec<WrittenChunk>),
    /// Give these entries their names, in order, and make that durable.
    Commit(Vec<Commit>),
    /// This entry will not be committed. No answer.
    Discard {
        /// Which.
        entry: u32,
    },
    /// All entries are settled: clear the stage away.
    Finish,
}

/// A verified chunk of an unfinished entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenChunk {
    /// Of which entry.
    pub entry: u32,
    /// Where the entry belongs, and what it is.
    pub item: Entry,
    /// Which chunk.
    pub index: u32,
    /// Its hash.
    pub hash: Hash,
}

/// A verified entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Which.
    pub entry: u32,
    /// Where it belongs, and what it is.
    pub item: Entry,
    /// Its digest; zero for folders and links.
    pub digest: Hash,
}

/// What the file system answers. A fault ends the session; its reason is told to the peer.
#[derive(Debug)]
pub enum Done {
    /// To [`Job::Plan`]: for each entry, how it ends without being sent, or nothing.
    Planned {
        /// Number of the first.
        first: u32,
        /// One for each entry.
        outcomes: Vec<Option<Outcome>>,
    },
    /// To [`Job::Write`].
    Wrote {
        /// Of which entry.
        entry: u32,
        /// Which chunk.
        index: u32,
        /// What was written.
        hash: Hash,
    },
    /// To [`Job::Checkpoint`].
    Checkpointed,
    /// To [`Job::Commit`]: one outcome for each, in order.
    Committed(Vec<Outcome>),
    /// To [`Job::Finish`].
    Finished,
    /// To any: the disk does not go on.
    Fault(AbortReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No offer yet.
    Waiting,
    /// The person is thinking.
    Deciding,
    /// Accepted.
    Writing,
    /// All settled; the stage is being cleared.
    Finishing,
    /// Our last word is out.
    Lingering,
    /// Over.
    Ended,
}

/// The receiver's side of a session.
pub struct Receiver {
    state: State,
    clock: Clock,
    outputs: VecDeque<Output<Job>>,
    outstanding: BTreeMap<u32, Incoming>,
    announced: u32,
    /// How many there are in all, once the sender has said.
    end: Option<u32>,
    links_begun: bool,
    loose_hashes: usize,
    received: u64,
    written: u64,
    acked: (u64, u64),
    acked_at: Instant,
    /// Files whose every byte is proven.
    verified: BTreeSet<u32>,
    committing: Vec<u32>,
    checkpointing: bool,
    unjournaled: Vec<WrittenChunk>,
    unjournaled_since: Option<Instant>,
    receipt: Receipt,
    summary: Summary,
}

impl Receiver {
    /// Starts a session over a link that both sides have bound.
    pub fn new(complete_key: Key<Complete>, now: Instant) -> Self {
        let mut receiver = Self {
            state: State::Waiting,
            clock: Clock::new(now),
            outputs: VecDeque::new(),
            outstanding: BTreeMap::new(),
            announced: 0,
            end: None,
            links_begun: false,
            loose_hashes: 0,
            received: 0,
            written: 0,
            acked: (0, 0),
            acked_at: now,
            verified: BTreeSet::new(),
            committing: Vec::new(),
            checkpointing: false,
            unjournaled: Vec::new(),
            unjournaled_since: None,
            receipt: Receipt::new(complete_key),
            summary: Summary::default(),
        };
        receiver.outputs.push_back(Output::WakeAt(receiver.clock.wake_at()));
        receiver
    }

    fn send(&mut self, message: &PeerMessage) {
        let frame = BytesMut::from(peer::encode(message).as_slice());
        self.outputs.push_back(Output::Send(Channel::Control, frame));
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Emit(event));
    }

    fn disk(&mut self, job: Job) {
        self.outputs.push_back(Output::Disk(job));
    }

    fn handle_frame(&mut self, now: Instant, channel: Channel, frame: Bytes) -> Result<(), Failure> {
        if channel == Channel::Bulk {
            return self.handle_block(now, frame);
        }
        let message = peer::decode(&frame).map_err(Violation::from)?;
        let open = matches!(self.state, State::Deciding | State::Writing);
        match message {
            PeerMessage::Abort(reason) => Err(Failure::Peer(reason)),
            PeerMessage::Offer(offer) if self.state == State::Waiting => self.handle_offer(offer),
            PeerMessage::Totals(totals) if self.state != State::Waiting => {
                self.emit(Event::Totals(totals));
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
                proofs.into_iter().try_for_each(|proof| self.handle_proof(proof))
            }
            PeerMessage::Farewell if self.state == State::Lingering => {
                self.end_well();
                Ok(())
            }
            other => Err(Violation::OutOfTurn(other.name()).into()),
        }
    }

    fn handle_offer(&mut self, offer: Offer) -> Result<(), Failure> {
        if offer.items.len() > Offer::MAX_ITEMS {
            return Err(Violation::TooMuch("names in an offer").into());
        }
        self.state = State::Deciding;
        self.emit(Event::Totals(offer.totals));
        self.outputs.push_back(Output::Ask(offer));
        Ok(())
    }

    fn handle_answer(&mut self, answer: Answer) -> Result<(), Failure> {
        if self.state != State::Deciding {
            return Ok(());
        }
        match answer {
            Answer::Yes => (),
            Answer::No => return Err(Failure::Own(AbortReason::Declined)),
            Answer::Unattended => return Err(Failure::Own(AbortReason::Unattended)),
        }
        self.state = State::Writing;
        self.send(&PeerMessage::Accept { window: DEFAULT_WINDOW_BYTES });
        self.emit(Event::Accepted);
        if !self.outstanding.is_empty() {
            let entries = self.outstanding.values().map(|it| it.item.clone()).collect();
            self.disk(Job::Plan { first: 0, entries });
        }
        Ok(())
    }

    fn handle_entries(&mut self, first: u32, entries: Vec<Entry>) -> Result<(), Failure> {
        if first != self.announced {
            return Err(Violation::Numbering { expected: self.announced, got: first }.into());
        }
        if self.outstanding.len() + entries.len() > MAX_OUTSTANDING_ENTRIES {
            return Err(Violation::TooMuch("outstanding entries").into());
        }
        for item in &entries {
            let number = self.announced;
            let possible = match &item.kind {
                EntryKind::File { size, .. } => !self.links_begun && *size <= MAX_ENTRY_BYTES,
                EntryKind::Folder { .. } => !self.links_begun,
                EntryKind::Link { target } => {
                    self.links_begun = true;
                    target.check_inside(&item.path).is_ok()
                }
            };
            if !possible || number > MAX_ENTRIES {
                return Err(Violation::ImpossibleEntry(number).into());
            }
            self.outstanding.insert(number, Incoming::new(item.clone()));
            self.announced += 1;
        }
        if self.state == State::Writing && !entries.is_empty() {
            self.disk(Job::Plan { first, entries });
        }
        Ok(())
    }

    fn handle_planned(&mut self, first: u32, outcomes: &[Option<Outcome>]) {
        let mut settled = Vec::new();
        let mut wants = Vec::with_capacity(outcomes.len());
        for (number, outcome) in (first..).zip(outcomes) {
            match outcome {
                Some(outcome) => {
                    settled.push(Settled { entry: number, outcome: *outcome });
                    wants.push(Want::Nothing);
                }
                None => {
                    if let Some(incoming) = self.outstanding.get_mut(&number) {
                        incoming.plan();
                    }
                    wants.push(Want::All);
                }
            }
        }
        self.settle(settled);
        self.send(&PeerMessage::Wants { first, wants });
    }

    fn handle_block(&mut self, now: Instant, frame: Bytes) -> Result<(), Failure> {
        let (header, payload) = block::parse(frame).map_err(Violation::from)?;
        let length = payload.len() as u64;
        let (_, acknowledged) = self.acked;
        if self.received + length - acknowledged > u64::from(DEFAULT_WINDOW_BYTES) {
            return Err(Violation::TooMuch("unacknowledged bytes").into());
        }
        let incoming =
            self.outstanding.get_mut(&header.entry).ok_or(Violation::UnknownEntry(header.entry))?;
        let first_block = header.offset == 0;
        let chunk = incoming.take_block(header, payload).ok_or(Violation::BlockOutOfPlace(header.entry))?;
        self.received += length;
        if first_block {
            let path = incoming.item.path.clone();
            self.emit(Event::Current(path));
        }
        if let Some((index, parts)) = chunk {
            self.disk(Job::Write { entry: header.entry, index, parts });
        }
        if now >= self.acked_at + ACK_AFTER {
            self.acknowledge(now);
        }
        Ok(())
    }

    fn handle_proof(&mut self, proof: Proof) -> Result<(), Failure> {
        let (Proof::Chunk { entry, .. } | Proof::Entry { entry, .. } | Proof::Failed { entry, .. }) = proof;
        let incoming = self.outstanding.get_mut(&entry).ok_or(Violation::UnknownEntry(entry))?;
        let claim = match proof {
            Proof::Chunk { index, hash, .. } => {
                self.loose_hashes += 1;
                if self.loose_hashes > MAX_LOOSE_HASHES {
                    return Err(Violation::TooMuch("hashes ahead of their bytes").into());
                }
                incoming.take_hash(index, hash)
            }
            Proof::Entry { digest, .. } => incoming.take_digest(digest),
            Proof::Failed { fault, sent, .. } => incoming.take_fault(fault, sent),
        };
        self.judge(entry, claim)
    }

    fn handle_wrote(&mut self, now: Instant, entry: u32, index: u32, hash: Hash) -> Result<(), Failure> {
        let Some(incoming) = self.outstanding.get_mut(&entry).filter(|it| it.writes_next(index)) else {
            return Ok(());
        };
        let size = incoming.size();
        self.written += chunk_length(size, index);
        let claim = incoming.wrote(index, hash);
        if size > u64::from(CHUNK_BYTES) {
            let item = incoming.item.clone();
            self.unjournaled.push(WrittenChunk { entry, item, index, hash });
            self.unjournaled_since.get_or_insert(now);
        }
        if self.written - self.acked.1 >= ACK_BYTES {
            self.acknowledge(now);
        }
        self.judge(entry, claim)
    }

    fn acknowledge(&mut self, now: Instant) {
        if self.acked != (self.received, self.written) {
            self.acked = (self.received, self.written);
            self.acked_at = now;
            self.send(&PeerMessage::Ack { received: self.received, written: self.written });
            self.emit(Event::Moved(self.received));
        }
    }

    /// Acts on what an entry's bytes and proofs say together.
    fn judge(&mut self, entry: u32, claim: Claim) -> Result<(), Failure> {
        match claim {
            Claim::Fine { matched } => {
                self.loose_hashes -= matched;
                if self.outstanding.get(&entry).is_some_and(|it| it.verified().is_some()) {
                    self.verified.insert(entry);
                }
                Ok(())
            }
            Claim::Failed { fault, matched } => {
                self.loose_hashes -= matched;
                self.unjournaled.retain(|it| it.entry != entry);
                self.disk(Job::Discard { entry });
                self.settle(vec![Settled { entry, outcome: Outcome::SourceFailed(fault) }]);
                Ok(())
            }
            Claim::Impossible => Err(Violation::FalseClaim(entry).into()),
            Claim::Mismatch => {
                let path = self.outstanding.get(&entry).map(|it| it.item.path.clone());
                Err(path.map_or(Failure::from(Violation::UnknownEntry(entry)), Failure::Integrity))
            }
        }
    }

    /// Starts the next commit: verified files in any order; folders and links only once nothing that
    /// was announced before them is missing. One commit is under way at a time, so that those which
    /// become ready meanwhile share the next one's syncs.
    fn commit_on(&mut self) {
        if !self.committing.is_empty() || self.state != State::Writing {
            return;
        }
        let mut ready = std::mem::take(&mut self.verified);
        for (&entry, incoming) in &self.outstanding {
            let in_turn = !incoming.item.kind.is_file() && incoming.planned();
            if in_turn {
                ready.insert(entry);
            } else if !ready.contains(&entry) {
                break;
            }
        }
        let batch: Vec<Commit> = ready
            .into_iter()
            .filter_map(|entry| {
                let incoming = self.outstanding.get(&entry)?;
                let digest = incoming.verified().unwrap_or_default();
                Some(Commit { entry, item: incoming.item.clone(), digest })
            })
            .collect();
        if !batch.is_empty() {
            self.committing = batch.iter().map(|it| it.entry).collect();
            self.unjournaled.retain(|it| self.committing.binary_search(&it.entry).is_err());
            self.disk(Job::Commit(batch));
        }
    }

    fn checkpoint_on(&mut self, now: Instant) {
        let bytes = self.unjournaled.len() as u64 * u64::from(CHUNK_BYTES);
        let due = bytes >= CHECKPOINT_BYTES
            || self.unjournaled_since.is_some_and(|since| now >= since + CHECKPOINT_AFTER);
        if due && !self.checkpointing && !self.unjournaled.is_empty() {
            self.checkpointing = true;
            self.unjournaled_since = None;
            let chunks = std::mem::take(&mut self.unjournaled);
            self.disk(Job::Checkpoint(chunks));
        }
    }

    fn settle(&mut self, settled: Vec<Settled>) {
        for batch in settled.chunks(SETTLED_BATCH) {
            for it in batch {
                let Some(incoming) = self.outstanding.remove(&it.entry) else { continue };
                self.receipt.settle(it);
                self.summary.count(it.outcome, &incoming.item.kind);
                let file = incoming.item.kind.is_file();
                self.emit(Event::Settled { path: incoming.item.path, outcome: it.outcome, file });
            }
            self.send(&PeerMessage::Settled(batch.to_vec()));
        }
    }

    fn handle_done(&mut self, now: Instant, done: Done) -> Result<(), Failure> {
        match done {
            Done::Planned { first, outcomes } => self.handle_planned(first, &outcomes),
            Done::Wrote { entry, index, hash } => self.handle_wrote(now, entry, index, hash)?,
            Done::Checkpointed => self.checkpointing = false,
            Done::Committed(outcomes) => {
                self.acknowledge(now);
                let entries = std::mem::take(&mut self.committing);
                let settled = entries.into_iter().zip(outcomes);
                self.settle(settled.map(|(entry, outcome)| Settled { entry, outcome }).collect());
            }
            Done::Finished => {
                self.summary.bytes = self.written;
                self.state = State::Lingering;
                self.send(&PeerMessage::Complete { mac: self.receipt.mac() });
            }
            Done::Fault(reason) => return Err(Failure::Own(reason)),
        }
        Ok(())
    }

    fn handle_tick(&mut self, now: Instant) -> Result<(), Failure> {
        match self.state {
            State::Lingering if self.clock.silent_for(now) >= LINGER => self.end_well(),
            State::Lingering | State::Ended => (),
            State::Deciding if self.clock.silent_for(now) >= CONSENT_WITHIN => {
                return Err(Failure::Own(AbortReason::Unattended));
            }
            State::Deciding => (),
            State::Waiting | State::Writing | State::Finishing => match self.clock.check(now) {
                Silence::None => (),
                Silence::Stalled(time) => self.emit(Event::Stalled(time)),
                Silence::GivenUp => return Err(Failure::Silence),
            },
        }
        Ok(())
    }

    fn end_well(&mut self) {
        self.state = State::Ended;
        self.outputs.push_back(Output::Done(Ok(self.summary)));
    }

    fn fail(&mut self, failure: Failure) {
        if self.state == State::Lingering {
            // All is there and durable; a sender that leaves without a farewell changes nothing.
            return self.end_well();
        }
        if let Some(reason) = failure.told_to_peer() {
            self.send(&PeerMessage::Abort(reason));
        }
        self.state = State::Ended;
        self.outputs.push_back(Output::Done(Err(failure)));
    }

    fn wake_at(&self) -> Instant {
        let silence = match self.state {
            State::Lingering => self.clock.last() + LINGER,
            State::Deciding => self.clock.last() + CONSENT_WITHIN,
            _ => self.clock.wake_at(),
        };
        match self.unjournaled_since {
            Some(since) if !self.checkpointing => silence.min(since + CHECKPOINT_AFTER),
            _ => silence,
        }
    }
}

impl Machine for Receiver {
    type Job = Job;
    type Done = Done;

    fn handle(&mut self, now: Instant, input: Input<Done>) {
        if self.state == State::Ended {
            return;
        }
        let progress = matches!(input, Input::Frame(..) | Input::Disk(_) | Input::Answer(_));
        let result = match input {
            Input::Frame(channel, frame) => self.handle_frame(now, channel, frame),
            Input::Disk(done) => self.handle_done(now, done),
            Input::Answer(answer) => self.handle_answer(answer),
            Input::Tick => self.handle_tick(now),
            Input::LinkLost => Err(Failure::LinkLost),
            Input::Cancel(reason) => Err(Failure::Own(reason)),
        };
        if let Err(failure) = result {
            return self.fail(failure);
        }
        if self.state == State::Ended {
            return;
        }
        self.commit_on();
        self.checkpoint_on(now);
        let all_settled = self.outstanding.is_empty() && self.end.is_some();
        if self.state == State::Writing && all_settled && !self.checkpointing {
            self.state = State::Finishing;
            self.acknowledge(now);
            self.emit(Event::Finishing);
            self.disk(Job::Finish);
        }
        if progress && self.clock.progress(now) {
            self.emit(Event::Moving);
        }
        self.outputs.push_back(Output::WakeAt(self.wake_at()));
    }

    fn poll(&mut self) -> Option<Output<Job>> {
        self.outputs.pop_front()
    }
}

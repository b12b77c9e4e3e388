//! The receiver's state machine: nothing touches the disk before consent, nothing gets its name before
//! it is verified, nothing is said to be there before it is durable.
//!
//! Invariants: every frame is checked against what was announced and allowed, so a hostile sender costs
//! at most the window, [`MAX_OUTSTANDING_ENTRIES`] (four times as many if agreed) entries and [`MAX_LOOSE_HASHES`] hashes of memory;
//! entries are settled once; folders and links are made after all that comes before them.
//!

mod checking;
mod consent;
mod frames;
pub(super) mod jobs;
mod settling;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::crypto::Key;
use crate::crypto::keys::Complete;
use crate::session::clock::{Clock, Silence};
use crate::session::incoming::Incoming;
use crate::session::outbox::Outbox;
use crate::session::pacing::{Alone, Pacing};
use crate::session::receipt::Receipt;
use crate::session::receiver::consent::Consent;
pub use crate::session::receiver::jobs::{Commit, Done, Job, Otherwise, Plan, WrittenChunk};
use crate::session::{Answer, CONSENT_WITHIN, Event, Failure, Input, Machine, Output, Summary, Violation};
use crate::wire::peer::{AbortReason, Offer, PeerMessage, Settled};
use crate::wire::{DEFAULT_WINDOW_BYTES, MAX_OUTSTANDING_ENTRIES};

/// Hashes that the sender may announce ahead of the bytes, over all entries.
pub const MAX_LOOSE_HASHES: usize = 8192;

/// Time after which the sender is told of what came in since.
const ACK_AFTER: Duration = Duration::from_millis(200);

/// Longest wait for the first entries of an offer before the person is asked: they come at once, unless the
/// sender's disk sleeps.
const PREVIEW_WITHIN: Duration = Duration::from_millis(300);

/// Entries that the person can be shown.
const PREVIEW_ENTRIES: usize = 500;

/// How long the receiver stays for the sender's farewell once all is done: it comes at once, or the link is
/// about to be missed.
const LINGER: Duration = Duration::from_secs(10);

/// The same when the link is gone: the sender has not heard that all is done, and may come back, as from a
/// sleep of two minutes.
const LINGER_ALONE: Duration = Duration::from_secs(150);

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

/// When bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// As they come; what turns out to be wrong is thrown away.
    AtOnce,
    /// When they are proven, as they cannot be taken back.
    Proven,
}

/// The receiver's side of a session.
pub struct Receiver {
    state: State,
    clock: Clock,
    out: Outbox<Job>,
    consent: Consent,
    /// An offer of which the person has not heard, and when it is asked at the latest.
    unasked: Option<(Offer, Instant)>,
    outstanding: BTreeMap<u32, Incoming>,
    /// Sum of their [`peer::Entry::encoded_bytes`].
    manifest_bytes: usize,
    announced: u32,
    /// How many may be outstanding.
    most_entries: usize,
    /// How many there are in all, once the sender has said.
    end: Option<u32>,
    links_begun: bool,
    loose_hashes: usize,
    received: u64,
    /// Whose block came last.
    current: Option<u32>,
    written: u64,
    /// How much of both did not travel but was compared here.
    held_back: u64,
    acked: (u64, u64),
    acked_at: Instant,
    /// Files whose every byte is proven.
    verified: BTreeSet<u32>,
    committing: Vec<u32>,
    checkpointing: bool,
    unjournaled: Vec<WrittenChunk>,
    unjournaled_since: Option<Instant>,
    /// Entries of which something is here that is not yet under check.
    to_check: VecDeque<u32>,
    /// Checks asked for that have not found their proof.
    checks: usize,
    found: u64,
    linger: Duration,
    writing: Writing,
    pacing: Pacing,
    /// Whether chunks may come packed.
    unpacking: bool,
    receipt: Receipt,
    summary: Summary,
}

impl Receiver {
    /// Starts a session over a link that both sides have bound.
    pub fn new(complete_key: Key<Complete>, now: Instant) -> Self {
        let mut receiver = Self {
            state: State::Waiting,
            clock: Clock::new(now),
            out: Outbox::default(),
            consent: Consent::default(),
            unasked: None,
            outstanding: BTreeMap::new(),
            manifest_bytes: 0,
            announced: 0,
            most_entries: MAX_OUTSTANDING_ENTRIES,
            end: None,
            links_begun: false,
            loose_hashes: 0,
            received: 0,
            current: None,
            written: 0,
            held_back: 0,
            acked: (0, 0),
            acked_at: now,
            verified: BTreeSet::new(),
            committing: Vec::new(),
            checkpointing: false,
            unjournaled: Vec::new(),
            unjournaled_since: None,
            to_check: VecDeque::new(),
            checks: 0,
            found: 0,
            linger: LINGER,
            writing: Writing::AtOnce,
            pacing: Pacing::new(Alone::IsVain),
            unpacking: false,
            receipt: Receipt::new(complete_key),
            summary: Summary::default(),
        };
        receiver.out.wake_at(receiver.clock.wake_at(now));
        receiver
    }

    /// The same, with both sides able to say how fast they want it.
    pub fn with_pacing(mut self) -> Self {
        self.pacing.agreed();
        self
    }

    /// The same, with every chunk held back until its proof is there: for what goes to a pipe.
    pub fn writing_what_is_proven(mut self) -> Self {
        self.writing = Writing::Proven;
        self
    }

    fn handle_answer(&mut self, answer: Answer) -> Result<(), Failure> {
        if self.state != State::Deciding {
            return Ok(());
        }
        match answer {
            Answer::Yes => (),
            Answer::No => return Err(Failure::Own(AbortReason::Declined)),
            Answer::Unattended => return Err(Failure::Own(AbortReason::Unattended)),
            Answer::NotOneFile => return Err(Failure::Own(AbortReason::NotOneFile)),
            Answer::NoRoom => return Err(Failure::Own(AbortReason::DiskFull)),
        }
        self.state = State::Writing;
        self.out.send(&PeerMessage::Accept { window: DEFAULT_WINDOW_BYTES });
        self.out.emit(Event::Accepted);
        if !self.outstanding.is_empty() {
            let entries = self.outstanding.values().map(|it| it.item.clone()).collect();
            self.out.disk(Job::Plan { first: 0, entries });
        }
        Ok(())
    }

    fn handle_done(&mut self, now: Instant, done: Done) -> Result<(), Failure> {
        match done {
            Done::Planned { first, plans } => self.handle_planned(first, &plans),
            Done::Wrote { entry, index, hash } => self.handle_wrote(now, entry, index, hash)?,
            Done::Unpackable { entry } => return Err(Violation::Unpackable(entry).into()),
            Done::Checked { entry, index, hash } => self.handle_checked(now, entry, index, hash)?,
            Done::Checkpointed => self.checkpointing = false,
            Done::Committed { first, outcomes } if self.committing.first() == Some(&first) => {
                self.acknowledge(now);
                let entries = std::mem::take(&mut self.committing);
                let settled = entries.into_iter().zip(outcomes);
                self.settle(settled.map(|(entry, outcome)| Settled { entry, outcome }).collect());
            }
            Done::Committed { .. } => (),
            Done::Finished => {
                self.state = State::Lingering;
                self.out.send(&PeerMessage::Complete { mac: self.receipt.mac() });
            }
            Done::Fault(reason) => return Err(Failure::Own(reason)),
        }
        Ok(())
    }

    fn handle_tick(&mut self, now: Instant) -> Result<(), Failure> {
        match self.state {
            State::Lingering if self.clock.silent_for(now) >= self.linger => self.end_well(),
            State::Lingering | State::Ended => (),
            State::Deciding if self.clock.silent_for(now) >= CONSENT_WITHIN => {
                return Err(Failure::Own(AbortReason::Unattended));
            }
            State::Deciding => (),
            // While our own disk is at work the sender owes nothing.
            State::Writing | State::Finishing if self.disk_is_busy() || self.waits_for_somebody() => {
                self.clock.progress(now);
            }
            State::Waiting | State::Writing | State::Finishing => match self.clock.check(now) {
                Silence::None => (),
                Silence::Stalled(time) => self.out.emit(Event::Stalled(time)),
                Silence::GivenUp => return Err(Failure::Silence),
            },
        }
        Ok(())
    }

    fn end_well(&mut self) {
        self.state = State::Ended;
        self.out.end(Ok(self.summary));
    }

    fn fail(&mut self, failure: Failure) {
        if self.state == State::Lingering {
            // All is there and durable; a sender that leaves without a farewell changes nothing.
            return self.end_well();
        }
        self.state = State::Ended;
        self.out.end(Err(failure));
    }
}

impl Machine for Receiver {
    type Job = Job;
    type Done = Done;

    fn handle(&mut self, now: Instant, input: Input<Done>) {
        if self.state == State::Ended {
            return;
        }
        // While the person thinks, and once all is done, frames buy the sender no time.
        let progress = match input {
            Input::Frame(..) => matches!(self.state, State::Waiting | State::Writing | State::Finishing),
            Input::Disk(_) => self.state != State::Lingering,
            Input::Answer(_) => true,
            Input::Tick | Input::Cancel(_) | Input::Wish(_) => false,
            Input::LinkLost | Input::LinkDown(_) | Input::LinkUp | Input::Broken(_) => false,
        };
        let result = match input {
            Input::Frame(channel, frame) => self.handle_frame(now, channel, frame),
            Input::Disk(done) => self.handle_done(now, done),
            Input::Answer(answer) => self.handle_answer(answer),
            Input::Wish(wish) => {
                self.pacing.wish(wish, &mut self.out);
                Ok(())
            }
            Input::Tick => self.handle_tick(now),
            Input::LinkLost => Err(Failure::LinkLost),
            Input::Broken(violation) => Err(violation.into()),
            Input::LinkDown(loss) => {
                self.handle_link_down(now, loss);
                Ok(())
            }
            Input::LinkUp => {
                self.handle_link_up(now);
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
        self.ask_on(now);
        self.check_on();
        self.commit_on();
        self.checkpoint_on(now);
        let all_settled = self.outstanding.is_empty() && self.end.is_some();
        if self.state == State::Writing && all_settled && !self.checkpointing {
            self.state = State::Finishing;
            self.acknowledge(now);
            self.out.emit(Event::Finishing);
            self.out.disk(Job::Finish);
        }
        if progress && self.clock.progress(now) {
            self.out.emit(Event::Moving);
        }
        self.out.wake_at(self.wake_at(now));
    }

    fn poll(&mut self) -> Option<Output<Job>> {
        self.out.poll()
    }
}

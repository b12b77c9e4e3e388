//! What to do next: the transfer as two state machines without tokio, clock, files or randomness.
//!
//! [`sender::Sender`] and [`receiver::Receiver`] share one contract, [`Machine`]: put every input in with
//! `handle`, then take every output with `poll` until it returns `None`. A whole transfer, with loss
//! and crashes, runs in a unit test that way.
//!
//! ```text
//! Sender:    Offering ─accept─► Streaming ─all settled─► Completing ─complete─► done
//! Receiver:  Waiting ─offer─► Deciding ─yes─► Writing ─all settled─► Finishing ─► Lingering ─farewell─► done
//!            any state ─ abort, violation, disk fault, silence, lost link, cancel ─► failed
//! ```
//!
//! A session outlives its links: [`lasting::Lasting`] around either machine keeps what it sent until the
//! peer has it, and sends it again over the next link.

mod clock;
pub mod handshake;
mod incoming;
pub mod lasting;
mod outbox;
mod pacing;
mod receipt;
pub mod receiver;
pub mod sender;

use std::time::{Duration, Instant};

use bytes::Bytes;

pub use crate::session::pacing::{TAKEN_IN_EVERY, Wish};
use crate::wire::Channel;
use crate::wire::block::BlockError;
use crate::wire::path::RelPath;
use crate::wire::peer::{AbortReason, Entry, EntryKind, Offer, Outcome, PeerError, SourceFault, Totals};

/// Silence from a peer that owes us something, after which the person is told.
pub const STALL_AFTER: Duration = Duration::from_secs(15);

/// Silence after which the session ends, resumable.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Longest wait for the person on the other side to accept.
pub const CONSENT_WITHIN: Duration = Duration::from_secs(3600);

/// One side of a transfer.
pub trait Machine {
    /// What it asks of the file system.
    type Job;
    /// What the file system answers.
    type Done;

    /// Takes one input at time `now`. Drain [`Machine::poll`] afterwards.
    fn handle(&mut self, now: Instant, input: Input<Self::Done>);

    /// The next thing to do, in order; `None` until there is another input.
    fn poll(&mut self) -> Option<Output<Self::Job>>;
}

/// What happens to a session.
#[derive(Debug)]
pub enum Input<D> {
    /// A frame came from the peer.
    Frame(Channel, Bytes),
    /// The link is gone for good.
    LinkLost,
    /// The link is gone and may come back; see [`lasting`].
    LinkDown(Loss),
    /// There is a link again.
    LinkUp,
    /// The peer broke the protocol in what [`lasting`] hears.
    Broken(Violation),
    /// A job is done.
    Disk(D),
    /// The person has answered [`Output::Ask`].
    Answer(Answer),
    /// The person wants it slower, or no longer so.
    Wish(Wish),
    /// The time asked for by [`Output::WakeAt`] has come.
    Tick,
    /// Stop now; the reason is told to the peer.
    Cancel(AbortReason),
}

/// How a link was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// No packet came through for some seconds.
    #[error("nothing comes through any more")]
    Silent,
    /// The line seems to be there, but no frame arrives.
    #[error("the line is open, but nothing arrives")]
    Stuck,
    /// The other end is closed.
    #[error("the other end was closed")]
    Closed,
}

/// What a session wants done.
#[derive(Debug)]
pub enum Output<J> {
    /// Send a frame.
    Send(Channel, Bytes),
    /// Work for the file system; answered by [`Input::Disk`].
    Disk(J),
    /// Ask the person; answered by [`Input::Answer`].
    Ask(Offer),
    /// From now on blocks leave as slowly as both persons want it.
    Pace(Wish),
    /// Something that a person may want to see.
    Emit(Event),
    /// Call with [`Input::Tick`] at this time; replaces the time before.
    WakeAt(Instant),
    /// Give the link up and look for another; answered by [`Input::LinkUp`].
    Relink,
    /// It is over: flush what was to be sent, then leave.
    Done(Result<Summary, Failure>),
}

/// What the person said to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Receive it.
    Yes,
    /// Do not.
    No,
    /// Nobody could be asked.
    Unattended,
    /// It would not fit the disk.
    NoRoom,
    /// It is to go to a pipe, and is not one file.
    NotOneFile,
}

/// Progress, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// How much there is, as far as known; comes again as the walk goes on.
    Totals(Totals),
    /// What an offer is made of, as far as it was announced before the person is asked: comes right before
    /// [`Output::Ask`].
    Announced {
        /// The first entries.
        entries: Vec<Entry>,
        /// Whether these are all.
        complete: bool,
    },
    /// The receiver has accepted.
    Accepted,
    /// This file is now being sent or received.
    Current(RelPath),
    /// Payload bytes that have come to the receiver so far.
    Moved(u64),
    /// So many bytes seem to be on the receiver's disk already; they are checked before they count.
    Found(u64),
    /// Bytes that were on the receiver's disk already and are what the sender has, so far.
    Spared(u64),
    /// An entry is settled.
    Settled {
        /// Which.
        path: RelPath,
        /// How.
        outcome: Outcome,
        /// Whether it is a regular file.
        file: bool,
        /// Its bytes that did not travel.
        spared: u64,
    },
    /// The sender passes over something.
    Skipped {
        /// Its local path.
        path: String,
        /// Why.
        why: String,
    },
    /// Every entry is settled; what is left is the last word.
    Finishing,
    /// Nothing has moved for this long.
    Stalled(Duration),
    /// It moves again.
    Moving,
    /// One of the persons, or both, want nothing sent for now.
    Paused {
        /// The one here.
        here: bool,
        /// The one at the other side.
        there: bool,
    },
    /// Neither does any more.
    Resumed,
    /// Both want no more than so many bytes a second, or as many as there can be.
    Limited(Option<u64>),
    /// The person here wants it slower, and the sender knows of no such wish. At most once.
    Unheeded,
    /// The link is gone; another one is looked for.
    Disconnected(Loss),
    /// There is a link again.
    Reconnected,
}

/// What a session did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Regular files that the receiver now has, verified and durable.
    pub files: u64,
    /// Folders made or found.
    pub folders: u64,
    /// Symbolic links made.
    pub links: u64,
    /// Payload bytes that travelled.
    pub bytes: u64,
    /// What of blocks they were, without headers: less than `bytes` where chunks were packed. What was read again for a new link
    /// counts once.
    pub wire: u64,
    /// Bytes that did not have to: the receiver had them, and both sides' hashes agree.
    pub spared: u64,
    /// Entries refused because their name was taken.
    pub exists: u64,
    /// Entries skipped because their name was taken and the receiver chose so.
    pub skipped: u64,
    /// Entries that the receiver did not want.
    pub unwanted: u64,
    /// Entries that the receiver's file system cannot hold.
    pub refused: u64,
    /// Entries that changed or went away at the sender while being sent.
    pub source_changed: u64,
    /// Entries that the sender could not read.
    pub source_failed: u64,
    /// Paths that the sender never announced because it could not read or send them.
    pub unsent: u64,
}

impl Summary {
    /// Counts one settled entry.
    fn count(&mut self, outcome: Outcome, kind: &EntryKind) {
        let counter = match (outcome, kind) {
            (Outcome::Kept { .. }, EntryKind::File { .. } | EntryKind::Stream { .. }) => &mut self.files,
            (Outcome::Kept { .. }, EntryKind::Folder { .. }) => &mut self.folders,
            (Outcome::Kept { .. }, EntryKind::Link { .. }) => &mut self.links,
            (Outcome::Exists, _) => &mut self.exists,
            (Outcome::Skipped, _) => &mut self.skipped,
            (Outcome::Unwanted, _) => &mut self.unwanted,
            (Outcome::Refused, _) => &mut self.refused,
            (Outcome::SourceFailed(SourceFault::Changed | SourceFault::Gone), _) => &mut self.source_changed,
            (Outcome::SourceFailed(SourceFault::Denied | SourceFault::Io), _) => &mut self.source_failed,
        };
        *counter += 1;
    }
}

/// Why a session ended without finishing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The link broke.
    #[error("the connection to the other side was lost")]
    LinkLost,
    /// The peer said nothing for [`GIVE_UP_AFTER`].
    #[error("nothing came from the other side for {} minutes", GIVE_UP_AFTER.as_secs() / 60)]
    Silence,
    /// The peer stopped it.
    #[error("the other side stopped: {0}")]
    Peer(AbortReason),
    /// We stopped it, having told the peer.
    #[error("stopped here: {0}")]
    Own(AbortReason),
    /// The peer broke the protocol.
    #[error("the other side sent something that the protocol forbids: {0}")]
    Violation(#[from] Violation),
    /// A hash did not match.
    #[error("`{0}` arrived with bytes that do not match their hash")]
    Integrity(RelPath),
}

impl Failure {
    /// What the peer should hear about it, if it can still hear.
    fn told_to_peer(&self) -> Option<AbortReason> {
        match self {
            Self::LinkLost | Self::Peer(_) => None,
            Self::Silence => Some(AbortReason::Silence),
            Self::Own(reason) => Some(*reason),
            Self::Violation(_) => Some(AbortReason::Protocol),
            Self::Integrity(_) => Some(AbortReason::Integrity),
        }
    }
}

/// How a peer broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Not a control message.
    #[error(transparent)]
    Control(#[from] PeerError),
    /// Not a block.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A message that has no place now.
    #[error("`{0}` out of turn")]
    OutOfTurn(&'static str),
    /// An entry number that is not outstanding.
    #[error("entry {0} is not expected")]
    UnknownEntry(u32),
    /// Entries numbered with a gap or again.
    #[error("entries from {got} where {expected} comes next")]
    Numbering {
        /// What comes next.
        expected: u32,
        /// What came.
        got: u32,
    },
    /// More outstanding than allowed.
    #[error("more {0} than were allowed")]
    TooMuch(&'static str),
    /// A block that is not the next of its entry, or past its size.
    #[error("a block of entry {0} that does not come next")]
    BlockOutOfPlace(u32),
    /// A packed chunk that was not agreed on, or does not unpack to what it says.
    #[error("a chunk of entry {0} that does not unpack")]
    Unpackable(u32),
    /// An offer that lists more than it may, or names below the top, or overflowing totals.
    #[error("an offer that cannot be")]
    ImpossibleOffer,
    /// An entry that the offer did not cover.
    #[error("entry {0} is more than was offered")]
    BeyondOffer(u32),
    /// A size or link that cannot be.
    #[error("entry {0} cannot be made")]
    ImpossibleEntry(u32),
    /// A claim about an entry that does not agree with what was sent.
    #[error("a false claim about entry {0}")]
    FalseClaim(u32),
    /// The final word does not authenticate.
    #[error("the final confirmation does not match what was transferred")]
    FalseCompletion,
}

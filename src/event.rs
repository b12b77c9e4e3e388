//! What happens during a transfer, for whoever watches: a person's screen, a program that reads `--json`, or your own.
//!
//! One enum, [`Event`]; [`crate::Transfer::next_event`] yields it, [`crate::ui::Reporter`] shows it, [`Event::line`]
//! writes it as `p2pcp --json` does. `docs/json-events.md` describes each kind in its JSON form, whose fields are kept
//! apart (`event/json`) from the types here.

mod details;
mod json;
mod preview;
pub(crate) mod speed;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::code::Code;
pub use crate::event::details::{Consent, Preview, Progress, Tally};
pub(crate) use crate::event::details::{leftover_state, needs_attention};
use crate::fs::Leftover;
pub use crate::session::{Loss, Summary};
use crate::transport::Path;
use crate::wire::path::RelPath;
use crate::wire::peer::{Offer, OfferItem, Outcome, Totals};

/// Version of the JSON form: the `v` of every line. Kinds and fields are added without a new one, so readers pass over
/// what they do not know; what is there keeps its name and meaning.
pub const VERSION: u32 = 1;

/// Something that happened, in the order in which it did.
///
/// Names in it come from the other side or from disks. [`RelPath`] has no character that changes a terminal; other
/// strings may: show them through [`crate::ui::text::sanitise`].
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Sender: this is about to be offered. First, and once.
    Sending {
        /// The first top-level names, at most [`Offer::MAX_ITEMS`].
        #[serde(serialize_with = "json::items")]
        items: Vec<OfferItem>,
        /// Top-level names that are not listed.
        more: u32,
        /// As far as counted by now.
        #[serde(serialize_with = "json::totals")]
        totals: Totals,
    },
    /// Sender: the rendezvous where the peers will meet.
    Rendezvous {
        /// Its address.
        url: String,
    },
    /// Sender: a code to say. Another one comes after each [`Event::CodeBurnt`], and then only that one works.
    Code {
        /// The code. Whoever knows it gets the files.
        #[serde(serialize_with = "json::code")]
        code: Code,
        /// What to type on the other side.
        command: String,
    },
    /// Nothing to do until the other side comes: for a sender with a code, for a receiver that waits for its sender.
    Waiting,
    /// Sender: the code was used up without a connection; a new one follows.
    CodeBurnt {
        /// Why.
        reason: String,
        /// Whether somebody tried a wrong one.
        guessed: bool,
        /// Codes that may be made after the one that follows.
        codes_left: u32,
    },
    /// Receiver: the sender is looked for on the network.
    Searching {
        /// Because the configured server does not know the code, or does not answer.
        after_server: bool,
    },
    /// The peers have a connection.
    Path {
        /// How it goes.
        #[serde(flatten, serialize_with = "json::path")]
        path: Path,
        /// Whether it takes the place of one that was not as good.
        better: bool,
    },
    /// One of the two wants words compared before anything is offered. Waits for [`crate::Transfer::accept`], if the
    /// other side shows the same, or [`crate::Transfer::decline`].
    Verify {
        /// Three words, joined by spaces.
        words: String,
    },
    /// Receiver: what interrupted transfers left in the receive folder: before the offer what nothing can be done
    /// with, before the end what other transfers can go on with.
    Leftovers {
        /// The receive folder.
        #[serde(serialize_with = "json::folder")]
        folder: PathBuf,
        /// Each of them.
        #[serde(serialize_with = "json::leftovers")]
        found: Vec<Leftover>,
        /// Whether they may need attention.
        attention: bool,
    },
    /// Receiver: what the sender offers. Nothing has touched the disk yet.
    Offered {
        /// The offer.
        #[serde(flatten, serialize_with = "json::offer")]
        offer: Offer,
        /// Where it will land.
        #[serde(serialize_with = "json::folder")]
        folder: PathBuf,
        /// The name that it will have there, where it is one file and the person gave it one.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<RelPath>,
        /// What is known of its tree so far, and of what it meets here.
        #[serde(serialize_with = "preview::preview")]
        preview: Preview,
        /// Whether it waits for [`crate::Transfer::accept`] or [`crate::Transfer::decline`].
        asks: bool,
    },
    /// What the receiving side answered; a sender hears of a yes only, as everything else fails its transfer.
    Consent {
        /// The answer.
        answer: Consent,
    },
    /// So many bytes seem to be on the receiver's disk already, from an interrupted transfer; they are checked before
    /// they count. At most once.
    Found {
        /// Bytes.
        bytes: u64,
        /// Of how much.
        #[serde(serialize_with = "json::totals")]
        totals: Totals,
    },
    /// How far it is; see [`crate::Transfer::progress_every`].
    Progress(Progress),
    /// An entry is settled: a file, a folder or a link.
    Entry {
        /// Which.
        path: RelPath,
        /// How.
        #[serde(serialize_with = "json::outcome")]
        outcome: Outcome,
        /// Whether it is a regular file.
        file: bool,
    },
    /// The sender passes over something.
    Skipped {
        /// Its path at the sender.
        path: String,
        /// Why.
        reason: String,
    },
    /// Receiver: an entry's name was taken, and it was kept under another one. The first twenty, before the end.
    Renamed {
        /// As announced.
        from: RelPath,
        /// As kept.
        to: RelPath,
    },
    /// Receiver: a text that came, and is not kept. It is as the sender wrote it: show it through
    /// [`crate::ui::text::sanitise`].
    Text {
        /// The text, at most [`OfferItem::MAX_TEXT_BYTES`] long.
        text: String,
    },
    /// Nothing has come from the other side for some time.
    Stalled {
        /// For how long.
        #[serde(rename = "seconds", serialize_with = "json::seconds")]
        silence: Duration,
    },
    /// It moves again.
    Moving,
    /// One of the persons, or both, want nothing sent for now. Comes again when that changes.
    Paused {
        /// The one here.
        here: bool,
        /// The one at the other side.
        there: bool,
    },
    /// Neither of them does any more.
    Resumed,
    /// No more than so many bytes a second are sent from now on: the lower of both sides' limits.
    Limited {
        /// The limit; none when there is none any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes_per_second: Option<u64>,
    },
    /// The connection is lost; another one is looked for.
    Disconnected {
        /// How.
        #[serde(rename = "reason", serialize_with = "json::text")]
        loss: Loss,
    },
    /// There is no new connection yet. Comes again when the reason is another one.
    Retrying {
        /// Why the last attempt failed.
        reason: String,
    },
    /// There is a connection again.
    Reconnected {
        /// How it goes.
        #[serde(flatten, serialize_with = "json::path")]
        path: Path,
    },
    /// Every entry is settled; what is left is the last word. Says how far it is, as [`Event::Progress`] does.
    Finishing(Progress),
    /// Something worth knowing, in one lower-case sentence.
    Note {
        /// The sentence.
        text: String,
    },
    /// Something that may need attention, in one lower-case sentence.
    Warning {
        /// The sentence.
        text: String,
    },
    /// It ran to its end, perhaps with entries left out: the last event.
    Finished {
        /// What was done.
        #[serde(flatten, serialize_with = "json::summary")]
        summary: Summary,
        /// Time since it was accepted.
        #[serde(rename = "seconds", serialize_with = "json::seconds")]
        elapsed: Duration,
        /// The exit code of a command that did this; see [`crate::error::ExitCode`].
        exit_code: u8,
    },
    /// It failed: the last event.
    Failed {
        /// What went wrong, in one lower-case sentence.
        error: String,
        /// Why, where the sentence does not say it.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// What a person can do now.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// The exit code of a command that did this.
        exit_code: u8,
    },
    /// A command that sends to several has ended for all of them. A [`crate::Transfer`] has one receiver, and never says so.
    Served {
        /// How many, and how it went for them.
        #[serde(flatten)]
        tally: Tally,
        /// The exit code.
        exit_code: u8,
    },
}

impl Event {
    /// The line that `p2pcp --json` prints for it, without a line end: one JSON object with `v` and `event`.
    ///
    /// What could change a terminal is escaped, so a line can be shown as it is.
    pub fn line(&self) -> String {
        json::line(self, None)
    }

    /// The same, of one of several receivers: with `receiver`, its number.
    pub fn line_of(&self, receiver: u32) -> String {
        json::line(self, Some(receiver))
    }

    /// Every kind that there is, as [`Event::name`] gives it.
    pub const NAMES: [&str; 31] = [
        "sending",
        "rendezvous",
        "code",
        "waiting",
        "code_burnt",
        "searching",
        "path",
        "verify",
        "leftovers",
        "offered",
        "consent",
        "found",
        "progress",
        "entry",
        "skipped",
        "renamed",
        "text",
        "stalled",
        "moving",
        "paused",
        "resumed",
        "limited",
        "disconnected",
        "retrying",
        "reconnected",
        "finishing",
        "note",
        "warning",
        "finished",
        "failed",
        "served",
    ];

    /// Its kind: the `event` of its line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sending { .. } => "sending",
            Self::Rendezvous { .. } => "rendezvous",
            Self::Code { .. } => "code",
            Self::Waiting => "waiting",
            Self::CodeBurnt { .. } => "code_burnt",
            Self::Searching { .. } => "searching",
            Self::Path { .. } => "path",
            Self::Verify { .. } => "verify",
            Self::Leftovers { .. } => "leftovers",
            Self::Offered { .. } => "offered",
            Self::Consent { .. } => "consent",
            Self::Found { .. } => "found",
            Self::Progress(_) => "progress",
            Self::Entry { .. } => "entry",
            Self::Skipped { .. } => "skipped",
            Self::Renamed { .. } => "renamed",
            Self::Text { .. } => "text",
            Self::Stalled { .. } => "stalled",
            Self::Moving => "moving",
            Self::Paused { .. } => "paused",
            Self::Resumed => "resumed",
            Self::Limited { .. } => "limited",
            Self::Disconnected { .. } => "disconnected",
            Self::Retrying { .. } => "retrying",
            Self::Reconnected { .. } => "reconnected",
            Self::Finishing(_) => "finishing",
            Self::Note { .. } => "note",
            Self::Warning { .. } => "warning",
            Self::Finished { .. } => "finished",
            Self::Failed { .. } => "failed",
            Self::Served { .. } => "served",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Finished { .. } | Self::Failed { .. } | Self::Served { .. })
    }
}

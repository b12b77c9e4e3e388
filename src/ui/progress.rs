//! How far a transfer is: numbers in, a few live lines or a plain line out.
//!
//! Pure: the time is an argument, nothing prints. [`Meter::take`] only stores numbers, as events may come
//! 100,000 times a second; all wording happens when somebody draws ([`Meter::lines`], in `lines`). While the totals still
//! grow no percentage and no remaining time are shown, since both would be false.

mod eta;
mod lines;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::event::speed::Speedometer;
use crate::event::{Event, Loss, Progress};
use crate::transport::Way;
use crate::ui::line::Line;
use crate::ui::progress::eta::Eta;
use crate::ui::text;
use crate::wire::path::RelPath;

/// Least time between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// The state of a transfer as far as its events told.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    phase: Phase,
    progress: Progress,
    /// The file before [`Progress::current`], until it is settled.
    earlier: Option<RelPath>,
    /// Whether the newest file is.
    settled: bool,
    way: Option<Kind>,
    checking: Option<Checking>,
    stalled_since: Option<Instant>,
    disconnected_since: Option<Instant>,
    /// Who wants nothing sent for now: the person here, the one at the other side.
    paused: Option<(bool, bool)>,
    limit: Option<u64>,
    /// Whether there are keys to tell of.
    keys: bool,
    speedometer: Speedometer,
    eta: Eta,
    plain_since: Option<Instant>,
}

/// The phase in which a transfer is, in the order of a transfer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Nobody has accepted yet.
    #[default]
    Waiting,
    /// Bytes may move.
    Moving,
    /// All bytes are there; hashing and syncing.
    Finishing,
}

/// How the peers are connected, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Here,
    Lan,
    Direct,
    Relayed,
}

/// What is here of an earlier transfer is hashed before anything moves.
#[derive(Debug, Clone, Copy)]
struct Checking {
    /// So many bytes of it seem to be here.
    bytes: u64,
    /// What had travelled by then.
    moved: u64,
}

/// What an event did to a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It has begun: there is something to show from now on.
    Begun,
    /// Nothing but numbers changed.
    Numbers,
}

impl Meter {
    /// Takes what an event says about numbers. Consent starts over, so that one meter can serve a second
    /// transfer.
    pub(crate) fn take(&mut self, now: Instant, event: &Event) -> Change {
        match event {
            Event::Consent { .. } => {
                let Self { way, paused, limit, keys, .. } = *self;
                *self = Self { way, paused, limit, keys, ..Self::default() };
            }
            Event::Paused { here, there } => {
                self.paused = Some((*here, *there));
                self.stalled_since = None;
            }
            Event::Resumed => self.paused = None,
            Event::Limited { bytes_per_second } => self.limit = *bytes_per_second,
            Event::Path { path, .. } => self.way = Some(kind(&path.way)),
            Event::Found { bytes, .. } => {
                self.checking = Some(Checking { bytes: *bytes, moved: self.moved() });
            }
            Event::Progress(progress) => self.advance(progress),
            Event::Entry { path, .. } => self.settle(path),
            Event::Finishing(progress) => {
                self.advance(progress);
                self.phase = Phase::Finishing;
            }
            Event::Stalled { silence } => self.stalled_since = now.checked_sub(*silence).or(Some(now)),
            Event::Moving => self.stalled_since = None,
            Event::Disconnected { .. } => {
                self.disconnected_since = Some(now);
                self.stalled_since = None;
            }
            Event::Reconnected { path } => {
                self.disconnected_since = None;
                self.way = Some(kind(&path.way));
            }
            _ => (),
        }
        let mut change = Change::Numbers;
        if self.phase == Phase::Waiting && begins(event) {
            self.phase = Phase::Moving;
            self.plain_since = Some(now);
            change = Change::Begun;
        }
        if self.phase != Phase::Waiting {
            self.speedometer.note(now, self.moved());
            let speed = self.speedometer.bytes_per_second(now, self.moved());
            let left = self.progress.total_bytes.saturating_sub(self.progress.bytes);
            self.eta.note(now, left, speed.filter(|_| self.progress.complete));
        }
        change
    }

    /// Whether keys are read, so that they are to be told of.
    pub(crate) fn tells_keys(&mut self, keys: bool) {
        self.keys = keys;
    }

    fn advance(&mut self, progress: &Progress) {
        if self.progress.current != progress.current {
            let before = self.progress.current.take();
            self.earlier = before.filter(|_| !self.settled);
            self.settled = false;
        }
        self.progress.clone_from(progress);
    }

    fn settle(&mut self, path: &RelPath) {
        if self.earlier.as_ref() == Some(path) {
            self.earlier = None;
        }
        if self.progress.current.as_ref() == Some(path) {
            self.settled = true;
        }
    }

    /// What has travelled.
    fn moved(&self) -> u64 {
        self.progress.bytes.saturating_sub(self.progress.resumed_bytes)
    }

    /// Whether all bytes are there, and what takes its time is a disk.
    pub(crate) fn is_writing(&self) -> bool {
        let Progress { bytes, total_bytes, complete, .. } = self.progress;
        self.phase == Phase::Finishing || (complete && bytes > 0 && bytes >= total_bytes)
    }

    /// Whether what is here is hashed, and nothing has travelled since.
    fn is_checking(&self) -> bool {
        self.checking.is_some_and(|it| it.bytes > self.progress.resumed_bytes && it.moved == self.moved())
    }

    /// A plain line, when it is time for one: every 5 s, and once all bytes are there.
    pub(crate) fn plain(&mut self, now: Instant, event: &Event) -> Option<Line> {
        let since = self.plain_since?;
        match event {
            // After this there is nothing more to say: the bytes are all there.
            Event::Finishing(_) => self.plain_since = None,
            // These have words of their own.
            Event::Stalled { .. }
            | Event::Moving
            | Event::Paused { .. }
            | Event::Resumed
            | Event::Disconnected { .. }
            | Event::Reconnected { .. } => {
                return None;
            }
            _ if self.phase == Phase::Finishing => return None,
            _ if now.saturating_duration_since(since) < PLAIN_EVERY => return None,
            _ => self.plain_since = Some(now),
        }
        let lead = self.percent().map_or(String::new(), |it| format!("{it}% "));
        let here = self.were_here().map_or(String::new(), |it| format!(", {it}"));
        let rate = self.rate(now).map_or(String::new(), |it| format!(", {it}"));
        Some(Line::plain(format_args!("{lead}{}{here}{rate}, {}", self.bytes(), self.files())))
    }

    fn rate(&self, now: Instant) -> Option<String> {
        if self.is_writing() || self.paused.is_some() {
            return None;
        }
        Some(format!("{}/s", text::bytes(self.speedometer.bytes_per_second(now, self.moved())?)))
    }

    fn remaining(&self, now: Instant) -> Option<String> {
        if !self.progress.complete || self.is_writing() || self.paused.is_some() {
            return None;
        }
        Some(format!("{} left", text::duration(self.eta.left(now)?)))
    }

    /// Whole percent, 100 only when all is there; `None` while the totals grow.
    fn percent(&self) -> Option<u8> {
        if !self.progress.complete {
            return None;
        }
        let (done, all) = match self.progress.total_bytes {
            0 => (self.progress.files, self.progress.total_files),
            bytes => (self.progress.bytes, bytes),
        };
        let percent = (u128::from(done) * 100).checked_div(u128::from(all)).unwrap_or(100);
        u8::try_from(percent.min(100)).ok()
    }

    fn bytes(&self) -> String {
        let (moved, total) = (
            text::bytes(self.progress.bytes),
            text::bytes(self.progress.total_bytes.max(self.progress.bytes)),
        );
        match self.progress.complete {
            true => format!("{moved} of {total}"),
            // More than is known of, or nothing is: a stream, which ends when it ends.
            false if self.progress.total_bytes == 0 || self.progress.bytes > self.progress.total_bytes => {
                moved
            }
            false => format!("{moved} of ≥ {total}, counting…"),
        }
    }

    /// What of it did not have to travel.
    fn were_here(&self) -> Option<String> {
        match self.progress.resumed_bytes {
            0 => None,
            bytes => Some(format!("{} were here", text::bytes(bytes))),
        }
    }

    fn files(&self) -> String {
        let least = if self.progress.complete { "" } else { "≥ " };
        let total = text::counted(self.progress.total_files.max(self.progress.files), "file");
        format!("{} of {least}{total}", text::count(self.progress.files))
    }
}

/// What a person is told when nothing comes.
pub(crate) fn stalled(silence: Duration) -> String {
    format!("nothing has come from the other side for {}…", text::duration(silence))
}

/// What a person is told while nothing is to be sent.
pub(crate) fn paused(here: bool, there: bool) -> &'static str {
    match (here, there) {
        (true, true) => "paused by both sides",
        (false, true) => "paused by the other side",
        (true, false) | (false, false) => "paused",
    }
}

/// What a person is told while there is no link.
pub(crate) fn disconnected(loss: Loss) -> String {
    format!("connection lost: {loss}; reconnecting…")
}

/// Whether an event shows that the transfer has begun.
fn begins(event: &Event) -> bool {
    matches!(event, Event::Progress(_) | Event::Entry { .. })
}

fn kind(way: &Way) -> Kind {
    match way {
        Way::ThisMachine => Kind::Here,
        Way::Lan => Kind::Lan,
        Way::Unknown | Way::Ipv6 | Way::Open | Way::OneNat | Way::BothNats => Kind::Direct,
        Way::Relayed { .. } => Kind::Relayed,
    }
}

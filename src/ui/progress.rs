//! How far a transfer is: numbers in, two live lines or a plain line out.
//!
//! Pure: the time is an argument, nothing prints. [`Meter::take`] only stores numbers, as events may come
//! 100,000 times a second; all wording happens when somebody draws. While the totals still
//! grow no percentage and no remaining time are shown, since both would be false.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::event::speed::Speedometer;
use crate::event::{Event, Loss, Progress};
use crate::ui::line::{Line, Paint};
use crate::ui::text;
use crate::wire::path::RelPath;

/// Least time between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Columns of the shortest and the longest bar.
const BAR_COLUMNS: std::ops::RangeInclusive<usize> = 8..=40;

/// Columns below which a file name says too little.
const LEAST_NAME_COLUMNS: usize = 8;

/// The state of a transfer as far as its events told.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    phase: Phase,
    progress: Progress,
    stalled_since: Option<Instant>,
    disconnected_since: Option<Instant>,
    speedometer: Speedometer,
    plain_since: Option<Instant>,
}

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
            Event::Consent { .. } => *self = Self::default(),
            Event::Progress(progress) => self.progress.clone_from(progress),
            Event::Finishing(progress) => {
                self.progress.clone_from(progress);
                self.phase = Phase::Finishing;
            }
            Event::Stalled { silence } => self.stalled_since = now.checked_sub(*silence).or(Some(now)),
            Event::Moving => self.stalled_since = None,
            Event::Disconnected { .. } => {
                self.disconnected_since = Some(now);
                self.stalled_since = None;
            }
            Event::Reconnected { .. } => self.disconnected_since = None,
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
        }
        change
    }

    /// What has travelled.
    fn moved(&self) -> u64 {
        self.progress.bytes.saturating_sub(self.progress.resumed_bytes)
    }

    /// The upper live line: percent, bar, bytes, speed, time left; as much as fits.
    pub(crate) fn upper(&self, now: Instant, columns: usize) -> Line {
        let percent = self.percent();
        let lead = percent.map_or(String::new(), |it| format!("{it:>3}% "));
        let mut room = columns.saturating_sub(lead.len());
        let mut numbers = String::new();
        for part in [Some(self.bytes()), self.rate(now), self.remaining(now)].into_iter().flatten() {
            let part = if numbers.is_empty() { part } else { format!("  {part}") };
            if text::width(&part) > room {
                break;
            }
            room -= text::width(&part);
            numbers.push_str(&part);
        }
        let line = Line::plain(lead);
        match percent {
            Some(percent) if room > *BAR_COLUMNS.start() => {
                let columns = (room - 1).min(*BAR_COLUMNS.end());
                let full = columns * usize::from(percent) / 100;
                line.with(Paint::Green, "━".repeat(full))
                    .with(Paint::Dim, "─".repeat(columns - full))
                    .with(Paint::Plain, format_args!(" {numbers}"))
            }
            _ => line.with(Paint::Plain, numbers),
        }
    }

    /// The lower live line: files, and the current file or what holds it up.
    pub(crate) fn lower(&self, now: Instant, columns: usize) -> Line {
        if let Some(since) = self.disconnected_since {
            let time = text::duration(Duration::from_secs(now.saturating_duration_since(since).as_secs()));
            let words = format!("connection lost, reconnecting for {time}…");
            return Line::default().with(Paint::Yellow, text::shorten(&words, columns));
        }
        if let Some(since) = self.stalled_since {
            let words = stalled(Duration::from_secs(now.saturating_duration_since(since).as_secs()));
            return Line::default().with(Paint::Yellow, text::shorten(&words, columns));
        }
        let files = match self.progress.total_files {
            0 | 1 if self.progress.complete => String::new(),
            _ => format!("{}  ", self.files()),
        };
        let room = columns.saturating_sub(text::width(&files));
        let all_moved = self.progress.complete
            && self.progress.bytes > 0
            && self.progress.bytes >= self.progress.total_bytes;
        let doing = match self.phase {
            Phase::Finishing => "checking and saving…".into(),
            Phase::Moving if all_moved => "checking and saving…".into(),
            // Escapes are longer than what they stand for: sanitise before measuring.
            Phase::Waiting | Phase::Moving => {
                text::sanitise(self.progress.current.as_ref().map_or("", RelPath::as_str))
            }
        };
        match room {
            0..LEAST_NAME_COLUMNS => Line::plain(text::shorten(files.trim_end(), columns)),
            _ => Line::plain(files).with(Paint::Dim, text::shorten(&doing, room)),
        }
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
            | Event::Disconnected { .. }
            | Event::Reconnected { .. } => {
                return None;
            }
            _ if self.phase == Phase::Finishing => return None,
            _ if now.saturating_duration_since(since) < PLAIN_EVERY => return None,
            _ => self.plain_since = Some(now),
        }
        let lead = self.percent().map_or(String::new(), |it| format!("{it}% "));
        let rate = self.rate(now).map_or(String::new(), |it| format!(", {it}"));
        Some(Line::plain(format_args!("{lead}{}{rate}, {}", self.bytes(), self.files())))
    }

    fn rate(&self, now: Instant) -> Option<String> {
        if self.phase == Phase::Finishing {
            return None;
        }
        Some(format!("{}/s", text::bytes(self.speedometer.bytes_per_second(now, self.moved())?)))
    }

    fn remaining(&self, now: Instant) -> Option<String> {
        if !self.progress.complete || self.phase == Phase::Finishing {
            return None;
        }
        let seconds = self
            .progress
            .total_bytes
            .saturating_sub(self.progress.bytes)
            .checked_div(self.speedometer.bytes_per_second(now, self.moved())?)?;
        Some(format!("{} left", text::duration(Duration::from_secs(seconds))))
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
            // More than is known of: a stream, which ends when it ends.
            false if self.progress.bytes > self.progress.total_bytes => moved,
            false => format!("{moved} of ≥ {total}, counting…"),
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

/// What a person is told while there is no link.
pub(crate) fn disconnected(loss: Loss) -> String {
    format!("connection lost: {loss}; reconnecting…")
}

/// Whether an event shows that the transfer has begun.
fn begins(event: &Event) -> bool {
    matches!(event, Event::Progress(_) | Event::Entry { .. })
}

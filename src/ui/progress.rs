//! How far a transfer is: numbers in, two live lines or a plain line out.
//!
//! Pure: the time is an argument, nothing prints. [`Meter::take`] only stores numbers, as events come
//! up to 100,000 times a second; all wording happens when somebody draws. While the totals still
//! grow no percentage and no remaining time are shown, since both would be false.

use std::time::{Duration, Instant};

use crate::session::Event;
use crate::ui::line::{Line, Paint};
use crate::ui::speed::Speedometer;
use crate::ui::text;
use crate::wire::peer::Totals;

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
    totals: Totals,
    moved: u64,
    /// Bytes of settled entries that need not travel, or never will.
    spared: u64,
    files_done: u64,
    current: String,
    stalled_since: Option<Instant>,
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
    /// Takes what an event says about numbers. [`Event::Accepted`] starts over, so that one meter
    /// serves a second session after a lost link.
    pub(crate) fn take(&mut self, now: Instant, event: &Event) -> Change {
        match event {
            Event::Totals(totals) => self.totals = *totals,
            Event::Accepted => *self = Self { totals: self.totals, ..Self::default() },
            Event::Current(path) => {
                self.current.clear();
                self.current.push_str(path.as_str());
            }
            Event::Moved(moved) => self.moved = *moved,
            Event::Settled { file, spared, .. } => {
                self.files_done += u64::from(*file);
                self.spared += spared;
            }
            Event::Stalled(silence) => self.stalled_since = now.checked_sub(*silence).or(Some(now)),
            Event::Moving => self.stalled_since = None,
            Event::Finishing => self.phase = Phase::Finishing,
            Event::Skipped { .. } => (),
        }
        let mut change = Change::Numbers;
        if self.phase == Phase::Waiting && begins(event) {
            self.phase = Phase::Moving;
            self.plain_since = Some(now);
            change = Change::Begun;
        }
        if self.phase != Phase::Waiting {
            self.speedometer.note(now, self.moved);
        }
        change
    }

    /// All that has travelled or is going to.
    fn bytes_to_move(&self) -> u64 {
        self.totals.bytes.saturating_sub(self.spared)
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
        if let Some(since) = self.stalled_since {
            let words = stalled(Duration::from_secs(now.saturating_duration_since(since).as_secs()));
            return Line::default().with(Paint::Yellow, text::shorten(&words, columns));
        }
        let files = match self.totals.files {
            0 | 1 if self.totals.complete => String::new(),
            _ => format!("{}  ", self.files()),
        };
        let room = columns.saturating_sub(text::width(&files));
        let doing = match self.phase {
            Phase::Finishing => "checking and saving…".into(),
            // Escapes are longer than what they stand for: sanitise before measuring.
            Phase::Waiting | Phase::Moving => text::sanitise(&self.current),
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
            Event::Finishing => self.plain_since = None,
            // These have words of their own.
            Event::Stalled(_) | Event::Moving => return None,
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
        Some(format!("{}/s", text::bytes(self.speedometer.bytes_per_second(now, self.moved)?)))
    }

    fn remaining(&self, now: Instant) -> Option<String> {
        if !self.totals.complete || self.phase == Phase::Finishing {
            return None;
        }
        let seconds = self
            .totals
            .bytes
            .saturating_sub(self.moved)
            .checked_div(self.speedometer.bytes_per_second(now, self.moved)?)?;
        Some(format!("{} left", text::duration(Duration::from_secs(seconds))))
    }

    /// Whole percent, 100 only when all is there; `None` while the totals grow.
    fn percent(&self) -> Option<u8> {
        if !self.totals.complete {
            return None;
        }
        let (done, all) = match self.bytes_to_move() {
            0 => (self.files_done, self.totals.files),
            bytes => (self.moved, bytes),
        };
        let percent = (u128::from(done) * 100).checked_div(u128::from(all)).unwrap_or(100);
        u8::try_from(percent.min(100)).ok()
    }

    fn bytes(&self) -> String {
        let (moved, total) = (text::bytes(self.moved), text::bytes(self.bytes_to_move().max(self.moved)));
        match self.totals.complete {
            true => format!("{moved} of {total}"),
            false => format!("{moved} of ≥ {total}, counting…"),
        }
    }

    fn files(&self) -> String {
        let least = if self.totals.complete { "" } else { "≥ " };
        let total = text::counted(self.totals.files.max(self.files_done), "file");
        format!("{} of {least}{total}", text::count(self.files_done))
    }
}

/// What a person is told when nothing comes.
pub(crate) fn stalled(silence: Duration) -> String {
    format!("nothing has come from the other side for {}…", text::duration(silence))
}

/// Whether an event shows that the transfer has begun.
fn begins(event: &Event) -> bool {
    match event {
        Event::Accepted | Event::Current(_) | Event::Moved(_) | Event::Settled { .. } => true,
        Event::Totals(_) | Event::Skipped { .. } | Event::Finishing | Event::Stalled(_) | Event::Moving => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::path::RelPath;
    use crate::wire::peer::Outcome;

    const MIB: u64 = 1 << 20;

    fn totals(files: u64, bytes: u64, complete: bool) -> Event {
        Event::Totals(Totals { files, bytes, complete, ..Totals::default() })
    }

    fn current(path: &str) -> Event {
        Event::Current(RelPath::parse(path).unwrap())
    }

    fn show(line: &Line) -> String {
        let mut out = String::new();
        line.render(false, &mut out);
        out
    }

    /// A meter after 2 s at 50 MiB/s, and the time.
    fn halfway(complete: bool) -> (Meter, Instant) {
        let start = Instant::now();
        let mut meter = Meter::default();
        meter.take(start, &totals(20, 200 * MIB, complete));
        meter.take(start, &Event::Accepted);
        meter.take(start, &current("photos/2024/IMG_1234.jpg"));
        for quarter in 1..=8 {
            meter.take(
                start + Duration::from_millis(250) * quarter,
                &Event::Moved(u64::from(quarter) * 25 * MIB / 2),
            );
        }
        (meter, start + Duration::from_secs(2))
    }

    #[test]
    fn the_live_lines_fill_the_width_they_are_given() {
        let (meter, now) = halfway(true);
        let upper = show(&meter.upper(now, 79));
        let bar = format!("{}{}", "━".repeat(14), "─".repeat(15));
        assert_eq!(upper, format!(" 50% {bar} 100.0 MiB of 200.0 MiB  50.0 MiB/s  2 s left"));
        assert_eq!(show(&meter.lower(now, 79)), "0 of 20 files  photos/2024/IMG_1234.jpg");
        assert_eq!(show(&meter.upper(now, 39)), " 50% 100.0 MiB of 200.0 MiB  50.0 MiB/s");
        assert_eq!(show(&meter.lower(now, 31)), "0 of 20 files  photos/2…234.jpg");
        for columns in 5..200 {
            assert!(meter.upper(now, columns).width() <= columns, "{columns}");
            assert!(meter.lower(now, columns).width() <= columns, "{columns}");
        }
    }

    #[test]
    fn growing_totals_show_no_percent_and_no_time_left() {
        let (meter, now) = halfway(false);
        assert_eq!(show(&meter.upper(now, 79)), "100.0 MiB of ≥ 200.0 MiB, counting…  50.0 MiB/s");
        assert_eq!(show(&meter.lower(now, 20)), "0 of ≥ 20 files");
    }

    #[test]
    fn a_plain_line_comes_every_five_seconds_and_at_the_end() {
        let start = Instant::now();
        let mut meter = Meter::default();
        let mut said = Vec::new();
        let mut feed = |milliseconds: u64, event: Event| {
            let now = start + Duration::from_millis(milliseconds);
            meter.take(now, &event);
            said.extend(meter.plain(now, &event).map(|line| (milliseconds, show(&line))));
        };
        feed(0, totals(2, 1000 * MIB, true));
        feed(0, Event::Accepted);
        for tenth in 1..=110 {
            feed(tenth * 100, Event::Moved(tenth * MIB));
        }
        feed(11_001, Event::Moved(1000 * MIB));
        feed(11_002, Event::Finishing);
        feed(60_000, Event::Moved(1000 * MIB));
        assert_eq!(
            said,
            [
                (5000, "5% 50.0 MiB of 1000.0 MiB, 10.0 MiB/s, 0 of 2 files".to_owned()),
                (10_000, "10% 100.0 MiB of 1000.0 MiB, 10.0 MiB/s, 0 of 2 files".to_owned()),
                (11_002, "100% 1000.0 MiB of 1000.0 MiB, 0 of 2 files".to_owned()),
            ]
        );
    }

    #[test]
    fn a_stall_is_said_with_its_age_until_it_moves() {
        let (mut meter, now) = halfway(true);
        meter.take(now, &Event::Stalled(Duration::from_secs(15)));
        let later = now + Duration::from_millis(50_400);
        assert_eq!(show(&meter.lower(later, 79)), "nothing has come from the other side for 1 min 5 s…");
        meter.take(later, &Event::Moving);
        assert_eq!(show(&meter.lower(later, 79)), "0 of 20 files  photos/2024/IMG_1234.jpg");
    }

    #[test]
    fn files_without_bytes_still_make_progress() {
        let now = Instant::now();
        let mut meter = Meter::default();
        meter.take(now, &totals(4, 0, true));
        let path = RelPath::parse("empty").unwrap();
        meter.take(now, &Event::Settled { path, outcome: Outcome::Exists, file: true, spared: 0 });
        assert_eq!(meter.percent(), Some(25));
        meter.take(now, &totals(0, 0, true));
        assert_eq!(meter.percent(), Some(100));
    }

    #[test]
    fn numbers_from_a_hostile_peer_neither_overflow_nor_lie() {
        let now = Instant::now();
        let mut meter = Meter::default();
        meter.take(now, &totals(u64::MAX, 10, true));
        meter.take(now, &Event::Moved(u64::MAX));
        assert_eq!(meter.percent(), Some(100));
        for columns in [5, 40, 80] {
            meter.upper(now + PLAIN_EVERY, columns);
            meter.lower(now + PLAIN_EVERY, columns);
        }
    }

    #[test]
    fn a_new_session_starts_from_nothing() {
        let (mut meter, now) = halfway(true);
        assert_eq!(meter.take(now, &Event::Moved(101 * MIB)), Change::Numbers);
        assert_eq!(meter.take(now, &Event::Accepted), Change::Begun);
        assert!(show(&meter.upper(now, 79)).ends_with("0 B of 200.0 MiB"));
    }
}

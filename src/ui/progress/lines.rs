//! The live lines: the whole job first, then the files that are under way, or what holds them up.

use std::time::{Duration, Instant};

use crate::ui::line::{Line, Paint};
use crate::ui::progress::{Kind, Meter, Phase, paused, stalled};
use crate::ui::text;
use crate::wire::path::RelPath;

/// Columns of the shortest and the longest bar.
const BAR_COLUMNS: std::ops::RangeInclusive<usize> = 8..=40;

/// Columns below which a file name says too little.
const LEAST_NAME_COLUMNS: usize = 8;

/// Columns between two things on a line.
const GAP: &str = "  ";

impl Meter {
    /// All live lines: none is wider than `columns`, the most important comes first, and of each the most important
    /// part.
    pub(crate) fn lines(&self, now: Instant, columns: usize) -> Vec<Line> {
        let mut lines = vec![self.job(now, columns)];
        match self.trouble(now).or_else(|| self.named_phase()) {
            Some((paint, words)) => {
                lines.push(Line::default().with(paint, text::shorten(&words, columns)));
            }
            None => lines.extend(self.current(columns)),
        }
        let keys = if matches!(self.paused, Some((true, _))) { "p go on" } else { "p pause, + - limit" };
        if self.keys && text::width(keys) <= columns {
            lines.push(Line::default().with(Paint::Dim, keys));
        }
        lines
    }

    /// One line in place of all: how far the job is, or what holds it up.
    pub(crate) fn short(&self, now: Instant, columns: usize) -> Line {
        match self.trouble(now) {
            Some((paint, words)) => Line::default().with(paint, text::shorten(&words, columns)),
            None => self.job(now, columns),
        }
    }

    /// Percent, bar, bytes, speed, time left, way; as much as fits.
    fn job(&self, now: Instant, columns: usize) -> Line {
        let percent = self.percent();
        let lead = percent.map_or(String::new(), |it| format!("{it:>3}% "));
        let mut room = columns.saturating_sub(lead.len());
        let mut fits = |part: Option<String>, least_left: usize, gap: &str| {
            let part = part.map(|it| format!("{gap}{it}"))?;
            let left = room.checked_sub(text::width(&part)).filter(|left| *left >= least_left)?;
            room = left;
            Some(part)
        };
        let bytes = fits(Some(self.bytes()), 0, "");
        if bytes.is_none() {
            let words = match percent {
                Some(_) => lead.trim().to_owned(),
                None => text::bytes(self.progress.bytes),
            };
            return Line::plain(text::shorten(&words, columns));
        }
        // A number that is left out leaves out what is told of it after it.
        let rate = fits(self.rate(now), 0, GAP);
        let remaining = fits(self.remaining(now).filter(|_| rate.is_some()), 0, GAP);
        let limit = fits(self.limit.map(|it| format!("limit {}/s", text::bytes(it))), 0, GAP);
        let bar = if percent.is_some() { BAR_COLUMNS.start() + 1 } else { 0 };
        let here = fits(self.were_here(), bar, ", ");
        let way = fits(self.way.map(|it| word(it).to_owned()), bar, GAP);
        let numbers: String = [bytes, here, rate, limit, remaining, way].into_iter().flatten().collect();
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

    /// What holds it up.
    fn trouble(&self, now: Instant) -> Option<(Paint, String)> {
        let whole = |since: Instant| Duration::from_secs(now.saturating_duration_since(since).as_secs());
        if let Some(since) = self.disconnected_since {
            let time = text::duration(whole(since));
            return Some((Paint::Yellow, format!("connection lost, reconnecting for {time}…")));
        }
        if let Some((here, there)) = self.paused {
            return Some((Paint::Yellow, paused(here, there).to_owned()));
        }
        // A disk that takes its time is no stall.
        let since = self.stalled_since.filter(|_| !self.is_writing())?;
        Some((Paint::Yellow, stalled(whole(since))))
    }

    /// What is done, where it is not the moving of a file.
    fn named_phase(&self) -> Option<(Paint, String)> {
        let words = match self.phase {
            Phase::Finishing => "writing to disk…",
            Phase::Moving if self.is_writing() => "writing to disk…",
            Phase::Moving if self.is_checking() => "checking what is here…",
            Phase::Waiting | Phase::Moving => return None,
        };
        Some((Paint::Dim, words.to_owned()))
    }

    /// Files: how many, and the names of the newest two that are under way.
    fn current(&self, columns: usize) -> Vec<Line> {
        let files = match self.progress.total_files {
            0 | 1 if self.progress.complete => String::new(),
            _ => self.files() + GAP,
        };
        let lead = text::width(&files);
        let room = columns.saturating_sub(lead);
        if room < LEAST_NAME_COLUMNS {
            let words = match text::width(files.trim_end()) > columns {
                true => format!("{}/{}", self.progress.files, self.progress.total_files),
                false => files.trim_end().to_owned(),
            };
            return vec![Line::plain(text::shorten(&words, columns))];
        }
        // Escapes are longer than what they stand for: sanitise before measuring.
        let shown = |path: Option<&RelPath>| {
            let name = text::sanitise(path.map_or("", RelPath::as_str)).into_owned();
            text::shorten(&name, room).into_owned()
        };
        let names = [self.earlier.as_ref(), self.progress.current.as_ref()];
        let mut names = names.into_iter().flatten();
        let first = Line::plain(files).with(Paint::Dim, shown(names.next()));
        let second = names.next().map(|it| Line::plain(" ".repeat(lead)).with(Paint::Dim, shown(Some(it))));
        [Some(first), second].into_iter().flatten().collect()
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Here => "this machine",
        Kind::Lan => "LAN",
        Kind::Direct => "direct",
        Kind::Relayed => "relayed",
    }
}

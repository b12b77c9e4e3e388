//! Whether the next chunks are packed: only while the line is what is waited for.
//!
//! ```text
//! Packing ── packing takes all the time ─► Trying ── the line took no less of plain bytes ─► Plain
//!    ▲                                       └────── it did ─► Packing
//!    └──────────────────────────────────────── the line has become slow ─────────────── Plain
//! ```
//!
//! It starts by packing, as the first chunks cost little and a slow line much, and on loopback with plain ones. The rate of
//! the line is that at which the receiver says that bytes came in, while some were under way all the time. Pure: time
//! comes as an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Whether to pack, as a person wants it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compress {
    /// Where that makes it faster.
    #[default]
    Auto,
    /// Nothing.
    Never,
    /// Whatever gets shorter by it.
    Always,
}

/// What is to be done with a chunk when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pack {
    /// It goes as it is.
    No,
    /// It is packed if a part of it, and others like it, say that this pays.
    IfItPays(Effort),
    /// It is packed, if that makes it shorter.
    Yes(Effort),
}

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Fast.
    Quick,
    /// For slow lines.
    Thorough,
}

/// Bytes a second.
type Rate = f64;

/// What packing, with reading and hashing, is taken to do before it was measured.
const PACKED_AT_FIRST: Rate = 200e6;

/// Packing that is so much faster than the line may be thorough, which takes about five times as long,
/// of what becomes a quarter.
const THOROUGH_BELOW: Rate = 1.0 / 20.0;

/// Packing is not worth starting unless it is so much faster than the line.
const WORTH_BELOW: Rate = 0.5;

/// After packing took all the time, plain bytes are as good at so much of what it reached.
const NO_WORSE: Rate = 0.8;

/// How long is measured before something is changed.
const MEASURED_FOR: Duration = Duration::from_millis(50);

/// The rate of the line is that of the last so many seconds, and of so many at least.
const LINE_FOR: Duration = Duration::from_secs(1);
const LINE_AT_LEAST: Duration = Duration::from_millis(100);

/// Time between two looks at the line.
const LINE_STEP: Duration = Duration::from_millis(5);

/// Share of the time above which packing is what holds things up.
const BUSY: f64 = 0.8;

/// Time between two tries of plain chunks: doubled each time that they were worse.
const PATIENCE: Duration = Duration::from_secs(1);
const MOST_PATIENCE: Duration = Duration::from_secs(64);

/// Bytes that are read to be packed at a time: enough to keep a thread busy.
const MOST_ASKED: u64 = 4 << 20;

/// Chunks under way that are told apart: more than a window has whole ones. Small files are many more.
const MOST_UNDER_WAY: usize = 1024;

/// How long nothing is packed thoroughly after that took all the time.
const HASTY_FOR: Duration = Duration::from_secs(5);

/// Weight of the newest in running means.
const NEWEST: f64 = 0.25;

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Packing,
    /// Chunks go plain, to see whether that is faster than this, which packing reached at most.
    Trying(Rate),
    Plain,
}

/// How much of some time packing took.
#[derive(Debug, Clone, Copy)]
struct Period {
    since: Instant,
    busy: Duration,
    /// Plain bytes.
    bytes: u64,
    /// What the receiver had when it began.
    received: u64,
}

/// What decides; see the head of this file.
#[derive(Debug)]
pub struct Packing {
    wish: Compress,
    state: State,
    line: Line,
    /// What quick packing does.
    quick: Option<Rate>,
    /// What of the work of packing is being counted.
    period: Option<Period>,
    /// Bytes that the receiver has.
    received: u64,
    /// Bytes of chunks that are being packed, or wait for that.
    asked: u64,
    /// No plain chunks are tried before.
    not_before: Option<Instant>,
    /// Nothing is packed thoroughly before: that was too slow.
    hasty_until: Option<Instant>,
    /// The last time that was told.
    now: Option<Instant>,
    patience: Duration,
}

impl Packing {
    /// Nothing is packed: the peer would not know what to do with it.
    pub fn none() -> Self {
        Self::new(Compress::Never, false)
    }

    /// As wished. `at_hand`: the peer is on this machine, so no line is waited for.
    pub fn new(wish: Compress, at_hand: bool) -> Self {
        Self {
            wish,
            state: if at_hand { State::Plain } else { State::Packing },
            line: Line::default(),
            quick: None,
            period: None,
            received: 0,
            asked: 0,
            not_before: None,
            hasty_until: None,
            now: None,
            patience: PATIENCE,
        }
    }

    fn next(&self) -> Pack {
        let quick = self.quick.unwrap_or(PACKED_AT_FIRST);
        let slow = self.line.rate().is_some_and(|rate| rate < quick * THOROUGH_BELOW);
        let hasty = self.hasty_until.is_some_and(|until| self.now.is_none_or(|now| now < until));
        let effort = if slow && !hasty { Effort::Thorough } else { Effort::Quick };
        match (self.wish, self.state) {
            (Compress::Never, _) | (Compress::Auto, State::Trying(_) | State::Plain) => Pack::No,
            (Compress::Auto, State::Packing) => Pack::IfItPays(effort),
            (Compress::Always, _) => Pack::Yes(effort),
        }
    }

    /// The next chunk, of so many bytes, is read: what is to be done with it then. `None` while enough is being
    /// packed, so that a change of mind shows soon.
    pub fn ask(&mut self, bytes: u64) -> Option<Pack> {
        let pack = self.next();
        if pack != Pack::No {
            if self.asked >= MOST_ASKED {
                return None;
            }
            self.asked += bytes;
        }
        Some(pack)
    }

    /// It was read, or could not be.
    pub fn answered(&mut self, pack: Pack, bytes: u64) {
        if pack != Pack::No {
            self.asked = self.asked.saturating_sub(bytes);
        }
    }

    /// A chunk of `plain` bytes was read and maybe packed, which took `spent`; all that was sent are `sent` bytes, of which
    /// it is `wire`.
    pub fn read(&mut self, now: Instant, pack: Pack, (plain, wire, sent): (u64, u64, u64), spent: Duration) {
        self.now = Some(now);
        self.line.sent(sent, wire);
        if pack == Pack::No {
            return;
        }
        self.line.packed_until = sent;
        if wire < plain && pack == Pack::IfItPays(Effort::Quick) && !spent.is_zero() {
            let rate = plain as Rate / spent.as_secs_f64();
            self.quick = Some(self.quick.map_or(rate, |old| old + NEWEST * (rate - old)));
        }
        let begins = Period {
            since: now.checked_sub(spent).unwrap_or(now),
            busy: Duration::ZERO,
            bytes: 0,
            received: self.received,
        };
        let period = self.period.get_or_insert(begins);
        period.busy += spent;
        period.bytes += plain;
        let over = now.saturating_duration_since(period.since);
        if over < MEASURED_FOR {
            return;
        }
        let bytes = period.bytes;
        // While a window fills packing has all to do, too, but nobody waits for it.
        let waited_for = self.received.saturating_sub(period.received) >= bytes / 2;
        let saturated = waited_for && period.busy.as_secs_f64() > BUSY * over.as_secs_f64();
        self.period = None;
        let may_try = self.state == State::Packing && self.not_before.is_none_or(|it| now >= it);
        match pack {
            Pack::IfItPays(Effort::Thorough) | Pack::Yes(Effort::Thorough) if saturated => {
                self.hasty_until = Some(now + HASTY_FOR);
            }
            _ if saturated && may_try => {
                let reached = bytes as Rate / over.as_secs_f64();
                log::debug!("packing is what is waited for, at {:.0} MB/s: trying without", reached / 1e6);
                self.state = State::Trying(reached);
            }
            _ => (),
        }
    }

    /// The receiver has so many of the bytes that were sent.
    pub fn received(&mut self, now: Instant, received: u64) {
        self.now = Some(now);
        self.received = received;
        self.line.received(now, received);
        let reached = match self.state {
            State::Packing => return,
            State::Trying(reached) => reached * NO_WORSE,
            State::Plain => self.quick.unwrap_or(PACKED_AT_FIRST) * WORTH_BELOW,
        };
        if received < self.line.packed_until {
            // Plain bytes are yet to come.
            return self.line.forget();
        }
        match self.line.rate() {
            Some(rate) if rate < reached => {
                log::debug!("the line takes {:.0} MB/s: packing", rate / 1e6);
                self.state = State::Packing;
                self.period = None;
                self.not_before = Some(now + self.patience);
                self.patience = (self.patience * 2).min(MOST_PATIENCE);
            }
            Some(rate) => {
                if self.state != State::Plain {
                    log::debug!("the line takes {:.0} MB/s: not packing", rate / 1e6);
                }
                self.state = State::Plain;
            }
            None => (),
        }
    }
}

/// How fast bytes come out of the other end, as they went over the line.
#[derive(Debug, Default)]
struct Line {
    /// Of each chunk under way: how much was sent up to its end, and what of that is its own on the line.
    under_way: VecDeque<(u64, u64)>,
    arrived: u64,
    seen: VecDeque<(Instant, u64)>,
    /// Up to here chunks were sent that may have been packed.
    packed_until: u64,
}

impl Line {
    fn sent(&mut self, sent: u64, wire: u64) {
        let full = self.under_way.len() >= MOST_UNDER_WAY;
        match self.under_way.back_mut().filter(|_| full) {
            // Small files, or none of them acknowledged: together they tell as much.
            Some((end, bytes)) => (*end, *bytes) = (sent, *bytes + wire),
            // An empty file is never acknowledged.
            None if wire == 0 => (),
            None => self.under_way.push_back((sent, wire)),
        }
    }

    fn received(&mut self, now: Instant, received: u64) {
        while let Some(&(_, wire)) = self.under_way.front().filter(|(end, _)| *end <= received) {
            self.arrived += wire;
            self.under_way.pop_front();
        }
        if self.under_way.is_empty() {
            // It stands still because there is nothing to send.
            return self.seen.clear();
        }
        if self.seen.back().is_none_or(|(at, _)| now >= *at + LINE_STEP) {
            self.seen.push_back((now, self.arrived));
        }
        while self.seen.get(1).is_some_and(|(at, _)| now > *at + LINE_FOR) {
            self.seen.pop_front();
        }
    }

    fn forget(&mut self) {
        self.seen.clear();
    }

    fn rate(&self) -> Option<Rate> {
        let ((since, before), (until, after)) = (self.seen.front()?, self.seen.back()?);
        let over = until.saturating_duration_since(*since);
        (over >= LINE_AT_LEAST).then(|| (after - before) as Rate / over.as_secs_f64())
    }
}

#[cfg(test)]
mod tests;

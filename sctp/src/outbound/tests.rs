//! A sender, a line that delays, loses, repeats and overtakes, and a receiver that keeps every promise; on a fake clock.

mod costs;
mod hostile;
mod partial;
mod queueing;
mod repairing;
mod windows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::control::{Acked, Control};
use crate::message::StreamId;
use crate::outbound::{Message, Outbound, PathFailed, Reliability};
use crate::wire::{Data, ForwardTsn, GapBlock, Sack, tsn};

pub(super) const PACKET: usize = 1_200;
pub(super) const ROOM: usize = PACKET - 12;
pub(super) const MS: Duration = Duration::from_millis(1);
/// Just below the turn of TSNs, so that every test goes through it.
pub(super) const FIRST: u32 = u32::MAX - 20;

/// Numbers that look random and are the same for each seed (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What a control was told.
#[derive(Debug, Default, Clone)]
pub(super) struct Told {
    pub(super) delivered: usize,
    pub(super) lost: usize,
    pub(super) timeouts: u32,
    pub(super) mistakes: u32,
    pub(super) most_in_flight: usize,
    pub(super) rtts: Vec<Duration>,
    /// What a test makes the window, from outside.
    pub(super) cut_to: Option<usize>,
}

/// A window that is small after a timeout until something arrives, and else never changes.
#[derive(Debug)]
pub(super) struct Fixed {
    window: usize,
    shrunk: bool,
    told: Arc<Mutex<Told>>,
}

impl Control for Fixed {
    fn on_sent(&mut self, _: Instant, bytes: usize, in_flight: usize) {
        let mut told = self.told.lock().unwrap();
        told.most_in_flight = told.most_in_flight.max(in_flight + bytes);
    }

    fn on_acked(&mut self, acked: &Acked) {
        self.shrunk = false;
        let mut told = self.told.lock().unwrap();
        told.delivered += acked.delivered;
        told.lost += acked.lost;
        told.rtts.extend(acked.rtt);
    }

    fn on_timeout(&mut self, _: Instant) {
        self.shrunk = true;
        self.told.lock().unwrap().timeouts += 1;
    }

    fn on_spurious_timeout(&mut self, _: Instant) {
        self.told.lock().unwrap().mistakes += 1;
    }

    fn set_packet_size(&mut self, _: usize) {}

    fn window(&self) -> usize {
        let window = self.told.lock().unwrap().cut_to.unwrap_or(self.window);
        if self.shrunk { window.min(2 * PACKET) } else { window }
    }

    fn pacing_rate(&self) -> Option<u64> {
        None
    }
}

pub(super) fn sender(window: usize) -> (Outbound, Arc<Mutex<Told>>) {
    let told = Arc::default();
    let control = Fixed { window, shrunk: false, told: Arc::clone(&told) };
    (Outbound::with_control(FIRST, PACKET, Box::new(control)), told)
}

pub(super) fn message(length: usize) -> Message {
    // Bytes that differ along the message, so that a piece in the wrong place is seen.
    let payload: Vec<u8> = (0..length).map(|index| (index * 7 + index / 251) as u8).collect();
    Message { payload: payload.into(), ppid: 53, unordered: false, reliability: Reliability::Reliable }
}

/// Bundles nothing: what may go now, a chunk a packet.
pub(super) fn flush(sender: &mut Outbound, now: Instant) -> Vec<Data> {
    std::iter::from_fn(|| sender.next_data(now, ROOM)).collect()
}

/// Acknowledges what it gets, at once, and has a window that nothing fills unless it is told to.
pub(super) struct Receiver {
    pub(super) cumulative: u64,
    pub(super) kept: BTreeMap<u64, Data>,
    duplicates: Vec<u32>,
    pub(super) window: u32,
}

impl Receiver {
    pub(super) fn new() -> Self {
        let cumulative = tsn::start(FIRST) - 1;
        Self { cumulative, kept: BTreeMap::new(), duplicates: Vec::new(), window: 1 << 30 }
    }

    pub(super) fn take(&mut self, data: Data) {
        let number = tsn::unwrap(self.cumulative, data.tsn);
        if number <= self.cumulative || self.kept.contains_key(&number) {
            self.duplicates.push(data.tsn);
        } else {
            self.kept.insert(number, data);
        }
        self.move_on();
    }

    pub(super) fn forward(&mut self, forward: &ForwardTsn) {
        self.cumulative = self.cumulative.max(tsn::unwrap(self.cumulative, forward.cumulative_tsn));
        self.move_on();
    }

    fn move_on(&mut self) {
        while self.kept.contains_key(&(self.cumulative + 1)) {
            self.cumulative += 1;
        }
    }

    pub(super) fn sack(&mut self) -> Sack {
        let mut gaps: Vec<GapBlock> = Vec::new();
        for number in self.kept.range(self.cumulative + 1..).map(|(number, _)| number - self.cumulative) {
            let offset = number as u16;
            match gaps.last_mut() {
                Some(last) if last.end + 1 == offset => last.end = offset,
                _ => gaps.push(GapBlock { start: offset, end: offset }),
            }
        }
        Sack {
            cumulative_tsn: tsn::wrap(self.cumulative),
            window: self.window,
            gaps,
            duplicates: std::mem::take(&mut self.duplicates),
        }
    }

    /// The messages that are whole, in the order of their beginnings.
    pub(super) fn messages(&self) -> Vec<(StreamId, Bytes)> {
        let mut messages = Vec::new();
        let mut partial: Option<(u64, Vec<u8>)> = None;
        for (&number, data) in &self.kept {
            if data.beginning {
                partial = Some((number, Vec::new()));
            }
            let Some((next, bytes)) = partial.as_mut().filter(|(next, _)| *next == number) else {
                partial = None;
                continue;
            };
            *next += 1;
            bytes.extend_from_slice(&data.payload);
            if data.ending {
                messages.push((data.stream, partial.take().unwrap().1.into()));
            }
        }
        messages
    }
}

/// What is on the line.
enum Flying {
    Data(Data),
    Forward(ForwardTsn),
    Sack(Sack),
}

/// Both ends, and what lies between.
pub(super) struct Line {
    pub(super) now: Instant,
    pub(super) sender: Outbound,
    pub(super) receiver: Receiver,
    pub(super) told: Arc<Mutex<Told>>,
    /// By the instant of arrival, and the order of leaving.
    flying: BTreeMap<(Instant, u64), Flying>,
    count: u64,
    pub(super) random: Random,
    pub(super) delay: Duration,
    /// Most that a packet is late, in milliseconds.
    pub(super) jitter_ms: u64,
    pub(super) loss_percent: u64,
    pub(super) repeat_percent: u64,
    /// Drops the data with these places among all transmissions.
    pub(super) drop: Vec<u64>,
    /// Every transmission: when, and which TSN.
    pub(super) sent: Vec<(Instant, u32)>,
    /// Lengths of the lists of all FORWARD TSNs.
    pub(super) forwarded: Vec<usize>,
    /// Longest time without anything new at the receiver.
    pub(super) longest_stall: Duration,
}

impl Line {
    /// A line of 25 ms each way that loses nothing, and a window that holds `window` bytes.
    pub(super) fn new(seed: u64, window: usize) -> Self {
        let now = Instant::now();
        let (mut sender, told) = sender(window);
        sender.establish(now, 1 << 30, true);
        Self {
            now,
            sender,
            receiver: Receiver::new(),
            told,
            flying: BTreeMap::new(),
            count: 0,
            random: Random(seed),
            delay: 25 * MS,
            jitter_ms: 0,
            loss_percent: 0,
            repeat_percent: 0,
            drop: Vec::new(),
            sent: Vec::new(),
            forwarded: Vec::new(),
            longest_stall: Duration::ZERO,
        }
    }

    fn launch(&mut self, what: impl Fn() -> Flying) {
        if self.random.percent(self.loss_percent) {
            return;
        }
        for _ in 0..=u32::from(self.random.percent(self.repeat_percent)) {
            let late = MS * self.random.below(self.jitter_ms + 1) as u32;
            self.count += 1;
            self.flying.insert((self.now + self.delay + late, self.count), what());
        }
    }

    fn flush(&mut self) {
        for data in flush(&mut self.sender, self.now) {
            self.sent.push((self.now, data.tsn));
            if !self.drop.contains(&(self.sent.len() as u64 - 1)) {
                self.launch(|| Flying::Data(data.clone()));
            }
        }
        if let Some(forward) = self.sender.next_forward_tsn(self.now) {
            self.forwarded.push(forward.streams.len());
            self.launch(|| Flying::Forward(forward.clone()));
        }
    }

    /// Lets time pass until everything has arrived, or `most` is over.
    pub(super) fn run(&mut self, most: Duration) -> Result<bool, PathFailed> {
        let end = self.now + most;
        let mut news_at = self.now;
        loop {
            self.flush();
            if self.sender.is_idle() {
                return Ok(true);
            }
            let arrival = self.flying.first_key_value().map(|(key, _)| key.0);
            let next = [arrival, self.sender.deadline()]
                .into_iter()
                .flatten()
                .min()
                .expect("something is waited for");
            if next > end {
                self.now = end;
                return Ok(false);
            }
            assert!(Some(next) == arrival || next > self.now, "a deadline is served once");
            self.now = self.now.max(next);
            let before = self.receiver.kept.len();
            self.arrive();
            if self.receiver.kept.len() > before {
                self.longest_stall = self.longest_stall.max(self.now - news_at);
                news_at = self.now;
            }
            self.sender.handle_timeout(self.now)?;
        }
    }

    fn arrive(&mut self) {
        while let Some(arrival) = self.flying.first_entry().filter(|arrival| arrival.key().0 <= self.now) {
            match arrival.remove() {
                Flying::Data(data) => self.receiver.take(data),
                Flying::Forward(forward) => self.receiver.forward(&forward),
                Flying::Sack(sack) => {
                    self.sender.handle_sack(self.now, &sack).unwrap();
                    continue;
                }
            }
            let sack = self.receiver.sack();
            self.launch(|| Flying::Sack(sack.clone()));
        }
    }

    pub(super) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// Transmissions of what was sent before.
    pub(super) fn retransmissions(&self) -> usize {
        let mut seen = std::collections::HashSet::new();
        self.sent.iter().filter(|(_, tsn)| !seen.insert(*tsn)).count()
    }
}

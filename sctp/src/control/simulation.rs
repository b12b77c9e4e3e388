//! A path and senders on it, packet by packet, under a clock of its own: what congestion control alone makes of a line.
//!
//! Everything that a real association adds is ideal: losses are found by order, nothing is reordered, receivers read at once.
//! What is not ideal is what control has to live with: SACKs come in heaps and get lost, timers have a resolution of 1 ms.

mod claims;
mod cubic;
mod path;
mod reno;
#[cfg(not(debug_assertions))]
mod table;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::control::pacer::Pacer;
use crate::control::rate::{Sampler, Stamp};
use crate::control::rtt::Rtt;
use crate::control::simulation::path::Path;
use crate::control::{Acked, Control};

/// Timers of `rtc` have this resolution, in nanoseconds.
const TIMER_TICK: u64 = 1_000_000;

/// A chunk is lost when one sent so many packets later has arrived (RFC 9260 §7.2.4).
const REORDERING_PACKETS: u64 = 3;

/// One sender and its receiver.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) control: Box<dyn Control>,
    packet_bytes: usize,
    /// Bytes that arrived.
    pub(crate) delivered: u64,
    pub(crate) sent: u64,
    pub(crate) timeouts: u32,
    /// The longest time without any news, in nanoseconds.
    pub(crate) longest_stall: u64,
    sampler: Sampler,
    rtt: Rtt,
    pacer: Pacer,
    in_flight: usize,
    outstanding: VecDeque<Outstanding>,
    next_number: u64,
    wake_at: u64,
    heard_at: u64,
    backoff: u32,
    /// What the receiver has and has not told of yet, and when it will.
    untold: Vec<u64>,
    tells_at: u64,
    sacks: VecDeque<(u64, Vec<u64>)>,
}

#[derive(Debug)]
struct Outstanding {
    number: u64,
    arrived: bool,
    stamp: Stamp,
}

const NEVER: u64 = u64::MAX;

/// The line, its senders, the clock.
#[derive(Debug)]
pub(crate) struct Simulation {
    start: Instant,
    now: u64,
    pub(crate) path: Path,
    pub(crate) flows: Vec<Flow>,
    clear_at: u64,
    arrivals: VecDeque<(u64, usize, u64)>,
    random: u64,
    /// Packets by how many milliseconds they waited in the queue.
    waits: Vec<u64>,
}

impl Simulation {
    pub(crate) fn new(path: Path, seed: u64) -> Self {
        Self {
            start: Instant::now(),
            now: 0,
            path,
            flows: Vec::new(),
            clear_at: 0,
            arrivals: VecDeque::new(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            waits: vec![0; 4_096],
        }
    }

    /// Adds a sender that has always something to send, from now on.
    pub(crate) fn add(&mut self, control: Box<dyn Control>, packet_bytes: usize) {
        self.flows.push(Flow {
            control,
            packet_bytes,
            delivered: 0,
            sent: 0,
            timeouts: 0,
            longest_stall: 0,
            sampler: Sampler::new(),
            rtt: Rtt::new(),
            pacer: Pacer::new(),
            in_flight: 0,
            outstanding: VecDeque::new(),
            next_number: 0,
            wake_at: self.now,
            heard_at: self.now,
            backoff: 0,
            untold: Vec::new(),
            tells_at: NEVER,
            sacks: VecDeque::new(),
        });
    }

    /// Lets time pass; answers with the share of the line that each sender filled meanwhile.
    pub(crate) fn run(&mut self, time: Duration) -> Vec<f64> {
        let before: Vec<u64> = self.flows.iter().map(|flow| flow.delivered).collect();
        let end = self.now + nanoseconds(time);
        while let Some(at) = self.next_event().filter(|at| *at < end) {
            self.now = self.now.max(at);
            self.arrive();
            for index in 0..self.flows.len() {
                self.serve(index);
            }
        }
        self.now = end;
        let capacity = self.path.rate as f64 * time.as_secs_f64();
        let share = |(flow, before): (&Flow, &u64)| (flow.delivered - before) as f64 / capacity;
        self.flows.iter().zip(&before).map(share).collect()
    }

    /// How long the given share of the packets waited at most in the queue, in milliseconds, since the last call.
    pub(crate) fn waits(&mut self, shares: [f64; 2]) -> [usize; 2] {
        let waits = std::mem::replace(&mut self.waits, vec![0; 4_096]);
        let total: u64 = waits.iter().sum();
        shares.map(|share| {
            let mut left = (total as f64 * share) as u64;
            waits
                .iter()
                .take_while(|count| {
                    let more = **count <= left;
                    left = left.saturating_sub(**count);
                    more
                })
                .count()
        })
    }

    fn next_event(&self) -> Option<u64> {
        let arrival = self.arrivals.front().map(|(at, ..)| *at);
        let others = self.flows.iter().map(|flow| {
            let sack = flow.sacks.front().map_or(NEVER, |(at, _)| *at);
            sack.min(flow.wake_at).min(flow.tells_at).min(flow.timeout_at())
        });
        arrival.into_iter().chain(others).min().filter(|at| *at != NEVER)
    }

    fn chance(&mut self, probability: f64) -> bool {
        (self.random() as f64) < probability * (1_u64 << 53) as f64
    }

    /// 53 random bits: xorshift* (Vigna 2016), repeatable, and random enough for losses.
    fn random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn arrive(&mut self) {
        while let Some((_, index, number)) = pop_if(&mut self.arrivals, |(at, ..)| *at <= self.now) {
            let flow = &mut self.flows[index];
            flow.untold.push(number);
            if flow.tells_at == NEVER {
                flow.tells_at = self.now + nanoseconds(self.path.sack_every);
            }
        }
    }

    fn serve(&mut self, index: usize) {
        let now = self.now;
        if self.flows[index].tells_at <= now {
            self.flows[index].tells_at = NEVER;
            if !self.chance(self.path.loss) {
                let told = std::mem::take(&mut self.flows[index].untold);
                let at = now + nanoseconds(self.path.round_trip / 2);
                self.flows[index].sacks.push_back((at, told));
            }
        }
        let mut is_due = self.flows[index].wake_at <= now;
        while let Some((_, told)) = pop_if(&mut self.flows[index].sacks, |(at, _)| *at <= now) {
            let instant = self.start + Duration::from_nanos(now);
            self.flows[index].take_sack(now, instant, &told);
            is_due = true;
        }
        if self.flows[index].timeout_at() <= now {
            let instant = self.start + Duration::from_nanos(now);
            self.flows[index].time_out(now, instant);
            is_due = true;
        }
        if is_due {
            self.send(index);
        }
    }

    fn send(&mut self, index: usize) {
        let instant = self.start + Duration::from_nanos(self.now);
        self.flows[index].wake_at = NEVER;
        loop {
            let flow = &mut self.flows[index];
            let bytes = flow.packet_bytes;
            if flow.in_flight + bytes > flow.control.window() {
                return;
            }
            if let Err(at) = flow.pacer.ready(instant, flow.control.pacing_rate(), bytes) {
                let at = nanoseconds(at.saturating_duration_since(self.start));
                flow.wake_at = at.next_multiple_of(TIMER_TICK).max(self.now + 1);
                return;
            }
            if flow.in_flight == 0 {
                flow.heard_at = self.now;
            }
            flow.control.on_sent(instant, bytes, flow.in_flight);
            let stamp = flow.sampler.on_sent(instant, bytes, flow.in_flight);
            flow.pacer.on_sent(bytes);
            flow.in_flight += bytes;
            flow.sent += bytes as u64;
            let number = flow.next_number;
            flow.next_number += 1;
            flow.outstanding.push_back(Outstanding { number, arrived: false, stamp });
            self.carry(index, number, bytes as u64);
        }
    }

    /// The line: a packet is lost, dropped, or arrives.
    fn carry(&mut self, index: usize, number: u64, bytes: u64) {
        if self.chance(self.path.loss) {
            return;
        }
        let wait = self.clear_at.saturating_sub(self.now);
        let queued = u128::from(wait) * u128::from(self.path.rate) / 1_000_000_000;
        if queued as u64 + bytes > self.path.queue_bytes.max(bytes) {
            return;
        }
        let bucket = (wait / 1_000_000).min(4_095) as usize;
        self.waits[bucket] += 1;
        self.clear_at = self.now.max(self.clear_at) + bytes * 1_000_000_000 / self.path.rate;
        let late = self.random() % nanoseconds(self.path.jitter).max(1);
        let earliest = self.arrivals.back().map_or(0, |(at, ..)| *at);
        let at = (self.clear_at + nanoseconds(self.path.round_trip / 2) + late).max(earliest);
        self.arrivals.push_back((at, index, number));
    }
}

impl Flow {
    fn timeout_at(&self) -> u64 {
        if self.in_flight == 0 { NEVER } else { self.heard_at + nanoseconds(self.rtt.timeout(self.backoff)) }
    }

    fn time_out(&mut self, now: u64, instant: Instant) {
        self.timeouts += 1;
        self.backoff += 1;
        self.longest_stall = self.longest_stall.max(now - self.heard_at);
        self.heard_at = now;
        for _ in self.outstanding.drain(..).filter(|packet| !packet.arrived) {
            self.sampler.on_lost(self.packet_bytes);
        }
        self.in_flight = 0;
        self.control.on_timeout(instant);
    }

    fn take_sack(&mut self, now: u64, instant: Instant, told: &[u64]) {
        let Some(first) = self.outstanding.front().map(|packet| packet.number) else { return };
        let (mut delivered, mut lost, mut rtt) = (0, 0, None);
        for number in told {
            let Some(offset) = number.checked_sub(first) else { continue };
            let Some(packet) = self.outstanding.get_mut(offset as usize) else { continue };
            if std::mem::replace(&mut packet.arrived, true) {
                continue;
            }
            delivered += self.packet_bytes;
            rtt = Some(instant.saturating_duration_since(packet.stamp.sent_at));
            self.sampler.on_delivered(instant, self.packet_bytes, &packet.stamp);
        }
        let newest = told.last().copied().unwrap_or(0);
        while let Some(packet) = pop_if(&mut self.outstanding, |packet| {
            packet.arrived || packet.number + REORDERING_PACKETS <= newest
        }) {
            if !packet.arrived {
                lost += self.packet_bytes;
                self.sampler.on_lost(self.packet_bytes);
            }
        }
        if delivered == 0 {
            return;
        }
        self.in_flight -= delivered + lost;
        self.delivered += delivered as u64;
        self.longest_stall = self.longest_stall.max(now - self.heard_at);
        (self.heard_at, self.backoff) = (now, 0);
        if let Some(rtt) = rtt {
            self.rtt.update(instant, rtt);
        }
        self.control.on_acked(&Acked {
            now: instant,
            delivered,
            lost,
            in_flight: self.in_flight,
            rtt,
            rate: self.sampler.sample(instant, self.rtt.minimum()),
        });
    }
}

fn pop_if<T>(queue: &mut VecDeque<T>, is_due: impl Fn(&T) -> bool) -> Option<T> {
    if queue.front().is_some_and(is_due) { queue.pop_front() } else { None }
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}

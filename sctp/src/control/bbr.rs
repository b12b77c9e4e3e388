//! Congestion control by a model of the path: BBR version 3 (draft-ietf-ccwg-bbr) with departures.
//!
//! Kept of the draft: the model (greatest delivery rate of two probing cycles, least round trip, aggregation of SACKs), the
//! phases and their gains, windows of twice what the path holds. The departures, measured in `simulation`:
//!
//! - *Loss alone is no congestion.* The draft gives way above 2 % loss, so that a radio line with 3 % goes slower and slower. Here
//!   losses count where a queue is seen with them, or while probing for more, and only if they are more than usual.
//! - *Sharing.* Where a queue stands that is not ours, the window follows cubic's curve (`share`) instead of the draft's
//!   `inflight_hi` and `inflight_lo`. A simple form of such bounds left a cubic flow 17 to 30 % of a line with a queue of one
//!   bandwidth-delay product; with the curve it gets 46 to 59 %. Where the queue holds half as much it still gets only
//!   13 to 20 %: that queue vanishes with each cut, and so does its sign.
//! - *Startup and probes end at a queue*, not at its overflow (`filling`): a second of queue is never filled.
//! - *A probe that finds much more becomes Startup again*, so that a line that got five times faster is full again in 3 s.
//! - *The least round trip counts as seen again when something near it is seen*, so that a path of our own need not be emptied
//!   for it every few seconds.
//! - *Paths shorter than timers* have a window and no pace (`fast`).

mod fast;
mod filling;
mod model;
mod phases;
mod share;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::control::bbr::fast::FastPath;
use crate::control::bbr::model::{Model, News, bytes_in};
use crate::control::bbr::phases::{Cycle, STARTUP_GAIN};
use crate::control::{Acked, Control};

/// The initial window in packets, for as long as no round trip was measured (RFC 6928).
const INITIAL_PACKETS: usize = 10;

/// The same from then on, at most: a packet a millisecond of the round trip. RFC 6928 bounds a burst, and these are spread over the
/// round trip. 32 is what Chromium's QUIC begins with. Over 200 ms it is 1.5 Mbit/s, and saves 1.7 round trips of Startup.
const SPREAD_PACKETS: usize = 32;

/// The least window in packets (BBR draft): so that SACKs go on even when the receiver waits for a second packet.
const LEAST_PACKETS: usize = 4;

/// The round trip that the first pace supposes, before one is measured (BBR draft).
const SUPPOSED_RTT: Duration = Duration::from_millis(1);

/// Below this round trip the window alone counts, above the other one the model; between them what was goes on.
const FAST_BELOW: Duration = Duration::from_micros(2_500);
const FAST_UNTIL: Duration = Duration::from_millis(4);

/// The share of the bandwidth that is asked for, so that a queue drains (BBR draft).
const PACING_MARGIN: f64 = 0.99;

/// What a wake-up of the pacer lets go (`pacer.rs`) has to fit into the window once for each that collects: pacer, path,
/// receiver (BBR draft).
const QUANTUM: Duration = Duration::from_millis(1);
const QUANTA: u64 = 3;

/// The controller.
#[derive(Debug)]
pub(crate) struct Bbr {
    packet_bytes: usize,
    model: Model,
    cycle: Cycle,
    window: usize,
    /// Bytes per second.
    pacing_rate: u64,
    fast: FastPath,
    is_fast: bool,
    /// Startup was in a hurry: its window is more than it needs when that ends.
    has_hurried: bool,
    /// The window before the last timeout.
    before_timeout: Option<usize>,
    /// The window was used up in this round, and in the one before.
    is_full: bool,
    was_full: bool,
}

impl Bbr {
    pub(crate) fn new(packet_bytes: usize) -> Self {
        let mut controller = Self {
            packet_bytes,
            model: Model::new(),
            cycle: Cycle::new(),
            window: INITIAL_PACKETS * packet_bytes,
            pacing_rate: 0,
            fast: FastPath::new(),
            is_fast: false,
            has_hurried: false,
            before_timeout: None,
            is_full: false,
            was_full: false,
        };
        controller.set_pacing_rate();
        controller
    }

    /// The window before the bandwidth is known, in packets.
    fn first_packets(&self) -> usize {
        let milliseconds = self.model.min_rtt.map_or(0, |rtt| rtt.as_millis() as usize);
        milliseconds.clamp(INITIAL_PACKETS, SPREAD_PACKETS)
    }

    /// The first round trip is known: the window may be what is spread over it.
    fn widen(&mut self) {
        self.window = self.window.max(self.first_packets() * self.packet_bytes);
        self.set_pacing_rate();
    }

    fn set_pacing_rate(&mut self) {
        let gain = self.cycle.pacing_gain(&self.model);
        let mut rate = self.model.bandwidth() as f64 * gain;
        if !self.cycle.is_bandwidth_known() {
            // Until the bandwidth is known a low sample is no reason to be slower than at first.
            let rtt = self.model.min_rtt.unwrap_or(SUPPOSED_RTT).max(SUPPOSED_RTT);
            let first = (self.first_packets() * self.packet_bytes) as f64;
            rate = rate.max(first / rtt.as_secs_f64() * STARTUP_GAIN.min(gain));
        }
        self.pacing_rate = (rate * PACING_MARGIN) as u64;
    }

    fn set_window(&mut self, now: Instant, delivered: usize) {
        let least = LEAST_PACKETS * self.packet_bytes;
        let Some(bandwidth_delay) = self.model.bandwidth_delay() else {
            self.window += delivered;
            return;
        };
        let quanta = bytes_in(self.pacing_rate, QUANTUM).max(2 * self.packet_bytes as u64) * QUANTA;
        let slack = self.model.extra_acked() + quanta;
        let target = (bandwidth_delay as f64 * self.cycle.window_gain(&self.model)) as u64 + slack;
        let target = target.min(self.cycle.bound(now, &self.model, self.packet_bytes));
        let target = target as usize;
        self.window = if self.cycle.is_bandwidth_known() {
            (self.window + delivered).min(target)
        } else if self.cycle.hurries(&self.model) {
            self.has_hurried = true;
            self.window.max((self.window + 2 * delivered).min(target))
        } else if std::mem::take(&mut self.has_hurried) {
            self.window.min(target.max(self.first_packets() * self.packet_bytes))
        } else if self.window < target {
            self.window + delivered
        } else {
            self.window
        };
        self.window = self.window.max(least);
    }
}

impl Control for Bbr {
    fn on_sent(&mut self, _: Instant, bytes: usize, in_flight: usize) {
        if in_flight + bytes + self.packet_bytes > self.window() {
            self.is_full = true;
        }
    }

    fn on_set_up(&mut self, now: Instant, round_trip: Duration) {
        if self.model.min_rtt.is_none() {
            self.model.update_round_trip(now, round_trip);
            self.widen();
        }
    }

    fn on_acked(&mut self, acked: &Acked) {
        let was_measured = self.model.min_rtt.is_some();
        let begins_round = self.model.update(acked);
        if !was_measured && self.model.min_rtt.is_some() {
            self.widen();
        }
        let fast_below = if self.is_fast { FAST_UNTIL } else { FAST_BELOW };
        self.is_fast = self.model.min_rtt.is_some_and(|rtt| rtt < fast_below);
        if self.is_fast {
            self.model.settle_for_round_trip(acked.now, FAST_UNTIL);
        }
        if let Some(rtt) = acked.rtt.filter(|_| self.is_fast) {
            self.fast.on_round_trip(rtt, &self.model, self.packet_bytes);
        }
        self.fast.on_delivered(acked.delivered, self.is_full || self.was_full);
        if begins_round {
            self.was_full = std::mem::take(&mut self.is_full);
            self.fast.on_round(&self.model, self.packet_bytes);
        }
        let in_flight = acked.in_flight as u64;
        let news = News {
            now: acked.now,
            rtt: acked.rtt,
            in_flight,
            used: acked.rate.map_or(in_flight, |rate| rate.in_flight_when_sent as u64),
            begins_round,
            app_limited: acked.rate.is_none_or(|rate| rate.app_limited),
            first_bytes: (self.first_packets() * self.packet_bytes) as u64,
            packet_bytes: self.packet_bytes,
        };
        self.cycle.advance(&mut self.model, &news);
        self.set_pacing_rate();
        self.set_window(acked.now, acked.delivered);
    }

    fn on_timeout(&mut self, _: Instant) {
        self.before_timeout = Some(self.before_timeout.unwrap_or(0).max(self.window));
        self.window = LEAST_PACKETS * self.packet_bytes;
        self.cycle.on_timeout();
        self.fast.on_timeout(self.packet_bytes);
    }

    fn on_spurious_timeout(&mut self, _: Instant) {
        if let Some(window) = self.before_timeout.take() {
            self.window = self.window.max(window);
            self.fast.restore();
        }
    }

    fn set_packet_size(&mut self, packet_bytes: usize) {
        self.packet_bytes = packet_bytes;
        self.window = self.window.max(LEAST_PACKETS * packet_bytes);
    }

    fn window(&self) -> usize {
        if self.is_fast {
            if self.cycle.probes_round_trip() {
                return LEAST_PACKETS * self.packet_bytes;
            }
            return self.fast.window(self.packet_bytes);
        }
        self.window
    }

    fn pacing_rate(&self) -> Option<u64> {
        (!self.is_fast).then_some(self.pacing_rate)
    }
}

//! Congestion control by a model of the path (draft-ietf-ccwg-bbr, version 3 of BBR), with departures.
//!
//! Kept of the draft: the model (greatest delivery rate of two cycles, least round trip, aggregation of SACKs), the phases, the gains.
mod fast;
mod model;
mod phases;

use std::time::{Duration, Instant};

use crate::control::bbr::fast::FastPath;
use crate::control::bbr::model::{Model, bytes_in};
use crate::control::bbr::phases::Cycle;
use crate::control::{Acked, Control};

/// The initial window in packets (RFC 6928).
const INITIAL_PACKETS: usize = 10;

/// The least window in packets (draft §2.7): so that SACKs go on even when the receiver waits for a second packet.
const LEAST_PACKETS: usize = 4;

/// The round trip that the first pace supposes, before one is measured (draft §5.6.2).
const SUPPOSED_RTT: Duration = Duration::from_millis(1);

/// Below this round trip the window alone counts, above the other one the model; between them what was goes on.
const FAST_BELOW: Duration = Duration::from_micros(2_500);
const FAST_UNTIL: Duration = Duration::from_millis(4);

/// The share of the bandwidth that is asked for, so that a queue drains (draft §5.6.2).
const PACING_MARGIN: f64 = 0.99;

/// What a wake-up of the pacer lets go (`pacer.rs`) has to fit into the window once for each that collects: pacer, path,
/// receiver (draft §5.6.4.2).
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
            before_timeout: None,
            is_full: false,
            was_full: false,
        };
        controller.set_pacing_rate();
        controller
    }

    fn set_pacing_rate(&mut self) {
        let bandwidth = self.model.bandwidth();
        let gain = self.cycle.pacing_gain(&self.model);
        if bandwidth == 0 {
            let rtt = self.model.min_rtt.unwrap_or(SUPPOSED_RTT).max(SUPPOSED_RTT);
            let initial = (INITIAL_PACKETS * self.packet_bytes) as f64;
            self.pacing_rate = (initial / rtt.as_secs_f64() * gain) as u64;
            return;
        }
        let rate = (bandwidth as f64 * gain * PACING_MARGIN) as u64;
        // Until the bandwidth is known a low sample is no reason to slow down.
        if self.cycle.is_bandwidth_known() || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
    }

    fn set_window(&mut self, delivered: usize) {
        let least = LEAST_PACKETS * self.packet_bytes;
        let Some(bandwidth_delay) = self.model.bandwidth_delay() else {
            self.window += delivered;
            return;
        };
        let quanta = bytes_in(self.pacing_rate, QUANTUM).max(2 * self.packet_bytes as u64) * QUANTA;
        let target =
            (bandwidth_delay as f64 * self.cycle.window_gain()) as u64 + self.model.extra_acked() + quanta;
        let target = target.min(self.cycle.bound(bandwidth_delay + self.model.extra_acked() + quanta));
        let target = target as usize;
        self.window = if self.cycle.is_bandwidth_known() {
            (self.window + delivered).min(target)
        } else if self.window < target {
            self.window + delivered
        } else {
            self.window
        };
        self.window = self.window.max(least);
    }
}

impl Control for Bbr {
    fn on_sent(&mut self, now: Instant, bytes: usize, in_flight: usize) {
        if in_flight + bytes + self.packet_bytes > self.window() {
            self.is_full = true;
        }
        if in_flight == 0 {
            self.cycle.on_restart(now);
        }
    }

    fn on_acked(&mut self, acked: &Acked) {
        let begins_round = self.model.update(acked);
        if begins_round {
            self.was_full = std::mem::take(&mut self.is_full);
        }
        self.is_fast =
            self.model.min_rtt.is_some_and(|rtt| rtt < if self.is_fast { FAST_UNTIL } else { FAST_BELOW });
        self.cycle.advance(&mut self.model, acked, begins_round);
        self.fast.on_acked(acked, self.model.rounds, self.was_full || self.is_full);
        self.set_pacing_rate();
        self.set_window(acked.delivered);
    }

    fn on_timeout(&mut self, _: Instant) {
        self.before_timeout = Some(self.before_timeout.unwrap_or(0).max(self.window));
        self.window = LEAST_PACKETS * self.packet_bytes;
        self.fast.on_timeout();
    }

    fn on_spurious_timeout(&mut self, _: Instant) {
        if let Some(window) = self.before_timeout.take() {
            self.window = self.window.max(window);
        }
    }

    fn set_packet_size(&mut self, packet_bytes: usize) {
        self.packet_bytes = packet_bytes;
        self.window = self.window.max(LEAST_PACKETS * packet_bytes);
    }

    fn window(&self) -> usize {
        if self.is_fast {
            let floor = self.model.bandwidth_delay().unwrap_or(0) as usize;
            return self.fast.window(self.packet_bytes).max(floor + floor / 4);
        }
        self.window
    }

    fn pacing_rate(&self) -> Option<u64> {
        (!self.is_fast).then_some(self.pacing_rate)
    }
}

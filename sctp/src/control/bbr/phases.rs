//! The phases: filling the path, then probing it in cycles for more bandwidth and for its least round trip.

use std::time::{Duration, Instant};

use crate::control::Acked;
use crate::control::bbr::model::{MIN_RTT_WINDOW, Model};

/// Gains of the draft: Startup doubles the rate each round trip with the least overshoot that does (§2.4), Drain undoes it.
const STARTUP_GAIN: f64 = 2.77;
const DRAIN_GAIN: f64 = 0.35;
const DOWN_GAIN: f64 = 0.9;
const UP_GAIN: f64 = 1.25;

/// Startup ends after so many rounds in which the bandwidth did not grow by a quarter (draft §5.3.1.2).
const FULL_ROUNDS: u32 = 3;
const FULL_GROWTH: f64 = 1.25;

/// Startup ends after so many rounds that end in a queue: the second one has measured what the full path carries.
const QUEUED_ROUNDS: u32 = 2;

/// A share of losses that is taken for congestion where something else points to it (draft §2.7).
const LOSS_THRESHOLD: f64 = 0.02;

/// How much is left of what was in flight when a loss is taken for congestion (draft §2.7; RFC 9438 §4.6).
const CUT: f64 = 0.7;

/// The share of the known bound that is used while not probing: others find room there (draft §2.7).
const HEADROOM: f64 = 0.85;

/// Time between probes (draft §5.3.3.5): long enough for a competing cubic flow to recover.
const PROBE_WAIT: Duration = Duration::from_millis(2_000);
const PROBE_WAIT_SPREAD_MS: u64 = 1_000;

/// How long the path is left nearly empty to find its least round trip (draft §2.13).
const PROBE_RTT_TIME: Duration = Duration::from_millis(200);
const PROBE_RTT_WINDOW_GAIN: f64 = 0.5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Doubling each round trip until the path is full.
    Startup,
    /// Letting the queue of Startup run off.
    Drain,
    /// Below the bandwidth: the queue of a probe runs off.
    Down,
    /// At the bandwidth.
    Cruise,
    /// At the bandwidth with all bounds of the last cycle lifted, for a round trip.
    Refill,
    /// Above the bandwidth: is there more?
    Up,
    /// Half of the path, to see its least round trip.
    ProbeRtt,
}

/// Where in its cycle the controller is.
#[derive(Debug)]
pub(super) struct Cycle {
    phase: Phase,
    began: Option<Instant>,
    began_round: u64,
    is_bandwidth_known: bool,
    full_bandwidth: u64,
    full_rounds: u32,
    queued_rounds: u32,
    probed_at: Option<Instant>,
    probed_round: u64,
    probe_wait: Duration,
    probe_rtt_least: Option<Duration>,
    /// Bytes that the path was seen to hold and no more, if it was (`inflight_hi` of the draft, `inflight_lo`).
    ceiling: Option<u64>,
    passing_ceiling: Option<u64>,
}

impl Cycle {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Startup,
            began: None,
            began_round: 0,
            is_bandwidth_known: false,
            full_bandwidth: 0,
            full_rounds: 0,
            queued_rounds: 0,
            probed_at: None,
            probed_round: 0,
            probe_wait: PROBE_WAIT,
            probe_rtt_least: None,
            ceiling: None,
            passing_ceiling: None,
        }
    }

    pub(super) fn is_bandwidth_known(&self) -> bool {
        self.is_bandwidth_known
    }

    pub(super) fn pacing_gain(&self, model: &Model) -> f64 {
        match self.phase {
            Phase::Startup => STARTUP_GAIN,
            Phase::Drain => DRAIN_GAIN,
            Phase::Down => DOWN_GAIN,
            Phase::Cruise | Phase::Refill | Phase::ProbeRtt => 1.0,
            Phase::Up => UP_GAIN / (1.0 - model.random_loss.min(0.25)),
        }
    }

    pub(super) fn window_gain(&self) -> f64 {
        match self.phase {
            Phase::Startup | Phase::Drain | Phase::Down | Phase::Cruise | Phase::Refill => 2.0,
            Phase::Up => 2.25,
            Phase::ProbeRtt => PROBE_RTT_WINDOW_GAIN,
        }
    }

    /// Most bytes that may be on the way by what was lost before; at least `floor`.
    pub(super) fn bound(&self, floor: u64) -> u64 {
        let ceiling = self.ceiling.map_or(u64::MAX, |ceiling| match self.phase {
            Phase::Cruise | Phase::Down => (ceiling as f64 * HEADROOM) as u64,
            _ => ceiling,
        });
        ceiling.min(self.passing_ceiling.unwrap_or(u64::MAX)).max(floor)
    }

    /// Sending begins again after nothing was on the way.
    pub(super) fn on_restart(&mut self, _now: Instant) {}

    pub(super) fn advance(&mut self, model: &mut Model, acked: &Acked, begins_round: bool) {
        let now = acked.now;
        let began = *self.began.get_or_insert(now);
        let elapsed = now.saturating_duration_since(began);
        let min_rtt = model.min_rtt.unwrap_or(Duration::ZERO);
        let rounds = model.rounds - self.began_round;
        let in_flight = acked.in_flight as u64;
        let is_queued = model.shows_queue(model.last.least_rtt);
        if begins_round {
            self.answer_losses(model, acked, is_queued);
        }
        match self.phase {
            Phase::Startup => {
                if begins_round && self.is_full(model, acked, is_queued) {
                    self.is_bandwidth_known = true;
                    self.enter(Phase::Drain, model, now);
                }
            }
            Phase::Drain => {
                if model.bandwidth_delay().is_none_or(|bytes| in_flight <= bytes) {
                    self.enter_down(model, now);
                }
            }
            Phase::Down => {
                let is_drained = model.bandwidth_delay().is_none_or(|bytes| in_flight <= bytes);
                if is_drained || rounds > 3 {
                    self.enter(Phase::Cruise, model, now);
                }
            }
            Phase::Cruise => {
                let since = now.saturating_duration_since(self.probed_at.unwrap_or(now));
                if since > self.probe_wait {
                    self.passing_ceiling = None;
                    self.enter(Phase::Refill, model, now);
                }
            }
            Phase::Refill => {
                if begins_round && rounds >= 1 {
                    self.enter(Phase::Up, model, now);
                }
            }
            Phase::Up => {
                let is_above = model.bandwidth_delay().is_some_and(|bytes| {
                    in_flight as f64 > UP_GAIN * bytes as f64 + model.extra_acked() as f64
                });
                if (elapsed > min_rtt && is_above) || (begins_round && rounds >= 1 && is_queued) || rounds > 6
                {
                    self.enter_down(model, now);
                }
            }
            Phase::ProbeRtt => {
                if let Some(rtt) = acked.rtt
                    && rounds >= 1
                {
                    self.probe_rtt_least = Some(self.probe_rtt_least.map_or(rtt, |least| least.min(rtt)));
                }
                if elapsed > PROBE_RTT_TIME && rounds >= 2 {
                    if let Some(rtt) = self.probe_rtt_least {
                        model.replace_min_rtt(now, rtt);
                    }
                    self.enter_down(model, now);
                }
            }
        }
        let is_stale = model.min_rtt_at.is_some_and(|at| now.saturating_duration_since(at) > MIN_RTT_WINDOW);
        if is_stale && self.is_bandwidth_known && self.phase != Phase::ProbeRtt {
            self.probe_rtt_least = None;
            self.enter(Phase::ProbeRtt, model, now);
        }
    }

    /// Whether Startup has filled the path.
    fn is_full(&mut self, model: &Model, acked: &Acked, is_queued: bool) -> bool {
        if acked.rate.is_none_or(|rate| rate.app_limited) {
            return false;
        }
        if is_queued {
            self.queued_rounds += 1;
        }
        let has_grown = model.bandwidth() as f64 >= self.full_bandwidth as f64 * FULL_GROWTH;
        if has_grown {
            self.full_bandwidth = model.bandwidth();
            self.full_rounds = 0;
        } else {
            self.full_rounds += 1;
        }
        self.full_rounds >= FULL_ROUNDS || self.queued_rounds >= QUEUED_ROUNDS
    }

    fn answer_losses(&mut self, model: &mut Model, acked: &Acked, is_queued: bool) {
        let loss = model.last.loss_rate();
        let in_flight = acked.rate.map_or(0, |rate| rate.in_flight_when_sent as u64);
        match self.phase {
            Phase::Startup | Phase::Drain | Phase::ProbeRtt => {}
            Phase::Up | Phase::Down | Phase::Refill | Phase::Cruise => {
                if is_queued && model.last.lost > 0 && loss > 0.5 * model.random_loss {
                    let before = self.passing_ceiling.unwrap_or(in_flight);
                    self.passing_ceiling =
                        Some(((before as f64 * CUT) as u64).max(model.last.delivered * 7 / 10));
                    if self.phase == Phase::Up {
                        self.enter_down(model, acked.now);
                    }
                } else if !is_queued {
                    model.learn_random_loss();
                }
            }
        }
    }

    fn enter_down(&mut self, model: &mut Model, now: Instant) {
        if self.phase == Phase::Up {
            model.advance_cycle();
        }
        self.probed_at = Some(now);
        self.probed_round = model.rounds;
        let spread = model.rounds.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.probe_wait = PROBE_WAIT + Duration::from_millis(spread % PROBE_WAIT_SPREAD_MS);
        self.enter(Phase::Down, model, now);
    }

    fn enter(&mut self, phase: Phase, model: &Model, now: Instant) {
        self.phase = phase;
        self.began = Some(now);
        self.began_round = model.rounds;
    }
}

//! What is known of the path: bandwidth, round trip, aggregation of SACKs, and what a round trip brought.

use std::time::{Duration, Instant};

use crate::control::Acked;
use crate::control::filter::Windowed;

/// How long a least round trip counts before it is looked for anew, by sending little for a moment.
///
/// The BBR draft looks every 5 s and forgets after 10. Here a round trip that comes near the least one counts as
/// seen again (see [`Model::update_round_trip`]), so that a path that is ours alone is hardly ever interrupted.
pub(super) const MIN_RTT_WINDOW: Duration = Duration::from_secs(10);

/// How many rounds the greatest aggregation of SACKs counts (BBR draft).
const AGGREGATION_ROUNDS: u64 = 10;

/// An aggregate is never taken for more than what arrives in this time: a pause of the peer is not aggregation.
const LONGEST_AGGREGATE: Duration = Duration::from_millis(100);

/// A queue is seen when the least round trip of a round lies above the least at all by an eighth of it, within these bounds
/// (HyStart++, RFC 9406 §4.2: the lower keeps noise out, the upper keeps a long path from filling a long queue).
const LEAST_QUEUE: Duration = Duration::from_millis(4);
const MOST_QUEUE: Duration = Duration::from_millis(16);

/// Two ticks of the timers.
const LEAST_WAIT: Duration = Duration::from_millis(2);

/// Losses of a round that are still taken for chance, in standard deviations (of a Poisson count) above the usual.
const LOSS_DEVIATIONS: f64 = 3.0;

/// Over so many rounds losses are averaged: a queue that overflows once in a hundred rounds hardly shows, losses by chance do.
const LOSS_ROUNDS: f64 = 64.0;

/// The path as it was seen.
#[derive(Debug)]
pub(super) struct Model {
    /// The greatest delivery rate, in bytes per second, of this probing cycle and of the one before (BBR draft).
    bandwidth: [u64; 2],
    pub(super) min_rtt: Option<Duration>,
    /// When the least round trip was last seen.
    pub(super) min_rtt_at: Option<Instant>,
    extra_acked: Windowed<u64>,
    aggregate: Option<Aggregate>,
    pub(super) rounds: u64,
    next_round_delivered: u64,
    current: Round,
    /// The round that ended last.
    pub(super) last: Round,
    /// Bytes sent and lost in the last rounds, older ones counting less.
    sent_lately: f64,
    lost_lately: f64,
}

/// What a SACK brought, for the phases.
#[derive(Debug, Clone, Copy)]
pub(super) struct News {
    pub(super) now: Instant,
    pub(super) rtt: Option<Duration>,
    /// Bytes on the way now, and when what it acknowledges was sent.
    pub(super) in_flight: u64,
    pub(super) used: u64,
    pub(super) begins_round: bool,
    pub(super) app_limited: bool,
    /// The window before the bandwidth is known, in bytes.
    pub(super) first_bytes: u64,
    pub(super) packet_bytes: usize,
}

/// What is acknowledged faster than the bandwidth says, since it began to be.
#[derive(Debug, Clone, Copy)]
struct Aggregate {
    began: Instant,
    bytes: u64,
}

/// What one round trip brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Round {
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) least_rtt: Option<Duration>,
}

impl Round {
    pub(super) fn loss_rate(&self) -> f64 {
        self.lost as f64 / (self.lost + self.delivered).max(1) as f64
    }
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            bandwidth: [0; 2],
            min_rtt: None,
            min_rtt_at: None,
            extra_acked: Windowed::new(),
            aggregate: None,
            rounds: 0,
            next_round_delivered: 0,
            current: Round::default(),
            last: Round::default(),
            sent_lately: 0.0,
            lost_lately: 0.0,
        }
    }

    /// Takes a SACK in; whether it begins a round.
    pub(super) fn update(&mut self, acked: &Acked) -> bool {
        self.current.delivered += acked.delivered as u64;
        self.current.lost += acked.lost as u64;
        if let Some(rtt) = acked.rtt {
            self.update_round_trip(acked.now, rtt);
        }
        let mut begins_round = false;
        if let Some(rate) = acked.rate {
            if rate.prior_delivered >= self.next_round_delivered {
                self.next_round_delivered = rate.delivered;
                self.rounds += 1;
                self.last = std::mem::take(&mut self.current);
                begins_round = true;
            }
            if !rate.app_limited || rate.delivery_rate > self.bandwidth() {
                self.bandwidth[0] = self.bandwidth[0].max(rate.delivery_rate);
            }
        }
        self.update_aggregation(acked);
        begins_round
    }

    pub(super) fn update_round_trip(&mut self, now: Instant, rtt: Duration) {
        self.current.least_rtt = Some(self.current.least_rtt.map_or(rtt, |least| least.min(rtt)));
        let least = self.min_rtt.map_or(rtt, |least| least.min(rtt));
        // As near as timers of a millisecond can tell it is the same.
        if rtt <= least + least / 32 + Duration::from_micros(500) {
            self.min_rtt_at = Some(now);
        }
        self.min_rtt = Some(least);
    }

    /// Takes the least round trip of the last round for that of the path where the old one was not seen for long, if it is
    /// below `enough`: it is not worth a pause to know better.
    pub(super) fn settle_for_round_trip(&mut self, now: Instant, enough: Duration) {
        let is_stale = self.min_rtt_at.is_some_and(|at| now.saturating_duration_since(at) > MIN_RTT_WINDOW);
        if let Some(rtt) = self.last.least_rtt.filter(|rtt| is_stale && *rtt < enough) {
            self.replace_min_rtt(now, rtt);
        }
    }

    /// The least round trip was looked for, and this is it now.
    pub(super) fn replace_min_rtt(&mut self, now: Instant, rtt: Duration) {
        self.min_rtt = Some(rtt);
        self.min_rtt_at = Some(now);
    }

    fn update_aggregation(&mut self, acked: &Acked) {
        let bandwidth = self.bandwidth();
        let usual = |began| bytes_in(bandwidth, acked.now.saturating_duration_since(began));
        let mut aggregate = self
            .aggregate
            .filter(|aggregate| usual(aggregate.began) < aggregate.bytes)
            .unwrap_or(Aggregate { began: acked.now, bytes: 0 });
        aggregate.bytes += acked.delivered as u64;
        self.aggregate = Some(aggregate);
        let extra = aggregate.bytes.saturating_sub(usual(aggregate.began));
        let extra = extra.min(bytes_in(bandwidth, LONGEST_AGGREGATE));
        self.extra_acked.update(self.rounds, extra, AGGREGATION_ROUNDS);
    }

    /// Bytes per second that the path carries.
    pub(super) fn bandwidth(&self) -> u64 {
        self.bandwidth[0].max(self.bandwidth[1])
    }

    /// A probing cycle ends: what was seen before it is forgotten, if something was seen in it. While the application is slow
    /// nothing is.
    pub(super) fn advance_cycle(&mut self) {
        if self.bandwidth[0] > 0 {
            self.bandwidth = [0, self.bandwidth[0]];
        }
    }

    /// Bytes of the path itself, without any queue; nothing before the first round trip.
    pub(super) fn bandwidth_delay(&self) -> Option<u64> {
        let min_rtt = self.min_rtt?;
        let bandwidth = self.bandwidth();
        (bandwidth > 0).then(|| bytes_in(bandwidth, min_rtt))
    }

    /// The round that is under way, so far.
    pub(super) fn loss_of_this_round(&self) -> Round {
        self.current
    }

    /// Bytes that SACKs come in at once, beyond the bandwidth.
    pub(super) fn extra_acked(&self) -> u64 {
        self.extra_acked.best().unwrap_or(0)
    }

    /// Whether a round trip of this length stood in a queue.
    pub(super) fn shows_queue(&self, rtt: Option<Duration>) -> bool {
        let (Some(rtt), Some(min_rtt)) = (rtt, self.min_rtt) else { return false };
        rtt > min_rtt + (min_rtt / 8).clamp(LEAST_QUEUE, MOST_QUEUE)
    }

    /// Whether the round that ended stood in any queue at all, as far as timers of a millisecond can tell.
    pub(super) fn waits(&self) -> bool {
        let (Some(rtt), Some(min_rtt)) = (self.last.least_rtt, self.min_rtt) else { return false };
        rtt > min_rtt + LEAST_WAIT
    }

    /// Whether the round that ended lost more than usual by more than chance explains.
    pub(super) fn has_unusual_loss(&self, packet_bytes: usize) -> bool {
        let packet = packet_bytes.max(1) as f64;
        let lost = self.last.lost as f64 / packet;
        let expected = (self.last.lost + self.last.delivered) as f64 / packet * self.usual_loss();
        lost > expected + LOSS_DEVIATIONS * expected.sqrt()
    }

    /// Learns from the round that ended what is lost usually.
    pub(super) fn learn_loss(&mut self) {
        let keep = 1.0 - 1.0 / LOSS_ROUNDS;
        self.sent_lately = self.sent_lately * keep + (self.last.delivered + self.last.lost) as f64;
        self.lost_lately = self.lost_lately * keep + self.last.lost as f64;
    }

    /// Time passed: what was learned counts less against what is learned next, and if nothing is, it fades.
    pub(super) fn doubt_loss(&mut self) {
        self.lost_lately *= 0.8;
    }

    /// The share of bytes that the path loses usually.
    pub(super) fn usual_loss(&self) -> f64 {
        self.lost_lately / self.sent_lately.max(1.0)
    }
}

pub(super) fn bytes_in(rate: u64, time: Duration) -> u64 {
    (rate as f64 * time.as_secs_f64()) as u64
}

//! The phases: filling the path, then probing it in cycles for more bandwidth and for its least round trip.
//!
//! ```text
//! Startup -> Drain -> Down -> Cruise -> Refill -> Up -> Down ...      all but Startup: every 10 s unless it showed itself -> ProbeRtt -> Down
//!    ^                          |  ^               |
//!    |    queue of others seen  v  | it is gone    | much more bandwidth
//!    |                        Sharing              |
//!    +---------------------------------------------+
//! ```

use std::time::{Duration, Instant};

use crate::control::bbr::filling::{Filling, HURRY_GAIN, HURRY_WINDOW_GAIN};
use crate::control::bbr::model::{MIN_RTT_WINDOW, Model, News};
use crate::control::bbr::share::Share;

/// Pacing gains of the draft: Startup doubles the rate in each round trip with the least overshoot that does (4 ln 2), Drain
/// undoes its queue, Up asks for a quarter more, Down lets the queue of that run off.
pub(super) const STARTUP_GAIN: f64 = 2.77;
const DRAIN_GAIN: f64 = 0.35;
const UP_GAIN: f64 = 1.25;
const DOWN_GAIN: f64 = 0.9;

/// Window gains of the draft, as multiples of what the path holds: pacing decides how much is on the way, the window
/// bounds it where SACKs are late or lost. Up may fill a little more. Down has 2 in the draft; here its
/// queue goes within a round trip or two, so that what remains is known not to be ours.
const WINDOW_GAIN: f64 = 2.0;
const UP_WINDOW_GAIN: f64 = 2.25;
const DOWN_WINDOW_GAIN: f64 = 1.15;
const PROBE_RTT_WINDOW_GAIN: f64 = 0.5;

/// Losses that are made up for by sending more are at most this share: more is not a line that one fills.
const MOST_COMPENSATED_LOSS: f64 = 0.25;

/// Down ends after so many rounds even if the queue remains: it is not ours then.
const DOWN_ROUNDS: u64 = 3;

/// A probe goes on while each of its rounds raises the bandwidth by this; when it goes on for longer than these rounds there
/// is much more, and Startup finds it faster.
const UP_GROWTH: f64 = 1.1;
const GROWING_ROUNDS: u64 = 2;

/// A probe ends at losses above this share (`BBR.LossThresh` of the draft), unless the line always loses so much.
const LOSS_THRESHOLD: f64 = 0.02;

/// Time between probes, 2 to 3 s as in the draft, so that those who share a line do not probe together.
const PROBE_WAIT: Duration = Duration::from_millis(2_000);
const PROBE_WAIT_SPREAD_MS: u64 = 1_000;

/// How long half of the path is left empty to see its least round trip (`BBR.ProbeRTTDuration` of the draft).
const PROBE_RTT_TIME: Duration = Duration::from_millis(200);
const PROBE_RTT_ROUNDS: u64 = 2;

/// A queue that stands for so many rounds of Cruise, which sends no more than the line takes, is somebody else's too.
const SHARED_ROUNDS: u32 = 2;

/// So many rounds of Cruise tell what Down left; what comes later may be our own.
const ROUNDS_AFTER_DOWN: u64 = 6;

/// So long and so many rounds without a queue, and the line is taken for ours alone. Measured (`simulation::table`): between
/// 0.5 and 2 s it hardly matters to those we share with, and the shorter time makes a mistake cost less.
const CLEAR_ROUNDS: u32 = 4;
const CLEAR_TIME: Duration = Duration::from_millis(500);

/// How often the bandwidth of two cycles ago is forgotten while Sharing, where nothing probes.
const SHARING_CYCLE: Duration = Duration::from_millis(1_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Doubling in each round trip until the path is full.
    Startup,
    /// The queue of Startup runs off.
    Drain,
    /// The queue of a probe runs off.
    Down,
    /// At the bandwidth.
    Cruise,
    /// At the bandwidth for a round trip, so that Up begins with a full path.
    Refill,
    /// Above the bandwidth: is there more?
    Up,
    /// Others keep a queue on the line: along their curve.
    Sharing,
    /// Half of the path, to see its least round trip.
    ProbeRtt,
}

/// Where in its cycle the controller is.
#[derive(Debug)]
pub(super) struct Cycle {
    phase: Phase,
    began: Option<Instant>,
    began_round: u64,
    /// Startup's knowledge; nothing once the path has been filled.
    filling: Option<Filling>,
    /// The bandwidth before this round of Up.
    bandwidth_before: u64,
    /// When the last probe ended, and how long to wait for the next.
    probed_at: Option<Instant>,
    probe_wait: Duration,
    probe_rtt_least: Option<Duration>,
    share: Option<Share>,
    /// When Sharing began or last ended a cycle; when it was left to see whether anybody else is there.
    shared_at: Option<Instant>,
    left_at: Option<Instant>,
    /// Rounds in a row that did, or did not, stand in a queue; when the last one did.
    rounds_queued: u32,
    rounds_clear: u32,
    queued_at: Option<Instant>,
}

impl Cycle {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Startup,
            began: None,
            began_round: 0,
            filling: Some(Filling::new()),
            bandwidth_before: 0,
            probed_at: None,
            probe_wait: PROBE_WAIT,
            probe_rtt_least: None,
            share: None,
            shared_at: None,
            left_at: None,
            rounds_queued: 0,
            rounds_clear: 0,
            queued_at: None,
        }
    }

    pub(super) fn is_bandwidth_known(&self) -> bool {
        self.filling.is_none()
    }

    pub(super) fn probes_round_trip(&self) -> bool {
        self.phase == Phase::ProbeRtt
    }

    pub(super) fn hurries(&self, model: &Model) -> bool {
        self.filling.as_ref().is_some_and(|filling| filling.hurries(model))
    }

    pub(super) fn pacing_gain(&self, model: &Model) -> f64 {
        let loss = model.usual_loss().min(MOST_COMPENSATED_LOSS);
        match self.phase {
            Phase::Startup if self.hurries(model) => HURRY_GAIN,
            Phase::Startup => STARTUP_GAIN,
            Phase::Drain => DRAIN_GAIN,
            Phase::Down => DOWN_GAIN,
            // Only half of the loss is made up for, and not beside the shortest queue: all of it would run away where the
            // loss is our own doing.
            Phase::Cruise if !model.waits() => 1.0 / (1.0 - loss / 2.0),
            Phase::Cruise | Phase::Refill | Phase::ProbeRtt => 1.0,
            Phase::Up => UP_GAIN / (1.0 - loss),
            // The window decides; the pace only smooths.
            Phase::Sharing => UP_GAIN,
        }
    }

    pub(super) fn window_gain(&self, model: &Model) -> f64 {
        match self.phase {
            Phase::Startup if self.hurries(model) => HURRY_WINDOW_GAIN,
            Phase::Startup | Phase::Drain | Phase::Cruise | Phase::Refill | Phase::Sharing => WINDOW_GAIN,
            Phase::Down => DOWN_WINDOW_GAIN,
            Phase::Up => UP_WINDOW_GAIN,
            Phase::ProbeRtt => PROBE_RTT_WINDOW_GAIN,
        }
    }

    /// Most bytes that may be on the way for the sake of others.
    pub(super) fn bound(&self, now: Instant, model: &Model, packet_bytes: usize) -> u64 {
        match (self.phase, self.share, model.min_rtt) {
            (Phase::Sharing, Some(share), Some(rtt)) => share.window(now, rtt, packet_bytes),
            _ => u64::MAX,
        }
    }

    /// Everything was taken for lost.
    pub(super) fn on_timeout(&mut self) {
        if let Some(filling) = &mut self.filling {
            filling.on_timeout();
        }
    }

    /// Takes a SACK that the model has taken.
    pub(super) fn advance(&mut self, model: &mut Model, news: &News) {
        self.began.get_or_insert(news.now);
        let rounds = model.rounds - self.began_round;
        let is_queued = model.shows_queue(model.last.least_rtt);
        if news.begins_round {
            self.end_round(model, news.now, is_queued);
        }
        match self.phase {
            Phase::Startup => self.fill(model, news, is_queued),
            Phase::Drain if is_drained(model, news) => self.enter_down(model, news.now),
            Phase::Down if is_drained(model, news) || rounds > DOWN_ROUNDS => {
                self.enter(Phase::Cruise, model, news.now);
            }
            Phase::Cruise => self.cruise(model, news, rounds),
            Phase::Refill if news.begins_round && rounds >= 1 => {
                self.bandwidth_before = model.bandwidth();
                self.enter(Phase::Up, model, news.now);
            }
            Phase::Up if news.begins_round && rounds >= 1 => self.probe(model, news, rounds, is_queued),
            Phase::Sharing => self.share(model, news, is_queued),
            Phase::ProbeRtt => self.probe_round_trip(model, news, rounds),
            Phase::Drain | Phase::Down | Phase::Refill | Phase::Up => {}
        }
        let is_stale = model.min_rtt_at.is_some_and(|at| has_passed(at, news.now, MIN_RTT_WINDOW));
        if is_stale && self.is_bandwidth_known() && self.phase != Phase::ProbeRtt {
            self.probe_rtt_least = None;
            self.enter(Phase::ProbeRtt, model, news.now);
        }
    }

    fn end_round(&mut self, model: &mut Model, now: Instant, is_queued: bool) {
        if is_queued {
            (self.rounds_queued, self.rounds_clear) = (self.rounds_queued + 1, 0);
            self.queued_at = Some(now);
        } else {
            (self.rounds_queued, self.rounds_clear) = (0, self.rounds_clear + 1);
        }
        // What is lost while nothing overflows is lost for reasons of the line.
        let is_usual = match (self.phase, self.share) {
            (Phase::Cruise | Phase::Refill, _) => !is_queued,
            (Phase::Sharing, Some(share)) => share.shows_usual_loss(model),
            _ => false,
        };
        if is_usual {
            model.learn_loss();
        }
    }

    fn fill(&mut self, model: &mut Model, news: &News, is_queued: bool) {
        let filling = self.filling.get_or_insert_with(Filling::new);
        filling.watch(model, news);
        // While the application or the peer's window holds back, a rate that does not grow says nothing. But a queue says that the
        // path is full whoever holds back: bursts fill it, with pauses between them, and nothing else would ever end this. That
        // is, bursts of more than a first window: a trickle of acknowledgements fills nothing, and would be held to its own rate.
        let is_ours = is_queued && news.used > news.first_bytes;
        if !news.begins_round || (news.app_limited && !is_ours) {
            return;
        }
        if filling.is_full(model.bandwidth(), is_queued) {
            self.filling = None;
            self.enter(Phase::Drain, model, news.now);
        }
    }

    fn cruise(&mut self, model: &mut Model, news: &News, rounds: u64) {
        let is_queued = news.begins_round && rounds >= 2 && self.rounds_queued >= SHARED_ROUNDS;
        if is_queued && rounds > ROUNDS_AFTER_DOWN {
            // It came since Down: perhaps it is ours, by a bandwidth that was seen too great.
            self.enter(Phase::Down, model, news.now);
        } else if is_queued && Share::is_plausible(model.usual_loss(), news) {
            self.shared_at = Some(news.now);
            let is_known = self.left_at.is_some_and(|at| !has_passed(at, news.now, SHARING_CYCLE));
            if !is_known {
                model.advance_cycle();
                self.share = Some(Share::new(news.now, news.used, model.rounds));
            }
            self.enter(Phase::Sharing, model, news.now);
        } else if self.probed_at.is_none_or(|at| has_passed(at, news.now, self.probe_wait)) {
            self.enter(Phase::Refill, model, news.now);
        }
    }

    fn probe(&mut self, model: &mut Model, news: &News, rounds: u64, is_queued: bool) {
        let bandwidth = model.bandwidth();
        let has_grown = bandwidth as f64 >= self.bandwidth_before as f64 * UP_GROWTH;
        let is_lossy = model.last.loss_rate() > LOSS_THRESHOLD && model.has_unusual_loss(news.packet_bytes);
        self.bandwidth_before = bandwidth;
        // What the first round sent shows only in the second; a queue shows at once.
        if is_lossy || ((is_queued || rounds >= 2) && !has_grown) {
            self.enter_down(model, news.now);
        } else if rounds > GROWING_ROUNDS && !is_queued {
            self.filling = Some(Filling::wary());
            self.enter(Phase::Startup, model, news.now);
        }
    }

    fn share(&mut self, model: &mut Model, news: &News, is_queued: bool) {
        if let Some(share) = &mut self.share
            && news.begins_round
            && is_queued
            && !share.has_answered(model)
            && !share.shows_usual_loss(model)
            && model.has_unusual_loss(news.packet_bytes)
        {
            share.cut(news.now, news.used, model.rounds);
        }
        // Twice, so that a line at the edge does not go to and fro.
        let is_implausible = !Share::is_plausible(model.usual_loss() / 2.0, news);
        let is_clear = self.rounds_clear >= CLEAR_ROUNDS
            && self.queued_at.is_none_or(|at| has_passed(at, news.now, CLEAR_TIME));
        let ends_cycle = self.shared_at.is_none_or(|at| has_passed(at, news.now, SHARING_CYCLE));
        if is_clear || is_implausible {
            self.enter(Phase::Cruise, model, news.now);
        } else if ends_cycle {
            model.advance_cycle();
            self.shared_at = Some(news.now);
            let most = model.bandwidth_delay().unwrap_or(u64::MAX) as f64 * WINDOW_GAIN;
            if self.bound(news.now, model, news.packet_bytes) as f64 > most {
                // The curve has left the path behind: perhaps nobody else is there.
                self.left_at = Some(news.now);
                self.enter(Phase::Down, model, news.now);
            }
        }
    }

    fn probe_round_trip(&mut self, model: &mut Model, news: &News, rounds: u64) {
        if let Some(rtt) = news.rtt.filter(|_| rounds >= 1) {
            self.probe_rtt_least = Some(self.probe_rtt_least.map_or(rtt, |least| least.min(rtt)));
        }
        let is_over = self.began.is_some_and(|at| has_passed(at, news.now, PROBE_RTT_TIME));
        if is_over && rounds >= PROBE_RTT_ROUNDS {
            if let Some(rtt) = self.probe_rtt_least {
                model.replace_min_rtt(news.now, rtt);
            }
            self.enter_down(model, news.now);
        }
    }

    fn enter_down(&mut self, model: &mut Model, now: Instant) {
        model.doubt_loss();
        if self.phase == Phase::Up {
            model.advance_cycle();
        }
        self.probed_at = Some(now);
        // No source of randomness is needed to differ from others: rounds differ (Fibonacci hashing).
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

fn is_drained(model: &Model, news: &News) -> bool {
    model.bandwidth_delay().is_none_or(|bytes| news.in_flight <= bytes)
}

fn has_passed(since: Instant, now: Instant, time: Duration) -> bool {
    now.saturating_duration_since(since) > time
}

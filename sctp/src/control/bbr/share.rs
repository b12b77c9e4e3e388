//! What may be on the way while others keep a queue on the same line: the curve of cubic (RFC 9438), which most of them follow.
//!
//! A model that ignores losses leaves little to them, one that keeps queues empty starves. Whoever grows and gives way as they
//! do gets what one of them gets. This holds only where they can hold a queue: a line that loses much by itself is not
//! filled by those who stop at losses, and giving way there would be for nobody.

use std::time::{Duration, Instant};

use crate::control::bbr::model::{Model, News};

/// What is left of the window after a loss, and how steep the curve is, in packets per cubic second (RFC 9438 §4.6, §5).
const CUT: f64 = 0.7;
const STEEPNESS: f64 = 0.4;

/// Growth per round trip where Reno would be faster, in packets (RFC 9438 §4.3).
const RENO_GROWTH: f64 = 3.0 * (1.0 - CUT) / (1.0 + CUT);

/// In the second to fifth round after a cut the queue has room: what is lost then is lost for other reasons, unless it is more than
/// people would use a line with. In the first round come the losses of what was sent before.
const ROUNDS_AFTER_CUT: std::ops::RangeInclusive<u64> = 2..=5;
const MOST_USUAL_LOSS: f64 = 0.1;

/// A line that loses more than this by itself, and more than several times what Reno needs to have our window (1.5 / window²,
/// from RFC 5348 §3.1), is not shared with anybody who holds a queue: what looks like one is jitter, or a longer route.
const MOST_SHARED_LOSS: f64 = 0.005;
const RENO_LOSS: f64 = 4.0;

/// A window that grows by time and is cut at losses, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    cut_at: Instant,
    cut_round: u64,
    after_cut: f64,
    /// Where the curve is flat.
    plateau: f64,
}

impl Share {
    /// Begins with a cut, so that newcomers need not wait for the queue to overflow.
    pub(super) fn new(now: Instant, used: u64, round: u64) -> Self {
        let mut share = Self { cut_at: now, cut_round: round, after_cut: 0.0, plateau: f64::INFINITY };
        share.cut(now, used, round);
        share
    }

    /// Whether a line with this loss can have others on it that hold a queue.
    pub(super) fn is_plausible(loss: f64, news: &News) -> bool {
        let packets = (news.used as f64 / news.packet_bytes.max(1) as f64).max(1.0);
        loss < MOST_SHARED_LOSS.max(RENO_LOSS / (packets * packets))
    }

    /// Whether what the last round lost is the line's own doing: the queue had room.
    pub(super) fn shows_usual_loss(&self, model: &Model) -> bool {
        let rounds = model.rounds.saturating_sub(self.cut_round);
        ROUNDS_AFTER_CUT.contains(&rounds) && model.last.loss_rate() < MOST_USUAL_LOSS
    }

    /// Whether what the last round lost was sent before the window was cut.
    pub(super) fn has_answered(&self, model: &Model) -> bool {
        model.rounds.saturating_sub(self.cut_round) < *ROUNDS_AFTER_CUT.start()
    }

    pub(super) fn window(&self, now: Instant, rtt: Duration, packet_bytes: usize) -> u64 {
        let packet = packet_bytes.max(1) as f64;
        let time = now.saturating_duration_since(self.cut_at).as_secs_f64();
        let until_flat = ((self.plateau - self.after_cut).max(0.0) / packet / STEEPNESS).cbrt();
        let cubic = self.plateau + STEEPNESS * (time - until_flat).powi(3) * packet;
        let reno = self.after_cut + RENO_GROWTH * packet * time / rtt.as_secs_f64().max(0.001);
        cubic.max(reno) as u64
    }

    /// Gives way; `used` bytes were on the way.
    pub(super) fn cut(&mut self, now: Instant, used: u64, round: u64) {
        let used = used as f64;
        // Fast convergence (RFC 9438 §4.7): who has less than before leaves room for newcomers.
        self.plateau = if used < self.plateau { used * (1.0 + CUT) / 2.0 } else { used };
        self.after_cut = used * CUT;
        self.cut_at = now;
        self.cut_round = round;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 1_200;
    const RTT: Duration = Duration::from_millis(50);

    /// RFC 9438 §4.2: from 400 packets after fast convergence, flat at 340, K = cbrt((340 - 280) / 0.4) = 5.3 s.
    #[test]
    fn window_falls_to_seven_tenths_and_is_flat_where_the_curve_says() {
        let start = Instant::now();
        let share = Share::new(start, 400 * 1_200, 0);
        let packets = |seconds: f64| {
            share.window(start + Duration::from_secs_f64(seconds), RTT * 100, PACKET) / PACKET as u64
        };
        assert_eq!(packets(0.0), 280);
        assert_eq!(packets(5.3), 339);
        assert!(packets(10.6) > 390 && packets(2.0) > 320);
    }

    #[test]
    fn small_windows_grow_as_fast_as_reno() {
        let start = Instant::now();
        let share = Share::new(start, 20 * 1_200, 0);
        let after = share.window(start + Duration::from_secs(1), RTT, PACKET) / PACKET as u64;
        assert_eq!(after, 24, "14 packets and 20 round trips of half a packet each");
    }

    #[test]
    fn nobody_holds_a_queue_on_a_line_that_loses_much() {
        let news = |used| News {
            now: Instant::now(),
            rtt: None,
            in_flight: used,
            used,
            begins_round: true,
            app_limited: false,
            first_bytes: 0,
            packet_bytes: PACKET,
        };
        assert!(Share::is_plausible(0.001, &news(600_000)));
        assert!(!Share::is_plausible(0.01, &news(600_000)));
        // Reno itself loses so much when its window is 16 packets.
        assert!(Share::is_plausible(0.01, &news(16 * 1_200)));
    }
}

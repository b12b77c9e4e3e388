//! What a SACK brings: chunks that arrived, samples for the control, the peer's window, and what is lost because of it.

use std::time::{Duration, Instant};

use crate::Violation;
use crate::control::Acked;
use crate::outbound::Outbound;
use crate::outbound::flight::Delivery;
use crate::outbound::queue::Slot;
use crate::wire::{Sack, tsn};

/// What one SACK brought.
#[derive(Debug, Default)]
struct News {
    delivered: usize,
    /// Of all that it acknowledges for the first time, what left last.
    newest: Option<Delivery>,
    /// Something arrived whose last transmission cannot be what arrived: the timeout was a mistake.
    mistaken: bool,
}

impl Outbound {
    pub(super) fn acknowledge(&mut self, now: Instant, sack: &Sack) -> Result<(), Violation> {
        let base = self.flight.base();
        let cumulative = tsn::unwrap(base - 1, sack.cumulative_tsn);
        if cumulative + 1 < base {
            return Ok(()); // Overtaken by a later one (RFC 9260 §6.2.1 D i).
        }
        let reach = sack.gaps.iter().map(|gap| u64::from(gap.end)).max().unwrap_or(0);
        if cumulative + reach >= self.flight.next() {
            return Err(Violation::AcknowledgedUnsent);
        }
        let mut news = News::default();
        self.take_cumulative(now, cumulative, &mut news);
        self.take_gaps(now, cumulative, sack, &mut news);
        self.take_window(now, sack.window);
        self.take_duplicates(now, cumulative, sack);
        self.loss.end_sack(cumulative + reach);
        if cumulative >= base || news.delivered > 0 {
            self.repair.on_progress(now);
        }
        // A round trip is certain where the chunk that left last of all was sent only once (Karn's rule, RFC 9260 §6.3.1 C5).
        let certain = news.newest.filter(|newest| newest.transmissions == 1);
        let rtt = certain.map(|newest| now.saturating_duration_since(newest.stamp.sent_at));
        if let Some(rtt) = rtt {
            self.rtt.update(now, rtt);
        }
        if news.delivered > 0 {
            self.judge_timeout(now, news.mistaken);
        }
        // No receiver that keeps its word still waits for a chunk that it has acknowledged. One that dropped it gets it
        // again, one for each SACK: slow, but it goes on.
        if !self.forward.covers(self.flight.base()) && self.flight.reclaim_first() {
            self.forward.look_again();
        }
        self.find_lost(now);
        self.forward.advance(now, &self.flight);
        self.forward.on_sack(now, self.flight.base(), cumulative >= base, self.rtt.smoothed());
        self.tell_control(now, &news, rtt);
        Ok(())
    }

    fn take_cumulative(&mut self, now: Instant, cumulative: u64, news: &mut News) {
        if cumulative < self.flight.base() {
            return;
        }
        while self.flight.base() <= cumulative {
            let Some(arrived) = self.flight.pop() else { break };
            self.take(now, arrived, news);
        }
        self.flight.forget_below_base();
    }

    fn take_gaps(&mut self, now: Instant, cumulative: u64, sack: &Sack, news: &mut News) {
        // Pairs of first and last, because what is new of a block is found while the ring is borrowed.
        let mut fresh = std::mem::take(&mut self.scratch);
        for gap in &sack.gaps {
            // The chunk after the cumulative one is missing by definition; a block that claims it says nothing.
            if gap.start < 2 || gap.end < gap.start {
                continue;
            }
            let (start, end) = (cumulative + u64::from(gap.start), cumulative + u64::from(gap.end));
            self.flight.cover(start..end + 1, |part| fresh.extend([part.start, part.end]));
        }
        for part in fresh.chunks_exact(2) {
            let &[start, end] = part else { continue };
            for tsn in start..end {
                if let Some(arrived) = self.flight.acknowledge(tsn) {
                    self.take(now, arrived, news);
                }
            }
        }
        fresh.clear();
        self.scratch = fresh;
    }

    /// A chunk arrived, or was passed by the cumulative TSN after that.
    fn take(&mut self, now: Instant, arrived: (Option<Delivery>, Slot, usize), news: &mut News) {
        let (delivery, slot, released) = arrived;
        self.queue.release(slot, released);
        let Some(delivery) = delivery else { return };
        let minimum = self.rtt.minimum();
        self.sampler.on_delivered(now, delivery.bytes, &delivery.stamp);
        self.loss.on_delivered(now, &delivery, minimum);
        news.delivered += delivery.bytes;
        self.longest_arrived = self.longest_arrived.max(delivery.bytes);
        news.mistaken |= self.repair.contradicts_timeout(now, &delivery, minimum);
        if news.newest.is_none_or(|newest| newest.order < delivery.order) {
            news.newest = Some(delivery);
        }
    }

    fn take_window(&mut self, now: Instant, window: u32) {
        let was_closed = self.peer_window == 0;
        self.peer_window = usize::try_from(window).unwrap_or(usize::MAX);
        self.repair.on_heard();
        if was_closed && self.peer_window > 0 {
            self.repair.on_progress(now); // It is open again: no reason to wait out a long timeout.
        }
    }

    fn take_duplicates(&mut self, now: Instant, cumulative: u64, sack: &Sack) {
        let probe = self.repair.probe();
        let needless =
            sack.duplicates.iter().any(|duplicate| Some(tsn::unwrap(cumulative, *duplicate)) != probe);
        if needless {
            self.loss.on_needless(now, self.rtt.smoothed());
        }
    }

    fn tell_control(&mut self, now: Instant, news: &News, rtt: Option<Duration>) {
        let lost = std::mem::take(&mut self.lost_bytes);
        let rate = self.sampler.sample(now, self.rtt.minimum());
        self.tally.delivered += news.delivered as u64;
        self.tally.lost += lost as u64;
        if news.delivered == 0 && lost == 0 {
            return;
        }
        self.control.on_acked(&Acked {
            now,
            delivered: news.delivered,
            lost,
            in_flight: self.flight.flying_bytes(),
            rtt,
            rate,
        });
    }
}

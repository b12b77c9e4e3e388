//! When to send again what nothing was heard of: losses found by time, the tail probe (RFC 8985 §7), the timeout
//! (RFC 9260 §6.3), and the probe of a closed window (RFC 9260 §6.1).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::outbound::flight::{Delivery, State};
use crate::outbound::loss::Entry;
use crate::outbound::sending::is_exhausted;
use crate::outbound::{MAX_RETRANSMITS, Outbound, PathFailed};

/// Probes before the timeout. RFC 8985 §7.3 sends one; on a line that loses a packet in five each way a second one saves
/// most of the timeouts (0.36 of single probes fail there), and costs one packet where it does not.
const PROBES: u32 = 2;

/// Shortest time until a probe: ten ticks of the coarse timers that serve us, 1 ms each (RFC 8985 §7.2 leaves it open).
const SHORTEST_PROBE: Duration = Duration::from_millis(10);

/// How long a receiver may hold back a SACK that we did not ask for at once. A lone packet: 200 ms (RFC 9260 §6.2). More
/// than one: other receivers answer every second packet; ours waits for more of them, 25 ms at most.
const HELD_BACK_LONE: Duration = Duration::from_millis(200);
const HELD_BACK: Duration = Duration::from_millis(25);

/// A timeout whose justice is not known yet.
#[derive(Debug)]
struct Timeout {
    /// Transmissions before this one were taken for lost.
    order: u64,
    log: VecDeque<Entry>,
    /// Whether the control was told.
    told: bool,
}

/// What the alarm is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The tail of what was sent may be lost.
    Probe,
    /// Everything may be lost.
    Timeout,
    /// The peer's window is closed, and the SACK that opened it may be lost.
    Persist,
}

/// The timers' state.
#[derive(Debug, Default)]
pub(super) struct Repair {
    /// What the timeout counts from: the last progress, or when the first chunk left after a pause.
    since: Option<Instant>,
    last_sent: Option<Instant>,
    /// Whether what was sent last asked to be acknowledged at once.
    last_immediate: bool,
    /// Probes since the last progress.
    probes: u32,
    probe_due: bool,
    /// The chunk that was sent again as a probe.
    probe: Option<u64>,
    /// Timeouts in a row, for the path's health and for doubling.
    timeouts: u32,
    backoff: u32,
    /// Whether a SACK came since the last timeout.
    heard: bool,
    timeout: Option<Timeout>,
}

impl Repair {
    pub(super) fn begin(&mut self, now: Instant) {
        self.since = Some(now);
    }

    pub(super) fn timeouts(&self) -> u32 {
        self.timeouts
    }

    pub(super) fn backoff(&self) -> u32 {
        self.backoff
    }

    pub(super) fn probe_is_due(&self) -> bool {
        self.probe_due
    }

    /// The probe that was due left, or cannot: with the TSN of a chunk that it was, if that was sent before.
    pub(super) fn probe_sent(&mut self, again: Option<u64>) {
        self.probe_due = false;
        self.probe = again;
    }

    pub(super) fn probe(&self) -> Option<u64> {
        self.probe
    }

    pub(super) fn on_sent(&mut self, now: Instant, first: bool, immediate: bool) {
        if first {
            self.since = Some(now);
        }
        self.last_sent = Some(now);
        self.last_immediate = immediate;
    }

    /// Something arrived that had not before.
    pub(super) fn on_progress(&mut self, now: Instant) {
        self.since = Some(now);
        self.probes = 0;
        self.probe_due = false;
        self.timeouts = 0;
        self.backoff = 0;
    }

    /// A SACK came, whatever it brought.
    pub(super) fn on_heard(&mut self) {
        self.heard = true;
    }

    /// Whether a delivery shows that the last timeout was a mistake: what arrived left before it (RFC 5682's question,
    /// answered by the order of transmissions instead of TSNs).
    pub(super) fn contradicts_timeout(
        &self,
        now: Instant,
        delivery: &Delivery,
        minimum: Option<Duration>,
    ) -> bool {
        let Some(timeout) = &self.timeout else { return false };
        if delivery.order < timeout.order {
            return delivery.was == State::Lost;
        }
        let round_trip = now.saturating_duration_since(delivery.stamp.sent_at);
        delivery.transmissions > 1 && minimum.is_some_and(|minimum| round_trip < minimum)
    }
}

impl Outbound {
    /// When the next alarm is, and what for. Each is reckoned anew from a few instants, so none can be forgotten.
    pub(super) fn alarm(&self) -> Option<(Instant, Alarm)> {
        let repair = &self.repair;
        let since = repair.since?;
        let timeout = since + self.rtt.timeout(repair.backoff);
        let flying = self.flight.flying_chunks();
        if repair.probe_due {
            return Some((timeout, if flying > 0 { Alarm::Timeout } else { Alarm::Persist })); // It waits for a packet.
        }
        if flying == 0 {
            if self.forward.is_outstanding(self.flight.base()) {
                return self.forward.due().is_none().then_some((timeout, Alarm::Timeout));
            }
            let stuck = self.peer_window == 0 && !self.queue.is_empty() && !self.flight.has_lost();
            return stuck.then_some((timeout, Alarm::Persist));
        }
        let persisting = self.peer_window == 0 && flying == 1;
        if repair.probes >= PROBES || repair.backoff > 0 || persisting {
            return Some((timeout, Alarm::Timeout));
        }
        let Some(smoothed) = self.rtt.smoothed() else { return Some((timeout, Alarm::Timeout)) };
        let held_back = match (repair.last_immediate, flying) {
            (true, _) => Duration::ZERO,
            (false, 1) => HELD_BACK_LONE,
            (false, _) => HELD_BACK,
        };
        // RFC 8985 §7.2: two round trips after what was sent last, and not after the timeout.
        let wait = (smoothed * 2 + held_back).max(SHORTEST_PROBE) * (repair.probes + 1);
        let from = repair.last_sent.map_or(since, |last| last.max(since));
        Some(((from + wait).min(timeout), Alarm::Probe))
    }

    /// Serves the alarm, if its time has come.
    pub(super) fn ring(&mut self, now: Instant) -> Result<(), PathFailed> {
        match self.alarm() {
            Some((at, Alarm::Probe)) if at <= now => {
                self.repair.probes += 1;
                self.repair.probe_due = true;
                self.repair.since = Some(now);
                Ok(())
            }
            Some((at, Alarm::Persist)) if at <= now => {
                self.repair.probe_due = true;
                self.repair.since = Some(now);
                Ok(())
            }
            Some((at, Alarm::Timeout)) if at <= now => self.on_timeout(now),
            _ => Ok(()),
        }
    }

    fn on_timeout(&mut self, now: Instant) -> Result<(), PathFailed> {
        // A peer that answers, but whose application does not read, is alive (RFC 9260 §6.1 A).
        let closed = self.peer_window == 0 && self.flight.flying_chunks() <= 1;
        if !(closed && self.repair.heard) {
            self.repair.timeouts += 1;
        }
        if self.repair.timeouts > MAX_RETRANSMITS {
            return Err(PathFailed);
        }
        self.repair.heard = false;
        self.repair.probe_due = false;
        self.repair.backoff = self.repair.backoff.saturating_add(1);
        self.repair.since = Some(now);
        self.forward.repeat(now, self.flight.base());
        if self.flight.flying_chunks() == 0 {
            return Ok(());
        }
        self.take_all_for_lost(now, !closed);
        if !closed {
            self.control.on_timeout(now);
        }
        Ok(())
    }

    fn take_all_for_lost(&mut self, now: Instant, mut told: bool) {
        let log = self.loss.take_log();
        for &Entry { tsn, order } in &log {
            let chunk =
                self.flight.get(tsn).filter(|chunk| chunk.order == order && chunk.state == State::Flying);
            let Some(chunk) = chunk else { continue };
            let (bytes, exhausted) = (chunk.bytes(), is_exhausted(chunk, self.forward.supported, now));
            self.sampler.on_lost(bytes);
            self.flight.turn(tsn, State::Lost);
            if exhausted {
                self.give_up(tsn);
            }
        }
        self.credit = false;
        // What an earlier timeout took may still arrive as well.
        let log = match self.repair.timeout.take() {
            Some(mut earlier) => {
                told |= earlier.told;
                earlier.log.extend(log);
                earlier.log
            }
            None => log,
        };
        self.repair.timeout = Some(Timeout { order: self.loss.next_order(), log, told });
    }

    /// The first news after a timeout: if it was a mistake, what was taken for lost is on the way again.
    pub(super) fn judge_timeout(&mut self, now: Instant, mistaken: bool) {
        let Some(Timeout { log, told, .. }) = self.repair.timeout.take() else { return };
        if !mistaken {
            return;
        }
        for &Entry { tsn, order } in &log {
            let chunk = self.flight.get(tsn);
            if chunk.is_some_and(|chunk| chunk.order == order && chunk.state == State::Lost) {
                self.flight.turn(tsn, State::Flying);
            }
        }
        self.loss.restore_log(log);
        if told {
            self.control.on_spurious_timeout(now);
        }
    }

    /// Marks what is lost by now, and gives up what was not to be tried again.
    pub(super) fn find_lost(&mut self, now: Instant) {
        let mut lost = std::mem::take(&mut self.scratch);
        let had_lost = self.flight.has_lost();
        self.loss.detect(now, &self.flight, self.round_trip(), &mut lost);
        if !lost.is_empty() && !had_lost {
            self.credit = true;
            self.loss.on_recovery();
        }
        for &tsn in &lost {
            // Given up meanwhile, with another chunk of its message.
            let Some(chunk) = self.flight.get(tsn).filter(|chunk| chunk.state == State::Flying) else {
                continue;
            };
            let (bytes, exhausted) = (chunk.bytes(), is_exhausted(chunk, self.forward.supported, now));
            self.sampler.on_lost(bytes);
            self.lost_bytes += bytes;
            self.flight.turn(tsn, State::Lost);
            if exhausted {
                self.give_up(tsn);
            }
        }
        lost.clear();
        self.scratch = lost;
    }
}

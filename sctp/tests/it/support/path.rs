//! One way of a path: a rate, a queue, a distance, and what it does to packets.

use std::time::{Duration, Instant};

use crate::support::rng::Rng;

/// What DTLS 1.2 with AES-GCM (37), UDP (8) and IPv4 (20) add to an SCTP packet, in bytes.
pub const OVERHEAD_BYTES: usize = 65;

/// No frame is longer: who cuts begins with what is, as anything shorter may be a probe for such frames.
const LONGEST_FRAME_BYTES: usize = 9_000;

/// What a piece has beside its part, in bytes: its own header 8, UDP 8 and IPv4 20.
const PIECE_OVERHEAD_BYTES: usize = 36;

/// Which packets are lost.
#[derive(Debug, Clone, Copy)]
pub enum Loss {
    None,
    /// So many of a thousand, each by itself.
    Random(u64),
    /// At so many of a thousand packets the line goes bad, and loses everything for a time up to this long: Gilbert's
    /// model, with a bad state that passes by itself, as it would not if only the few packets of timeouts counted.
    Bursts {
        of_a_thousand: u64,
        longest: Duration,
    },
    /// Everything.
    All,
}

/// How one way behaves.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Bytes per second; without one it is as fast as can be.
    pub rate: Option<u64>,
    pub delay: Duration,
    /// Up to so much more, without reordering.
    pub jitter: Duration,
    pub loss: Loss,
    /// So many of a thousand packets come later than their followers.
    pub reordered: u64,
    /// So many of a thousand come twice.
    pub duplicated: u64,
    /// What may wait for the rate, in bytes; the rest is dropped.
    pub queue_bytes: u64,
    /// Longest IP packet.
    pub mtu: usize,
    /// Whether the sockets at the ends carry longer packets in pieces.
    pub cuts: bool,
}

impl Line {
    /// A line without faults, with a queue of one second.
    pub fn clean(rate: u64, delay: Duration) -> Self {
        Self {
            rate: Some(rate),
            delay,
            jitter: Duration::ZERO,
            loss: Loss::None,
            reordered: 0,
            duplicated: 0,
            queue_bytes: rate,
            mtu: 1500,
            cuts: false,
        }
    }

    /// The same, and so many of a thousand packets are lost.
    pub fn losing(self, of_a_thousand: u64) -> Self {
        Self { loss: Loss::Random(of_a_thousand), ..self }
    }

    /// The same, with sockets that cut what is too long.
    pub fn cutting(self) -> Self {
        Self { cuts: true, ..self }
    }

    /// Any line at all, of those that are no worse than one packet in ten lost.
    pub fn any(rng: &mut Rng) -> Self {
        let rate = rng.one_of(&[50_000, 250_000, 1_250_000, 6_250_000]);
        let queue_millis = rng.one_of(&[10, 50, 200, 1000]);
        let loss = match rng.below(4) {
            0 => Loss::None,
            1 => Loss::Random(rng.one_of(&[1, 10, 50, 100])),
            2 => Loss::Bursts {
                of_a_thousand: rng.one_of(&[1, 5]),
                longest: Duration::from_millis(rng.one_of(&[5, 50, 500])),
            },
            _ => Loss::Random(rng.one_of(&[1, 10])),
        };
        Self {
            rate: rng.one_of(&[Some(rate), Some(rate), None]),
            delay: Duration::from_micros(rng.one_of(&[50, 1_000, 10_000, 25_000, 100_000])),
            jitter: Duration::from_micros(rng.one_of(&[0, 0, 500, 10_000])),
            loss,
            reordered: rng.one_of(&[0, 0, 5, 50]),
            duplicated: rng.one_of(&[0, 0, 5, 50]),
            // Never less than some packets of the longest kind.
            queue_bytes: (rate * queue_millis / 1000).max(20_000),
            mtu: 1500,
            cuts: rng.one_of(&[true, false]),
        }
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub sent: u64,
    pub delivered: u64,
    /// Longer than the MTU.
    pub too_long: u64,
    /// No room in the queue.
    pub overflown: u64,
    /// By the loss that was ordered.
    pub lost: u64,
}

/// One way of a path, with what is on it.
pub struct Path {
    pub line: Line,
    pub counts: Counts,
    rng: Rng,
    /// The last packet that was queued is out by then.
    busy_until: Option<Instant>,
    /// The last one in order arrives then.
    last_arrival: Option<Instant>,
    bad_until: Option<Instant>,
    /// A packet was longer than any frame.
    cuts_now: bool,
    /// Longest time that a packet waited in the queue.
    pub longest_wait: Duration,
}

impl Path {
    pub fn new(line: Line, seed: u64) -> Self {
        Self {
            line,
            counts: Counts::default(),
            rng: Rng::new(seed),
            busy_until: None,
            last_arrival: None,
            bad_until: None,
            cuts_now: false,
            longest_wait: Duration::ZERO,
        }
    }

    /// Takes an SCTP packet of this length; says when copies of it arrive.
    pub fn send(&mut self, now: Instant, packet_bytes: usize, mut arrives: impl FnMut(Instant)) {
        self.counts.sent += 1;
        let line = self.line;
        let mut length = packet_bytes + OVERHEAD_BYTES;
        let mut pieces = 1;
        if length > line.mtu {
            self.cuts_now |= line.cuts && length > LONGEST_FRAME_BYTES;
            if !self.cuts_now {
                self.counts.too_long += 1;
                return;
            }
            pieces = length.div_ceil(line.mtu - PIECE_OVERHEAD_BYTES);
            length += (pieces - 1) * PIECE_OVERHEAD_BYTES;
        }
        let mut out = now;
        if let Some(rate) = line.rate {
            let free = self.busy_until.map_or(now, |busy| busy.max(now));
            let wait = free - now;
            if wait.as_nanos() * u128::from(rate) / 1_000_000_000 + length as u128
                > u128::from(line.queue_bytes)
            {
                self.counts.overflown += 1;
                return;
            }
            self.longest_wait = self.longest_wait.max(wait);
            out = free + Duration::from_nanos(length as u64 * 1_000_000_000 / rate);
            self.busy_until = Some(out);
        }
        // All are drawn for, and with one all are lost.
        if (0..pieces).filter(|_| self.loses(now)).count() > 0 {
            self.counts.lost += 1;
            return;
        }
        let mut arrival = out + line.delay + self.rng.time(line.jitter);
        if self.happens(line.reordered) {
            arrival += Duration::from_micros(100) + self.rng.time(line.delay);
        } else {
            arrival = self.last_arrival.map_or(arrival, |last| arrival.max(last));
            self.last_arrival = Some(arrival);
        }
        self.counts.delivered += 1;
        arrives(arrival);
        if self.happens(line.duplicated) {
            arrives(arrival + self.rng.time(line.delay));
        }
    }

    fn happens(&mut self, of_a_thousand: u64) -> bool {
        self.rng.below(1000) < of_a_thousand
    }

    fn loses(&mut self, now: Instant) -> bool {
        match self.line.loss {
            Loss::None => false,
            Loss::All => true,
            Loss::Random(of_a_thousand) => self.happens(of_a_thousand),
            Loss::Bursts { of_a_thousand, longest } => {
                if self.bad_until.is_none_or(|until| until < now) && self.happens(of_a_thousand) {
                    self.bad_until = Some(now + self.rng.time(longest));
                }
                self.bad_until.is_some_and(|until| now <= until)
            }
        }
    }
}

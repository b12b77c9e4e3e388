//! The packet size of the path, found by probing (RFC 8899): HEARTBEATs with padding, of sizes that networks have.
//!
//! Packets start at what every path carries. All larger sizes that are likely are probed at once, a few times each; the
//! largest that is echoed is used. A packet that is too large vanishes (sockets forbid fragments), so a probe costs no more
//! than itself. Every half minute, and when timeouts pile up, the size in use is put on trial beside the base, which also is the
//! heartbeat of RFC 9260 §8.3: when it fails, packets go back to the base. Chunks that were cut before cannot be cut again:
//! if they are what does not pass, the association is over, and its owner makes a new one.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::config::BASE_PACKET_BYTES;

/// Sizes between the base and the ceiling that are tried: an MTU less IP (20 or 40), UDP 8, DTLS 37, down to a multiple of four.
/// WireGuard's 1,420 in IPv6 and IPv4, Ethernet's 1,500 in both, 9,000 of jumbo frames in IPv6.
const LIKELY_BYTES: [usize; 5] = [1332, 1352, 1412, 1432, 8912];

/// What is longer than the longest of these, and passes where that does not, is carried in pieces (`width`).
const LONGEST_FRAME_BYTES: usize = 8912;

/// MAX_PROBES (RFC 8899 §5.1.2).
const MAX_PROBES: u32 = 3;

/// HB.interval (RFC 9260 §16).
const CONFIRM_EVERY: Duration = Duration::from_secs(30);

/// PMTU_RAISE_TIMER (RFC 8899 §5.1.1).
const RAISE_EVERY: Duration = Duration::from_secs(600);

/// The same after the path took smaller packets all of a sudden: it may have been a passing fault.
const RAISE_AFTER_SHRINKING: Duration = Duration::from_secs(30);

/// Timeouts in a row after which the path may have shrunk.
pub(super) const SUSPICIOUS_TIMEOUTS: u32 = 2;

/// Finds and watches the packet size.
#[derive(Debug)]
pub(super) struct PathProber {
    base: usize,
    ceiling: usize,
    size: usize,
    /// What passes in pieces, where it does not as a whole.
    in_pieces: Option<usize>,
    /// Whether the longest frame passed, but perhaps in pieces.
    uncertain: bool,
    /// Larger sizes that are being tried.
    search: Vec<Probe>,
    trial: Option<Trial>,
    confirm_at: Option<Instant>,
    raise_at: Option<Instant>,
    shrunk: bool,
}

/// The size in use, and the base to compare it with.
#[derive(Debug)]
struct Trial {
    current: Probe,
    base: Probe,
    base_passed: bool,
}

/// A size that is being tried.
#[derive(Debug)]
struct Probe {
    size: usize,
    /// What the peer echoes; a late echo of an earlier try counts as well.
    nonce: u64,
    tries: u32,
    /// When it is tried again, or has failed; nothing while it waits to be sent.
    deadline: Option<Instant>,
}

/// A packet to send: a HEARTBEAT with this information, padded to this size.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProbePacket {
    pub(super) size: usize,
    pub(super) information: Bytes,
}

impl Probe {
    fn new(size: usize) -> Self {
        Self { size, nonce: rand::random(), tries: 0, deadline: None }
    }

    /// Lets it be sent again when its echo is late; whether it was sent often enough.
    fn has_failed(&mut self, now: Instant) -> bool {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return false;
        }
        if self.tries < MAX_PROBES {
            self.deadline = None;
        }
        self.tries >= MAX_PROBES
    }
}

impl PathProber {
    /// Nothing above `ceiling` is tried; where that is below the base, it is the size.
    pub(super) fn new(ceiling: usize) -> Self {
        let ceiling = ceiling & !3;
        let base = (BASE_PACKET_BYTES & !3).min(ceiling);
        let (in_pieces, search, trial, confirm_at, raise_at) = (None, Vec::new(), None, None, None);
        Self {
            base,
            ceiling,
            size: base,
            in_pieces,
            uncertain: false,
            search,
            trial,
            confirm_at,
            raise_at,
            shrunk: false,
        }
    }

    /// The size to use now.
    pub(super) fn packet_bytes(&self) -> usize {
        self.size
    }

    /// The longest packet that passes, if need be in pieces of the size to use.
    pub(super) fn longest_bytes(&self) -> usize {
        self.in_pieces.unwrap_or(self.size)
    }

    /// The path took larger packets once: chunks that are longer than the size in use may not pass any more.
    pub(super) fn has_shrunk(&self) -> bool {
        self.shrunk
    }

    pub(super) fn establish(&mut self, now: Instant) {
        self.confirm_at = Some(now + CONFIRM_EVERY);
        self.search(now);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        // A base that has failed waits for the other's failure, and for no time of its own.
        let base = self.trial.iter().map(|trial| &trial.base).filter(|base| base.tries < MAX_PROBES);
        let trial = self.trial.iter().map(|trial| &trial.current).chain(base);
        let probes = self.search.iter().chain(trial).filter_map(|probe| probe.deadline);
        probes.chain(self.confirm_at).chain(self.raise_at).min()
    }

    fn search(&mut self, now: Instant) {
        let wanted = LIKELY_BYTES.into_iter().filter(|size| *size < self.ceiling).chain([self.ceiling]);
        let wanted = wanted
            .filter(|size| *size > self.size && (self.in_pieces.is_none() || *size < LONGEST_FRAME_BYTES));
        self.search = wanted.map(Probe::new).collect();
        self.raise_at = (self.size < self.ceiling).then_some(now + RAISE_EVERY);
    }

    /// Timeouts in a row were counted: looks whether packets of this size still pass.
    pub(super) fn observe_timeouts(&mut self, timeouts: u32) {
        if timeouts >= SUSPICIOUS_TIMEOUTS && self.size > self.base {
            self.begin_trial();
        }
    }

    /// Data in a packet of this size, at least, arrived: where it is above the base, there is nothing to try, and whatever probes
    /// said that were lost or late, the path has not shrunk.
    pub(super) fn observe_arrived(&mut self, packet_bytes: usize) {
        if packet_bytes > self.base {
            (self.trial, self.shrunk) = (None, false);
        }
    }

    fn begin_trial(&mut self) {
        let (current, base) = (Probe::new(self.size), Probe::new(self.base));
        self.trial.get_or_insert(Trial { current, base, base_passed: false });
    }

    /// The next probe to send. Each is a packet of its own.
    pub(super) fn next_probe(&mut self, now: Instant, rto: Duration) -> Option<ProbePacket> {
        let trial = self.trial.iter_mut().flat_map(|trial| [&mut trial.current, &mut trial.base]);
        let probe = self.search.iter_mut().chain(trial).find(|probe| probe.deadline.is_none())?;
        probe.deadline = Some(now + rto);
        probe.tries += 1;
        Some(ProbePacket {
            size: probe.size,
            information: Bytes::copy_from_slice(&probe.nonce.to_be_bytes()),
        })
    }

    /// The peer echoed a probe.
    pub(super) fn handle_echo(&mut self, information: &[u8]) {
        let Ok(nonce) = <[u8; 8]>::try_from(information).map(u64::from_be_bytes) else { return };
        if let Some(at) = self.search.iter().position(|probe| probe.nonce == nonce) {
            let Probe { size, tries, .. } = self.search.remove(at);
            // Sockets cut from the first longer one on: if that passes, too, this says nothing of frames.
            let longer_tried = self.in_pieces.is_some() || self.search.iter().any(|probe| probe.size > size);
            match size == LONGEST_FRAME_BYTES && tries > 1 && longer_tried {
                true => self.uncertain = true,
                false => self.pass(size),
            }
        }
        match &mut self.trial {
            Some(trial) if trial.current.nonce == nonce => self.trial = None,
            Some(trial) if trial.base.nonce == nonce => trial.base_passed = true,
            _ => (),
        }
    }

    /// A probe of this size, larger than what is in use, came through.
    fn pass(&mut self, size: usize) {
        if size > LONGEST_FRAME_BYTES && self.size < LONGEST_FRAME_BYTES {
            // Smaller probes left earlier: if they do not come, it is in pieces that this one did.
            self.in_pieces = Some(size);
            return;
        }
        self.size = match self.in_pieces {
            Some(longest) if size >= LONGEST_FRAME_BYTES => {
                self.in_pieces = None;
                longest.max(size)
            }
            _ => size,
        };
        self.search.retain(|probe| probe.size > self.size);
        (self.trial, self.shrunk) = (None, false);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.confirm_at.is_some_and(|at| now >= at) {
            self.confirm_at = Some(now + CONFIRM_EVERY);
            self.begin_trial();
        }
        if self.raise_at.is_some_and(|at| now >= at) {
            self.search(now);
        }
        self.search.retain_mut(|probe| !probe.has_failed(now));
        if self.uncertain && self.search.is_empty() {
            self.uncertain = false;
            if self.in_pieces.is_none() {
                self.pass(LONGEST_FRAME_BYTES);
            }
        }
        if let Some(trial) = &mut self.trial {
            // Its failure says nothing that the other's does not say.
            trial.base.has_failed(now);
            if trial.current.has_failed(now) {
                let shrunk = trial.base_passed && self.size > self.base;
                self.trial = None;
                if shrunk {
                    self.shrink(now);
                }
            }
        }
    }

    /// Packets of the size in use do not pass, smaller ones do.
    fn shrink(&mut self, now: Instant) {
        log::debug!("packets of {} bytes do not pass any more", self.size);
        (self.size, self.in_pieces) = (self.base, None);
        self.shrunk = true;
        self.search.clear();
        self.raise_at = Some(now + RAISE_AFTER_SHRINKING);
    }
}

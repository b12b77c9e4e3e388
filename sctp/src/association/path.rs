//! The packet size of the path, found by probing (RFC 8899): HEARTBEATs with padding, of sizes that networks have.
//!
//! Packets start at what every path carries. All larger sizes that are likely are probed at once, a few times each; the
//! largest that is echoed is used. A packet that is too large vanishes (sockets forbid fragments), so a probe costs no more
//! than itself. Every half minute, and when timeouts pile up, the size in use is put on trial beside the base, which also is the
//! heartbeat of RFC 9260 §8.3: when it fails, packets go back to the base. Chunks that were cut before cannot be cut again:
//! if they are what does not pass, the association is over, and its owner makes a new one.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::config::BASE_PACKET_BYTES;

/// Sizes between the base and the ceiling that are tried: an MTU less IP (20 or 40), UDP 8, DTLS 37, down to a multiple of four.
/// WireGuard's 1,420 in IPv6 and IPv4, Ethernet's 1,500 in both, 9,000 of jumbo frames in IPv6.
const LIKELY_BYTES: [usize; 5] = [1332, 1352, 1412, 1432, 8912];

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
        let (search, trial, confirm_at, raise_at) = (Vec::new(), None, None, None);
        Self { base, ceiling, size: base, search, trial, confirm_at, raise_at, shrunk: false }
    }

    /// The size to use now.
    pub(super) fn packet_bytes(&self) -> usize {
        self.size
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
        self.search = wanted.filter(|size| *size > self.size).map(Probe::new).collect();
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
        if let Some(size) = self.search.iter().find(|probe| probe.nonce == nonce).map(|probe| probe.size) {
            self.size = size;
            self.search.retain(|probe| probe.size > size);
            (self.trial, self.shrunk) = (None, false);
        }
        match &mut self.trial {
            Some(trial) if trial.current.nonce == nonce => self.trial = None,
            Some(trial) if trial.base.nonce == nonce => trial.base_passed = true,
            _ => (),
        }
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
        self.size = self.base;
        self.shrunk = true;
        self.search.clear();
        self.raise_at = Some(now + RAISE_AFTER_SHRINKING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTO: Duration = Duration::from_millis(200);
    const BASE: usize = BASE_PACKET_BYTES & !3;

    /// Lets so many seconds pass, in which packets up to `mtu` are echoed.
    fn run(prober: &mut PathProber, now: &mut Instant, mtu: usize, seconds: u64) {
        let until = *now + Duration::from_secs(seconds);
        loop {
            while let Some(probe) = prober.next_probe(*now, RTO) {
                if probe.size <= mtu {
                    prober.handle_echo(&probe.information);
                }
            }
            match prober.deadline() {
                Some(deadline) if deadline <= until => *now = deadline,
                _ => break,
            }
            prober.handle_timeout(*now);
        }
        *now = until;
    }

    /// A prober that has found what it finds, and when that is.
    fn settled(ceiling: usize, mtu: usize) -> (PathProber, Instant) {
        let (mut prober, mut now) = (PathProber::new(ceiling), Instant::now());
        prober.establish(now);
        run(&mut prober, &mut now, mtu, 5);
        (prober, now)
    }

    /// The same on Ethernet, and then timeouts piled up.
    fn suspicious() -> (PathProber, Instant) {
        let (mut prober, now) = settled(1_432, 1_435);
        assert_eq!(prober.packet_bytes(), 1_432);
        prober.observe_timeouts(SUSPICIOUS_TIMEOUTS);
        (prober, now)
    }

    #[test]
    fn the_largest_likely_size_that_passes_is_used() {
        for (ceiling, mtu, expected) in [
            (16_300, 65_000, 16_300),
            (16_300, 8_935, 8_912),
            (16_300, 1_435, 1_432),
            (16_300, 1_340, 1_332),
            (16_300, 1_200, BASE),
            (1_400, 65_000, 1_400),
            (1_000, 65_000, 1_000),
            (BASE, 65_000, BASE),
        ] {
            assert_eq!(settled(ceiling, mtu).0.packet_bytes(), expected, "ceiling {ceiling}, path {mtu}");
        }
    }

    #[test]
    fn a_lost_probe_is_sent_again() {
        let mut prober = PathProber::new(1_432);
        let now = Instant::now();
        prober.establish(now);
        while prober.next_probe(now, RTO).is_some() {}
        prober.handle_timeout(now + RTO);
        let again = prober.next_probe(now + RTO, RTO).expect("a second try");
        prober.handle_echo(&again.information);
        assert!(prober.packet_bytes() > BASE);
    }

    #[test]
    fn a_path_that_shrinks_is_noticed_when_timeouts_pile_up() {
        let (mut prober, mut now) = suspicious();
        run(&mut prober, &mut now, 1_300, 2);
        assert_eq!(prober.packet_bytes(), BASE);
        assert!(prober.has_shrunk());
        // And noticed again when it grows.
        run(&mut prober, &mut now, 1_435, RAISE_AFTER_SHRINKING.as_secs() + 1);
        assert_eq!(prober.packet_bytes(), 1_432);
        assert!(!prober.has_shrunk());
    }

    #[test]
    fn data_that_arrives_says_more_than_probes_that_do_not() {
        let (mut prober, mut now) = suspicious();
        run(&mut prober, &mut now, 1_300, 2);
        assert!(prober.has_shrunk());
        prober.observe_arrived(BASE);
        assert!(prober.has_shrunk());
        prober.observe_arrived(1_432);
        assert!(!prober.has_shrunk());
    }

    /// The timeout may be shorter by the time that the second packet of a trial leaves.
    #[test]
    fn a_trial_has_no_deadline_that_is_over() {
        let (mut prober, mut now) = suspicious();
        assert_eq!(prober.next_probe(now, 50 * RTO).map(|probe| probe.size), Some(1_432));
        for _ in 0..MAX_PROBES {
            assert_eq!(prober.next_probe(now, RTO).map(|probe| probe.size), Some(BASE));
            now += RTO;
            prober.handle_timeout(now);
            assert!(prober.deadline().is_some_and(|at| at > now));
        }
    }

    #[test]
    fn a_path_that_carries_nothing_has_not_shrunk() {
        let (mut prober, mut now) = suspicious();
        run(&mut prober, &mut now, 0, 5);
        assert_eq!(prober.packet_bytes(), 1_432);
    }

    #[test]
    fn a_made_up_echo_changes_nothing() {
        let mut prober = PathProber::new(16_300);
        prober.establish(Instant::now());
        prober.handle_echo(&7_u64.to_be_bytes());
        prober.handle_echo(b"too long to be one of ours");
        assert_eq!(prober.packet_bytes(), BASE);
    }
}

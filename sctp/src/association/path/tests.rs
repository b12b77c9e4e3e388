//! The packet size over paths of all kinds.

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

/// Echoes of probes whose sizes `passes`, in the order in which they left, or the other way round.
fn settled_where(passes: impl Fn(usize) -> bool, reversed: bool) -> PathProber {
    let (mut prober, now) = (PathProber::new(16_300), Instant::now());
    prober.establish(now);
    let mut probes: Vec<_> = std::iter::from_fn(|| prober.next_probe(now, RTO)).collect();
    probes.retain(|probe| passes(probe.size));
    if reversed {
        probes.reverse();
    }
    probes.iter().for_each(|probe| prober.handle_echo(&probe.information));
    prober
}

#[test]
fn what_passes_where_jumbo_frames_do_not_passes_in_pieces() {
    for reversed in [false, true] {
        let in_pieces = settled_where(|size| size <= 1_435 || size == 16_300, reversed);
        assert_eq!((in_pieces.packet_bytes(), in_pieces.longest_bytes()), (1_432, 16_300));
        let whole = settled_where(|_| true, reversed);
        assert_eq!((whole.packet_bytes(), whole.longest_bytes()), (16_300, 16_300));
        let neither = settled_where(|size| size <= 1_435, reversed);
        assert_eq!((neither.packet_bytes(), neither.longest_bytes()), (1_432, 1_432));
    }
}

/// Whoever cuts does so from the first longer probe on, and then the longest frame's second try passes, too.
#[test]
fn a_frame_whose_first_probe_was_lost_is_believed_only_where_nothing_passes_in_pieces() {
    for (first, longest, expected) in
        [(8_911, 16_300, (1_432, 16_300)), (16_300, 16_300, (1_432, 16_300)), (8_911, 8_935, (8_912, 8_912))]
    {
        let (mut prober, mut now) = (PathProber::new(16_300), Instant::now());
        prober.establish(now);
        while let Some(probe) = prober.next_probe(now, RTO) {
            if probe.size != 8_912 && probe.size <= first {
                prober.handle_echo(&probe.information);
            }
        }
        run(&mut prober, &mut now, longest, 5);
        assert_eq!((prober.packet_bytes(), prober.longest_bytes()), expected);
    }
}

#[test]
fn a_path_that_shrinks_carries_no_pieces_until_it_is_tried_again() {
    let (mut now, mut prober) =
        (Instant::now(), settled_where(|size| size <= 1_435 || size == 16_300, false));
    prober.observe_timeouts(SUSPICIOUS_TIMEOUTS);
    run(&mut prober, &mut now, 1_300, 2);
    assert_eq!((prober.packet_bytes(), prober.longest_bytes()), (BASE, BASE));
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

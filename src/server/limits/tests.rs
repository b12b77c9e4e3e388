//! Claims about the limits, on a clock that only the test moves.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crate::server::limits::{Admission, LimitPolicy, Limits, Source};
use crate::wire::signaling::CloseCode;

const A: Source = Source::V4(Ipv4Addr::new(198, 51, 100, 1));
const B: Source = Source::V4(Ipv4Addr::new(198, 51, 100, 2));
const SECOND: Duration = Duration::from_secs(1);

fn source(text: &str) -> Source {
    text.parse::<IpAddr>().unwrap().into()
}

#[test]
fn a_source_is_an_ipv4_address_or_an_ipv6_network() {
    assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
    assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    assert_eq!(source("::ffff:198.51.100.1"), A);
    assert_ne!(A, B);
    assert_ne!(source("fe80::1"), source("fe80::2"), "neighbours");
    for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(source(own), Source::Loopback, "{own}");
    }
}

#[test]
fn connections_are_refused_politely_and_then_dropped() {
    let now = Instant::now();
    let mut limits = Limits::new(LimitPolicy { connections: 2, ..LimitPolicy::default() });
    let answers: Vec<_> = (0..5).map(|_| limits.connect(now, A)).collect();
    let refused = Admission::Refused(CloseCode::Limited);
    assert_eq!(answers, [Admission::Welcome, Admission::Welcome, refused, refused, Admission::Dropped]);
    assert_eq!(limits.connect(now, B), Admission::Welcome, "another source does not suffer");
    for _ in 0..4 {
        limits.disconnect(now, A);
    }
    assert_eq!(limits.connect(now, A), Admission::Welcome);
}

#[test]
fn the_whole_house_has_a_limit_too() {
    let now = Instant::now();
    let mut limits = Limits::new(LimitPolicy { connections_in_all: 8, ..LimitPolicy::default() });
    let answers: Vec<_> = (0..10u8).map(|n| limits.connect(now, source(&format!("192.0.2.{n}")))).collect();
    assert_eq!(answers[..8], [Admission::Welcome; 8]);
    assert_eq!(answers[8..], [Admission::Refused(CloseCode::Full), Admission::Dropped]);
    limits.disconnect(now, source("192.0.2.8"));
    assert_eq!(limits.connect(now, Source::Loopback), Admission::Welcome, "the server's own machine");
}

#[test]
fn creates_and_joins_come_back_with_time() {
    let now = Instant::now();
    let policy = LimitPolicy { creates_per_minute: 6, joins_per_minute: 3, ..LimitPolicy::default() };
    let mut limits = Limits::new(policy);
    for _ in 0..6 {
        assert_eq!(limits.create(now, A), Ok(()));
    }
    assert_eq!(limits.create(now, A), Err(CloseCode::Limited));
    assert_eq!(limits.create(now + 9 * SECOND, A), Err(CloseCode::Limited));
    assert_eq!(limits.create(now + 10 * SECOND, A), Ok(()));
    assert_eq!(limits.create(now + 10 * SECOND, A), Err(CloseCode::Limited));
    for _ in 0..3 {
        assert_eq!(limits.join(now, A), Ok(()), "joins have a bucket of their own");
    }
    assert_eq!(limits.join(now, A), Err(CloseCode::Limited));
    assert_eq!(limits.join(now, B), Ok(()));
}

#[test]
fn reunions_have_a_bucket_of_their_own_and_misses_do_not_bar_them() {
    let now = Instant::now();
    let policy = LimitPolicy { meets_per_minute: 6, free_misses: 0, ..LimitPolicy::default() };
    let mut limits = Limits::new(policy);
    limits.miss(now, A);
    assert_eq!(limits.join(now, A), Err(CloseCode::Limited));
    for _ in 0..6 {
        assert_eq!(limits.meet(now, A), Ok(()));
    }
    assert_eq!(limits.meet(now, A), Err(CloseCode::Limited));
    assert_eq!(limits.meet(now + 10 * SECOND, A), Ok(()));
    assert_eq!((limits.meet(now, B), limits.create(now, A)), (Ok(()), Ok(())));
    assert_eq!((0..100).filter(|_| limits.meet(now, Source::Loopback).is_ok()).count(), 96);
}

#[test]
fn each_miss_costs_twice_the_one_before() {
    let mut now = Instant::now();
    let policy = LimitPolicy {
        free_misses: 2,
        joins_per_minute: 1000,
        penalty: 10 * SECOND,
        longest_penalty: 40 * SECOND,
        ..LimitPolicy::default()
    };
    let mut limits = Limits::new(policy);
    for _ in 0..2 {
        limits.miss(now, A);
        assert_eq!(limits.join(now, A), Ok(()), "people mistype");
    }
    for seconds in [10, 20, 40, 40] {
        limits.miss(now, A);
        assert_eq!(limits.join(now, A), Err(CloseCode::Limited));
        now += (seconds - 1) * SECOND;
        assert_eq!(limits.join(now, A), Err(CloseCode::Limited), "{seconds}");
        now += SECOND;
        assert_eq!(limits.join(now, A), Ok(()), "{seconds}");
    }
    assert_eq!(limits.join(now, B), Ok(()));
}

#[test]
fn misses_are_forgiven_by_halves() {
    let now = Instant::now();
    let policy = LimitPolicy { free_misses: 2, ..LimitPolicy::default() };
    let mut limits = Limits::new(policy.clone());
    limits.miss(now, A);
    limits.miss(now, A);
    let later = now + policy.forgiveness;
    limits.miss(later, A);
    assert_eq!(limits.join(later, A), Ok(()), "one of two is forgiven, so this is the second");
    limits.miss(later, A);
    assert_eq!(limits.join(later, A), Err(CloseCode::Limited));
}

#[test]
fn loopback_is_limited_generously() {
    let now = Instant::now();
    let policy = LimitPolicy { creates_per_minute: 1, loopback_factor: 3, ..LimitPolicy::default() };
    let mut limits = Limits::new(policy);
    let allowed = (0..10).filter(|_| limits.create(now, Source::Loopback).is_ok()).count();
    assert_eq!(allowed, 3);
}

#[test]
fn a_flood_of_sources_does_not_grow_the_table() {
    let now = Instant::now();
    let policy = LimitPolicy { sources: 100, connections_in_all: 1000, ..LimitPolicy::default() };
    let mut limits = Limits::new(policy);
    limits.connect(now, A);
    for number in 0..10_000u64 {
        limits.miss(now + Duration::from_micros(number), Source::V6(number));
        assert!(limits.len() <= 100);
    }
    assert_eq!(limits.accounts[&A].connections, 1, "an open connection keeps its account");
}

#[test]
fn a_quiet_source_is_forgotten() {
    let now = Instant::now();
    let policy = LimitPolicy::default();
    let mut limits = Limits::new(policy.clone());
    limits.connect(now, A);
    limits.create(now, A).unwrap();
    limits.miss(now, A);
    limits.sweep(now + policy.forgiveness);
    assert_eq!(limits.len(), 1, "it is connected");
    limits.disconnect(now, A);
    limits.sweep(now);
    assert_eq!(limits.len(), 1, "its bucket is not full");
    limits.sweep(now + policy.forgiveness);
    assert!(limits.is_empty());
    limits.meet(now, A).unwrap();
    limits.sweep(now);
    assert_eq!(limits.len(), 1, "nor is the one for reunions");
    limits.sweep(now + 10 * SECOND);
    assert!(limits.is_empty());
}

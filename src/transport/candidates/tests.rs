//! Which candidates of a peer are checked, and what is told of ours: the claims.

use std::net::Ipv4Addr;

use super::*;

fn json(line: &str) -> String {
    let init = RTCIceCandidateInit { candidate: line.to_owned(), ..Default::default() };
    serde_json::to_string(&init).unwrap()
}

fn taken(line: &str) -> Option<String> {
    Screen::new(Reach::Everywhere, Policy::Any).take(&json(line)).map(|it| it.to_string())
}

#[test]
fn a_candidate_goes_on_as_what_was_understood_of_it() {
    let line = "candidate:8a/+ 1 UDP 2122260223 192.0.2.7 5000 typ host generation 0 ufrag x network-cost 50";
    assert_eq!(taken(line).unwrap(), "candidate:8a/+ 1 udp 2122260223 192.0.2.7 5000 typ host");
    let line = "candidate:1 1 udp 7 2001:db8::7 5000 typ srflx raddr 10.0.0.1 rport 4000";
    assert_eq!(taken(line).unwrap(), "candidate:1 1 udp 7 2001:db8::7 5000 typ srflx raddr 0.0.0.0 rport 9");
    let line = "1 1 udp 7 ::ffff:192.0.2.7 5000 typ relay";
    assert_eq!(taken(line).unwrap(), "candidate:1 1 udp 7 192.0.2.7 5000 typ relay raddr 0.0.0.0 rport 9");
}

#[test]
fn what_cannot_be_checked_is_passed_over() {
    for line in [
        "",
        "candidate:",
        "candidate:1 1 udp 7 192.0.2.7 5000 typ",
        "candidate:1 1 udp 7 192.0.2.7 5000 type host",
        "candidate:1 1 udp 7 192.0.2.7 5000 typ ghost",
        "candidate:1 2 udp 7 192.0.2.7 5000 typ host",
        "candidate:1 1 tcp 7 192.0.2.7 9 typ host tcptype active",
        "candidate:1 1 ssltcp 7 192.0.2.7 443 typ host",
        "candidate:1 1 udp 7 192.0.2.7 0 typ host",
        "candidate:1 1 udp 7 192.0.2.7 65536 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.7 5000 typ host",
        "candidate:1 1 udp 7 3f2504e0-4f89-11d3-9a0c-0305e82c3301.local 5000 typ host",
        "candidate:1 1 udp 7 example.org 5000 typ host",
        "candidate:1 1 udp 7 fe80::1%eth0 5000 typ host",
        "candidate:\u{1b}[2J 1 udp 7 192.0.2.7 5000 typ host",
        "candidate:123456789012345678901234567890123 1 udp 7 192.0.2.7 5000 typ host",
    ] {
        assert_eq!(taken(line), None, "{line}");
    }
    let long = format!("candidate:1 1 udp 7 192.0.2.7 5000 typ host {}", "x".repeat(MAX_TEXT_BYTES));
    assert_eq!(taken(&long), None);
    assert_eq!(Screen::new(Reach::Everywhere, Policy::Any).take("{"), None);
}

/// Hostile ones of every kind between honest ones: those that are passed on are honest, different, and few.
#[test]
fn of_ten_thousand_hostile_candidates_at_most_32_are_checked() {
    let mut screen = Screen::new(Reach::Everywhere, Policy::Any);
    let mut passed = Vec::new();
    for number in 0..10_000_u32 {
        let address = match number % 10 {
            0 => "127.0.0.1".to_owned(),
            1 => "224.0.0.251".to_owned(),
            2 => "0.0.0.0".to_owned(),
            3 => "255.255.255.255".to_owned(),
            4 => "::1".to_owned(),
            5 => "::ffff:127.0.0.1".to_owned(),
            6 => "240.0.0.1".to_owned(),
            7 => "192.0.2.7".to_owned(), // The same each time.
            _ => Ipv4Addr::from(0x0a00_0000 + number).to_string(),
        };
        let line = format!("candidate:1 1 udp {number} {address} 5000 typ host");
        passed.extend(screen.take(&json(&line)));
    }
    assert!(passed.len() <= MAX_REMOTE && passed.len() > 3, "{}", passed.len());
    assert!(passed.iter().all(|it| is_of_one_machine(it.address.ip())));
    let addresses: HashSet<_> = passed.iter().map(|it| it.address).collect();
    assert_eq!(addresses.len(), passed.len());
}

#[test]
fn honest_candidates_pass_behind_duplicates_up_to_32() {
    let mut screen = Screen::new(Reach::Everywhere, Policy::Any);
    let mut take = |address: String| {
        screen.take(&json(&format!("candidate:1 1 udp 7 {address} 5000 typ host"))).is_some()
    };
    assert!(take("10.0.0.0".to_owned()));
    assert!((0..100).all(|_| !take("10.0.0.0".to_owned())));
    assert_eq!((0..100).filter(|n| take(format!("10.0.1.{n}"))).count(), MAX_REMOTE - 1);
}

#[test]
fn within_one_host_only_loopback_is_checked_and_elsewhere_never() {
    for (reach, loopback) in [(Reach::SameHost, true), (Reach::Everywhere, false)] {
        for (address, is_loopback) in [("127.0.0.1", true), ("192.168.1.7", false)] {
            let line = json(&format!("candidate:1 1 udp 7 {address} 5000 typ host"));
            let passes = Screen::new(reach, Policy::Any).take(&line).is_some();
            assert_eq!(passes, loopback == is_loopback, "{reach:?} {address}");
        }
    }
}

#[test]
fn relays_are_not_checked_where_only_direct_paths_are_wanted() {
    let line = json("candidate:1 1 udp 7 192.0.2.7 5000 typ relay");
    for (policy, passes) in [(Policy::Any, true), (Policy::RelayOnly, true), (Policy::DirectOnly, false)] {
        assert_eq!(Screen::new(Reach::Everywhere, policy).take(&line).is_some(), passes);
    }
}

#[test]
fn nothing_is_told_but_the_address_and_with_relays_only_no_address_of_ours() {
    let of = |typ, address: &str| RTCIceCandidate {
        typ,
        address: address.to_owned(),
        port: 5000,
        related_address: "10.9.8.7".to_owned(),
        related_port: 4321,
        url: Some("turn:relay".to_owned()),
        ..Default::default()
    };
    let told = |policy, typ, address| {
        let ours = Candidate::ours(&of(typ, address)).filter(|it| may_be_told(it, policy));
        ours.map(|it| serde_json::to_string(&it.init()).unwrap())
    };
    use RTCIceCandidateType::{Host, Relay, Srflx};
    for typ in [Srflx, Relay] {
        let text = told(Policy::Any, typ, "192.0.2.7").unwrap();
        assert!(!text.contains("10.9.8.7") && !text.contains("4321") && !text.contains("relay:"), "{text}");
        assert!(text.contains("raddr 0.0.0.0 rport 9"), "{text}");
    }
    assert!(told(Policy::RelayOnly, Relay, "192.0.2.7").is_some());
    assert_eq!(told(Policy::RelayOnly, Host, "10.9.8.7"), None);
    assert_eq!(told(Policy::RelayOnly, Srflx, "192.0.2.8"), None);
    assert_eq!(told(Policy::DirectOnly, Relay, "192.0.2.7"), None);
    assert_eq!(told(Policy::Any, Host, "0.0.0.0"), None);
}

#[test]
fn a_relay_on_this_machine_is_believed_only_if_it_is_ours() {
    let mut grounds = Grounds::new(Reach::Everywhere, Vec::new());
    let line = |kind| json(&format!("candidate:1 1 udp 7 127.0.0.1 5000 typ {kind}"));
    assert!(Screen::of(&grounds).take(&line("relay")).is_none());
    grounds.relay_names.push(([127, 0, 0, 1].into(), "localhost".to_owned()));
    assert!(Screen::of(&grounds).take(&line("relay")).is_some());
    assert!(Screen::of(&grounds).take(&line("host")).is_none());
}

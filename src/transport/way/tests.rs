//! The ways that are told apart, and their reasons: the claims.

use super::*;

const HOME: &str = "192.168.1.5:5000";
const OUTSIDE: &str = "203.0.113.5:6000";
const RELAY: &str = "198.51.100.1:50000";

fn kind(text: &str) -> Kind {
    match text {
        "host" => Kind::Host,
        "srflx" => Kind::ServerReflexive,
        "prflx" => Kind::PeerReflexive,
        "relay" => Kind::Relay,
        _ => panic!("{text}"),
    }
}

/// `kind address` each.
fn candidate(text: &str) -> (Kind, SocketAddr) {
    let (kind_of, address) = text.split_once(' ').unwrap();
    (kind(kind_of), address.parse().unwrap())
}

fn seen(own: &[&str], theirs: &[&str]) -> Seen {
    let mut seen = Seen::default();
    for text in own {
        let (kind, address) = candidate(text);
        let base = (kind == Kind::ServerReflexive).then(|| HOME.parse().unwrap());
        seen.own(Own { kind, address, base });
    }
    for text in theirs {
        let (kind, address) = candidate(text);
        seen.theirs(kind, address);
    }
    seen
}

const AROUND: Circumstances<'static> =
    Circumstances { reach: Reach::Everywhere, policy: Policy::Any, asked: true, relay_names: &[] };

fn direct(own: &[&str], base: &str, theirs: &[&str], remote: &str) -> Way {
    let pair = Pair {
        local: (Kind::Host, SocketAddr::new(base.parse().unwrap(), 5000)),
        base: base.parse().unwrap(),
        remote: candidate(remote),
    };
    seen(own, theirs).way(pair, AROUND)
}

#[test]
fn direct_paths_are_told_apart() {
    let home = &["host 192.168.1.5:5000", "srflx 203.0.113.5:6000"][..];
    let server = &["host 203.0.113.9:5000"][..];
    let six = &["host [2001:db8::5]:5000"][..];
    for (own, base, theirs, remote, way) in [
        (home, "192.168.1.5", &["host 192.168.1.7:1"][..], "host 192.168.1.7:1", Way::Lan),
        (home, "192.168.1.5", &[], "prflx 10.0.0.7:1", Way::Lan),
        (home, "192.168.1.5", &[], "prflx 169.254.0.7:1", Way::Lan),
        (home, "192.168.1.5", &[], "host 192.168.1.5:1", Way::ThisMachine),
        (home, "192.168.1.5", &[], "host 127.0.0.1:1", Way::ThisMachine),
        (six, "2001:db8::5", &[], "host [2001:db8::7]:1", Way::Lan),
        (six, "2001:db8::5", &[], "host [fe80::7]:1", Way::Lan),
        (six, "2001:db8::5", &[], "host [2001:db8:1::7]:1", Way::Ipv6),
        (home, "192.168.1.5", &["host 198.51.100.7:1"], "host 198.51.100.7:1", Way::OneNat),
        (home, "192.168.1.5", &["host 198.51.100.7:1"], "prflx 198.51.100.7:9", Way::OneNat),
        (home, "192.168.1.5", &["host 10.0.0.1:1"], "srflx 198.51.100.7:1", Way::BothNats),
        (home, "192.168.1.5", &["host 10.0.0.1:1"], "prflx 198.51.100.7:1", Way::BothNats),
        (home, "192.168.1.5", &["host 10.0.0.1:1"], "srflx 203.0.113.5:7", Way::OneNat),
        (server, "203.0.113.9", &["host 10.0.0.1:1"], "srflx 198.51.100.7:1", Way::OneNat),
        (server, "203.0.113.9", &[], "host 198.51.100.7:1", Way::Open),
    ] {
        assert_eq!(direct(own, base, theirs, remote), way, "{own:?} {remote}");
    }
}

#[test]
fn within_one_host_it_is_this_machine() {
    let pair = Pair {
        local: (Kind::Host, "127.0.0.1:1".parse().unwrap()),
        base: "127.0.0.1".parse().unwrap(),
        remote: (Kind::PeerReflexive, "127.0.0.1:2".parse().unwrap()),
    };
    let around = Circumstances { reach: Reach::SameHost, ..AROUND };
    assert_eq!(Seen::default().way(pair, around), Way::ThisMachine);
}

fn because(own: &[&str], theirs: &[&str], around: Circumstances<'_>) -> Because {
    let pair = Pair {
        local: (Kind::Relay, RELAY.parse().unwrap()),
        base: "192.168.1.5".parse().unwrap(),
        remote: (Kind::Relay, RELAY.parse().unwrap()),
    };
    match seen(own, theirs).way(pair, around) {
        Way::Relayed { by, because } => {
            assert_eq!(by, "198.51.100.1");
            because
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn why_a_path_is_relayed_is_read_from_both_sides_candidates() {
    let cone = &["host 192.168.1.5:5000", "srflx 203.0.113.5:6000", "relay 198.51.100.1:50000"][..];
    let symmetric = &["host 192.168.1.5:5000", "srflx 203.0.113.5:6000", "srflx 203.0.113.5:6001"][..];
    let blocked = &["host 192.168.1.5:5000"][..];
    let hidden = &["relay 198.51.100.1:50001"][..];
    // Two interfaces behind one NAT that keeps its ports.
    let two = &["host 10.0.0.1:1", "host 10.0.0.2:1", "srflx 203.0.113.6:1", "srflx 203.0.113.6:2"][..];
    let tunnelled = &["host 192.168.1.5:5000", "relay 198.51.100.1:50001"][..];
    for (own, theirs, why) in [
        (symmetric, symmetric, Because::SymmetricBoth),
        (symmetric, cone, Because::SymmetricHere),
        (cone, symmetric, Because::SymmetricThere),
        (cone, cone, Because::NoDirectPath),
        (cone, two, Because::NoDirectPath),
        (cone, &[], Because::NoDirectPath),
        (cone, hidden, Because::RelayOnlyThere),
        (blocked, cone, Because::UdpBlockedHere),
        (blocked, blocked, Because::UdpBlockedHere),
        (cone, blocked, Because::UdpBlockedThere),
        (cone, tunnelled, Because::UdpBlockedThere),
    ] {
        assert_eq!(because(own, theirs, AROUND), why, "{own:?} {theirs:?}");
    }
    let relay_only = Circumstances { policy: Policy::RelayOnly, ..AROUND };
    assert_eq!(because(cone, hidden, relay_only), Because::RelayOnlyHere);
    let unasked = Circumstances { asked: false, ..AROUND };
    assert_eq!(because(blocked, cone, unasked), Because::NoDirectPath);
}

#[test]
fn two_sockets_of_ours_are_no_symmetric_nat() {
    let mut seen = Seen::default();
    for base in [HOME, "192.168.2.5:5000"] {
        let port = if base == HOME { OUTSIDE } else { "203.0.113.5:6001" };
        let (address, base) = (port.parse().unwrap(), base.parse().ok());
        seen.own(Own { kind: Kind::ServerReflexive, address, base });
    }
    assert!(!seen.own_is_symmetric());
    let address = "203.0.113.5:6002".parse().unwrap();
    let base = HOME.parse().ok();
    seen.own(Own { kind: Kind::ServerReflexive, address, base });
    assert!(seen.own_is_symmetric());
}

#[test]
fn a_relay_alone_is_no_answer_over_udp() {
    let mut seen = seen(&["host 192.168.1.5:5000"], &["srflx 198.51.100.7:1"]);
    seen.own(Own { kind: Kind::Relay, address: RELAY.parse().unwrap(), base: None });
    assert_eq!(seen.because(AROUND), Because::UdpBlockedHere);
}

#[test]
fn a_relay_is_called_by_its_name() {
    let names = [("198.51.100.1".parse().unwrap(), "relay.example.org".to_owned())];
    let pair = Pair {
        local: (Kind::Host, HOME.parse().unwrap()),
        base: "192.168.1.5".parse().unwrap(),
        remote: (Kind::Relay, RELAY.parse().unwrap()),
    };
    let way = Seen::default().way(pair, Circumstances { relay_names: &names, ..AROUND });
    assert!(matches!(way, Way::Relayed { by, .. } if by == "relay.example.org"));
}

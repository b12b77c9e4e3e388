//! What observations mean, by table: verdicts, and a grade and a sentence for each check.

use std::time::Duration;

use serde_json::json;

use crate::doctor::judge::judge;
use crate::doctor::observed::{
    Answer, Binding, Family, Filtering, Hearing, Multicast, Observed, Packet, Place, Relay, Signaling, Visit,
};
use crate::ui::{Check, Grade, Reach, Report};

const LOCAL: &str = "192.168.1.7:5000";
const MAPPED: &str = "192.0.2.1:5000";

fn visit() -> Visit {
    Visit {
        connected: Duration::from_millis(12),
        room: Duration::from_millis(3),
        tls: true,
        proxy: None,
        place: Place::Public,
        ahead: Some(0),
    }
}

fn works() -> Relay {
    Relay::Works { after: Duration::from_millis(20) }
}

/// What two STUN servers saw; an empty text is no answer.
fn saw(first: &str, second: &str) -> Family {
    let binding = |(server, mapped): (&str, &str)| Binding {
        server: server.parse().unwrap(),
        answer: (!mapped.is_empty()).then(|| Answer {
            mapped: mapped.parse().unwrap(),
            local: LOCAL.parse().unwrap(),
            after: Duration::from_millis(9),
        }),
    };
    let servers = [("198.51.100.1:8091", first), ("198.51.100.1:8092", second)];
    Family { bindings: servers.map(binding).to_vec(), ..Family::default() }
}

/// A home behind a NAT that is as it should be.
fn home() -> Observed {
    Observed {
        signaling: Signaling::Works(visit()),
        v4: saw(MAPPED, MAPPED),
        relay_udp: works(),
        relay_tcp: works(),
        packet: Packet { tried: vec![1_280, 1_500], largest: Some(1_500) },
        multicast: Multicast { v4: Hearing::Heard, v6: Hearing::Heard },
        rendezvous: true,
        open_files: Some(1_024),
        udp_buffer: Some(16 << 20),
        ..Observed::default()
    }
}

fn report(change: impl FnOnce(&mut Observed)) -> Report {
    let mut observed = home();
    change(&mut observed);
    judge(&observed, None)
}

fn found<'a>(report: &'a Report, name: &str) -> &'a Check {
    report.checks.iter().find(|it| it.name == name).unwrap()
}

/// No relay at all.
fn alone(observed: &mut Observed) {
    (observed.relay_udp, observed.relay_tcp) = (Relay::NotOffered, Relay::NotOffered);
}

#[test]
fn a_verdict_follows_from_server_nat_and_relay() {
    let symmetric = || saw(MAPPED, "192.0.2.1:6000");
    type Change = fn(&mut Observed);
    let cases: [(&str, Change, Reach, &str); 16] = [
        ("home", |_| (), Reach::Anyone, "anyone: directly in most cases, else"),
        ("public", |it| it.v4 = saw(LOCAL, LOCAL), Reach::Anyone, "anyone: directly in most cases"),
        ("symmetric", |it| it.v4 = saw(MAPPED, "192.0.2.1:6000"), Reach::Anyone, "behind this symmetric NAT"),
        ("blocked", |it| it.v4 = saw("", ""), Reach::Anyone, "always through the relay"),
        ("one answer", |it| it.v4 = saw(MAPPED, ""), Reach::Anyone, "where it does not work directly"),
        ("no stun", |it| it.v4 = Family::default(), Reach::Anyone, "where it does not work directly"),
        ("home, no relay", alone, Reach::Most, "not to peers behind a symmetric NAT"),
        (
            "symmetric, no relay",
            |it| {
                alone(it);
                it.v4 = saw(MAPPED, "192.0.2.1:6000")
            },
            Reach::Some,
            "only to peers with a public",
        ),
        (
            "blocked, no relay",
            |it| {
                alone(it);
                it.v4 = saw("", "")
            },
            Reach::Local,
            "UDP does not get through here, and no relay",
        ),
        (
            "one answer, no relay",
            |it| {
                alone(it);
                it.v4 = saw(MAPPED, "")
            },
            Reach::Some,
            "is not known",
        ),
        (
            "relay refuses",
            |it| {
                alone(it);
                it.relay_udp = Relay::Refused(486)
            },
            Reach::Most,
            "not to peers behind",
        ),
        (
            "only tls",
            |it| {
                alone(it);
                it.v4 = saw("", "");
                it.relay_tls = works()
            },
            Reach::Anyone,
            "always through the relay",
        ),
        ("no server", |it| it.signaling = Signaling::NotConfigured, Reach::Local, "no server is configured"),
        (
            "server down",
            |it| it.signaling = Signaling::Failed { sentence: "down".to_owned(), hint: None },
            Reach::Local,
            "the server cannot be used",
        ),
        (
            "server here",
            |it| it.signaling = Signaling::Works(Visit { place: Place::Here, ..visit() }),
            Reach::Local,
            "of this machine alone",
        ),
        (
            "server private",
            |it| it.signaling = Signaling::Works(Visit { place: Place::Private, ..visit() }),
            Reach::Some,
            "a private address",
        ),
    ];
    for (name, change, reach, sentence) in cases {
        let report = report(change);
        assert_eq!(report.reach, reach, "{name}");
        assert!(report.verdict.contains(sentence), "{name}: {}", report.verdict);
        assert_eq!(report.ok, matches!(reach, Reach::Anyone | Reach::Most), "{name}");
    }
    // IPv6 alone is a way too, and what IPv4 says counts where it works.
    let v6_only = report(|it| (it.v4, it.v6) = (saw("", ""), saw(LOCAL, LOCAL)));
    assert!(v6_only.verdict.contains("directly in most cases"), "{}", v6_only.verdict);
    let both = report(|it| (it.v4, it.v6) = (symmetric(), saw(LOCAL, LOCAL)));
    assert!(both.verdict.contains("symmetric"), "{}", both.verdict);
}

#[test]
fn each_check_has_its_grade_and_says_what_to_change() {
    type Change = fn(&mut Observed);
    let cases: [(&str, Change, Grade, &str); 31] = [
        ("signaling", |_| (), Grade::Ok, "connected in 12 ms, over TLS; a room opened and joined in 3 ms"),
        (
            "signaling",
            |it| it.signaling = Signaling::NotConfigured,
            Grade::Skipped,
            "no server is configured",
        ),
        (
            "signaling",
            |it| {
                it.signaling =
                    Signaling::Works(Visit { proxy: Some("p:1".to_owned()), tls: false, ..visit() })
            },
            Grade::Ok,
            "through the proxy p:1, without TLS",
        ),
        (
            "signaling",
            |it| it.signaling = Signaling::Works(Visit { place: Place::Here, ..visit() }),
            Grade::Warning,
            "connected",
        ),
        ("clock", |_| (), Grade::Ok, "agrees"),
        (
            "clock",
            |it| it.signaling = Signaling::Works(Visit { ahead: Some(-60), ..visit() }),
            Grade::Ok,
            "60 s ahead of",
        ),
        (
            "clock",
            |it| it.signaling = Signaling::Works(Visit { ahead: Some(7_200), ..visit() }),
            Grade::Warning,
            "7200 s behind the server's",
        ),
        (
            "clock",
            |it| it.signaling = Signaling::Works(Visit { ahead: Some(i64::MIN), ..visit() }),
            Grade::Warning,
            "ahead of",
        ),
        (
            "clock",
            |it| it.signaling = Signaling::Works(Visit { ahead: None, ..visit() }),
            Grade::Skipped,
            "no server told",
        ),
        ("nat", |_| (), Grade::Ok, "one public address for all destinations (192.0.2.1)"),
        (
            "nat",
            |it| it.v4 = saw(LOCAL, LOCAL),
            Grade::Ok,
            "none: peers see this machine's own address 192.168.1.7",
        ),
        ("nat", |it| it.v4 = saw(MAPPED, "192.0.2.1:6000"), Grade::Warning, "symmetric"),
        ("nat", |it| it.v4 = saw(MAPPED, ""), Grade::Warning, "only one STUN server answered"),
        ("nat", |it| it.v4 = saw("", ""), Grade::Failed, "none of 2 STUN servers answered"),
        ("filtering", |it| it.v4.filtering = Filtering::OtherPortsToo, Grade::Ok, "open"),
        (
            "filtering",
            |it| it.v4.filtering = Filtering::OnlyWhoWasAsked,
            Grade::Ok,
            "only those who were sent to",
        ),
        ("filtering", |it| it.v6.filtering = Filtering::OtherPortsToo, Grade::Ok, "open"),
        ("hairpin", |it| it.v4.hairpin = Some(false), Grade::Ok, "by their local addresses"),
        ("relay-udp", |_| (), Grade::Ok, "a relayed address in 20 ms"),
        ("relay-udp", |it| it.relay_udp = Relay::NoAnswer, Grade::Warning, "did not answer over UDP"),
        (
            "relay-udp",
            |it| {
                it.relay_tcp = Relay::NotOffered;
                it.relay_udp = Relay::NoAnswer
            },
            Grade::Failed,
            "did not answer over UDP",
        ),
        (
            "relay-tcp",
            |it| it.relay_tcp = Relay::Refused(486),
            Grade::Warning,
            "too many of this source (STUN error 486)",
        ),
        (
            "relay-tls",
            |it| it.relay_tls = Relay::Unreachable,
            Grade::Warning,
            "could not be reached over TLS",
        ),
        ("relay-tls", |_| (), Grade::Skipped, "offers no relay over TLS"),
        (
            "ipv6",
            |it| {
                it.v6 = saw("", "");
                it.v6.local = Some("2001:db8::1".parse().unwrap())
            },
            Grade::Warning,
            "nothing came back",
        ),
        (
            "ipv6",
            |it| {
                it.v6 = saw(LOCAL, LOCAL);
                it.v6.local = Some("2001:db8::1".parse().unwrap())
            },
            Grade::Ok,
            "works",
        ),
        (
            "packet-size",
            |it| it.packet.largest = Some(1_200),
            Grade::Warning,
            "more than 1200 bytes are lost",
        ),
        ("multicast", |it| it.multicast.v4 = Hearing::Silent, Grade::Ok, "works over IPv6"),
        (
            "multicast",
            |it| it.multicast = Multicast { v4: Hearing::Silent, v6: Hearing::NotPossible },
            Grade::Warning,
            "not heard",
        ),
        ("open-files", |it| it.open_files = Some(20), Grade::Warning, "limit of 20 is too low"),
        ("udp-buffer", |it| it.udp_buffer = Some(425_984), Grade::Warning, "416.0 KiB are granted"),
    ];
    for (name, change, grade, text) in cases {
        let report = report(change);
        let check = found(&report, name);
        assert_eq!(check.grade, grade, "{name}: {}", check.text);
        assert!(check.text.contains(text), "{name}: {}", check.text);
        // Whatever is not well can be changed, or is somebody else's to change.
        let advised = check.advice.is_some();
        assert!(advised || !matches!(grade, Grade::Warning | Grade::Failed), "{name}: {}", check.text);
    }
}

#[test]
fn an_error_of_the_server_brings_its_own_hint() {
    let failed = report(|it| {
        let hint = Some("start it".to_owned());
        it.signaling = Signaling::Failed { sentence: "down".to_owned(), hint };
    });
    let check = found(&failed, "signaling");
    assert_eq!((check.text.as_str(), check.advice.as_deref()), ("down", Some("start it")));
}

#[test]
fn checks_have_a_fixed_order_and_facts_for_programs() {
    let report = report(|_| ());
    let names: Vec<&str> = report.checks.iter().map(|it| it.name).collect();
    assert_eq!(
        names,
        [
            "signaling",
            "clock",
            "nat",
            "filtering",
            "hairpin",
            "relay-udp",
            "relay-tcp",
            "relay-tls",
            "ipv6",
            "packet-size",
            "multicast",
            "rendezvous",
            "open-files",
            "udp-buffer"
        ]
    );
    let fact = |name: &str, fact: &str| found(&report, name).facts.get(fact).cloned().unwrap_or_default();
    assert_eq!(fact("signaling", "connect_ms"), json!(12));
    assert_eq!(fact("nat", "mapping"), json!("endpoint-independent"));
    assert_eq!(fact("nat", "mapped"), json!([MAPPED]));
    assert_eq!(fact("relay-tls", "offered"), json!(false));
    assert_eq!(fact("packet-size", "largest"), json!(1_500));
    assert_eq!(fact("open-files", "limit"), json!(1_024));
}

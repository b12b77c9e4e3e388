//! What was seen of servers and networks.

use std::time::Duration;

use crate::doctor::judge::{best_mapping, check};
use crate::doctor::nat::{Mapping, is_global, mapping};
use crate::doctor::observed::{Family, Filtering, Observed, Place, Relay, Signaling, Visit};
use crate::ui::{Check, Grade};

/// Seconds that clocks may differ before somebody should know. Servers say whole seconds, and certificates live for days.
const CLOCK: u64 = 120;

/// IP packets that a lane needs, in bytes: SCTP's 1,191 with DTLS, UDP and IPv6 around them fit 1,280 (RFC 8200 §5).
const NEEDED_PACKET: u16 = 1_280;

/// The checks, in the order in which they are told.
pub(super) fn checks(observed: &Observed) -> Vec<Check> {
    let mut checks = vec![signaling(&observed.signaling)];
    checks.push(clock(&observed.signaling));
    checks.extend([nat(observed), filtering(observed), hairpin(&observed.v4)]);
    let relays = [
        ("relay-udp", "UDP", &observed.relay_udp),
        ("relay-tcp", "TCP", &observed.relay_tcp),
        ("relay-tls", "TLS", &observed.relay_tls),
    ];
    checks.extend(relays.map(|(name, transport, seen)| relay(name, transport, seen, observed)));
    checks.extend([ipv6(&observed.v6), packet(observed)]);
    checks
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn signaling(seen: &Signaling) -> Check {
    let visit = match seen {
        Signaling::NotConfigured => {
            return check("signaling", Grade::Skipped, "no server is configured; peers meet on the local network")
                .advise("to send over the internet, give both sides the same `--server`; `p2pcp signal` is one that anyone can host");
        }
        Signaling::Failed { sentence, hint } => {
            let failed = check("signaling", Grade::Failed, sentence);
            return match hint {
                Some(hint) => failed.advise(hint),
                None => failed,
            };
        }
        Signaling::Works(visit) => visit,
    };
    let Visit { connected, room, tls, proxy, place, .. } = visit;
    let (connect_ms, room_ms) = (milliseconds(*connected), milliseconds(*room));
    let through = proxy.as_ref().map_or(String::new(), |it| format!(", through the proxy {it}"));
    let way = if *tls { "over TLS" } else { "without TLS" };
    let text =
        format!("connected in {connect_ms} ms{through}, {way}; a room opened and joined in {room_ms} ms");
    let (grade, advice) = match place {
        Place::Here => (
            Grade::Warning,
            Some(
                "let the server listen on an address that others reach: `p2pcp signal --listen 0.0.0.0`, and name it by that address",
            ),
        ),
        Place::Private => (
            Grade::Warning,
            Some("for peers elsewhere, the server needs a public address, or a port that is forwarded to it"),
        ),
        Place::Public => (Grade::Ok, None),
    };
    let place = match place {
        Place::Here => "this-machine",
        Place::Private => "private",
        Place::Public => "public",
    };
    let check = check("signaling", grade, text)
        .with("connect_ms", connect_ms)
        .with("room_ms", room_ms)
        .with("tls", *tls)
        .with("proxy", proxy.clone())
        .with("place", place)
        .with("protocol", crate::wire::PROTOCOL_VERSION);
    match advice {
        Some(advice) => check.advise(advice),
        None => check,
    }
}

fn clock(signaling: &Signaling) -> Check {
    let ahead = match signaling {
        Signaling::Works(visit) => visit.ahead,
        Signaling::NotConfigured | Signaling::Failed { .. } => None,
    };
    let Some(ahead) = ahead else {
        return check("clock", Grade::Skipped, "no server told its time");
    };
    let off = ahead.unsigned_abs();
    // What the server is ahead of us, we are behind.
    let way = if ahead > 0 { "behind" } else { "ahead of" };
    let check = match off {
        0..=2 => check("clock", Grade::Ok, "agrees with the server's"),
        3..=CLOCK => check("clock", Grade::Ok, format!("{off} s {way} the server's")),
        _ => check(
            "clock",
            Grade::Warning,
            format!("{off} s {way} the server's: certificates may seem invalid"),
        )
        .advise("set the clock of this machine, or the server's, by NTP"),
    };
    check.with("server_ahead_s", ahead)
}

fn nat(observed: &Observed) -> Check {
    let mapping = best_mapping(observed);
    let asked = observed.v4.bindings.len() + observed.v6.bindings.len();
    let families = [&observed.v4, &observed.v6];
    let quickest = families.into_iter().filter_map(Family::quickest).min_by_key(|it| it.after);
    let seen = quickest.map_or(String::new(), |it| it.mapped.ip().to_canonical().to_string());
    let check = match mapping {
        Mapping::NotChecked => check("nat", Grade::Skipped, "no STUN server is known"),
        Mapping::NoAnswer => {
            check("nat", Grade::Failed, format!("none of {asked} STUN servers answered: UDP does not get through"))
                .advise("allow UDP out of this network; without it transfers need a relay over TCP or TLS")
        }
        Mapping::Untranslated => check("nat", Grade::Ok, format!("none: peers see this machine's own address {seen}")),
        Mapping::EndpointIndependent => {
            check("nat", Grade::Ok, format!("one public address for all destinations ({seen}): direct paths can be found"))
        }
        Mapping::Unknown => check(
            "nat",
            Grade::Warning,
            format!("there is one (peers see {seen}), but only one STUN server answered, which does not tell of which kind"),
        )
        .advise("name a second STUN server with `--stun`"),
        Mapping::Symmetric => check(
            "nat",
            Grade::Warning,
            format!("symmetric: another public address for each destination ({seen} and more); few direct paths can be found"),
        )
        .advise("where the router can be set up, choose its `full cone` or `endpoint-independent` NAT, forward a port, or use IPv6"),
    };
    let check = check.with("mapping", mapping.name()).with("stun_asked", asked);
    let addresses = |family: &Family| {
        let mut seen: Vec<String> =
            family.bindings.iter().filter_map(|it| Some(it.answer?.mapped.to_string())).collect();
        seen.sort();
        seen.dedup();
        seen
    };
    let mapped: Vec<String> = families.into_iter().flat_map(addresses).collect();
    let check = check.with("mapped", mapped);
    match quickest {
        Some(answer) => check.with("stun_ms", milliseconds(answer.after)),
        None => check,
    }
}

fn filtering(observed: &Observed) -> Check {
    let seen = match (observed.v4.filtering, observed.v6.filtering) {
        (Filtering::NotChecked, v6) => v6,
        (v4, _) => v4,
    };
    let (check, name) = match seen {
        Filtering::NotChecked => (
            check("filtering", Grade::Skipped, "no server offered to answer from a second port"),
            "not-checked",
        ),
        Filtering::OtherPortsToo => (
            check(
                "filtering",
                Grade::Ok,
                "open: answers from other ports come in too, also those of symmetric NATs",
            ),
            "other-ports-too",
        ),
        Filtering::OnlyWhoWasAsked => (
            check("filtering", Grade::Ok, "only those who were sent to may answer, as in most networks"),
            "only-who-was-asked",
        ),
    };
    check.with("filtering", name)
}

fn hairpin(v4: &Family) -> Check {
    match v4.hairpin {
        None => check("hairpin", Grade::Skipped, "there is no NAT to try it with"),
        Some(true) => check(
            "hairpin",
            Grade::Ok,
            "peers behind the same NAT reach each other by their public addresses",
        )
        .with("hairpin", true),
        Some(false) => {
            check("hairpin", Grade::Ok, "none: peers behind the same NAT meet by their local addresses")
                .with("hairpin", false)
        }
    }
}

fn relay(name: &'static str, transport: &str, seen: &Relay, observed: &Observed) -> Check {
    let all = [&observed.relay_udp, &observed.relay_tcp, &observed.relay_tls];
    let another = all.into_iter().any(|it| matches!(it, Relay::Works { .. }));
    // What another transport makes up for is no failure.
    let bad = if another { Grade::Warning } else { Grade::Failed };
    let (check, result) = match seen {
        Relay::NotOffered => {
            return check(name, Grade::Skipped, format!("the server offers no relay over {transport}"))
                .with("offered", false);
        }
        Relay::Works { after } => {
            let after = milliseconds(*after);
            (check(name, Grade::Ok, format!("a relayed address in {after} ms")).with("ms", after), "works")
        }
        Relay::NoAnswer => (
            check(name, bad, format!("the relay did not answer over {transport}")).advise(format!(
                "see whether a firewall here or at the server keeps {transport} from the relay's port"
            )),
            "no-answer",
        ),
        Relay::Unreachable => (
            check(name, bad, format!("the relay could not be reached over {transport}")).advise(format!(
                "see whether a firewall here or at the server keeps {transport} from the relay's port"
            )),
            "unreachable",
        ),
        Relay::Refused(code) => (
            check(name, bad, format!("the relay refused: {} (STUN error {code})", refusal(*code)))
                .with("code", *code)
                .advise("ask whoever runs the server about its relay"),
            "refused",
        ),
        Relay::Nonsense => (
            check(name, bad, "what answers there is not a relay")
                .advise("ask whoever runs the server about its relay"),
            "nonsense",
        ),
    };
    check.with("offered", true).with("relay", result)
}

/// What a refusal means (RFC 8656 §19).
fn refusal(code: u16) -> &'static str {
    match code {
        400 => "it did not understand",
        401 | 441 => "it does not know its own credentials",
        403 => "it is not allowed",
        437 => "there is one already",
        440 => "not with this address family",
        442 => "not over this transport",
        486 => "too many of this source",
        508 => "it is full",
        _ => "for a reason of its own",
    }
}

fn ipv6(v6: &Family) -> Check {
    let global = match v6.local {
        Some(std::net::IpAddr::V6(address)) => is_global(address),
        Some(std::net::IpAddr::V4(_)) | None => false,
    };
    let (check, works) = match (global, mapping(v6)) {
        (false, _) => (
            check("ipv6", Grade::Ok, "this machine has no IPv6 address of the internet; IPv4 does it all"),
            None,
        ),
        (true, Mapping::NotChecked) => (
            check("ipv6", Grade::Skipped, "there is an address, but no STUN server with IPv6 to try it with"),
            None,
        ),
        (true, Mapping::NoAnswer) => (
            check("ipv6", Grade::Warning, "there is an address, but nothing came back over it")
                .advise("IPv6 seems to be broken or without UDP here; peers do without, some time is lost"),
            Some(false),
        ),
        (true, _) => (check("ipv6", Grade::Ok, "works: direct paths to peers that have it too"), Some(true)),
    };
    check.with("global_address", global).with("works", works)
}

fn packet(observed: &Observed) -> Check {
    let packet = &observed.packet;
    let check = match (packet.largest, packet.tried.iter().min()) {
        (None, None) => check("packet-size", Grade::Skipped, "nobody answered who could tell"),
        (None, Some(least)) => check(
            "packet-size",
            Grade::Warning,
            format!("packets of {least} bytes that may not be cut up were lost"),
        )
        .advise("see whether a VPN or tunnel has an MTU below 1280; transfers need as much"),
        (Some(largest), _) if largest < NEEDED_PACKET => {
            check("packet-size", Grade::Warning, format!("packets of more than {largest} bytes are lost"))
                .advise("see whether a VPN or tunnel has an MTU below 1280; transfers need as much")
        }
        (Some(largest), _) => {
            check("packet-size", Grade::Ok, format!("packets of {largest} bytes get through"))
        }
    };
    check.with("largest", packet.largest)
}

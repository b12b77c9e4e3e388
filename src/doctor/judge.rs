//! From what was seen to what it means: checks with grades and advice, and a verdict. Pure.
//!
//! Beside `error`, this is the one place that gives advice.

mod machine;
mod network;

use serde_json::{Map, Value};

use crate::doctor::nat::{Mapping, mapping};
use crate::doctor::observed::{Observed, Place, Relay, Signaling};
use crate::ui::{Check, DOCTOR_VERSION, Grade, Reach, Report};

/// Judges all that was seen of a machine that is to meet on `server`.
pub fn judge(observed: &Observed, server: Option<String>) -> Report {
    let (reach, verdict) = verdict(observed);
    Report {
        version: DOCTOR_VERSION,
        p2pcp: env!("CARGO_PKG_VERSION"),
        server,
        ok: matches!(reach, Reach::Anyone | Reach::Most),
        reach,
        verdict: verdict.to_owned(),
        checks: network::checks(observed).into_iter().chain(machine::checks(observed)).collect(),
    }
}

/// Whether UDP gets out and back, and how its addresses are translated: the better of the two families.
pub(super) fn best_mapping(observed: &Observed) -> Mapping {
    let both = [mapping(&observed.v4), mapping(&observed.v6)];
    let order = [
        Mapping::Untranslated,
        Mapping::EndpointIndependent,
        Mapping::Unknown,
        Mapping::Symmetric,
        Mapping::NoAnswer,
    ];
    // IPv6 that works helps with peers that have it alone, so IPv4 decides where it can.
    match both {
        [v4, _] if !matches!(v4, Mapping::NoAnswer | Mapping::NotChecked) => v4,
        _ => order.into_iter().find(|it| both.contains(it)).unwrap_or(Mapping::NotChecked),
    }
}

fn verdict(observed: &Observed) -> (Reach, &'static str) {
    let visit = match &observed.signaling {
        Signaling::NotConfigured => {
            return (
                Reach::Local,
                "no server is configured: you can send on this machine and on the local network, and not over the internet",
            );
        }
        Signaling::Failed { .. } => {
            return (
                Reach::Local,
                "you cannot send over the internet, because the server cannot be used; with --local you can send on this machine and on the local network",
            );
        }
        Signaling::Works(visit) if visit.place == Place::Here => {
            return (
                Reach::Local,
                "the server is at an address of this machine alone: you can send to whoever uses this machine, and to nobody else",
            );
        }
        Signaling::Works(visit) => visit,
    };
    let relays = [&observed.relay_udp, &observed.relay_tcp, &observed.relay_tls];
    let relayed = relays.into_iter().any(|it| matches!(it, Relay::Works { .. }));
    let private = visit.place == Place::Private;
    match (best_mapping(observed), relayed) {
        (Mapping::NoAnswer, false) => (
            Reach::Local,
            "you cannot send over the internet: UDP does not get through here, and no relay can be used; the local network may work",
        ),
        _ if private => (
            Reach::Some,
            "the server has a private address: you can send to peers who reach that address too, and to nobody else",
        ),
        (Mapping::Untranslated | Mapping::EndpointIndependent, true) => {
            (Reach::Anyone, "you can send to anyone: directly in most cases, else through the relay")
        }
        (Mapping::Symmetric, true) => (
            Reach::Anyone,
            "you can send to anyone: behind this symmetric NAT directly only to peers with a public address or an open NAT, else through the relay",
        ),
        (Mapping::NoAnswer, true) => {
            (Reach::Anyone, "you can send to anyone, always through the relay: UDP does not get through here")
        }
        (Mapping::Unknown | Mapping::NotChecked, true) => {
            (Reach::Anyone, "you can send to anyone: through the relay where it does not work directly")
        }
        (Mapping::Untranslated | Mapping::EndpointIndependent, false) => (
            Reach::Most,
            "you can send to most: not to peers behind a symmetric NAT or without UDP, because no relay can be used",
        ),
        (Mapping::Symmetric, false) => (
            Reach::Some,
            "you can send only to peers with a public address or an open NAT: there is a symmetric NAT here, and no relay can be used",
        ),
        (Mapping::Unknown | Mapping::NotChecked, false) => (
            Reach::Some,
            "whether you can send over the internet is not known: no second STUN server answered, and no relay can be used",
        ),
    }
}

/// A check without facts and advice.
fn check(name: &'static str, grade: Grade, text: impl Into<String>) -> Check {
    Check { name, grade, text: text.into(), advice: None, facts: Map::new() }
}

impl Check {
    /// The check and a fact.
    fn with(mut self, name: &str, fact: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), fact.into());
        self
    }

    /// The check and what to do.
    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

#[cfg(test)]
mod tests;

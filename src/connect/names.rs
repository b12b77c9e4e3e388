//! Candidates with a `.local` name in place of an address, as browsers make them.
//!
//! ICE could resolve them itself, but `webrtc` 0.21 then needs a default route, and fails without. So the name is asked
//! for here, and the candidate goes to ICE with the address.

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;

use crate::lan::names::{Names, is_name};

/// The part of a candidate that holds the address (RFC 8839 §5.1), and those around it that matter here.
const TRANSPORT: usize = 2;
const ADDRESS: usize = 4;
const KIND: usize = 7;

/// A peer's candidates that wait for their addresses.
#[derive(Default)]
pub(super) struct NamedCandidates {
    names: Names,
    /// As text, by name. A browser has one candidate of a name for each interface, and one is enough.
    waiting: HashMap<String, Value>,
}

impl NamedCandidates {
    /// Keeps a candidate that has a name, and asks for it; whether it was one.
    pub(super) fn take(&mut self, candidate: &str) -> bool {
        let Some((name, candidate)) = named(candidate) else { return false };
        if self.names.ask(&name) {
            self.waiting.insert(name, candidate);
        }
        true
    }

    /// The next candidates that have their address now. Waits for ever when there is nothing to wait for. Cancel safe.
    pub(super) async fn next(&mut self) -> Vec<String> {
        loop {
            let Some((name, addresses)) = self.names.next().await else {
                return std::future::pending().await;
            };
            if let Some(candidate) = self.waiting.remove(&name) {
                return addresses.into_iter().filter_map(|it| with_address(&candidate, it)).collect();
            }
        }
    }
}

/// The name in a candidate, in lower case, and the candidate; `None` when it has an address.
fn named(candidate: &str) -> Option<(String, Value)> {
    let init: Value = serde_json::from_str(candidate).ok()?;
    let parts: Vec<&str> = init.get("candidate")?.as_str()?.split(' ').collect();
    let (name, transport, kind) = (parts.get(ADDRESS)?, parts.get(TRANSPORT)?, parts.get(KIND)?);
    let is_named = is_name(name) && transport.eq_ignore_ascii_case("udp") && *kind == "host";
    is_named.then(|| (name.to_ascii_lowercase(), init.clone()))
}

/// The same candidate with an address in place of the name.
fn with_address(init: &Value, address: IpAddr) -> Option<String> {
    let address = address.to_string();
    let text = init.get("candidate")?.as_str()?;
    let parts = text.split(' ').enumerate().map(|(at, it)| if at == ADDRESS { &*address } else { it });
    let text = parts.collect::<Vec<_>>().join(" ");
    let mut init = init.clone();
    *init.get_mut("candidate")? = Value::String(text);
    Some(init.to_string())
}

#[cfg(test)]
mod tests {
    use super::{NamedCandidates, named, with_address};

    const NAMED: &str = r#"{"candidate":"candidate:1 1 udp 2113937151 F7a1-0001.local 50000 typ host generation 0","sdpMid":"0","sdpMLineIndex":0}"#;

    #[test]
    fn a_name_is_replaced_and_nothing_else() {
        let (name, candidate) = named(NAMED).unwrap();
        assert_eq!(name, "f7a1-0001.local");
        let text = with_address(&candidate, [192, 168, 0, 7].into()).unwrap();
        let expect: serde_json::Value =
            serde_json::from_str(&NAMED.replace("F7a1-0001.local", "192.168.0.7")).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expect);
    }

    #[test]
    fn only_host_candidates_over_udp_have_names() {
        for other in [
            NAMED.replace("F7a1-0001.local", "192.168.0.7"),
            NAMED.replace("F7a1-0001.local", "example.org"),
            NAMED.replace("F7a1-0001.local", "a.b.local"),
            NAMED.replace(" udp ", " tcp "),
            NAMED.replace("typ host", "typ srflx"),
            NAMED.replace("candidate:1 1 udp", "candidate:1"),
            "{}".to_owned(),
            r#"{"candidate":7}"#.to_owned(),
            "nonsense".to_owned(),
        ] {
            assert!(named(&other).is_none(), "{other}");
        }
    }

    #[tokio::test]
    async fn a_candidate_with_an_address_is_not_held_up() {
        let mut candidates = NamedCandidates::default();
        assert!(!candidates.take(&NAMED.replace("F7a1-0001.local", "192.168.0.7")));
        assert!(candidates.waiting.is_empty());
    }
}

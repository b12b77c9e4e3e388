//! Addresses behind `.local` names: browsers put such names into their candidates in place of addresses
//! (draft-ietf-mmusic-mdns-ice-candidates-03 §3.2), and whoever is on the same network may ask for them.
//!
//! Invariants:
//! - Nothing is asked before there is a name, which has to be one label of letters, digits and hyphens before `.local`.
//! - At most [`MAX_NAMES`] names are asked for, for 5 s each, and at most [`MAX_ADDRESSES`] addresses of each are told.
//! - What answers is anybody on this network: only addresses of local networks are told, so that nobody can
//!   aim a peer's checks at a stranger.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use mdns_sd::{HostnameResolutionEvent, Receiver, ScopedIp};
use tokio::task::JoinSet;

use crate::lan::multicast::Multicast;

/// Most names of one peer: a browser has one for each of its addresses.
pub const MAX_NAMES: usize = 8;

/// Most addresses of one name.
pub const MAX_ADDRESSES: usize = 2;

/// How long a name is asked for: the question goes out at once, after one second, and after three.
const ASK_FOR: Duration = Duration::from_secs(5);

/// What a name ends with.
const LOCAL: &str = ".local";

/// Longest label of a name (RFC 1035 §2.3.4).
const LABEL_BYTES: usize = 63;

/// Whether a text has the form of a name that is asked for.
pub fn is_name(text: &str) -> bool {
    let Some(at) = text.len().checked_sub(LOCAL.len()).filter(|&at| text.is_char_boundary(at)) else {
        return false;
    };
    let (label, end) = text.split_at(at);
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    end.eq_ignore_ascii_case(LOCAL) && (1..=LABEL_BYTES).contains(&label.len()) && label.bytes().all(is_plain)
}

/// Names that are being asked for; dropping it ends that.
#[derive(Default)]
pub struct Names {
    /// Starts with the first name; `None` inside when there is no way to ask.
    multicast: Option<Option<Multicast>>,
    asked: HashSet<String>,
    answers: JoinSet<(String, Vec<IpAddr>)>,
}

impl Names {
    /// Asks this network for a name, if it is one, was not asked for before, and is not one too many; whether it was
    /// asked for.
    pub fn ask(&mut self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        if !is_name(&name) || self.asked.len() >= MAX_NAMES || !self.asked.insert(name.clone()) {
            return false;
        }
        let start =
            || Multicast::start().inspect_err(|error| log::debug!("names cannot be asked for: {error}")).ok();
        let Some(multicast) = self.multicast.get_or_insert_with(start) else { return false };
        let events = multicast.resolve(&format!("{name}."));
        let asked = events.is_ok();
        if let Ok(events) = events {
            self.answers.spawn(async move {
                let answer = tokio::time::timeout(ASK_FOR, first_answer(events)).await;
                (name, answer.unwrap_or_default())
            });
        }
        asked
    }

    /// The next name that was asked for, and its addresses, if it has any. `None` when no name is being asked for.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<(String, Vec<IpAddr>)> {
        self.answers.join_next().await?.ok()
    }
}

/// The addresses in the first answer that has any.
async fn first_answer(events: Receiver<HostnameResolutionEvent>) -> Vec<IpAddr> {
    while let Ok(event) = events.recv_async().await {
        if let HostnameResolutionEvent::AddressesFound(_, found) = event {
            let addresses = usable(found.iter().map(ScopedIp::to_ip_addr));
            if !addresses.is_empty() {
                return addresses;
            }
        }
    }
    Vec::new()
}

/// What is told of an answer.
fn usable(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<_> = found.filter(|it| is_of_local_network(*it)).collect();
    addresses.sort();
    addresses.truncate(MAX_ADDRESSES);
    addresses
}

/// Addresses that lead nowhere but to local networks: RFC 1918, RFC 3927, RFC 4193, RFC 4291 §2.5.6.
fn is_of_local_network(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_ADDRESSES, MAX_NAMES, Names, is_name, usable};

    #[test]
    fn names_are_one_plain_label_before_local() {
        for name in
            ["f7a1b2c3-0001-4d5e-8f90-123456789abc.local", "A.LOCAL", &format!("{}.local", "x".repeat(63))]
        {
            assert!(is_name(name), "{name}");
        }
        let long = format!("{}.local", "x".repeat(64));
        for text in
            ["", ".local", "local", "a.b.local", "a.local.", "a.example", "a b.local", "ä.local", "é", &long]
        {
            assert!(!is_name(text), "{text}");
        }
    }

    /// It is a stranger who answers.
    #[test]
    fn addresses_outside_of_local_networks_are_not_told() {
        let answer = |addresses: &[&str]| {
            let told = usable(addresses.iter().map(|it| it.parse().unwrap()));
            told.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let strange = ["8.8.8.8", "127.0.0.1", "224.0.0.251", "255.255.255.255", "0.0.0.0", "100.64.0.1"];
        assert!(answer(&strange).is_empty());
        let strange =
            ["::1", "::", "ff02::fb", "2001:db8::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"];
        assert!(answer(&strange).is_empty());
        for local in ["10.0.0.7", "172.16.0.7", "192.168.0.7", "169.254.0.7", "fd00::7", "fe80::7"] {
            assert_eq!(answer(&["8.8.8.8", local]), [local]);
        }
        assert_eq!(answer(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]).len(), MAX_ADDRESSES);
    }

    #[tokio::test]
    async fn a_peer_has_few_names_and_each_is_asked_for_once() {
        // Without a way to ask: nothing leaves a test.
        let mut names = Names { multicast: Some(None), ..Names::default() };
        for number in 0..100 {
            names.ask(&format!("name-{}.local", number / 2));
            names.ask("not a name");
        }
        assert_eq!(names.asked.len(), MAX_NAMES);
        assert_eq!(names.next().await, None);
    }
}

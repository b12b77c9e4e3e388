//! What the answers of STUN servers say about the NAT on the way (RFC 4787 §4, RFC 5780 §4). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::doctor::observed::{Answer, Family, Place};

/// How an address here becomes one there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// No server was there to be asked.
    NotChecked,
    /// Several or one were asked, and none answered.
    NoAnswer,
    /// Not at all.
    Untranslated,
    /// It does, and only one server answered: nobody can compare.
    Unknown,
    /// To the same for all destinations: holes can be punched.
    EndpointIndependent,
    /// To another for each address, or for each address and port: a peer cannot be told which.
    Symmetric,
}

impl Mapping {
    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotChecked => "not-checked",
            Self::NoAnswer => "no-answer",
            Self::Untranslated => "none",
            Self::Unknown => "unknown",
            Self::EndpointIndependent => "endpoint-independent",
            Self::Symmetric => "symmetric",
        }
    }

    /// Whether peers can be told an address at which they reach us.
    pub fn punches(self) -> bool {
        matches!(self, Self::Untranslated | Self::EndpointIndependent)
    }
}

/// How addresses of this family are translated.
///
/// Servers on our side of the NAT see what others do not, so those with public addresses count alone where there are any.
/// Which of the two dependent mappings it is does not matter: neither can be predicted by a peer's address.
pub fn mapping(family: &Family) -> Mapping {
    if family.bindings.is_empty() {
        return Mapping::NotChecked;
    }
    let answers: Vec<(Place, Answer)> =
        family.bindings.iter().filter_map(|it| Some((place(it.server.ip()), it.answer?))).collect();
    let from = |place| answers.iter().filter(move |it| it.0 == place).map(|it| it.1).collect::<Vec<_>>();
    let sides = [from(Place::Public), from(Place::Private), from(Place::Here)];
    let Some(answers) = sides.into_iter().find(|it| !it.is_empty()) else {
        return Mapping::NoAnswer;
    };
    let mut translated = answers.iter().filter(|it| it.mapped != it.local);
    match (translated.next(), translated.count(), answers.len()) {
        (None, _, _) => Mapping::Untranslated,
        (Some(_), _, 1) => Mapping::Unknown,
        (Some(first), _, _) if answers.iter().all(|it| it.mapped == first.mapped) => {
            Mapping::EndpointIndependent
        }
        (Some(_), _, _) => Mapping::Symmetric,
    }
}

/// Where an address is, seen from a machine on the internet.
pub fn place(address: IpAddr) -> Place {
    match address.to_canonical() {
        address if address.is_loopback() => Place::Here,
        IpAddr::V4(v4) if v4.is_private() || v4.is_link_local() || is_shared(v4) => Place::Private,
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Place::Private,
        IpAddr::V4(_) | IpAddr::V6(_) => Place::Public,
    }
}

/// The addresses of providers' own NATs (RFC 6598).
fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && (64..128).contains(&second)
}

/// Whether an address is in 2000::/3, where the internet is.
pub fn is_global(address: Ipv6Addr) -> bool {
    address.segments().first().is_some_and(|it| it & 0xe000 == 0x2000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::doctor::nat::{Mapping, is_global, mapping, place};
    use crate::doctor::observed::{Answer, Binding, Family, Place};

    const LOCAL: &str = "192.168.1.7:5000";

    /// Servers, and the address that each saw, if it answered.
    fn family(servers: &[(&str, &str)]) -> Family {
        let binding = |(server, mapped): &(&str, &str)| Binding {
            server: server.parse().unwrap(),
            answer: (!mapped.is_empty()).then(|| Answer {
                mapped: mapped.parse().unwrap(),
                local: LOCAL.parse().unwrap(),
                after: Duration::from_millis(5),
            }),
        };
        Family { bindings: servers.iter().map(binding).collect(), ..Family::default() }
    }

    #[test]
    fn what_servers_see_tells_the_mapping() {
        let (a1, a2, b) = ("198.51.100.1:8091", "198.51.100.1:8092", "203.0.113.1:3478");
        let lan = "192.168.1.2:8091";
        let (x, y, z) = ("192.0.2.1:5000", "192.0.2.1:61000", "192.0.2.2:5000");
        for (servers, expect) in [
            (&[][..], Mapping::NotChecked),
            (&[(a1, ""), (b, "")], Mapping::NoAnswer),
            (&[(a1, LOCAL)], Mapping::Untranslated),
            (&[(a1, LOCAL), (b, LOCAL), (a2, "")], Mapping::Untranslated),
            (&[(a1, x)], Mapping::Unknown),
            (&[(a1, x), (b, "")], Mapping::Unknown),
            (&[(a1, x), (a2, x)], Mapping::EndpointIndependent),
            (&[(a1, x), (a2, x), (b, x)], Mapping::EndpointIndependent),
            (&[(a1, x), (a2, y)], Mapping::Symmetric),
            // By address alone, which two ports of one server do not show.
            (&[(a1, x), (a2, x), (b, y)], Mapping::Symmetric),
            // A NAT with several public addresses that changes between them.
            (&[(a1, x), (b, z)], Mapping::Symmetric),
            // Two ways out of a machine, one with a NAT: a peer cannot know which.
            (&[(a1, LOCAL), (b, y)], Mapping::Symmetric),
            // A server on our side of the NAT is no witness of what is outside.
            (&[(lan, LOCAL), (a1, x), (b, x)], Mapping::EndpointIndependent),
            (&[(lan, LOCAL), (a1, x)], Mapping::Unknown),
            (&[(lan, LOCAL), (a1, "")], Mapping::Untranslated),
            (&[("127.0.0.1:8091", "127.0.0.1:5000"), (lan, LOCAL)], Mapping::Untranslated),
        ] {
            assert_eq!(mapping(&family(servers)), expect, "{servers:?}");
        }
    }

    #[test]
    fn places_of_addresses_are_known() {
        for (address, expect) in [
            ("127.0.0.1", Place::Here),
            ("::1", Place::Here),
            ("::ffff:127.0.0.1", Place::Here),
            ("10.1.2.3", Place::Private),
            ("192.168.0.1", Place::Private),
            ("169.254.1.1", Place::Private),
            ("100.64.0.1", Place::Private),
            ("100.127.255.255", Place::Private),
            ("100.128.0.1", Place::Public),
            ("fd00::1", Place::Private),
            ("fe80::1", Place::Private),
            ("198.18.0.10", Place::Public),
            ("2001:db8::1", Place::Public),
        ] {
            assert_eq!(place(address.parse().unwrap()), expect, "{address}");
        }
        assert!(is_global("2001:db8::1".parse().unwrap()));
        assert!(!is_global("fd00::1".parse().unwrap()) && !is_global("fe80::1".parse().unwrap()));
    }
}

//! Which addresses a stranger's word may send packets to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv6 address that only wraps an IPv4 one as that one; others as they are.
///
/// Mapped (RFC 4291 §2.5.5.2), NAT64 (RFC 6052 §2.1, RFC 8215), 6to4 (RFC 3056 §2) and Teredo (RFC 4380 §4,
/// where the client's address is inverted) lead to an IPv4 address, or past a translator that may lead to it.
pub fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 1, _, _, _, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        [0x2001, 0, _, _, _, _, high, low] => v4(!high, !low),
        _ => address,
    }
}

/// Whether one machine of this network or of the internet may have this address.
///
/// Loopback is not among them: it is this machine. Multicast, broadcast, unspecified and reserved addresses (RFC 6890,
/// 240.0.0.0/4 too) are nobody's, and an address that wraps one of these is as bad. Private ones may be.
pub fn is_of_one_machine(address: IpAddr) -> bool {
    match unwrapped(address) {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            // 0/8 is "this network"; 224/4 is multicast and all above it reserved, broadcast included.
            !v4.is_loopback() && first != 0 && first < 224
        }
        IpAddr::V6(v6) => {
            // ::/96 has loopback, unspecified, and the long deprecated IPv4-compatible addresses.
            // 100::/64 leads nowhere (RFC 6666), and the tunnels of `transport` have addresses there.
            !matches!(v6.segments(), [0, 0, 0, 0, 0, 0, _, _] | [0x100, 0, 0, 0, ..]) && !v6.is_multicast()
        }
    }
}

/// Whether an address is one that routers of the internet do not carry: private (RFC 1918), shared (RFC 6598),
/// link-local, or unique local (RFC 4193).
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || is_link_local(v6),
    }
}

/// fe80::/10, which means something on one link only (RFC 4291 §2.5.6).
pub fn is_link_local(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_machine_are_told_from_those_of_none_and_of_this_one() {
        for one in [
            "192.168.1.7",
            "10.0.0.1",
            "100.64.1.1",
            "169.254.7.7",
            "203.0.113.9",
            "223.255.255.255",
            "8.8.8.8",
            "2001:db8::1",
            "fe80::1",
            "fd00::1",
            "100:0:0:1::1",
            "::ffff:192.168.1.7",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(is_of_one_machine(one.parse().unwrap()), "{one}");
        }
        for none in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::10.0.0.1",
            "ff02::1",
            "ff0e::1",
            "::ffff:127.0.0.1",
            "::ffff:224.0.0.251",
            "::ffff:0.0.0.0",
            "::ffff:255.255.255.255",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::127.0.0.1",
            "64:ff9b:1:7:7:7:7f00:1",
            "2002:7f00:1::1",
            "2002:e000:1::1",
            "2002::1",
            "2001::80ff:fffe",
            "64:ff9b::240.0.0.1",
            "100::1",
        ] {
            assert!(!is_of_one_machine(none.parse().unwrap()), "{none}");
        }
    }

    #[test]
    fn private_addresses_are_those_that_the_internet_does_not_carry() {
        for (address, private) in [
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("192.168.0.1", true),
            ("100.127.0.1", true),
            ("169.254.1.1", true),
            ("fd12::1", true),
            ("fe80::1", true),
            ("100.128.0.1", false),
            ("172.32.0.1", false),
            ("203.0.113.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
    }
}

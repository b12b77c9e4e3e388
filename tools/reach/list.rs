//! The scenarios: what each builds, gives to both sides, and expects.

use crate::lab::Host;
use crate::servers::Door;

/// How a scenario has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Direct,
    Relayed,
    RelayedThenDirect,
    /// No transfer, and these words on one of the sides.
    Refusal(&'static str),
}

/// What else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    Nothing,
    /// The line to the internet is cut before the transfer begins.
    Unplugged,
    /// Packets at the receiver and at the server are searched for addresses of the sender, which have to be
    /// hidden, or else to be found.
    Searched {
        hidden: bool,
    },
    /// coturn runs beside our server.
    Coturn,
    /// The direct path is closed at first, and opens while bytes flow.
    Opened,
}

/// One network and one transfer through it.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    /// What `netlab.sh up` is given.
    pub lab: &'static str,
    pub door: Door,
    /// Where the server listens; no server if empty.
    pub listen: &'static str,
    /// What it is given beside.
    pub serve: &'static str,
    /// By which host both sides look for it; they have none if empty.
    pub meet: &'static str,
    pub hosts: (Host, Host),
    pub send: &'static str,
    pub send_environment: &'static [(&'static str, &'static str)],
    pub recv: &'static str,
    pub recv_environment: &'static [(&'static str, &'static str)],
    pub expect: Expect,
    /// What `recv` has to say of the path.
    pub says: &'static str,
    /// Longest time to the first byte, in seconds.
    pub limit: f64,
    pub beside: Beside,
}

const BASE: Scenario = Scenario {
    name: "",
    about: "",
    lab: "nat",
    door: Door::Plain,
    listen: "198.18.0.10",
    serve: "",
    meet: "198.18.0.10",
    hosts: (Host::A, Host::B),
    send: "",
    send_environment: &[],
    recv: "",
    recv_environment: &[],
    expect: Expect::Direct,
    says: "",
    limit: 3.0,
    beside: Beside::Nothing,
};

const SYMMETRIC: &str = "nat --nat-a symmetric --nat-b symmetric";
const NAMED_A_DEAD: &str = "nat --ipv6 --name pub.netlab=198.18.0.99,2001:db8::10";
const NAMED_AAAA_DEAD: &str = "nat --ipv6 --name pub.netlab=2001:db8::99,198.18.0.10";
const DEAD_TURN: &[(&str, &str)] = &[(
    "TURN_SERVERS",
    "turn:me:secret@198.18.0.99:3478,turn:me:secret@198.18.0.99:3478?transport=tcp,turns:me:secret@turn.invalid",
)];
const COTURN_UDP: &[(&str, &str)] = &[("TURN_SERVERS", "turn:me:secret@198.18.0.10:3478?transport=udp")];
const COTURN_TCP: &[(&str, &str)] = &[("TURN_SERVERS", "turn:me:secret@198.18.0.10:3478?transport=tcp")];
const HTTP_PROXY_A: &[(&str, &str)] = &[("HTTPS_PROXY", "http://192.168.11.1:3128")];
const SOCKS_PROXY_A: &[(&str, &str)] = &[("ALL_PROXY", "socks5h://192.168.11.1:3128")];
const SOCKS_PROXY_B: &[(&str, &str)] = &[("ALL_PROXY", "socks5h://192.168.12.1:3128")];

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "same-host",
        about: "two processes of one host behind a NAT",
        hosts: (Host::A, Host::A),
        says: "direct on this machine",
        ..BASE
    },
    Scenario {
        name: "same-nat",
        about: "two hosts of one network behind one NAT",
        lab: "home",
        says: "direct over LAN",
        ..BASE
    },
    Scenario {
        name: "two-networks",
        about: "two networks of one router, which forwards between them",
        lab: "home --lans two",
        ..BASE
    },
    Scenario {
        name: "hairpin",
        about: "networks kept apart behind one NAT that turns packets round",
        lab: "home --lans isolated --hairpin",
        ..BASE
    },
    Scenario {
        name: "no-hairpin",
        about: "networks kept apart behind one NAT that does not",
        lab: "home --lans isolated",
        expect: Expect::Relayed,
        ..BASE
    },
    Scenario {
        name: "lan-alone",
        about: "one network, no internet, no server",
        lab: "home",
        listen: "",
        meet: "",
        says: "direct over LAN",
        beside: Beside::Unplugged,
        ..BASE
    },
    Scenario {
        name: "ipv6-only",
        about: "hosts that have no IPv4",
        lab: "nat --ipv6-only",
        listen: "2001:db8::10",
        meet: "[2001:db8::10]",
        says: "direct over IPv6",
        ..BASE
    },
    Scenario {
        name: "ipv6-beside",
        about: "IPv6 behind firewalls, beside IPv4 behind symmetric NATs",
        lab: "nat --nat-a symmetric --nat-b symmetric --ipv6",
        listen: "::",
        says: "direct over IPv6",
        ..BASE
    },
    Scenario {
        name: "ipv6-to-ipv4",
        about: "one host has IPv6 only, the other IPv4 only; the server has both, and a name",
        lab: "nat --only-a ipv6 --only-b ipv4 --name pub.netlab=198.18.0.10,2001:db8::10",
        listen: "::",
        meet: "pub.netlab",
        expect: Expect::Relayed,
        ..BASE
    },
    Scenario {
        name: "a-dead",
        about: "a server with A and AAAA, of which A leads nowhere",
        lab: NAMED_A_DEAD,
        listen: "::",
        meet: "pub.netlab",
        ..BASE
    },
    Scenario {
        name: "aaaa-dead",
        about: "a server with A and AAAA, of which AAAA leads nowhere",
        lab: NAMED_AAAA_DEAD,
        listen: "::",
        meet: "pub.netlab",
        ..BASE
    },
    Scenario {
        name: "dead-stun",
        about: "STUN servers that are named and do not answer, or do not exist",
        send_environment: &[("STUN_SERVERS", "198.18.0.99:3478,stun.invalid:3478")],
        recv_environment: &[("STUN_SERVERS", "198.18.0.99:3478,stun.invalid:3478")],
        says: "direct through both NATs",
        ..BASE
    },
    Scenario {
        name: "dead-turn",
        about: "TURN servers that are named and do not answer, where a path is direct",
        send_environment: DEAD_TURN,
        recv_environment: DEAD_TURN,
        ..BASE
    },
    Scenario {
        name: "dead-turn-relayed",
        about: "the same where the server's own relay is needed",
        lab: SYMMETRIC,
        send_environment: DEAD_TURN,
        recv_environment: DEAD_TURN,
        expect: Expect::Relayed,
        ..BASE
    },
    Scenario {
        name: "interfaces",
        about: "20 interfaces and docker's on both hosts",
        lab: "nat --with-a dummies,docker --with-b dummies,docker",
        says: "direct through both NATs",
        ..BASE
    },
    Scenario {
        name: "interface",
        about: "one of them is named",
        lab: "nat --with-a dummies,docker --with-b dummies,docker",
        send: "--interface lan0",
        recv: "--interface lan0",
        says: "direct through both NATs",
        ..BASE
    },
    Scenario {
        name: "vpn",
        about: "a VPN that is dead has taken the route to the other host",
        lab: "nat --with-a vpn,docker",
        expect: Expect::Relayed,
        ..BASE
    },
    Scenario {
        name: "proxy-http",
        about: "an HTTP proxy is the only way out for one side",
        lab: "nat --nat-a proxy-only",
        door: Door::Tls,
        send_environment: HTTP_PROXY_A,
        expect: Expect::Relayed,
        ..BASE
    },
    Scenario {
        name: "proxy-socks",
        about: "a SOCKS5 proxy is the only way out for both sides",
        lab: "nat --nat-a proxy-only --nat-b proxy-only",
        send_environment: SOCKS_PROXY_A,
        recv_environment: SOCKS_PROXY_B,
        expect: Expect::Relayed,
        ..BASE
    },
    Scenario {
        name: "relay-only",
        about: "the sender hides its addresses: none in a capture at the receiver, nor at the server",
        send: "--relay-only",
        expect: Expect::Relayed,
        beside: Beside::Searched { hidden: true },
        ..BASE
    },
    Scenario {
        name: "not-hidden",
        about: "the same without hiding: the captures do show addresses",
        beside: Beside::Searched { hidden: false },
        ..BASE
    },
    Scenario {
        name: "no-relay",
        about: "the sender hides its addresses, and the server has no relay",
        serve: "--no-relay",
        send: "--relay-only",
        expect: Expect::Refusal("hint:"),
        ..BASE
    },
    Scenario {
        name: "direct-only",
        about: "no relay is wanted and none is needed",
        send: "--direct-only",
        recv: "--direct-only",
        ..BASE
    },
    Scenario {
        name: "direct-only-symmetric",
        about: "no relay is wanted and one is needed",
        lab: SYMMETRIC,
        send: "--direct-only",
        recv: "--direct-only",
        expect: Expect::Refusal("hint:"),
        ..BASE
    },
    Scenario {
        name: "better-path",
        about: "relayed at first; then the direct path opens, and takes over",
        lab: "nat --rate 40",
        expect: Expect::RelayedThenDirect,
        beside: Beside::Opened,
        ..BASE
    },
    Scenario {
        name: "coturn-udp",
        about: "through coturn instead of our relay",
        lab: SYMMETRIC,
        serve: "--no-relay",
        send_environment: COTURN_UDP,
        recv_environment: COTURN_UDP,
        expect: Expect::Relayed,
        beside: Beside::Coturn,
        ..BASE
    },
    Scenario {
        name: "coturn-tcp",
        about: "through coturn over TCP, UDP blocked on both sides",
        lab: "nat --nat-a udp-blocked --nat-b udp-blocked",
        serve: "--no-relay",
        send_environment: COTURN_TCP,
        recv_environment: COTURN_TCP,
        expect: Expect::Relayed,
        limit: 2.5,
        beside: Beside::Coturn,
        ..BASE
    },
];

/// Those that are part of the short run.
pub const SHORT: &[&str] = &[
    "same-host",
    "same-nat",
    "no-hairpin",
    "lan-alone",
    "ipv6-beside",
    "a-dead",
    "interfaces",
    "proxy-http",
    "relay-only",
    "not-hidden",
];

//! STUN and TURN servers: named by the user or offered by the signaling server, looked up while the peers
//! meet, so that one that is not there costs no waiting.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::signaling::ServerUrl;
use crate::transport::peer::{Grounds, Policy, Reach, StreamRelay};
use crate::wire::address::is_of_one_machine;
use crate::wire::ice::{IceKind, IceUrl, SAME_HOST, TurnServer};
use crate::wire::signaling::IceServer;

/// How much longer to wait for names, once everything else is ready and none was found.
const PATIENCE: Duration = Duration::from_millis(200);

/// The same when some were found: whoever answered no name in all that time is not worth more.
const SHORT_PATIENCE: Duration = Duration::from_millis(20);

/// Most servers of the user's own that are asked, and most URLs of a signaling server's that are read.
const MAX_SERVERS: usize = 8;

/// Most addresses of one name that are asked, one of each family.
const MAX_ADDRESSES: usize = 2;

/// Longest user name or password that is taken from a signaling server (RFC 8489 §14.3).
const MAX_CREDENTIAL_BYTES: usize = 508;

/// Look-ups under way; dropping it ends them.
pub struct IceServers {
    policy: Policy,
    lookups: JoinSet<Vec<Found>>,
}

/// A server with its address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// Over UDP; for relays with the name and the address that it has.
    Datagrams(IceServer, Option<(IpAddr, String)>),
    /// Over a stream.
    Stream(StreamRelay),
}

/// A server that is to be looked up. It has no `Debug`, as it has credentials.
#[derive(Clone)]
struct Wanted {
    url: IceUrl,
    credentials: Option<(String, String)>,
    /// Whether it may be on this very machine.
    may_be_here: bool,
}

impl IceServers {
    /// Starts to look up STUN servers, each `host`, `host:port` or either behind `stun:`, and TURN servers.
    pub fn look_up(policy: Policy, stun: &[String], turn: &[TurnServer]) -> Self {
        let mut all = Self { policy, lookups: JoinSet::new() };
        let stun = stun.iter().filter_map(|it| IceUrl::stun(it.trim()).ok()).map(|url| (url, None));
        let turn = turn.iter().map(|it| (it.url.clone(), Some((it.username.clone(), it.password.clone()))));
        for (url, credentials) in turn.chain(stun).take(MAX_SERVERS) {
            all.start(Wanted { url, credentials, may_be_here: true });
        }
        all
    }

    /// Takes in what the signaling server offers. What it says is data of a stranger: it may name a server
    /// anywhere, but on this machine only if it is there itself.
    pub(super) fn add(&mut self, offered: &[IceServer], server: Option<&ServerUrl>) {
        let urls = offered.iter().flat_map(|it| it.urls.iter().map(move |url| (it, url)));
        for (offer, url) in urls.take(MAX_SERVERS) {
            if let Some(wanted) = wanted(offer, url, server) {
                self.start(wanted);
            }
        }
    }

    fn start(&mut self, wanted: Wanted) {
        let fits = match self.policy {
            Policy::Any => true,
            Policy::RelayOnly => wanted.url.kind.relays(),
            Policy::DirectOnly => !wanted.url.kind.relays(),
        };
        if fits {
            self.lookups.spawn(find(wanted));
        }
    }

    /// What was found so far, waiting a moment for the rest.
    pub(super) async fn found(&mut self, interfaces: Vec<String>) -> Grounds {
        let mut found: Vec<Found> = Vec::new();
        let begun = Instant::now();
        loop {
            // The look-ups of a server's offer may have begun a moment ago, and need no more than that; those of names may hang.
            let patience = if found.is_empty() { PATIENCE } else { SHORT_PATIENCE };
            match tokio::time::timeout_at(begun + patience, self.lookups.join_next()).await {
                Ok(Some(result)) => found.extend(result.unwrap_or_default()),
                Ok(None) | Err(_) => break,
            }
        }
        let mut grounds = Grounds::new(Reach::Everywhere, Vec::new());
        (grounds.policy, grounds.interfaces) = (self.policy, interfaces);
        for found in found {
            match found {
                Found::Datagrams(server, name) => {
                    if !grounds.ice_servers.contains(&server) {
                        grounds.ice_servers.push(server);
                        grounds.relay_names.extend(name);
                    }
                }
                Found::Stream(relay) => {
                    grounds
                        .relay_names
                        .extend(relay.addresses.iter().map(|it| (it.ip(), relay.host.clone())));
                    grounds.stream_relays.push(relay);
                }
            }
        }
        grounds
    }
}

/// A URL of an offer, if it is one that may be used.
fn wanted(offer: &IceServer, url: &str, server: Option<&ServerUrl>) -> Option<Wanted> {
    let mut url: IceUrl = url.parse().ok()?;
    let credentials = match (url.kind.relays(), &offer.username, &offer.credential) {
        (false, ..) => None,
        (true, Some(name), Some(password)) if is_fit(name) && is_fit(password) => {
            Some((name.clone(), password.clone()))
        }
        (true, ..) => return None,
    };
    let host = server.map(ServerUrl::host_name);
    let same = url.host == SAME_HOST;
    if same {
        url.host = host.clone()?;
    }
    let may_be_here = same || host.is_some_and(|it| is_loopback(&it));
    Some(Wanted { url, credentials, may_be_here })
}

fn is_fit(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_CREDENTIAL_BYTES
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

async fn find(wanted: Wanted) -> Vec<Found> {
    let Wanted { url, credentials, may_be_here } = wanted;
    let resolved = tokio::net::lookup_host((url.host.as_str(), url.port)).await;
    let mut addresses: Vec<SocketAddr> = resolved.into_iter().flatten().collect();
    addresses.retain(|it| {
        let ip = it.ip().to_canonical();
        is_of_one_machine(ip) || (may_be_here && ip.is_loopback())
    });
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.dedup_by_key(|it| it.is_ipv6());
    addresses.truncate(MAX_ADDRESSES);
    let tls = match url.kind {
        IceKind::Stun | IceKind::TurnUdp => None,
        IceKind::TurnTcp => Some(false),
        IceKind::TurnTls => Some(true),
    };
    match (tls, credentials) {
        // An address that may not be sent to is no name that a proxy knows.
        (Some(_), Some(_)) if addresses.is_empty() && url.address().is_some() => Vec::new(),
        // A proxy may know the name, so no address is no end.
        (Some(tls), Some(credentials)) => {
            let IceUrl { host, port, .. } = url;
            vec![Found::Stream(StreamRelay { host, addresses, port, tls, credentials })]
        }
        (Some(_), None) => Vec::new(),
        (None, credentials) => {
            let (username, credential) = credentials.unzip();
            let server = |address: SocketAddr| {
                let at = IceUrl { host: address.ip().to_string(), ..url.clone() };
                let (username, credential) = (username.clone(), credential.clone());
                let name = at.kind.relays().then(|| (address.ip(), url.host.clone()));
                Found::Datagrams(IceServer { urls: vec![at.to_string()], username, credential }, name)
            };
            addresses.into_iter().map(server).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(urls: &[&str], credentials: Option<(&str, &str)>) -> IceServer {
        IceServer {
            urls: urls.iter().map(|it| (*it).to_owned()).collect(),
            username: credentials.map(|it| it.0.to_owned()),
            credential: credentials.map(|it| it.1.to_owned()),
        }
    }

    async fn found(policy: Policy, offered: &[IceServer], server: &str) -> Grounds {
        let mut servers = IceServers::look_up(policy, &[], &[]);
        servers.add(offered, Some(&server.parse().unwrap()));
        servers.found(Vec::new()).await
    }

    fn urls(grounds: &Grounds) -> Vec<String> {
        let mut urls: Vec<_> = grounds.ice_servers.iter().map(|it| it.urls.concat()).collect();
        urls.sort_unstable();
        urls
    }

    const ME: Option<(&str, &str)> = Some(("me", "secret"));

    #[tokio::test]
    async fn addresses_need_no_resolver_and_nonsense_is_left_out() {
        let stun = ["stun:127.0.0.1:9".to_owned(), "not a name".to_owned()];
        let turn = ["turn:me:secret@192.0.2.1".parse().unwrap()];
        let found = IceServers::look_up(Policy::Any, &stun, &turn).found(Vec::new()).await;
        assert_eq!(urls(&found), ["stun:127.0.0.1:9", "turn:192.0.2.1:3478?transport=udp"]);
        assert_eq!(found.relay_names, [("192.0.2.1".parse().unwrap(), "192.0.2.1".to_owned())]);
    }

    #[tokio::test]
    async fn the_host_of_the_server_stands_where_it_says_so() {
        let offered = [
            offer(&["stun:_:8091", "stun:_:8092"], None),
            offer(&["turn:_:8091?transport=udp", "turn:_:8091?transport=tcp", "turns:_:443"], ME),
        ];
        let found = found(Policy::Any, &offered, "ws://127.0.0.1:8091").await;
        let expect = ["stun:127.0.0.1:8091", "stun:127.0.0.1:8092", "turn:127.0.0.1:8091?transport=udp"];
        assert_eq!(urls(&found), expect);
        let streams: Vec<_> = found.stream_relays.iter().map(|it| (it.port, it.tls)).collect();
        assert_eq!(streams.len(), 2);
        assert!(streams.contains(&(8091, false)) && streams.contains(&(443, true)));
        let turn = found.ice_servers.iter().find(|it| it.urls[0].starts_with("turn")).unwrap();
        assert_eq!((turn.username.as_deref(), turn.credential.as_deref()), (Some("me"), Some("secret")));
    }

    #[tokio::test]
    async fn a_server_elsewhere_cannot_name_this_machine_or_nobody() {
        for host in ["127.0.0.1", "[::1]", "224.0.0.1", "0.0.0.0", "255.255.255.255", "[::ffff:127.0.0.1]"] {
            let turn = ["turn:HOST", "turn:HOST:22?transport=tcp", "turns:HOST:443"];
            let turn = turn.map(|it| it.replace("HOST", host));
            let turn = turn.each_ref().map(String::as_str);
            let offered = [offer(&[&format!("stun:{host}:3478")], None), offer(&turn, ME)];
            let found = found(Policy::Any, &offered, "192.0.2.1").await;
            assert_eq!(urls(&found), [""; 0], "{host}");
            assert!(found.stream_relays.is_empty(), "{found:?}");
        }
        let offered = [offer(&["stun:127.0.0.1:3478"], None)];
        assert_eq!(urls(&found(Policy::Any, &offered, "127.0.0.1").await).len(), 1);
    }

    #[tokio::test]
    async fn an_offer_is_read_in_part_only() {
        let many: Vec<String> = (1..100).map(|port| format!("stun:192.0.2.1:{port}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(
            found(Policy::Any, &[offer(&many, None)], "192.0.2.1").await.ice_servers.len(),
            MAX_SERVERS
        );
        let long = "x".repeat(MAX_CREDENTIAL_BYTES + 1);
        for credentials in [None, Some(("", "x")), Some(("x", "")), Some((long.as_str(), "x"))] {
            let offered = [offer(&["turn:192.0.2.1"], credentials)];
            assert!(!found(Policy::Any, &offered, "192.0.2.1").await.has_relay());
        }
    }

    #[tokio::test]
    async fn a_policy_leaves_out_the_servers_that_it_has_no_use_for() {
        let offered = [offer(&["stun:_:1"], None), offer(&["turn:_:1", "turn:_:1?transport=tcp"], ME)];
        let only = found(Policy::RelayOnly, &offered, "192.0.2.1").await;
        assert_eq!((urls(&only).len(), only.stream_relays.len()), (1, 1));
        assert!(only.has_relay());
        let direct = found(Policy::DirectOnly, &offered, "192.0.2.1").await;
        assert_eq!(urls(&direct), ["stun:192.0.2.1:1"]);
        assert!(!direct.has_relay());
    }
}

//! The STUN and TURN servers that are looked at: what the person named and what the signaling server offers, as addresses.
//!
//! What a server offers is bounded, and may not point our packets at this machine or at everybody.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time;

use crate::doctor::stun::Login;
use crate::wire::address::is_of_one_machine;
use crate::wire::ice::{IceKind, IceUrl, SAME_HOST, TurnServer};
use crate::wire::signaling::IceServer;

/// Most servers of each of the two sources.
const MOST: usize = 8;

/// A server, and who we are there.
pub(super) struct Place {
    pub(super) url: IceUrl,
    pub(super) login: Option<Login>,
    /// Whether it may be on this very machine.
    may_be_here: bool,
}

impl Place {
    /// Servers that a person named, which may be anywhere. What is no server is left out, as for transfers.
    pub(super) fn typed(stun: &[String], turn: &[TurnServer]) -> Vec<Self> {
        let relays = turn.iter().map(|it| {
            let login = Login { username: it.username.clone(), password: it.password.clone() };
            Self { url: it.url.clone(), login: Some(login), may_be_here: true }
        });
        let stun = stun.iter().filter_map(|it| IceUrl::stun(it.trim()).ok());
        let stun = stun.map(|url| Self { url, login: None, may_be_here: true });
        relays.take(MOST).chain(stun.take(MOST)).collect()
    }

    /// Servers that a signaling server offers, which was reached as `host`; `here` says that it is on this machine.
    pub(super) fn offered(servers: &[IceServer], host: &str, here: bool) -> Vec<Self> {
        let urls = servers.iter().flat_map(|it| it.urls.iter().map(move |url| (it, url)));
        let place = |(server, url): (&IceServer, &String)| {
            let mut url: IceUrl = url.parse().ok()?;
            if url.host == SAME_HOST {
                host.clone_into(&mut url.host);
            }
            let login = server.username.clone().zip(server.credential.clone());
            let login = login.map(|(username, password)| Login { username, password });
            Some(Self { url, login, may_be_here: here })
        };
        urls.filter_map(place).take(MOST).collect()
    }

    /// Its addresses that packets may be sent to, one of each family. A name may take so long.
    pub(super) async fn addresses(&self, patience: Duration) -> Vec<SocketAddr> {
        addresses_of(self.url.clone(), self.may_be_here, patience).await
    }
}

async fn addresses_of(url: IceUrl, may_be_here: bool, patience: Duration) -> Vec<SocketAddr> {
    let look_up = tokio::net::lookup_host((url.host.as_str(), url.port));
    let found: Vec<SocketAddr> = match time::timeout(patience, look_up).await {
        Ok(Ok(found)) => found.filter(|it| is_fair(it.ip(), may_be_here)).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    let first = |v4: bool| found.iter().copied().find(|it| it.is_ipv4() == v4);
    first(true).into_iter().chain(first(false)).collect()
}

/// The addresses of the STUN servers among these, in their order.
pub(super) async fn stun_addresses(places: &[Place], patience: Duration) -> Vec<SocketAddr> {
    let mut look_ups = JoinSet::new();
    for (at, place) in places.iter().filter(|it| it.url.kind == IceKind::Stun).enumerate() {
        let (url, may_be_here) = (place.url.clone(), place.may_be_here);
        look_ups.spawn(async move { (at, addresses_of(url, may_be_here, patience).await) });
    }
    let mut found = look_ups.join_all().await;
    found.sort_by_key(|it| it.0);
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.into_iter().flat_map(|it| it.1) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

fn is_fair(address: IpAddr, may_be_here: bool) -> bool {
    is_of_one_machine(address) || (may_be_here && address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::doctor::places::{Place, stun_addresses};
    use crate::wire::ice::IceKind;
    use crate::wire::signaling::IceServer;

    /// Addresses are not looked up; only a failing test waits so long.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn offer(urls: &[&str]) -> [IceServer; 1] {
        let urls = urls.iter().map(|it| (*it).to_owned()).collect();
        [IceServer { urls, username: Some("u".to_owned()), credential: Some("p".to_owned()) }]
    }

    #[test]
    fn an_offer_is_bounded_and_the_servers_own_name_is_filled_in() {
        let urls = vec!["turn:_:1000?transport=udp"; 100];
        let places = Place::offered(&offer(&urls), "host.example", false);
        assert_eq!(places.len(), 8);
        assert!(places.iter().all(|it| it.url.host == "host.example" && it.url.kind == IceKind::TurnUdp));
        assert!(places.iter().all(|it| it.login.as_ref().is_some_and(|it| it.username == "u")));
        assert!(Place::offered(&offer(&["http://x", ""]), "host", false).is_empty());
    }

    #[test]
    fn what_a_person_names_is_read_as_for_transfers() {
        let stun = ["stun.example.org", "stun:192.0.2.1:99", "not a name"].map(str::to_owned);
        let turn = ["turn:u:p@192.0.2.2:3478?transport=tcp".parse().unwrap()];
        let places = Place::typed(&stun, &turn);
        let kinds: Vec<IceKind> = places.iter().map(|it| it.url.kind).collect();
        assert_eq!(kinds, [IceKind::TurnTcp, IceKind::Stun, IceKind::Stun]);
    }

    #[tokio::test]
    async fn nobody_is_told_to_talk_to_himself_or_to_everybody() {
        for (url, far, here) in [
            ("stun:192.0.2.1:1", 1, 1),
            ("stun:127.0.0.1:1", 0, 1),
            ("stun:[::ffff:127.0.0.1]:1", 0, 1),
            ("stun:224.0.0.1:1", 0, 0),
            ("stun:[ff02::1]:1", 0, 0),
            ("stun:0.0.0.0:1", 0, 0),
            ("stun:255.255.255.255:1", 0, 0),
        ] {
            for (may_be_here, expect) in [(false, far), (true, here)] {
                let places = Place::offered(&offer(&[url]), "host", may_be_here);
                assert_eq!(stun_addresses(&places, PATIENCE).await.len(), expect, "{url}, {may_be_here}");
            }
        }
    }

    #[tokio::test]
    async fn addresses_keep_the_order_of_their_places() {
        let urls = ["stun:192.0.2.2:1", "turn:192.0.2.3:1", "stun:192.0.2.1:2", "stun:192.0.2.2:1"];
        let found = stun_addresses(&Place::offered(&offer(&urls), "host", false), PATIENCE).await;
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.2:1", "192.0.2.1:2"]);
    }
}

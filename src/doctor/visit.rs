//! A visit to the signaling server: a room is opened and joined by ourselves, which shows that all of it works and brings the
//! credentials for the relay. Both seats are empty a moment later, and nobody else was ever told the number.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{self, Instant};

use crate::dial::{Dialer, Host};
use crate::doctor::nat;
use crate::doctor::observed::{Place, Signaling, Visit};
use crate::error::Error;
use crate::signaling::{ServerUrl, Signaling as Connection, SignalingClientError};
use crate::wire::signaling::IceServer;

/// How long the whole visit may take.
const PATIENCE: Duration = Duration::from_millis(2_200);

/// How long a look for the server's address may take, beside the visit.
const LOOK_UP: Duration = Duration::from_millis(1_000);

/// What a visit brings.
pub(super) struct Visited {
    pub(super) signaling: Signaling,
    pub(super) ice: Vec<IceServer>,
}

/// Visits a server; `nonces` are fresh and random.
pub(super) async fn visit(server: &ServerUrl, dialer: &Dialer, nonces: [[u8; 16]; 2]) -> Visited {
    let (met, place) = tokio::join!(time::timeout(PATIENCE, meet(server, dialer, nonces)), place(server));
    match met.unwrap_or(Err(SignalingClientError::TimedOut(PATIENCE))) {
        Ok(met) => {
            let Met { connected, room, ahead, ice } = met;
            let host = Host::parse(&server.host_name());
            let proxy = host.and_then(|it| dialer.proxy_to(&it, server.port()));
            let visit = Visit { connected, room, tls: server.is_tls(), proxy, place, ahead };
            Visited { signaling: Signaling::Works(visit), ice }
        }
        Err(error) => {
            let error = Error::Server { url: server.to_string(), error };
            let cause = error.cause().map_or(String::new(), |it| format!(": {it}"));
            let (sentence, hint) = (format!("{error}{cause}"), error.hint());
            Visited { signaling: Signaling::Failed { sentence, hint }, ice: Vec::new() }
        }
    }
}

struct Met {
    connected: Duration,
    room: Duration,
    ahead: Option<i64>,
    ice: Vec<IceServer>,
}

async fn meet(
    server: &ServerUrl,
    dialer: &Dialer,
    nonces: [[u8; 16]; 2],
) -> Result<Met, SignalingClientError> {
    let [ns, nr] = nonces;
    let begun = Instant::now();
    let mut sender = Connection::connect_by(dialer, server, PATIENCE).await?;
    let connected = begun.elapsed();
    let ahead = sender.server_date().and_then(|it| ahead(it, SystemTime::now()));
    let created = sender.create(ns).await?;
    let mut receiver = Connection::connect_by(dialer, server, PATIENCE).await?;
    let joining = Instant::now();
    let joined = receiver.join(created.nameplate, nr).await?;
    let room = joining.elapsed();
    // Servers of other kinds may tell the sender alone, before anybody joins.
    let ice = if joined.ice.is_empty() { created.ice } else { joined.ice };
    Ok(Met { connected, room, ahead, ice })
}

/// Seconds that a server's clock is ahead of ours, by its HTTP date (RFC 9110 §6.6.1).
fn ahead(date: &str, now: SystemTime) -> Option<i64> {
    let seconds = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    };
    let there = seconds(httpdate::parse_http_date(date).ok()?)?;
    there.checked_sub(seconds(now)?)
}

/// Where the server is. A name that only a proxy can resolve is elsewhere.
async fn place(server: &ServerUrl) -> Place {
    let host = server.host_name();
    let look_up = tokio::net::lookup_host((host.as_str(), server.port()));
    let found: Vec<SocketAddr> = match time::timeout(LOOK_UP, look_up).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(_)) | Err(_) => return Place::Public,
    };
    of_all(found.iter().map(SocketAddr::ip))
}

/// The most public of a host's addresses is the one that matters to others.
fn of_all(addresses: impl Iterator<Item = IpAddr>) -> Place {
    let places: Vec<Place> = addresses.map(nat::place).collect();
    [Place::Public, Place::Private].into_iter().find(|it| places.contains(it)).unwrap_or(
        match places.is_empty() {
            true => Place::Public,
            false => Place::Here,
        },
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use crate::doctor::observed::Place;
    use crate::doctor::visit::{ahead, of_all};

    #[test]
    fn a_date_tells_how_far_the_clocks_differ() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let date = |seconds| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(ahead(&date(1_007_200), now), Some(7_200));
        assert_eq!(ahead(&date(999_990), now), Some(-10));
        assert_eq!(ahead("yesterday", now), None);
        assert_eq!(ahead("", now), None);
    }

    #[test]
    fn the_most_public_address_counts() {
        let place = |text: &str| of_all(text.split_whitespace().map(|it| it.parse().unwrap()));
        assert_eq!(place("127.0.0.1 ::1"), Place::Here);
        assert_eq!(place("127.0.0.1 10.0.0.1"), Place::Private);
        assert_eq!(place("10.0.0.1 198.51.100.1"), Place::Public);
        assert_eq!(place(""), Place::Public);
    }
}

//! A TCP connection to a host, whichever of its addresses works first (RFC 8305).

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time;

use crate::dial::{DialError, Host};

/// How long one address may be silent before the next is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to `host`.
pub(super) async fn to(host: &Host, port: u16) -> Result<TcpStream, DialError> {
    to_one_of(resolve(host, port).await.map_err(DialError::Unresolved)?).await
}

/// Connects to a host that has these addresses.
pub(super) async fn to_one_of(addresses: VecDeque<SocketAddr>) -> Result<TcpStream, DialError> {
    let stream = race(addresses).await.map_err(DialError::Unreachable)?;
    // Small messages that somebody waits for; what is large comes in large pieces anyway.
    stream.set_nodelay(true).map_err(DialError::Unreachable)?;
    Ok(stream)
}

/// The addresses of `host`, in the order in which they are to be tried.
pub(super) async fn resolve(host: &Host, port: u16) -> io::Result<VecDeque<SocketAddr>> {
    match host {
        Host::Address(address, zone) => {
            let mut address = SocketAddr::new(*address, port);
            if let SocketAddr::V6(v6) = &mut address {
                *v6 = SocketAddrV6::new(*v6.ip(), v6.port(), 0, *zone);
            }
            Ok(VecDeque::from([address]))
        }
        Host::Name(name) => Ok(interleave(lookup_host((name.as_str(), port)).await?.collect())),
    }
}

/// Alternates between the families, beginning with the one that the system put first (RFC 8305 §4):
/// when one family does not work here, the other gets its turn at once.
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = VecDeque::new();
    loop {
        let round = [first.next(), second.next()];
        if round == [None, None] {
            return turns;
        }
        turns.extend(round.into_iter().flatten());
    }
}

/// The first connection that succeeds; the attempts begin one after the other and go on together.
async fn race(mut addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    loop {
        if let Some(address) = addresses.pop_front() {
            attempts.push(TcpStream::connect(address));
        }
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = time::sleep(STAGGER), if !addresses.is_empty() => {}
            else => return Err(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::SocketAddr;

    use tokio::net::TcpListener;

    use super::{interleave, race};

    fn addresses(text: &str) -> VecDeque<SocketAddr> {
        text.split(' ').map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn address_families_take_turns() {
        let found = addresses("[::1]:1 [::2]:1 [::3]:1 127.0.0.1:1 127.0.0.2:1");
        let turns = addresses("[::1]:1 127.0.0.1:1 [::2]:1 127.0.0.2:1 [::3]:1");
        assert_eq!(interleave(found.into()), turns);
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_does_not_hide_one_that_does() {
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let good = good.local_addr().unwrap();
        let stream = race(VecDeque::from([closed, good])).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(race(VecDeque::from([closed, closed])).await.is_err());
        assert!(race(VecDeque::new()).await.is_err());
    }
}

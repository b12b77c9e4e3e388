//! From a [`ServerUrl`] to an open WebSocket: resolve, connect, TLS, upgrade.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{ProtocolError, TlsError};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::signaling::url::Host;
use crate::signaling::{ServerUrl, SignalingClientError};

/// How long one address may be silent before the next is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// Opens a WebSocket to the server. Has no deadline of its own; cancel safe.
pub(crate) async fn open(
    url: &ServerUrl,
    config: WebSocketConfig,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, SignalingClientError> {
    let addresses = resolve(url).await.map_err(SignalingClientError::Unresolved)?;
    let stream = connect(addresses).await.map_err(SignalingClientError::Unreachable)?;
    // Signaling is small messages that somebody waits for.
    stream.set_nodelay(true).map_err(SignalingClientError::Unreachable)?;
    // The URL was composed of parsed parts; should the library still dislike it, then nothing there
    // can be a server.
    let request = url
        .socket_url()
        .into_client_request()
        .map_err(|_| SignalingClientError::NotP2pcp { status: None })?;
    let connector = if url.is_tls() { Connector::Rustls(tls_config()?) } else { Connector::Plain };
    match client_async_tls_with_config(request, stream, Some(config), Some(connector)).await {
        Ok((socket, _response)) => Ok(socket),
        Err(error) => Err(judge(error)),
    }
}

async fn resolve(url: &ServerUrl) -> io::Result<VecDeque<SocketAddr>> {
    match url.host() {
        Host::Address(address, zone) => {
            let mut address = SocketAddr::new(*address, url.port());
            if let SocketAddr::V6(v6) = &mut address {
                *v6 = SocketAddrV6::new(*v6.ip(), v6.port(), 0, *zone);
            }
            Ok(VecDeque::from([address]))
        }
        Host::Name(name) => Ok(interleave(lookup_host((name.as_str(), url.port())).await?.collect())),
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
async fn connect(mut addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
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

/// Trusts the web's roots; the provider is named here so that no other dependency's choice matters.
fn tls_config() -> Result<Arc<rustls::ClientConfig>, SignalingClientError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SignalingClientError::Untrusted(io::Error::other(error)))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// What a failed TLS or WebSocket handshake says about the server.
fn judge(error: tungstenite::Error) -> SignalingClientError {
    let not_p2pcp = SignalingClientError::NotP2pcp { status: None };
    match error {
        tungstenite::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(_)) => SignalingClientError::Untrusted(error),
            Some(_) => not_p2pcp,
            None => SignalingClientError::Lost,
        },
        tungstenite::Error::Tls(TlsError::InvalidDnsName) => not_p2pcp,
        tungstenite::Error::Http(response) => {
            SignalingClientError::NotP2pcp { status: Some(response.status().as_u16()) }
        }
        tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => SignalingClientError::Lost,
        _ => not_p2pcp,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::SocketAddr;

    use tokio::net::TcpListener;

    use crate::signaling::dial::{connect, interleave};

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
        let stream = connect(VecDeque::from([closed, good])).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(connect(VecDeque::from([closed, closed])).await.is_err());
        assert!(connect(VecDeque::new()).await.is_err());
    }
}

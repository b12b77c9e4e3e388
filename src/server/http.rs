//! One connection up to its one HTTP request: the WebSocket, the health check, or a 404.
//!
//! Invariants: a connection serves one request, within the handshake deadline; a header decides on
//! whom a connection is counted against only when it comes from a proxy that is trusted.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use crate::server::desk::{Desk, Ticket};
use crate::server::{socket, stopped};
use crate::wire::signaling::{FIRST_HEADER, MAX_FIRST_HEADER, SOCKET_PATH};

/// Bytes of request head that are read at most; hyper wants 8 KiB or more.
const HEAD_BYTES: usize = 8 * 1024;

/// Serves one connection to its end. Without a ticket it comes from a trusted proxy at `address`.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    address: IpAddr,
    ticket: Option<Ticket>,
    desk: Arc<Desk>,
    mut stopping: watch::Receiver<bool>,
) {
    let Some(request) = first_request(stream, &desk, &mut stopping).await else {
        return;
    };
    let ticket = match ticket {
        Some(ticket) => Some(ticket),
        None => desk.admit(Instant::now(), request.client.unwrap_or(address)),
    };
    let Some(ticket) = ticket else {
        return;
    };
    if let Ok(Ok(upgraded)) = time::timeout(desk.config.timing.handshake, request.upgrade).await {
        socket::serve(TokioIo::new(upgraded), desk, ticket, request.first, stopping).await;
    }
}

/// A request that becomes a WebSocket.
struct SocketRequest {
    upgrade: OnUpgrade,
    /// What the client says first, if that came with the request.
    first: Option<String>,
    /// The client, in the words of the proxy.
    client: Option<IpAddr>,
}

/// Answers the connection's one request; returns it when it becomes a WebSocket.
async fn first_request(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    desk: &Desk,
    stopping: &mut watch::Receiver<bool>,
) -> Option<SocketRequest> {
    let accepted = Mutex::new(None);
    let service = service_fn(|mut request: Request<Incoming>| {
        let response = respond(desk, &mut request, &accepted);
        std::future::ready(Ok::<_, std::convert::Infallible>(response))
    });
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        served = time::timeout(desk.config.timing.handshake, connection) => match served {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return None,
        },
        () = stopped(stopping) => return None,
    }
    accepted.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn respond(
    desk: &Desk,
    request: &mut Request<Incoming>,
    accepted: &Mutex<Option<SocketRequest>>,
) -> Response<Full<Bytes>> {
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/healthz" if readable => plain(StatusCode::OK, "ok\n"),
        SOCKET_PATH if desk.config.rooms.nameplate.is_some() && request.headers().contains_key(ORIGIN) => {
            plain(StatusCode::FORBIDDEN, "this rendezvous does not talk to web pages\n")
        }
        SOCKET_PATH => match create_response_with_body(request, Full::default) {
            Ok(mut response) => {
                let first = first_words(request.headers());
                if first.is_some() {
                    response.headers_mut().insert(FIRST_HEADER, HeaderValue::from_static("taken"));
                }
                let client = forwarded_for(request.headers(), &desk.config.trusted_proxies);
                let upgrade = hyper::upgrade::on(request);
                *accepted.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(SocketRequest { upgrade, first, client });
                response
            }
            Err(_) => not_found(),
        },
        _ => not_found(),
    }
}

/// What the client says before the WebSocket is open: one header of a bounded length, or nothing.
fn first_words(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(FIRST_HEADER)?.to_str().ok()?;
    (value.len() <= MAX_FIRST_HEADER).then(|| value.to_owned())
}

fn not_found() -> Response<Full<Bytes>> {
    plain(StatusCode::NOT_FOUND, "this is a p2pcp rendezvous; there is nothing to see here\n")
}

fn plain(status: StatusCode, sentence: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(sentence));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // Turning keep-alive off in hyper would also rewrite the header that makes the WebSocket.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The last address of `X-Forwarded-For` that is not itself a trusted proxy: what stands to its left
/// was written by somebody nobody vouches for. The caller has seen that the peer is trusted.
fn forwarded_for(headers: &HeaderMap, trusted: &[IpAddr]) -> Option<IpAddr> {
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    for hop in lines.iter().flat_map(|line| line.split(',')).rev() {
        let address = parse_hop(hop.trim())?.to_canonical();
        if !trusted.iter().any(|proxy| proxy.to_canonical() == address) {
            return Some(address);
        }
    }
    None
}

/// Some proxies write a port after the address.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use hyper::header::HeaderMap;

    use crate::server::http::forwarded_for;

    #[test]
    fn the_last_hop_that_is_not_a_proxy_is_the_client() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        for (lines, client) in [
            (&["203.0.113.9"][..], Some("203.0.113.9")),
            (&["6.6.6.6, 203.0.113.9"], Some("203.0.113.9")),
            (&["6.6.6.6, 203.0.113.9, 10.0.0.1"], Some("203.0.113.9")),
            (&["6.6.6.6", "203.0.113.9:4711"], Some("203.0.113.9")),
            (&["[2001:db8::1]:443"], Some("2001:db8::1")),
            (&["::ffff:203.0.113.9"], Some("203.0.113.9")),
            (&["203.0.113.9, nonsense"], None),
            (&["10.0.0.1"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            let expect = client.map(|client| client.parse::<IpAddr>().unwrap());
            assert_eq!(forwarded_for(&headers, &[proxy]), expect, "{lines:?}");
        }
    }
}

//! Claims about the one port: TLS, TURN and HTTP are told apart by what they begin with.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::client_async;

use super::{SOON, TestServer, patient};
use crate::server::Config;
use crate::server::relay::RelayConfig;
use crate::server::tls::Tls;

/// A certificate for `localhost`, and TLS that shows it.
fn tls() -> (CertificateDer<'static>, Tls) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls::new(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    (made.cert.der().clone(), tls)
}

async fn server() -> (TestServer, CertificateDer<'static>, Tls) {
    let (certificate, tls) = tls();
    let relay = Some(RelayConfig::default());
    let config = Config { tls: Some(tls.clone()), relay, ..patient() };
    (TestServer::start(config).await, certificate, tls)
}

async fn dial(
    server: &TestServer,
    certificate: &CertificateDer<'static>,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(server.address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A Binding request (RFC 8489 §5) in pieces, and the type of what answers it.
async fn bind(mut stream: impl AsyncRead + AsyncWrite + Unpin, piece: usize) -> [u8; 2] {
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    for bytes in request.chunks(piece) {
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = [0; 20];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[8..], [7; 12], "the transaction's number");
    [answer[0], answer[1]]
}

async fn health(mut stream: impl AsyncRead + AsyncWrite + Unpin, piece: usize) -> String {
    for bytes in b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n".chunks(piece) {
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8(answer).unwrap()
}

/// Whatever pieces it comes in.
#[tokio::test]
async fn http_and_turn_come_by_one_port_in_tls_and_without() {
    let (server, certificate, _) = server().await;
    let plain = async || TcpStream::connect(server.address).await.unwrap();
    let safe = async || dial(&server, &certificate, &[]).await.unwrap();
    for piece in [1, 1000] {
        assert!(health(plain().await, piece).await.starts_with("HTTP/1.1 200"));
        assert!(health(safe().await, piece).await.starts_with("HTTP/1.1 200"));
        assert_eq!(bind(plain().await, piece).await, [1, 1], "a success");
        assert_eq!(bind(safe().await, piece).await, [1, 1], "a success");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_web_socket_inside_of_tls_is_served() {
    let (server, certificate, _) = server().await;
    let stream = dial(&server, &certificate, &[b"http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    client_async(server.request(), stream).await.unwrap();
    let stream = dial(&server, &certificate, &[b"stun.turn"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"stun.turn"[..]));
    assert!(dial(&server, &certificate, &[b"h2"]).await.is_err(), "we do not speak it");
    server.stop().await;
}

#[tokio::test]
async fn another_certificate_can_be_shown_while_the_server_runs() {
    let (server, before, tls) = server().await;
    let after = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (pem, key) = (after.cert.pem(), after.signing_key.serialize_pem());
    assert!(tls.replace(b"nonsense", key.as_bytes()).is_err());
    assert!(tls.replace(pem.as_bytes(), b"nonsense").is_err());
    dial(&server, &before, &[]).await.unwrap();
    tls.replace(pem.as_bytes(), key.as_bytes()).unwrap();
    assert!(dial(&server, &before, &[]).await.is_err());
    dial(&server, after.cert.der(), &[]).await.unwrap();
    server.stop().await;
}

/// The first byte, the handshake of TLS, and the first byte inside have one deadline.
#[tokio::test]
async fn who_does_not_say_what_it_wants_is_dropped() {
    let (certificate, tls) = tls();
    let mut config = Config { tls: Some(tls), relay: Some(RelayConfig::default()), ..patient() };
    config.timing.handshake = SOON;
    let server = TestServer::start(config).await;
    for begun in [&b""[..], &[0x16], &[0x16, 3, 1, 2, 0, 1]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let mut rest = Vec::new();
        // It may be reset, when there was something to read.
        stream.read_to_end(&mut rest).await.ok();
        assert!(rest.is_empty(), "{begun:?}");
    }
    let mut stream = dial(&server, &certificate, &[]).await.unwrap();
    assert!(stream.read_u8().await.is_err(), "silent inside of TLS");
    server.stop().await;
}

#[tokio::test]
async fn a_server_without_a_certificate_or_a_relay_answers_as_http_does() {
    let server = TestServer::start(patient()).await;
    for begun in [[0x16, 3, 1, 0, 4, 1, 0, 0, 0].as_slice(), &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    }
    server.stop().await;
}

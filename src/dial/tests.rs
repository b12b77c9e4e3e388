//! Claims about the way to a server, made with proxies and servers that follow a script.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::dial::{BoxStream, DialError, Dialer, Host, Proxies, ProxyFault, Roots};

const GREETING: &[u8] = b"hello";

/// What the test's servers say when they have heard [`GREETING`].
const ANSWER: &[u8] = b"welcome";

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads until `end` came.
async fn read_until(stream: &mut TcpStream, end: &[u8]) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(end) {
        heard.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(heard).unwrap()
}

async fn greet(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) {
    let mut heard = [0; GREETING.len()];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, GREETING);
    stream.write_all(ANSWER).await.unwrap();
    stream.flush().await.unwrap();
}

async fn is_greeted(mut stream: BoxStream) {
    stream.write_all(GREETING).await.unwrap();
    let mut heard = [0; ANSWER.len()];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, ANSWER);
}

fn through(url: &str) -> Dialer {
    Dialer::new(Proxies::always(url).unwrap(), Roots::default())
}

fn host(text: &str) -> Host {
    Host::parse(text).unwrap()
}

/// What becomes of a call through an HTTP proxy that says `answer` to every request.
async fn http_fault(answer: &[u8]) -> ProxyFault {
    let (listener, address) = listener().await;
    let script = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, b"\r\n\r\n").await;
        stream.write_all(answer).await.ok();
        stream
    };
    let dialer = through(&format!("http://{address}"));
    let far = host("far.example");
    let (dialled, _stream) = tokio::join!(dialer.dial(&far, 443, false), script);
    match dialled.err().expect("it is no proxy") {
        DialError::Proxy(proxy, fault) => {
            assert_eq!(proxy, format!("http://{address}"));
            fault
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_http_proxy_is_asked_for_a_tunnel_by_name_and_with_a_password() {
    let (listener, address) = listener().await;
    let script = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = read_until(&mut stream, b"\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n").await.unwrap();
        greet(&mut stream).await;
        asked
    };
    let dialer = through(&format!("http://us%40er:pass@{address}"));
    let call = async { is_greeted(dialer.dial(&host("far.example"), 8091, false).await.unwrap()).await };
    let ((), asked) = tokio::join!(call, script);
    assert!(asked.starts_with("CONNECT far.example:8091 HTTP/1.1\r\n"), "{asked}");
    let asked = asked.to_ascii_lowercase();
    assert!(asked.contains("\r\nhost: far.example:8091\r\n"), "{asked}");
    let credentials = data_encoding::BASE64.encode(b"us@er:pass").to_ascii_lowercase();
    assert!(asked.contains(&format!("\r\nproxy-authorization: basic {credentials}\r\n")), "{asked}");
    assert_eq!(dialer.proxy_to(&host("far.example"), 1), Some(format!("http://{address}")));
    assert!(!format!("{dialer:?}").contains("pass"));
}

#[tokio::test]
async fn what_an_http_proxy_refuses_is_told_apart() {
    let empty = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    assert!(matches!(http_fault(&empty("407 x")).await, ProxyFault::Credentials));
    assert!(matches!(http_fault(&empty("403 x")).await, ProxyFault::Refused(Some(403))));
    assert!(matches!(http_fault(&empty("302 x")).await, ProxyFault::Refused(Some(302))));
    assert!(matches!(http_fault(&empty("504 x")).await, ProxyFault::NoWay));
    for nonsense in [b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(), b"HTTP/1.1 2000 OK\r\n\r\n".to_vec(), vec![0; 99]] {
        let fault = http_fault(&nonsense).await;
        assert!(matches!(fault, ProxyFault::NotAProxy), "{fault:?}");
    }
    let endless = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: yyyyyyyyyyyy\r\n".repeat(100_000)].concat();
    let fault = http_fault(&endless).await;
    assert!(matches!(fault, ProxyFault::NotAProxy), "{fault:?}");
    let fault = http_fault(b"HTTP/1.1 200 OK\r\n\r\nI speak first").await;
    assert!(matches!(fault, ProxyFault::NotAProxy), "{fault:?}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_hangs_up_is_not_the_servers_fault() {
    let (listener, address) = listener().await;
    let dialer = through(&format!("http://{address}"));
    let far = host("far.example");
    let hang_up = async { drop(listener.accept().await) };
    let (dialled, ()) = tokio::join!(dialer.dial(&far, 443, false), hang_up);
    assert!(matches!(dialled.err(), Some(DialError::Proxy(_, ProxyFault::Unreachable(_)))));
    // Silence is for the caller's deadline to end.
    let silent = timeout(Duration::from_millis(20), dialer.dial(&far, 443, false)).await;
    assert!(silent.is_err());
    drop(listener);
    let dialled = dialer.dial(&far, 443, false).await;
    assert!(matches!(dialled.err(), Some(DialError::Proxy(_, ProxyFault::Unreachable(_)))));
}

/// RFC 1928 §3 to §6, RFC 1929 §2; the name goes to the proxy as it is.
#[tokio::test]
async fn a_socks_proxy_gets_the_name_and_the_password() {
    let (listener, address) = listener().await;
    let script = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut methods = [0; 4];
        stream.read_exact(&mut methods).await.unwrap();
        assert_eq!(methods, [5, 2, 0, 2]);
        stream.write_all(&[5, 2]).await.unwrap();
        let mut login = [0; 11];
        stream.read_exact(&mut login).await.unwrap();
        assert_eq!(&login, b"\x01\x04user\x04pass");
        stream.write_all(&[1, 0]).await.unwrap();
        let mut asked = [0; 5 + 11 + 2];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(&asked, b"\x05\x01\x00\x03\x0bfar.example\x1f\x9b");
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        greet(&mut stream).await;
    };
    let dialer = through(&format!("socks5h://user:pass@{address}"));
    let call = async { is_greeted(dialer.dial(&host("far.example"), 8091, false).await.unwrap()).await };
    tokio::join!(call, script);
}

#[tokio::test]
async fn what_a_socks_proxy_refuses_is_told_apart() {
    let fault = async |choice: [u8; 2], reply: &[u8]| {
        let (listener, address) = listener().await;
        let script = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 3]).await.unwrap();
            stream.write_all(&choice).await.unwrap();
            if choice == [5, 0] {
                // An IPv6 address is no name in brackets.
                let mut asked = [0; 22];
                stream.read_exact(&mut asked).await.unwrap();
                assert_eq!(asked[..4], [5, 1, 0, 4]);
                stream.write_all(reply).await.unwrap();
            }
            stream
        };
        let dialer = through(&format!("socks5://{address}"));
        let far = host("[2001:db8::1]");
        let (dialled, _stream) = tokio::join!(dialer.dial(&far, 443, false), script);
        match dialled.err().expect("refused") {
            DialError::Proxy(_, fault) => fault,
            other => panic!("{other:?}"),
        }
    };
    let reply = |code| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    assert!(matches!(fault([5, 0xff], &[]).await, ProxyFault::Credentials));
    assert!(matches!(fault([5, 0], &reply(2)).await, ProxyFault::Refused(None)));
    assert!(matches!(fault([5, 0], &reply(4)).await, ProxyFault::NoWay));
    assert!(matches!(fault([4, 0], &[]).await, ProxyFault::NotAProxy));
    assert!(matches!(fault([5, 0], &[9; 10]).await, ProxyFault::NotAProxy));
}

/// A server that speaks TLS with a certificate of its own making, and the certificate.
fn tls_server(names: &[&str]) -> (TlsAcceptor, String) {
    let names: Vec<_> = names.iter().map(|it| (*it).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

#[tokio::test]
async fn a_server_of_ones_own_is_believed_when_its_certificate_was_named() {
    let (listener, address) = listener().await;
    let (acceptor, pem) = tls_server(&["another.name.example"]);
    let script = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                return greet(&mut stream).await;
            }
        }
    };
    let call = async {
        let here = host("127.0.0.1");
        let stranger = Dialer::default().dial(&here, address.port(), true).await;
        assert!(matches!(stranger.err(), Some(DialError::Untrusted(_))));
        let (_, others) = tls_server(&["127.0.0.1"]);
        let roots = Roots::with(others.as_bytes()).unwrap();
        let other = Dialer::new(Proxies::default(), roots).dial(&here, address.port(), true).await;
        assert!(matches!(other.err(), Some(DialError::Untrusted(_))), "another certificate was named");
        let roots = Roots::with([others, pem].concat().as_bytes()).unwrap();
        let dialer = Dialer::new(Proxies::default(), roots);
        is_greeted(dialer.dial(&here, address.port(), true).await.unwrap()).await;
    };
    tokio::join!(call, script);
    assert!(Roots::with(b"nothing").is_none());
    assert!(Roots::with(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_none());
}

#[tokio::test]
async fn tls_goes_through_a_proxy_to_the_server_behind_it() {
    let (listener, address) = listener().await;
    let (acceptor, pem) = tls_server(&["far.example"]);
    let script = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, b"\r\n\r\n").await;
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await.unwrap();
        greet(&mut acceptor.accept(stream).await.unwrap()).await;
    };
    let proxies = Proxies::always(&format!("http://{address}")).unwrap();
    let dialer = Dialer::new(proxies, Roots::with(pem.as_bytes()).unwrap());
    let call = async { is_greeted(dialer.dial(&host("far.example"), 443, true).await.unwrap()).await };
    tokio::join!(call, script);
}

#[tokio::test]
async fn what_does_not_speak_tls_is_told_from_what_is_not_believed() {
    let (listener, address) = listener().await;
    let script = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        drop(listener.accept().await);
        stream
    };
    let dialer = Dialer::default();
    let call = async {
        let here = host("127.0.0.1");
        let plain = dialer.dial(&here, address.port(), true).await.err();
        assert!(matches!(plain, Some(DialError::NotTls)), "{plain:?}");
        let lost = dialer.dial(&here, address.port(), true).await.err();
        assert!(matches!(lost, Some(DialError::Lost)), "{lost:?}");
    };
    tokio::join!(call, script);
}

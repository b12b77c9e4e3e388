//! Claims about what the server does for those who behave.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::server::tests::{NR, NS, TestServer, bye, create, join, patient, sealed};
use crate::server::{Config, OnlySession};
use crate::wire::PathKind;
use crate::wire::signaling::{
    ClientMessage, CloseCode, FIRST_HEADER, Hex, IceServer, MAX_FIRST_HEADER, Nameplate, Relay,
    ServerMessage, render,
};

#[tokio::test]
async fn two_peers_meet_talk_and_part() {
    let ice = IceServer { urls: vec!["stun:192.0.2.1:3478".into()], username: None, credential: None };
    let config = Config { ice_servers: vec![ice.clone()], ..patient() };
    let counts = Arc::clone(&config.counts);
    let server = TestServer::start(config).await;
    let mut sender = server.client().await;
    sender.send(&create()).await;
    let ServerMessage::Created { nameplate, ttl, ice: offered } = sender.recv().await else {
        panic!("no room");
    };
    assert_eq!((ttl, offered), (3600, vec![ice.clone()]));
    let mut receiver = server.client().await;
    receiver.send(&join(nameplate)).await;
    assert_eq!(receiver.recv().await, ServerMessage::Joined { ns: NS, ice: vec![ice.clone()] });
    assert_eq!(sender.recv().await, ServerMessage::Peer { nr: NR, ice: vec![ice] });
    for relay in [
        Relay::Pake { y: Hex([3; 32]), ad: Hex([4; 8]) },
        Relay::Confirm { t: Hex([5; 32]) },
        sealed(7, 4000),
        bye(PathKind::Direct),
    ] {
        receiver.send(&ClientMessage::Relay(relay.clone())).await;
        assert_eq!(sender.recv().await, ServerMessage::Relay(relay.clone()));
        sender.send(&ClientMessage::Relay(relay.clone())).await;
        assert_eq!(receiver.recv().await, ServerMessage::Relay(relay));
    }
    assert_eq!(counts.direct.load(Ordering::Relaxed), 1, "once a room");
    receiver.0.close(None).await.unwrap();
    assert_eq!(sender.recv().await, ServerMessage::Gone);
    sender.send(&ClientMessage::Relay(bye(PathKind::Direct))).await;
    server.stop().await;
    assert_eq!(sender.closed().await, Some(CloseCode::Stopping), "to an empty seat one may talk");
}

#[tokio::test]
async fn a_peer_that_is_cut_off_is_gone_too() {
    let server = TestServer::start(patient()).await;
    let (sender, mut receiver, _) = server.pair().await;
    drop(sender);
    assert_eq!(receiver.recv().await, ServerMessage::Gone);
    server.stop().await;
}

#[tokio::test]
async fn pongs_keep_a_waiting_sender() {
    let mut config = patient();
    config.timing.ping = Duration::from_millis(5);
    config.timing.idle = Duration::from_secs(2);
    let server = TestServer::start(config).await;
    let mut client = server.client().await;
    client.create().await;
    for _ in 0..5 {
        assert!(matches!(client.0.next().await, Some(Ok(Message::Ping(_)))));
    }
    server.stop().await;
}

#[tokio::test]
async fn the_rendezvous_inside_send_has_one_room_and_no_web_pages() {
    let only = Nameplate::new(417).unwrap();
    let config = Config::for_one_room(only, OnlySession::default());
    let server = TestServer::start(Config { timing: patient().timing, ..config }).await;
    let mut request = server.request();
    request.headers_mut().insert("origin", "https://example.org".parse().unwrap());
    let Err(Error::Http(response)) = server.client_with(request).await else {
        panic!("a web page got in");
    };
    assert_eq!(response.status(), 403);
    let mut sender = server.client().await;
    assert_eq!(sender.create().await, only);
    let mut other = server.client().await;
    other.send(&create()).await;
    assert_eq!(other.closed().await, Some(CloseCode::Full));
    server.stop().await;
}

#[tokio::test]
async fn plain_http_gets_a_health_check_or_one_sentence() {
    let server = TestServer::start(patient()).await;
    let health = server.get("/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n") && health.ends_with("\r\n\r\nok\n"), "{health}");
    for path in ["/", "/ws", "/healthz/x", "/..%2f"] {
        let answer = server.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert!(answer.ends_with("there is nothing to see here\n"), "{answer}");
    }
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&[b'x'; 64 * 1024]).await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    assert!(!answer.starts_with(b"HTTP/1.1 2"));
    server.stop().await;
}

#[tokio::test]
async fn stopping_tells_everybody_and_leaves_no_task() {
    let config = patient();
    let counts = Arc::downgrade(&config.counts);
    let server = TestServer::start(config).await;
    let (mut sender, mut receiver, _) = server.pair().await;
    let mut standing = server.client().await;
    let asking = TcpStream::connect(server.address).await.unwrap();
    let clients = async {
        assert_eq!(sender.closed().await, Some(CloseCode::Stopping));
        assert_eq!(receiver.closed().await, Some(CloseCode::Stopping));
        assert_eq!(standing.closed().await, Some(CloseCode::Stopping));
        drop((sender, receiver, standing));
    };
    tokio::join!(server.stop(), clients);
    assert_eq!(counts.strong_count(), 0, "a task still holds the server");
    drop(asking);
}

/// A `join` that came with the request for the WebSocket is as good as one in a frame, and as much of a guess.
#[tokio::test]
async fn the_first_message_may_come_with_the_request() {
    let server = TestServer::start(patient()).await;
    let mut sender = server.client().await;
    let nameplate = sender.create().await;
    let joining = |text: String| {
        let mut request = server.request();
        request.headers_mut().insert(FIRST_HEADER, text.parse().unwrap());
        server.client_with(request)
    };
    let mut receiver = joining(render(&join(nameplate))).await.unwrap();
    assert!(matches!(receiver.recv().await, ServerMessage::Joined { ns: NS, .. }));
    assert!(matches!(sender.recv().await, ServerMessage::Peer { nr: NR, .. }));
    receiver.send(&ClientMessage::Relay(sealed(0, 8))).await;
    assert_eq!(sender.recv().await, ServerMessage::Relay(sealed(0, 8)));
    for (text, code) in [
        (render(&join(nameplate)), CloseCode::NoRoom),
        ("{".to_owned(), CloseCode::Malformed),
        (render(&ClientMessage::Relay(bye(PathKind::Direct))), CloseCode::Malformed),
    ] {
        assert_eq!(joining(text.clone()).await.unwrap().closed().await, Some(code), "{text}");
    }
    // One that is too long was not taken, and says so by its silence; the client may still speak.
    let mut late = joining("x".repeat(MAX_FIRST_HEADER + 1)).await.unwrap();
    assert!(late.create().await != nameplate);
    server.stop().await;
}

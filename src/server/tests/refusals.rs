//! Claims about what the server does to those who do not behave, or not in time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::server::Config;
use crate::server::limits::LimitPolicy;
use crate::server::tests::{NS, SOON, TestServer, bye, create, join, patient, sealed};
use crate::wire::signaling::{ClientMessage, CloseCode, Nameplate, ServerMessage, parse, render};
use crate::wire::{MAX_SIGNALING_FRAME, PathKind};

#[tokio::test]
async fn a_second_join_meets_no_room() {
    let server = TestServer::start(patient()).await;
    let (_sender, _receiver, nameplate) = server.pair().await;
    let mut late = server.client().await;
    late.send(&join(nameplate)).await;
    assert_eq!(late.closed().await, Some(CloseCode::NoRoom));
    server.stop().await;
}

/// What a client may send first, and how the server closes.
#[tokio::test]
async fn bad_first_messages_are_refused_with_a_number() {
    let server = TestServer::start(patient()).await;
    let nr = "02".repeat(16);
    let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(MAX_SIGNALING_FRAME));
    for (message, code) in [
        (Message::text("garbage"), CloseCode::Malformed),
        (Message::text("{}"), CloseCode::Malformed),
        (Message::binary(vec![1, 2, 3]), CloseCode::Malformed),
        (Message::text(long), CloseCode::TooMuch),
        (Message::text(render(&ClientMessage::Relay(bye(PathKind::Failed)))), CloseCode::Malformed),
        (Message::text(render(&ClientMessage::Create { v: 2, ns: NS, nameplate: None })), CloseCode::Version),
        (Message::text(r#"{"type":"create","v":2,"nonce":"later"}"#), CloseCode::Version),
        (Message::text(r#"{"type":"create","v":1,"ns":"short"}"#), CloseCode::Malformed),
        (
            Message::text(format!(r#"{{"type":"join","v":1,"nameplate":7,"nr":"{nr}"}}"#)),
            CloseCode::Malformed,
        ),
    ] {
        let mut client = server.client().await;
        client.0.send(message.clone()).await.unwrap();
        assert_eq!(client.closed().await, Some(code), "{message:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn one_socket_takes_one_seat() {
    let server = TestServer::start(patient()).await;
    let mut client = server.client().await;
    client.create().await;
    client.send(&create()).await;
    assert_eq!(client.closed().await, Some(CloseCode::Malformed));
    server.stop().await;
}

#[tokio::test]
async fn unknown_kinds_are_tolerated_but_not_for_ever() {
    let server = TestServer::start(patient()).await;
    let mut client = server.client().await;
    let unknown = Message::text(r#"{"type":"weather","v":3}"#);
    client.0.send(unknown.clone()).await.unwrap();
    client.create().await;
    for _ in 0..100 {
        // The server may close while we still talk.
        if client.0.send(unknown.clone()).await.is_err() {
            break;
        }
    }
    assert_eq!(client.closed().await, Some(CloseCode::TooMuch));
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_never_asks_is_closed() {
    let mut config = patient();
    config.timing.handshake = SOON;
    let server = TestServer::start(config).await;
    let mut client = server.client().await;
    client.0.send(Message::Ping(vec![1].into())).await.unwrap();
    assert_eq!(client.closed().await, Some(CloseCode::Idle));
    let mut raw = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(raw.read(&mut [0; 16]).await.unwrap(), 0, "nor may the request be late");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed() {
    let mut config = patient();
    config.timing.idle = SOON;
    let server = TestServer::start(config).await;
    let mut client = server.client().await;
    client.create().await;
    assert_eq!(client.closed().await, Some(CloseCode::Idle));
    server.stop().await;
}

#[tokio::test]
async fn a_room_that_nobody_joins_expires() {
    let mut config = patient();
    config.rooms.waiting = SOON;
    let server = TestServer::start(config).await;
    let mut client = server.client().await;
    client.create().await;
    assert_eq!(client.closed().await, Some(CloseCode::Expired));
    server.stop().await;
}

#[tokio::test]
async fn a_pair_that_does_not_finish_expires() {
    let mut config = patient();
    config.rooms.finishing = SOON;
    let server = TestServer::start(config).await;
    let (mut sender, mut receiver, _) = server.pair().await;
    assert_eq!(sender.closed().await, Some(CloseCode::Expired));
    assert_eq!(receiver.closed().await, Some(CloseCode::Expired));
    server.stop().await;
}

#[tokio::test]
async fn a_room_that_says_too_much_is_stopped() {
    let mut config = patient();
    config.rooms.messages = 3;
    let server = TestServer::start(config).await;
    let (mut sender, mut receiver, _) = server.pair().await;
    for seq in 0..4 {
        receiver.send(&ClientMessage::Relay(sealed(seq, 10))).await;
    }
    assert_eq!(receiver.closed().await, Some(CloseCode::TooMuch));
    for seq in 0..3 {
        assert_eq!(sender.recv().await, ServerMessage::Relay(sealed(seq, 10)));
    }
    assert_eq!(sender.recv().await, ServerMessage::Gone);
    server.stop().await;
}

/// A reader that has stopped costs a socket's buffers for the length of the write deadline, however
/// much the other side has to say.
#[tokio::test]
async fn a_reader_that_stopped_is_closed_and_not_buffered_for() {
    let mut config = patient();
    config.timing.write = SOON;
    config.rooms.bytes = usize::MAX;
    config.rooms.messages = 1 << 20;
    let server = TestServer::start(config).await;
    let (mut sender, stopped_reader, _) = server.pair().await;
    let (mut out, mut back) = (&mut sender.0).split();
    let flood = async {
        for seq in 0..u64::MAX {
            out.send(Message::text(render(&ClientMessage::Relay(sealed(seq, 10_000))))).await.unwrap();
        }
    };
    let word = async {
        loop {
            if let Message::Text(text) = back.next().await.unwrap().unwrap() {
                return parse::<ServerMessage>(&text).unwrap();
            }
        }
    };
    tokio::select! {
        () = flood => unreachable!("the flood has no end"),
        word = word => assert_eq!(word, ServerMessage::Gone),
    }
    drop(stopped_reader);
    server.stop().await;
}

#[tokio::test]
async fn sources_are_limited() {
    let limits =
        LimitPolicy { connections: 3, creates_per_minute: 1, loopback_factor: 1, ..LimitPolicy::default() };
    let server = TestServer::start(Config { limits, ..patient() }).await;
    let mut first = server.client().await;
    first.create().await;
    let mut second = server.client().await;
    second.send(&create()).await;
    assert_eq!(second.closed().await, Some(CloseCode::Limited), "one room a minute");
    drop(second);
    let mut crowd = Vec::new();
    // Whether the server has already seen the second client leave makes no difference here.
    for _ in 0..3 {
        crowd.push(server.client().await);
    }
    assert_eq!(crowd.pop().unwrap().closed().await, Some(CloseCode::Limited), "three connections");
    server.stop().await;
}

#[tokio::test]
async fn a_guesser_is_barred() {
    let limits = LimitPolicy { free_misses: 2, loopback_factor: 1, ..LimitPolicy::default() };
    let config = Config { limits, ..patient() };
    let counts = Arc::clone(&config.counts);
    let server = TestServer::start(config).await;
    let mut answers = Vec::new();
    for number in 100..104 {
        let mut client = server.client().await;
        client.send(&join(Nameplate::new(number).unwrap())).await;
        answers.push(client.closed().await.unwrap());
    }
    assert_eq!(answers, [CloseCode::NoRoom, CloseCode::NoRoom, CloseCode::NoRoom, CloseCode::Limited]);
    assert_eq!(counts.missed.load(Ordering::Relaxed), 3);
    assert_eq!(counts.refused.load(Ordering::Relaxed), 4);
    server.stop().await;
}

#[tokio::test]
async fn a_trusted_proxy_speaks_for_its_clients_and_nobody_else_does() {
    let limits = LimitPolicy { creates_per_minute: 1, loopback_factor: 1, ..LimitPolicy::default() };
    for trusted in [true, false] {
        let trusted_proxies = if trusted { vec!["127.0.0.1".parse().unwrap()] } else { vec![] };
        let server = TestServer::start(Config { limits: limits.clone(), trusted_proxies, ..patient() }).await;
        let mut clients = Vec::new();
        for client in ["203.0.113.1", "203.0.113.2"] {
            let mut request = server.request();
            request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
            let mut client = server.client_with(request).await.unwrap();
            client.send(&create()).await;
            clients.push(client);
        }
        let mut second = clients.pop().unwrap();
        if trusted {
            assert!(matches!(second.recv().await, ServerMessage::Created { .. }));
        } else {
            assert_eq!(second.closed().await, Some(CloseCode::Limited));
        }
        server.stop().await;
    }
}

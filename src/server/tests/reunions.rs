//! Claims about how the server brings two peers together again that lost their link.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::server::limits::LimitPolicy;
use crate::server::tests::{Client, NS, SOON, TestServer, bye, create, join, patient, sealed};
use crate::server::{Config, OnlySession};
use crate::wire::PathKind;
use crate::wire::signaling::{
    ClientMessage, CloseCode, Hex, IceServer, MeetRole, Nameplate, Relay, ServerMessage, Token, render,
};

const TOKEN: Token = Token([9; 32]);

fn meet(role: MeetRole, nonce: u8) -> ClientMessage {
    ClientMessage::Meet { v: 1, token: TOKEN, role, nonce: Hex([nonce; 16]) }
}

fn met(nonce: u8) -> ServerMessage {
    ServerMessage::Met { nonce: Hex([nonce; 16]), ice: vec![] }
}

impl TestServer {
    /// A client that asks to meet.
    async fn comer(&self, role: MeetRole, nonce: u8) -> Client {
        let mut client = self.client().await;
        client.send(&meet(role, nonce)).await;
        client
    }

    /// A sender with nonce 1 and a receiver with nonce 2 that have met.
    async fn reunited(&self) -> (Client, Client) {
        let mut sender = self.comer(MeetRole::Sender, 1).await;
        let mut receiver = self.comer(MeetRole::Receiver, 2).await;
        assert_eq!(sender.recv().await, met(2));
        assert_eq!(receiver.recv().await, met(1));
        (sender, receiver)
    }
}

impl Client {
    /// Returns when the server has taken notice of all that was said before.
    async fn heard(mut self) -> Self {
        self.0.send(Message::Ping(vec![1].into())).await.unwrap();
        match self.0.next().await {
            Some(Ok(Message::Pong(_))) => self,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn two_peers_meet_again_in_any_order_talk_and_part() {
    let ice = IceServer { urls: vec!["stun:192.0.2.1:3478".into()], username: None, credential: None };
    let config = Config { ice_servers: vec![ice.clone()], ..patient() };
    let counts = Arc::clone(&config.counts);
    let server = TestServer::start(config).await;
    for (early, late) in [(MeetRole::Sender, MeetRole::Receiver), (MeetRole::Receiver, MeetRole::Sender)] {
        let mut first = server.comer(early, 1).await.heard().await;
        let mut second = server.comer(late, 2).await;
        let met = |nonce| ServerMessage::Met { nonce: Hex([nonce; 16]), ice: vec![ice.clone()] };
        assert_eq!((first.recv().await, second.recv().await), (met(2), met(1)));
        for relay in [Relay::Confirm { t: Hex([5; 32]) }, sealed(0, 4000), bye(PathKind::Direct)] {
            second.send(&ClientMessage::Relay(relay.clone())).await;
            assert_eq!(first.recv().await, ServerMessage::Relay(relay.clone()));
            first.send(&ClientMessage::Relay(relay.clone())).await;
            assert_eq!(second.recv().await, ServerMessage::Relay(relay));
        }
        drop(second);
        assert_eq!(first.recv().await, ServerMessage::Gone);
        first.0.close(None).await.unwrap();
        // The server answers once the seat is given up, so that the next round finds none.
        while let Some(Ok(_)) = first.0.next().await {}
    }
    let seen = [&counts.meets, &counts.met, &counts.direct].map(|it| it.load(Ordering::Relaxed));
    assert_eq!(seen, [4, 2, 2]);
    server.stop().await;
}

/// The old connection may be half dead: its end of the TCP connection is gone, the server's is not.
#[tokio::test]
async fn a_newer_connection_takes_the_seat_of_an_older_one() {
    let server = TestServer::start(patient()).await;
    let mut old = server.comer(MeetRole::Sender, 1).await.heard().await;
    let mut new = server.comer(MeetRole::Sender, 3).await;
    assert_eq!(old.closed().await, Some(CloseCode::Idle));
    let mut receiver = server.comer(MeetRole::Receiver, 2).await;
    assert_eq!(receiver.recv().await, met(3));
    assert_eq!(new.recv().await, met(2));
    drop(old);
    new.send(&ClientMessage::Relay(sealed(0, 1))).await;
    assert_eq!(receiver.recv().await, ServerMessage::Relay(sealed(0, 1)), "the old one took nothing along");
    server.stop().await;
}

#[tokio::test]
async fn a_pair_is_parted_when_one_of_it_comes_anew_and_meets_again_when_both_do() {
    let server = TestServer::start(patient()).await;
    let (mut old_sender, mut old_receiver) = server.reunited().await;
    let mut receiver = server.comer(MeetRole::Receiver, 3).await;
    assert_eq!(old_receiver.closed().await, Some(CloseCode::Idle));
    assert_eq!(old_sender.recv().await, ServerMessage::Gone);
    old_sender.send(&ClientMessage::Relay(sealed(7, 1))).await;
    let mut sender = server.comer(MeetRole::Sender, 4).await;
    assert_eq!(old_sender.closed().await, Some(CloseCode::Idle));
    assert_eq!((sender.recv().await, receiver.recv().await), (met(3), met(4)));
    sender.send(&ClientMessage::Relay(sealed(0, 1))).await;
    assert_eq!(receiver.recv().await, ServerMessage::Relay(sealed(0, 1)));
    server.stop().await;
}

#[tokio::test]
async fn a_pake_is_not_passed_on_when_peers_meet_again() {
    let server = TestServer::start(patient()).await;
    let (mut sender, mut receiver) = server.reunited().await;
    let pake = Relay::Pake { y: Hex([3; 32]), ad: Hex([4; 8]) };
    receiver.send(&ClientMessage::Relay(pake)).await;
    assert_eq!(receiver.closed().await, Some(CloseCode::Malformed));
    assert_eq!(sender.recv().await, ServerMessage::Gone);
    server.stop().await;
}

#[tokio::test]
async fn a_meeting_that_does_not_fit_is_refused_with_a_number() {
    let server = TestServer::start(patient()).await;
    let (token, nonce) = ("09".repeat(32), "01".repeat(16));
    let later = ClientMessage::Meet { v: 2, token: TOKEN, role: MeetRole::Sender, nonce: NS };
    for (text, code) in [
        (render(&later), CloseCode::Version),
        (r#"{"type":"meet","v":2,"ticket":"later"}"#.to_owned(), CloseCode::Version),
        (r#"{"type":"meet","v":1}"#.to_owned(), CloseCode::Malformed),
        (
            format!(r#"{{"type":"meet","v":1,"token":"0909","role":"sender","nonce":"{nonce}"}}"#),
            CloseCode::Malformed,
        ),
        (
            format!(r#"{{"type":"meet","v":1,"token":"{token}","role":"server","nonce":"{nonce}"}}"#),
            CloseCode::Malformed,
        ),
    ] {
        let mut client = server.client().await;
        client.0.send(Message::text(text.clone())).await.unwrap();
        assert_eq!(client.closed().await, Some(code), "{text}");
    }
    let mut waiting = server.comer(MeetRole::Sender, 1).await;
    waiting.send(&ClientMessage::Relay(sealed(0, 1))).await;
    assert_eq!(waiting.closed().await, Some(CloseCode::Malformed), "nobody is there to hear that");
    let mut twice = server.comer(MeetRole::Sender, 1).await;
    twice.send(&meet(MeetRole::Receiver, 2)).await;
    assert_eq!(twice.closed().await, Some(CloseCode::Malformed), "one socket takes one seat");
    server.stop().await;
}

#[tokio::test]
async fn a_peer_that_meets_nobody_expires() {
    let mut config = patient();
    config.rooms.reuniting = SOON;
    let server = TestServer::start(config).await;
    let mut client = server.comer(MeetRole::Receiver, 1).await;
    assert_eq!(client.closed().await, Some(CloseCode::Expired));
    server.stop().await;
}

#[tokio::test]
async fn a_reunion_that_does_not_finish_expires() {
    let mut config = patient();
    config.rooms.finishing = SOON;
    let server = TestServer::start(config).await;
    let (mut sender, mut receiver) = server.reunited().await;
    assert_eq!(sender.closed().await, Some(CloseCode::Expired));
    assert_eq!(receiver.closed().await, Some(CloseCode::Expired));
    server.stop().await;
}

#[tokio::test]
async fn a_reunion_that_says_too_much_is_stopped() {
    let mut config = patient();
    config.rooms.messages = 2;
    let server = TestServer::start(config).await;
    let (mut sender, mut receiver) = server.reunited().await;
    for seq in 0..3 {
        receiver.send(&ClientMessage::Relay(sealed(seq, 10))).await;
    }
    assert_eq!(receiver.closed().await, Some(CloseCode::TooMuch));
    for seq in 0..2 {
        assert_eq!(sender.recv().await, ServerMessage::Relay(sealed(seq, 10)));
    }
    assert_eq!(sender.recv().await, ServerMessage::Gone);
    server.stop().await;
}

#[tokio::test]
async fn a_source_may_come_so_often_and_waiting_in_vain_is_no_miss() {
    let limits = LimitPolicy {
        meets_per_minute: 2,
        free_misses: 0,
        creates_per_minute: 1,
        loopback_factor: 1,
        ..LimitPolicy::default()
    };
    let config = Config { limits, ..patient() };
    let counts = Arc::clone(&config.counts);
    let server = TestServer::start(config).await;
    let _first = server.comer(MeetRole::Sender, 1).await.heard().await;
    let _second = server.comer(MeetRole::Sender, 2).await.heard().await;
    let mut third = server.comer(MeetRole::Sender, 3).await;
    assert_eq!(third.closed().await, Some(CloseCode::Limited));
    assert_eq!(counts.missed.load(Ordering::Relaxed), 0);
    let mut sender = server.client().await;
    let nameplate = sender.create().await;
    let mut receiver = server.client().await;
    receiver.send(&join(nameplate)).await;
    assert!(matches!(receiver.recv().await, ServerMessage::Joined { .. }), "codes have another price");
    server.stop().await;
}

#[tokio::test]
async fn reunions_take_the_place_of_rooms() {
    let mut config = patient();
    config.rooms.rooms = 1;
    let server = TestServer::start(config).await;
    let _waiting = server.comer(MeetRole::Sender, 1).await.heard().await;
    let mut other = server.client().await;
    other.send(&create()).await;
    assert_eq!(other.closed().await, Some(CloseCode::Full));
    let mut receiver = server.comer(MeetRole::Receiver, 2).await;
    assert_eq!(receiver.recv().await, met(1), "who is waited for takes no more room");
    let mut stranger = server.client().await;
    let token = Token([1; 32]);
    stranger.send(&ClientMessage::Meet { v: 1, token, role: MeetRole::Sender, nonce: NS }).await;
    assert_eq!(stranger.closed().await, Some(CloseCode::Full));
    server.stop().await;
}

/// Nothing of a token is in the server but its open connections.
#[tokio::test]
async fn a_server_that_was_started_again_brings_them_together_at_once() {
    let server = TestServer::start(patient()).await;
    let (mut sender, mut receiver) = server.reunited().await;
    let ends = async {
        assert_eq!(sender.closed().await, Some(CloseCode::Stopping));
        assert_eq!(receiver.closed().await, Some(CloseCode::Stopping));
        drop((sender, receiver));
    };
    tokio::join!(server.stop(), ends);
    let server = TestServer::start(patient()).await;
    server.reunited().await;
    server.stop().await;
}

#[tokio::test]
async fn the_rendezvous_inside_send_brings_together_also_after_its_code_is_spent() {
    let only = Nameplate::new(417).unwrap();
    let session = OnlySession::default();
    let config = Config::for_one_room(only, session.clone());
    let server = TestServer::start(Config { timing: patient().timing, ..config }).await;
    let (sender, receiver, _) = server.pair().await;
    session.name(TOKEN);
    drop((sender, receiver));
    let mut late = server.client().await;
    late.send(&join(only)).await;
    assert_eq!(late.closed().await, Some(CloseCode::NoRoom), "the code is spent");
    server.reunited().await;

    let mut request = server.request();
    request.headers_mut().insert("origin", "https://example.org".parse().unwrap());
    assert!(
        matches!(server.client_with(request).await, Err(Error::Http(response)) if response.status() == 403)
    );
    server.stop().await;
}

/// There is a seat for each side of one session: strangers would have only to come in time.
#[tokio::test]
async fn strangers_cannot_take_the_places_of_a_session_in_the_rendezvous_inside_send() {
    let session = OnlySession::default();
    let config = Config::for_one_room(Nameplate::new(417).unwrap(), session.clone());
    let server = TestServer::start(Config { timing: patient().timing, ..config }).await;
    let stranger = async |token| {
        let mut client = server.client().await;
        client.send(&ClientMessage::Meet { v: 1, token, role: MeetRole::Sender, nonce: NS }).await;
        client.closed().await
    };
    assert_eq!(stranger(TOKEN).await, Some(CloseCode::Full), "there is no session yet");
    session.name(TOKEN);
    session.name(Token([1; 32]));
    for number in 1..9 {
        assert_eq!(stranger(Token([number; 32])).await, Some(CloseCode::Full));
    }
    server.reunited().await;
    server.stop().await;
}

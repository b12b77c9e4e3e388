//! Frames, kinds, closings and offers of help from a server that does not keep to the protocol; and a
//! second guess at the real one.

use std::net::SocketAddr;

use futures_util::future::join_all;
use p2pcp::connect::{ConnectError, Joined};
use p2pcp::crypto::Role::{self, Receiver, Sender};
use p2pcp::server::{self, Config};
use p2pcp::signaling::SignalingClientError;
use p2pcp::transport::peer::{Lane, Reach};
use p2pcp::wire::MAX_SIGNALING_FRAME;
use p2pcp::wire::signaling::{CloseCode, Hex, IceServer, ServerMessage};
use tokio_tungstenite::tungstenite::Message;

use crate::hostile_server::middle::{
    Attack, Greeting, Out, assert_bound, assert_unbound, beside, create, dial, hear, honest, listen, meet,
    receive, seat, seat_sender, send_alone, surroundings, tell,
};

/// Puts something in front of the message of that number from the other side of `to`.
fn before(to: Role, number: usize, mut what: impl FnMut(&mut Out) + 'static) -> Attack {
    Box::new(move |out, said| {
        if said.is(to.other(), number) {
            what(out);
        }
        out.forward(&said);
    })
}

async fn check_unbound(case: &str, attack: Attack) {
    assert_unbound(case, &meet(Greeting::default(), attack).await);
}

#[tokio::test]
async fn unknown_kinds_and_fields_are_tolerated() {
    let chatty: Attack = Box::new(|out, said| {
        for to in [Sender, Receiver] {
            out.text(to, r#"{"type":"news","x":[1,{"type":"gone"}]}"#);
        }
        let mut text = p2pcp::wire::signaling::render(&said.relay);
        text.truncate(text.len() - 1);
        out.text(said.from.other(), text + r#","later":true}"#);
        out.frame(said.from, Message::Ping("x".into()));
    });
    assert_bound("chatty", meet(Greeting::default(), chatty).await).await;
}

#[tokio::test]
async fn unknown_kinds_without_end_are_not() {
    for to in [Sender, Receiver] {
        let babble = before(to, 0, move |out| (0..100).for_each(|_| out.text(to, r#"{"type":"news"}"#)));
        check_unbound(&format!("babble to {to:?}"), babble).await;
    }
}

#[tokio::test]
async fn frames_that_are_no_messages_end_the_attempt() {
    let long = format!(r#"{{"type":"news","x":"{}"}}"#, "x".repeat(MAX_SIGNALING_FRAME));
    let huge = format!(r#"{{"type":"news","x":"{}"}}"#, "x".repeat(4 << 20));
    let texts = [
        "",
        "{}",
        "[]",
        "null",
        "gone",
        "{\"type\":1}",
        "{\"type\":\"gone\"",
        "\u{0}",
        "{\"type\":\"pake\"}",
        "{\"type\":\"pake\",\"y\":\"00\",\"ad\":\"00\"}",
        "{\"type\":\"confirm\",\"t\":7}",
        "{\"type\":\"sealed\",\"seq\":-1,\"box\":\"AA\"}",
        "{\"type\":\"sealed\",\"seq\":0,\"box\":\"*\"}",
        "{\"type\":\"bye\",\"path\":\"lost\"}",
        "{\"type\":\"peer\",\"nr\":\"\"}",
        "{\"type\":\"created\",\"nameplate\":7,\"ttl\":1}",
        "{\"type\":\"created\",\"nameplate\":417,\"ttl\":1}",
        "{\"type\":\"joined\",\"ns\":\"00000000000000000000000000000000\"}",
        &long,
        &huge,
        &"[".repeat(10_000),
    ];
    let texts = texts.map(|it| Message::text(it.to_owned()));
    let binary = [vec![], vec![1, 2, 3], b"{\"type\":\"gone\"}".to_vec()].map(Message::binary);
    let cases = texts.into_iter().chain(binary).flat_map(|frame| {
        [Sender, Receiver].map(|to| {
            let frame = frame.clone();
            async move {
                let bad = frame.clone();
                let attack = before(to, 0, move |out| out.frame(to, bad.clone()));
                let met = meet(Greeting::default(), attack).await;
                assert_unbound("a bad frame", &met);
                let error = met.of(to).as_ref().err();
                let named = matches!(
                    error,
                    Some(ConnectError::Signaling(
                        SignalingClientError::Malformed | SignalingClientError::TooLong
                    ))
                );
                assert!(named, "{:.80?} to {to:?}: {error:?}", frame.to_string());
            }
        })
    });
    join_all(cases).await;
}

/// Up to the receiver's confirmation, with which its offer goes out. Later, who has described itself goes on without the server
/// until no path is found: the peer may have all that it needs.
#[tokio::test]
async fn a_server_that_hangs_up_midway_ends_the_attempt() {
    for after in 0..=3 {
        let mut said_so_far = 0;
        let hang_up: Attack = Box::new(move |out, said| {
            if said_so_far < after {
                out.forward(&said);
            }
            said_so_far += 1;
            if said_so_far >= after {
                out.close(Sender);
                out.close(Receiver);
            }
        });
        check_unbound(&format!("closed after {after} messages"), hang_up).await;
    }
    for (to, number) in [(Sender, 0), (Sender, 1), (Receiver, 0)] {
        let cut = before(to, number, move |out| {
            out.close(to);
            out.say(to.other(), &ServerMessage::Gone);
        });
        check_unbound(&format!("{to:?} cut off before message {number}"), cut).await;
    }
}

#[tokio::test]
async fn gone_and_peer_at_the_wrong_time_end_the_attempt() {
    for to in [Sender, Receiver] {
        for number in [0, 1, 2] {
            let peer = before(to, number, move |out| {
                out.say(to, &ServerMessage::Peer { nr: Hex([1; 16]), ice: Vec::new() })
            });
            check_unbound(&format!("a second peer for {to:?} at {number}"), peer).await;
        }
        for number in [0, 1] {
            for times in [1, 2] {
                let gone = before(to, number, move |out| {
                    (0..times).for_each(|_| out.say(to, &ServerMessage::Gone));
                });
                check_unbound(&format!("gone {times} times to {to:?} at {number}"), gone).await;
            }
        }
    }
}

/// Before anybody joined there is nobody to be gone, and nothing to be said by anybody.
#[tokio::test]
async fn what_a_waiting_sender_hears_of_nobody_changes_nothing() {
    let (listener, address) = listen().await;
    let server = async {
        let greeting = Greeting::default();
        let (mut socket, _) = seat_sender(&listener, &greeting).await;
        for _ in 0..2 {
            tell(&mut socket, &ServerMessage::Gone).await;
        }
        tell(&mut socket, &ServerMessage::Peer { nr: Hex([1; 16]), ice: Vec::new() }).await;
        tell(&mut socket, &ServerMessage::Peer { nr: Hex([2; 16]), ice: Vec::new() }).await;
        while hear(&mut socket).await.is_some() {}
    };
    let sender = send_alone(address);
    let error = beside(Box::pin(server), sender).await.err().expect("nobody is there");
    assert!(matches!(error, ConnectError::Unexpected("a second peer")), "{error:?}");
}

/// What a server may answer to `create` and `join`, and may not.
#[tokio::test]
async fn a_wrong_answer_to_the_first_word_is_an_error() {
    for answer in [
        r#"{"type":"created","nameplate":99,"ttl":60}"#,
        r#"{"type":"created","nameplate":1000000000,"ttl":60}"#,
        r#"{"type":"created","nameplate":417,"ttl":-1}"#,
        r#"{"type":"joined","ns":"00"}"#,
        r#"{"type":"peer","nr":"00000000000000000000000000000000"}"#,
        r#"{"type":"gone"}"#,
        r#"{"type":"bye","path":"direct"}"#,
    ] {
        let (listener, address) = listen().await;
        let server = async {
            let mut socket = seat(&listener).await;
            hear(&mut socket).await;
            futures_util::SinkExt::send(&mut socket, Message::text(answer)).await.ok();
            while hear(&mut socket).await.is_some() {}
        };
        let code = p2pcp::code::Code::parse("417-aloe-tuba").unwrap().code;
        let joined =
            beside(Box::pin(server), Box::pin(async { Joined::join(dial(address).await, code).await })).await;
        let malformed = joined.err().expect("no answer to a join");
        let expected = matches!(malformed, ConnectError::Signaling(SignalingClientError::Malformed));
        assert!(expected, "{answer}: {malformed:?}");
    }
}

/// Urls that are none, and too many of them. The peers are on one host and need no help.
fn bad_ice() -> Vec<IceServer> {
    let urls = [
        "",
        "stun",
        "stun:",
        "stun::",
        "stun:127.0.0.1:99999",
        "turn:127.0.0.1:1",
        "turns:127.0.0.1:1?transport=x",
        "http://127.0.0.1/",
        "stun:\u{202e}",
        "stun:127.0.0.1:1?transport=tcp",
        "\0",
    ];
    let server = |url: &str| IceServer { urls: vec![url.to_owned()], username: None, credential: None };
    urls.iter().map(|url| server(url)).chain((0..100).map(|_| server("stun:127.0.0.1:1"))).collect()
}

#[tokio::test]
async fn lies_about_ice_servers_do_no_harm() {
    let greeting = Greeting { ice: bad_ice(), ..Greeting::default() };
    assert_bound("bad ice servers", meet(greeting, honest()).await).await;
    for server in bad_ice() {
        // Prepared only: nothing is sent before an offer is made.
        if let Ok(lane) = Lane::new(Reach::Everywhere, std::slice::from_ref(&server)).await {
            lane.abandon().await;
        }
    }
}

/// One guess for one code: while a handshake is under way, and after it.
#[tokio::test]
async fn the_real_server_admits_no_second_join() {
    let (listener, address) = listen().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = async {
        let stopped = async { drop(stopped.await) };
        server::run(listener, Config::default(), stopped).await.expect("it serves");
    };
    let peers = async {
        let waiting = create(address).await;
        let code = waiting.code().clone();
        let joined = Joined::join(dial(address).await, code.clone()).await.expect("the first join");
        let sender = waiting.joined().await.expect("the first join is told");
        refused(address, code.clone()).await;
        let sender = Box::pin(sender.bind(surroundings()));
        let receiver = Box::pin(joined.bind(surroundings()));
        let (sender, receiver, ()) = tokio::join!(sender, receiver, refused(address, code.clone()));
        let bound = (sender.expect("undisturbed"), receiver.expect("undisturbed"));
        refused(address, code).await;
        drop((bound, stop));
    };
    beside(Box::pin(server), Box::pin(peers)).await;
}

async fn refused(address: SocketAddr, code: p2pcp::code::Code) {
    let error = receive(address, code).await.err().expect("the nameplate is dead");
    let closed = matches!(error, ConnectError::Signaling(SignalingClientError::Closed(CloseCode::NoRoom)));
    assert!(closed, "{error:?}");
}

//! Claims about the client, made against servers that follow a script.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

use crate::signaling::{Incoming, Met, ServerUrl, Signaling, SignalingClientError};
use crate::wire::MAX_SIGNALING_FRAME;
use crate::wire::signaling::{
    Base64, ClientMessage, CloseCode, Hex, IceServer, MeetRole, Nameplate, Relay, ServerMessage, Token,
    parse, render,
};

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(3600);

type Socket = WebSocketStream<TcpStream>;

/// A client connected to a server that the test plays itself.
async fn connected() -> (Signaling, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = ServerUrl::from(listener.local_addr().unwrap());
    let accept = async { accept_async(listener.accept().await.unwrap().0).await.unwrap() };
    let (client, server) = tokio::join!(Signaling::connect(&url, NEVER), accept);
    (client.unwrap(), server)
}

async fn say(server: &mut Socket, message: &ServerMessage) {
    server.send(Message::text(render(message))).await.unwrap();
}

async fn heard(server: &mut Socket) -> ClientMessage {
    match server.next().await.unwrap().unwrap() {
        Message::Text(text) => parse(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// What the client makes of one frame of the server.
async fn verdict(frame: Message) -> SignalingClientError {
    let (mut client, mut server) = connected().await;
    server.send(frame).await.unwrap();
    client.recv().await.unwrap_err()
}

#[tokio::test]
async fn a_sender_creates_a_room_and_hears_of_its_peer() {
    let (mut client, mut server) = connected().await;
    let nameplate = Nameplate::new(417).unwrap();
    let script = async {
        assert_eq!(
            heard(&mut server).await,
            ClientMessage::Create { v: 1, ns: Hex([1; 16]), nameplate: None }
        );
        say(&mut server, &ServerMessage::Created { nameplate, ttl: 3600, ice: vec![] }).await;
        say(&mut server, &ServerMessage::Peer { nr: Hex([2; 16]), ice: Vec::new() }).await;
        say(&mut server, &ServerMessage::Relay(Relay::Confirm { t: Hex([3; 32]) })).await;
        say(&mut server, &ServerMessage::Gone).await;
    };
    let (created, ()) = tokio::join!(client.create([1; 16]), script);
    let created = created.unwrap();
    assert_eq!((created.nameplate, created.ttl), (nameplate, Duration::from_secs(3600)));
    assert_eq!(client.recv().await.unwrap(), Incoming::Peer { nr: [2; 16], ice: Vec::new() });
    assert_eq!(client.recv().await.unwrap(), Incoming::Relay(Relay::Confirm { t: Hex([3; 32]) }));
    assert_eq!(client.recv().await.unwrap(), Incoming::Gone);
}

#[tokio::test]
async fn a_receiver_joins_talks_and_hangs_up() {
    let (mut client, mut server) = connected().await;
    let nameplate = Nameplate::new(417).unwrap();
    let relay = Relay::Sealed { seq: 0, body: Base64(vec![1, 2, 3]) };
    let script = async move {
        let join = ClientMessage::Join { v: 1, nameplate, nr: Hex([2; 16]) };
        assert_eq!(heard(&mut server).await, join);
        say(&mut server, &ServerMessage::Joined { ns: Hex([1; 16]), ice: vec![] }).await;
        let said = heard(&mut server).await;
        assert!(matches!(server.next().await, Some(Ok(Message::Close(_)))));
        assert!(server.next().await.is_none());
        said
    };
    let talk = async {
        assert_eq!(client.join(nameplate, [2; 16]).await.unwrap().ns, [1; 16]);
        client.send(relay.clone()).await.unwrap();
        client.close().await;
    };
    let (said, ()) = tokio::join!(script, talk);
    assert_eq!(said, ClientMessage::Relay(relay));
}

#[tokio::test]
async fn a_peer_that_comes_back_waits_meets_and_talks() {
    let (mut client, mut server) = connected().await;
    client.ping = tokio::time::interval(Duration::from_millis(5));
    let turn = IceServer { urls: vec!["turn:192.0.2.1".into()], username: None, credential: None };
    let script = async {
        let token = Token([7; 32]);
        let meet = ClientMessage::Meet { v: 1, token, role: MeetRole::Receiver, nonce: Hex([1; 16]) };
        assert_eq!(heard(&mut server).await, meet);
        // It keeps the connection alive while it waits.
        for _ in 0..3 {
            assert!(matches!(server.next().await, Some(Ok(Message::Ping(_)))));
        }
        say(&mut server, &ServerMessage::Met { nonce: Hex([2; 16]), ice: vec![turn.clone()] }).await;
        say(&mut server, &ServerMessage::Relay(Relay::Confirm { t: Hex([3; 32]) })).await;
        say(&mut server, &ServerMessage::Gone).await;
    };
    let (met, ()) = tokio::join!(client.meet([7; 32], MeetRole::Receiver, [1; 16]), script);
    assert_eq!(met.unwrap(), Met { nonce: [2; 16], ice: vec![turn.clone()] });
    assert_eq!(client.recv().await.unwrap(), Incoming::Relay(Relay::Confirm { t: Hex([3; 32]) }));
    assert_eq!(client.recv().await.unwrap(), Incoming::Gone);
    client.send(Relay::Confirm { t: Hex([4; 32]) }).await.unwrap();
    let said = loop {
        match server.next().await.unwrap().unwrap() {
            Message::Ping(_) => {}
            other => break other,
        }
    };
    assert_eq!(said, Message::text(render(&ClientMessage::Relay(Relay::Confirm { t: Hex([4; 32]) }))));
}

/// The deadline of requests is for servers; the other peer may still be looking for its network.
#[tokio::test]
async fn waiting_for_the_other_outlasts_the_deadline_of_requests() {
    let (mut client, mut server) = connected().await;
    client.timeout = Duration::from_millis(500);
    let script = async {
        assert!(matches!(heard(&mut server).await, ClientMessage::Meet { .. }));
        tokio::time::sleep(Duration::from_millis(600)).await;
        say(&mut server, &ServerMessage::Met { nonce: Hex([2; 16]), ice: vec![] }).await;
    };
    let (met, ()) = tokio::join!(client.meet([7; 32], MeetRole::Sender, [1; 16]), script);
    assert_eq!(met.unwrap().nonce, [2; 16]);
}

#[tokio::test]
async fn what_is_no_meeting_ends_the_wait() {
    for answer in [
        ServerMessage::Gone,
        ServerMessage::Peer { nr: Hex([1; 16]), ice: Vec::new() },
        ServerMessage::Joined { ns: Hex([1; 16]), ice: vec![] },
        ServerMessage::Relay(Relay::Confirm { t: Hex([3; 32]) }),
    ] {
        let (mut client, mut server) = connected().await;
        say(&mut server, &answer).await;
        let met = client.meet([7; 32], MeetRole::Sender, [1; 16]).await;
        assert!(matches!(met, Err(SignalingClientError::Malformed)), "{answer:?}: {met:?}");
    }
    let (mut client, mut server) = connected().await;
    let code = CloseCode::Expired;
    let frame = CloseFrame { code: code.number().into(), reason: code.sentence().into() };
    server.close(Some(frame)).await.unwrap();
    let met = client.meet([7; 32], MeetRole::Sender, [1; 16]).await;
    assert!(matches!(met, Err(SignalingClientError::Closed(CloseCode::Expired))), "{met:?}");
}

/// A meeting is an answer to `meet` and to nothing else.
#[tokio::test]
async fn a_meeting_that_nobody_asked_for_is_an_error() {
    let met = ServerMessage::Met { nonce: Hex([2; 16]), ice: vec![] };
    let error = verdict(Message::text(render(&met))).await;
    assert!(matches!(error, SignalingClientError::Malformed), "{error:?}");
    let error = verdict(Message::text(r#"{"type":"met","nonce":"short"}"#)).await;
    assert!(matches!(error, SignalingClientError::Malformed), "{error:?}");
    let (mut client, mut server) = connected().await;
    say(&mut server, &met).await;
    let created = client.create([0; 16]).await;
    assert!(matches!(created, Err(SignalingClientError::Malformed)), "{created:?}");
}

#[tokio::test]
async fn numbered_closes_are_facts_and_others_are_losses() {
    for code in CloseCode::ALL {
        let frame = CloseFrame { code: code.number().into(), reason: code.sentence().into() };
        let error = verdict(Message::Close(Some(frame))).await;
        assert!(matches!(error, SignalingClientError::Closed(closed) if closed == *code), "{error:?}");
    }
    for frame in [None, Some(CloseFrame { code: 4999.into(), reason: "news".into() })] {
        assert!(matches!(verdict(Message::Close(frame)).await, SignalingClientError::Lost));
    }
}

#[tokio::test]
async fn a_refusal_is_heard_also_by_the_one_who_asks() {
    let (mut client, mut server) = connected().await;
    let code = CloseCode::NoRoom;
    let frame = CloseFrame { code: code.number().into(), reason: code.sentence().into() };
    server.close(Some(frame)).await.unwrap();
    drop(server);
    let error = client.join(Nameplate::new(100).unwrap(), [0; 16]).await.unwrap_err();
    assert!(matches!(error, SignalingClientError::Closed(CloseCode::NoRoom)), "{error:?}");
}

/// Writing fails before anybody has read why.
#[tokio::test]
async fn a_refusal_is_heard_also_by_the_one_who_only_talks() {
    let (mut client, mut server) = connected().await;
    let code = CloseCode::TooMuch;
    let frame = CloseFrame { code: code.number().into(), reason: code.sentence().into() };
    server.close(Some(frame)).await.unwrap();
    drop(server);
    let error = loop {
        if let Err(error) = client.send(Relay::Confirm { t: Hex([0; 32]) }).await {
            break error;
        }
    };
    assert!(matches!(error, SignalingClientError::Closed(CloseCode::TooMuch)), "{error:?}");
}

#[tokio::test]
async fn what_does_not_fit_the_protocol_ends_the_connection() {
    for frame in [
        Message::binary(vec![1]),
        Message::text("garbage"),
        Message::text(r#"{"type":"peer","nr":"short"}"#),
        Message::text(render(&ServerMessage::Joined { ns: Hex([1; 16]), ice: vec![] })),
    ] {
        assert!(matches!(verdict(frame.clone()).await, SignalingClientError::Malformed), "{frame:?}");
    }
    let long = Message::text("x".repeat(MAX_SIGNALING_FRAME + 1));
    assert!(matches!(verdict(long).await, SignalingClientError::TooLong));
}

#[tokio::test]
async fn unknown_kinds_are_skipped_but_not_for_ever() {
    let (mut client, mut server) = connected().await;
    let unknown = Message::text(r#"{"type":"weather","sun":true}"#);
    for _ in 0..64 {
        server.send(unknown.clone()).await.unwrap();
    }
    say(&mut server, &ServerMessage::Gone).await;
    assert_eq!(client.recv().await.unwrap(), Incoming::Gone);
    server.send(unknown).await.unwrap();
    assert!(matches!(client.recv().await, Err(SignalingClientError::Malformed)));
}

#[tokio::test]
async fn pings_are_answered_while_the_client_waits() {
    let (mut client, mut server) = connected().await;
    server.send(Message::Ping(vec![7].into())).await.unwrap();
    tokio::select! {
        word = client.recv() => panic!("{word:?}"),
        pong = server.next() => assert_eq!(pong.unwrap().unwrap(), Message::Pong(vec![7].into())),
    }
}

#[tokio::test]
async fn the_client_pings_while_it_waits_and_notices_a_dead_server() {
    let (mut client, mut server) = connected().await;
    client.ping = tokio::time::interval(Duration::from_millis(5));
    tokio::select! {
        word = client.recv() => panic!("{word:?}"),
        ping = server.next() => assert!(matches!(ping, Some(Ok(Message::Ping(_)))), "{ping:?}"),
    }
    client.silence = Duration::from_millis(20);
    assert!(matches!(client.recv().await, Err(SignalingClientError::Lost)));
}

/// `recv` stands in the same `select!` as everything else that a sender waits for.
#[tokio::test]
async fn recv_loses_nothing_when_it_is_dropped() {
    let (mut client, mut server) = connected().await;
    for seq in 0..200 {
        say(&mut server, &ServerMessage::Relay(Relay::Sealed { seq, body: Base64(vec![0; 900]) })).await;
    }
    let mut expected = 0;
    while expected < 200 {
        tokio::select! {
            biased;
            word = client.recv() => {
                let Incoming::Relay(Relay::Sealed { seq, .. }) = word.unwrap() else { panic!("not sealed") };
                assert_eq!(seq, expected);
                expected += 1;
            }
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_not_sent() {
    let (mut client, _server) = connected().await;
    let relay = Relay::Sealed { seq: 0, body: Base64(vec![0; MAX_SIGNALING_FRAME]) };
    assert!(matches!(client.send(relay).await, Err(SignalingClientError::TooLong)));
}

#[tokio::test]
async fn a_server_that_is_not_there_or_not_ours_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = ServerUrl::from(listener.local_addr().unwrap());
    for (answer, status) in [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", Some(404)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", Some(200)),
        ("SSH-2.0-OpenSSH\r\n\r\n\r\n", None),
    ] {
        let script = async {
            let mut stream = listener.accept().await.unwrap().0;
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream
        };
        let (client, _stream) = tokio::join!(Signaling::connect(&url, NEVER), script);
        match client.err().expect("this is no server") {
            SignalingClientError::NotP2pcp { status: found } => assert_eq!(found, status),
            other => panic!("{answer:?}: {other:?}"),
        }
    }
    let hang_up = async { drop(listener.accept().await) };
    let (client, ()) = tokio::join!(Signaling::connect(&url, NEVER), hang_up);
    assert!(matches!(client.err(), Some(SignalingClientError::Lost)));

    let patience = Duration::from_millis(20);
    let silent = Signaling::connect(&url, patience).await.err();
    assert!(matches!(silent, Some(SignalingClientError::TimedOut(waited)) if waited == patience));

    drop(listener);
    let closed = Signaling::connect(&url, NEVER).await.err();
    assert!(matches!(closed, Some(SignalingClientError::Unreachable(_))), "{closed:?}");
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_not_p2pcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}", listener.local_addr().unwrap()).parse().unwrap();
    let script = async {
        let mut stream = listener.accept().await.unwrap().0;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    };
    let (client, _stream) = tokio::join!(Signaling::connect(&url, NEVER), script);
    let error = client.err();
    assert!(matches!(error, Some(SignalingClientError::NotP2pcp { status: None })), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_a_request_times_out() {
    let (mut client, _server) = connected().await;
    client.timeout = Duration::from_millis(20);
    assert!(matches!(client.create([0; 16]).await, Err(SignalingClientError::TimedOut(_))));
}

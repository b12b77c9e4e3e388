//! Offers that go out before the sender's hello, and so before it is known where the sender is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use p2pcp::code::WordCount;
use p2pcp::connect::{ConnectError, Joined, Limit, Surroundings, Waiting};
use p2pcp::crypto::Role::{Receiver, Sender};
use p2pcp::crypto::keys::Host;
use p2pcp::session::handshake::{Context, start};
use p2pcp::transport::Link;
use p2pcp::wire::signaling::{Base64, ClientMessage, Hex, Relay, SealedMessage, ServerMessage};

use crate::hostile_server::middle::{
    Greeting, Log, beside, create, dial, hear, honest, listen, nameplate, seat_sender, send, serve,
    surroundings, tell,
};

/// The loopback interface by an address that does not look like it.
fn in_disguise(address: SocketAddr) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], address.port()))
}

fn anywhere() -> Surroundings {
    Surroundings { limit: Limit::Network, ..surroundings() }
}

/// Who is taken to be elsewhere and turns out to be here is offered a path inside the host.
#[tokio::test]
async fn peers_on_one_host_find_each_other_through_a_server_far_away() {
    let (listener, address) = listen().await;
    let server = in_disguise(address);
    let log = Arc::new(Mutex::new(Log::default()));
    let serving = serve(listener, Greeting::default(), honest(), Arc::clone(&log));
    let peers = async {
        let waiting = Waiting::create(dial(server).await, WordCount::default(), None).await.unwrap();
        let code = waiting.code().clone();
        let send = async { waiting.joined().await?.bind(anywhere()).await };
        let receive = async { Joined::join(dial(server).await, code).await?.bind(anywhere()).await };
        tokio::join!(send, receive)
    };
    let (sender, receiver) = beside(Box::pin(serving), Box::pin(peers)).await;
    let (sender, receiver) = (sender.expect("bound"), receiver.expect("bound"));
    for bound in [&sender, &receiver] {
        assert!(bound.path.address.is_some_and(|it| it.is_loopback()), "{:?}", bound.path);
    }
    let said = log.lock().unwrap().said.clone();
    // The first box came before the sender's confirmation could be heard: an offer, and a void one, as they met on loopback.
    let number = |role, of: fn(&Relay) -> bool| said.iter().position(|it| it.from == role && of(&it.relay));
    let first_box = number(Receiver, |it| matches!(it, Relay::Sealed { .. }));
    let confirmed = number(Sender, |it| matches!(it, Relay::Confirm { .. }));
    assert!(first_box.is_some() && first_box < confirmed, "{said:?}");
    tokio::join!(sender.link.close(), receiver.link.close());
}

/// A receiver that has the code cannot keep a sender busy with offers that do not count.
#[tokio::test]
async fn a_second_void_offer_is_a_violation() {
    let (listener, address) = listen().await;
    let (give, code) = tokio::sync::oneshot::channel();
    let server = async {
        let (mut socket, ns) = seat_sender(&listener, &Greeting::default()).await;
        let code: p2pcp::code::Code = code.await.unwrap();
        let nr = Hex([9; 16]);
        tell(&mut socket, &ServerMessage::Peer { nr, ice: Vec::new() }).await;
        let context = Context { secret: code.secret(), nameplate: nameplate(417), ns, nr };
        let (sharing, share) = start(Receiver, context, &[5; 64]);
        tell(&mut socket, &ServerMessage::Relay(share)).await;
        let Some(ClientMessage::Relay(theirs)) = hear(&mut socket).await else { panic!("no share") };
        let (confirming, ta) = sharing.handle(&theirs).expect("a share");
        tell(&mut socket, &ServerMessage::Relay(ta.unwrap())).await;
        let Some(ClientMessage::Relay(tb)) = hear(&mut socket).await else { panic!("no confirmation") };
        let (schedule, _) = confirming.handle(&tb).expect("the code is right");
        let (mut sealer, _) = schedule.seals(Receiver);
        let host = Some(Hex(schedule.key::<Host>().mac(b"one host for both")));
        for _ in 0..2 {
            let offer = SealedMessage::Offer { sdp: "v=0\r\n".into(), host, elsewhere: true, verify: false };
            let sealed = sealer.seal(&serde_json::to_vec(&offer).unwrap());
            let sealed = Relay::Sealed { seq: sealed.seq, body: Base64(sealed.body) };
            tell(&mut socket, &ServerMessage::Relay(sealed)).await;
        }
        while hear(&mut socket).await.is_some() {}
    };
    let sender = async {
        let waiting = create(address).await;
        give.send(waiting.code().clone()).ok();
        send(waiting).await
    };
    let sender = beside(Box::pin(server), Box::pin(sender)).await;
    assert!(matches!(sender, Err(ConnectError::Unexpected("no offer"))), "{:?}", sender.err());
}

//! Wrong words: typed by a person, or guessed by a server that knows the number and runs PAKEs itself.

use p2pcp::code::Code;
use p2pcp::connect::ConnectError;
use p2pcp::crypto::Role::{self, Receiver, Sender};
use p2pcp::crypto::keys::Schedule;
use p2pcp::crypto::pake::{Flight, Pake};
use p2pcp::crypto::{Mac, lv};
use p2pcp::session::handshake::{Confirming, Context, HandshakeError, Sharing, start};
use p2pcp::wire::PathKind;
use p2pcp::wire::signaling::{ClientMessage, Hex, Nameplate, Relay, ServerMessage};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;

use crate::hostile_server::middle::{
    Greeting, Said, assert_unbound, beside, create, hear, honest, listen, meet_by, receive, seat_receiver,
    seat_sender, send, send_alone, tell,
};

/// Not a code's words: no code is ever this one, so that a guess is always wrong.
const GUESS: &str = "wrong-wrong";

fn typo(code: &Code) -> Code {
    let other = if code.secret() == "aloe-tuba" { "tuba-aloe" } else { "aloe-tuba" };
    Code::parse(&format!("{}-{other}", code.nameplate())).expect("a legal code").code
}

fn assert_wrong_code<T>(case: &str, result: Result<T, ConnectError>) {
    match result {
        Ok(_) => panic!("{case}: bound"),
        Err(error) => assert!(error.is_wrong_code(), "{case}: {error:?}"),
    }
}

#[tokio::test]
async fn a_mistyped_code_is_a_wrong_code_on_both_sides() {
    let met = meet_by(Greeting::default(), honest(), typo).await;
    assert_unbound("mistyped", &met);
    let confirmed = met.seen.iter().any(|it| it.from == Sender && matches!(it.relay, Relay::Confirm { .. }));
    assert!(!confirmed, "the sender's confirmation would let a guesser check more guesses at home");
    let sealed = |it: &&Said| it.from == Sender && matches!(it.relay, Relay::Sealed { .. });
    assert_eq!(
        met.seen.iter().filter(sealed).count(),
        0,
        "the sender seals nothing for a wrong confirmation"
    );
    assert_wrong_code("sender", met.sender);
    assert_wrong_code("receiver", met.receiver);
}

/// A peer of the server's own making.
struct Guesser {
    role: Role,
    socket: WebSocketStream<TcpStream>,
}

impl Guesser {
    fn start(&self, words: &str, nameplate: Nameplate, ns: Hex<16>, nr: Hex<16>) -> (Sharing, Relay) {
        start(self.role, Context { secret: words, nameplate, ns, nr }, &[self.role.label()[0]; 64])
    }

    async fn say(&mut self, relay: Relay) {
        tell(&mut self.socket, &ServerMessage::Relay(relay)).await;
    }

    async fn hear(&mut self) -> Option<Relay> {
        match hear(&mut self.socket).await? {
            ClientMessage::Relay(relay) => Some(relay),
            other => panic!("a seated peer said {other:?}"),
        }
    }

    /// Runs the PAKE with whoever is there, and hears its confirmation where it speaks first.
    async fn share(&mut self, sharing: Sharing, share: Relay) -> (Confirming, Relay) {
        let (confirming, other) = match self.role {
            Receiver => {
                self.say(share).await;
                let theirs = self.hear().await.expect("its share");
                let (confirming, ta) = sharing.handle(&theirs).expect("a share");
                (confirming, ta.expect("the receiver confirms first"))
            }
            Sender => {
                let theirs = self.hear().await.expect("its share");
                self.say(share).await;
                let (confirming, _) = sharing.handle(&theirs).expect("a share");
                (confirming, self.hear().await.expect("its confirmation"))
            }
        };
        (confirming, other)
    }

    /// The peer says that it failed, and nothing else; but a receiver has sealed an offer for whoever has the code, and
    /// the guess does not open that.
    async fn hear_the_end(&mut self, guess: Option<&Schedule>) {
        let mut end = self.hear().await;
        while let (Some(Relay::Sealed { seq, body }), Some(guess)) = (&end, guess) {
            assert!(guess.seals(Sender).1.open(*seq, &body.0).is_err(), "box {seq} opens");
            assert!(guess.seals(Receiver).1.open(*seq, &body.0).is_err(), "box {seq} opens");
            end = self.hear().await;
        }
        assert_eq!(end, Some(Relay::Bye { path: PathKind::Failed }));
        assert_eq!(self.hear().await, None);
    }
}

#[tokio::test]
async fn a_server_that_guesses_at_the_sender_gets_one_wrong_answer() {
    let (listener, address) = listen().await;
    let server = async {
        let greeting = Greeting::default();
        let (mut socket, ns) = seat_sender(&listener, &greeting).await;
        let nr = Hex([9; 16]);
        tell(&mut socket, &ServerMessage::Peer { nr, ice: Vec::new() }).await;
        let mut guesser = Guesser { role: Receiver, socket };
        let (sharing, share) = guesser.start(GUESS, greeting.nameplate, ns, nr);
        let (_, ta) = guesser.share(sharing, share).await;
        guesser.say(ta).await;
        guesser.hear_the_end(None).await;
    };
    let sender = send_alone(address);
    assert_wrong_code("sender", beside(Box::pin(server), sender).await);
}

#[tokio::test]
async fn a_server_that_guesses_at_the_receiver_gets_one_wrong_answer() {
    type Forge = fn(ta: Mac, own: Mac) -> Mac;
    let forges: [(&str, Forge); 4] = [
        ("the confirmation of its guess", |_, own| own),
        ("the receiver's own confirmation", |ta, _| ta),
        ("nothing", |_, _| [0; 32]),
        ("nearly the receiver's own", |ta, _| ta.map(|byte| !byte)),
    ];
    for (case, forge) in forges {
        let (listener, address) = listen().await;
        let server = async {
            let (mut socket, nr) = seat_receiver(&listener).await;
            let ns = Hex([8; 16]);
            tell(&mut socket, &ServerMessage::Joined { ns, ice: Vec::new() }).await;
            let mut guesser = Guesser { role: Sender, socket };
            let (ta, guess) = guess_at_receiver(&mut guesser, ns, nr).await;
            let own = guess.confirm_sender(&ta);
            guesser.say(Relay::Confirm { t: Hex(forge(ta, own)) }).await;
            guesser.hear_the_end(Some(&guess)).await;
        };
        let code = Code::parse("417-aloe-tuba").unwrap().code;
        assert_wrong_code(case, beside(Box::pin(server), receive(address, code)).await);
    }
}

/// Runs a sender's PAKE by the guess; gives the receiver's confirmation, and the keys that would be right if the guess were.
async fn guess_at_receiver(guesser: &mut Guesser, ns: Hex<16>, nr: Hex<16>) -> (Mac, Schedule) {
    let (context, session_id) = (lv(&[b"p2pcp/1", b"R", b"S", b"417"]), [ns.0, nr.0].concat());
    let pake = Pake::start(GUESS.as_bytes(), &context, &session_id, &[5; 64]);
    let Some(Relay::Pake { y, ad }) = guesser.hear().await else { panic!("no share") };
    let (own, theirs) = (*pake.share(), Flight { share: &y.0, associated_data: &ad.0 });
    guesser.say(Relay::Pake { y: Hex(own), ad }).await;
    let shared = pake.finish(Sender, &ad.0, theirs).expect("a receiver sends a share");
    let own = Flight { share: &own, associated_data: &ad.0 };
    let schedule = Schedule::new(shared, &session_id, &context, theirs, own);
    let Some(Relay::Confirm { t: ta }) = guesser.hear().await else { panic!("no confirmation") };
    assert!(schedule.verify_receiver(&ta.0).is_err(), "what it learns: this guess was wrong");
    (ta.0, schedule)
}

/// Two whole PAKEs, one with each side, by the same guess: neither confirms.
#[tokio::test]
async fn a_pake_with_each_side_needs_the_words() {
    let (listener, address) = listen().await;
    let server = async {
        let greeting = Greeting::default();
        let (mut to_sender, ns) = seat_sender(&listener, &greeting).await;
        let (mut to_receiver, nr) = seat_receiver(&listener).await;
        tell(&mut to_receiver, &ServerMessage::Joined { ns, ice: Vec::new() }).await;
        tell(&mut to_sender, &ServerMessage::Peer { nr, ice: Vec::new() }).await;
        let mut to_sender = Guesser { role: Receiver, socket: to_sender };
        let mut to_receiver = Guesser { role: Sender, socket: to_receiver };
        let (sharing, share) = to_receiver.start(GUESS, greeting.nameplate, ns, nr);
        let (confirming, ta) = to_receiver.share(sharing, share).await;
        let (_, mut opener) = confirming.seals();
        assert_eq!(confirming.handle(&ta).map(drop), Err(HandshakeError::WrongCode));
        let (sharing, share) = to_sender.start(GUESS, greeting.nameplate, ns, nr);
        let (_, own_ta) = to_sender.share(sharing, share).await;
        // Its own confirmation to one side, the sender's end as the answer to the other.
        to_sender.say(own_ta).await;
        to_sender.hear_the_end(None).await;
        to_receiver.say(Relay::Confirm { t: Hex([3; 32]) }).await;
        let mut end = to_receiver.hear().await;
        while let Some(Relay::Sealed { seq, body }) = &end {
            assert!(opener.open(*seq, &body.0).is_err());
            end = to_receiver.hear().await;
        }
        assert_eq!(end, Some(Relay::Bye { path: PathKind::Failed }));
        assert_eq!(to_receiver.hear().await, None);
    };
    let peers = async {
        let waiting = create(address).await;
        let code = waiting.code().clone();
        tokio::join!(send(waiting), receive(address, code))
    };
    let (sender, receiver) = beside(Box::pin(server), Box::pin(peers)).await;
    assert_wrong_code("sender", sender);
    assert_wrong_code("receiver", receiver);
}

/// All that a sender said in one session, said again to a receiver that types the same code.
#[tokio::test]
async fn an_earlier_session_cannot_be_replayed() {
    let met = meet_by(Greeting::default(), honest(), Code::clone).await;
    let code = met.code.clone();
    let said = |from| met.seen.iter().filter(move |it| it.from == from).map(|it| it.relay.clone());
    let (by_sender, by_receiver): (Vec<_>, Vec<_>) = (said(Sender).collect(), said(Receiver).collect());
    let first = (met.sender.expect("the honest one binds"), met.receiver.expect("the honest one binds"));

    let (listener, address) = listen().await;
    let server = async {
        let (mut socket, nr) = seat_receiver(&listener).await;
        assert_ne!(nr, met.nr, "the receiver's half of the session is new");
        tell(&mut socket, &ServerMessage::Joined { ns: met.ns, ice: Vec::new() }).await;
        let mut replay = Guesser { role: Sender, socket };
        for relay in by_sender {
            replay.say(relay).await;
        }
        while replay.hear().await.is_some() {}
    };
    assert_wrong_code("receiver", beside(Box::pin(server), receive(address, code)).await);

    let (listener, address) = listen().await;
    let server = async {
        let (mut socket, ns) = seat_sender(&listener, &Greeting::default()).await;
        assert_ne!(ns, met.ns, "the sender's half of the session is new");
        tell(&mut socket, &ServerMessage::Peer { nr: met.nr, ice: Vec::new() }).await;
        let mut replay = Guesser { role: Receiver, socket };
        for relay in by_receiver {
            replay.say(relay).await;
        }
        while replay.hear().await.is_some() {}
    };
    let sender = send_alone(address);
    assert_wrong_code("sender", beside(Box::pin(server), sender).await);
    drop(first);
}

//! A man in the middle of DTLS: two lanes that are honest each, and Bind between them.
//!
//! The server could only get there by reading the sealed descriptions, so here it is given them.

use bytes::Bytes;
use p2pcp::crypto::Role::{self, Receiver, Sender};
use p2pcp::crypto::keys::{Fingerprints, Schedule};
use p2pcp::session::handshake::{Context, start};
use p2pcp::transport::Link;
use p2pcp::transport::peer::{Lane, LaneEvent, Reach, WebRtcLink};
use p2pcp::wire::Channel;
use p2pcp::wire::peer::{Hash, PeerMessage, decode, encode};
use p2pcp::wire::signaling::Hex;

use crate::hostile_server::middle::{WITHIN, nameplate};

/// An open lane's end, and the certificates that it saw.
struct End {
    link: WebRtcLink,
    ours: Hash,
    theirs: Hash,
}

/// Two ends of one lane over loopback: who offers, who answers.
async fn lane() -> (End, End) {
    let new = || Lane::new(Reach::SameHost, &[]);
    let (mut offering, mut answering) = (new().await.expect("a lane"), new().await.expect("a lane"));
    let offer = offering.offer().await.expect("an offer");
    let answer = answering.answer(offer).await.expect("an answer");
    offering.accept(answer).await.expect("an answer is taken");
    let (mut offering_open, mut answering_open) = (false, false);
    while !(offering_open && answering_open) {
        tokio::select! {
            event = offering.next_event(), if !offering_open => match event {
                LaneEvent::Candidate(it) => answering.add_candidate(&it).await,
                LaneEvent::Open => offering_open = true,
                LaneEvent::Gathered => (),
                LaneEvent::Failed | LaneEvent::Silent => panic!("the lane failed"),
            },
            event = answering.next_event(), if !answering_open => match event {
                LaneEvent::Candidate(it) => offering.add_candidate(&it).await,
                LaneEvent::Open => answering_open = true,
                LaneEvent::Gathered => (),
                LaneEvent::Failed | LaneEvent::Silent => panic!("the lane failed"),
            },
        }
    }
    (end(offering).await, end(answering).await)
}

async fn end(lane: Lane) -> End {
    let (ours, theirs) = lane.fingerprints().await.expect("an open lane");
    End { link: lane.into_link(), ours, theirs }
}

impl End {
    fn fingerprints(&self, role: Role) -> Fingerprints {
        match role {
            Sender => Fingerprints { sender: self.ours, receiver: self.theirs },
            Receiver => Fingerprints { sender: self.theirs, receiver: self.ours },
        }
    }

    async fn say_bind(&self, schedule: &Schedule, role: Role) {
        let mac = schedule.bind(role, &self.fingerprints(role));
        self.pass(&encode(&PeerMessage::Bind { mac })).await;
    }

    async fn pass(&self, frame: &[u8]) {
        self.link.ready(Channel::Control).await.expect("an open lane");
        self.link.send(Channel::Control, Bytes::copy_from_slice(frame)).await.expect("an open lane");
    }

    async fn hear(&self) -> Vec<u8> {
        let (channel, frame) = self.link.recv().await.expect("an open lane");
        assert_eq!(channel, Channel::Control);
        frame.to_vec()
    }

    /// Whether the peer's Bind, heard by `role` at this end, verifies.
    async fn hears_bind(&self, schedule: &Schedule, role: Role) -> bool {
        match decode(&self.hear().await) {
            Ok(PeerMessage::Bind { mac }) => {
                schedule.verify_bind(role.other(), &self.fingerprints(role), &mac).is_ok()
            }
            other => panic!("{other:?} instead of a Bind"),
        }
    }
}

/// The keys of a sender and a receiver who have the same code.
fn agreed() -> (Schedule, Schedule) {
    let context =
        Context { secret: "aloe-tuba", nameplate: nameplate(417), ns: Hex([1; 16]), nr: Hex([2; 16]) };
    let (receiver, ya) = start(Receiver, context, &[3; 64]);
    let (sender, yb) = start(Sender, context, &[4; 64]);
    let (receiver, ta) = receiver.handle(&yb).expect("a share");
    let (sender, _) = sender.handle(&ya).expect("a share");
    let (sender, tb) = sender.handle(&ta.expect("the receiver confirms first")).expect("the same code");
    let (receiver, _) = receiver.handle(&tb.expect("the sender answers")).expect("the same code");
    (sender, receiver)
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(WITHIN, Box::pin(future)).await.expect("the lanes come up in time")
}

/// The control: what the middle breaks, an honest lane has. The answering side is the sender and speaks
/// first, as in `connect`.
#[tokio::test]
async fn an_honest_lane_binds_both_ways() {
    let (sender_keys, receiver_keys) = agreed();
    soon(async {
        let (receiver, sender) = lane().await;
        sender.say_bind(&sender_keys, Sender).await;
        assert!(receiver.hears_bind(&receiver_keys, Receiver).await);
        receiver.say_bind(&receiver_keys, Receiver).await;
        assert!(sender.hears_bind(&sender_keys, Sender).await);
    })
    .await;
}

/// The middle forwards each Bind as it is, which is all that it can do without the keys.
#[tokio::test]
async fn a_man_in_the_middle_of_dtls_does_not_bind() {
    let (sender_keys, receiver_keys) = agreed();
    soon(async {
        let (to_sender, sender) = lane().await;
        let (receiver, to_receiver) = lane().await;
        sender.say_bind(&sender_keys, Sender).await;
        to_receiver.pass(&to_sender.hear().await).await;
        assert!(
            !receiver.hears_bind(&receiver_keys, Receiver).await,
            "the receiver took the middle for the sender"
        );
        // The receiver would have stopped here; were it to answer, the sender would not be bound either.
        receiver.say_bind(&receiver_keys, Receiver).await;
        to_sender.pass(&to_receiver.hear().await).await;
        assert!(
            !sender.hears_bind(&sender_keys, Sender).await,
            "the sender took the middle for the receiver"
        );
    })
    .await;
}

/// A Bind sent back to whoever made it.
#[tokio::test]
async fn a_reflected_bind_does_not_verify() {
    let (sender_keys, receiver_keys) = agreed();
    soon(async {
        let (other, sender) = lane().await;
        sender.say_bind(&sender_keys, Sender).await;
        other.pass(&other.hear().await).await;
        assert!(!sender.hears_bind(&sender_keys, Sender).await);
        sender.say_bind(&receiver_keys, Receiver).await;
        other.pass(&other.hear().await).await;
        assert!(!sender.hears_bind(&receiver_keys, Receiver).await);
    })
    .await;
}

//! Links of several lanes over real WebRTC, on loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use webrtc::data_channel::DataChannelEvent;

use crate::transport::growing::Most;
use crate::transport::peer::{Better, Lane, LaneEvent, Reach, WebRtcLink};
use crate::transport::{Link, LinkLost, Path, Way};
use crate::wire::lanes::{LanesMessage, MAX_LANES, decode, encode};
use crate::wire::{Channel, PathKind};

/// Longest wait for anything; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

const FRAME: usize = 128 << 10;

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, Box::pin(future)).await.expect("it takes too long")
}

/// A link of one lane: the end that answered, which sends, and the other one.
async fn pair() -> (WebRtcLink, WebRtcLink) {
    let new = async || Lane::new(Reach::SameHost, &[]).await.unwrap();
    let (mut receiver, mut sender) = (new().await, new().await);
    let answer = sender.answer(receiver.offer().await.unwrap()).await.unwrap();
    receiver.accept(answer).await.unwrap();
    let (mut receiver_open, mut sender_open) = (false, false);
    while !(receiver_open && sender_open) {
        tokio::select! {
            event = receiver.next_event(), if !receiver_open => match event {
                LaneEvent::Candidate(it) => sender.add_candidate(&it).await,
                event => receiver_open = event == LaneEvent::Open,
            },
            event = sender.next_event(), if !sender_open => match event {
                LaneEvent::Candidate(it) => receiver.add_candidate(&it).await,
                event => sender_open = event == LaneEvent::Open,
            },
        }
    }
    (sender.into_link(), receiver.into_link())
}

/// A pair that grows, with the most lanes that the sender asks for and the receiver grants.
async fn growing(asked: u8, granted: u8) -> (WebRtcLink, WebRtcLink) {
    let (sender, receiver) = pair().await;
    (sender.growing(Some(asked), &Path::UNKNOWN, None), receiver.growing(Some(granted), &Path::UNKNOWN, None))
}

fn frame(number: u64) -> Bytes {
    let mut frame = BytesMut::with_capacity(FRAME);
    frame.put_u64(number);
    frame.resize(FRAME, number.to_le_bytes()[0]);
    frame.freeze()
}

/// Sends frames from number `from` on, until `done` says so of the number of those that came, in order. Tells
/// how many were sent.
async fn flow(
    sender: &WebRtcLink,
    receiver: &WebRtcLink,
    from: u64,
    mut done: impl FnMut(u64) -> bool,
) -> u64 {
    let mut sent = from;
    let send = async {
        loop {
            sender.ready(Channel::Bulk).await.unwrap();
            sender.send(Channel::Bulk, frame(sent)).await.unwrap();
            sent += 1;
        }
    };
    let take = async {
        let mut came = from;
        while !done(came - from) {
            assert_eq!(receiver.recv().await, Ok((Channel::Bulk, frame(came))), "frame {came}");
            came += 1;
        }
    };
    tokio::select! {
        () = async { soon(take).await } => (),
        () = send => (),
        heard = sender.recv() => panic!("the sender heard {heard:?}"),
    }
    sent
}

/// Lets both sides work until `done`.
async fn until(sender: &WebRtcLink, receiver: &WebRtcLink, done: impl Fn() -> bool) {
    soon(async {
        while !done() {
            tokio::select! {
                heard = sender.recv() => panic!("the sender heard {heard:?}"),
                heard = receiver.recv() => panic!("the receiver heard {heard:?}"),
                () = tokio::time::sleep(Duration::from_millis(1)) => (),
            }
        }
    })
    .await;
}

const MEBIBYTE: u64 = (1 << 20) / FRAME as u64;

#[tokio::test]
async fn one_lane_grows_to_several_and_all_comes_in_order() {
    let (sender, receiver) = growing(4, MAX_LANES).await;
    let mut grown_at = None;
    flow(&sender, &receiver, 0, |came| {
        if grown_at.is_none() && (sender.lanes(), receiver.lanes()) == (4, 4) {
            grown_at = Some(came);
        }
        grown_at.is_some_and(|at| came >= at + 64 * MEBIBYTE)
    })
    .await;
    assert!(receiver.lanes.all().iter().all(|lane| lane.is_used()), "a lane brought nothing");
    soon(async { tokio::join!(sender.close(), receiver.close()) }).await;
}

/// As on a machine with more cores than two.
#[tokio::test]
async fn lanes_on_threads_of_their_own_bring_all_in_order_too() {
    let (sender, receiver) = pair().await;
    let mut most = Most::new(Some(4), Reach::SameHost);
    most.threads = 2;
    let (sender, receiver) = (sender.grow(most, false), receiver.grow(most, false));
    flow(&sender, &receiver, 0, |came| {
        let used = receiver.lanes.all().iter().filter(|it| it.is_used()).count();
        used == 4 && came >= 64 * MEBIBYTE
    })
    .await;
    soon(async { tokio::join!(sender.close(), receiver.close()) }).await;
}

/// Bulk leaves the relay as soon as there is another way, and whoever wants to know hears of it.
#[tokio::test]
async fn a_link_through_a_relay_finds_a_path_without_one_and_moves_there() {
    let (sender, receiver) = pair().await;
    let relayed = Path { kind: PathKind::Relayed, ..Path::UNKNOWN };
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    let better: Better = Arc::new(move |path: &Path| hears.lock().unwrap().push(path.way.clone()));
    let sender = sender.growing(None, &relayed, Some(better));
    let receiver = receiver.growing(None, &relayed, None);
    let mut before = None;
    flow(&sender, &receiver, 0, |came| {
        let over_first = sender.lanes.first.bulk_bytes();
        if before.is_none() && sender.lanes() == 2 && receiver.lanes() == 2 {
            before = Some((came, over_first));
        }
        before.is_some_and(|(at, _)| came >= at + 64 * MEBIBYTE)
    })
    .await;
    assert_eq!((sender.lanes(), receiver.lanes()), (2, 2), "one is enough");
    assert_eq!(*heard.lock().unwrap(), [Way::ThisMachine]);
    // What was on its way when the second lane opened, and no more.
    let (_, before) = before.unwrap();
    assert!(sender.lanes.first.bulk_bytes() - before <= 8 << 20, "bulk stayed on the relay");
    soon(async { tokio::join!(sender.close(), receiver.close()) }).await;
}

/// As over distance with the stock engine.
#[tokio::test]
async fn an_engine_that_needs_care_brings_all_in_order_too() {
    let (sender, receiver) = pair().await;
    let most = Most::new(Some(4), Reach::Everywhere);
    let (sender, receiver) = (sender.grow(most, true), receiver.growing(None, &Path::UNKNOWN, None));
    let mut grown_at = None;
    flow(&sender, &receiver, 0, |came| {
        if grown_at.is_none() && (sender.lanes(), receiver.lanes()) == (4, 4) {
            grown_at = Some(came);
        }
        grown_at.is_some_and(|at| came >= at + 32 * MEBIBYTE)
    })
    .await;
    soon(async { tokio::join!(sender.abandon(), receiver.abandon()) }).await;
}

#[tokio::test]
async fn there_are_as_many_lanes_as_one_side_asks_for_and_the_other_grants() {
    for (asked, granted, lanes) in [(1, 8, 1), (8, 1, 1), (8, 3, 3), (2, 8, 2)] {
        let (sender, receiver) = growing(asked, granted).await;
        flow(&sender, &receiver, 0, |came| {
            came >= 24 * MEBIBYTE && (sender.lanes(), receiver.lanes()) == (lanes, lanes)
        })
        .await;
        soon(async { tokio::join!(sender.abandon(), receiver.abandon()) }).await;
    }
}

#[tokio::test]
async fn a_link_is_lost_with_a_lane_that_was_used() {
    let (sender, receiver) = growing(3, 3).await;
    flow(&sender, &receiver, 0, |_| receiver.lanes.all().iter().filter(|it| it.is_used()).count() == 3).await;
    receiver.lanes.all()[2].close().await;
    let lost = async |link: &WebRtcLink| while link.recv().await.is_ok() {};
    soon(async { tokio::join!(lost(&sender), lost(&receiver)) }).await;
    soon(async { tokio::join!(sender.abandon(), receiver.abandon()) }).await;
}

/// Two lanes that work, and a third over which nothing went.
async fn one_unused() -> (WebRtcLink, WebRtcLink, usize) {
    let (sender, receiver) = growing(3, 3).await;
    // Just as much as makes it ask; then it has nothing to send while the lanes open.
    let send = async {
        for number in 0..8 * MEBIBYTE {
            sender.ready(Channel::Bulk).await.unwrap();
            sender.send(Channel::Bulk, frame(number)).await.unwrap();
        }
    };
    let take = async {
        for number in 0..8 * MEBIBYTE {
            assert_eq!(receiver.recv().await, Ok((Channel::Bulk, frame(number))));
        }
    };
    soon(async { tokio::join!(send, take) }).await;
    until(&sender, &receiver, || (sender.lanes(), receiver.lanes()) == (3, 3)).await;
    let lanes = receiver.lanes.all();
    let unused = lanes.iter().rposition(|lane| !lane.is_used()).expect("nothing was sent since they opened");
    (sender, receiver, unused)
}

#[tokio::test]
async fn a_lane_that_was_never_used_is_forgotten() {
    let (sender, receiver, unused) = one_unused().await;
    receiver.lanes.all()[unused].close().await;
    until(&sender, &receiver, || (sender.lanes(), receiver.lanes()) == (2, 2)).await;
    flow(&sender, &receiver, 8 * MEBIBYTE, |came| came >= 16 * MEBIBYTE).await;
    soon(async { tokio::join!(sender.abandon(), receiver.abandon()) }).await;
}

/// What came over it would be kept, up to 64 MiB for each channel, and nobody would read it.
#[tokio::test]
async fn a_lane_with_a_channel_that_nobody_knows_is_closed() {
    let (sender, receiver, unused) = one_unused().await;
    let lane = receiver.lanes.all().swap_remove(unused);
    let _unknown = lane.connection.create_data_channel("unknown", None).await.unwrap();
    // The one that meets it forgets the lane; that the other does too shows that it was closed.
    until(&sender, &receiver, || (sender.lanes(), receiver.lanes()) == (2, 2)).await;
    soon(async { tokio::join!(sender.abandon(), receiver.abandon()) }).await;
}

/// Says `frames` about lanes to an end that `is_bound`, or not; how that end takes them.
async fn told(is_bound: bool, frames: Vec<Vec<u8>>) -> LinkLost {
    let (hostile, honest) = pair().await;
    let honest = if is_bound { honest.growing(None, &Path::UNKNOWN, None) } else { honest };
    let lost = soon(async {
        let tell = async {
            for frame in &frames {
                hostile.about.send(frame.as_slice().into()).await.ok();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            heard = honest.recv() => heard.expect_err("nothing was sent but about lanes"),
            () = tell => unreachable!(),
        }
    });
    let lost = lost.await;
    soon(async { tokio::join!(hostile.abandon(), honest.abandon()) }).await;
    lost
}

fn ask() -> Vec<u8> {
    encode(&LanesMessage::Ask { further: 1 }).unwrap()
}

#[tokio::test]
async fn before_a_link_is_bound_nobody_may_speak_of_lanes() {
    assert_eq!(told(false, vec![ask()]).await, LinkLost::Closed);
}

#[tokio::test]
async fn who_breaks_the_rules_about_lanes_loses_the_link() {
    let offer = encode(&LanesMessage::Offer { lane: 1, sdp: "v=0".into() }).unwrap();
    let answer = encode(&LanesMessage::Answer { lane: 1, sdp: "v=0".into() }).unwrap();
    let candidate = encode(&LanesMessage::Candidate { lane: 1, candidate: "{}".into() }).unwrap();
    let flood = std::iter::once(ask()).chain(std::iter::repeat_n(candidate.clone(), 1000)).collect();
    for (what, frames) in [
        ("noise", vec![vec![9; 40]]),
        ("two questions", vec![ask(), ask()]),
        ("an offer that nobody asked for", vec![offer]),
        ("an answer to no offer", vec![answer]),
        ("a candidate of no lane", vec![candidate]),
        ("a flood", flood),
    ] {
        assert_eq!(told(true, frames).await, LinkLost::Closed, "{what}");
    }
}

#[tokio::test]
async fn whoever_asks_for_more_than_there_may_be_gets_that_many() {
    let (hostile, honest) = pair().await;
    let honest = honest.growing(None, &Path::UNKNOWN, None);
    hostile.about.send(encode(&LanesMessage::Ask { further: 255 }).unwrap().as_slice().into()).await.unwrap();
    let mut offered = Vec::new();
    let hear = async {
        while offered.len() < usize::from(MAX_LANES) - 1 {
            if let Some(DataChannelEvent::OnMessage(message)) = hostile.about.poll().await
                && let Ok(LanesMessage::Offer { lane, .. }) = decode(&message.data)
            {
                offered.push(lane);
            }
        }
    };
    soon(async {
        tokio::select! {
            () = hear => (),
            heard = honest.recv() => panic!("{heard:?}"),
        }
    })
    .await;
    offered.sort_unstable();
    assert_eq!(offered, (1..MAX_LANES).collect::<Vec<_>>());
    soon(async { tokio::join!(hostile.abandon(), honest.abandon()) }).await;
}

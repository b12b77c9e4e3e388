//! Messages changed, moved, dropped, repeated, turned round or made up.

use futures_util::future::join_all;
use p2pcp::connect::ConnectError;
use p2pcp::crypto::Role::{self, Receiver, Sender};
use p2pcp::session::handshake::HandshakeError;
use p2pcp::wire::PathKind;
use p2pcp::wire::signaling::{Base64, Hex, Relay};

use crate::hostile_server::middle::{
    Attack, Greeting, Meeting, Met, Out, Said, assert_bound, assert_unbound, honest, meet,
};

// What each side says, by number.
pub const PAKE: usize = 0;
pub const CONFIRM: usize = 1;
/// The sender's hello, the receiver's offer.
const FIRST_BOX: usize = 2;
/// The sender's answer.
const ANSWER: usize = 3;

/// Changes the message of that number from that side.
pub fn change(from: Role, number: usize, mut how: impl FnMut(&mut Relay) + 'static) -> Attack {
    Box::new(move |out, mut said| {
        if said.is(from, number) {
            how(&mut said.relay);
        }
        out.forward(&said);
    })
}

/// Instead of the message of that number from that side, does something else.
fn instead(from: Role, number: usize, mut what: impl FnMut(&mut Out, Said) + 'static) -> Attack {
    Box::new(move |out, said| match said.is(from, number) {
        true => what(out, said),
        false => out.forward(&said),
    })
}

pub async fn check_unbound(case: &str, attack: Attack) -> Met {
    check_greeting(case, Greeting::default(), attack).await
}

pub async fn check_greeting(case: &str, greeting: Greeting, attack: Attack) -> Met {
    let met = meet(greeting, attack).await;
    assert_unbound(case, &met);
    met
}

pub fn wrong_code(result: &Meeting) -> bool {
    result.as_ref().is_err_and(ConnectError::is_wrong_code)
}

fn tampered(result: &Meeting) -> bool {
    matches!(result, Err(ConnectError::Tampered))
}

#[tokio::test]
async fn an_honest_server_binds_and_sees_nothing() {
    let met = meet(Greeting::default(), honest()).await;
    let words: Vec<String> = met.code.secret().split('-').map(str::to_owned).collect();
    for said in &met.seen {
        let shown = format!("{:?}", said.relay);
        assert!(!words.iter().any(|it| shown.contains(it)), "{shown}");
        if let Relay::Sealed { body, .. } = &said.relay {
            let text = String::from_utf8_lossy(&body.0);
            for plain in ["type", "sdp", "candidate", "127.0.0.1", "fingerprint"] {
                assert!(!text.contains(plain), "{plain} in {text:?}");
            }
        }
    }
    for from in [Sender, Receiver] {
        let said: Vec<_> = met.seen.iter().filter(|it| it.from == from).map(|it| &it.relay).collect();
        assert!(matches!(said[PAKE], Relay::Pake { .. }) && matches!(said[CONFIRM], Relay::Confirm { .. }));
        assert!(said[FIRST_BOX..said.len() - 1].iter().all(|it| matches!(it, Relay::Sealed { .. })));
        assert!(matches!(said[said.len() - 1], Relay::Bye { .. }));
    }
    assert_bound("honest", met).await;
}

#[tokio::test]
async fn a_changed_box_does_not_open() {
    let mut cases = Vec::new();
    for (from, number) in [(Sender, FIRST_BOX), (Receiver, FIRST_BOX), (Sender, ANSWER)] {
        type Change = fn(&mut u64, &mut Vec<u8>);
        let changes: [(&str, Change); 12] = [
            ("first byte", |_, body| body[0] ^= 1),
            ("middle byte", |_, body| {
                let middle = body.len() / 2;
                body[middle] ^= 0x10;
            }),
            ("last byte", |_, body| {
                let last = body.len() - 1;
                body[last] ^= 0x80;
            }),
            ("no tag", |_, body| body.truncate(body.len() - 16)),
            ("cut short", |_, body| body.truncate(body.len() - 1)),
            ("cut to a tag", |_, body| body.truncate(16)),
            ("cut below a tag", |_, body| body.truncate(15)),
            ("nothing left", |_, body| body.clear()),
            ("a byte more", |_, body| body.push(0)),
            ("a later number", |seq, _| *seq += 1),
            ("the last number", |seq, _| *seq = u64::MAX),
            ("another number's low bits", |seq, _| *seq ^= 1 << 32),
        ];
        for (case, how) in changes {
            let flip = change(from, number, move |relay| {
                if let Relay::Sealed { seq, body } = relay {
                    how(seq, &mut body.0);
                }
            });
            cases.push(async move {
                let met = check_unbound(&format!("{case}, {number} from {from:?}"), flip).await;
                assert!(tampered(met.of(from.other())), "{case}, {number} from {from:?}");
            });
        }
    }
    join_all(cases).await;
}

/// Each message again, right behind itself.
#[tokio::test]
async fn a_repeated_message_ends_the_attempt() {
    for from in [Sender, Receiver] {
        for number in [PAKE, CONFIRM, FIRST_BOX] {
            let twice = instead(from, number, |out, said| {
                out.forward(&said);
                out.forward(&said);
            });
            check_unbound(&format!("{number} from {from:?} twice"), twice).await;
        }
    }
}

/// A message that never comes, and then the end, or the next.
#[tokio::test]
async fn a_dropped_message_ends_the_attempt() {
    for (from, number) in [(Receiver, PAKE), (Sender, PAKE), (Receiver, CONFIRM)] {
        let cut = instead(from, number, |out, _| {
            out.close(Sender);
            out.close(Receiver);
        });
        check_unbound(&format!("{number} from {from:?} dropped"), cut).await;
    }
    // From here on the sender may have the offer, which goes out with the receiver's confirmation, and then it looks for a path
    // without the server; so each is told that the other has failed.
    for (from, number) in [(Receiver, FIRST_BOX), (Sender, CONFIRM), (Sender, FIRST_BOX)] {
        let failed = Relay::Bye { path: PathKind::Failed };
        let cut = instead(from, number, move |out, _| {
            out.relay(Sender, &failed);
            out.relay(Receiver, &failed);
        });
        check_unbound(&format!("{number} from {from:?} dropped"), cut).await;
    }
    // A candidate follows the answer.
    let met = check_unbound("the answer dropped", instead(Sender, ANSWER, |_, _| ())).await;
    assert!(tampered(&met.receiver), "{:?}", met.receiver.err());
}

#[tokio::test]
async fn boxes_in_another_order_do_not_open() {
    for renumber in [false, true] {
        let mut held: Option<Said> = None;
        let swap: Attack = Box::new(move |out, mut said| {
            if said.is(Sender, ANSWER) {
                held = Some(said);
                return;
            }
            if let Some(mut first) = held.take_if(|it| said.from == it.from) {
                if let (true, Relay::Sealed { seq: a, .. }, Relay::Sealed { seq: b, .. }) =
                    (renumber, &mut first.relay, &mut said.relay)
                {
                    std::mem::swap(a, b);
                }
                out.forward(&said);
                return out.forward(&first);
            }
            out.forward(&said);
        });
        let met = check_unbound("the answer after a candidate", swap).await;
        assert!(tampered(&met.receiver), "{:?}", met.receiver.err());
    }
}

/// Each side hears itself.
#[tokio::test]
async fn a_reflection_is_no_peer() {
    for to in [Sender, Receiver] {
        for number in [PAKE, CONFIRM, FIRST_BOX] {
            let mirror: Attack = Box::new(move |out, said| match said.from == to && said.number >= number {
                true => out.relay(to, &said.relay),
                false => out.forward(&said),
            });
            // The other side hears nothing any more, but that this one has gone.
            check_unbound(&format!("{to:?} hears itself from {number} on"), mirror).await;
        }
    }
    let mirrors: Attack = Box::new(|out, said| out.relay(said.from, &said.relay));
    check_reflected_both(mirrors).await;
}

/// The sender says nothing before it heard something, so it is woken by a share of nobody.
async fn check_reflected_both(mirrors: Attack) {
    let greeting = Greeting {
        then: |out| {
            let share = Relay::Pake { y: Hex(BASE_POINT), ad: Hex([0, 1, 0, 1, 0, 0, 0, 0]) };
            out.relay(Sender, &share);
        },
        ..Greeting::default()
    };
    check_greeting("both hear themselves", greeting, mirrors).await;
}

/// The generator of RFC 9496 §4.4: a valid share of a known scalar, 1.
pub const BASE_POINT: [u8; 32] = [
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f, 0x58,
    0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
];

/// A box that was sealed in the other direction, under its own number or the one that is due.
#[tokio::test]
async fn a_box_that_is_turned_round_does_not_open() {
    for number in [0, 1] {
        // It comes where the sender's hello is due: earlier the receiver opens nothing.
        let mut offer = None;
        let turn: Attack = Box::new(move |out, said| match (&said.relay, offer.take()) {
            (Relay::Sealed { body, .. }, None) if said.is(Receiver, FIRST_BOX) => {
                offer = Some(body.clone());
                out.forward(&said);
            }
            (_, Some(body)) if said.is(Sender, FIRST_BOX) => {
                out.relay(Receiver, &Relay::Sealed { seq: number, body });
            }
            (_, held) => {
                offer = held;
                out.forward(&said);
            }
        });
        let met = check_unbound("the receiver's own offer", turn).await;
        assert!(tampered(&met.receiver), "{:?}", met.receiver.err());
        let turn = instead(Sender, FIRST_BOX, move |out, said| {
            if let Relay::Sealed { body, .. } = said.relay {
                out.relay(Sender, &Relay::Sealed { seq: number, body });
            }
        });
        let met = check_unbound("the sender's own hello", turn).await;
        assert!(tampered(&met.sender), "{:?}", met.sender.err());
    }
}

/// Whatever is sealed waits until the other side has confirmed: a box in place of the confirmation is the end.
#[tokio::test]
async fn nothing_is_opened_before_the_confirmation_is_there() {
    let boxed = instead(Sender, CONFIRM, |out, _| {
        out.relay(Receiver, &Relay::Sealed { seq: 0, body: Base64(vec![7; 64]) });
    });
    let met = check_unbound("a box for the sender's confirmation", boxed).await;
    let turned = instead(Receiver, FIRST_BOX, |out, said| out.relay(Receiver, &said.relay));
    let other = check_unbound("the receiver's own offer for it", turned).await;
    for met in [met, other] {
        let out_of_turn = matches!(met.receiver, Err(ConnectError::Handshake(HandshakeError::OutOfTurn)));
        assert!(out_of_turn, "{:?}", met.receiver.err());
    }
    // And the other way: the offer before the receiver's own confirmation.
    let mut held = None;
    let swap: Attack = Box::new(move |out, said| {
        if said.is(Receiver, CONFIRM) {
            held = Some(said);
            return;
        }
        out.forward(&said);
        if let Some(confirmation) = held.take_if(|_| said.is(Receiver, FIRST_BOX)) {
            out.forward(&confirmation);
        }
    });
    let met = check_unbound("the offer before the confirmation", swap).await;
    let out_of_turn = matches!(met.sender, Err(ConnectError::Handshake(HandshakeError::OutOfTurn)));
    assert!(out_of_turn, "{:?}", met.sender.err());
}

#[tokio::test]
async fn what_nobody_sealed_does_not_open() {
    let made_up = |seq| Relay::Sealed { seq, body: Base64(vec![7; 64]) };
    for to in [Sender, Receiver] {
        for number in [PAKE, CONFIRM, FIRST_BOX] {
            for (seq, after) in [(0, false), (0, true), (1, true)] {
                let inject = instead(to.other(), number, move |out, said| {
                    let own = made_up(seq);
                    let (first, second) = if after { (&said.relay, &own) } else { (&own, &said.relay) };
                    out.relay(to, first);
                    out.relay(to, second);
                });
                check_unbound(&format!("made up for {to:?} at {number}"), inject).await;
            }
        }
    }
}

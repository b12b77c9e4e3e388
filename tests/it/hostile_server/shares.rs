//! What the PAKE stands on, changed: shares, confirmations, nonces, the number.

use p2pcp::code::Code;
use p2pcp::connect::ConnectError;
use p2pcp::crypto::Role::{Receiver, Sender};
use p2pcp::session::handshake::HandshakeError;
use p2pcp::wire::signaling::{Hex, Relay};

use crate::hostile_server::middle::{Greeting, assert_unbound, honest, meet_by, nameplate};
use crate::hostile_server::tampering::{CONFIRM, PAKE, change, check_greeting, check_unbound, wrong_code};

#[tokio::test]
async fn a_changed_share_is_a_wrong_code_or_no_share() {
    for from in [Sender, Receiver] {
        for byte in [0, 1, 16, 31] {
            let met = check_unbound(
                &format!("byte {byte} of y from {from:?}"),
                change(from, PAKE, move |relay| {
                    if let Relay::Pake { y, .. } = relay {
                        y.0[byte] ^= 2;
                    }
                }),
            )
            .await;
            let invalid = ConnectError::Handshake(HandshakeError::InvalidShare);
            let result = met.of(from.other());
            let seen = result.as_ref().is_err_and(|it| it.to_string() == invalid.to_string());
            assert!(seen || wrong_code(&met.sender), "{from:?} {byte}: {:?}", result.as_ref().err());
        }
        for byte in 0..8 {
            check_unbound(
                &format!("byte {byte} of ad from {from:?}"),
                change(from, PAKE, move |relay| {
                    if let Relay::Pake { ad, .. } = relay {
                        ad.0[byte] ^= 1;
                    }
                }),
            )
            .await;
        }
    }
}

/// RFC 9496 §4.3.1 and its appendix: encodings that are no element, and the identity.
#[tokio::test]
async fn points_that_no_honest_peer_sends_end_the_attempt() {
    let field_size = {
        let mut p = [0xff; 32];
        (p[0], p[31]) = (0xed, 0x7f);
        p
    };
    let mut non_canonical = field_size;
    non_canonical[0] += 2;
    let mut high_bit = [0; 32];
    high_bit[31] = 0x80;
    let mut negative = [0; 32];
    negative[0] = 1;
    let not_square = data_encoding::HEXLOWER
        .decode(b"26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371")
        .unwrap()
        .try_into()
        .unwrap();
    for (case, point) in [
        ("the identity", [0; 32]),
        ("the field's size", field_size),
        ("past the field's size", non_canonical),
        ("all bits", [0xff; 32]),
        ("a high bit", high_bit),
        ("negative", negative),
        ("no square", not_square),
    ] {
        for from in [Sender, Receiver] {
            let put = change(from, PAKE, move |relay| {
                if let Relay::Pake { y, .. } = relay {
                    *y = Hex(point);
                }
            });
            let met = check_unbound(case, put).await;
            let seen = met.of(from.other()).as_ref().err();
            let invalid = matches!(seen, Some(ConnectError::Handshake(HandshakeError::InvalidShare)));
            assert!(invalid, "{case} from {from:?}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn a_changed_confirmation_is_a_wrong_code() {
    for from in [Sender, Receiver] {
        for byte in [0, 15, 31] {
            let flip = change(from, CONFIRM, move |relay| {
                if let Relay::Confirm { t } = relay {
                    t.0[byte] ^= 0x80;
                }
            });
            let met = check_unbound(&format!("byte {byte} of t from {from:?}"), flip).await;
            assert!(wrong_code(met.of(from.other())), "{from:?} {byte}");
        }
    }
}

#[tokio::test]
async fn other_nonces_are_a_wrong_code() {
    type Nonces = fn(Hex<16>, Hex<16>) -> (Hex<16>, Hex<16>);
    let cases: [(&str, Nonces); 5] = [
        ("swapped", |ns, nr| (nr, ns)),
        ("another ns", |ns, nr| (Hex(ns.0.map(|it| it ^ 1)), nr)),
        ("another nr", |ns, nr| (ns, Hex(nr.0.map(|it| it ^ 1)))),
        ("ns for both", |ns, _| (ns, ns)),
        ("nr for both", |_, nr| (nr, nr)),
    ];
    for (case, nonces) in cases {
        let met = check_greeting(case, Greeting { nonces, ..Greeting::default() }, honest()).await;
        assert!(wrong_code(&met.sender) && wrong_code(&met.receiver), "{case}");
    }
}

/// Two rooms, connected crosswise: the words are the same, the numbers are not.
#[tokio::test]
async fn another_nameplate_is_a_wrong_code() {
    let greeting = Greeting { nameplate: nameplate(418), ..Greeting::default() };
    let typed = |code: &Code| Code::parse(&format!("417-{}", code.secret())).unwrap().code;
    let met = meet_by(greeting, honest(), typed).await;
    assert_unbound("another nameplate", &met);
    assert!(wrong_code(&met.sender) && wrong_code(&met.receiver));
}

//! Claims about the texts of signaling.

use crate::wire::signaling::{
    Base64, ClientMessage, Hex, IceServer, MeetRole, Nameplate, Relay, ServerMessage, SignalingError, Token,
    Unknown, parse, render,
};
use crate::wire::{MAX_SIGNALING_FRAME, PathKind};

#[test]
fn messages_look_as_documented() {
    for (message, text) in [
        (
            ClientMessage::Create { v: 1, ns: Hex([0xab; 16]), nameplate: None },
            format!(r#"{{"type":"create","v":1,"ns":"{}"}}"#, "ab".repeat(16)),
        ),
        (
            ClientMessage::Create { v: 1, ns: Hex([0xab; 16]), nameplate: Nameplate::new(417) },
            format!(r#"{{"type":"create","v":1,"ns":"{}","nameplate":417}}"#, "ab".repeat(16)),
        ),
        (
            ClientMessage::Meet {
                v: 1,
                token: Token([0xab; 32]),
                role: MeetRole::Receiver,
                nonce: Hex([0xcd; 16]),
            },
            format!(
                r#"{{"type":"meet","v":1,"token":"{}","role":"receiver","nonce":"{}"}}"#,
                "ab".repeat(32),
                "cd".repeat(16)
            ),
        ),
        (
            ClientMessage::Relay(Relay::Sealed { seq: 3, body: Base64(vec![255, 254]) }),
            r#"{"type":"sealed","seq":3,"box":"__4"}"#.to_owned(),
        ),
        (
            ClientMessage::Relay(Relay::Bye { path: PathKind::Direct }),
            r#"{"type":"bye","path":"direct"}"#.to_owned(),
        ),
    ] {
        assert_eq!(render(&message), text);
        assert_eq!(parse::<ClientMessage>(&text), Ok(message));
    }
    assert_eq!(parse::<ServerMessage>(r#"{"type":"gone"}"#), Ok(ServerMessage::Gone));
}

#[test]
fn unknown_kinds_and_fields_are_tolerated_and_bad_ones_are_not() {
    let unknown = parse::<ServerMessage>(r#"{"type":"news","x":[1]}"#).unwrap();
    assert_eq!(unknown, ServerMessage::Unknown(Unknown { kind: "news".into() }));
    let extra = parse::<ServerMessage>(r#"{"type":"gone","x":1}"#).unwrap();
    assert_eq!(extra, ServerMessage::Gone);
    for bad in ["", "{}", "[]", "{\"type\":1}", "nul", "\u{0}"] {
        assert_eq!(parse::<ServerMessage>(bad), Err(SignalingError::Malformed), "{bad:?}");
    }
    let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(MAX_SIGNALING_FRAME));
    assert!(matches!(parse::<ServerMessage>(&long), Err(SignalingError::TooLong(_))));
}

#[test]
fn a_known_kind_with_bad_fields_is_not_acted_upon() {
    let bad = r#"{"type":"join","v":1,"nameplate":7,"nr":"00"}"#;
    assert_eq!(parse::<ClientMessage>(bad), Ok(ClientMessage::Unknown(Unknown { kind: "join".into() })));
}

/// Whoever can read a log must not be able to take a seat.
#[test]
fn a_token_cannot_be_printed() {
    let meet = ClientMessage::Meet {
        v: 1,
        token: Token([0xab; 32]),
        role: MeetRole::Sender,
        nonce: Hex([0xcd; 16]),
    };
    let printed = format!("{meet:?}").to_lowercase();
    assert!(printed.contains("token") && printed.contains("205"), "{printed}");
    assert!(!printed.contains("ab, ") && !printed.contains("abab") && !printed.contains("171"), "{printed}");
}

/// Whoever logs a message does not log what is in it to prove who somebody is.
#[test]
fn credentials_are_in_no_debug_text() {
    let (username, credential) = (Some("1:2:0".to_owned()), Some("secret".to_owned()));
    let server = IceServer { urls: vec!["turn:host:1".to_owned()], username, credential };
    let text = format!("{:?}", ServerMessage::Joined { ns: Hex([1; 16]), ice: vec![server] });
    assert!(text.contains("turn:host:1") && !text.contains("secret") && !text.contains("1:2:0"), "{text}");
}

//! `signaling.json`: the texts of signaling, and one whole exchange from code to Bind.

use p2pcp::code::Code;
use p2pcp::crypto::Role;
use p2pcp::crypto::keys::{Complete, Fingerprints, Host, Schedule};
use p2pcp::session::handshake::{Abilities, Context, start_as};
use p2pcp::wire::PathKind;
use p2pcp::wire::peer::{PeerMessage, encode};
use p2pcp::wire::signaling::{
    Base64, ClientMessage, CloseCode, Hex, IceServer, MeetRole, Nameplate, Relay, SealedMessage,
    ServerMessage, Token, parse, render,
};
use serde_json::Value;

use crate::vectors::{array, described, figures, hex, list, text};

const TOKEN: Token = Token([0x7e; 32]);

fn signaling() -> Value {
    figures(include_str!("../../../fixtures/vectors/signaling.json"))
}

fn nameplate() -> Nameplate {
    Nameplate::new(417).unwrap()
}

fn relays() -> Vec<Relay> {
    vec![
        Relay::Pake { y: Hex([0xa1; 32]), ad: Hex([0, 1, 0, 1, 0, 0, 0, 0]) },
        Relay::Confirm { t: Hex([0xa2; 32]) },
        Relay::Sealed { seq: 3, body: Base64(vec![255, 254, 0, 1]) },
        Relay::Bye { path: PathKind::Direct },
        Relay::Bye { path: PathKind::Relayed },
        Relay::Bye { path: PathKind::Failed },
    ]
}

#[test]
fn what_clients_say_reads_as_golden() {
    let figures = signaling();
    let messages = [
        ClientMessage::Create { v: 1, ns: Hex([0xab; 16]), nameplate: None },
        ClientMessage::Join { v: 1, nameplate: nameplate(), nr: Hex([0xcd; 16]) },
        ClientMessage::Meet { v: 1, token: TOKEN, role: MeetRole::Sender, nonce: Hex([0x51; 16]) },
        ClientMessage::Meet { v: 1, token: TOKEN, role: MeetRole::Receiver, nonce: Hex([0x52; 16]) },
    ];
    let messages = messages.into_iter().chain(relays().into_iter().map(ClientMessage::Relay));
    check(list(&figures, "client"), messages.collect());
}

#[test]
fn what_the_server_says_reads_as_golden() {
    let figures = signaling();
    let stun = IceServer { urls: vec!["stun:192.0.2.7:3478".into()], username: None, credential: None };
    let turn = IceServer {
        urls: vec!["turn:192.0.2.7:3478?transport=udp".into()],
        username: Some("417".into()),
        credential: Some("secret".into()),
    };
    let messages = [
        ServerMessage::Created { nameplate: nameplate(), ttl: 3600, ice: vec![] },
        ServerMessage::Joined { ns: Hex([0xab; 16]), ice: vec![stun.clone(), turn] },
        ServerMessage::Peer { nr: Hex([0xcd; 16]), ice: Vec::new() },
        ServerMessage::Peer { nr: Hex([0xcd; 16]), ice: vec![stun.clone()] },
        ServerMessage::Met { nonce: Hex([0x52; 16]), ice: vec![] },
        ServerMessage::Met { nonce: Hex([0x51; 16]), ice: vec![stun] },
        ServerMessage::Gone,
    ];
    let messages = messages.into_iter().chain(relays().into_iter().map(ServerMessage::Relay));
    check(list(&figures, "server"), messages.collect());
}

#[test]
fn what_is_sealed_reads_as_golden() {
    let figures = signaling();
    let host = Some(Hex([0xee; 32]));
    check(
        list(&figures, "sealed"),
        vec![
            SealedMessage::Hello { host, verify: false },
            SealedMessage::Hello { host: None, verify: false },
            SealedMessage::Offer { sdp: "v=0\r\n".into(), host, elsewhere: false, verify: false },
            SealedMessage::Offer { sdp: "v=0\r\n".into(), host: None, elsewhere: false, verify: false },
            SealedMessage::Offer { sdp: "v=0\r\n".into(), host, elsewhere: true, verify: false },
            SealedMessage::Answer { sdp: "v=0\r\n".into() },
            SealedMessage::Candidate { candidate: r#"{"candidate":"","sdpMLineIndex":0}"#.into() },
        ],
    );
}

fn check<T>(figures: &[Value], messages: Vec<T>)
where
    T: PartialEq + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    described(figures);
    for (figure, message) in figures.iter().zip(&messages) {
        assert_eq!(text(figure, "text"), render(message));
        assert_eq!(parse::<T>(text(figure, "text")).as_ref(), Ok(message));
    }
    assert_eq!(figures.len(), messages.len());
}

#[test]
fn later_versions_may_add_kinds_and_fields() {
    let figures = signaling();
    described(list(&figures, "tolerated"));
    for figure in list(&figures, "tolerated") {
        let kind = text(figure, "kind");
        let understood = match text(figure, "from") {
            "client" => {
                matches!(parse(text(figure, "text")), Ok(ClientMessage::Unknown(it)) if it.kind == kind)
            }
            "server" => match parse(text(figure, "text")) {
                Ok(ServerMessage::Unknown(it)) => it.kind == kind,
                Ok(ServerMessage::Gone) => kind == "gone",
                _ => false,
            },
            "sealed" => matches!(parse(text(figure, "text")), Ok(SealedMessage::Unknown)),
            other => panic!("from whom? {other}"),
        };
        assert!(understood, "{figure}");
    }
}

/// Neither a message nor an unknown kind: a server closes with 4000, a client gives up.
#[test]
fn what_is_no_message_is_refused() {
    let figures = signaling();
    described(list(&figures, "refused"));
    for figure in list(&figures, "refused") {
        let kind = figure["kind"].as_str();
        match parse::<ClientMessage>(text(figure, "text")) {
            // A known kind with illegal fields: judged by whoever reads it.
            Ok(ClientMessage::Unknown(it)) => assert_eq!(Some(it.kind.as_str()), kind),
            Ok(other) => panic!("{other:?}"),
            Err(_) => assert_eq!(kind, None, "{figure}"),
        }
    }
}

#[test]
fn close_codes_are_the_documented_ones() {
    let figures = signaling();
    let figures = list(&figures, "close_codes");
    let documented: Vec<_> =
        figures.iter().map(|it| (it["number"].as_u64().unwrap(), text(it, "reason"))).collect();
    let ours: Vec<_> = CloseCode::ALL.iter().map(|it| (u64::from(it.number()), it.sentence())).collect();
    assert_eq!(documented, ours);
}

/// Both sides of the exchange: what each says to the other through the server, and their keys.
fn exchange(given: &Value) -> (Vec<(&'static str, String)>, Schedule) {
    let code = Code::parse(text(given, "code")).unwrap().code;
    let (ns, nr) = (Hex(array(given, "ns")), Hex(array(given, "nr")));
    let context = Context { secret: code.secret(), nameplate: code.nameplate(), ns, nr };
    let plain = Abilities { features: 0, ..Abilities::OURS };
    let (r, ya) = start_as(Role::Receiver, plain, context, &array(given, "random_R"));
    let (s, yb) = start_as(Role::Sender, plain, context, &array(given, "random_S"));
    let (r, ta) = r.handle(&yb).unwrap();
    let (s, nothing) = s.handle(&ya).unwrap();
    assert_eq!(nothing, None);
    let ta = ta.unwrap();
    let (s, tb) = s.handle(&ta).unwrap();
    let tb = tb.unwrap();
    let (r, nothing) = r.handle(&tb).unwrap();
    assert_eq!(nothing, None);

    let mut said = vec![("R", render(&ya)), ("S", render(&yb)), ("R", render(&ta)), ("S", render(&tb))];
    let tag = |schedule: &Schedule| Some(Hex(schedule.key::<Host>().mac(text(given, "host").as_bytes())));
    let sdp = || "v=0\r\n".to_owned();
    let ((mut seal_r, mut open_r), (mut seal_s, mut open_s)) =
        (r.seals(Role::Receiver), s.seals(Role::Sender));
    for (from, message) in [
        ("S", SealedMessage::Hello { host: tag(&s), verify: false }),
        ("R", SealedMessage::Offer { sdp: sdp(), host: tag(&r), elsewhere: false, verify: false }),
        ("S", SealedMessage::Answer { sdp: sdp() }),
        ("R", SealedMessage::Candidate { candidate: r#"{"candidate":"","sdpMLineIndex":0}"#.into() }),
    ] {
        let (sealer, opener) =
            if from == "R" { (&mut seal_r, &mut open_s) } else { (&mut seal_s, &mut open_r) };
        let sealed = sealer.seal(render(&message).as_bytes());
        assert_eq!(opener.open(sealed.seq, &sealed.body).unwrap(), render(&message).into_bytes());
        said.push((from, render(&Relay::Sealed { seq: sealed.seq, body: Base64(sealed.body) })));
    }
    (said, r)
}

#[test]
fn one_whole_exchange_is_reproduced() {
    let figures = signaling();
    let given = &figures["exchange"];
    let (said, schedule) = exchange(given);
    let golden = list(given, "said");
    described(golden);
    for (figure, (from, line)) in golden.iter().zip(&said) {
        assert_eq!((text(figure, "from"), text(figure, "text")), (*from, line.as_str()));
    }
    assert_eq!(golden.len(), said.len());

    assert_eq!(text(given, "th"), hex(schedule.transcript()));
    assert_eq!(text(given, "complete_key"), hex(schedule.key::<Complete>().expose()));
    let fingerprints = Fingerprints { sender: array(given, "fpS"), receiver: array(given, "fpR") };
    for (role, field) in [(Role::Sender, "bind_S"), (Role::Receiver, "bind_R")] {
        let frame = encode(&PeerMessage::Bind { mac: schedule.bind(role, &fingerprints) });
        assert_eq!(text(given, field), hex(&frame));
    }
}

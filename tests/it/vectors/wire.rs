//! `wire.json`: control messages, blocks, names, and the receipt.

use std::time::{Duration, Instant};

use bytes::Bytes;
use p2pcp::crypto::Key;
use p2pcp::crypto::digest::{EntryDigest, sha256};
use p2pcp::crypto::keys::Complete;
use p2pcp::session::sender::{Config, Done, Sender, Walked};
use p2pcp::session::{Failure, Input, Machine, Output, Summary, Violation};
use p2pcp::wire::path::{LinkTarget, RelPath};
use p2pcp::wire::peer::{
    AbortReason, Entry, EntryKind, Mtime, Offer, OfferItem, Outcome, PeerMessage, Proof, Settled,
    SourceFault, Totals, Want, decode, encode,
};
use p2pcp::wire::{Channel, block};
use serde_json::Value;

use crate::vectors::{array, bytes, described, figures, hex, list, text};

fn wire() -> Value {
    figures(include_str!("../../../fixtures/vectors/wire.json"))
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn mtime(seconds: i64, nanoseconds: u32) -> Mtime {
    Mtime::new(seconds, nanoseconds).unwrap()
}

fn entries() -> Vec<Entry> {
    let file = EntryKind::File { size: 5, mtime: mtime(1_700_000_000, 123_456_789), executable: true };
    let link = EntryKind::Link { target: LinkTarget::parse("a.jpg").unwrap() };
    vec![
        Entry { path: path("photos/a.jpg"), kind: file },
        Entry { path: path("photos"), kind: EntryKind::Folder { mtime: mtime(-1, 999_999_999) } },
        Entry { path: path("photos/latest"), kind: link },
    ]
}

/// One message or more of every kind, in the order of the file.
fn messages() -> Vec<PeerMessage> {
    let totals = Totals { files: 2, folders: 1, links: 1, bytes: 1_000_005, complete: false };
    let items = vec![
        OfferItem { name: path("photos"), folder: true, size: 0 },
        OfferItem { name: path("ünï.txt"), folder: false, size: 1_000_000 },
    ];
    let proofs = vec![
        Proof::Chunk { entry: 0, index: 2, hash: [0xc1; 32] },
        Proof::Entry { entry: 0, digest: [0xc2; 32] },
        Proof::Failed { entry: 3, fault: SourceFault::Gone, sent: 0 },
        Proof::Failed { entry: 4, fault: SourceFault::Changed, sent: 1 << 20 },
        Proof::Failed { entry: 5, fault: SourceFault::Denied, sent: 0 },
        Proof::Failed { entry: 6, fault: SourceFault::Io, sent: 0 },
    ];
    let outcomes = [
        Outcome::Kept { digest: [0xd1; 32] },
        Outcome::Exists,
        Outcome::Skipped,
        Outcome::Refused,
        Outcome::SourceFailed(SourceFault::Changed),
        Outcome::Unwanted,
    ];
    let settled = (0..).zip(outcomes).map(|(entry, outcome)| Settled { entry, outcome }).collect();
    let mut messages = vec![
        PeerMessage::Bind { mac: [0xb1; 32] },
        PeerMessage::Offer(Offer { items, more: 3, totals }),
        PeerMessage::Totals(Totals { complete: true, ..totals }),
        PeerMessage::Entries { first: 7, entries: entries() },
        PeerMessage::Proofs(proofs),
        PeerMessage::End { entries: 10, skipped: 1 },
        PeerMessage::Accept { window: 16 << 20 },
        PeerMessage::Wants { first: 7, wants: vec![Want::All, Want::Nothing, Want::From { chunk: 9 }] },
        PeerMessage::Ack { received: 0x0102_0304_0506_0708, written: 1 << 20 },
        PeerMessage::Settled(settled),
        PeerMessage::Complete { mac: [0xe1; 32] },
        PeerMessage::Farewell,
    ];
    let reasons = [
        AbortReason::Declined,
        AbortReason::Unattended,
        AbortReason::Interrupted,
        AbortReason::DiskFull,
        AbortReason::DiskDenied,
        AbortReason::DiskReadOnly,
        AbortReason::DiskFailed,
        AbortReason::Integrity,
        AbortReason::Protocol,
        AbortReason::Silence,
    ];
    messages.extend(reasons.map(PeerMessage::Abort));
    messages.extend([
        PeerMessage::Heard { control: 0x0102_0304_0506_0708, bulk: 1 << 20 },
        PeerMessage::Again { entry: 7, chunks: vec![0, 5] },
        PeerMessage::Restart { entry: 7 },
        PeerMessage::Entries {
            first: 10,
            entries: vec![Entry { path: path("stdin"), kind: EntryKind::Stream { mtime: mtime(5, 6) } }],
        },
        PeerMessage::Proofs(vec![Proof::End { entry: 10, size: 3, digest: [0xc3; 32] }]),
        PeerMessage::Abort(AbortReason::OutputClosed),
        PeerMessage::Abort(AbortReason::NotOneFile),
        PeerMessage::Offer(Offer {
            items: vec![OfferItem::of_text(path("text"), 12)],
            more: 0,
            totals: Totals { files: 1, ..Totals::default() },
        }),
        PeerMessage::Pace { paused: true, limit: None },
        PeerMessage::Pace { paused: false, limit: Some(5_000_000) },
    ]);
    messages
}

/// A new kind does not compile here until it has a number, and then fails until it has a vector.
fn number(message: &PeerMessage) -> u64 {
    match message {
        PeerMessage::Bind { .. } => 0,
        PeerMessage::Offer(_) => 1,
        PeerMessage::Totals(_) => 2,
        PeerMessage::Entries { .. } => 3,
        PeerMessage::Proofs(_) => 4,
        PeerMessage::End { .. } => 5,
        PeerMessage::Accept { .. } => 6,
        PeerMessage::Wants { .. } => 7,
        PeerMessage::Ack { .. } => 8,
        PeerMessage::Settled(_) => 9,
        PeerMessage::Complete { .. } => 10,
        PeerMessage::Farewell => 11,
        PeerMessage::Abort(_) => 12,
        PeerMessage::Heard { .. } => 13,
        PeerMessage::Again { .. } => 14,
        PeerMessage::Restart { .. } => 15,
        PeerMessage::Pace { .. } => 16,
    }
}

#[test]
fn every_control_message_has_its_golden_bytes() {
    let (figures, messages) = (wire(), messages());
    let figures = list(&figures, "control");
    described(figures);
    for (figure, message) in figures.iter().zip(&messages) {
        let made = hex(&encode(message));
        assert_eq!(text(figure, "kind"), message.name());
        assert_eq!(figure["number"].as_u64(), Some(number(message)));
        assert_eq!(text(figure, "bytes"), made, "{message:?}");
        assert_eq!(decode(&bytes(figure, "bytes")).as_ref(), Ok(message));
    }
    assert_eq!(figures.len(), messages.len());
    let kinds: std::collections::BTreeSet<u64> = messages.iter().map(number).collect();
    assert!(kinds.into_iter().eq(0..17), "a kind without a vector");
}

#[test]
fn what_is_no_control_message_is_refused() {
    let figures = wire();
    let figures = list(&figures, "control_refused");
    described(figures);
    for figure in figures {
        let result = decode(&bytes(figure, "bytes"));
        assert!(result.is_err(), "{}: {result:?}", text(figure, "what"));
    }
}

#[test]
fn blocks_have_their_golden_bytes() {
    let figures = wire();
    for figure in list(&figures, "blocks") {
        let field = |name: &str| figure[name].as_u64().unwrap();
        let header = block::Header {
            entry: field("entry").try_into().unwrap(),
            length: field("length").try_into().unwrap(),
            offset: field("offset"),
            packed: figure.get("plain").map(|_| block::Packed {
                plain: field("plain").try_into().unwrap(),
                packed: field("packed").try_into().unwrap(),
            }),
        };
        let payload = bytes(figure, "payload");
        let mut frame = block::begin(header);
        frame.extend_from_slice(&payload);
        assert_eq!(text(figure, "bytes"), hex(&frame));
        assert_eq!(block::parse(frame.freeze()), Ok((header, Bytes::from(payload))));
    }
    described(list(&figures, "blocks"));
    described(list(&figures, "blocks_refused"));
    for figure in list(&figures, "blocks_refused") {
        let result = block::parse(Bytes::from(bytes(figure, "bytes")));
        assert!(result.is_err(), "{}: {result:?}", text(figure, "what"));
    }
}

#[test]
fn names_and_links_are_judged_as_the_file_says() {
    let figures = wire();
    let name = |figure: &Value| figure.as_str().unwrap().to_owned();
    for legal in list(&figures, "names").iter().map(name) {
        assert!(RelPath::parse(&legal).is_ok(), "{legal:?}");
    }
    for illegal in list(&figures, "names_refused").iter().map(name) {
        assert!(RelPath::parse(&illegal).is_err(), "{illegal:?}");
    }
    let stays = |figure: &Value| {
        let link = path(text(figure, "path"));
        LinkTarget::parse(text(figure, "target")).is_ok_and(|target| target.check_inside(&link).is_ok())
    };
    assert!(list(&figures, "links").iter().all(stays));
    for figure in list(&figures, "links_refused") {
        assert!(!stays(figure), "{figure}");
    }
}

/// A sender that has announced the three entries and a fourth, which the receiver has settled as the
/// file says: `mac` is the receiver's last word.
fn judge(receipt: &Value, mac: [u8; 32]) -> Result<Summary, Failure> {
    let now = Instant::now();
    let totals = Totals { complete: true, ..Totals::default() };
    let key = Key::<Complete>::new(array(receipt, "key"));
    let mut sender = Sender::new(Config { items: Vec::new(), more: 0, totals, complete_key: key }, now);
    let [file, folder, link] = entries().try_into().unwrap();
    let taken = Entry { path: path("taken.txt"), kind: file.kind.clone() };
    let walked = Walked { entries: vec![taken, file, folder, link], done: true, ..Walked::default() };
    sender.handle(now, Input::Disk(Done::Walked(walked)));

    let say = |sender: &mut Sender, frame: Vec<u8>| {
        sender.handle(now, Input::Frame(Channel::Control, Bytes::from(frame)));
    };
    let mut settled = list(receipt, "settled").iter().map(|it| bytes(it, "bytes"));
    say(&mut sender, encode(&PeerMessage::Accept { window: 16 << 20 }));
    say(&mut sender, settled.next().unwrap());
    let wants = vec![Want::Nothing, Want::All, Want::All, Want::All];
    say(&mut sender, encode(&PeerMessage::Wants { first: 0, wants }));
    let chunk = Ok((Vec::new(), sha256(b"hello")));
    sender.handle(now, Input::Disk(Done::Read { entry: 1, index: 0, result: chunk, spent: Duration::ZERO }));
    settled.for_each(|frame| say(&mut sender, frame));
    say(&mut sender, encode(&PeerMessage::Complete { mac }));

    std::iter::from_fn(|| sender.poll())
        .find_map(|output| match output {
            Output::Done(result) => Some(result),
            _ => None,
        })
        .expect("the sender has an opinion")
}

#[test]
fn the_receipt_is_the_one_that_a_sender_believes() {
    let figures = wire();
    let receipt = &figures["receipt"];
    let settled = list(receipt, "settled");
    described(settled);
    let all: Vec<u8> = settled.iter().flat_map(|it| bytes(it, "bytes")).collect();
    assert_eq!(hex(&sha256(&all)), text(receipt, "digest"));
    let key = Key::<Complete>::new(array(receipt, "key"));
    assert_eq!(hex(&key.mac(&sha256(&all))), text(receipt, "mac"));

    let mut digest = EntryDigest::new(5);
    digest.push(&sha256(b"hello"));
    let kept = Outcome::Kept { digest: digest.finish() };
    let second = PeerMessage::Settled(vec![Settled { entry: 1, outcome: kept }]);
    assert_eq!(text(&settled[1], "bytes"), hex(&encode(&second)));

    let mac = array(receipt, "mac");
    let summary = Summary { files: 1, folders: 1, links: 1, exists: 1, ..Summary::default() };
    assert_eq!(judge(receipt, mac), Ok(summary));
    let mut forged = mac;
    forged[31] ^= 1;
    assert_eq!(judge(receipt, forged), Err(Violation::FalseCompletion.into()));
}

//! When a receiver asks its person, and what it can show by then.

use std::time::Instant;

use bytes::Bytes;
use p2pcp::crypto::Key;
use p2pcp::session::receiver::Receiver;
use p2pcp::session::{Event, Input, Machine, Output};
use p2pcp::wire::Channel;
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{self, Entry, EntryKind, Mtime, Offer, OfferItem, PeerMessage, Totals};

use crate::session::pair::KEY;

/// What a receiver puts out, as far as it is about asking.
#[derive(Debug, PartialEq, Eq)]
enum Put {
    Announced(usize, bool),
    Asked,
}

struct Asked {
    receiver: Receiver,
    now: Instant,
    wake: Instant,
}

impl Asked {
    fn new() -> Self {
        let now = Instant::now();
        Self { receiver: Receiver::new(Key::new(KEY), now), now, wake: now }
    }

    fn give(&mut self, input: Input<p2pcp::session::receiver::Done>) -> Vec<Put> {
        self.receiver.handle(self.now, input);
        let mut put = Vec::new();
        while let Some(output) = self.receiver.poll() {
            match output {
                Output::Emit(Event::Announced { entries, complete }) => {
                    put.push(Put::Announced(entries.len(), complete));
                }
                Output::Ask(_) => put.push(Put::Asked),
                Output::WakeAt(at) => self.wake = at,
                _ => (),
            }
        }
        put
    }

    fn hear(&mut self, message: &PeerMessage) -> Vec<Put> {
        let bytes = Bytes::from(peer::encode(message));
        self.give(Input::Frame(Channel::Control, bytes))
    }

    fn offer(&mut self) -> Vec<Put> {
        let item = OfferItem { name: RelPath::parse("t").unwrap(), folder: true, size: 0 };
        let offer = Offer { items: vec![item], more: 0, totals: Totals::default() };
        self.hear(&PeerMessage::Offer(offer))
    }

    fn entries(&mut self, first: u32, number: u32) -> Vec<Put> {
        let kind = EntryKind::File { size: 0, mtime: Mtime::default(), executable: false };
        let path = |it: u32| RelPath::parse(&format!("t/{it}")).unwrap();
        let entries =
            (first..first + number).map(|it| Entry { path: path(it), kind: kind.clone() }).collect();
        self.hear(&peer::PeerMessage::Entries { first, entries })
    }
}

#[test]
fn a_person_is_asked_once_all_is_announced() {
    let mut asked = Asked::new();
    assert_eq!(asked.offer(), []);
    assert_eq!(asked.entries(0, 3), []);
    let end = asked.hear(&PeerMessage::End { entries: 3, skipped: 0 });
    assert_eq!(end, [Put::Announced(3, true), Put::Asked]);
    asked.now = asked.wake;
    assert_eq!(asked.give(Input::Tick), []);
}

#[test]
fn a_person_need_not_wait_for_a_huge_tree() {
    let mut asked = Asked::new();
    asked.offer();
    assert_eq!(asked.entries(0, 499), []);
    assert_eq!(asked.entries(499, 499), [Put::Announced(500, false), Put::Asked]);
    assert_eq!(asked.entries(998, 100), []);
}

#[test]
fn a_person_is_asked_soon_also_when_nothing_is_announced() {
    let mut asked = Asked::new();
    asked.offer();
    let wait = asked.wake.duration_since(asked.now);
    assert!(wait.as_millis() <= 300, "{wait:?}");
    asked.now = asked.wake;
    assert_eq!(asked.give(Input::Tick), [Put::Announced(0, false), Put::Asked]);
    assert_eq!(asked.entries(0, 3), []);
}

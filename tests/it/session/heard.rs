//! Peers that lie about what they have heard, or say nothing of it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use p2pcp::crypto::Key;
use p2pcp::session::lasting::{Lasting, STUCK_AFTER};
use p2pcp::session::receiver::Receiver;
use p2pcp::session::sender::{Config, Done, Sender};
use p2pcp::session::{Failure, Input, Loss, Machine, Output, Summary, Violation};
use p2pcp::wire::peer::{self, AbortReason, PeerError, PeerMessage, Totals, Want};
use p2pcp::wire::{Channel, DEFAULT_WINDOW_BYTES, MAX_OUTSTANDING_MANIFEST};

use crate::session::disks::Source;
use crate::session::pair::KEY;
use crate::session::tree::{Shape, Tree};
use crate::support::rng::Rng;

const PATIENCE: Duration = Duration::from_secs(600);

/// A sender that outlives links, with a disk, at the mercy of a script.
struct Victim<'t> {
    sender: Lasting<Sender>,
    source: Source<'t>,
    now: Instant,
    wake: Instant,
    /// What went out over the link that is up.
    said: Vec<(Channel, Bytes)>,
    /// How often it gave a link up.
    relinked: usize,
    result: Option<Result<Summary, Failure>>,
}

impl<'t> Victim<'t> {
    fn new(tree: &'t Tree) -> Self {
        let now = Instant::now();
        let (items, more) = tree.offer_items();
        let config = Config { items, more, totals: tree.totals(), complete_key: Key::new(KEY) };
        let sender = Lasting::new(Sender::new(config, now), PATIENCE, now).hearing_two_binds();
        let source = Source::new(tree);
        let mut victim = Self { sender, source, now, wake: now, said: Vec::new(), relinked: 0, result: None };
        victim.settle_down();
        victim
    }

    fn give(&mut self, input: Input<Done>) {
        self.sender.handle(self.now, input);
        self.settle_down();
    }

    fn settle_down(&mut self) {
        while let Some(output) = self.sender.poll() {
            assert_eq!(self.result, None, "nothing comes after the end");
            match output {
                Output::Send(channel, frame) => self.said.push((channel, frame)),
                Output::Disk(job) => {
                    if let Some(done) = self.source.perform(&job, &mut Rng::new(2)) {
                        self.sender.handle(self.now, Input::Disk(done));
                    }
                }
                Output::Ask(_) => panic!("a sender asks nobody"),
                Output::Emit(_) | Output::Pace(_) => (),
                Output::WakeAt(at) => self.wake = at,
                Output::Relink => self.relinked += 1,
                Output::Done(result) => self.result = Some(result),
            }
        }
    }

    fn hear(&mut self, message: &PeerMessage) {
        self.give(Input::Frame(Channel::Control, peer::encode(message).into()));
    }

    fn heard(&mut self, control: u64, bulk: u64) {
        self.hear(&PeerMessage::Heard { control, bulk });
    }

    fn accept(&mut self) {
        self.hear(&PeerMessage::Accept { window: DEFAULT_WINDOW_BYTES });
    }

    /// The link is lost, and there is another one.
    fn relink(&mut self) {
        self.give(Input::LinkDown(Loss::Silent));
        self.said.clear();
        self.give(Input::LinkUp);
    }

    /// How many frames it has said on a channel that count, over its first link.
    fn count(&self, channel: Channel) -> u64 {
        self.said.iter().filter(|(on, frame)| *on == channel && !peer::is_heard(frame)).count() as u64
    }
}

fn tree() -> Tree {
    let mut tree = Tree::default();
    tree.file("only", 300_000, &mut Rng::new(1));
    tree
}

/// An accepted offer of one file, all of which is said: three blocks.
fn begun(tree: &Tree) -> (Victim<'_>, u64) {
    let mut victim = Victim::new(tree);
    victim.accept();
    victim.hear(&PeerMessage::Wants { first: 0, wants: vec![Want::All] });
    let control = victim.count(Channel::Control);
    assert_eq!((control >= 4, victim.count(Channel::Bulk)), (true, 3));
    (victim, control)
}

/// What a receiver does; the number is that of control frames so far.
type Script = fn(&mut Victim<'_>, u64);

fn check(what: &str, script: Script, violation: Violation) {
    let tree = tree();
    let (mut victim, control) = begun(&tree);
    script(&mut victim, control);
    assert_eq!(victim.result, Some(Err(Failure::Violation(violation))), "{what}");
    victim.heard(0, 0);
    victim.give(Input::LinkDown(Loss::Closed));
    victim.give(Input::LinkUp);
    victim.give(Input::Tick);
}

#[test]
fn what_was_not_said_cannot_have_been_heard() {
    const FALSE: Violation = Violation::TooMuch("confirmed frames");
    let cases: [(&str, Script, Violation); 9] = [
        ("one control frame too many", |it, control| it.heard(control + 1, 0), FALSE),
        ("one block too many", |it, control| it.heard(control, 4), FALSE),
        ("as many as there are numbers", |it, _| it.heard(u64::MAX, u64::MAX), FALSE),
        (
            "less than before",
            |it, control| {
                it.heard(control, 2);
                it.heard(control, 1);
            },
            FALSE,
        ),
        (
            "fewer control frames than before",
            |it, control| {
                it.heard(control, 0);
                it.heard(control - 1, 3);
            },
            FALSE,
        ),
        (
            "too many, over the next link",
            |it, control| {
                it.relink();
                it.heard(control, 4);
            },
            FALSE,
        ),
        (
            "less than before, over the next link",
            |it, control| {
                it.heard(control, 3);
                it.relink();
                it.heard(control, 2);
            },
            FALSE,
        ),
        (
            "something else first, over the next link",
            |it, _| {
                it.relink();
                it.hear(&PeerMessage::Ack { received: 1, written: 1 });
            },
            Violation::OutOfTurn("control"),
        ),
        (
            "half of a message",
            |it, _| it.give(Input::Frame(Channel::Control, Bytes::from_static(&[13, 0, 0, 0, 1]))),
            Violation::Control(PeerError::Malformed),
        ),
    ];
    for (what, script, violation) in cases {
        check(what, script, violation);
    }
}

/// Not one more and not one less, on both channels, after the word for what was heard.
#[test]
fn over_the_next_link_comes_what_was_not_heard() {
    let tree = tree();
    let (first, control) = begun(&tree);
    let on = |channel, said: &[(Channel, Bytes)]| -> Vec<Bytes> {
        said.iter().filter(|(it, _)| *it == channel).map(|(_, frame)| frame.clone()).collect()
    };
    let all = [on(Channel::Control, &first.said), on(Channel::Bulk, &first.said)];
    for heard in 0..=control {
        for blocks in 0..=3 {
            let (mut victim, _) = begun(&tree);
            victim.relink();
            let greeting = peer::encode(&PeerMessage::Heard { control: 2, bulk: 0 });
            assert_eq!(victim.said, [(Channel::Control, Bytes::from(greeting))], "before it is heard");
            victim.heard(heard, blocks);
            assert_eq!(on(Channel::Control, &victim.said)[1..], all[0][heard as usize..]);
            assert_eq!(on(Channel::Bulk, &victim.said), all[1][blocks as usize..]);
            assert_eq!(victim.result, None);
        }
    }
}

/// Without being asked and without waiting, so that the other side need not keep more.
#[test]
fn every_sixteenth_frame_is_confirmed_at_once() {
    let tree = tree();
    let (mut victim, _) = begun(&tree);
    victim.said.clear();
    for heard in 3..=48 {
        victim.hear(&PeerMessage::Ack { received: heard, written: heard });
        let words = victim.said.iter().filter(|(_, frame)| peer::is_heard(frame)).count() as u64;
        assert_eq!(words, heard / 16, "after {heard} frames");
    }
    let last = peer::encode(&PeerMessage::Heard { control: 48, bulk: 0 });
    assert_eq!(victim.said.last(), Some(&(Channel::Control, Bytes::from(last))));
}

/// Whoever takes everything and never says so costs a bounded amount.
#[test]
fn a_receiver_that_never_confirms_is_left() {
    let rng = &mut Rng::new(1);
    let mut tree = Tree::default();
    (0..60).for_each(|it| tree.file(&format!("f{it}"), 1 << 20, rng));
    let mut victim = Victim::new(&tree);
    victim.accept();
    victim.hear(&PeerMessage::Wants { first: 0, wants: vec![Want::All; 60] });
    let mut acknowledged = 0;
    while victim.result.is_none() {
        acknowledged += 1 << 20;
        assert!(acknowledged <= 60 << 20, "it keeps everything");
        victim.hear(&PeerMessage::Ack { received: acknowledged, written: acknowledged });
    }
    let bytes: usize = victim.said.iter().map(|(_, frame)| frame.len()).sum();
    let most = 2 * DEFAULT_WINDOW_BYTES as usize + MAX_OUTSTANDING_MANIFEST;
    assert!(bytes <= most + (2 << 20), "{bytes} bytes were kept");
    let violation = Violation::TooMuch("unconfirmed frames");
    assert_eq!(victim.result, Some(Err(Failure::Violation(violation))));
    let told = peer::encode(&PeerMessage::Abort(AbortReason::Protocol));
    assert_eq!(victim.said.last(), Some(&(Channel::Control, Bytes::from(told))));
}

/// A link that brings nothing is given up; until then the other side is told now and
/// then that this one lives.
#[test]
fn a_link_that_brings_nothing_is_given_up() {
    let tree = tree();
    let (mut victim, control) = begun(&tree);
    for round in 0..4 {
        let start = victim.now;
        victim.said.clear();
        while victim.relinked == round {
            victim.now = victim.wake;
            victim.give(Input::Tick);
        }
        assert_eq!(victim.now - start, STUCK_AFTER, "round {round}");
        let words = victim.said.iter().filter(|(_, frame)| peer::is_heard(frame)).count();
        assert!(words >= 5, "it says {words} words in round {round}");
        victim.give(Input::LinkUp);
        victim.heard(control, 3);
    }
    assert_eq!(victim.result, None);
}

#[test]
fn a_session_without_a_link_ends_when_its_patience_does() {
    let tree = tree();
    let (mut victim, _) = begun(&tree);
    victim.give(Input::LinkDown(Loss::Closed));
    let start = victim.now;
    while victim.result.is_none() {
        assert!(victim.wake <= start + PATIENCE, "it waits for too long");
        victim.now = victim.wake;
        victim.give(Input::Tick);
    }
    assert_eq!(victim.now, start + PATIENCE);
    assert_eq!(victim.result, Some(Err(Failure::LinkLost)));
}

/// Links that greet and then bring nothing are no better than none.
#[test]
fn a_session_over_links_that_bring_nothing_ends_when_its_patience_does() {
    let tree = tree();
    let (mut victim, control) = begun(&tree);
    let start = victim.now;
    while victim.result.is_none() {
        assert!(victim.now <= start + PATIENCE + 3 * STUCK_AFTER, "it waits for too long");
        let relinked = victim.relinked;
        while victim.relinked == relinked && victim.result.is_none() {
            victim.now = victim.wake;
            victim.give(Input::Tick);
        }
        // A look at the clock comes before any new link.
        victim.give(Input::Tick);
        if victim.result.is_none() {
            victim.give(Input::LinkUp);
            victim.heard(control, 3);
        }
    }
    assert_eq!(victim.result, Some(Err(Failure::LinkLost)));
}

/// A receiver hears of a liar as well.
#[test]
fn a_receiver_does_not_believe_what_it_has_not_said_either() {
    let now = Instant::now();
    for (control, bulk, possible) in [(0, 0, true), (1, 0, false), (0, 1, false)] {
        let mut receiver = Lasting::new(Receiver::new(Key::new(KEY), now), PATIENCE, now);
        let heard = peer::encode(&PeerMessage::Heard { control, bulk });
        receiver.handle(now, Input::Frame(Channel::Control, heard.into()));
        let ended = std::iter::from_fn(|| receiver.poll()).find_map(|it| match it {
            Output::Done(result) => Some(result),
            _ => None,
        });
        let violation = Failure::Violation(Violation::TooMuch("confirmed frames"));
        assert_eq!(ended, (!possible).then_some(Err(violation)), "{control} {bulk}");
    }
}

/// Whatever is said before the peer's word over the next link comes after it.
#[test]
fn nothing_but_the_first_word_goes_out_before_the_peer_has_spoken() {
    let tree = Tree::grow(Shape::One(3 << 20), &mut Rng::new(1));
    let mut victim = Victim::new(&tree);
    victim.accept();
    let control = victim.count(Channel::Control);
    let totals = Totals { complete: true, ..Totals::default() };
    victim.relink();
    victim.give(Input::Disk(Done::Surveyed(totals)));
    assert_eq!(victim.said.len(), 1);
    victim.heard(control, 0);
    assert_eq!(victim.count(Channel::Control), 1);
}

/// The first may have been lost, or not.
#[test]
fn a_receivers_second_bind_is_nothing_once_a_link() {
    let (tree, bind) = (tree(), PeerMessage::Bind { mac: [0; 32] });
    let mut victim = Victim::new(&tree);
    victim.hear(&bind);
    victim.relink();
    victim.hear(&bind);
    assert_eq!(victim.result, None);
    victim.hear(&bind);
    assert_eq!(victim.result, Some(Err(Failure::Violation(Violation::OutOfTurn("control")))));
}

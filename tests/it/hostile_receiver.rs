//! A receiver that speaks the protocol by hand, and wrongly: the sender notices each lie, says so, and
//! spends no more on it than it would on an honest receiver.

mod again;
mod asking;
mod claims;
mod limits;

use std::collections::VecDeque;
use std::time::Instant;

use p2pcp::crypto::Key;
use p2pcp::crypto::digest::{EntryDigest, chunk_hash, sha256};
use p2pcp::crypto::keys::Complete;
use p2pcp::session::sender::{Config, Job, Sender};
use p2pcp::session::{Event, Failure, Input, Machine, Output, Summary, Violation};
use p2pcp::wire::block::HEADER_BYTES;
use p2pcp::wire::peer::{self, AbortReason, Hash, Outcome, PeerMessage, Settled, SourceFault, Want};
use p2pcp::wire::{CHUNK_BYTES, Channel, DEFAULT_WINDOW_BYTES};

use crate::session::disks::Source;
use crate::session::pair::KEY;
use crate::session::tree::{Tree, Trouble};
use crate::support::rng::Rng;

/// A file, an empty one, one that is gone when it is read, one of two chunks, a folder.
fn tree() -> Tree {
    let rng = &mut Rng::new(3);
    let mut tree = Tree::default();
    tree.file("d/a", 5, rng);
    tree.file("d/empty", 0, rng);
    tree.file("d/gone", 9, rng);
    tree.file("d/big", u64::from(CHUNK_BYTES) + 1, rng);
    tree.folder("d");
    tree.items[2].trouble = Some(Trouble { chunk: 0, fault: SourceFault::Gone, rewritten: false });
    tree
}

/// A sender with a disk, at the mercy of a script.
struct Victim<'t> {
    sender: Sender,
    tree: &'t Tree,
    source: Source<'t>,
    /// Jobs wait here while `idle`.
    jobs: VecDeque<Job>,
    idle: bool,
    reads: usize,
    start: Instant,
    now: Instant,
    wake: Instant,
    said: Vec<PeerMessage>,
    bulk_bytes: u64,
    events: Vec<Event>,
    result: Option<Result<Summary, Failure>>,
}

impl<'t> Victim<'t> {
    fn new(tree: &'t Tree) -> Self {
        let start = Instant::now();
        let (items, more) = tree.offer_items();
        let config = Config { items, more, totals: tree.totals(), complete_key: Key::new(KEY) };
        let mut victim = Self {
            sender: Sender::new(config, start),
            tree,
            source: Source::new(tree),
            jobs: VecDeque::new(),
            idle: false,
            reads: 0,
            start,
            now: start,
            wake: start,
            said: Vec::new(),
            bulk_bytes: 0,
            events: Vec::new(),
            result: None,
        };
        victim.settle_down();
        victim
    }

    fn give(&mut self, input: Input<p2pcp::session::sender::Done>) {
        self.sender.handle(self.now, input);
        self.settle_down();
    }

    /// Takes all outputs and does all jobs, until there is nothing more.
    fn settle_down(&mut self) {
        loop {
            while let Some(output) = self.sender.poll() {
                assert_eq!(self.result, None, "nothing comes after the end");
                match output {
                    Output::Pace(_) => (),
                    Output::Send(Channel::Control, frame) => {
                        self.said.push(peer::decode(&frame).expect("what it says is legal"));
                    }
                    Output::Send(Channel::Bulk, frame) => {
                        self.bulk_bytes += (frame.len() - HEADER_BYTES) as u64;
                    }
                    Output::Disk(job) => {
                        self.reads += usize::from(matches!(job, Job::Read { .. } | Job::Check { .. }));
                        self.jobs.push_back(job);
                    }
                    Output::Ask(_) => panic!("a sender asks nobody"),
                    Output::Emit(event) => self.events.push(event),
                    Output::WakeAt(at) => self.wake = at,
                    Output::Relink => unreachable!("a bare machine has one link"),
                    Output::Done(result) => self.result = Some(result),
                }
            }
            if self.idle || self.result.is_some() {
                return;
            }
            let Some(job) = self.jobs.pop_front() else { return };
            self.answer(&job);
        }
    }

    fn answer(&mut self, job: &Job) {
        if let Some(done) = self.source.perform(job, &mut Rng::new(2)) {
            self.sender.handle(self.now, Input::Disk(done));
        }
    }

    /// Does a job while `idle`.
    fn perform(&mut self, job: &Job) {
        self.answer(job);
        self.settle_down();
    }

    fn hear(&mut self, message: &PeerMessage) {
        self.give(Input::Frame(Channel::Control, peer::encode(message).into()));
    }

    fn accept(&mut self) {
        self.hear(&PeerMessage::Accept { window: DEFAULT_WINDOW_BYTES });
    }

    fn want(&mut self, first: u32, wants: &[Want]) {
        self.hear(&PeerMessage::Wants { first, wants: wants.to_vec() });
    }

    /// Accepts and wants everything.
    fn begin(&mut self) {
        self.accept();
        self.want(0, &[Want::All; 5]);
    }

    fn ack(&mut self, received: u64, written: u64) {
        self.hear(&PeerMessage::Ack { received, written });
    }

    fn settled(&mut self, entry: u32, outcome: Outcome) {
        self.hear(&PeerMessage::Settled(vec![Settled { entry, outcome }]));
    }

    /// What an honest receiver would say of an entry.
    fn truth(&self, entry: u32) -> Settled {
        let item = &self.tree.items[entry as usize];
        let mut digest = EntryDigest::new(item.entry.kind.size());
        item.content().chunks(CHUNK_BYTES as usize).for_each(|it| digest.push(&chunk_hash(it)));
        let kept = match item.entry.kind.is_file() {
            true => Outcome::Kept { digest: digest.finish() },
            false => Outcome::Kept { digest: [0; 32] },
        };
        Settled { entry, outcome: item.trouble.map_or(kept, |it| Outcome::SourceFailed(it.fault)) }
    }

    /// Settles these entries as they are.
    fn settle(&mut self, entries: &[u32]) -> Vec<Settled> {
        let settled: Vec<Settled> = entries.iter().map(|&it| self.truth(it)).collect();
        self.hear(&PeerMessage::Settled(settled.clone()));
        settled
    }

    /// Says nothing until the sender gives up, which it does after a few looks at the clock.
    fn outwait(&mut self) {
        for _ in 0..5 {
            if self.result.is_none() {
                self.now = self.wake;
                self.give(Input::Tick);
            }
        }
    }
}

/// The last word of an honest receiver that settled these entries in this order.
fn mac(settled: &[Settled]) -> Hash {
    let encoded = |it: &Settled| peer::encode(&PeerMessage::Settled(vec![*it]));
    Key::<Complete>::new(KEY).mac(&sha256(&settled.iter().flat_map(encoded).collect::<Vec<u8>>()))
}

/// What a receiver does to it.
type Script = fn(&mut Victim<'_>);

/// Plays a script against a sender, which must end with `failure` and tell the receiver `told`.
fn check(what: &str, script: Script, failure: &Failure, told: Option<AbortReason>) {
    let tree = tree();
    let mut victim = Victim::new(&tree);
    script(&mut victim);
    assert_eq!(victim.result, Some(Err(failure.clone())), "{what}");
    let last = victim.said.last().expect("it had said something");
    match told {
        Some(reason) => assert_eq!(*last, PeerMessage::Abort(reason), "{what}"),
        None => assert!(!matches!(last, PeerMessage::Abort(_)), "{what}: it answers {last:?}"),
    }
    assert!(victim.bulk_bytes <= tree.totals().bytes, "{what}");
    victim.accept();
    victim.give(Input::Tick);
}

fn check_violations(cases: &[(&str, Script, Violation)]) {
    for (what, script, violation) in cases {
        let failure = Failure::Violation(violation.clone());
        check(what, *script, &failure, Some(AbortReason::Protocol));
    }
}

#[test]
fn an_honest_receiver_is_believed() {
    let tree = tree();
    let mut victim = Victim::new(&tree);
    victim.begin();
    let bytes = tree.expected().bytes;
    victim.ack(bytes, bytes);
    let settled = victim.settle(&[0, 2, 1, 3, 4]);
    victim.hear(&PeerMessage::Complete { mac: mac(&settled) });
    assert_eq!(victim.said.last(), Some(&PeerMessage::Farewell));
    assert_eq!(victim.result, Some(Ok(tree.expected())));
}

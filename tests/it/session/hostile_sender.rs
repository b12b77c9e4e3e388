//! A sender that speaks the protocol by hand, and wrongly: the receiver notices each lie, says so, gives no
//! entry its name for it, and holds no more than it would of an honest sender.

mod blocks;
mod here;
mod manifest;
mod packed;
mod proofs;
mod random;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use p2pcp::crypto::Key;
use p2pcp::crypto::digest::{EntryDigest, chunk_hash};
use p2pcp::pack::Unpacker;
use p2pcp::session::receiver::{Done, Job, Plan, Receiver};
use p2pcp::session::{Answer, Event, Failure, Input, Machine, Output, Summary, Violation};
use p2pcp::wire::path::{LinkTarget, RelPath};
use p2pcp::wire::peer::{
    self, AbortReason, Entry, EntryKind, Hash, Mtime, Offer, Outcome, PeerMessage, Proof, Totals,
};
use p2pcp::wire::{CHUNK_BYTES, Channel};

use crate::session::disks::frame;
use crate::session::pair::KEY;

const CHUNK: u64 = CHUNK_BYTES as u64;

/// A file entry.
fn file(path: &str, size: u64) -> Entry {
    let kind = EntryKind::File { size, mtime: Mtime::default(), executable: false };
    Entry { path: RelPath::parse(path).expect("a legal path"), kind }
}

/// A folder entry.
fn folder(path: &str) -> Entry {
    let kind = EntryKind::Folder { mtime: Mtime::default() };
    Entry { path: RelPath::parse(path).expect("a legal path"), kind }
}

/// A link entry.
fn link(path: &str, target: &str) -> Entry {
    let target = LinkTarget::parse(target).expect("a legal target");
    Entry { path: RelPath::parse(path).expect("a legal path"), kind: EntryKind::Link { target } }
}

/// An offer of these names, and no more.
fn offer_of(names: &[&str], totals: Totals) -> PeerMessage {
    let item = |name: &&str| {
        let name = RelPath::parse(name).expect("a legal path");
        peer::OfferItem { name, folder: false, size: 1 }
    };
    PeerMessage::Offer(Offer { items: names.iter().map(item).collect(), more: 0, totals })
}

/// An offer that covers whatever comes.
fn offer() -> PeerMessage {
    let totals = Totals::default();
    let item = |number| peer::OfferItem {
        name: RelPath::parse(&format!("listed {number}")).unwrap(),
        folder: false,
        size: 0,
    };
    PeerMessage::Offer(Offer { items: (0..Offer::MAX_ITEMS).map(item).collect(), more: u32::MAX, totals })
}

/// What seems to be here of an entry.
struct Here {
    plan: Plan,
    /// What its chunks are when they are looked at.
    hashes: Vec<Option<Hash>>,
}

/// A receiver with a disk that holds anything, at the mercy of a script.
struct Victim {
    receiver: Receiver,
    /// Jobs wait here while `idle`.
    jobs: VecDeque<Job>,
    idle: bool,
    /// Every name is taken.
    full: bool,
    /// Names are given, and it is not said.
    stuck: bool,
    here: BTreeMap<u32, Here>,
    restarted: Vec<u32>,
    consent: bool,
    start: Instant,
    now: Instant,
    wake: Instant,
    said: Vec<PeerMessage>,
    events: Vec<Event>,
    committed: Vec<u32>,
    /// Bytes in blocks that were taken and not written yet.
    held: u64,
    result: Option<Result<Summary, Failure>>,
}

impl Victim {
    fn new() -> Self {
        let start = Instant::now();
        let mut victim = Self {
            receiver: Receiver::new(Key::new(KEY), start).unpacking(true),
            jobs: VecDeque::new(),
            idle: false,
            full: false,
            stuck: false,
            here: BTreeMap::new(),
            restarted: Vec::new(),
            consent: false,
            start,
            now: start,
            wake: start,
            said: Vec::new(),
            events: Vec::new(),
            committed: Vec::new(),
            held: 0,
            result: None,
        };
        victim.settle_down();
        victim
    }

    /// The same, and chunks may not come packed.
    fn without_packing() -> Self {
        let mut victim = Self::new();
        victim.receiver = Receiver::new(Key::new(KEY), victim.start);
        victim.settle_down();
        victim
    }

    fn give(&mut self, input: Input<Done>) {
        self.receiver.handle(self.now, input);
        self.settle_down();
    }

    /// Takes all outputs and does all jobs, until there is nothing more.
    fn settle_down(&mut self) {
        loop {
            while let Some(output) = self.receiver.poll() {
                assert_eq!(self.result, None, "nothing comes after the end");
                match output {
                    Output::Send(channel, frame) => {
                        assert_eq!(channel, Channel::Control);
                        self.said.push(peer::decode(&frame).expect("what it says is legal"));
                    }
                    Output::Disk(job) => {
                        assert!(self.consent, "the disk is touched before consent");
                        self.jobs.push_back(job);
                    }
                    Output::Ask(_) | Output::Pace(_) => (),
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
            if let Some(done) = self.perform(job) {
                self.receiver.handle(self.now, Input::Disk(done));
            }
        }
    }

    fn perform(&mut self, job: Job) -> Option<Done> {
        match job {
            Job::Plan { first, entries } => {
                let plan = if self.full { Plan::Settled(Outcome::Exists) } else { Plan::All };
                let end = first + entries.len() as u32;
                let plans = (first..end).map(|it| self.here.get(&it).map_or(plan, |it| it.plan)).collect();
                Some(Done::Planned { first, plans })
            }
            Job::Write { entry, index, parts, packed: Some(plain), .. } => {
                Some(match Unpacker::new().unpack(&parts, plain) {
                    Ok(bytes) => Done::Wrote { entry, index, hash: chunk_hash(&bytes) },
                    Err(_) => Done::Unpackable { entry },
                })
            }
            Job::Write { entry, index, parts, .. } => {
                let bytes = parts.concat();
                self.held -= bytes.len() as u64;
                Some(Done::Wrote { entry, index, hash: chunk_hash(&bytes) })
            }
            Job::Checkpoint(_) => Some(Done::Checkpointed),
            Job::Commit(_) if self.stuck => None,
            Job::Commit(batch) => {
                self.committed.extend(batch.iter().map(|it| it.entry));
                let kept = batch.iter().map(|it| Outcome::Kept { digest: it.digest });
                Some(Done::Committed { first: batch[0].entry, outcomes: kept.collect() })
            }
            Job::Check { entry, index } => {
                let hash = self.here[&entry].hashes[index as usize];
                Some(Done::Checked { entry, index, hash })
            }
            Job::Restart { entry } => {
                self.restarted.push(entry);
                None
            }
            Job::Discard { .. } => None,
            Job::Finish => Some(Done::Finished),
        }
    }

    fn hear(&mut self, message: &PeerMessage) {
        self.give(Input::Frame(Channel::Control, peer::encode(message).into()));
    }

    fn announce(&mut self, first: u32, entries: &[Entry]) {
        self.hear(&PeerMessage::Entries { first, entries: entries.to_vec() });
    }

    /// The same; then only the plan is made.
    fn announce_idle(&mut self, first: u32, entries: &[Entry]) {
        self.idle = true;
        self.announce(first, entries);
        let job = self.jobs.pop_front().expect("they are planned");
        let done = self.perform(job).expect("a plan is answered");
        self.give(Input::Disk(done));
    }

    fn yes(&mut self) {
        self.consent = true;
        self.give(Input::Answer(Answer::Yes));
    }

    /// An accepted offer of these entries.
    fn begin(&mut self, entries: &[Entry]) {
        self.hear(&offer());
        self.yes();
        if !entries.is_empty() {
            self.announce(0, entries);
        }
    }

    fn block(&mut self, entry: u32, offset: u64, payload: &[u8]) {
        self.held += payload.len() as u64;
        self.raw_block(frame(entry, offset, payload).freeze());
    }

    fn raw_block(&mut self, frame: Bytes) {
        self.give(Input::Frame(Channel::Bulk, frame));
    }

    fn prove(&mut self, proof: Proof) {
        self.hear(&PeerMessage::Proofs(vec![proof]));
    }

    /// All of a file of one chunk, and the proofs for it.
    fn send_file(&mut self, entry: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.block(entry, 0, bytes);
            self.prove(Proof::Chunk { entry, index: 0, hash: chunk_hash(bytes) });
        }
        self.prove(Proof::Entry { entry, digest: digest(bytes) });
    }

    /// Ticks when the receiver wants them, until it ends or has had `times` of them.
    fn outwait(&mut self, times: usize) {
        for _ in 0..times {
            if self.result.is_none() {
                assert!(self.wake >= self.now);
                self.now = self.wake;
                self.give(Input::Tick);
            }
        }
    }
}

/// The digest of a file.
fn digest(bytes: &[u8]) -> Hash {
    let mut digest = EntryDigest::new(bytes.len() as u64);
    bytes.chunks(CHUNK as usize).for_each(|it| digest.push(&chunk_hash(it)));
    digest.finish()
}

/// What a sender does to it.
type Script = fn(&mut Victim);

/// Plays a script against a receiver, which must end with `failure`, tell the sender `told`, and have
/// given no name to anything.
fn check(what: &str, script: Script, failure: &Failure, told: Option<AbortReason>) {
    let mut victim = Victim::new();
    script(&mut victim);
    assert_eq!(victim.result, Some(Err(failure.clone())), "{what}");
    match (victim.said.last(), told) {
        (last, Some(reason)) => assert_eq!(last, Some(&PeerMessage::Abort(reason)), "{what}"),
        (last, None) => assert!(!matches!(last, Some(PeerMessage::Abort(_))), "{what}: it says {last:?}"),
    }
    assert!(victim.committed.is_empty(), "{what}: {:?} are named", victim.committed);
    victim.hear(&offer());
    victim.give(Input::Tick);
}

fn check_violations(cases: &[(&str, Script, Violation)]) {
    for (what, script, violation) in cases {
        let failure = Failure::Violation(violation.clone());
        check(what, *script, &failure, Some(AbortReason::Protocol));
    }
}

#[test]
fn an_honest_sender_is_served() {
    let mut victim = Victim::new();
    victim.begin(&[file("d/a", 5), file("d/empty", 0), folder("d"), link("d/link", "a")]);
    victim.hear(&PeerMessage::End { entries: 4, skipped: 2 });
    victim.send_file(1, b"");
    victim.send_file(0, b"hello");
    assert_eq!(victim.committed, [1, 0, 2, 3]);
    assert!(matches!(victim.said.last(), Some(PeerMessage::Complete { .. })));
    victim.hear(&PeerMessage::Farewell);
    let Some(Ok(summary)) = victim.result else { panic!("it ends with {:?}", victim.result) };
    assert_eq!((summary.files, summary.folders, summary.links), (2, 1, 1));
    assert_eq!((summary.bytes, summary.unsent), (5, 2));
}

//! A receiver that says at random what a receiver may say, some of it at the wrong time: nothing makes the sender stumble, and
//! it sends no more than the window, and no stream twice.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use p2pcp::crypto::Key;
use p2pcp::session::sender::{Config, Done, Job, Sender, Streamed, Walked};
use p2pcp::session::{Failure, Input, Machine, Output, Summary};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{
    self, Entry, EntryKind, Hash, Mtime, OfferItem, Outcome, PeerMessage, Proof, Settled, SourceFault,
    Totals, Want,
};
use p2pcp::wire::{CHUNK_BYTES, Channel, DEFAULT_WINDOW_BYTES, block};

use crate::session::disks::frame;
use crate::session::pair::KEY;
use crate::support::rng::Rng;

const CHUNK: u64 = CHUNK_BYTES as u64;

/// What is sent: a stream of so many bytes, files of these sizes, and a folder.
const STREAM: u64 = 2 * CHUNK + 70_000;
const FILES: [u64; 3] = [3 * CHUNK, CHUNK + 5, 0];

fn entry(number: usize) -> Entry {
    let (name, mtime) = (RelPath::parse(&number.to_string()).unwrap(), Mtime::default());
    let kind = match number.checked_sub(1) {
        None => EntryKind::Stream { mtime },
        Some(file) => match FILES.get(file) {
            Some(&size) => EntryKind::File { size, mtime, executable: false },
            None => EntryKind::Folder { mtime },
        },
    };
    Entry { path: name, kind }
}

fn size(number: u32) -> u64 {
    match number {
        0 => STREAM,
        it => FILES[it as usize - 1],
    }
}

/// The blocks of a chunk, and its bytes.
fn chunk(entry: u32, index: u32) -> (Vec<BytesMut>, u64) {
    let start = u64::from(index) * CHUNK;
    let bytes = size(entry).saturating_sub(start).min(CHUNK);
    let block = |at: u64| frame(entry, start + at, &vec![7; (bytes - at).min(200_000) as usize]);
    ((0..bytes).step_by(200_000).map(block).collect(), bytes)
}

/// A sender whose disk and receiver are random.
struct Victim {
    sender: Sender,
    now: Instant,
    jobs: VecDeque<Job>,
    streams: VecDeque<Job>,
    streamed: u64,
    /// Bytes in blocks, and those that were said to be written.
    sent: u64,
    written: u64,
    said: u64,
    digests: BTreeMap<u32, Hash>,
    wants: u32,
    result: Option<Result<Summary, Failure>>,
}

impl Victim {
    fn new() -> Self {
        let now = Instant::now();
        let item = |number| {
            let size = if number == 0 { OfferItem::UNKNOWN_SIZE } else { 1 };
            OfferItem { name: entry(number).path, folder: false, size }
        };
        let items = (0..5).map(item).collect();
        let totals = Totals { complete: true, ..Totals::default() };
        let config = Config { items, more: 0, totals, complete_key: Key::new(KEY) };
        let mut victim = Self {
            sender: Sender::new(config, now).with_pacing(),
            now,
            jobs: VecDeque::new(),
            streams: VecDeque::new(),
            streamed: 0,
            sent: 0,
            written: 0,
            said: 0,
            digests: BTreeMap::new(),
            wants: 0,
            result: None,
        };
        victim.settle_down();
        victim
    }

    fn give(&mut self, input: Input<Done>) {
        self.now += Duration::from_millis(7);
        self.sender.handle(self.now, input);
        self.settle_down();
    }

    fn settle_down(&mut self) {
        while let Some(output) = self.sender.poll() {
            assert_eq!(self.result, None, "nothing comes after the end");
            match output {
                Output::Send(Channel::Bulk, frame) => {
                    let (header, _) = block::parse(frame).expect("what it sends is legal");
                    self.sent += u64::from(header.length);
                }
                Output::Send(Channel::Control, frame) => {
                    self.note(peer::decode(&frame).expect("and what it says"))
                }
                Output::Disk(job @ Job::Stream { .. }) => self.streams.push_back(job),
                Output::Disk(job) => self.jobs.push_back(job),
                Output::Done(result) => self.result = Some(result),
                Output::Pace(_) | Output::Emit(_) | Output::WakeAt(_) | Output::Ask(_) | Output::Relink => (),
            }
        }
        assert!(self.sent - self.written <= u64::from(DEFAULT_WINDOW_BYTES));
    }

    fn note(&mut self, message: PeerMessage) {
        let PeerMessage::Proofs(proofs) = message else { return };
        for proof in proofs {
            if let Proof::Entry { entry, digest } | Proof::End { entry, digest, .. } = proof {
                self.digests.insert(entry, digest);
            }
        }
    }

    fn work(&mut self, rng: &mut Rng) {
        let queue = if rng.once_in(2) { &mut self.streams } else { &mut self.jobs };
        let Some(job) = queue.pop_front() else { return };
        let fails = rng.once_in(40);
        let spent = Duration::ZERO;
        let done = match job {
            Job::Survey | Job::Forget { .. } => return,
            Job::Walk { .. } => {
                let entries = (0..5).map(entry).collect();
                Done::Walked(Walked { entries, done: true, ..Walked::default() })
            }
            Job::Check { entry } => {
                Done::Read { entry, index: 0, result: Ok((Vec::new(), Hash::default())), spent }
            }
            Job::Read { entry, index, .. } if fails => {
                Done::Read { entry, index, result: Err(SourceFault::Io), spent }
            }
            Job::Read { entry, index, .. } => {
                let (frames, _) = chunk(entry, index);
                Done::Read { entry, index, result: Ok((frames, [index as u8; 32])), spent }
            }
            Job::Stream { entry, .. } if fails => Done::Streamed { entry, result: Err(SourceFault::Io) },
            Job::Stream { entry, index, .. } => {
                assert_eq!(u64::from(index), self.streamed, "a stream is read once, in order");
                self.streamed += 1;
                let (frames, bytes) = chunk(entry, index);
                let result =
                    Ok(Streamed { frames, bytes, hash: [index as u8; 32], last: bytes < CHUNK, spent });
                Done::Streamed { entry, result }
            }
        };
        self.give(Input::Disk(done));
    }

    /// Something that a receiver may say, mostly at the right time.
    fn word(&mut self, rng: &mut Rng) -> PeerMessage {
        let entry = rng.below(5) as u32;
        let kinds = if rng.once_in(30) { 10 } else { 6 };
        match rng.below(kinds) {
            0 | 1 => {
                let received = self.said + rng.below(self.sent.saturating_sub(self.said) + 1);
                let written = self.written + rng.below(received.saturating_sub(self.written) + 1);
                (self.said, self.written) = (received, written);
                PeerMessage::Ack { received, written }
            }
            2 | 3 => match self.digests.iter().next() {
                Some((&entry, &digest)) if !rng.once_in(5) => {
                    self.digests.remove(&entry);
                    PeerMessage::Settled(vec![Settled { entry, outcome: Outcome::Kept { digest } }])
                }
                _ => PeerMessage::Pace { paused: rng.once_in(2), limit: Some(1 + rng.any() / 2) },
            },
            4 if self.wants < 5 => {
                let first = self.wants;
                self.wants += 1;
                let want = match rng.below(3) {
                    0 if (1..3).contains(&first) => Want::From { chunk: 1 + rng.below(2) as u32 },
                    _ => Want::All,
                };
                PeerMessage::Wants { first, wants: vec![want] }
            }
            4 | 5 => match self.digests.first_key_value() {
                Some((&entry, _)) if rng.once_in(20) => match rng.below(2) {
                    0 => PeerMessage::Again { entry, chunks: vec![rng.below(3) as u32] },
                    _ => PeerMessage::Restart { entry },
                },
                _ => PeerMessage::Pace { paused: false, limit: None },
            },
            6 => PeerMessage::Ack { received: rng.any(), written: rng.any() },
            7 => PeerMessage::Settled(vec![Settled { entry, outcome: Outcome::Exists }]),
            8 => PeerMessage::Wants { first: self.wants, wants: vec![Want::From { chunk: entry }; 2] },
            _ => {
                PeerMessage::Settled(vec![Settled { entry, outcome: Outcome::SourceFailed(SourceFault::Io) }])
            }
        }
    }
}

#[test]
fn words_at_random_do_not_make_the_sender_stumble() {
    let (mut settled, mut failed) = (0, 0);
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut victim = Victim::new();
        victim.work(&mut rng);
        let window = rng.one_of(&[0, CHUNK_BYTES, DEFAULT_WINDOW_BYTES, u32::MAX]);
        let accept = PeerMessage::Accept { window };
        victim.give(Input::Frame(Channel::Control, peer::encode(&accept).into()));
        for _ in 0..200 {
            match rng.below(3) {
                0 => {
                    let word = victim.word(&mut rng);
                    victim.give(Input::Frame(Channel::Control, peer::encode(&word).into()));
                }
                1 => victim.work(&mut rng),
                _ => victim.give(Input::Tick),
            }
        }
        match victim.result {
            Some(Err(_)) => failed += 1,
            _ => settled += u32::from(victim.streamed == 3),
        }
    }
    assert!(failed > 50 && settled > 5, "{failed} failed, {settled} sent the whole stream");
}

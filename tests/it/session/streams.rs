//! Streams: entries of which nobody knows the size before they end. Both machines against each other, and a
//! sender that lies by hand.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use p2pcp::crypto::Key;
use p2pcp::crypto::digest::{EntryDigest, chunk_hash};
use p2pcp::session::lasting::Lasting;
use p2pcp::session::receiver::{self, Receiver};
use p2pcp::session::sender::{self, Config, Sender, Streamed, Walked};
use p2pcp::session::{Answer, Event, Failure, Input, Loss, Machine, Output, Summary, Violation};
use p2pcp::wire::block::{Header, begin};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{
    self, Entry, EntryKind, Mtime, Offer, OfferItem, Outcome, PeerMessage, Proof, SourceFault, Totals,
};
use p2pcp::wire::{CHUNK_BYTES, Channel};

use crate::session::pair::KEY;

const CHUNK: usize = CHUNK_BYTES as usize;
const PATIENCE: Duration = Duration::from_secs(600);

fn name() -> RelPath {
    RelPath::parse("stdin").unwrap()
}

fn stream() -> Entry {
    Entry { path: name(), kind: EntryKind::Stream { mtime: Mtime::default() } }
}

fn item() -> OfferItem {
    OfferItem { name: name(), folder: false, size: OfferItem::UNKNOWN_SIZE }
}

fn frames(start: usize, bytes: &[u8]) -> Vec<BytesMut> {
    let block = |(at, part): (usize, &[u8])| {
        let offset = (start + at * 100_000) as u64;
        let mut frame = begin(Header { entry: 0, length: part.len() as u32, offset, packed: None });
        frame.extend_from_slice(part);
        frame
    };
    bytes.chunks(100_000).enumerate().map(block).collect()
}

/// When a chunk may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Disk,
    Pipe,
}

/// A transfer of one stream over links that take everything at once.
struct World {
    sender: Lasting<Sender>,
    receiver: Lasting<Receiver>,
    now: Instant,
    input: Vec<u8>,
    /// After so many bytes the input cannot be read.
    breaks_at: Option<usize>,
    to: To,
    bulk_first: bool,
    wires: [VecDeque<(Channel, Bytes)>; 2],
    jobs: VecDeque<sender::Job>,
    /// Bytes that were written, in order.
    output: Vec<u8>,
    committed: Option<Entry>,
    checkpointed: bool,
    totals: Vec<Totals>,
    results: [Option<Result<Summary, Failure>>; 2],
    settled: Option<Outcome>,
    /// Reads that are answered; the rest of the input has not come yet.
    reads: usize,
}

impl World {
    fn new(input: Vec<u8>, to: To) -> Self {
        let now = Instant::now();
        let totals = Totals { files: 1, complete: true, ..Totals::default() };
        let config = Config { items: vec![item()], more: 0, totals, complete_key: Key::new(KEY) };
        let receiver = Receiver::new(Key::new(KEY), now);
        let receiver = match to {
            To::Disk => receiver,
            To::Pipe => receiver.writing_what_is_proven(),
        };
        Self {
            sender: Lasting::new(Sender::new(config, now), PATIENCE, now),
            receiver: Lasting::new(receiver, PATIENCE, now),
            now,
            input,
            breaks_at: None,
            to,
            bulk_first: false,
            wires: Default::default(),
            jobs: VecDeque::new(),
            output: Vec::new(),
            committed: None,
            checkpointed: false,
            totals: Vec::new(),
            results: [None, None],
            settled: None,
            reads: usize::MAX,
        }
    }

    fn poll(&mut self) {
        while let Some(output) = self.sender.poll() {
            match output {
                Output::Send(channel, frame) => self.wires[0].push_back((channel, frame)),
                Output::Disk(job) => self.jobs.push_back(job),
                Output::Done(result) => self.results[0] = Some(result),
                Output::Emit(Event::Totals(totals)) => self.totals.push(totals),
                _ => (),
            }
        }
        while self.hear_receiver() {}
    }

    /// Whether there is an answer to what the receiver said.
    fn hear_receiver(&mut self) -> bool {
        let mut answers = Vec::new();
        while let Some(output) = self.receiver.poll() {
            match output {
                Output::Send(channel, frame) => self.wires[1].push_back((channel, frame)),
                Output::Ask(_) => answers.push(Input::Answer(Answer::Yes)),
                Output::Disk(job) => answers.extend(self.write(job).map(Input::Disk)),
                Output::Done(result) => self.results[1] = Some(result),
                Output::Emit(Event::Settled { outcome, .. }) => self.settled = Some(outcome),
                _ => (),
            }
        }
        let answered = !answers.is_empty();
        answers.into_iter().for_each(|answer| self.receiver.handle(self.now, answer));
        answered
    }

    fn read(&mut self, job: sender::Job) -> Option<sender::Done> {
        match job {
            sender::Job::Walk { .. } => {
                let entries = vec![stream()];
                Some(sender::Done::Walked(Walked { entries, done: true, ..Walked::default() }))
            }
            sender::Job::Stream { entry, index, .. } => {
                let start = index as usize * CHUNK;
                let end = self.input.len().min(start + CHUNK);
                let last = end - start < CHUNK;
                let result = match self.breaks_at.filter(|at| *at < end) {
                    Some(_) => Err(SourceFault::Io),
                    None => {
                        let bytes = &self.input[start..end];
                        let (hash, frames) = (chunk_hash(bytes), frames(start, bytes));
                        Ok(Streamed { frames, bytes: bytes.len() as u64, hash, last, spent: Duration::ZERO })
                    }
                };
                Some(sender::Done::Streamed { entry, result })
            }
            _ => None,
        }
    }

    fn write(&mut self, job: receiver::Job) -> Option<receiver::Done> {
        Some(match job {
            receiver::Job::Plan { first, entries } => {
                receiver::Done::Planned { first, plans: vec![receiver::Plan::All; entries.len()] }
            }
            receiver::Job::Write { entry, index, parts, proof, .. } => {
                let bytes = parts.concat();
                let hash = chunk_hash(&bytes);
                assert_eq!(self.output.len(), index as usize * CHUNK, "chunks are written in order");
                assert_eq!(proof, (self.to == To::Pipe).then_some(hash), "nothing unproven reaches a pipe");
                self.output.extend(bytes);
                receiver::Done::Wrote { entry, index, hash }
            }
            receiver::Job::Commit(batch) => {
                self.committed = Some(batch[0].item.clone());
                let outcomes = vec![Outcome::Kept { digest: batch[0].digest }];
                receiver::Done::Committed { first: batch[0].entry, outcomes }
            }
            receiver::Job::Checkpoint(_) => {
                self.checkpointed = true;
                receiver::Done::Checkpointed
            }
            receiver::Job::Finish => receiver::Done::Finished,
            receiver::Job::Check { .. } | receiver::Job::Restart { .. } | receiver::Job::Discard { .. } => {
                return None;
            }
        })
    }

    /// One thing that happens; nothing when there is none left.
    fn step(&mut self) -> Option<()> {
        self.poll();
        let due =
            self.bulk_first.then(|| self.wires[0].iter().position(|it| it.0 == Channel::Bulk)).flatten();
        if let Some((channel, frame)) = self.wires[0].remove(due.unwrap_or(0)) {
            self.receiver.handle(self.now, Input::Frame(channel, frame));
        } else if let Some((channel, frame)) = self.wires[1].pop_front() {
            self.sender.handle(self.now, Input::Frame(channel, frame));
        } else {
            let waits = matches!(self.jobs.front(), Some(sender::Job::Stream { .. }));
            if waits {
                self.reads = self.reads.checked_sub(1)?;
            }
            let job = self.jobs.pop_front()?;
            if let Some(done) = self.read(job) {
                self.sender.handle(self.now, Input::Disk(done));
            }
        }
        Some(())
    }

    fn run(&mut self) {
        while self.step().is_some() {}
        self.poll();
    }
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

#[test]
fn streams_of_any_length_come_whole_in_whatever_order_the_channels_are() {
    for size in [0, 1, 20_000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 20 * CHUNK + 7] {
        for (to, bulk_first) in [(To::Disk, false), (To::Disk, true), (To::Pipe, false), (To::Pipe, true)] {
            let mut world = World::new(bytes(size), to);
            world.bulk_first = bulk_first;
            world.run();
            let size_bytes = size as u64;
            let summary = Summary { files: 1, bytes: size_bytes, wire: size_bytes, ..Summary::default() };
            assert_eq!(world.results, [Some(Ok(summary)), Some(Ok(summary))], "{size} to {to:?}");
            assert!(world.output == world.input, "{size} to {to:?}");
            let kind = EntryKind::File { size: size as u64, mtime: Mtime::default(), executable: false };
            assert_eq!(world.committed, Some(Entry { path: name(), kind }));
            let totals = world.totals.iter().map(|it| (it.bytes, it.complete)).collect::<Vec<_>>();
            assert_eq!(totals, [(0, false), (size as u64, true)], "final only when it has ended");
            assert!(!world.checkpointed, "what cannot be gone on with is not journaled");
        }
    }
}

#[test]
fn a_stream_that_cannot_be_read_on_is_no_short_stream() {
    for to in [To::Disk, To::Pipe] {
        let mut world = World::new(bytes(9 * CHUNK), to);
        world.breaks_at = Some(3 * CHUNK + 5);
        world.run();
        assert_eq!(world.settled, Some(Outcome::SourceFailed(SourceFault::Io)));
        assert_eq!(world.committed, None);
        let [Some(Ok(sent)), Some(Ok(received))] = world.results else { panic!("{:?}", world.results) };
        assert_eq!((sent.source_failed, received.source_failed, received.files), (1, 1, 0));
        assert_eq!(world.output.len(), 3 * CHUNK, "what was proven is there");
    }
}

#[test]
fn a_stream_goes_on_over_a_new_link() {
    for lost_after in (0..60).step_by(4) {
        let mut world = World::new(bytes(5 * CHUNK + 9), To::Pipe);
        for _ in 0..3 * lost_after {
            world.step();
        }
        world.poll();
        world.wires.iter_mut().for_each(VecDeque::clear);
        if world.results.iter().all(Option::is_none) {
            for input in [Input::LinkDown(Loss::Closed), Input::LinkUp] {
                world.sender.handle(world.now, input);
            }
            for input in [Input::LinkDown(Loss::Closed), Input::LinkUp] {
                world.receiver.handle(world.now, input);
            }
        }
        world.run();
        assert!(world.output == world.input, "lost after {lost_after}");
    }
}

#[test]
fn a_pipe_that_gives_nothing_for_hours_is_waited_for() {
    let mut world = World::new(bytes(3 * CHUNK), To::Disk);
    world.reads = 1;
    world.run();
    for _ in 0..3 * 60 * 12 {
        world.now += Duration::from_secs(5);
        world.sender.handle(world.now, Input::Tick);
        world.receiver.handle(world.now, Input::Tick);
        world.run();
    }
    assert_eq!(world.results, [None, None]);
    world.reads = usize::MAX;
    world.run();
    assert!(world.output == world.input);
    assert!(world.results.iter().all(|it| it.as_ref().is_some_and(Result::is_ok)));
}

/// What a receiver says to a sender that offers a stream, has it wanted, and then says these frames.
fn failure(offered: OfferItem, entries: Vec<Entry>, said: Vec<(Channel, Bytes)>) -> Option<Failure> {
    let mut now = Instant::now();
    let mut receiver = Receiver::new(Key::new(KEY), now);
    let totals = Totals { files: 1, complete: true, ..Totals::default() };
    let control = |message: PeerMessage| (Channel::Control, Bytes::from(peer::encode(&message)));
    let announced = [
        control(PeerMessage::Offer(Offer { items: vec![offered], more: 0, totals })),
        control(PeerMessage::Entries { first: 0, entries }),
    ];
    let frame = |(channel, frame)| Input::Frame(channel, frame);
    // It asks after a while, however many entries are still to come.
    let asked = std::iter::once(Input::Tick);
    for input in announced.into_iter().map(frame).chain(asked).chain(said.into_iter().map(frame)) {
        now += Duration::from_secs(1);
        receiver.handle(now, input);
        while let Some(output) = receiver.poll() {
            let answer = match output {
                Output::Ask(_) => Input::Answer(Answer::Yes),
                Output::Disk(receiver::Job::Plan { first, entries }) => {
                    let plans = vec![receiver::Plan::All; entries.len()];
                    Input::Disk(receiver::Done::Planned { first, plans })
                }
                Output::Disk(receiver::Job::Write { entry, index, parts, .. }) => {
                    let hash = chunk_hash(&parts.concat());
                    Input::Disk(receiver::Done::Wrote { entry, index, hash })
                }
                Output::Done(result) => return result.err(),
                _ => continue,
            };
            receiver.handle(now, answer);
        }
    }
    None
}

fn said(proofs: Vec<Proof>) -> (Channel, Bytes) {
    (Channel::Control, peer::encode(&PeerMessage::Proofs(proofs)).into())
}

fn block(start: usize, bytes: &[u8]) -> Vec<(Channel, Bytes)> {
    frames(start, bytes).into_iter().map(|it| (Channel::Bulk, it.freeze())).collect()
}

fn end(size: u64, chunks: &[&[u8]]) -> Proof {
    let mut digest = EntryDigest::of_stream();
    chunks.iter().for_each(|it| digest.push(&chunk_hash(it)));
    Proof::End { entry: 0, size, digest: digest.finish_stream(size) }
}

#[test]
fn lies_about_a_streams_end_are_noticed() {
    let short = bytes(20_000);
    let proof = |bytes: &[u8]| Proof::Chunk { entry: 0, index: 0, hash: chunk_hash(bytes) };
    let false_claim = Some(Failure::Violation(Violation::FalseClaim(0)));
    let run = |said| failure(item(), vec![stream()], said);
    let chunk = |more| [block(0, &short), more].concat();
    assert_eq!(run(chunk(vec![said(vec![proof(&short), end(20_000, &[&short])])])), None);
    // Shorter than what came, or longer than what can still come behind a short block.
    assert_eq!(run(chunk(vec![said(vec![proof(&short), end(19_999, &[&short])])])), false_claim);
    let tiny = bytes(9);
    let longer = [block(0, &tiny), vec![said(vec![proof(&tiny), end(10, &[&tiny])])]].concat();
    assert_eq!(run(longer), false_claim);
    // More or fewer chunks than proven.
    assert_eq!(run(chunk(vec![said(vec![end(20_000, &[&short])])])), false_claim);
    let two = CHUNK as u64 + 1;
    assert_eq!(run(chunk(vec![said(vec![proof(&short), end(two, &[&short])])])), false_claim);
    // Twice, and as a file ends.
    let twice = said(vec![proof(&short), end(20_000, &[&short]), end(20_000, &[&short])]);
    assert_eq!(run(chunk(vec![twice])), false_claim);
    let digest = EntryDigest::of_stream().finish();
    assert_eq!(run(vec![said(vec![Proof::Entry { entry: 0, digest }])]), false_claim);
    assert_eq!(run(vec![said(vec![end(u64::MAX, &[])])]), false_claim);
    // A digest over something else.
    let wrong = said(vec![proof(&short), end(20_000, &[&tiny])]);
    assert_eq!(run(chunk(vec![wrong])), Some(Failure::Integrity(name())));
}

#[test]
fn nothing_follows_a_short_block() {
    let said = [block(0, &bytes(9)), block(9, &bytes(20_000))].concat();
    let out_of_place = Some(Failure::Violation(Violation::BlockOutOfPlace(0)));
    assert_eq!(failure(item(), vec![stream()], said), out_of_place);
}

#[test]
fn a_stream_comes_only_where_one_was_offered_and_once() {
    let beyond = |number| Some(Failure::Violation(Violation::BeyondOffer(number)));
    let file = OfferItem { size: 5, ..item() };
    assert_eq!(failure(file, vec![stream()], Vec::new()), beyond(0));
    assert_eq!(failure(item(), vec![stream(), stream()], Vec::new()), beyond(1));
    let below = Entry { path: RelPath::parse("stdin/x").unwrap(), ..stream() };
    assert_eq!(failure(item(), vec![below], Vec::new()), beyond(0));
}

#[test]
fn a_file_does_not_end_as_a_stream_does() {
    let kind = EntryKind::File { size: 0, mtime: Mtime::default(), executable: false };
    let file = Entry { path: name(), kind };
    let lie = vec![said(vec![end(0, &[])])];
    let offered = OfferItem { size: 0, ..item() };
    assert_eq!(failure(offered, vec![file], lie), Some(Failure::Violation(Violation::FalseClaim(0))));
}

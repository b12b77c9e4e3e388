//! Packed chunks: both machines against each other, whatever is packed and however that is cut.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use p2pcp::crypto::Key;
use p2pcp::crypto::digest::chunk_hash;
use p2pcp::pack::{Effort, Packer, Unpacker};
use p2pcp::session::lasting::Lasting;
use p2pcp::session::receiver::{self, Receiver};
use p2pcp::session::sender::{self, Compress, Config, Pack, Packing, Sender, Streamed, Walked};
use p2pcp::session::{Answer, Failure, Input, Loss, Machine, Output, Summary};
use p2pcp::wire::block::{Header, MIN_PAYLOAD_BYTES, Packed, begin};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{Entry, EntryKind, Mtime, OfferItem, Outcome, SourceFault, Totals};
use p2pcp::wire::{CHUNK_BYTES, Channel};

use crate::session::disks;
use crate::session::pair::KEY;
use crate::support::rng::Rng;

const CHUNK: usize = CHUNK_BYTES as usize;
const PATIENCE: Duration = Duration::from_secs(600);

/// A transfer of files, or of one stream, over links that take everything at once.
struct World {
    sender: Lasting<Sender>,
    receiver: Lasting<Receiver>,
    now: Instant,
    rng: Rng,
    contents: Vec<Vec<u8>>,
    stream: bool,
    packer: Packer,
    output: Vec<Vec<u8>>,
    /// Of what is here already.
    here: u32,
    /// After so many frames of a chunk the link is lost.
    lose_in: Option<usize>,
    packed: usize,
}

impl World {
    fn new(contents: Vec<Vec<u8>>, stream: bool, agreed: bool, seed: u64) -> Self {
        let now = Instant::now();
        let size = |it: &Vec<u8>| if stream { OfferItem::UNKNOWN_SIZE } else { it.len() as u64 };
        let sizes = contents.iter().map(size).enumerate();
        let items = sizes.map(|(it, size)| OfferItem { name: name(it), folder: false, size }).collect();
        let totals = Totals { files: contents.len() as u64, complete: false, ..Totals::default() };
        let config = Config { items, more: 0, totals, complete_key: Key::new(KEY) };
        let packing = if agreed { Packing::new(Compress::Always, false) } else { Packing::none() };
        let sender = Sender::new(config, now).packing(packing);
        let receiver = Receiver::new(Key::new(KEY), now).unpacking(agreed);
        Self {
            sender: Lasting::new(sender, PATIENCE, now),
            receiver: Lasting::new(receiver, PATIENCE, now),
            now,
            rng: Rng::new(seed),
            output: vec![Vec::new(); contents.len()],
            contents,
            stream,
            packer: Packer::new(),
            here: 0,
            lose_in: None,
            packed: 0,
        }
    }

    fn run(&mut self) -> (Result<Summary, Failure>, Result<Summary, Failure>) {
        let (mut sent, mut received) = (None, None);
        while sent.is_none() || received.is_none() {
            self.now += Duration::from_millis(1);
            let mut moved = false;
            while let Some(output) = self.sender.poll() {
                moved = true;
                match output {
                    Output::Send(channel, frame) => {
                        if channel == Channel::Bulk && self.loses() {
                            self.sender.handle(self.now, Input::LinkDown(Loss::Closed));
                            self.receiver.handle(self.now, Input::LinkDown(Loss::Closed));
                            // What was said is lost; files are read all the same.
                            let mut jobs = Vec::new();
                            while let Some(output) = self.sender.poll() {
                                if let Output::Disk(job) = output {
                                    jobs.push(job);
                                }
                            }
                            self.sender.handle(self.now, Input::LinkUp);
                            self.receiver.handle(self.now, Input::LinkUp);
                            for job in jobs {
                                if let Some(done) = self.read(job) {
                                    self.sender.handle(self.now, Input::Disk(done));
                                }
                            }
                            continue;
                        }
                        self.receiver.handle(self.now, Input::Frame(channel, frame));
                    }
                    Output::Disk(job) => {
                        if let Some(done) = self.read(job) {
                            self.sender.handle(self.now, Input::Disk(done));
                        }
                    }
                    Output::Done(result) => sent = Some(result),
                    _ => (),
                }
            }
            while let Some(output) = self.receiver.poll() {
                moved = true;
                match output {
                    Output::Send(channel, frame) => {
                        self.sender.handle(self.now, Input::Frame(channel, frame))
                    }
                    Output::Disk(job) => {
                        if let Some(done) = self.write(job) {
                            self.receiver.handle(self.now, Input::Disk(done));
                        }
                    }
                    Output::Ask(_) => self.receiver.handle(self.now, Input::Answer(Answer::Yes)),
                    Output::Done(result) => received = Some(result),
                    _ => (),
                }
            }
            if !moved {
                self.now += Duration::from_millis(300);
                self.sender.handle(self.now, Input::Tick);
                self.receiver.handle(self.now, Input::Tick);
            }
        }
        (sent.expect("it ended"), received.expect("it ended"))
    }

    fn loses(&mut self) -> bool {
        let left = self.lose_in.map(|it| it.saturating_sub(1));
        let now = left == Some(0);
        self.lose_in = left.filter(|_| !now);
        now
    }

    fn read(&mut self, job: sender::Job) -> Option<sender::Done> {
        match job {
            sender::Job::Survey => {
                let bytes =
                    if self.stream { 0 } else { self.contents.iter().map(|it| it.len() as u64).sum() };
                let files = self.contents.len() as u64;
                Some(sender::Done::Surveyed(Totals { files, bytes, complete: true, ..Totals::default() }))
            }
            sender::Job::Walk { .. } => {
                let entry = |(number, content): (usize, &Vec<u8>)| Entry {
                    path: name(number),
                    kind: match self.stream {
                        true => EntryKind::Stream { mtime: Mtime::default() },
                        false => EntryKind::File {
                            size: content.len() as u64,
                            mtime: Mtime::default(),
                            executable: false,
                        },
                    },
                };
                let entries = self.contents.iter().enumerate().map(entry).collect();
                Some(sender::Done::Walked(Walked { entries, done: true, ..Walked::default() }))
            }
            sender::Job::Check { entry } => {
                let result = Ok((Vec::new(), [0; 32]));
                Some(sender::Done::Read { entry, index: 0, result, spent: Duration::ZERO })
            }
            sender::Job::Read { entry, index, pack } => {
                let (frames, plain) = self.frames(entry, index, pack);
                let result = Ok::<_, SourceFault>((frames, chunk_hash(&plain)));
                Some(sender::Done::Read { entry, index, result, spent: Duration::from_millis(1) })
            }
            sender::Job::Stream { entry, index, pack } => {
                let (frames, plain) = self.frames(entry, index, pack);
                let last = (index as usize + 1) * CHUNK > self.contents[0].len();
                let bytes = plain.len() as u64;
                let (hash, spent) = (chunk_hash(&plain), Duration::from_millis(1));
                let result = Ok(Streamed { frames, bytes, hash, last, spent });
                Some(sender::Done::Streamed { entry, result })
            }
            sender::Job::Forget { .. } => None,
        }
    }

    /// A chunk, packed or not as it comes, in parts of any length.
    fn frames(&mut self, entry: u32, index: u32, pack: Pack) -> (Vec<BytesMut>, Vec<u8>) {
        let content = &self.contents[entry as usize];
        let start = index as usize * CHUNK;
        let plain = content[start..content.len().min(start + CHUNK)].to_vec();
        let wanted = pack != Pack::No && !self.rng.once_in(3);
        let effort = if self.rng.once_in(4) { Effort::Thorough } else { Effort::Quick };
        let Some(frame) = self.packer.pack(&plain, effort).filter(|_| wanted) else {
            return (disks::frames(entry, start as u64, &plain), plain);
        };
        self.packed += 1;
        let packed = Some(Packed { plain: plain.len() as u32, packed: frame.len() as u32 });
        let (mut frames, mut at) = (Vec::new(), 0);
        while at < frame.len() {
            let end = frame.len().min(at + MIN_PAYLOAD_BYTES + self.rng.place(100_000));
            let (length, offset) = ((end - at) as u32, (start + at) as u64);
            let mut block = begin(Header { entry, length, offset, packed });
            block.extend_from_slice(&frame[at..end]);
            frames.push(block);
            at = end;
        }
        (frames, plain)
    }

    fn write(&mut self, job: receiver::Job) -> Option<receiver::Done> {
        Some(match job {
            receiver::Job::Plan { first, entries } => {
                let plan = match self.here {
                    0 => receiver::Plan::All,
                    chunks => receiver::Plan::Here { chunks, otherwise: receiver::Otherwise::Fetch },
                };
                receiver::Done::Planned { first, plans: vec![plan; entries.len()] }
            }
            receiver::Job::Write { entry, index, parts, packed, .. } => {
                let bytes = match packed {
                    Some(plain) => Unpacker::new().unpack(&parts, plain).expect("it was packed well"),
                    None => Bytes::from(parts.concat()),
                };
                let (output, start) = (&mut self.output[entry as usize], index as usize * CHUNK);
                output.resize(output.len().max(start + bytes.len()), 0);
                output[start..start + bytes.len()].copy_from_slice(&bytes);
                receiver::Done::Wrote { entry, index, hash: chunk_hash(&bytes) }
            }
            // Every other chunk is here.
            receiver::Job::Check { entry, index } => {
                let (content, start) = (&self.contents[entry as usize], index as usize * CHUNK);
                let plain = &content[start..content.len().min(start + CHUNK)];
                let here = index % 2 == 0;
                if here {
                    let output = &mut self.output[entry as usize];
                    output.resize(output.len().max(start + plain.len()), 0);
                    output[start..start + plain.len()].copy_from_slice(plain);
                }
                let hash = Some(if here { chunk_hash(plain) } else { [0; 32] });
                receiver::Done::Checked { entry, index, hash }
            }
            receiver::Job::Commit(batch) => {
                let kept = batch.iter().map(|it| Outcome::Kept { digest: it.digest });
                receiver::Done::Committed { first: batch[0].entry, outcomes: kept.collect() }
            }
            receiver::Job::Checkpoint(_) => receiver::Done::Checkpointed,
            receiver::Job::Finish => receiver::Done::Finished,
            receiver::Job::Restart { .. } | receiver::Job::Discard { .. } => return None,
        })
    }

    /// Everything came over, and both sides say so.
    fn check(&mut self) -> Summary {
        let (sent, received) = self.run();
        let (Ok(sent), Ok(received)) = (&sent, &received) else { panic!("{sent:?}, {received:?}") };
        assert!(self.output == self.contents, "what came is not what was sent");
        let bytes: u64 = self.contents.iter().map(|it| it.len() as u64).sum();
        assert_eq!((sent.bytes + sent.spared, received.bytes + received.spared), (bytes, bytes));
        assert_eq!(sent.wire, received.wire, "both count what went over the line");
        *sent
    }
}

fn name(number: usize) -> RelPath {
    RelPath::parse(&format!("f{number}")).unwrap()
}

/// Bytes of which some can be packed.
fn content(size: usize, rng: &mut Rng) -> Vec<u8> {
    let noise = [1, 2, 16, 256][rng.place(4)];
    let mut bytes: Vec<u8> = (0..size).map(|_| rng.below(noise) as u8).collect();
    if size > 10 && rng.once_in(2) {
        let (begin, end) = (rng.place(size), rng.place(size));
        bytes[begin.min(end)..begin.max(end)].fill(4);
    }
    bytes
}

#[test]
fn any_bytes_packed_and_cut_in_any_way_come_over_as_they_are() {
    let mut packed = 0;
    for seed in 0..30 {
        let rng = &mut Rng::new(seed);
        let sizes = [0, 1, 511, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 777, rng.place(CHUNK)];
        let contents = (0..4).map(|_| content(sizes[rng.place(sizes.len())], rng)).collect();
        let mut world = World::new(contents, false, true, seed);
        if rng.once_in(2) {
            world.lose_in = Some(1 + rng.place(12));
        }
        let sent = world.check();
        packed += world.packed;
        assert!(world.packed == 0 || sent.wire < sent.bytes);
    }
    assert!(packed > 30, "only {packed}");
}

#[test]
fn streams_come_over_packed_too() {
    for seed in 0..20 {
        let rng = &mut Rng::new(seed);
        let sizes = [0, 1, 600, 20_000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 99];
        let contents = vec![content(sizes[rng.place(sizes.len())], rng)];
        World::new(contents, true, true, seed).check();
    }
}

/// Chunks that are fetched in the second round, with those between them held back.
#[test]
fn what_differs_from_what_is_here_comes_packed_too() {
    for seed in 0..10 {
        let rng = &mut Rng::new(seed);
        let mut world = World::new(vec![content(5 * CHUNK + 5000, rng)], false, true, seed);
        world.here = 1 + rng.place(6) as u32;
        let sent = world.check();
        assert_eq!(sent.spared, u64::from(world.here.div_ceil(2)).min(5) * CHUNK as u64);
    }
}

#[test]
fn nothing_is_packed_for_a_peer_from_before() {
    let mut world = World::new(vec![vec![1; 3 * CHUNK]], false, false, 1);
    let sent = world.check();
    assert_eq!((world.packed, sent.wire), (0, 3 * CHUNK as u64));
}

//! What an honest sender says of a stream and of files, packed or not, with mistakes made at random: no frame makes the
//! receiver stumble, and whatever it gives a name to is what was written and what was proven.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use p2pcp::crypto::digest::{EntryDigest, chunk_hash};
use p2pcp::pack::{Effort, Packer, Unpacker};
use p2pcp::session::Input;
use p2pcp::session::receiver::{Job, Otherwise, Plan};
use p2pcp::wire::block::{self, Header, Packed};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{
    Entry, EntryKind, Hash, Mtime, Offer, OfferItem, PeerMessage, Proof, SourceFault, Totals,
};
use p2pcp::wire::{Channel, DEFAULT_WINDOW_BYTES, chunk_count, chunk_length};

use crate::session::disks::frame;
use crate::session::hostile_sender::{CHUNK, Here, Victim, file};
use crate::support::rng::Rng;

/// Entry 0 is a stream, the others are files.
const SIZES: [u64; 6] = [1, 70_000, CHUNK - 1, CHUNK, CHUNK + 5, 2 * CHUNK + 40_000];

/// What is said on one channel.
type Said = VecDeque<(Channel, Bytes)>;

fn content(entry: u32, index: u32, size: u64) -> Vec<u8> {
    let byte = (entry * 31 + index) as u8;
    // Every second chunk does not get shorter.
    match index % 2 {
        0 => vec![byte; chunk_length(size, index) as usize],
        _ => Rng::new(u64::from(byte)).bytes(chunk_length(size, index) as usize),
    }
}

fn control(message: &PeerMessage) -> (Channel, Bytes) {
    (Channel::Control, p2pcp::wire::peer::encode(message).into())
}

fn proof(proof: Proof) -> (Channel, Bytes) {
    control(&PeerMessage::Proofs(vec![proof]))
}

/// The blocks of a chunk, in pieces that an honest sender may make.
fn blocks(entry: u32, index: u32, plain: &[u8], rng: &mut Rng) -> Said {
    let start = u64::from(index) * CHUNK;
    let piece = rng.one_of(&[16 << 10, 100_000, 200_000]);
    let pack = rng.once_in(2).then(|| Packer::new().pack(plain, Effort::Quick).map(<[u8]>::to_vec)).flatten();
    let frames: Vec<Bytes> = match &pack {
        None => {
            let frames = plain.chunks(piece).enumerate();
            frames.map(|(at, it)| frame(entry, start + (at * piece) as u64, it).freeze()).collect()
        }
        Some(packed) => {
            let whole = Packed { plain: plain.len() as u32, packed: packed.len() as u32 };
            let part = |(at, it): (usize, &[u8])| {
                let offset = start + (at * piece) as u64;
                let header = Header { entry, length: it.len() as u32, offset, packed: Some(whole) };
                let mut frame = block::begin(header);
                frame.extend_from_slice(it);
                frame.freeze()
            };
            packed.chunks(piece).enumerate().map(part).collect()
        }
    };
    frames.into_iter().map(|it| (Channel::Bulk, it)).collect()
}

/// All that is said of an entry: blocks, and proofs.
fn said_of(entry: u32, size: u64, held_back: u32, rng: &mut Rng) -> (Said, Said) {
    let (mut bulk, mut proofs) = (Said::new(), Said::new());
    let mut digest = if entry == 0 { EntryDigest::of_stream() } else { EntryDigest::new(size) };
    for index in 0..chunk_count(size) as u32 {
        let plain = content(entry, index, size);
        let hash = chunk_hash(&plain);
        if index >= held_back {
            bulk.extend(blocks(entry, index, &plain, rng));
        }
        digest.push(&hash);
        proofs.push_back(proof(Proof::Chunk { entry, index, hash }));
    }
    proofs.push_back(proof(match entry {
        0 => Proof::End { entry, size, digest: digest.finish_stream(size) },
        _ => Proof::Entry { entry, digest: digest.finish() },
    }));
    (bulk, proofs)
}

/// Something that has no place here, or may have.
fn stray(rng: &mut Rng) -> (Channel, Bytes) {
    let entry = rng.below(4) as u32;
    let index = rng.below(3) as u32;
    let near = |rng: &mut Rng| rng.one_of(&SIZES).wrapping_add(rng.below(3)).wrapping_sub(1);
    match rng.below(9) {
        0 => proof(Proof::Chunk { entry, index, hash: [7; 32] }),
        1 => proof(Proof::End { entry, size: near(rng), digest: [7; 32] }),
        2 => proof(Proof::End { entry, size: rng.any(), digest: [7; 32] }),
        3 => proof(Proof::Failed { entry, fault: SourceFault::Io, sent: u64::from(index) * CHUNK }),
        4 => proof(Proof::Failed { entry, fault: SourceFault::Io, sent: near(rng) }),
        5 => control(&PeerMessage::End { entries: 4, skipped: 0 }),
        6 => (
            Channel::Bulk,
            frame(entry, u64::from(index) * CHUNK, &vec![7; near(rng).clamp(1, 100_000) as usize]).freeze(),
        ),
        7 => {
            let whole =
                Packed { plain: near(rng).clamp(2, CHUNK) as u32, packed: 1 + rng.below(100_000) as u32 };
            let length = (1 + rng.below(20_000) as u32).min(whole.packed);
            let offset = u64::from(index) * CHUNK + rng.one_of(&[0, 16 << 10, u64::from(length)]);
            let mut frame = block::begin(Header { entry, length, offset, packed: Some(whole) });
            frame.extend_from_slice(&vec![7; length as usize]);
            (Channel::Bulk, frame.freeze())
        }
        _ => proof(Proof::Entry { entry, digest: [7; 32] }),
    }
}

/// What the disk was asked to do, held against what it may be asked.
#[derive(Default)]
struct Ledger {
    written: BTreeMap<u32, BTreeMap<u32, (Hash, u64)>>,
    named: Vec<u32>,
}

impl Ledger {
    fn note(&mut self, job: &Job, sizes: &[u64; 4]) {
        match job {
            Job::Write { entry, index, parts, packed, .. } => {
                let plain = match packed {
                    None => Bytes::from(parts.concat()),
                    Some(plain) => match Unpacker::new().unpack(parts, *plain) {
                        Ok(plain) => plain,
                        Err(_) => return,
                    },
                };
                assert!(plain.len() as u64 <= CHUNK);
                let chunk = (chunk_hash(&plain), plain.len() as u64);
                self.written.entry(*entry).or_default().insert(*index, chunk);
            }
            Job::Commit(batch) => {
                for commit in batch {
                    let EntryKind::File { size, .. } = commit.item.kind else { panic!("{:?}", commit.item) };
                    let written = self.written.remove(&commit.entry).unwrap_or_default();
                    assert!(written.keys().copied().eq(0..chunk_count(size) as u32), "no chunk is missing");
                    assert_eq!(written.values().map(|(_, bytes)| bytes).sum::<u64>(), size);
                    let mut digest =
                        if commit.entry == 0 { EntryDigest::of_stream() } else { EntryDigest::new(size) };
                    written.values().for_each(|(hash, _)| digest.push(hash));
                    let digest = if commit.entry == 0 { digest.finish_stream(size) } else { digest.finish() };
                    assert_eq!(digest, commit.digest, "what is named is what was proven");
                    assert_eq!(size, sizes[commit.entry as usize]);
                    self.named.push(commit.entry);
                }
            }
            _ => (),
        }
    }
}

/// Plays one session. Whether it was without a mistake, and what was named.
fn play(seed: u64) -> (bool, Vec<u32>, Victim) {
    let mut rng = Rng::new(seed);
    let sizes: [u64; 4] = std::array::from_fn(|_| rng.one_of(&SIZES));
    let mut victim = Victim::new();
    victim.idle = true;
    // It is not counted here.
    victim.held = u64::MAX / 2;
    let name = RelPath::parse("stdin").unwrap();
    let stream = OfferItem { name: name.clone(), folder: false, size: OfferItem::UNKNOWN_SIZE };
    let others =
        (1..4).map(|it| OfferItem { name: RelPath::parse(&it.to_string()).unwrap(), folder: false, size: 1 });
    let items = [stream].into_iter().chain(others).collect();
    victim.hear(&PeerMessage::Offer(Offer { items, more: 0, totals: Totals::default() }));
    victim.yes();
    let mut entries = vec![Entry { path: name, kind: EntryKind::Stream { mtime: Mtime::default() } }];
    entries.extend((1..4).map(|it| file(&it.to_string(), sizes[it])));
    let mut ledger = Ledger::default();
    let mut held_back = [0; 4];
    // Of one file the beginning seems to be here, and is.
    if rng.once_in(2) {
        held_back[3] = 1;
        let plain = content(3, 0, sizes[3]);
        let hash = chunk_hash(&plain);
        let plan = Plan::Here { chunks: 1, otherwise: Otherwise::Fetch };
        victim.here.insert(3, Here { plan, hashes: vec![Some(hash)] });
        ledger.written.entry(3).or_default().insert(0, (hash, plain.len() as u64));
    }
    victim.announce(0, &entries);
    victim.hear(&PeerMessage::End { entries: 4, skipped: 0 });

    let (mut bulk, mut proofs) = (Said::new(), Said::new());
    for entry in 0..4 {
        let at = entry as usize;
        let (more, more_proofs) = said_of(entry, sizes[at], held_back[at], &mut rng);
        bulk.extend(more);
        proofs.extend(more_proofs);
    }
    let mistakes = rng.below(3);
    let every = ((bulk.len() + proofs.len()) as u64 * 2 / mistakes.max(1)).max(1);
    let mut honest = true;
    let planned = victim.jobs.pop_front().and_then(|it| victim.perform(it)).expect("a plan");
    victim.give(Input::Disk(planned));
    while victim.result.is_none() && !(bulk.is_empty() && proofs.is_empty() && victim.jobs.is_empty()) {
        if rng.once_in(3) || (bulk.is_empty() && proofs.is_empty()) {
            if let Some(job) = victim.jobs.pop_front() {
                ledger.note(&job, &sizes);
                if let Some(done) = victim.perform(job) {
                    victim.give(Input::Disk(done));
                }
            }
            continue;
        }
        let from = if rng.once_in(2) { &mut bulk } else { &mut proofs };
        let mut next = from.pop_front();
        if mistakes > 0 && rng.once_in(every) {
            honest = false;
            match rng.below(4) {
                0 => next = None,
                1 => from.extend(next.clone()),
                2 => from.extend(next.take()),
                _ => from.push_front(stray(&mut rng)),
            }
        }
        if let Some((channel, frame)) = next {
            victim.give(Input::Frame(channel, frame));
        }
        let waiting = victim.jobs.iter().map(|it| match it {
            Job::Write { parts, .. } => parts.iter().map(|it| it.len() as u64).sum(),
            _ => 0,
        });
        assert!(waiting.sum::<u64>() <= u64::from(DEFAULT_WINDOW_BYTES));
    }
    (honest, ledger.named, victim)
}

#[test]
fn mistakes_at_random_give_no_name_to_anything_else() {
    let (mut whole, mut failed) = (0, 0);
    for seed in 0..60 {
        let (honest, mut named, victim) = play(seed);
        named.sort_unstable();
        if honest {
            assert_eq!((victim.result, named), (None, vec![0, 1, 2, 3]), "seed {seed}");
            whole += 1;
        } else {
            failed += u32::from(matches!(victim.result, Some(Err(_))));
        }
    }
    assert!(whole > 5 && failed > 10, "{whole} without a mistake, {failed} that failed");
}

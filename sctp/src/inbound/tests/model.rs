//! Random messages over a random path, against what was sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::inbound::tests::{Begin, End, FIRST, Middle, ROOM, Receiver, Whole, chunk};
use crate::wire::Data;

const STREAMS: u16 = 4;

/// Chunks of messages, and the messages of each stream: ordered ones first.
type Sent = (Vec<Data>, BTreeMap<u16, [Vec<Vec<u8>>; 2]>);

fn messages(random: &mut StdRng) -> Sent {
    let (mut chunks, mut sent) = (Vec::new(), BTreeMap::<u16, [Vec<Vec<u8>>; 2]>::new());
    for message in 0..40_u32 {
        let stream = random.random_range(0..STREAMS);
        let unordered = random.random_bool(0.3);
        let fragments: u32 = random.random_range(1..12);
        let messages = &mut sent.entry(stream).or_default()[usize::from(unordered)];
        let ssn = if unordered { 0 } else { messages.len() as u16 };
        let mut whole = Vec::new();
        for fragment in 0..fragments {
            let part = match fragment {
                0 if fragments == 1 => Whole,
                0 => Begin,
                _ if fragment + 1 == fragments => End,
                _ => Middle,
            };
            let mut payload = vec![message as u8; random.random_range(4..40)];
            payload[..4].copy_from_slice(&(message << 8 | fragment).to_be_bytes());
            whole.extend_from_slice(&payload);
            chunks.push(Data { unordered, ..chunk(chunks.len() as u32, stream, ssn, part, &payload) });
        }
        messages.push(whole);
    }
    (chunks, sent)
}

/// The next chunk that the path brings: any of a few, lost sometimes, twice sometimes.
fn next(random: &mut StdRng, waiting: &mut VecDeque<Data>) -> Option<Data> {
    let index = random.random_range(0..waiting.len().min(10));
    match random.random_range(0..10) {
        0 => {
            let lost = waiting.remove(index)?;
            waiting.push_back(lost);
            None
        }
        1 => waiting.get(index).cloned(),
        _ => waiting.remove(index),
    }
}

#[test]
fn every_message_comes_out_once_whatever_the_path_does() {
    for seed in 0..50 {
        let random = &mut StdRng::seed_from_u64(seed);
        let (chunks, sent) = messages(random);
        let mut receiver = Receiver::new();
        let mut arrived = BTreeSet::new();
        let mut read = BTreeMap::<u16, Vec<Vec<u8>>>::new();
        let mut waiting: VecDeque<Data> = chunks.iter().cloned().collect();
        while !waiting.is_empty() {
            let Some(data) = next(random, &mut waiting) else { continue };
            arrived.insert(data.tsn.wrapping_sub(FIRST));
            receiver.packet([data]);

            let missing = (0..).find(|number| !arrived.contains(number)).expect("not all numbers arrived");
            assert_eq!(receiver.inbound.cumulative_tsn(), FIRST.wrapping_add(missing).wrapping_sub(1));
            let gaps = receiver.gaps(ROOM).into_iter().flat_map(|(start, end)| start..=end);
            assert!(gaps.eq(arrived.iter().copied().filter(|&number| number > missing)), "seed {seed}");
            while let Some(stream) = receiver.inbound.poll_readable() {
                read.entry(stream).or_default().extend(receiver.read(stream));
            }
        }
        for (stream, [ordered, unordered]) in sent {
            let (got_unordered, got_ordered): (Vec<_>, Vec<_>) =
                read.remove(&stream).unwrap_or_default().into_iter().partition(|got| unordered.contains(got));
            assert_eq!(got_ordered, ordered, "seed {seed}: in order, once");
            let got: BTreeSet<_> = got_unordered.iter().collect();
            assert_eq!((got.len(), got_unordered.len()), (unordered.len(), unordered.len()), "seed {seed}");
        }
        assert!(read.values().all(Vec::is_empty), "seed {seed}");
        assert_eq!(receiver.inbound.kept(), 0, "seed {seed}: all was read");
    }
}

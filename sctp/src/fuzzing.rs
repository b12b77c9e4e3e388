//! What the fuzzer runs, kept inside the package so that it is built and tried by every `cargo test`.

mod forging;
mod operations;

use bytes::Bytes;

use crate::wire::{Checksum, Chunk, Packet, Writer, golden};

pub use crate::fuzzing::operations::operations;

/// Longest datagram that UDP over IPv4 carries, in bytes (RFC 768, RFC 791): 65,535 less both headers.
const MAX_DATAGRAM: usize = 65_507;

/// Packets to begin with, each with a name.
pub fn packet_seeds() -> Vec<(&'static str, Vec<u8>)> {
    golden::seeds()
}

/// Parses a datagram, writes what was understood, and parses that again.
///
/// # Panics
/// If the second parse does not give what the first one gave, or a parsed value breaks its type's promise.
pub fn packet(bytes: &[u8]) {
    if bytes.len() > MAX_DATAGRAM {
        return;
    }
    let _ = Packet::parse(Bytes::copy_from_slice(bytes), false);
    // A checksum would be guessed once in four thousand million times, so it is taken out of the way.
    let mut exempt = bytes.to_vec();
    if let Some(checksum) = exempt.get_mut(8..12) {
        checksum.fill(0);
    }
    let Ok(packet) = Packet::parse(Bytes::from(exempt), true) else { return };
    let chunks: Vec<Chunk> = packet.chunks().map_while(Result::ok).collect();
    chunks.iter().for_each(keeps_its_promise);
    if chunks.is_empty() {
        return;
    }

    let mut writer = Writer::new(packet.header, bytes.len());
    chunks.iter().for_each(|chunk| writer.push(chunk));
    let again = Packet::parse(writer.finish(Checksum::Crc32c), false).expect("what we write is a packet");
    assert_eq!(again.header, packet.header);
    let reparsed: Vec<Chunk> = again.chunks().collect::<Result<_, _>>().expect("what we write are chunks");
    assert_eq!(reparsed, chunks);
}

/// What those who take a parsed chunk rely on.
fn keeps_its_promise(chunk: &Chunk) {
    match chunk {
        Chunk::Data(data) => assert!(!data.payload.is_empty()),
        Chunk::Init(init) => assert!(init.tag != 0 && init.cookie.is_none()),
        Chunk::InitAck(init) => assert!(init.tag != 0 && init.cookie.is_some()),
        Chunk::Sack(sack) => {
            assert!(sack.gaps.iter().all(|gap| 1 <= gap.start && gap.start <= gap.end));
            let pairs = sack.gaps.iter().zip(sack.gaps.iter().skip(1));
            assert!(pairs.into_iter().all(|(gap, next)| u32::from(next.start) > u32::from(gap.end) + 1));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Mutated seeds tried by every `cargo test`; the fuzzer itself runs by hand (`fuzz/README.md`).
    const ROUNDS: usize = 20_000;

    /// One small damage: what a fuzzer does, without its patience.
    fn damage(random: &mut StdRng, bytes: &mut Vec<u8>) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes.truncate(at.max(1)),
            3 => bytes.insert(at, random.random()),
            _ => {
                let piece: Vec<u8> = bytes[at..].to_vec();
                let to = random.random_range(0..bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }

    #[test]
    fn damaged_packets_are_refused_or_mean_what_they_are_written_as() {
        let seeds = packet_seeds();
        let mut random = StdRng::seed_from_u64(9_260);
        for _ in 0..ROUNDS {
            let (_, mut bytes) = seeds[random.random_range(0..seeds.len())].clone();
            for _ in 0..random.random_range(1..5) {
                damage(&mut random, &mut bytes);
            }
            packet(&bytes);
        }
    }

    #[test]
    fn the_seeds_are_packets_that_are_understood_whole() {
        for (name, bytes) in packet_seeds() {
            packet(&bytes);
            let parsed = Packet::parse(bytes.into(), true).expect(name);
            assert!(parsed.chunks().all(|chunk| chunk.is_ok()), "{name}");
        }
    }
}

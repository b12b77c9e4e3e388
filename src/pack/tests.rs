//! What goes in comes out, and nothing else does.

use bytes::Bytes;

use crate::pack::{Effort, Packer, Unpackable, Unpacker};
use crate::wire::CHUNK_BYTES;

const CHUNK: usize = CHUNK_BYTES as usize;

/// Numbers that seem random: xorshift (Marsaglia, 2003).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// Something of which about as much is repeated as the numbers want.
    fn text(&mut self, count: usize) -> Vec<u8> {
        let kinds = 1 + self.below(40) as u8;
        let mut text: Vec<u8> = Vec::with_capacity(count);
        while text.len() < count {
            let some = 1 + self.below(60);
            let from = self.below(text.len() + 1);
            match text.get(from..from + some).map(<[u8]>::to_vec) {
                Some(again) => text.extend(again),
                None => text.extend((0..some).map(|_| self.next() as u8 % kinds)),
            }
        }
        text.truncate(count);
        text
    }
}

/// In parts as a network may bring them.
fn parts(frame: &[u8], numbers: &mut Numbers) -> Vec<Bytes> {
    let frame = Bytes::copy_from_slice(frame);
    let mut parts = Vec::new();
    let mut begin = 0;
    while begin < frame.len() {
        let end = frame.len().min(begin + 1 + numbers.below(frame.len()));
        parts.push(frame.slice(begin..end));
        begin = end;
    }
    parts
}

#[test]
fn any_bytes_in_any_parts_come_out_as_they_went_in() {
    let mut numbers = Numbers(7);
    let (mut packer, mut unpacker) = (Packer::new(), Unpacker::new());
    let mut packed_some = 0;
    for round in 0..60 {
        let size = match round {
            0..6 => [1, 2, CHUNK, CHUNK - 1, 512, 65_536][round],
            _ => 1 + numbers.below(CHUNK),
        };
        let plain = if round % 7 == 3 { numbers.bytes(size) } else { numbers.text(size) };
        for effort in [Effort::Quick, Effort::Thorough] {
            let Some(frame) = packer.pack(&plain, effort).map(<[u8]>::to_vec) else { continue };
            packed_some += 1;
            assert!(frame.len() < plain.len());
            let out = unpacker.unpack(&parts(&frame, &mut numbers), size as u32).unwrap();
            assert_eq!(out, plain, "{size} bytes");
            unpacker.reclaim(out);
        }
    }
    assert!(packed_some > 60, "only {packed_some}");
}

#[test]
fn what_does_not_get_shorter_is_not_packed() {
    let random = Numbers(1).bytes(CHUNK);
    let mut packer = Packer::new();
    assert!(!packer.seems_to_pay(&random));
    assert_eq!(packer.pack(&random, Effort::Quick), None);
    assert_eq!(packer.pack(&random, Effort::Thorough), None);
    assert_eq!(packer.pack(b"x", Effort::Quick), None);
    let text = Numbers(1).text(CHUNK);
    assert!(packer.seems_to_pay(&text));
    assert!(packer.pack(&text, Effort::Quick).is_some());
}

fn frame(plain: &[u8]) -> Vec<u8> {
    Packer::new().pack(plain, Effort::Quick).unwrap().to_vec()
}

fn unpack(frame: &[u8], plain: usize) -> Result<Bytes, Unpackable> {
    Unpacker::new().unpack(&[Bytes::copy_from_slice(frame)], plain as u32)
}

#[test]
fn a_frame_that_is_cut_or_has_something_behind_it_is_refused() {
    let plain = Numbers(3).text(100_000);
    let whole = frame(&plain);
    assert_eq!(unpack(&whole, plain.len()).unwrap(), plain);
    for length in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        assert!(unpack(&whole[..length], plain.len()).is_err(), "{length} bytes of it");
    }
    for more in [&b"\0"[..], &whole, b"\x50\x2a\x4d\x18\0\0\0\0"] {
        let behind = [&whole[..], more].concat();
        assert_eq!(unpack(&behind, plain.len()), Err(Unpackable::Length));
    }
}

#[test]
fn a_size_that_is_not_the_frames_own_is_refused() {
    let plain = vec![5; 70_000];
    let whole = frame(&plain);
    for said in [1, plain.len() - 1, plain.len() + 1, CHUNK] {
        assert_eq!(unpack(&whole, said), Err(Unpackable::Size));
    }
    assert_eq!(unpack(&whole, CHUNK + 1), Err(Unpackable::Kind));
}

/// A frame as one writes it by hand: one segment, `said` bytes by its head, and blocks of one byte repeated.
fn bomb(said: u32, blocks: &[(u32, bool)]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
    frame.extend_from_slice(&said.to_le_bytes());
    for (size, last) in blocks {
        let head = size << 3 | 1 << 1 | u32::from(*last);
        frame.extend_from_slice(&head.to_le_bytes()[..3]);
        frame.push(7);
    }
    frame
}

/// RFC 8878 §3.1.1.2.2: a block of four bytes can stand for 128 KiB.
#[test]
fn a_bomb_bursts_within_what_it_said() {
    const BLOCK: u32 = 128 << 10;
    let honest: Vec<_> = (0..8).map(|it| (BLOCK, it == 7)).collect();
    assert_eq!(unpack(&bomb(CHUNK_BYTES, &honest), CHUNK).unwrap(), vec![7; CHUNK]);
    let large: Vec<_> = (0..1000).map(|it| (BLOCK, it == 999)).collect();
    assert_eq!(unpack(&bomb(CHUNK_BYTES, &large), CHUNK), Err(Unpackable::Content), "more than it says");
    assert_eq!(unpack(&bomb(1000 * BLOCK, &large), CHUNK), Err(Unpackable::Size), "more than a chunk");
    assert_eq!(unpack(&bomb(100, &[(99, true)]), 100), Err(Unpackable::Content), "less than it says");
    assert_eq!(unpack(&bomb(100, &[(100, false)]), 100), Err(Unpackable::Length), "no last block");
}

#[test]
fn other_kinds_of_frames_are_refused() {
    let good = bomb(100, &[(100, true)]);
    assert!(unpack(&good, 100).is_ok());
    let skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd";
    assert_eq!(unpack(skippable, 4), Err(Unpackable::Kind));
    for (bit, what) in
        [(0, "a dictionary"), (1, "a dictionary"), (2, "a checksum"), (3, "a reserved bit"), (5, "a window")]
    {
        let mut other = good.clone();
        other[4] ^= 1 << bit;
        assert_eq!(unpack(&other, 100), Err(Unpackable::Kind), "{what}");
    }
    assert_eq!(Unpacker::new().unpack(&[], 5), Err(Unpackable::Kind));
}

#[test]
fn a_changed_bit_changes_nothing_but_what_comes_out() {
    let plain = Numbers(9).text(20_000);
    let whole = frame(&plain);
    let mut unpacker = Unpacker::new();
    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(out) = unpacker.unpack(&[changed.into()], 20_000) {
            assert_eq!(out.len(), 20_000);
        }
    }
    assert_eq!(unpacker.unpack(&[whole.into()], 20_000).unwrap(), plain, "and the next one unpacks");
}

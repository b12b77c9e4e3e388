//! Lines and packers of many speeds, made up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::session::sender::packing::{Compress, Effort, MOST_UNDER_WAY, Pack, Packing};

const CHUNK: u64 = 1 << 20;

/// Chunks of the window.
const WINDOW: usize = 16;

/// A machine that reads, packs and sends, and the line that it sends over.
struct World {
    /// Bytes a second that the line takes.
    line: f64,
    /// Bytes a second that are read and hashed, and that are packed quickly; thorough packing takes five times as long.
    read: f64,
    pack: f64,
    /// How much is left of a packed chunk.
    ratio: f64,
}

/// How a transfer went.
struct Ran {
    /// Plain bytes a second.
    rate: f64,
    /// Share of chunks that were packed, and thoroughly packed.
    packed: f64,
    thorough: f64,
    last: Pack,
}

impl World {
    /// So many chunks, with a window of sixteen.
    fn run(&self, packing: &mut Packing, chunks: usize) -> Ran {
        let begun = Instant::now();
        let (mut reader_free, mut line_free) = (0.0_f64, 0.0_f64);
        let mut under_way: VecDeque<(f64, u64)> = VecDeque::new();
        let (mut sent, mut packed, mut thorough, mut last) = (0, 0, 0, Pack::No);
        for _ in 0..chunks {
            let mut now = reader_free;
            while let Some(&(at, received)) = under_way.front().filter(|(at, _)| *at <= now) {
                packing.received(begun + Duration::from_secs_f64(at), received);
                under_way.pop_front();
            }
            if under_way.len() >= WINDOW
                && let Some((at, received)) = under_way.pop_front()
            {
                now = at;
                packing.received(begun + Duration::from_secs_f64(at), received);
            }
            let pack = packing.next();
            let slower = match pack {
                Pack::No => 0.0,
                Pack::IfItPays(Effort::Quick) | Pack::Yes(Effort::Quick) => 1.0,
                Pack::IfItPays(Effort::Thorough) | Pack::Yes(Effort::Thorough) => 5.0,
            };
            packed += usize::from(slower > 0.0);
            thorough += usize::from(slower > 1.0);
            last = pack;
            let spent = CHUNK as f64 / self.read + slower * CHUNK as f64 / self.pack;
            let wire = if slower > 0.0 { CHUNK as f64 * self.ratio } else { CHUNK as f64 };
            reader_free = now + spent;
            sent += CHUNK;
            let at = begun + Duration::from_secs_f64(reader_free);
            packing.read(at, pack, (CHUNK, wire as u64, sent), Duration::from_secs_f64(spent));
            line_free = line_free.max(reader_free) + wire / self.line;
            under_way.push_back((line_free, sent));
        }
        let share = |count: usize| count as f64 / chunks as f64;
        let rate = sent as f64 / line_free;
        Ran { rate, packed: share(packed), thorough: share(thorough), last }
    }
}

fn auto() -> Packing {
    Packing::new(Compress::Auto, false)
}

/// Text on a machine with a core to spare for packing: a quarter is left of it.
fn text(line: f64) -> World {
    World { line, read: 1e9, pack: 300e6, ratio: 0.25 }
}

#[test]
fn a_slow_line_gets_packed_chunks_and_thorough_ones() {
    let ran = text(6.25e6).run(&mut auto(), 400);
    assert!(ran.packed > 0.99 && ran.thorough > 0.8, "{} {}", ran.packed, ran.thorough);
    assert!(ran.rate > 3.9 * 6.25e6, "{}", ran.rate);
    assert_eq!(ran.last, Pack::IfItPays(Effort::Thorough));
}

#[test]
fn a_line_that_packing_can_outrun_gets_packed_chunks() {
    for line in [25e6, 50e6, 110e6] {
        let ran = text(line).run(&mut auto(), 2000);
        let best = (4.0 * line).min(1.0 / (1.0 / 1e9 + 1.0 / 300e6));
        assert!(ran.rate > 0.85 * best, "{} of {best} over {line}", ran.rate);
    }
}

#[test]
fn a_line_faster_than_packing_gets_plain_chunks() {
    for line in [350e6, 600e6, 2e9] {
        let mut packing = auto();
        let ran = text(line).run(&mut packing, 1000);
        assert!(ran.packed < 0.1, "{} of the chunks are packed over {line}", ran.packed);
        assert!(ran.rate > 0.95 * line.min(1e9), "{} over {line}", ran.rate);
    }
}

#[test]
fn on_one_machine_nothing_is_packed() {
    let ran = text(600e6).run(&mut Packing::new(Compress::Auto, true), 1000);
    assert!(ran.packed < f64::EPSILON, "{}", ran.packed);
}

#[test]
fn a_line_that_becomes_slow_gets_packed_chunks() {
    let mut packing = auto();
    text(600e6).run(&mut packing, 1000);
    assert_eq!(packing.next(), Pack::No);
    // Another life of the same line; its bytes are counted from where they were.
    let mut slow = Packing { line: Default::default(), ..packing };
    let ran = text(10e6).run(&mut slow, 400);
    assert!(ran.packed > 0.8, "{}", ran.packed);
}

/// Packing that is slower than the slow line itself: thoroughness is given up, then packing.
#[test]
fn a_slow_machine_is_not_held_up() {
    let world = World { line: 60e6, read: 200e6, pack: 40e6, ratio: 0.5 };
    let ran = world.run(&mut auto(), 1000);
    assert!(ran.rate > 0.9 * 60e6, "{}", ran.rate);
    let world = World { line: 5e6, read: 200e6, pack: 40e6, ratio: 0.25 };
    let ran = world.run(&mut auto(), 300);
    assert!(ran.rate > 15e6, "{}", ran.rate);
}

#[test]
fn a_wish_is_a_wish() {
    let mut never = Packing::new(Compress::Never, false);
    assert!(text(1e6).run(&mut never, 50).packed < f64::EPSILON);
    let mut always = Packing::new(Compress::Always, true);
    let ran = text(2e9).run(&mut always, 500);
    assert!((ran.packed - 1.0).abs() < f64::EPSILON);
    assert_eq!(ran.last, Pack::Yes(Effort::Quick));
    assert!(text(1e6).run(&mut Packing::none(), 50).packed < f64::EPSILON);
}

/// Memory does not depend on the number of files: neither of empty ones, which nobody acknowledges, nor with a receiver that
/// acknowledges none.
#[test]
fn of_a_million_small_files_few_are_remembered() {
    let mut packing = Packing::new(Compress::Auto, false);
    let now = Instant::now();
    for bytes in [0, 1] {
        for file in 0..1_000_000 {
            packing.read(now, Pack::No, (bytes, bytes, file * bytes), Duration::ZERO);
        }
        assert!(packing.line.under_way.len() <= MOST_UNDER_WAY);
    }
    let wire: u64 = packing.line.under_way.iter().map(|(_, wire)| wire).sum();
    assert_eq!(wire, 1_000_000, "none is forgotten");
}

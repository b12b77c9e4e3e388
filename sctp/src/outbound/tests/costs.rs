//! What acknowledging costs, counted in looks at chunks.

use std::time::{Duration, Instant};

use crate::outbound::tests::{FIRST, MS, Random, flush, message, sender};
use crate::wire::{GapBlock, Sack};

/// Every SACK of a bad line repeats hundreds of gap blocks. What is done for a chunk depends neither on how many are
/// outstanding nor on how many SACKs speak of it.
#[test]
fn a_chunk_costs_the_same_however_long_the_sacks_are() {
    const CHUNKS: u64 = 60_000;
    const BLOCKS: u64 = 300;
    let mut now = Instant::now();
    let (mut sender, _) = sender(usize::MAX / 2);
    sender.establish(now, u32::MAX, true);
    sender.write(0, message(CHUNKS as usize * 100));
    sender.set_packet_size(128);
    let mut sent = flush(&mut sender, now).len() as u64;
    assert_eq!(sent, CHUNKS);
    let mut random = Random(1);
    let mut gaps: Vec<GapBlock> = Vec::new();
    // Every third chunk is missing at first. Blocks become longer step by step, and each SACK tells the last 300 of them.
    let mut sacks = 0;
    for first in (1..CHUNKS - 10).step_by(3) {
        let start = first as u16 + 1;
        gaps.push(GapBlock { start, end: start + 1 });
        if !random.percent(20) {
            continue;
        }
        now += MS;
        sacks += 1;
        let told = gaps[gaps.len().saturating_sub(BLOCKS as usize)..].to_vec();
        let sack = Sack {
            cumulative_tsn: FIRST.wrapping_sub(1),
            window: u32::MAX,
            gaps: told,
            duplicates: Vec::new(),
        };
        sender.handle_sack(now, &sack).unwrap();
        sent += flush(&mut sender, now).len() as u64;
    }
    assert!(sent > CHUNKS * 5 / 4, "{sent}");
    // Each transmission is looked at when it leaves the log, and once more for a SACK that finds nothing to do.
    let looks = sender.loss.looks;
    assert!(looks <= sent + 2 * sacks, "{looks} looks for {sent} transmissions and {sacks} SACKs");
    now += Duration::from_secs(1);
    let cumulative_tsn = FIRST.wrapping_add(CHUNKS as u32 - 1);
    let sack = Sack { cumulative_tsn, window: u32::MAX, ..Sack::default() };
    sender.handle_sack(now, &sack).unwrap();
    assert!(sender.is_idle());
}

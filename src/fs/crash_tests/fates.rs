//! Which of the pending changes a crash keeps: all subsets where they are few, else the extremes and a
//! sample that depends on nothing but its seed.

use crate::fs::crash_tests::disk::Moment;
use crate::fs::crash_tests::image::{Change, Fate, Image};

/// What stood on a disk before: bytes that no test writes.
const STALE: u8 = 0xdb;

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// The disks that a crash at `moment` leaves: about `most` where there are more; the worst for 1.
pub(crate) fn crashes(moment: &Moment, most: usize, random: &mut Random) -> Vec<Image> {
    let count = moment.pending.len();
    let uniform = |kept: bool| vec![if kept { Fate::Kept } else { Fate::Lost }; count];
    let mut choices = Vec::new();
    if count < 16 && 1 << count <= most {
        for mask in 0..1_u32 << count {
            let fate = |at| if mask >> at & 1 == 1 { Fate::Kept } else { Fate::Lost };
            choices.push((0..count).map(fate).collect());
        }
    } else if most == 1 {
        choices.push(uniform(false));
    } else {
        choices.extend([uniform(false), uniform(true)]);
        let mut singles = Vec::new();
        for at in 0..count {
            for kept in [false, true] {
                let mut fates = uniform(!kept);
                fates[at] = if kept { Fate::Kept } else { Fate::Lost };
                singles.push(fates);
            }
            singles.push((0..count).map(|it| if it < at { Fate::Kept } else { Fate::Lost }).collect());
        }
        choices.extend(some(singles, most / 2, random));
    }
    let mut torn = Vec::new();
    for at in (0..count).filter(|&at| is_bytes(&moment.pending[at])) {
        for kept in [false, true] {
            let mut fates = uniform(kept);
            fates[at] = Fate::Torn(random.next());
            torn.push(fates);
        }
    }
    choices.extend(some(torn, most / 4, random));
    while choices.len() < most && 1 << count.min(16) > most {
        let often = 2 + random.next() % 6;
        let mut fate = |change| match random.next() % 8 {
            0 if is_bytes(change) => Fate::Torn(random.next()),
            it if it < often => Fate::Kept,
            _ => Fate::Lost,
        };
        choices.push(moment.pending.iter().map(|change| fate(change)).collect());
    }
    let image = |fates: Vec<Fate>| {
        let filler = if random.next().is_multiple_of(2) { 0 } else { STALE };
        let pending = moment.pending.iter().map(|change| &**change);
        moment.sure.after_crash(pending.zip(fates), filler)
    };
    choices.into_iter().map(image).collect()
}

/// At most `most` of them.
fn some<T>(mut all: Vec<T>, most: usize, random: &mut Random) -> Vec<T> {
    while all.len() > most {
        let at = random.next() as usize % all.len();
        all.swap_remove(at);
    }
    all
}

fn is_bytes(change: &Change) -> bool {
    matches!(change, Change::Bytes { .. })
}

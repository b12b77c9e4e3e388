//! Crashing a transfer everywhere, and letting every call of it fail.

use std::collections::HashSet;
use std::time::Instant;

use rustix::io::Errno;

use crate::fs::DiskFault;
use crate::fs::crash_tests::disk::{Disk, Fault, Moment};
use crate::fs::crash_tests::fates::{Random, crashes};
use crate::fs::crash_tests::image::Image;
use crate::fs::crash_tests::transfer::Transfer;
use crate::fs::crash_tests::verdict::{judge, judge_folder_times, recover, stages};

/// How many crashes are tried at each step, about, where there are more: as many as the test says, times
/// this.
fn effort() -> usize {
    std::env::var("P2PCP_CRASH_EFFORT").ok().and_then(|it| it.parse().ok()).unwrap_or(1)
}

/// What a scenario came to.
#[derive(Debug, Default)]
pub(crate) struct Count {
    steps: usize,
    states: usize,
    pub distinct: usize,
    /// Disks on which the next run left a stage that it could not use.
    littered: usize,
    pub chunks_here: usize,
    chunks_written: usize,
}

/// Runs a transfer, crashes it everywhere in about `most` ways a step, and judges what is left; every
/// `again`-th disk is run on, crashed everywhere and judged once more.
pub(crate) fn crash_everywhere(name: &str, transfer: &Transfer, most: usize, again: Option<usize>) -> Count {
    let began = Instant::now();
    let count = explore(transfer, most * effort(), again).unwrap_or_else(|why| panic!("{name}: {why}"));
    eprintln!("{name}: {count:?} in {:?}", began.elapsed());
    count
}

pub(crate) fn explore(transfer: &Transfer, most: usize, again: Option<usize>) -> Result<Count, String> {
    let mut count = Count::default();
    let disk = Disk::new(transfer.start());
    transfer.run(&disk, 1).unwrap();
    Exploration { transfer, most, again, depth: 1 }.explore(&disk, &mut count)?;
    Ok(count)
}

/// How the moments of a run are looked at.
#[derive(Debug, Clone, Copy)]
struct Exploration<'a> {
    transfer: &'a Transfer,
    most: usize,
    again: Option<usize>,
    /// The number of the run.
    depth: u8,
}

impl Exploration<'_> {
    fn explore(self, disk: &Disk, count: &mut Count) -> Result<(), String> {
        let (mut random, mut seen) = (Random(0), HashSet::new());
        for (step, moment) in disk.moments().iter().enumerate() {
            count.steps += 1;
            for image in crashes(moment, self.most, &mut random) {
                count.states += 1;
                if !seen.insert((image.fingerprint(), moment.promises.len())) {
                    continue;
                }
                count.distinct += 1;
                let next = self.look(moment, &image, count).map_err(|why| {
                    let pending = &moment.pending;
                    format!("step {step}: {why}\nleft:\n{image:?}pending: {pending:#?}")
                })?;
                if self.again.is_some_and(|again| seen.len().is_multiple_of(again)) {
                    let deeper = Self { most: 6, again: None, depth: self.depth + 1, ..self };
                    deeper.explore(&next, count)?;
                }
            }
        }
        Ok(())
    }

    /// Judges a disk, and the run that goes on from there.
    fn look(self, moment: &Moment, image: &Image, count: &mut Count) -> Result<Disk, String> {
        judge(self.transfer, image, &moment.promises)?;
        if self.depth == 1 {
            judge_folder_times(self.transfer, image, &moment.promises)?;
        }
        let next = Disk::after(image.clone(), moment.promises.clone());
        let report = recover(self.transfer, &next, self.depth + 1, &moment.promises)?;
        count.chunks_here += report.here.len();
        count.chunks_written += report.written;
        count.littered += usize::from(stages(&next.live()) > 0);
        Ok(next)
    }
}

/// Runs a transfer and crashes it everywhere; then the sender's files are those of `changed`, which take the
/// place of others. Every `again`-th of those runs is crashed everywhere too.
pub(crate) fn change_everywhere(name: &str, first: &Transfer, changed: &Transfer, most: usize, again: usize) {
    let began = Instant::now();
    let (mut random, mut seen, mut count) = (Random(0), HashSet::new(), Count::default());
    let disk = Disk::new(first.start());
    first.run(&disk, 1).unwrap();
    for moment in disk.moments() {
        for image in crashes(&moment, most * effort(), &mut random) {
            if !seen.insert(image.fingerprint()) {
                continue;
            }
            // What has its name by now is what is replaced.
            let there = first.items.iter().filter(|it| image.find(it.path()).is_some());
            let changed = Transfer { before: there.cloned().collect(), ..changed.clone() };
            let deeper = Exploration { transfer: &changed, most: 6, again: None, depth: 2 };
            let blank = Moment { promises: Vec::new(), ..moment.clone() };
            let looked = deeper.look(&blank, &image, &mut count).and_then(|next| {
                for moment in next.moments() {
                    judge(&changed, &moment.with_all(), &moment.promises)?;
                }
                let is_turn = seen.len().is_multiple_of(again);
                let again = Exploration { depth: 3, ..deeper };
                if is_turn { again.explore(&next, &mut count) } else { Ok(()) }
            });
            looked.unwrap_or_else(|why| panic!("{name}: {why}\nthe first crash left:\n{image:?}"));
        }
    }
    eprintln!("{name}: {} disks, then {count:?} in {:?}", seen.len(), began.elapsed());
}

/// Lets each call in turn fail with `errno` (and all later ones, if `lasting`), ends the program, and runs it
/// again on the same system, where what was not synced is still to be seen.
pub(crate) fn fail_everywhere(name: &str, transfer: &Transfer, errno: Errno, lasting: bool) {
    let began = Instant::now();
    let clean = Disk::new(transfer.start());
    transfer.run(&clean, 1).unwrap();
    let (mut random, mut failed) = (Random(errno.raw_os_error() as u64), 0);
    for at in 0..clean.calls() {
        let disk = Disk::new(transfer.start());
        disk.fail(Fault { at, errno, lasting });
        let ended = transfer.run(&disk, 1);
        if !disk.has_failed() {
            continue;
        }
        failed += 1;
        let fail = |why: String| -> ! { panic!("{name}, {errno:?} at call {at} ({ended:?}): {why}") };
        match &ended {
            Err(fault) if is_named_right(fault, errno) => (),
            Ok(report) if report.outcomes.len() == transfer.items.len() => (),
            Err(_) | Ok(_) => fail("not what the system said".to_owned()),
        }
        let moment = disk.moments().pop().unwrap();
        for image in crashes(&moment, 6, &mut random).into_iter().chain([disk.live()]) {
            judge(transfer, &image, &moment.promises).unwrap_or_else(|why| fail(why));
        }
        disk.heal();
        recover(transfer, &disk, 2, &moment.promises).unwrap_or_else(|why| fail(why));
    }
    eprintln!("{name}: {failed} calls failed with {} in {:?}", errno.raw_os_error(), began.elapsed());
}

fn is_named_right(fault: &DiskFault, errno: Errno) -> bool {
    match fault {
        DiskFault::Full { .. } => errno == Errno::NOSPC,
        DiskFault::Quota { .. } => errno == Errno::DQUOT,
        DiskFault::Denied { .. } => errno == Errno::ACCESS,
        DiskFault::ReadOnly { .. } => errno == Errno::ROFS,
        DiskFault::Failed { code, .. } => *code == errno.raw_os_error(),
        _ => false,
    }
}

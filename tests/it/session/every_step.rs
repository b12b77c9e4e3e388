//! Small transfers, disturbed once at every point in turn.

use std::time::Duration;

use p2pcp::crypto::Role;
use p2pcp::wire::peer::{AbortReason, Outcome, SourceFault};

use crate::session::check;
use crate::session::conditions::{Conditions, Cut, Harm, Harmed, Stop};
use crate::session::pair::Ended;
use crate::session::tree::{Shape, Tree, Trouble};
use crate::support::rng::Rng;

/// A little of everything: files, an empty one, folders, a link, a name that is taken, a source that fails.
fn small() -> Tree {
    let rng = &mut Rng::new(1);
    let mut tree = Tree::grow(Shape::One(5), rng);
    tree.file("d/empty", 0, rng);
    tree.file("d/taken", 9, rng);
    tree.file("d/gone", 9, rng);
    tree.folder("d");
    tree.link("d/link", "empty");
    tree.items[2].refused = Some(Outcome::Exists);
    tree.items[3].trouble = Some(Trouble { chunk: 0, fault: SourceFault::Gone, rewritten: false });
    tree
}

/// Three chunks.
fn long() -> Tree {
    Tree::grow(Shape::One((2 << 20) + 3), &mut Rng::new(2))
}

/// Runs undisturbed, then disturbed at each point below the number that `points` reads off the first run.
pub fn disturb(points: impl Fn(&Ended) -> usize, disturb: impl Fn(&mut Conditions, usize)) {
    for (tree, every) in [(small(), 1), (long(), 3)] {
        for seed in 0..2 {
            let first = check(&tree, Conditions::fair(), Rng::new(seed));
            for point in (0..=points(&first)).step_by(every) {
                let mut conditions = Conditions::fair();
                disturb(&mut conditions, point);
                check(&tree, conditions, Rng::new(seed));
            }
        }
    }
}

#[test]
fn a_cancel_at_every_step() {
    for who in [Role::Sender, Role::Receiver] {
        disturb(|it| it.steps, |conditions, step| conditions.cancel = Some((step, who)));
    }
}

#[test]
fn a_lost_link_at_every_step() {
    for (first, gap) in [(Role::Sender, 0), (Role::Sender, 20), (Role::Receiver, 20)] {
        let gap = Duration::from_secs(gap);
        disturb(
            |it| it.steps,
            |conditions, step| conditions.cuts[0] = Some(Cut { step, first, gap, back: None }),
        );
    }
}

#[test]
fn a_death_at_every_step() {
    for who in [Role::Sender, Role::Receiver] {
        disturb(
            |it| it.steps,
            |conditions, step| {
                conditions.cancel = Some((step, who));
                conditions.vanish = true;
            },
        );
    }
}

#[test]
fn a_stop_at_every_step() {
    for (who, seconds) in [(Role::Sender, 400), (Role::Receiver, 400), (Role::Receiver, 900)] {
        let time = Duration::from_secs(seconds);
        disturb(|it| it.steps, |conditions, step| conditions.stop = Some(Stop { step, who, time }));
    }
}

#[test]
fn a_disk_error_at_every_job() {
    for reason in [AbortReason::DiskFull, AbortReason::DiskReadOnly] {
        disturb(|it| it.jobs, |conditions, job| conditions.disk_fault = Some((job, reason)));
    }
}

#[test]
fn every_frame_harmed_in_every_way() {
    for harm in Harm::ALL {
        disturb(|it| it.frames, |conditions, frame| conditions.harmed = Harmed::Nth(frame, harm));
    }
}

#[test]
fn a_source_that_fails_at_every_chunk() {
    for fault in [SourceFault::Gone, SourceFault::Changed, SourceFault::Denied, SourceFault::Io] {
        for (chunk, rewritten) in [(0, false), (1, false), (1, true), (2, false), (2, true)] {
            let mut tree = long();
            tree.items[0].trouble = Some(Trouble { chunk, fault, rewritten });
            (0..5).for_each(|seed| drop(check(&tree, Conditions::fair(), Rng::new(seed))));
        }
    }
}

//! Links that are lost and come back within one session.

use std::time::Duration;

use p2pcp::crypto::Role;
use p2pcp::session::Failure;

use crate::session::conditions::{Conditions, Cut};
use crate::session::every_step::disturb;
use crate::session::tree::{Shape, Tree};
use crate::session::{check, each_seed, weather};
use crate::support::rng::Rng;

/// The trees' troubles do not matter to links; both end well, but for a last word that cannot get through.
#[test]
fn lost_links_that_come_back_in_time_cost_nothing() {
    let (mut links, mut excused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let (well, badly) = each_seed("lost_links::lost_links", |rng| {
        let ended = weather(&[8], rng);
        links.set(links.get() + ended.links);
        excused.set(excused.get() + usize::from(ended.sender.is_err()));
        ended
    });
    let (links, excused) = (*links.get_mut(), *excused.get_mut());
    assert!(links as u64 * 2 > well, "{links} links in {well} runs");
    assert_eq!(excused as u64, badly);
    assert!(badly <= 1 + well / 3, "{badly} did not hear the last word, {well} did");
}

#[test]
fn a_link_that_comes_back_after_a_loss_at_every_step() {
    for (first, gap, back) in [(Role::Sender, 0, 0), (Role::Sender, 20, 40), (Role::Receiver, 2, 1)] {
        let (gap, back) = (Duration::from_secs(gap), Some(Duration::from_secs(back)));
        disturb(|it| it.steps, |conditions, step| conditions.cuts[0] = Some(Cut { step, first, gap, back }));
    }
}

/// The second loss falls among the first words over the new link.
#[test]
fn a_second_loss_at_every_step_after_the_first() {
    let back = Some(Duration::from_millis(300));
    for after in 1..12 {
        disturb(
            |it| it.steps,
            |conditions, step| {
                for (at, cut) in conditions.cuts.iter_mut().enumerate() {
                    let first = if at % 2 == 0 { Role::Sender } else { Role::Receiver };
                    let step = step + at * after;
                    *cut = Some(Cut { step, first, gap: Duration::from_millis(5), back });
                }
            },
        );
    }
}

#[test]
fn a_link_that_stays_away_ends_both_after_their_patience() {
    let tree = Tree::grow(Shape::One(3 << 20), &mut Rng::new(4));
    let steps = check(&tree, Conditions::fair(), Rng::new(5)).steps;
    for step in 0..steps {
        let mut conditions = Conditions { patience: Duration::from_secs(100), ..Conditions::fair() };
        let back = Some(Duration::from_secs(400));
        conditions.cuts[0] = Some(Cut { step, first: Role::Receiver, gap: Duration::from_secs(9), back });
        let ended = check(&tree, conditions, Rng::new(5));
        let lost = Err(Failure::LinkLost);
        let finished = ended.receiver.is_ok() || step == 0;
        assert!(finished || (ended.sender == lost && ended.receiver == lost), "step {step}: {ended:?}");
    }
}

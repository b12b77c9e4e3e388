//! Processes that die and are started again: another session, with another code, over what the last one
//! left on the disk.

use crate::session::conditions::{Conditions, Kill};
use crate::session::disk::{Disk, Policy};
use crate::session::pair::Ended;
use crate::session::tree::{Shape, Tree};
use crate::session::{check_on, each_seed_of};
use crate::support::rng::Rng;

/// Each is several sessions.
const SEEDS: u64 = 80;

/// What the machines between the sessions do to the stage and to named files.
#[derive(Clone, Copy)]
struct Weather {
    /// The power fails, bits rot, somebody edits.
    damage: bool,
    /// Mishaps besides the death, see [`Conditions::worsen`].
    mishaps: bool,
}

/// Some sessions that are killed at any step, and one that nothing befalls.
fn live(weather: Weather, rng: &mut Rng) -> Ended {
    let shape = if rng.once_in(2) { Shape::Large } else { Shape::draw(rng) };
    let policy = rng.one_of(&[Policy::Refuse, Policy::Overwrite]);
    let mut tree = Tree::grow(shape, rng);
    let mut disk = Disk::default();
    for _ in 0..1 + rng.below(4) {
        let mut conditions = Conditions { policy, ..Conditions::draw(rng) };
        let end = 10 + 6 * tree.weight();
        conditions.worsen(9, end, rng);
        conditions.kill = conditions.kill.map(|it| Kill { power: it.power && weather.damage, ..it });
        if weather.mishaps {
            conditions.worsen(rng.one_of(&[0, 2, 3, 5, 6, 8]), end, rng);
            befall(&mut tree, rng);
        }
        let (_, left) = check_on(&tree, disk, conditions, Rng::new(rng.any()));
        disk = left;
        disk.crash(false, rng);
        if weather.damage {
            disk.damage(rng.one_of(&[1, 2, 8, 1000]), rng);
            disk.edit(rng.one_of(&[3, 1000]), rng);
        }
        tree = tree.later(rng);
    }
    if weather.mishaps && rng.once_in(2) {
        befall(&mut tree, rng);
    }
    let conditions = Conditions { policy, ..Conditions::draw(rng) };
    let planned: Vec<bool> = tree.items.iter().map(|it| it.expects(&disk, policy)).collect();
    let (ended, disk) = check_on(&tree, disk, conditions, Rng::new(rng.any()));
    for (item, kept) in tree.items.iter().zip(planned).filter(|(it, _)| it.entry.kind.is_file()) {
        let path = item.entry.path.as_str();
        assert!(!kept || disk.has(item), "`{path}` is not there in the end");
        assert!(!disk.stage.contains_key(&item.entry.path) || !kept, "`{path}` is still staged");
    }
    ended
}

fn befall(tree: &mut Tree, rng: &mut Rng) {
    match rng.below(3) {
        0 => tree.trouble_sender(4, rng),
        1 => tree.trouble_second_round(2, rng),
        _ => tree.trouble_receiver(6, rng),
    }
}

/// What has arrived once is not sent again: `check_on` counts the bytes.
#[test]
fn a_killed_transfer_goes_on_where_it_was() {
    let (_, badly) = each_seed_of(SEEDS, "restarts::a_killed_transfer", |rng| {
        live(Weather { damage: false, mishaps: false }, rng)
    });
    assert_eq!(badly, 0);
}

#[test]
fn nothing_on_a_disk_is_trusted() {
    let (_, badly) = each_seed_of(SEEDS, "restarts::nothing_on_a_disk", |rng| {
        live(Weather { damage: true, mishaps: false }, rng)
    });
    assert_eq!(badly, 0);
}

#[test]
fn whatever_befalls_killed_transfers_the_last_one_ends_well() {
    let (_, badly) = each_seed_of(SEEDS, "restarts::whatever_befalls", |rng| {
        live(Weather { damage: true, mishaps: true }, rng)
    });
    assert_eq!(badly, 0);
}

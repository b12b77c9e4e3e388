//! What is claimed of the controllers on simulated lines.

use std::time::Duration;

use crate::control::Control;
use crate::control::bbr::Bbr;
use crate::control::simulation::Simulation;
use crate::control::simulation::cubic::Cubic;
use crate::control::simulation::path::Path;
use crate::control::simulation::reno::Reno;

const PACKET: usize = 1_200;

fn share(path: Path, control: Box<dyn Control>, seconds: u64, seed: u64) -> f64 {
    let mut simulation = Simulation::new(path, seed);
    simulation.add(control, PACKET);
    simulation.run(Duration::from_secs(seconds))[0]
}

#[test]
fn the_references_fill_a_clean_line_and_not_a_lossy_one() {
    let path = Path::megabits(20, 20);
    assert!(share(path, Box::new(Cubic::new(PACKET)), 10, 1) > 0.9);
    assert!(share(path, Box::new(Reno::new(PACKET)), 10, 1) > 0.9);
    assert!(share(path.loss_percent(1.0), Box::new(Cubic::new(PACKET)), 10, 1) < 0.5);
    assert!(share(path.loss_percent(1.0), Box::new(Reno::new(PACKET)), 10, 1) < 0.5);
}

#[test]
fn two_cubic_flows_share_evenly() {
    let mut simulation = Simulation::new(Path::megabits(20, 40), 1);
    simulation.add(Box::new(Cubic::new(PACKET)), PACKET);
    simulation.add(Box::new(Cubic::new(PACKET)), PACKET);
    let shares = simulation.run(Duration::from_secs(20));
    assert!(shares.iter().all(|share| (0.35..0.65).contains(share)), "{shares:?}");
}

fn bbr() -> Box<dyn Control> {
    Box::new(Bbr::new(PACKET))
}

#[test]
fn losses_by_chance_do_not_slow_the_model_down() {
    for (percent, least) in [(0.0, 0.93), (1.0, 0.92), (3.0, 0.89), (10.0, 0.80), (20.0, 0.65)] {
        for seed in [1, 2] {
            let path = Path::megabits(20, 50).loss_percent(percent);
            let share = share(path, bbr(), 6, seed);
            assert!(share > least, "{share} at {percent} %");
        }
    }
}

/// RFC 9260's timers let a line with 20 % loss stand still for seconds.
#[test]
fn a_fifth_lost_each_way_is_no_reason_to_stand_still() {
    for round_trip in [1, 30, 200] {
        let mut simulation = Simulation::new(Path::megabits(10, round_trip).loss_percent(20.0), 5);
        simulation.add(bbr(), PACKET);
        let share = simulation.run(Duration::from_secs(15))[0];
        assert!(share > 0.35, "{share} at {round_trip} ms");
        let stall = Duration::from_nanos(simulation.flows[0].longest_stall);
        assert!(stall < 3 * Duration::from_secs(1), "{stall:?} at {round_trip} ms");
    }
}

#[test]
fn a_second_of_queue_is_not_filled() {
    for round_trip in [2, 5, 30] {
        let mut simulation = Simulation::new(Path::megabits(20, round_trip).queue(2_500_000), 1);
        simulation.add(bbr(), PACKET);
        assert!(simulation.run(Duration::from_secs(10))[0] > 0.92);
        let [usual, most] = simulation.waits([0.5, 0.99]);
        assert!(usual < 20 && most < 90, "{usual} ms, {most} ms at {round_trip} ms");
    }
}

/// A queue of a fortieth of what the path holds.
#[test]
fn short_queues_on_long_paths_are_enough() {
    for seed in [1, 2] {
        let path = Path::megabits(20, 200).loss_percent(0.1).queue(13_000);
        let share = share(path, bbr(), 20, seed);
        assert!(share > 0.8, "{share}");
    }
}

#[test]
fn a_cubic_flow_and_ours_leave_each_other_a_quarter() {
    for (queue, seed) in [(50_000, 1), (50_000, 2), (100_000, 3)] {
        for ours_is_first in [true, false] {
            let mut simulation = Simulation::new(Path::megabits(10, 40).queue(queue), seed);
            let cubic = Box::new(Cubic::new(PACKET));
            let (first, second) = if ours_is_first { (bbr(), cubic as _) } else { (cubic as _, bbr()) };
            simulation.add(first, PACKET);
            simulation.run(Duration::from_secs(2));
            simulation.add(second, PACKET);
            let shares = simulation.run(Duration::from_secs(30));
            assert!(shares.iter().all(|share| *share > 0.25), "{shares:?} of {queue} ({ours_is_first})");
        }
    }
}

#[test]
fn two_of_ours_fill_the_line_and_neither_starves() {
    let mut simulation = Simulation::new(Path::megabits(20, 30).queue(1_000_000), 1);
    simulation.add(bbr(), PACKET);
    simulation.run(Duration::from_secs(3));
    simulation.add(bbr(), PACKET);
    let shares = simulation.run(Duration::from_secs(30));
    assert!(shares.iter().all(|share| *share > 0.25) && shares.iter().sum::<f64>() > 0.9, "{shares:?}");
}

/// A radio link: late by chance, lossy by chance. Neither is somebody else's queue.
#[test]
fn jitter_with_losses_is_not_taken_for_a_competitor() {
    for seed in [1, 2] {
        let path = Path::megabits(20, 30).jitter_ms(10).loss_percent(1.0);
        let share = share(path, bbr(), 20, seed);
        assert!(share > 0.8, "{share}");
    }
}

#[test]
fn a_line_that_changes_is_followed_within_seconds() {
    let (fast, slow) = (Path::megabits(50, 40), Path::megabits(10, 40).queue(250_000));
    let mut simulation = Simulation::new(fast, 1);
    simulation.add(bbr(), PACKET);
    simulation.run(Duration::from_secs(3));
    simulation.path = slow;
    simulation.run(Duration::from_secs(14));
    simulation.waits([0.5, 0.5]);
    assert!(simulation.run(Duration::from_secs(4))[0] > 0.9);
    let [usual, most] = simulation.waits([0.5, 0.95]);
    assert!(usual < 30 && most < 60, "{usual} ms, {most} ms");
    simulation.path = fast;
    simulation.run(Duration::from_secs(5));
    assert!(simulation.run(Duration::from_secs(4))[0] > 0.9);
}

#[test]
fn short_paths_fill_their_line_whatever_the_queue_holds() {
    for (path, least) in [
        (Path::megabits(200, 2).queue(512 * 1_024), 0.9),
        (Path::megabits(200, 2).queue(64 * 1_024).loss_percent(1.0), 0.8),
        (Path::megabits(200, 4).queue(128 * 1_024), 0.9),
    ] {
        let share = share(path, bbr(), 2, 1);
        assert!(share > least, "{share} of {path:?}");
    }
}

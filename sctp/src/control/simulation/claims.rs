//! What is claimed of the controllers on simulated lines.

use std::time::Duration;

use crate::control::Control;
use crate::control::bbr::Bbr;
use crate::control::reno::Reno;
use crate::control::simulation::cubic::Cubic;
use crate::control::simulation::{Path, Simulation};

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
    let shares = simulation.run(Duration::from_secs(40));
    assert!(shares.iter().all(|share| (0.35..0.65).contains(share)), "{shares:?}");
}

fn bbr() -> Box<dyn Control> {
    Box::new(Bbr::new(PACKET))
}

#[test]
fn random_loss_does_not_slow_the_model_down() {
    for (percent, least) in [(0.0, 0.93), (1.0, 0.92), (3.0, 0.89), (10.0, 0.82), (20.0, 0.65)] {
        for seed in [1, 2] {
            let path = Path::megabits(20, 50).loss_percent(percent);
            let share = share(path, bbr(), 10, seed);
            assert!(share > least, "{share} at {percent} %");
        }
    }
}

#[test]
fn a_second_of_queue_is_not_filled() {
    let mut simulation = Simulation::new(Path::megabits(20, 30).queue(2_500_000), 1);
    simulation.add(bbr(), PACKET);
    assert!(simulation.run(Duration::from_secs(10))[0] > 0.92);
    let [usual, most] = simulation.waits([0.5, 0.99]);
    assert!(usual < 20 && most < 100, "{usual} ms, {most} ms");
}

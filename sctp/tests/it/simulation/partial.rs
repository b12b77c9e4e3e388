//! Channels that may lose messages lose no others, never hang, and do not hold up their neighbours.

use std::time::Duration;

use crate::simulation::{HANDSHAKE_PATIENCE, PATIENCE, TAIL, scene};
use crate::support::network::Driver;
use crate::support::path::Line;
use crate::support::peer::{Channel, Effort, Order, Settings};
use crate::support::rng::Rng;
use crate::support::seeds::over_seeds;
use crate::support::traffic::{Flow, Sizes};

#[test]
fn partly_reliable_channels_never_hang() {
    over_seeds(40, "partly_reliable_channels_never_hang", |seed| {
        let mut rng = Rng::new(seed);
        let lines = [Line::any(&mut rng), Line::any(&mut rng)];
        let mut scene = scene(lines, Driver::REAL, seed);
        let mut flows = vec![Flow::new(0, 0, Channel::RELIABLE, Sizes::UpTo(16_384), 20)];
        for stream in 1..4 {
            let effort = match rng.below(4) {
                0 => Effort::Retransmits(0),
                1 => Effort::Retransmits(2),
                2 => Effort::Lifetime(Duration::from_millis(20)),
                _ => Effort::Lifetime(Duration::from_millis(500)),
            };
            let channel = Channel { order: rng.one_of(&[Order::Ordered, Order::Unordered]), effort };
            let most = rng.one_of(&[1000, 20_000, 200_000]);
            flows.push(Flow::new(0, stream, channel, Sizes::UpTo(most), 300_000 / most as u64));
        }
        scene.connect(flows, HANDSHAKE_PATIENCE);
        scene.deliver(PATIENCE);
        scene.check_manners(Settings::default(), TAIL);
    });
}

#[test]
fn nothing_is_given_up_where_nothing_is_lost() {
    for effort in [Effort::Retransmits(0), Effort::Lifetime(Duration::from_secs(30))] {
        let line = Line::clean(1_250_000, Duration::from_millis(10));
        let mut scene = scene([line; 2], Driver::REAL, 1);
        let channel = Channel { order: Order::Unordered, effort };
        scene.connect(vec![Flow::new(0, 1, channel, Sizes::All(3000), 100)], HANDSHAKE_PATIENCE);
        scene.deliver(PATIENCE);
        assert_eq!(scene.flows[0].arrived, 100);
    }
}

/// One packet in ten is lost. Most messages lie in two packets, since packets are filled, so one in five has a lost one;
/// the others must come.
#[test]
fn what_is_lost_once_costs_only_its_own_message() {
    over_seeds(8, "what_is_lost_once_costs_only_its_own_message", |seed| {
        let line = Line::clean(1_250_000, Duration::from_millis(10));
        let mut scene = scene([line.losing(100), line], Driver::REAL, seed);
        let channel = Channel { order: Order::Ordered, effort: Effort::Retransmits(0) };
        scene.connect(vec![Flow::new(0, 1, channel, Sizes::All(1000), 400)], HANDSHAKE_PATIENCE);
        scene.deliver(PATIENCE);
        let arrived = scene.flows[0].arrived;
        // 326 are expected; 270 are seven standard deviations below.
        assert!((270..400).contains(&arrived), "{arrived} of 400 arrived");
    });
}

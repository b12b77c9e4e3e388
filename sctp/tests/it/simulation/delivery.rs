//! Everything arrives, once and in order, whatever the path does, and without long silence.

use std::time::Duration;

use crate::simulation::{HANDSHAKE_PATIENCE, PATIENCE, TAIL, UNORDERED, ours, scene};
use crate::support::network::{Driver, Reading};
use crate::support::path::{Line, Loss};
use crate::support::peer::{Channel, Settings};
use crate::support::rng::Rng;
use crate::support::scene::Scene;
use crate::support::seeds::over_seeds;
use crate::support::traffic::{Flow, Sizes};

/// Some streams, some of them both ways, with messages of all lengths.
fn any_flows(rng: &mut Rng) -> Vec<Flow> {
    let mut flows = Vec::new();
    for stream in 0..1 + rng.below(4) as u16 {
        let channel = rng.one_of(&[Channel::RELIABLE, UNORDERED]);
        let most = rng.one_of(&[100, 4096, 65_536, 262_144]);
        let messages = (500_000 / most as u64).min(200);
        flows.push(Flow::new(0, stream, channel, Sizes::UpTo(most), messages));
        if rng.once_in(2) {
            flows.push(Flow::new(1, stream, channel, Sizes::UpTo(most), messages.div_ceil(4)));
        }
    }
    flows
}

#[test]
fn everything_arrives_once_and_in_order_over_any_path() {
    over_seeds(40, "everything_arrives_once_and_in_order_over_any_path", |seed| {
        let mut rng = Rng::new(seed);
        let lines = [Line::any(&mut rng), Line::any(&mut rng)];
        let driver = rng.one_of(&[Driver::REAL, Driver::REAL, Driver::IDEAL]);
        let settings = Settings { packet_bytes: rng.one_of(&[1191, 16_300]), ..Settings::default() };
        let mut scene = Scene::new(ours(settings), lines, driver, seed);
        scene.connect(any_flows(&mut rng), HANDSHAKE_PATIENCE);
        scene.deliver(PATIENCE);
        scene.check_manners(settings, TAIL);
    });
}

#[test]
fn a_fifth_lost_each_way_does_not_stop_it() {
    over_seeds(10, "a_fifth_lost_each_way_does_not_stop_it", |seed| {
        let line = Line::clean(1_250_000, Duration::from_millis(25)).losing(200);
        let mut scene = scene([line; 2], Driver::REAL, seed);
        let flow = Flow::new(0, 1, Channel::RELIABLE, Sizes::All(16_384), 40);
        scene.connect(vec![flow], HANDSHAKE_PATIENCE);
        scene.deliver(PATIENCE);
        // Of six packets and answers in a row one pair gets through in 999 cases of 1,000: the doubled timeouts add up
        // to three of the longest.
        scene.check_manners(Settings::default(), Duration::from_secs(30));
    });
}

/// The window closes again and again; what opens it can be lost.
#[test]
fn a_slow_reader_holds_the_sender_back_within_its_window() {
    over_seeds(10, "a_slow_reader_holds_the_sender_back_within_its_window", |seed| {
        let settings = Settings { window_bytes: 128 << 10, message_bytes: 64 << 10, ..Settings::default() };
        let line = Line::clean(1_250_000, Duration::from_millis(5)).losing(10 * (seed % 3));
        let mut scene = Scene::new(ours(settings), [line; 2], Driver::REAL, seed);
        // 256 messages wait in the handler before the window is felt.
        let sizes = Sizes::All(if seed.is_multiple_of(2) { 4096 } else { 1000 });
        scene.network.ends[1].reading = Reading::Slowly(250_000);
        scene.connect(vec![Flow::new(0, 1, Channel::RELIABLE, sizes, 800)], HANDSHAKE_PATIENCE);
        scene.run_until(PATIENCE, |scene| scene.flows.iter().all(Flow::is_done));
        scene.deliver(PATIENCE);
        let packet = u64::from(settings.packet_bytes);
        let held = scene.most_held[1];
        assert!(held <= u64::from(settings.window_bytes) + packet, "{held} bytes held");
    });
}

/// A path that is dead for a while is not the end.
#[test]
fn twenty_seconds_of_silence_are_survived() {
    over_seeds(4, "twenty_seconds_of_silence_are_survived", |seed| {
        let line = Line::clean(1_250_000, Duration::from_millis(25));
        let mut scene = scene([line; 2], Driver::REAL, seed);
        scene.connect(vec![Flow::new(0, 1, Channel::RELIABLE, Sizes::All(16_384), 200)], HANDSHAKE_PATIENCE);
        scene.run_for(Duration::from_millis(400 + 100 * seed));
        for end in &mut scene.network.ends {
            end.path.line.loss = Loss::All;
        }
        scene.run_for(Duration::from_secs(20));
        for end in &mut scene.network.ends {
            end.path.line.loss = Loss::None;
        }
        let silent_since = scene.network.now;
        scene.deliver(PATIENCE);
        let recovery = scene.network.now - silent_since;
        // The next timeout may have been doubled to twice the silence, less what had passed of it.
        assert!(recovery < Duration::from_secs(30), "recovered only after {recovery:?}");
    });
}

/// Once everything has arrived an association costs next to nothing.
#[test]
fn an_idle_association_is_quiet() {
    let line = Line::clean(1_250_000, Duration::from_millis(25));
    let mut scene = scene([line; 2], Driver::REAL, 1);
    scene.connect(vec![Flow::new(0, 1, Channel::RELIABLE, Sizes::All(16_384), 20)], HANDSHAKE_PATIENCE);
    scene.deliver(PATIENCE);
    scene.run_for(Duration::from_secs(2));
    let packets = |scene: &Scene| scene.network.ends.iter().map(|end| end.path.counts.sent).sum::<u64>();
    let (before, steps) = (packets(&scene), scene.network.steps);
    scene.run_for(Duration::from_secs(60));
    let sent = packets(&scene) - before;
    let steps = scene.network.steps - steps;
    // Heartbeats and probes of the path's MTU: some a minute, their answers, their timers.
    assert!(sent <= 40, "{sent} packets in a minute of silence");
    assert!(steps <= 120, "{steps} steps in a minute of silence");
}

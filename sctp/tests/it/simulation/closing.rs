//! Streams and associations end: in the middle of everything, over bad lines, and for good.

use std::time::Duration;

use crate::simulation::{HANDSHAKE_PATIENCE, PATIENCE, scene};
use crate::support::network::{Driver, Network};
use crate::support::path::{Line, Loss};
use crate::support::peer::{Channel, State};
use crate::support::rng::Rng;
use crate::support::seeds::over_seeds;
use crate::support::traffic::{Flow, Sizes};

fn bad_line() -> Line {
    Line::clean(1_250_000, Duration::from_millis(20)).losing(50)
}

fn any_driver(seed: u64) -> Driver {
    if seed.is_multiple_of(2) { Driver::REAL } else { Driver::IDEAL }
}

/// A stream is closed with data queued: all of it arrives, then the other end is told, and it is closed both
/// ways; the number can be used again while other streams go on.
#[test]
fn a_stream_closes_after_its_data_and_can_be_opened_again() {
    over_seeds(12, "a_stream_closes_after_its_data_and_can_be_opened_again", |seed| {
        let mut scene = scene([bad_line(); 2], any_driver(seed), seed);
        let other = Flow::new(0, 2, Channel::RELIABLE, Sizes::UpTo(4096), 300);
        let closing = Flow::new(0, 1, Channel::RELIABLE, Sizes::All(20_000), 5);
        scene.connect(vec![closing, other], HANDSHAKE_PATIENCE);
        let now = scene.network.now;
        scene.network.ends[0].peer.reset(now, 1);
        scene.network.flush(0);
        scene.wait_for_reset(1, 1);
        assert!(scene.flows[0].arrived == 5, "{}", scene.describe());
        scene.wait_for_reset(0, 1);
        scene.flows[0] = Flow::new(0, 1, Channel::RELIABLE, Sizes::All(3000), 5);
        scene.network.ends[0].peer.open(1, Channel::RELIABLE);
        scene.deliver(PATIENCE);
    });
}

fn ended(network: &Network) -> bool {
    network.ends.iter().all(|end| end.peer.state() == State::Ended)
}

#[test]
fn a_shutdown_delivers_everything_and_ends_both() {
    over_seeds(12, "a_shutdown_delivers_everything_and_ends_both", |seed| {
        let mut scene = scene([bad_line(); 2], any_driver(seed), seed);
        let there = Flow::new(0, 1, Channel::RELIABLE, Sizes::All(10_000), 20);
        let back = Flow::new(1, 1, Channel::RELIABLE, Sizes::All(1000), 20);
        scene.connect(vec![there, back], HANDSHAKE_PATIENCE);
        let now = scene.network.now;
        scene.network.ends[(seed / 2 % 2) as usize].peer.shutdown(now);
        scene.network.flush((seed / 2 % 2) as usize);
        scene.run_until(PATIENCE, |scene| ended(&scene.network));
        assert!(ended(&scene.network), "{}", scene.describe());
        assert!(scene.flows.iter().all(Flow::is_done), "{}", scene.describe());
    });
}

#[test]
fn an_abort_ends_both_at_once() {
    over_seeds(6, "an_abort_ends_both_at_once", |seed| {
        let line = Line::clean(1_250_000, Duration::from_millis(20));
        let mut scene = scene([line; 2], any_driver(seed), seed);
        scene.connect(vec![Flow::new(0, 1, Channel::RELIABLE, Sizes::All(10_000), 200)], HANDSHAKE_PATIENCE);
        scene.run_for(Duration::from_millis(50 + Rng::new(seed).below(300)));
        scene.flows[0].stop();
        let now = scene.network.now;
        scene.network.ends[(seed % 2) as usize].peer.abort(now);
        scene.network.flush((seed % 2) as usize);
        scene.run_for(Duration::from_secs(1));
        assert!(ended(&scene.network), "{}", scene.describe());
    });
}

/// An end whose path died gives up, and says so, before anybody has forgotten it.
#[test]
fn a_dead_path_ends_the_association() {
    let line = Line::clean(1_250_000, Duration::from_millis(20));
    let mut scene = scene([line; 2], Driver::REAL, 1);
    scene.connect(vec![Flow::new(0, 1, Channel::RELIABLE, Sizes::All(10_000), 400)], HANDSHAKE_PATIENCE);
    scene.run_for(Duration::from_millis(300));
    for end in &mut scene.network.ends {
        end.path.line.loss = Loss::All;
    }
    // Ten timeouts, doubled up to a minute each (RFC 9260 §16).
    scene.run_until(Duration::from_secs(600), |scene| scene.network.ends[0].peer.state() == State::Ended);
    assert!(scene.network.ends[0].peer.state() == State::Ended, "{}", scene.describe());
}

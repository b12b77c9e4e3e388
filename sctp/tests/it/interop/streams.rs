//! Closing streams and associations across makes.

use std::time::Duration;

use crate::interop::{Other, PATIENCE, bad_line, scene, with_others};
use crate::support::peer::{Channel, State};
use crate::support::traffic::{Flow, Sizes};

/// Whoever closes: what was sent arrives, both are told, and the number can be used again.
#[test]
fn a_stream_closes_both_ways_and_can_be_opened_again() {
    with_others(|other, role| {
        for closer in [0, 1] {
            // A line on which the registry's own request comes through: it never sends that again.
            let mut scene = scene(other, role, bad_line(), 12);
            let closing = Flow::new(closer, 1, Channel::RELIABLE, Sizes::UpTo(40_000), 10);
            let staying = Flow::new(0, 2, Channel::RELIABLE, Sizes::UpTo(4000), 100);
            scene.connect(vec![closing, staying], PATIENCE);
            // dcSCTP drops what is queued on a stream that is reset, so wait until it is out.
            scene.deliver(PATIENCE);
            let now = scene.network.now;
            scene.network.ends[closer].peer.reset(now, 1);
            scene.network.flush(closer);
            scene.wait_for_reset(1 - closer, 1);
            if other != Other::Registry {
                scene.wait_for_reset(closer, 1);
            }
            scene.run_for(Duration::from_secs(5));
            scene.flows[0] = Flow::new(closer, 1, Channel::RELIABLE, Sizes::All(3000), 5);
            scene.network.ends[closer].peer.open(1, Channel::RELIABLE);
            scene.deliver(PATIENCE);
        }
    });
}

#[test]
fn a_shutdown_ends_both() {
    for other in [Other::DcSctp, Other::Browser] {
        for first in [0, 1] {
            let mut scene = scene(other, crate::support::peer::Role::Client, bad_line(), 13);
            let flow = Flow::new(0, 1, Channel::RELIABLE, Sizes::All(10_000), 20);
            scene.connect(vec![flow], PATIENCE);
            let now = scene.network.now;
            scene.network.ends[first].peer.shutdown(now);
            scene.network.flush(first);
            scene.run_until(PATIENCE, |scene| {
                scene.network.ends.iter().all(|end| end.peer.state() == State::Ended)
            });
            let states = [0, 1].map(|end| scene.network.ends[end].peer.state());
            assert_eq!(states, [State::Ended; 2], "{other:?}, shut down by end {first}");
            assert!(scene.flows[0].is_done());
        }
    }
}

#[test]
fn an_abort_is_understood() {
    with_others(|other, role| {
        // The registry's cannot abort.
        for first in [0, 1].into_iter().take(if other == Other::Registry { 1 } else { 2 }) {
            let mut scene = scene(other, role, crate::interop::line(), 17);
            scene.connect(vec![Flow::new(0, 1, Channel::RELIABLE, Sizes::All(1000), 1)], PATIENCE);
            scene.deliver(PATIENCE);
            let now = scene.network.now;
            scene.network.ends[first].peer.abort(now);
            scene.network.flush(first);
            scene.run_for(Duration::from_secs(1));
            let states = [0, 1].map(|end| scene.network.ends[end].peer.state());
            assert_eq!(states, [State::Ended; 2], "{other:?}, aborted by end {first}");
        }
    });
}

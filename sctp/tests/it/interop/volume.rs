//! Much data, each way, at once.

use std::env;
use std::time::Duration;

use crate::interop::{Other, line, scene, with_others};
use crate::support::path::Line;
use crate::support::peer::{Channel, Role};
use crate::support::traffic::{Flow, Sizes};

/// Length of a message, in bytes: what p2pcp sends at most times.
const MESSAGE_BYTES: u64 = 65_536;

#[test]
fn much_data_crosses_both_ways_at_once() {
    let mebibytes: u64 = env::var("INTEROP_MIB").map_or(2, |text| text.parse().expect("a number"));
    let messages = (mebibytes << 20) / MESSAGE_BYTES;
    with_others(|other, role| {
        let sizes = Sizes::All(MESSAGE_BYTES as usize);
        let flows = [0, 1].map(|from| Flow::new(from, 1, Channel::RELIABLE, sizes, messages));
        let mut scene = scene(other, role, line(), 23);
        scene.connect(flows.into(), Duration::from_secs(60));
        scene.deliver(Duration::from_secs(60 + 10 * mebibytes));
        println!("{:?}: {}", scene.network.elapsed(), scene.describe());
    });
}

/// A browser sends at most four packets for a SACK: one for a whole burst, or a late one, would hold it to those.
#[test]
fn a_browser_that_sends_is_not_held_up_by_acknowledgements() {
    let near = Line { rate: None, ..Line::clean(line().queue_bytes, Duration::from_micros(500)) };
    for (line, least) in [(line(), 10e6), (near, 50e6)] {
        for other in [Other::DcSctp, Other::Browser] {
            let mut scene = scene(other, Role::Server, line, 29);
            let flow = Flow::new(1, 1, Channel::RELIABLE, Sizes::All(MESSAGE_BYTES as usize), 160);
            scene.connect(vec![flow], Duration::from_secs(60));
            let began = scene.network.now;
            scene.deliver(Duration::from_secs(60));
            let rate = scene.flows[0].arrived_bytes as f64 / (scene.network.now - began).as_secs_f64();
            assert!(
                rate > least,
                "{rate:.0} bytes per second from {other:?} over {line:?}: {}",
                scene.describe()
            );
        }
    }
}

//! Much data, each way, at once.

use std::env;
use std::time::Duration;

use crate::interop::{line, scene, with_others};
use crate::support::peer::Channel;
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

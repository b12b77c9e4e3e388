//! Packets become as long as the path takes them, and the association does not hang when it takes no more what it took.

use std::time::Duration;

use crate::simulation::{HANDSHAKE_PATIENCE, PATIENCE, ours};
use crate::support::network::Driver;
use crate::support::path::Line;
use crate::support::peer::{Channel, Settings, State};
use crate::support::scene::Scene;
use crate::support::traffic::{Flow, Sizes};

/// What fits in one DTLS record, in bytes: the ceiling that p2pcp sets.
const CEILING_BYTES: u32 = 16_300;

fn scene(mtu: usize, messages: u64) -> Scene {
    let settings = Settings { packet_bytes: CEILING_BYTES, ..Settings::default() };
    let line = Line { mtu, ..Line::clean(1_250_000, Duration::from_millis(10)).losing(10) };
    let mut scene = Scene::new(ours(settings), [line; 2], Driver::REAL, mtu as u64);
    let flow = Flow::new(0, 1, Channel::RELIABLE, Sizes::All(65_536), messages);
    scene.connect(vec![flow], HANDSHAKE_PATIENCE);
    scene
}

/// IPv6's least, some tunnel's, WireGuard's, Ethernet's, jumbo frames', loopback's; and the packets that fit, less IP, UDP
/// and DTLS and down to one of the sizes that are tried.
#[test]
fn packets_become_as_long_as_the_path_takes_them() {
    for (mtu, packet) in [
        (1280, 1188),
        (1300, 1188),
        (1420, 1352),
        (1500, 1432),
        (9000, 8912),
        (65_535, CEILING_BYTES as usize),
    ] {
        let mut scene = scene(mtu, 100);
        scene.deliver(PATIENCE);
        let longest = scene.network.ends[0].witness.longest_packet;
        // Of the last chunk of a message nothing can be said, but of the others that they fill it.
        assert!(longest <= packet && longest + 4 > packet, "{longest} bytes over an MTU of {mtu}");
        let too_long = scene.network.ends[0].path.counts.too_long;
        assert!(too_long <= 20, "{too_long} packets were too long for an MTU of {mtu}");
    }
}

/// What was cut for the larger packets cannot be cut again (RFC 8899 §4.4 leaves it to the layer above), so the
/// association is over, soon, and its owner makes a new one.
#[test]
fn a_path_that_shrinks_ends_the_association_soon() {
    let mut scene = scene(1500, 1000);
    scene.run_for(Duration::from_secs(3));
    assert!(scene.network.ends[0].witness.longest_packet > 1400);
    for end in &mut scene.network.ends {
        end.path.line.mtu = 1300;
    }
    let since = scene.network.now;
    scene.run_until(PATIENCE, |scene| scene.network.ends[0].peer.state() == State::Ended);
    let time = scene.network.now - since;
    println!("over after {time:?}");
    assert!(time < Duration::from_secs(10), "over after {time:?}: {}", scene.describe());
}

/// One that shrinks while nothing is on the way goes on with what fits.
#[test]
fn a_path_that_shrinks_in_a_pause_is_survived() {
    let mut scene = scene(1500, 20);
    scene.deliver(PATIENCE);
    for end in &mut scene.network.ends {
        end.path.line.mtu = 1300;
    }
    // The size in use is tried again every half minute.
    scene.run_for(Duration::from_secs(60));
    scene.flows[0].extend(20);
    scene.deliver(PATIENCE);
}

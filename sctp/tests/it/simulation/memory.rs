//! Memory is bounded by windows and buffers, whatever the sizes of messages and the order of packets.

use std::time::Duration;

use crate::simulation::{HANDSHAKE_PATIENCE, PATIENCE, UNORDERED, ours};
use crate::support::heap::most_held;
use crate::support::network::{Driver, Reading};
use crate::support::path::Line;
use crate::support::peer::{Channel, Settings};
use crate::support::scene::Scene;
use crate::support::traffic::{Flow, Sizes};

/// The receive window that p2pcp uses at most, in bytes.
const WINDOW_BYTES: u32 = 8 << 20;

/// What both ends, the path and the test may hold with that window and 4 MiB that wait to be sent, in bytes: half of what
/// one side is allowed in all.
const MOST_BYTES: usize = 50 << 20;

fn check(channel: Channel, size: usize, messages: u64, reading: Reading, line: Line) {
    let settings = Settings { window_bytes: WINDOW_BYTES, ..Settings::default() };
    let held = most_held(|| {
        let mut scene = Scene::new(ours(settings), [line; 2], Driver::REAL, 1);
        scene.network.ends[1].reading = reading;
        let flow = Flow::new(0, 1, channel, Sizes::All(size), messages);
        scene.connect(vec![flow], HANDSHAKE_PATIENCE);
        scene.run_until(Duration::from_secs(2), |_| false);
        scene.network.ends[1].reading = Reading::AtOnce;
        scene.deliver(PATIENCE);
    });
    println!("{held} bytes for messages of {size}, {channel:?}, {reading:?}");
    assert!(held < MOST_BYTES, "{held} bytes on the heap for messages of {size}, {channel:?}, {reading:?}");
}

fn line() -> Line {
    Line::clean(25_000_000, Duration::from_millis(5))
}

#[test]
fn a_reader_that_stops_fills_no_more_than_the_window() {
    for channel in [Channel::RELIABLE, UNORDERED] {
        check(channel, 65_536, 300, Reading::Slowly(1000), line());
    }
}

/// Each message is kept with its own overhead, and the window counts it.
#[test]
fn small_messages_fill_no_more_than_the_window() {
    check(Channel::RELIABLE, 12, 100_000, Reading::Slowly(1), line());
}

/// All that is behind a lost packet waits for it.
#[test]
fn a_line_that_loses_and_reorders_fills_no_more_than_the_window() {
    let line = Line { reordered: 50, ..line().losing(50) };
    check(Channel::RELIABLE, 65_536, 200, Reading::AtOnce, line);
}

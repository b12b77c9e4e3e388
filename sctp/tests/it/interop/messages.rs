//! Messages of all lengths, both ways, ordered and not, on several streams, over lines that lose.

use crate::interop::{PATIENCE, bad_line, line, scene, with_others};
use crate::support::path::Line;
use crate::support::peer::{Channel, Effort, Order, Role};
use crate::support::traffic::{Flow, Sizes};

/// Every length at which something changes: nothing (one byte and another identifier), padding, the longest chunk of
/// one packet (1,160), a packet, powers of two, and the longest message.
const LENGTHS: [usize; 24] = [
    0, 1, 2, 3, 4, 5, 7, 8, 9, 1159, 1160, 1161, 1163, 1164, 1199, 1200, 1201, 16_383, 16_384, 65_535,
    65_536, 131_072, 262_143, 262_144,
];

fn exchange(make: crate::interop::Other, role: Role, line: Line) {
    let unordered = Channel { order: Order::Unordered, effort: Effort::Reliable };
    let mut flows = Vec::new();
    for from in [0, 1] {
        flows.push(Flow::new(from, 0, Channel::RELIABLE, Sizes::Each(&LENGTHS), LENGTHS.len() as u64));
        flows.push(Flow::new(from, 1, unordered, Sizes::Each(&LENGTHS), LENGTHS.len() as u64));
        flows.push(Flow::new(from, 7, Channel::RELIABLE, Sizes::UpTo(4096), 200));
        flows.push(Flow::new(from, 1023, unordered, Sizes::UpTo(4096), 200));
    }
    let mut scene = scene(make, role, line, 3);
    scene.connect(flows, PATIENCE);
    scene.deliver(PATIENCE);
}

#[test]
fn messages_of_all_lengths_cross_both_ways() {
    with_others(|other, role| exchange(other, role, line()));
}

#[test]
fn messages_of_all_lengths_cross_a_line_that_loses() {
    with_others(|other, role| exchange(other, role, bad_line()));
}

#[test]
fn messages_cross_a_line_that_reorders_and_duplicates() {
    let line = Line { reordered: 50, duplicated: 50, ..line() };
    with_others(|other, role| exchange(other, role, line));
}

/// What one side gives up, the other stops waiting for (RFC 3758).
#[test]
fn partly_reliable_channels_do_not_hang() {
    with_others(|other, role| {
        let mut flows = vec![Flow::new(0, 9, Channel::RELIABLE, Sizes::UpTo(4096), 100)];
        for (stream, order) in [(1, Order::Ordered), (2, Order::Unordered)] {
            for from in [0, 1] {
                let channel = Channel { order, effort: Effort::Retransmits(0) };
                flows.push(Flow::new(from, stream, channel, Sizes::UpTo(8192), 200));
            }
        }
        let mut scene = scene(other, role, bad_line(), 5);
        scene.connect(flows, PATIENCE);
        scene.deliver(PATIENCE);
        let arrived: u64 = scene.flows[1..].iter().map(|flow| flow.arrived).sum();
        assert!((400..=800).contains(&arrived), "{arrived} of 800 arrived");
    });
}

//! Long flows take what the path gives, to a tenth, and leave it as it was.

use std::time::Duration;

use crate::simulation::{HANDSHAKE_PATIENCE, TAIL, ours};
use crate::support::network::Driver;
use crate::support::path::{Line, OVERHEAD_BYTES};
use crate::support::peer::{Channel, Settings};
use crate::support::scene::Scene;
use crate::support::traffic::{Flow, Sizes};

/// Part of the line's bytes that is payload, when each packet has one chunk: SCTP's headers are 28 bytes.
fn payload_part(packet_bytes: u32) -> f64 {
    let packet = f64::from(packet_bytes);
    (packet - 28.0) / (packet + OVERHEAD_BYTES as f64)
}

/// Sends for so many seconds of the line's rate; says which part of what the line could have carried arrived in
/// the time that it took from the first byte on.
fn share(line: Line, back: Line, seconds: u64, settings: Settings) -> (f64, Scene) {
    let rate = line.rate.expect("a line with a rate");
    let size = 65_536;
    let mut scene = Scene::new(ours(settings), [line, back], Driver::REAL, 7);
    let flow = Flow::new(0, 1, Channel::RELIABLE, Sizes::All(size), rate * seconds / size as u64);
    scene.connect(vec![flow], HANDSHAKE_PATIENCE);
    let began = scene.network.now;
    scene.run_until(Duration::from_secs(20 * seconds), |scene| scene.flows[0].is_done());
    let time = (scene.network.now - began).as_secs_f64();
    let bytes = scene.flows[0].arrived_bytes as f64;
    let could = rate as f64 * payload_part(settings.packet_bytes) * time;
    (bytes / could, scene)
}

fn check(line: Line, least: f64, seconds: u64) {
    let back = Line { loss: line.loss, ..Line::clean(line.rate.expect("a rate"), line.delay) };
    let settings = Settings::default();
    let (share, mut scene) = share(line, back, seconds, settings);
    println!("{share:.3} of {line:?}: {}", scene.describe());
    assert!(share > least, "{share:.3} of what the line can carry: {}", scene.describe());
    scene.check_manners(settings, TAIL);
}

#[test]
fn a_clean_line_is_filled() {
    check(Line::clean(1_250_000, Duration::from_millis(25)), 0.9, 6);
}

#[test]
fn a_long_clean_line_is_filled() {
    check(Line::clean(1_250_000, Duration::from_millis(100)), 0.9, 20);
}

#[test]
fn one_packet_in_a_hundred_lost_costs_little() {
    check(Line::clean(1_250_000, Duration::from_millis(25)).losing(10), 0.9, 6);
}

#[test]
fn a_short_queue_is_enough() {
    let line = Line { queue_bytes: 65_536, ..Line::clean(1_250_000, Duration::from_millis(100)) };
    check(line.losing(1), 0.8, 20);
}

#[test]
fn jitter_costs_little() {
    let line = Line::clean(1_250_000, Duration::from_millis(25));
    // Up to a fifth of the round trip, anew for each packet, looks much like a queue.
    check(Line { jitter: Duration::from_millis(10), ..line }, 0.85, 6);
}

#[test]
fn reordering_costs_little() {
    let line = Line::clean(1_250_000, Duration::from_millis(25));
    check(Line { reordered: 20, ..line }, 0.9, 6);
}

/// A queue of a second is left nearly empty: what others send over the same line is not held up.
#[test]
fn a_deep_queue_is_not_filled() {
    let line = Line::clean(1_250_000, Duration::from_millis(15));
    let (share, mut scene) = share(line, line, 10, Settings::default());
    assert!(share > 0.9, "{share:.3} of what the line can carry: {}", scene.describe());
    let wait = scene.network.ends[0].path.longest_wait;
    println!("{share:.3}, {wait:?}");
    assert!(wait < Duration::from_millis(300), "{wait:?} in the queue");
}

/// Long packets in pieces, with one of which all are lost: as many pieces as losses allow, and what they cost is less than the headers
/// that they save.
#[test]
fn packets_in_pieces_fill_lossy_lines_too() {
    for (lost, least, most_packets) in [(0, 0.95, 0.2), (1, 0.93, 0.4), (10, 0.9, 1.2), (50, 0.8, 1.2)] {
        let line = Line::clean(25_000_000, Duration::from_millis(10)).losing(lost).cutting();
        let settings = Settings { packet_bytes: 16_300, ..Settings::default() };
        let (whole, _) = share(Line { cuts: false, ..line }, line, 6, settings);
        let (pieces, mut scene) = share(line, line, 6, settings);
        println!("{lost} of 1,000: {pieces:.3}, {whole:.3} without: {}", scene.describe());
        let needed = scene.flows[0].arrived_bytes as f64 / 1_404.0;
        let packets = scene.network.ends[0].path.counts.sent as f64 / needed;
        assert!(packets < most_packets, "{packets:.2} packets for each piece at {lost} of 1,000");
        assert!(pieces / whole > least, "{pieces:.3}, {whole:.3} without, at {lost} of 1,000");
    }
}

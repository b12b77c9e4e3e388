//! The figures of many lines, for people:
//! `cargo test --manifest-path sctp/Cargo.toml --release --lib simulation::table -- --nocapture --test-threads 1`.

use std::time::Duration;

use crate::control::Control;
use crate::control::bbr::Bbr;
use crate::control::simulation::Simulation;
use crate::control::simulation::cubic::Cubic;
use crate::control::simulation::path::Path;
use crate::control::simulation::reno::Reno;

const PACKET: usize = 1_200;

type Maker = fn() -> Box<dyn Control>;

fn bbr() -> Box<dyn Control> {
    Box::new(Bbr::new(PACKET))
}

fn reno() -> Box<dyn Control> {
    Box::new(Reno::new(PACKET))
}

fn cubic() -> Box<dyn Control> {
    Box::new(Cubic::new(PACKET))
}

fn cases() -> Vec<(&'static str, Path)> {
    let long = Path::megabits(100, 200);
    vec![
        ("200 Mbit/s 50 ms", Path::megabits(200, 50)),
        ("200 Mbit/s 50 ms, 1 %", Path::megabits(200, 50).loss_percent(1.0)),
        ("1 Gbit/s 50 ms", Path::megabits(1_000, 50)),
        ("1 Gbit/s 50 ms, 1 %", Path::megabits(1_000, 50).loss_percent(1.0)),
        ("1 Gbit/s 50 ms, 512 KiB", Path::megabits(1_000, 50).queue(512 * 1_024)),
        ("1 Gbit/s 2 ms, 512 KiB", Path::megabits(1_000, 2).queue(512 * 1_024)),
        ("100 Mbit/s 200 ms, 0.1 %, 64 KiB", long.loss_percent(0.1).queue(64 * 1_024)),
        ("20 Mbit/s 30 ms, 1 s of queue", Path::megabits(20, 30).queue(2_500_000)),
        ("20 Mbit/s 30 ms, 1 s, sack 25 ms", Path::megabits(20, 30).queue(2_500_000).sack_every_ms(25)),
        ("100 Mbit/s 40 ms, sack 10 ms", Path::megabits(100, 40).sack_every_ms(10)),
        ("100 Mbit/s 50 ms, 3 %", Path::megabits(100, 50).loss_percent(3.0)),
        ("100 Mbit/s 50 ms, 10 %", Path::megabits(100, 50).loss_percent(10.0)),
        ("100 Mbit/s 50 ms, 20 %", Path::megabits(100, 50).loss_percent(20.0)),
        ("1 Gbit/s 4 ms, 512 KiB", Path::megabits(1_000, 4).queue(512 * 1_024)),
        ("1 Gbit/s 6 ms, 512 KiB", Path::megabits(1_000, 6).queue(512 * 1_024)),
        ("1 Gbit/s 2 ms, 512 KiB, 1 %", Path::megabits(1_000, 2).queue(512 * 1_024).loss_percent(1.0)),
        ("4 Gbit/s 0 ms, 208 KiB", Path::megabits(4_000, 0).queue(208 * 1_024)),
        ("1 Gbit/s 1 ms, 100 KiB", Path::megabits(1_000, 1).queue(100 * 1_024)),
        ("20 Mbit/s 5 ms, 1 s", Path::megabits(20, 5).queue(2_500_000)),
        ("20 Mbit/s 2 ms, 1 s", Path::megabits(20, 2).queue(2_500_000)),
        ("20 Mbit/s 30 ms, jitter 10 ms", Path::megabits(20, 30).jitter_ms(10)),
        ("20 Mbit/s 30 ms, jitter 10 ms, 1 %", Path::megabits(20, 30).jitter_ms(10).loss_percent(1.0)),
        ("100 Mbit/s 30 ms, jitter 20 ms, 1 %", Path::megabits(100, 30).jitter_ms(20).loss_percent(1.0)),
        ("5 Mbit/s 60 ms, jitter 50 ms, 1 %", Path::megabits(5, 60).jitter_ms(50).loss_percent(1.0)),
        ("2 Mbit/s 80 ms", Path::megabits(2, 80)),
    ]
}

#[test]
fn alone() {
    println!("20 s alone | share, first 2 s | all | wait ms p50, p95 | sent/delivered | timeouts | stall ms");
    for (name, path) in cases() {
        for (kind, maker) in [("bbr", bbr as Maker), ("reno", reno as Maker)] {
            let mut simulation = Simulation::new(path, 7);
            simulation.add(maker(), PACKET);
            let first = simulation.run(Duration::from_secs(2))[0];
            let later = simulation.run(Duration::from_secs(18))[0];
            let [median, most] = simulation.waits([0.5, 0.95]);
            let flow = &simulation.flows[0];
            println!(
                "{name:36} {kind:5} {first:5.2} {:5.3} | {median:4} {most:4} | {:4.2} | {} | {}",
                (first + 9.0 * later) / 10.0,
                flow.sent as f64 / flow.delivered as f64,
                flow.timeouts,
                flow.longest_stall / 1_000_000
            );
        }
    }
}

#[test]
fn shared() {
    println!("60 s of two | share of each | wait ms p50, p95");
    let lines = [
        ("100 Mbit/s 40 ms, 1 BDP", Path::megabits(100, 40)),
        ("100 Mbit/s 40 ms, 2 BDP", Path::megabits(100, 40).queue(1_000_000)),
        ("100 Mbit/s 40 ms, 1/2 BDP", Path::megabits(100, 40).queue(250_000)),
        ("20 Mbit/s 30 ms, 1 s", Path::megabits(20, 30).queue(2_500_000)),
        ("50 Mbit/s 100 ms, 1 BDP", Path::megabits(50, 100)),
        ("10 Mbit/s 20 ms, 2 BDP", Path::megabits(10, 20)),
    ];
    for (name, path) in lines {
        for (kind, first, second) in [
            ("bbr+cubic", bbr as Maker, cubic as Maker),
            ("bbr+bbr", bbr, bbr),
            ("cubic+cubic", cubic, cubic),
        ] {
            let mut shares = Vec::new();
            let mut waits = [0; 2];
            for seed in 1..4 {
                let mut simulation = Simulation::new(path.loss_percent(0.001), seed);
                let lead = Duration::from_millis(1_000 * seed);
                let (one, other) = if seed == 2 { (second, first) } else { (first, second) };
                simulation.add(one(), PACKET);
                simulation.run(lead);
                simulation.add(other(), PACKET);
                let mut share = simulation.run(Duration::from_secs(60));
                if seed == 2 {
                    share.reverse();
                }
                waits = simulation.waits([0.5, 0.95]);
                shares.push(format!("{:.2}/{:.2}", share[0], share[1]));
            }
            println!("{name:28} {kind:12} {} | {waits:?}", shares.join("  "));
        }
    }
}

#[test]
fn curves() {
    let losses = [0.0, 0.1, 1.0, 3.0, 10.0, 20.0];
    println!("100 Mbit/s, 20 s, share by round trip (ms) and loss (%) {losses:?}");
    for round_trip in [1, 10, 25, 50, 100, 200, 400] {
        let shares: Vec<String> = losses
            .iter()
            .map(|loss| {
                let share = |seed| {
                    let path = Path::megabits(100, round_trip).loss_percent(*loss);
                    let mut simulation = Simulation::new(path, seed);
                    simulation.add(bbr(), PACKET);
                    simulation.run(Duration::from_secs(20))[0]
                };
                format!("{:5.2}", (1..=4).map(share).sum::<f64>() / 4.0)
            })
            .collect();
        println!("{round_trip:4} {}", shares.join(" "));
    }
}

#[test]
fn changing() {
    let lines = [
        ("100 -> 20 -> 100 Mbit/s, 50 ms", Path::megabits(100, 50), Path::megabits(20, 50).queue(625_000)),
        (
            "same, 1 %",
            Path::megabits(100, 50).loss_percent(1.0),
            Path::megabits(20, 50).queue(625_000).loss_percent(1.0),
        ),
        (
            "50 -> 150 -> 50 ms, 1 %",
            Path::megabits(100, 50).loss_percent(1.0),
            Path::megabits(100, 150).loss_percent(1.0),
        ),
        ("1 -> 30 -> 1 ms", Path::megabits(100, 1), Path::megabits(100, 30)),
    ];
    for (name, first, second) in lines {
        let mut simulation = Simulation::new(first, 5);
        simulation.add(bbr(), PACKET);
        print!("{name:32}");
        for path in [first, second, first] {
            simulation.path = path;
            for seconds in [1, 2, 3, 6, 8] {
                print!(" {:.2}", simulation.run(Duration::from_secs(seconds))[0]);
            }
            print!(" {:?} |", simulation.waits([0.5, 0.95]));
        }
        println!();
    }
}

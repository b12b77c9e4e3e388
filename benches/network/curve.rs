//! Throughput over round trip and loss, as a table of comma-separated values.

use std::fmt::Write as _;
use std::fs;
use std::path::Path as FilePath;
use std::time::Duration;

use crate::compare::arguments::Arguments;
use crate::compare::beside::count;
use crate::compare::case::{Path, Wan};
use crate::compare::lab::Lab;
use crate::compare::tools::{Tool, iperf3, p2pcp};
use crate::compare::transfer::Job;
use crate::support::{folder, make_tree, median};

pub const HEAD: &str = "rtt_ms,loss_percent,tool,mbit_per_second";

const RATE_MBIT: f64 = 100.0;
const ROUND_TRIPS_MS: [f64; 6] = [1.0, 10.0, 25.0, 50.0, 100.0, 200.0];
const LOSSES_PERCENT: [f64; 5] = [0.0, 0.1, 1.0, 3.0, 10.0];

/// How long each point is measured, from the first byte on, unless said otherwise.
const WINDOW: Duration = Duration::from_secs(5);

/// Files of this size, so that what has arrived is seen in steps of 64 KiB even where it crawls: p2pcp writes a chunk
/// of a large file when it has all of it.
const FILE_BYTES: usize = 64 << 10;

/// Measures every point and writes it at once, so that whoever stops it keeps what there is.
pub fn run(words: &[String], arguments: &Arguments) -> Result<(), String> {
    let [file] = words else { return Err("curve: say where the figures go, curve CSV".to_owned()) };
    let file = FilePath::new(file);
    let tools = arguments.tools()?;
    let tools = tools.iter().filter(|it| matches!(it, Tool::P2pcp { .. } | Tool::Iperf3(_)));
    let window = arguments.window.unwrap_or(WINDOW);
    // More than the line carries meanwhile: half as much again.
    let files = (RATE_MBIT * 1e6 / 8.0 * window.as_secs_f64() * 1.5) as u32 / FILE_BYTES as u32;
    let folder = folder();
    let job = Job {
        source: folder.join("source").join("tree"),
        target: folder.join("target"),
        work: folder.join("work"),
        total_bytes: u64::from(files) * FILE_BYTES as u64,
        limit: arguments.limit,
        window,
    };
    make_tree(&job.source, files, FILE_BYTES);
    fs::create_dir_all(&job.work).map_err(|error| error.to_string())?;
    let mut csv = format!("{HEAD}\n");
    for rtt_ms in ROUND_TRIPS_MS {
        for loss_percent in LOSSES_PERCENT {
            let wan = Wan { rate_mbit: RATE_MBIT, rtt_ms, loss_percent, queue_bytes: None };
            let mut points: Vec<_> = tools.clone().map(|it| (it, Vec::new())).collect();
            for round in 1..=arguments.rounds {
                for (tool, values) in &mut points {
                    let value = point(tool, wan, round, &job).unwrap_or_else(|error| {
                        eprintln!("{rtt_ms} ms, {loss_percent} %, {}: {error}", tool.name());
                        0.0
                    });
                    eprintln!("{rtt_ms} ms, {loss_percent} %, {}: {value:.2} Mbit/s", tool.name());
                    values.push(value);
                }
            }
            for (tool, values) in points {
                let value = median(values.into_iter());
                writeln!(csv, "{rtt_ms},{loss_percent},{},{value:.3}", tool.name())
                    .expect("a string takes it");
            }
            write(file, &csv)?;
        }
    }
    fs::remove_dir_all(&folder).ok();
    Ok(())
}

/// Mbit/s of payload. Each one has a lab of its own: no tool meets the queue that another one left.
fn point(tool: &Tool, wan: Wan, seed: u32, job: &Job) -> Result<f64, String> {
    fs::remove_dir_all(&job.target).ok();
    let lab = Lab::build(Path::Wan(wan), seed)?;
    let run = match tool {
        Tool::P2pcp { program, .. } => {
            let mut pair = p2pcp::start(&lab, false, program, job)?;
            pair.first_byte(job)?;
            count(&mut pair, job, job.window, || ())
        }
        Tool::Iperf3(congestion_control) => {
            iperf3::start(&lab, congestion_control, job, job.window)?.ends()?
        }
        _ => return Err("not a tool for curves".to_owned()),
    };
    Ok(run.bytes as f64 * 8.0 / run.seconds / 1e6)
}

fn write(file: &FilePath, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

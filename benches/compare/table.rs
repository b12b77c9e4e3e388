//! Figures as a table for people and as JSON for programs.

use serde_json::{Value, json};

use crate::compare::case::{Case, Kind, Path};
use crate::compare::process::Usage;
use crate::compare::transfer::Run;
use crate::support::median;

const GIB: f64 = (1_u64 << 30) as f64;
const MIB: f64 = (1_u64 << 20) as f64;

/// Below this a rate says more about setting up than about carrying.
const LEAST_BYTES_FOR_A_RATE: u64 = 1 << 20;

/// All runs of one tool in one case.
pub struct Results {
    pub tool: String,
    pub runs: Vec<Run>,
    pub failures: Vec<String>,
}

pub const HEAD: &str = "\
| case | tool | MB/s | of the line | CPU s/GiB send / recv | peak MiB send / recv | first byte s | end s | first / this | notes |
|---|---|---|---|---|---|---|---|---|---|";

/// One line of the table. `first` is what the others are compared with.
pub fn line(case: &Case, results: &Results, first: &Results) -> String {
    let runs = &results.runs;
    let speed = speed(runs);
    let whole = runs.iter().all(|it| it.whole);
    let if_meant = |it| if case.load.total() >= LEAST_BYTES_FOR_A_RATE { it } else { String::new() };
    let compared = !std::ptr::eq(first, results) && !matches!(case.kind, Kind::Shared(_));
    let ratio = if compared { self::speed(&first.runs) / speed } else { f64::NAN };
    let cells = [
        case.name.to_owned(),
        results.tool.clone(),
        if_meant(figure(speed / 1e6, 2)),
        if_meant(case.path.line_rate().map_or(String::new(), |it| percent(speed * 8.0 / it))),
        if_meant(both(runs, cpu_per_gib, 2)),
        both(runs, |_, usage| usage.peak_bytes.map(|it| it as f64 / MIB), 0),
        figure(median(runs.iter().filter_map(|it| it.first_byte_seconds)), 2),
        figure(if whole { median(runs.iter().map(|it| it.seconds)) } else { f64::NAN }, 2),
        figure(ratio, 2),
        notes(case, results),
    ];
    format!("| {} |", cells.join(" | "))
}

/// What one run reached, for who watches.
pub fn brief(run: &Run) -> String {
    format!("{} bytes in {:.2} s, {:.2} MB/s", run.bytes, run.seconds, run.bytes as f64 / run.seconds / 1e6)
}

/// Everything that was measured in a case.
pub fn record(case: &Case, results: &[Results]) -> Value {
    let path = match &case.path {
        Path::Loopback => json!({ "kind": "loopback" }),
        Path::Cable => json!({ "kind": "cable" }),
        Path::Wan(wan) => json!({
            "kind": "wan", "rate_mbit": wan.rate_mbit, "rtt_ms": wan.rtt_ms,
            "loss_percent": wan.loss_percent, "queue_bytes": wan.queue(),
        }),
    };
    let tools = results.iter().map(|it| {
        json!({ "tool": it.tool, "failures": it.failures, "runs": it.runs.iter().map(record_run).collect::<Vec<_>>() })
    });
    json!({ "case": case.name, "path": path, "files": case.load.files, "bytes": case.load.total(), "tools": tools.collect::<Vec<_>>() })
}

fn record_run(run: &Run) -> Value {
    let usage = |it: &Usage| json!({ "cpu_seconds": it.cpu_seconds, "peak_bytes": it.peak_bytes });
    json!({
        "seconds": run.seconds, "bytes": run.bytes, "whole": run.whole, "first_byte_seconds": run.first_byte_seconds,
        "send": usage(&run.usage[0]), "recv": usage(&run.usage[1]), "round_trips_ms": run.round_trips_ms,
        "beside": run.beside.as_ref().map(|(name, speed)| json!({ "tool": name, "bytes_per_second": speed })),
        "retransmits": run.retransmits, "emulator_shortfall_packets": run.shortfall,
    })
}

/// Bytes a second.
fn speed(runs: &[Run]) -> f64 {
    median(runs.iter().map(|it| it.bytes as f64 / it.seconds))
}

fn cpu_per_gib(run: &Run, usage: &Usage) -> Option<f64> {
    usage.cpu_seconds.filter(|_| run.bytes > 0).map(|it| it / (run.bytes as f64 / GIB))
}

/// `sender / receiver` of what is known.
fn both(runs: &[Run], of: impl Fn(&Run, &Usage) -> Option<f64>, decimals: usize) -> String {
    let side = |index: usize| median(runs.iter().filter_map(|it| of(it, &it.usage[index])));
    match (side(0), side(1)) {
        (send, recv) if send.is_nan() && recv.is_nan() => String::new(),
        (send, recv) => format!("{} / {}", figure(send, decimals), figure(recv, decimals)),
    }
}

fn notes(case: &Case, results: &Results) -> String {
    let runs = &results.runs;
    let mut notes = Vec::new();
    let stopped = runs.iter().filter(|it| !it.whole).count();
    if let (true, Some(run)) =
        (stopped > 0 && !matches!(case.kind, Kind::Shared(_)), runs.iter().find(|it| !it.whole))
    {
        notes.push(format!("{stopped} of {} stopped after {:.0} s", runs.len(), run.seconds));
    }
    let beside = runs.iter().filter_map(|it| it.beside.as_ref());
    if let (Some((name, _)), Some(line)) = (beside.clone().next(), case.path.line_rate()) {
        notes.push(format!("{name} got {}", percent(median(beside.map(|it| it.1 * 8.0 / line)))));
    }
    if let Path::Wan(wan) = &case.path {
        // All runs in one: a queue's worst moments are few.
        let mut added: Vec<f64> =
            runs.iter().flat_map(|it| &it.round_trips_ms).map(|it| it - wan.rtt_ms).collect();
        added.sort_by(f64::total_cmp);
        if let Some(late) = added.get(added.len() * 95 / 100) {
            notes.push(format!(
                "delay added: median {:.0} ms, p95 {late:.0} ms",
                median(added.iter().copied())
            ));
        }
    }
    let retransmits = median(runs.iter().filter_map(|it| it.retransmits).map(|it| it as f64));
    if retransmits > 0.0 {
        notes.push(format!("{retransmits:.0} segments sent again"));
    }
    let shortfall = runs.iter().map(|it| it.shortfall).max().unwrap_or(0);
    if shortfall > 0 {
        notes.push(format!("the emulator was too slow for {shortfall} packets"));
    }
    if !results.failures.is_empty() {
        notes.push(format!("{} of {} failed", results.failures.len(), results.failures.len() + runs.len()));
    }
    notes.join("; ")
}

/// Nothing where nothing is known.
fn figure(value: f64, decimals: usize) -> String {
    if value.is_finite() { format!("{value:.decimals$}") } else { String::new() }
}

fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.0} %", share * 100.0) } else { String::new() }
}

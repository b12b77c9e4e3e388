//! Comparing ways to copy files: every case, every tool, in turn, so that what the machine does meanwhile hits all.

pub mod arguments;
pub mod beside;
pub mod case;
mod cases;
pub mod lab;
mod process;
mod table;
pub mod tools;
pub mod transfer;

use std::fs;
use std::path::Path as FilePath;
use std::time::Duration;

use serde_json::json;

use crate::compare::arguments::Arguments;
use crate::compare::beside::{Other, Pings};
use crate::compare::case::{Case, Kind, Path};
use crate::compare::cases::CASES;
use crate::compare::lab::Lab;
use crate::compare::table::Results;
use crate::compare::tools::{Tool, version};
use crate::compare::transfer::{Job, Run};
use crate::support::{folder, make_tree};

/// How long TCP alone is measured: as long as the other cases take at line rate.
const WINDOW: Duration = Duration::from_secs(12);

/// Who shares a line with p2pcp in a case of sharing.
const OTHERS_ON_THE_LINE: [Other; 2] = [Other::Tcp("cubic"), Other::Ourselves];

/// Runs the cases along such paths that were asked for, all when none was named, and prints the table.
pub fn run(arguments: &Arguments, along: impl Fn(&Path) -> bool) -> Result<(), String> {
    let cases: Vec<_> = CASES.iter().filter(|it| along(&it.path)).collect();
    if arguments.words == ["list"] {
        cases.iter().for_each(|it| println!("{}: {}; {}", it.name, it.load, it.path));
        return Ok(());
    }
    if let Some(unknown) = arguments.words.iter().find(|it| cases.iter().all(|case| case.name != **it)) {
        return Err(format!("there is no case `{unknown}`; `list` shows them"));
    }
    let chosen = cases
        .iter()
        .filter(|it| arguments.words.is_empty() || arguments.words.iter().any(|word| word == it.name));
    let tools = arguments.tools()?;
    let versions = versions();
    for said in &versions {
        println!("{said}  ");
    }
    println!("\n{}", table::HEAD);
    let (folder, mut records) = (folder(), Vec::new());
    for case in chosen {
        let results = measure(case, &tools, arguments, &folder);
        fs::remove_dir_all(&folder).ok();
        let results = results?;
        for result in &results {
            println!("{}", table::line(case, result, &results[0]));
        }
        records.push(table::record(case, &results));
        // After each case: whoever stops a long run keeps what there is.
        if let Some(file) = &arguments.json {
            let report = json!({ "machine": versions, "rounds": arguments.rounds, "cases": records });
            fs::write(file, format!("{report:#}\n"))
                .map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    Ok(())
}

/// Every contender of a case, in turn, as often as asked.
fn measure(
    case: &Case,
    tools: &[Tool],
    arguments: &Arguments,
    folder: &FilePath,
) -> Result<Vec<Results>, String> {
    let job = Job {
        source: folder.join("source").join("tree"),
        target: folder.join("target"),
        work: folder.join("work"),
        total_bytes: case.load.total(),
        limit: arguments.limit,
        window: arguments.window.unwrap_or(WINDOW),
    };
    make_tree(&job.source, case.load.files, case.load.bytes);
    fs::create_dir_all(&job.work).map_err(|error| error.to_string())?;
    let mut contenders = Vec::new();
    for tool in tools.iter().filter(|it| it.fits(case)) {
        match case.kind {
            Kind::Transfer | Kind::Pinged => contenders.push((tool, None)),
            Kind::Shared(_) => contenders.extend(OTHERS_ON_THE_LINE.map(|other| (tool, Some(other)))),
        }
    }
    let named = contenders.iter().map(|(tool, other)| match other {
        Some(other) => format!("{} beside {}", tool.name(), other.name(tool)),
        None => tool.name(),
    });
    let mut results: Vec<_> = named.map(|tool| Results { tool, runs: vec![], failures: vec![] }).collect();
    for round in 1..=arguments.rounds {
        for ((tool, other), results) in contenders.iter().zip(&mut results) {
            // A lab of its own: no run meets what is still on its way from the one before. The tools of a round
            // meet the same luck, as far as luck can be the same for different packets.
            let lab = Lab::build(case.path, round)?;
            let run = once(&lab, case, tool, *other, &job);
            fs::remove_dir_all(&job.target).ok();
            match run {
                Ok(mut run) => {
                    run.shortfall = lab.shortfall();
                    eprintln!("{} {round}: {}: {}", case.name, results.tool, table::brief(&run));
                    results.runs.push(run);
                }
                Err(error) => {
                    eprintln!("{} {round}: {}: failed: {error}", case.name, results.tool);
                    results.failures.push(error);
                }
            }
        }
    }
    Ok(results)
}

fn once(lab: &Lab, case: &Case, tool: &Tool, other: Option<Other>, job: &Job) -> Result<Run, String> {
    match (&case.kind, other) {
        (Kind::Shared(window), Some(other)) => beside::share(lab, tool, other, job, *window),
        (Kind::Pinged, _) => {
            let mut pings = None;
            let run = tool.carry(lab, case, job, || pings = Pings::start(lab, job).ok());
            run.map(|run| Run { round_trips_ms: pings.map(Pings::end).unwrap_or_default(), ..run })
        }
        _ => tool.carry(lab, case, job, || ()),
    }
}

/// What the figures depend on.
fn versions() -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, |it| it.get());
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|it| it.strip_prefix("model name")).unwrap_or_default();
    let mut said = vec![format!("{cores} cores, {}", processor.trim_matches([' ', '\t', ':']))];
    said.extend(version("uname", "-sr"));
    let tools = [("iperf3", "--version"), ("ssh", "-V"), ("rsync", "--version"), ("croc", "--version")];
    said.extend(tools.into_iter().filter_map(|(program, argument)| version(program, argument)));
    said
}

//! Whether any two hosts connect, by which path, and how soon: transfers between real processes in networks of tools/netlab.
//!
//! `sudo tools/reach.sh` says how it is called. The figures are in docs/REACH.md.

mod capture;
mod lab;
mod list;
mod matrix;
mod process;
mod report;
mod scenarios;
mod servers;
mod transfer;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::list::{SCENARIOS, SHORT, Scenario};
use crate::matrix::{Cell, ROUTERS, Router};
use crate::scenarios::Verdict;
use crate::transfer::Bench;

/// What is sent in each run, in bytes.
const FILE_BYTES: usize = 1 << 20;

/// Transfers of each cell where nothing else is said.
const ROUNDS: u32 = 20;

/// One way on the link at `a`, in milliseconds, as the figures are promised for: 20 ms from host to host.
const DELAY_MS: &str = "20";

/// What was asked for.
struct Arguments {
    program: PathBuf,
    work: PathBuf,
    rounds: u32,
    delay_ms: String,
    /// One transfer of each pair, and times are shown but not judged.
    short: bool,
    pairs: Vec<(Router, Router)>,
    scenarios: Vec<&'static Scenario>,
    /// The document that gets the tables of whatever ran completely.
    document: Option<PathBuf>,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Measures; whether all is as it should be.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let bench = Bench { program: arguments.program.clone(), work: arguments.work.clone(), bytes: FILE_BYTES };
    servers::certify(&bench.work)?;
    let timed = !arguments.short;
    let mut cells: Vec<Cell> = Vec::new();
    for pair in &arguments.pairs {
        let rounds = arguments.rounds;
        cells.extend(matrix::measure(&bench, *pair, rounds, arguments.short, &arguments.delay_ms)?);
    }
    cells.sort_by_key(|it| (place(it.sender), place(it.receiver)));
    let mut ran = Vec::new();
    for scenario in &arguments.scenarios {
        let verdict = scenarios::run(scenario, &bench, &arguments.delay_ms, timed);
        match &verdict {
            Verdict::Passed(outcome, note) => {
                let path = outcome.as_ref().map_or("", |it| &it.path);
                eprintln!("{}: ok {path} {note}", scenario.name);
            }
            Verdict::Failed(outcome, why) => {
                let path = outcome.as_ref().map_or("", |it| &it.path);
                eprintln!("{}: FAILED: {path} {why}", scenario.name);
            }
            Verdict::Skipped(why) => eprintln!("{}: SKIPPED: {why}", scenario.name),
        }
        ran.push((*scenario, verdict));
    }
    if !cells.is_empty() {
        let table = report::matrix(&cells, timed);
        println!("{table}");
        if let Some(document) = arguments.document.as_ref().filter(|_| cells.len() == 36) {
            report::put(document, "matrix", &table)?;
        }
    }
    if !ran.is_empty() {
        let table = report::scenarios(&ran);
        println!("{table}");
        if let Some(document) = arguments.document.as_ref().filter(|_| ran.len() == SCENARIOS.len()) {
            report::put(document, "scenarios", &table)?;
        }
    }
    let short: usize = cells.iter().filter(|it| !report::shortfalls(it, timed).is_empty()).count();
    let failed = ran.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Failed(..))).count();
    println!(
        "{} of {} pairs and {} of {} scenarios as they should be",
        cells.len() - short,
        cells.len(),
        ran.len() - failed,
        ran.len()
    );
    Ok(short + failed == 0)
}

/// Where a kind stands in the table.
fn place(router: Router) -> Option<usize> {
    ROUTERS.iter().position(|it| *it == router)
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments {
        program: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/release/p2pcp"),
        work: std::env::var_os("REACH_WORK").map_or_else(std::env::temp_dir, PathBuf::from),
        rounds: ROUNDS,
        delay_ms: DELAY_MS.to_owned(),
        short: false,
        pairs: vec![],
        scenarios: vec![],
        document: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--program" => arguments.program = value()?.into(),
            "--rounds" => arguments.rounds = value()?.parse().map_err(|_| "`--rounds` needs a number")?,
            "--delay" => arguments.delay_ms = value()?,
            "--write" => arguments.document = Some(value()?.into()),
            "short" => {
                arguments.short = true;
                arguments.rounds = 1;
                // A full cone is to the others what no NAT is.
                arguments
                    .pairs
                    .extend(pairs().filter(|(a, b)| [a, b].iter().all(|it| it.kind != "fullcone")));
                arguments.scenarios.extend(SCENARIOS.iter().filter(|it| SHORT.contains(&it.name)));
            }
            "matrix" => arguments.pairs.extend(pairs()),
            "scenarios" => arguments.scenarios.extend(SCENARIOS),
            "all" => {
                arguments.pairs.extend(pairs());
                arguments.scenarios.extend(SCENARIOS);
            }
            name => arguments.add(name)?,
        }
    }
    if arguments.pairs.is_empty() && arguments.scenarios.is_empty() {
        return Err(
            "say `short`, `matrix`, `scenarios`, `all`, a scenario or a pair like cone:symmetric".to_owned()
        );
    }
    if !arguments.program.is_file() {
        return Err(format!("{}: not there; cargo build --release", arguments.program.display()));
    }
    Ok(arguments)
}

impl Arguments {
    /// A scenario, or two kinds of routers with a colon between them.
    fn add(&mut self, name: &str) -> Result<(), String> {
        if let Some(scenario) = SCENARIOS.iter().find(|it| it.name == name) {
            self.scenarios.push(scenario);
            return Ok(());
        }
        let router = |kind: &str| ROUTERS.into_iter().find(|it| it.kind == kind);
        let pair = name.split_once(':').and_then(|(a, b)| Some((router(a)?, router(b)?)));
        self.pairs.push(pair.ok_or_else(|| {
            let names: Vec<_> = SCENARIOS.iter().map(|it| it.name).collect();
            format!("`{name}` is neither a pair of routers nor one of {}", names.join(" "))
        })?);
        Ok(())
    }
}

/// Every pair, each once.
fn pairs() -> impl Iterator<Item = (Router, Router)> {
    ROUTERS.into_iter().enumerate().flat_map(|(at, a)| ROUTERS.into_iter().skip(at).map(move |b| (a, b)))
}

//! What a bench is asked for. These few flags are read by hand: benches share no argument parser with the program.

use std::path::PathBuf;
use std::time::Duration;

use crate::compare::tools::{OTHERS, Tool};
use crate::support::rounds;

/// Seconds after which a run is stopped, unless asked otherwise: a path on which a transfer crawls would take hours.
const LIMIT_SECONDS: u64 = 60;

pub struct Arguments {
    /// Names of cases, or a command.
    pub words: Vec<String>,
    pub rounds: u32,
    /// Builds of p2pcp that are compared with each other.
    pub programs: Vec<Tool>,
    pub also: Vec<Tool>,
    pub json: Option<PathBuf>,
    pub limit: Duration,
    /// How long is measured what has no end of its own, where it was said.
    pub window: Option<Duration>,
}

impl Arguments {
    pub fn parse() -> Result<Arguments, String> {
        let mut arguments = Arguments {
            words: Vec::new(),
            rounds: rounds(),
            programs: Vec::new(),
            also: OTHERS.iter().flat_map(|it| it.1).cloned().collect(),
            json: None,
            limit: Duration::from_secs(LIMIT_SECONDS),
            window: None,
        };
        let mut given = std::env::args().skip(1);
        while let Some(word) = given.next() {
            let mut value = || given.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                // Cargo says this to every bench.
                "--bench" => {}
                "--rounds" => arguments.rounds = number(&value()?)? as u32,
                "--limit" => arguments.limit = Duration::from_secs(number(&value()?)?),
                "--seconds" => arguments.window = Some(Duration::from_secs(number(&value()?)?)),
                "--program" => arguments.programs.push(program(&value()?)),
                "--also" => arguments.also = others(&value()?)?,
                "--json" => arguments.json = Some(value()?.into()),
                flag if flag.starts_with('-') => return Err(format!("there is no {flag}")),
                _ => arguments.words.push(word),
            }
        }
        if arguments.programs.is_empty() {
            arguments.programs.push(program(env!("CARGO_BIN_EXE_p2pcp")));
        }
        Ok(arguments)
    }

    /// Everything that is compared and is there. Says what is not.
    pub fn tools(&self) -> Result<Vec<Tool>, String> {
        for program in &self.programs {
            program.missing().map_or(Ok(()), Err)?;
        }
        let (there, missing): (Vec<_>, Vec<_>) =
            self.also.iter().cloned().partition(|it| it.missing().is_none());
        for tool in missing {
            eprintln!("skipped: {}: {}", tool.name(), tool.missing().unwrap_or_default());
        }
        Ok(self.programs.iter().cloned().chain(there).collect())
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|it| *it > 0).ok_or(format!("`{text}` is not a number above 0"))
}

/// `PATH` or `NAME=PATH`.
fn program(text: &str) -> Tool {
    let (name, program) = text.split_once('=').unwrap_or(("p2pcp", text));
    let program = PathBuf::from(program);
    // A namespace's process starts elsewhere in the tree of folders.
    Tool::P2pcp { name: name.to_owned(), program: program.canonicalize().unwrap_or(program) }
}

/// `none`, or names separated by commas.
fn others(text: &str) -> Result<Vec<Tool>, String> {
    let mut tools = Vec::new();
    for name in text.split(',').filter(|it| *it != "none") {
        let (_, found) = OTHERS.iter().find(|it| it.0 == name).ok_or(format!("there is no tool `{name}`"))?;
        tools.extend_from_slice(found);
    }
    Ok(tools)
}

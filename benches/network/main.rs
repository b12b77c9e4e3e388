//! How fast p2pcp sends over paths that are longer, narrower and worse than loopback, against other tools in turn.
//!
//! `sudo tools/network-bench.sh [CASE...] [--rounds N] [--program [NAME=]PATH]... [--also TOOLS] [--json FILE]` prints
//! the table that benches/README.md explains; `curve CSV` measures throughput over round trip and loss, and
//! `draw CSV... SVG` makes a picture of it.

#[path = "../compare/mod.rs"]
mod compare;
mod curve;
mod draw;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use crate::compare::arguments::Arguments;
use crate::compare::case::Path;
use crate::compare::lab;

fn main() -> ExitCode {
    match Arguments::parse().and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let (command, rest) =
        arguments.words.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    if command == "draw" {
        return draw::run(rest);
    }
    if command != "list" {
        lab::possible()?;
    }
    match command {
        "curve" => curve::run(rest, arguments),
        _ => compare::run(arguments, |path| !matches!(path, Path::Loopback)),
    }
}

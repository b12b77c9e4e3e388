//! How fast one machine sends to itself: the built `p2pcp`, two processes, real WebRTC over loopback, hashing and
//! commit included, against other tools in turn.
//!
//! `cargo bench --bench loopback -- [CASE...] [--rounds N] [--also TOOLS] [--json FILE]` prints the table that
//! benches/README.md explains. `P2PCP_BENCH_DIR` says where the trees lie (a tmpfs by default, where there is one),
//! `P2PCP_BENCH_ROUNDS` how often (5).

mod compare;
mod support;

use std::process::ExitCode;

use crate::compare::arguments::Arguments;
use crate::compare::case::Path;

fn main() -> ExitCode {
    match Arguments::parse()
        .and_then(|arguments| compare::run(&arguments, |path| matches!(path, Path::Loopback)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

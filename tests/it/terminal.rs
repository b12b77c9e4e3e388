//! What a person at a terminal sees and types: the real binary on a pty, and the screen that it draws.

mod choosing;
mod code;
mod keys;
mod prompts;

use crate::support::Work;
use crate::support::terminal::Terminal;

/// p2pcp with these arguments at a terminal, on this machine only.
fn p2pcp(work: &Work, arguments: &str) -> Terminal {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    Terminal::start(env!("CARGO_BIN_EXE_p2pcp"), &arguments, &work.path(""))
}

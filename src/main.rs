//! The `p2pcp` command: starts the runtime, runs the command line, exits.

#![forbid(unsafe_code)]
#![deny(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

use std::process::ExitCode;

/// One thread for the network; files have threads of their own. On two cores this is faster than a pool
/// of workers that hand packets to each other.
fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // The only words from outside `ui`: without a runtime there is no reporter.
            #[expect(clippy::print_stderr, reason = "nothing else works yet")]
            {
                eprintln!("error: the operating system gives no event loop: {error}");
            }
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(p2pcp::cli::run(std::env::args_os()));
    // Name look-ups may still block a thread; nobody waits for their answers.
    runtime.shutdown_background();
    ExitCode::from(code.number())
}

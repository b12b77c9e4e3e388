//! The `p2pcp` command: starts the runtime, runs the command line, exits.

#![forbid(unsafe_code)]
#![deny(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

use std::process::ExitCode;

/// One thread for the network; files have threads of their own. On two cores this is faster than a pool
/// of workers that hand packets to each other.
fn main() -> ExitCode {
    keep_freed_memory();
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

/// Tells glibc's allocator that large blocks come and go here.
///
/// It maps blocks of 128 KiB and more anew each time, and gives what is free at the heap's end back at once: that is what
/// blocks of a file are, and faulting their pages in again took 6 % of the time of 1 GiB over loopback. Both limits follow the
/// largest mapped block that was freed (mallopt(3), `M_MMAP_THRESHOLD`), up to 32 MiB; nobody has to touch it for that.
fn keep_freed_memory() {
    const LARGEST_BYTES: usize = 16 << 20;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGEST_BYTES)));
}

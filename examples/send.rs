//! Sends files from a program of one's own, and shows what matters of it.
//!
//! `cargo run --release --example send -- photos/ notes.txt`, and on another machine of the network `p2pcp recv CODE`. With
//! `--loopback` in front it stays on this machine.

use std::error::Error;

use p2pcp::lan::Scope;
use p2pcp::send::{Meeting, Options};
use p2pcp::{Event, Sender};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (flags, paths): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|it| it == "--loopback");
    let mut options = Options::new(paths);
    if !flags.is_empty() {
        options.meeting = Meeting::Here(Scope::Loopback);
    }
    let mut transfer = Sender::new(options).start();
    while let Some(event) = transfer.next_event().await {
        match event {
            Event::Code { code, .. } => println!("code: {code}"),
            Event::Progress(progress) => println!("{} of {} bytes", progress.bytes, progress.total_bytes),
            Event::Finished { summary, elapsed, .. } => {
                println!("sent {} files in {elapsed:?}", summary.files)
            }
            _ => (),
        }
    }
    // What went wrong, if something did; its `hint` says what to do.
    transfer.finish().await?;
    Ok(())
}

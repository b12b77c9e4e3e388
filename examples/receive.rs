//! Receives from a program of one's own, which decides by itself what it accepts: at most 1 GiB.
//!
//! `cargo run --release --example receive -- 417-aloe-tuba downloads`. With `--loopback` in front it stays on this machine.

use std::error::Error;

use p2pcp::code::Code;
use p2pcp::lan::Scope;
use p2pcp::recv::Options;
use p2pcp::send::Meeting;
use p2pcp::{Event, Receiver};

const MOST_BYTES: u64 = 1 << 30;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (flags, words): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|it| it == "--loopback");
    let [code, folder] = words.as_slice() else { return Err("usage: receive CODE FOLDER".into()) };
    let mut options = Options::new(Code::parse(code)?.code, folder);
    if !flags.is_empty() {
        options.meeting = Meeting::Here(Scope::Loopback);
    }
    let mut transfer = Receiver::new(options).start();
    while let Some(event) = transfer.next_event().await {
        match event {
            Event::Offered { offer, .. } => match offer.totals.complete && offer.totals.bytes <= MOST_BYTES {
                true => transfer.accept(),
                false => transfer.decline(),
            },
            Event::Entry { path, .. } => {
                println!("{path}");
                true
            }
            _ => true,
        };
    }
    transfer.finish().await?;
    Ok(())
}

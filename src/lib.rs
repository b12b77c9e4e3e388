//! p2pcp: peer-to-peer file copy over WebRTC.
//!
//! [`Sender`] and [`Receiver`] start a [`Transfer`], which yields [`Event`]s to its end; the command `p2pcp` is made of them.
//! They need a tokio runtime with I/O and time, print nothing, and take over no signals:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use p2pcp::{Event, Sender, send};
//!
//! let mut transfer = Sender::new(send::Options::new(["photos"])).start();
//! while let Some(event) = transfer.next_event().await {
//!     match event {
//!         Event::Code { code, .. } => println!("tell the other side: {code}"),
//!         Event::Progress(progress) => println!("{} of {}", progress.bytes, progress.total_bytes),
//!         _ => (),
//!     }
//! }
//! transfer.finish().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `examples/send.rs` and `examples/receive.rs` are whole programs. All other modules are parts of the command that tests and
//! measurements use; they change without notice.
//!
//! # The parts
//!
//! A pure core, thin hands, one narrow waist. Imports go right and down only; `tests/it/layering.rs`
//! checks it. `ARCHITECTURE.md` is the map, `docs/PROTOCOL.md` the protocol.
//!
//! ```text
//!  main > cli -+-> send -+-> connect -+-> signaling   (websocket client) --------+
//!              |    |    |     |      +-> transport   (WebRTC, lanes)  ----------+
//!              +-> recv -+     |      +-> code        (nameplate + secret) ------+
//!              |    |    |     +------+-> session::handshake > crypto            +-> wire
//!              |    |    +-> drive ---+-> session     (sans-IO state) > crypto --+   messages, limits,
//!              |    |    |            +-> fs          (walk, sink, journal) -----+   names, blocks
//!              |    |    |            +-> pack        (chunks, Zstandard) --------+
//!              |    |    +-> lan      (DNS-SD, the port of a nameplate) ---------+
//!              |    +-> transfer > event  (what happens, for whoever watches) ---+
//!              +-> ui  (events in; bars, prompts out) ---------------------------+
//!              +-> signal, send > server    (rooms, sockets, limits) ------------+
//!              +-> doctor > signaling, lan  (probes, and what they mean) --------+
//!  error: facts of every layer in; one sentence, a hint and an exit code out.
//! ```
//!
//! *code* (what people say) = *nameplate* (public number) + *secret* (words). *room*: the server's side of
//! a nameplate. *peer*: the other p2pcp. *link*: an authenticated connection; *lane*: one of its peer
//! connections; *channel*: a data channel in a lane. *session*: one transfer. *manifest* of *entries*;
//! *chunk*: 1 MiB of an entry; *block*: one bulk message. *stage*: where unfinished bytes live;
//! *journal*: the record of what is durable in it.

#![deny(unsafe_code)]
#![deny(missing_docs)]
#![deny(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

pub mod clean;
pub mod cli;
pub mod code;
pub mod connect;
pub mod crypto;
pub mod dial;
pub mod doctor;
pub mod drive;
pub mod dry_run;
pub mod error;
pub mod event;
pub mod fs;
mod interrupt;
pub mod lan;
pub mod pack;
mod reconnect;
pub mod recv;
pub mod send;
pub mod server;
pub mod session;
pub mod signal;
pub mod signaling;
mod transfer;
pub mod transport;
pub mod ui;
pub mod wire;

pub use crate::event::Event;
pub use crate::recv::Receiver;
pub use crate::send::Sender;
pub use crate::transfer::Transfer;

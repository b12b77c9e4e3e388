//! A hostile signaling server, and a man in the middle of DTLS, against real peers.
//!
//! Two real peers ([`p2pcp::connect`]) meet over real WebSockets at a server written here, which
//! forwards between them and does one thing wrong. Whatever it does, neither side gets a bound link,
//! and both hear of it by an error long before a deadline; what is harmless does bind.
//!
//! Both peers name the same host, so that a lane that does come up stays on loopback.
//!
//! ```text
//! middle     the server in the middle, and the two peers        guesses    wrong words, and PAKEs of its own
//! tampering  messages changed, moved, repeated, made up         shares     what the PAKE stands on, changed
//! manners    frames, kinds, closings, second guesses            lanes      a man in the middle of DTLS
//! ahead      an offer that goes out before the sender's hello
//! ```

mod ahead;
mod guesses;
mod lanes;
mod manners;
mod middle;
mod shares;
mod tampering;

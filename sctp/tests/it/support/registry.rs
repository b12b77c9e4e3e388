//! The package of the same name in the registry as a [`Peer`](crate::support::peer::Peer).

use registry_sctp as engine;

#[allow(clippy::duplicate_mod, reason = "the same calls of two packages")]
#[path = "rtc.rs"]
mod rtc;

pub use rtc::RtcPeer as Registry;

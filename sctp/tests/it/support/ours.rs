//! This package's engine as a [`Peer`](crate::support::peer::Peer).

use rtc_sctp as engine;

#[path = "rtc.rs"]
mod rtc;

pub use rtc::RtcPeer as Ours;

fn abort(association: &mut engine::Association) {
    association.abort().expect("aborting is always possible");
}

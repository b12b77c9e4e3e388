//! The package of the same name in the registry as a [`Peer`](crate::support::peer::Peer).

use registry_sctp as engine;

#[allow(clippy::duplicate_mod, reason = "the same calls of two packages")]
#[path = "rtc.rs"]
mod rtc;

pub use rtc::RtcPeer as Registry;

/// That version cannot say so.
fn abort(association: &mut engine::Association) {
    association.close(engine::AssociationError::LocallyClosed).expect("closing is always possible");
}

//! What the library tells of a lane while it works: candidates, and what became of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use webrtc::data_channel::DataChannel;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceCandidate, RTCIceGatheringState, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState,
};

use crate::transport::candidates::{Candidate, may_be_told};
use crate::transport::grounds::Policy;
use crate::transport::link_local::LinkLocals;
use crate::transport::peer::LaneEvent;
use crate::transport::way::{Own, Seen};

/// Hears what the library tells, and passes on what matters.
pub(super) struct Handler {
    pub(super) events: mpsc::Sender<LaneEvent>,
    pub(super) policy: Policy,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) link_locals: LinkLocals,
}

/// Nobody panics with it held.
pub(super) fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let event = RTCPeerConnectionIceEvent { candidate: self.link_locals.told(event.candidate), ..event };
        let Some(candidate) = Candidate::ours(&event.candidate) else { return };
        let (kind, address) = (candidate.kind, candidate.address);
        lock(&self.seen).own(Own { kind, address, base: base_of(&event.candidate) });
        if may_be_told(&candidate, self.policy)
            && let Ok(text) = serde_json::to_string(&candidate.init())
        {
            self.events.try_send(LaneEvent::Candidate(text)).ok();
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.events.try_send(LaneEvent::Gathered).ok();
        }
    }

    /// A channel that nobody knows: the library would keep up to 64 MiB of messages for it, and for each further one.
    async fn on_data_channel(&self, _: Arc<dyn DataChannel>) {
        self.events.try_send(LaneEvent::Failed).ok();
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let event = match state {
            RTCPeerConnectionState::Disconnected => LaneEvent::Silent,
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => LaneEvent::Failed,
            _ => return,
        };
        // If the queue is full the lane fails by its owner's deadline instead.
        self.events.try_send(event).ok();
    }
}

/// The address that a candidate was derived from.
pub(super) fn base_of(candidate: &RTCIceCandidate) -> Option<SocketAddr> {
    let ip: IpAddr = candidate.related_address.parse().ok()?;
    Some((ip, candidate.related_port).into())
}

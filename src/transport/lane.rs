//! The open lanes of a link, as far as bulk frames go.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Shared, PoisonError};

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::PeerConnection;

use crate::transport::peer::LaneEvent;
use crate::transport::{LinkLost, Path};

/// All lanes that a link has had. None is taken away, so a lane keeps its place.
pub(super) struct Lanes {
    pub(super) first: Arc<OpenLane>,
    further: Shared<Vec<Arc<OpenLane>>>,
}

impl Lanes {
    pub(super) fn new(first: OpenLane) -> Self {
        // Bind goes over it, if nothing else.
        first.mark_used();
        Self { first: Arc::new(first), further: Shared::default() }
    }

    /// All, the first one first.
    pub(super) fn all(&self) -> Vec<Arc<OpenLane>> {
        let further = self.further.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&self.first).chain(further.iter()).cloned().collect()
    }

    pub(super) fn add(&self, lane: OpenLane) {
        self.further.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(lane));
    }
}

/// An open lane.
pub(super) struct OpenLane {
    pub(super) connection: Arc<dyn PeerConnection>,
    pub(super) bulk: Arc<dyn DataChannel>,
    events: Mutex<mpsc::Receiver<LaneEvent>>,
    used: AtomicBool,
    sent: AtomicU64,
    lost: AtomicBool,
    /// Where it goes, if that is news.
    pub(super) path: Option<Path>,
}

impl OpenLane {
    pub(super) fn new(
        connection: Arc<dyn PeerConnection>,
        bulk: Arc<dyn DataChannel>,
        events: mpsc::Receiver<LaneEvent>,
    ) -> Self {
        let (used, lost, sent) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
        Self { connection, bulk, events: Mutex::new(events), used, sent, lost, path: None }
    }

    /// The next frame that comes over it. Cancel safe.
    pub(super) async fn next(&self) -> Result<Bytes, LinkLost> {
        let mut events = self.events.lock().await;
        loop {
            tokio::select! {
                biased;
                event = self.bulk.poll() => match event {
                    Some(DataChannelEvent::OnMessage(message)) => return Ok(message.data.freeze()),
                    Some(DataChannelEvent::OnClose) | None => return Err(LinkLost::Closed),
                    Some(_) => (),
                },
                event = events.recv() => match event {
                    Some(LaneEvent::Silent) => return Err(LinkLost::Silent),
                    Some(LaneEvent::Failed) | None => return Err(LinkLost::Closed),
                    Some(_) => (),
                },
            }
        }
    }

    /// A frame has gone over it: what is lost with it now is lost with the link.
    pub(super) fn mark_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// So many bytes of bulk went to it.
    pub(super) fn count(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of bulk that went to it.
    pub(super) fn bulk_bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether a frame has gone over it.
    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Nothing goes over it any more.
    pub(super) fn mark_lost(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Whether frames may go over it.
    pub(super) fn is_live(&self) -> bool {
        !self.lost.load(Ordering::Relaxed)
    }

    /// Bytes that the peer has not acknowledged; `None` when nothing goes over it any more.
    pub(super) async fn outstanding_bytes(&self) -> Option<usize> {
        let bytes = self.bulk.outstanding_bytes().await.ok()?;
        self.is_live().then_some(bytes)
    }

    /// Hangs up.
    pub(super) async fn close(&self) {
        self.connection.close().await.ok();
    }
}

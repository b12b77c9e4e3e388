//! An open lane as a [`Link`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::PeerConnection;

use crate::transport::peer::LaneEvent;
use crate::transport::{Link, LinkLost};
use crate::wire::Channel;

/// Longest wait for the peer to acknowledge the last frames when hanging up.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);

/// An open lane.
pub struct WebRtcLink {
    pub(super) connection: Arc<dyn PeerConnection>,
    pub(super) control: Arc<dyn DataChannel>,
    pub(super) bulk: Arc<dyn DataChannel>,
    pub(super) events: Mutex<mpsc::Receiver<LaneEvent>>,
}

impl WebRtcLink {
    fn channel(&self, channel: Channel) -> &dyn DataChannel {
        match channel {
            Channel::Control => &*self.control,
            Channel::Bulk => &*self.bulk,
        }
    }
}

impl Link for WebRtcLink {
    async fn recv(&self) -> Result<(Channel, Bytes), LinkLost> {
        let mut events = self.events.lock().await;
        loop {
            let (channel, event) = tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(LaneEvent::Silent) => return Err(LinkLost::Silent),
                    Some(LaneEvent::Failed) | None => return Err(LinkLost::Closed),
                    Some(_) => continue,
                },
                event = self.control.poll() => (Channel::Control, event),
                event = self.bulk.poll() => (Channel::Bulk, event),
            };
            match event {
                Some(DataChannelEvent::OnMessage(message)) => return Ok((channel, message.data.freeze())),
                Some(DataChannelEvent::OnClose) | None => return Err(LinkLost::Closed),
                Some(_) => (),
            }
        }
    }

    async fn ready(&self, channel: Channel) -> Result<(), LinkLost> {
        self.channel(channel).writable().await.map_err(|_| LinkLost::Closed)
    }

    async fn send(&self, channel: Channel, frame: Bytes) -> Result<(), LinkLost> {
        self.channel(channel).send(frame.into()).await.map_err(|_| LinkLost::Closed)
    }

    async fn abandon(self) {
        self.connection.close().await.ok();
    }

    async fn close(self) {
        // `close` drops what is still queued, so wait until nothing is: keep the events flowing meanwhile.
        let deadline = Instant::now() + FLUSH_WITHIN;
        // Only the last words matter: blocks that the receiver has not confirmed are lost with the session.
        while self.control.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
            let step = tokio::time::timeout(Duration::from_millis(5), self.recv()).await;
            if matches!(step, Ok(Err(_))) || Instant::now() > deadline {
                break;
            }
        }
        self.connection.close().await.ok();
    }
}

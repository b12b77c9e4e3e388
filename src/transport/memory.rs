//! A link inside one process, for tests: bounded queues, no network.

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

use crate::transport::{Link, LinkLost};
use crate::wire::Channel;

/// Frames that may wait in each direction.
const QUEUE_FRAMES: usize = 32;

/// One end of a pair made by [`pair`].
#[derive(Debug)]
pub struct MemoryLink {
    outgoing: mpsc::Sender<(Channel, Bytes)>,
    incoming: Mutex<mpsc::Receiver<(Channel, Bytes)>>,
}

/// Two ends that hear each other; dropping one ends the other.
pub fn pair() -> (MemoryLink, MemoryLink) {
    let (to_right, from_left) = mpsc::channel(QUEUE_FRAMES);
    let (to_left, from_right) = mpsc::channel(QUEUE_FRAMES);
    let left = MemoryLink { outgoing: to_right, incoming: Mutex::new(from_right) };
    let right = MemoryLink { outgoing: to_left, incoming: Mutex::new(from_left) };
    (left, right)
}

impl Link for MemoryLink {
    async fn recv(&self) -> Result<(Channel, Bytes), LinkLost> {
        self.incoming.lock().await.recv().await.ok_or(LinkLost::Closed)
    }

    async fn ready(&self, _: Channel) -> Result<(), LinkLost> {
        self.outgoing.reserve().await.map(drop).map_err(|_| LinkLost::Closed)
    }

    async fn send(&self, channel: Channel, frame: Bytes) -> Result<(), LinkLost> {
        self.outgoing.send((channel, frame)).await.map_err(|_| LinkLost::Closed)
    }

    async fn abandon(self) {}

    async fn close(self) {}
}

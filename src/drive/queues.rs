//! Frames on their way out, until the link has room for them.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::drive::bucket::Gate;
use crate::transport::Link;
use crate::wire::Channel;

/// Frames for both channels.
#[derive(Default)]
pub(super) struct Queues {
    control: Queue,
    bulk: Queue,
}

/// Frames for one channel, and how much they are.
#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl Queues {
    /// Adds a frame.
    pub fn push(&mut self, channel: Channel, frame: Bytes) {
        let queue = self.of(channel);
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
    }

    /// Takes the next frame of a channel.
    pub fn pop(&mut self, channel: Channel) -> Option<Bytes> {
        let queue = self.of(channel);
        let frame = queue.frames.pop_front()?;
        queue.bytes -= frame.len();
        Some(frame)
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What waits, over both channels.
    pub fn bytes(&self) -> usize {
        self.control.bytes + self.bulk.bytes
    }

    fn of(&mut self, channel: Channel) -> &mut Queue {
        match channel {
            Channel::Control => &mut self.control,
            Channel::Bulk => &mut self.bulk,
        }
    }

    /// The channel that has a frame and room for it, control first, and bulk when the gate is open. Cancel safe.
    pub async fn sendable(&self, link: &impl Link, gate: Gate) -> Channel {
        let control = async {
            match self.control.frames.is_empty() {
                true => std::future::pending().await,
                false => link.ready(Channel::Control).await,
            }
        };
        let bulk = async {
            match (self.bulk.frames.is_empty(), gate) {
                (true, _) | (_, Gate::Closed) => std::future::pending().await,
                (false, Gate::From(at)) => tokio::time::sleep_until(at.into()).await,
                (false, Gate::Open) => (),
            }
            link.ready(Channel::Bulk).await
        };
        let (channel, ready) = tokio::select! {
            biased;
            ready = control => (Channel::Control, ready),
            ready = bulk => (Channel::Bulk, ready),
        };
        match ready {
            Ok(()) => channel,
            // `recv` says that the link is gone, and how.
            Err(_) => std::future::pending().await,
        }
    }
}

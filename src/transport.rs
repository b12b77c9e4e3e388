//! A link: two channels to one peer, whatever carries them.
//!
//! [`Link`] is the waist between the session and the network; it has no WebRTC words. Behind it a link
//! begins with one lane (`grounds`, `peer`, `handler`, `candidates`, `lane`, `settings`, `socket`, `handshake`; `way` tells people how it goes), and where more help (`engine`) it opens
//! them while it is used (`growing`, `opening`, `tries`), spreads bulk frames over them (`pump`, `spread`), and puts them in
//! order again (`reorder`). `pieces` carries long packets over short frames. Only these files say `webrtc::`; `memory` carries the tests. `tunnel` leads to TURN servers over TCP.

mod best;
mod candidates;
mod description;
mod engine;
mod grounds;
mod growing;
mod handler;
mod handshake;
mod interfaces;
mod lane;
#[cfg(test)]
mod lanes_tests;
mod link;
mod link_local;
pub mod memory;
mod opening;
pub mod peer;
mod pieces;
mod pump;
#[cfg(test)]
mod relays_tests;
mod reorder;
mod settings;
mod socket;
mod spread;
#[cfg(test)]
mod spread_tests;
mod tries;
mod tunnel;
mod way;

use std::future::Future;
use std::net::IpAddr;

use bytes::Bytes;

pub use crate::transport::socket::udp_buffer_bytes;
pub use crate::transport::way::{Because, Way};
use crate::wire::{Channel, PathKind};

/// A connection to one peer: ordered and reliable per channel.
pub trait Link {
    /// The next frame. One caller at a time. Cancel safe.
    ///
    /// # Errors
    /// [`LinkLost`] when the link is gone, which only this call tells how.
    fn recv(&self) -> impl Future<Output = Result<(Channel, Bytes), LinkLost>> + Send;

    /// Waits until `channel` has room for a frame. Cancel safe.
    ///
    /// # Errors
    /// [`LinkLost`] when it never will.
    fn ready(&self, channel: Channel) -> impl Future<Output = Result<(), LinkLost>> + Send;

    /// Sends one frame; call it after [`Link::ready`], or it may buffer past the channel's limit.
    ///
    /// # Errors
    /// [`LinkLost`] when the link is gone.
    fn send(&self, channel: Channel, frame: Bytes) -> impl Future<Output = Result<(), LinkLost>> + Send;

    /// Hangs up a link that is lost.
    fn abandon(self) -> impl Future<Output = ()> + Send;

    /// Waits a little until the peer has the control frames that were sent, then hangs up.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// The link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkLost {
    /// No packet came through for some seconds.
    #[error("nothing comes through any more")]
    Silent,
    /// The other end was closed, or this one.
    #[error("the other end was closed")]
    Closed,
}

/// How two peers found each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Direct or relayed.
    pub kind: PathKind,
    /// The peer's address, where the path is direct.
    pub address: Option<IpAddr>,
    /// In more words.
    pub way: Way,
}

impl Path {
    /// One that works, and of which no more is known.
    pub const UNKNOWN: Self = Self { kind: PathKind::Direct, address: None, way: Way::Unknown };

    /// One to a peer at `address`, or at a relay there.
    pub(crate) fn new(way: Way, address: IpAddr) -> Self {
        match way {
            // The address would be the relay's, which tells nothing about the other side.
            Way::Relayed { .. } => Self { kind: PathKind::Relayed, address: None, way },
            _ => Self { kind: PathKind::Direct, address: Some(address), way },
        }
    }
}

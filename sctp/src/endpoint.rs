//! One side of a transport: takes datagrams in and finds the association that they are for.
//!
//! Below it is one DTLS connection to one peer (RFC 8261), so it holds few associations, and state for a peer's INIT is no gift
//! to strangers: whoever sends one has proved in DTLS who it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use shared::{EcnCodepoint, TransportProtocol};

use crate::association::{Association, Role};
use crate::config::{ClientConfig, EndpointConfig, ServerConfig, TransportConfig};
use crate::wire::Packet;

/// Most associations of one endpoint. Data channels need one (RFC 8831 §6.2).
const MAX_ASSOCIATIONS: usize = 16;

/// Names an association of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct AssociationHandle(pub usize);

/// A datagram for an association.
#[derive(Debug)]
pub struct AssociationEvent {
    pub(crate) now: Instant,
    pub(crate) packet: Packet,
}

/// What an association tells its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointEvent(());

impl EndpointEvent {
    /// The association is over and may be forgotten.
    pub fn drained() -> Self {
        Self(())
    }

    /// Whether it says so.
    pub fn is_drained(&self) -> bool {
        true
    }
}

/// What becomes of a datagram.
#[derive(Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "there is one a connection, and it is moved once")]
pub enum DatagramEvent {
    /// It is for an association that there is.
    AssociationEvent(AssociationEvent),
    /// It began one, which has taken it already.
    NewAssociation(Association),
}

/// Why no association could be begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There are too many.
    #[error("too many associations")]
    TooManyAssociations,
}

/// What goes down to the layer below.
#[derive(Debug)]
#[non_exhaustive]
pub enum Payload {
    /// Datagrams.
    RawEncode(Vec<Bytes>),
}

#[derive(Debug)]
struct Known {
    handle: AssociationHandle,
    /// The verification tag of packets to us.
    tag: u32,
}

/// One side of a transport.
#[derive(Debug)]
pub struct Endpoint {
    local: SocketAddr,
    protocol: TransportProtocol,
    config: Arc<EndpointConfig>,
    server: Option<Arc<ServerConfig>>,
    associations: Vec<Known>,
    next_handle: usize,
}

impl Endpoint {
    /// With `server`, peers may begin associations.
    pub fn new(
        local: SocketAddr,
        protocol: TransportProtocol,
        config: Arc<EndpointConfig>,
        server: Option<Arc<ServerConfig>>,
    ) -> Self {
        Self { local, protocol, config, server, associations: Vec::new(), next_handle: 0 }
    }

    /// Forgets an association that is over.
    pub fn handle_event(&mut self, handle: AssociationHandle, _: EndpointEvent) {
        self.associations.retain(|known| known.handle != handle);
    }

    /// Takes a datagram. What is no packet, or for nobody, is dropped.
    pub fn handle(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        _: Option<EcnCodepoint>,
        datagram: Bytes,
    ) -> Option<(AssociationHandle, DatagramEvent)> {
        // DTLS guards every byte, so no checksum is wanted where the peer leaves it out (RFC 9653 §5.1).
        let packet = match Packet::parse(datagram, true) {
            Ok(packet) => packet,
            Err(error) => {
                log::debug!("dropped a datagram: {error}");
                return None;
            }
        };
        if let Some(known) = self.find(&packet) {
            return Some((known, DatagramEvent::AssociationEvent(AssociationEvent { now, packet })));
        }
        let server = self.server.clone().filter(|_| packet.starts_with_init())?;
        let (handle, mut association) = self.add(now, remote, Role::Server, &server.transport).ok()?;
        association.handle_event(AssociationEvent { now, packet });
        Some((handle, DatagramEvent::NewAssociation(association)))
    }

    /// Begins an association; its INIT is the first thing that it has to transmit.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(
        &mut self,
        now: Instant,
        config: ClientConfig,
        remote: SocketAddr,
    ) -> Result<(AssociationHandle, Association), ConnectError> {
        self.add(now, remote, Role::Client, &config.transport)
    }

    /// By the tag. A packet without our tag (an INIT, or one that reflects the peer's own, RFC 9260 §8.5.1) goes to the
    /// association if there is just one, which looks at it closely.
    fn find(&self, packet: &Packet) -> Option<AssociationHandle> {
        let tag = packet.header.verification_tag;
        let by_tag = self.associations.iter().find(|known| known.tag == tag);
        let only = self.associations.first().filter(|_| self.associations.len() == 1);
        by_tag.or(only).map(|known| known.handle)
    }

    fn add(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        role: Role,
        config: &TransportConfig,
    ) -> Result<(AssociationHandle, Association), ConnectError> {
        if self.associations.len() >= MAX_ASSOCIATIONS {
            return Err(ConnectError::TooManyAssociations);
        }
        let association = Association::new(now, role, config, self.config.ceiling_bytes, self.route(remote));
        let handle = AssociationHandle(self.next_handle);
        self.next_handle += 1;
        self.associations.push(Known { handle, tag: association.local_tag() });
        Ok((handle, association))
    }

    fn route(&self, remote: SocketAddr) -> shared::TransportContext {
        shared::TransportContext {
            local_addr: self.local,
            peer_addr: remote,
            transport_protocol: self.protocol,
            ecn: None,
        }
    }
}

//! What the layer above sets.

use std::sync::Arc;

use crate::wire::{COMMON_HEADER_BYTES, DATA_HEADER_BYTES};

/// The packet size that every path is taken to carry, in bytes, SCTP header included.
///
/// The least MTU of IPv6, 1,280 (RFC 8200 §5), less IPv6 40, UDP 8, TURN ChannelData 4 and a DTLS 1.2 record with AES-GCM 37.
pub(crate) const BASE_PACKET_BYTES: usize = 1280 - 40 - 8 - 4 - 37;

/// The smallest packet with a DATA chunk, in bytes: the headers and four bytes of payload.
const LEAST_PACKET_BYTES: u32 = (COMMON_HEADER_BYTES + DATA_HEADER_BYTES + 4) as u32;

/// The payload of one DATA chunk that fills a packet of `mtu` bytes, in bytes.
pub fn max_payload_size_for_mtu(mtu: u32) -> u32 {
    let headers = (COMMON_HEADER_BYTES + DATA_HEADER_BYTES) as u32;
    (mtu.max(LEAST_PACKET_BYTES) - headers) & !3
}

/// The packet that such a payload fills, in bytes.
fn packet_bytes(payload: u32) -> usize {
    COMMON_HEADER_BYTES + DATA_HEADER_BYTES + (payload as usize & !3)
}

/// Settings of an association.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    pub(crate) port: u16,
    pub(crate) window_bytes: u32,
    pub(crate) message_bytes: u32,
}

impl Default for TransportConfig {
    fn default() -> Self {
        // The port of RFC 8841 §5.2; 256 KiB is what browsers announce; the window is a bound, not what is used.
        Self { port: 5000, window_bytes: 8 << 20, message_bytes: 256 << 10 }
    }
}

impl TransportConfig {
    /// The SCTP port of both sides.
    pub fn with_sctp_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Most bytes that are kept for the application and for putting messages together. What is offered to the peer
    /// grows to it as the path needs.
    pub fn with_max_receive_buffer_size(self, window_bytes: u32) -> Self {
        Self { window_bytes, ..self }
    }

    /// Longest message, both ways, in bytes.
    pub fn with_max_message_size(self, message_bytes: u32) -> Self {
        Self { message_bytes, ..self }
    }
}

/// Settings of an endpoint.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// Largest packet that is ever tried, in bytes.
    pub(crate) ceiling_bytes: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self { ceiling_bytes: BASE_PACKET_BYTES & !3 }
    }
}

impl EndpointConfig {
    /// The default: packets that every path carries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Largest payload of one DATA chunk, in bytes. Packets start at the default and grow up to this as probes find
    /// that the path carries them; a smaller value is the size from the start.
    pub fn max_payload_size(&mut self, value: u32) -> &mut Self {
        self.ceiling_bytes = packet_bytes(value.max(4));
        self
    }

    /// What was set by [`Self::max_payload_size`].
    pub fn get_max_payload_size(&self) -> u32 {
        max_payload_size_for_mtu(self.ceiling_bytes as u32)
    }
}

/// Settings for associations that peers begin.
#[derive(Debug, Clone, Default)]
pub struct ServerConfig {
    pub(crate) transport: Arc<TransportConfig>,
}

impl ServerConfig {
    /// With these settings for each association.
    pub fn new(transport: TransportConfig) -> Self {
        Self { transport: Arc::new(transport) }
    }
}

/// Settings for an association that this side begins.
#[derive(Debug, Clone, Default)]
pub struct ClientConfig {
    pub(crate) transport: Arc<TransportConfig>,
}

impl ClientConfig {
    /// With these settings.
    pub fn new(transport: TransportConfig) -> Self {
        Self { transport: Arc::new(transport) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_the_computed_size_fills_the_packet() {
        for mtu in [32, 33, 1191, 1200, 16_300] {
            let packet = packet_bytes(max_payload_size_for_mtu(mtu));
            assert!(packet <= mtu as usize && packet + 4 > mtu as usize, "{mtu}: {packet}");
        }
    }

    #[test]
    fn a_packet_size_too_small_for_anything_is_raised() {
        assert_eq!(max_payload_size_for_mtu(0), 4);
    }

    #[test]
    fn the_default_ceiling_is_the_base() {
        let mut config = EndpointConfig::new();
        let default = config.get_max_payload_size();
        assert_eq!(config.max_payload_size(default).ceiling_bytes, EndpointConfig::new().ceiling_bytes);
    }
}

//! From chunks to datagrams: control first, then acknowledgements, then data, bundled until a packet is full.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use crate::association::{Association, State};
use crate::wire::{Checksum, Chunk, Header, Writer};

/// Datagrams that one call gives at most.
const BATCH: usize = 64;

/// Control chunks that wait at most. A peer can ask for answers faster than they are fetched; what is over is as good as lost
/// on the way.
const MAX_WAITING: usize = 64;

/// With less room than this a packet takes no further control chunk: all that are bundled are shorter.
const MIN_ROOM: usize = 64;

/// Longer heartbeats than this, in bytes, are echoed in a packet of their own, and so are RE-CONFIGs: else a packet could be
/// longer than the path takes.
const SHORT_ECHO_BYTES: usize = 48;

/// Control chunks to send.
#[derive(Debug, Default)]
pub(super) struct Control(VecDeque<Waiting>);

#[derive(Debug)]
struct Waiting {
    /// The tag of the packet, where it is not the association's.
    tag: Option<u32>,
    chunk: Chunk,
}

impl Control {
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.add(Waiting { tag: None, chunk });
    }

    pub(super) fn push_to(&mut self, tag: u32, chunk: Chunk) {
        self.add(Waiting { tag: Some(tag), chunk });
    }

    /// The first one, if it is of that kind.
    fn pop_if(&mut self, kind: impl Fn(&Chunk) -> bool) -> Option<Waiting> {
        self.0.front().filter(|waiting| kind(&waiting.chunk))?;
        self.0.pop_front()
    }

    pub(super) fn has_room(&self) -> bool {
        self.0.len() < MAX_WAITING
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn add(&mut self, waiting: Waiting) {
        if self.has_room() {
            self.0.push_back(waiting);
        }
    }
}

/// RFC 9260 §6.10, and §5.1 for what must come before all else. SACKs that were made one by one are for peers that count
/// packets, not chunks.
fn goes_alone(chunk: &Chunk) -> bool {
    match chunk {
        Chunk::Init(_) | Chunk::InitAck(_) | Chunk::ShutdownComplete { .. } => true,
        Chunk::Sack(_) | Chunk::Reconfig(_) => true,
        Chunk::HeartbeatAck(information) => information.len() > SHORT_ECHO_BYTES,
        _ => false,
    }
}

impl Association {
    /// What can go out now, up to [`BATCH`] datagrams.
    pub(super) fn datagrams(&mut self, now: Instant) -> Vec<Bytes> {
        let mut datagrams = Vec::new();
        while datagrams.len() < BATCH
            && let Some(datagram) = self.next_datagram(now)
        {
            datagrams.push(datagram);
        }
        datagrams
    }

    fn next_datagram(&mut self, now: Instant) -> Option<Bytes> {
        if let Some(alone) = self.control.pop_if(goes_alone) {
            let tag = match alone.chunk {
                Chunk::Init(_) => 0,
                _ => alone.tag.unwrap_or(self.peer_tag),
            };
            let mut packet = self.packet(tag);
            packet.push(&alone.chunk);
            let checksum =
                if matches!(alone.chunk, Chunk::Sack(_)) { self.checksum() } else { Checksum::Crc32c };
            return Some(packet.finish(checksum));
        }
        let mut packet = self.packet(self.peer_tag);
        while let Some(waiting) = self.control.pop_if(|chunk| !goes_alone(chunk)) {
            packet.push(&waiting.chunk);
            if packet.room() < MIN_ROOM {
                break;
            }
        }
        if !self.is_handshaking() && self.state != State::Closed {
            if packet.is_empty()
                && let Some(probe) = self.probe(now)
            {
                return Some(probe);
            }
            self.push_data(now, &mut packet);
        }
        (!packet.is_empty()).then(|| packet.finish(self.checksum()))
    }

    fn push_data(&mut self, now: Instant, packet: &mut Writer) {
        if self.inbound.sack_due(now) {
            let sack = self.inbound.sack(now, packet.room());
            packet.push(&Chunk::Sack(sack));
        }
        if let Some(forward) = self.outbound.next_forward_tsn(now) {
            packet.push(&Chunk::ForwardTsn(forward));
        }
        // What was cut when packets were longer stays as long: it goes out alone, and if it does not pass, `path` finds out.
        let longest = self.outbound.longest_outstanding().next_multiple_of(4);
        let mut room = if packet.is_empty() { packet.room().max(longest) } else { packet.room() };
        while let Some(data) = self.outbound.next_data(now, room) {
            packet.push_data(&data);
            room = packet.room();
        }
    }

    fn probe(&mut self, now: Instant) -> Option<Bytes> {
        let probe = self.path.next_probe(now, self.outbound.rto())?;
        let mut packet = Writer::new(self.header(self.peer_tag), probe.size);
        packet.push(&Chunk::Heartbeat(probe.information));
        packet.push(&Chunk::Pad(packet.room()));
        Some(packet.finish(self.checksum()))
    }

    fn packet(&self, tag: u32) -> Writer {
        let size = self.path.packet_bytes() * self.width.pieces();
        Writer::new(self.header(tag), size.min(self.path.longest_bytes()))
    }

    fn header(&self, verification_tag: u32) -> Header {
        Header { source_port: self.port, destination_port: self.port, verification_tag }
    }

    /// DTLS guards the bytes already; the peer has to know that we leave the checksum out (RFC 9653 §5.2).
    fn checksum(&self) -> Checksum {
        match self.zero_checksum {
            true => Checksum::Zero,
            false => Checksum::Crc32c,
        }
    }
}

//! What comes in, chunk by chunk.

use std::time::Instant;

use bytes::Bytes;

use crate::Violation;
use crate::association::path::SUSPICIOUS_TIMEOUTS;
use crate::association::{Association, AssociationError, Event, State};
use crate::stream::StreamEvent;
use crate::wire::{COMMON_HEADER_BYTES, Chunk, Packet};

/// Longest heartbeat that is echoed, in bytes: more than any stack sends.
const MAX_ECHO_BYTES: usize = 1024;

/// What happens with the rest of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Handle,
    Drop,
}

impl Association {
    /// Takes a packet. Chunks that do not belong are passed over, and so is all after one that is malformed.
    pub(super) fn handle_packet(&mut self, now: Instant, packet: &Packet) -> Result<(), Violation> {
        let tag = packet.header.verification_tag;
        let mut had_data = false;
        for chunk in packet.chunks() {
            let Ok(mut chunk) = chunk else { break };
            if let Chunk::Data(data) = &mut chunk {
                data.let_go_of(packet.bytes());
            }
            if !self.is_for_us(tag, &chunk) {
                break;
            }
            had_data |= matches!(chunk, Chunk::Data(_));
            if self.handle_chunk(now, chunk)? == Rest::Drop || self.state == State::Closed {
                break;
            }
        }
        if had_data && !self.is_handshaking() {
            self.inbound.end_packet(now);
            if self.inbound.sack_stands_alone() && self.control.has_room() {
                let sack = self.inbound.sack(now, self.path.packet_bytes() - COMMON_HEADER_BYTES);
                self.control.push(Chunk::Sack(sack));
            }
        }
        while let Some(id) = self.inbound.poll_readable() {
            self.streams.open(id);
            self.events.push_back(Event::Stream(StreamEvent::Readable { id }));
        }
        Ok(())
    }

    /// The rules of RFC 9260 §8.5 and §8.5.1.
    fn is_for_us(&self, tag: u32, chunk: &Chunk) -> bool {
        match chunk {
            Chunk::Init(_) => tag == 0,
            Chunk::Abort { reflected: true, .. } | Chunk::ShutdownComplete { reflected: true } => {
                tag == self.peer_tag && !matches!(self.state, State::Listening | State::CookieWait)
            }
            _ => tag == self.local_tag,
        }
    }

    fn handle_chunk(&mut self, now: Instant, chunk: Chunk) -> Result<Rest, Violation> {
        match chunk {
            // Nothing may come with it (RFC 9260 §3.3.2).
            Chunk::Init(init) => {
                self.handle_init(now, &init);
                return Ok(Rest::Drop);
            }
            Chunk::InitAck(init) => {
                self.handle_init_ack(now, &init);
                return Ok(Rest::Drop);
            }
            Chunk::CookieEcho(cookie) => self.handle_cookie_echo(now, &cookie),
            Chunk::CookieAck => self.handle_cookie_ack(now),
            Chunk::Abort { causes, .. } => {
                log::debug!("aborted by the peer: {} causes", causes.len());
                self.fail(AssociationError::AssociationClosed);
            }
            Chunk::Error(causes) => log::debug!("the peer reports {} errors", causes.len()),
            Chunk::Unknown { kind, .. } => return Ok(rest_after_unknown(kind)),
            // Before it stands, the rest means nothing yet; what was data is sent again.
            _ if self.is_handshaking() => (),
            chunk => self.handle_established(now, chunk)?,
        }
        Ok(Rest::Handle)
    }

    fn handle_established(&mut self, now: Instant, chunk: Chunk) -> Result<(), Violation> {
        match chunk {
            Chunk::Data(data) => self.inbound.handle_data(now, data)?,
            Chunk::Sack(sack) => self.outbound.handle_sack(now, &sack)?,
            Chunk::ForwardTsn(forward) => self.inbound.handle_forward_tsn(now, &forward)?,
            Chunk::Heartbeat(information) => self.echo(information),
            Chunk::HeartbeatAck(information) => self.path.handle_echo(&information),
            Chunk::Reconfig(parameters) => self.handle_reconfig(now, parameters),
            Chunk::Shutdown { .. } => self.handle_shutdown(now),
            Chunk::ShutdownAck => self.handle_shutdown_ack(),
            Chunk::ShutdownComplete { .. } => self.handle_shutdown_complete(),
            _ => (),
        }
        Ok(())
    }

    fn echo(&mut self, information: Bytes) {
        if information.len() <= MAX_ECHO_BYTES {
            self.control.push(Chunk::HeartbeatAck(information));
        }
    }

    /// Lets the sending half know what size the path takes, and gives up where what it cut no longer passes.
    pub(super) fn follow_path(&mut self) {
        let timeouts = self.outbound.timeouts();
        self.path.observe_timeouts(timeouts);
        let arrived = self.outbound.take_longest_arrived();
        if arrived > 0 {
            self.path.observe_arrived(arrived + COMMON_HEADER_BYTES);
        }
        let size = self.path.packet_bytes();
        self.outbound.set_packet_size(size);
        if timeouts > 0 {
            self.width.observe_timeout();
        }
        let tally = self.outbound.take_tally();
        let most = if self.outbound.is_fast() { self.path.longest_bytes() / size } else { 1 };
        self.width.observe(tally.delivered, tally.lost, size, most);
        let longest = self.outbound.longest_outstanding() + COMMON_HEADER_BYTES;
        let stuck = timeouts >= SUSPICIOUS_TIMEOUTS && longest > size;
        if stuck && self.path.has_shrunk() {
            log::warn!("the path takes smaller packets than before");
            self.fail(AssociationError::TimedOut);
        }
    }
}

/// The two highest bits of a chunk's type say what to do with it (RFC 9260 §3.2). Reporting it is not worth a packet.
fn rest_after_unknown(kind: u8) -> Rest {
    match kind & 0x80 {
        0 => Rest::Drop,
        _ => Rest::Handle,
    }
}

//! Sequences of operations: an association with an honest peer, in whose name somebody else says whatever he likes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::TransportProtocol;

use crate::association::Association;
use crate::config::{ClientConfig, EndpointConfig, ServerConfig, TransportConfig};
use crate::endpoint::{DatagramEvent, Endpoint, Payload};
use crate::fuzzing::forging::{Input, chunk};
use crate::message::PayloadProtocolIdentifier;
use crate::stream::{ReliabilityType, StreamId};
use crate::wire::{Checksum, Chunk, Header, Writer};

/// Longest input, in bytes: some hundred operations.
const MAX_INPUT: usize = 4096;

/// Small ones, so that they are reached.
const WINDOW_BYTES: u32 = 16 << 10;
const MESSAGE_BYTES: u32 = 4 << 10;

/// Bytes that an application has waiting on a stream at most.
const MOST_BUFFERED: usize = 256 << 10;

/// Datagrams that one input may be answered with: all that is waiting, cut as small as the peer's window says.
const MOST_DATAGRAMS: usize = 4096;

/// Events of one operation: a few for each chunk of a packet, or the end of each stream.
const MOST_EVENTS: usize = 1 << 17;

/// Times that the timers may be due at one instant.
const MOST_RINGS: usize = 16;

/// Carries out what the bytes say, and looks at the association after each operation.
///
/// # Panics
/// If it takes or gives more than it may, stands still with a timer that is due, or loses count.
pub fn operations(bytes: &[u8]) {
    let Some(bytes) = bytes.get(..bytes.len().min(MAX_INPUT)) else { return };
    let mut input = Input(bytes);
    let mut world = World::new(&mut input);
    while !input.0.is_empty() {
        world.step(&mut input);
        world.sides.iter_mut().for_each(|side| side.check(world.now));
    }
}

/// One side.
struct Side {
    endpoint: Endpoint,
    association: Option<Association>,
    /// What it has sent and nobody delivered or lost yet.
    waiting: Vec<Bytes>,
}

struct World {
    now: Instant,
    /// The one that is attacked, and its peer.
    sides: [Side; 2],
}

fn address() -> std::net::SocketAddr {
    ([192, 0, 2, 1], 5000).into()
}

fn transport() -> TransportConfig {
    TransportConfig::default().with_max_receive_buffer_size(WINDOW_BYTES).with_max_message_size(MESSAGE_BYTES)
}

impl Side {
    fn new() -> Self {
        let mut config = EndpointConfig::new();
        config.max_payload_size(1_400);
        let server = Some(Arc::new(ServerConfig::new(transport())));
        let endpoint = Endpoint::new(address(), TransportProtocol::UDP, Arc::new(config), server);
        Self { endpoint, association: None, waiting: Vec::new() }
    }

    fn connect(&mut self, now: Instant) {
        let connected = self.endpoint.connect(now, ClientConfig::new(transport()), address());
        self.association = connected.ok().map(|(_, association)| association);
    }

    fn take(&mut self, now: Instant, datagram: Bytes) {
        match self.endpoint.handle(now, address(), None, datagram) {
            Some((_, DatagramEvent::NewAssociation(association))) => self.association = Some(association),
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                if let Some(association) = &mut self.association {
                    association.handle_event(event);
                }
            }
            None => {}
        }
    }

    /// Fetches all that it gives, and checks its promises.
    fn check(&mut self, now: Instant) {
        let Some(association) = &mut self.association else { return };
        let mut rings = 0;
        loop {
            let events = std::iter::from_fn(|| association.poll()).take(MOST_EVENTS + 1).count();
            assert!(events <= MOST_EVENTS, "{events} events");
            while association.poll_endpoint_event().is_some() {}
            let before = self.waiting.len();
            while let Some(transmit) = association.poll_transmit(now) {
                let Payload::RawEncode(datagrams) = transmit.message;
                self.waiting.extend(datagrams);
                assert!(self.waiting.len() - before <= MOST_DATAGRAMS, "it sends without end");
            }
            if association.poll_timeout().is_none_or(|at| at > now) {
                break;
            }
            rings += 1;
            assert!(rings <= MOST_RINGS, "due for ever: {association:?}");
            association.handle_timeout(now);
        }
        self.waiting.truncate(MOST_DATAGRAMS);
        let vitals = association.vitals();
        assert!(vitals.kept <= vitals.most_kept, "{vitals:?}");
        assert_eq!(vitals.waiting_control, 0);
        assert!(!vitals.is_closed || association.poll_timeout().is_none());
    }
}

impl World {
    /// The side that is attacked begins, or the other, or both, or nobody; mostly they stand before anything else happens.
    fn new(input: &mut Input<'_>) -> Self {
        let mut world = Self { now: Instant::now(), sides: [Side::new(), Side::new()] };
        let (who, how) = (input.below(8), input.u8());
        for (side, begins) in world.sides.iter_mut().zip([who < 4, who == 0 || (4..7).contains(&who)]) {
            if begins {
                side.connect(world.now);
            }
        }
        if how > 7 {
            (0..4).for_each(|_| world.exchange(u16::MAX));
            for stream in 0..3 {
                world.open(stream);
            }
        }
        world
    }

    /// Lets what waits pass both ways; the bits say which datagrams arrive.
    fn exchange(&mut self, mut arrives: u16) {
        for from in [0, 1] {
            self.sides[from].check(self.now);
            for datagram in std::mem::take(&mut self.sides[from].waiting) {
                arrives = arrives.rotate_right(1);
                if arrives & 1 != 0 {
                    self.sides[1 - from].take(self.now, datagram);
                }
            }
        }
        self.sides.iter_mut().for_each(|side| side.check(self.now));
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(16) {
            0 => {
                let arrives = if input.below(2) == 0 { u16::MAX } else { input.u16() };
                self.exchange(arrives);
            }
            1 => self.pass_time(input),
            2 => self.write(input, 0),
            3 => self.write(input, 1),
            4 => self.read(input),
            5 => self.control_stream(input),
            6 => self.end(input),
            _ => self.forge(input),
        }
    }

    fn pass_time(&mut self, input: &mut Input<'_>) {
        let amount = u64::from(input.u8());
        let due = self.sides[0].association.as_ref().and_then(Association::poll_timeout);
        self.now += match input.below(8) {
            0 => Duration::from_nanos(amount),
            1 => Duration::from_micros(10 * amount),
            2 | 3 => Duration::from_millis(amount),
            4 => Duration::from_secs(amount),
            5 if amount > 250 => Duration::from_secs(amount << 20),
            _ => due.map_or(Duration::ZERO, |due| due.saturating_duration_since(self.now)),
        };
        for side in &mut self.sides {
            if let Some(association) = &mut side.association {
                association.handle_timeout(self.now);
            }
        }
    }

    fn open(&mut self, stream: StreamId) {
        for side in &mut self.sides {
            if let Some(association) = &mut side.association {
                association.open_stream(stream, PayloadProtocolIdentifier::Binary).ok();
            }
        }
    }

    fn write(&mut self, input: &mut Input<'_>, side: usize) {
        let (id, length) = (input.stream(), input.length());
        let Some(association) = &mut self.sides[side].association else { return };
        let Ok(mut stream) = association.stream(id) else { return };
        if stream.buffered_amount().is_ok_and(|bytes| bytes < MOST_BUFFERED) {
            let payload = Bytes::from(vec![7; length]);
            stream.write_chunk_with_ppi(self.now, &payload, PayloadProtocolIdentifier::Binary).ok();
        }
    }

    fn read(&mut self, input: &mut Input<'_>) {
        let (id, most) = (input.stream(), input.u8());
        for side in &mut self.sides {
            let Some(Ok(mut stream)) = side.association.as_mut().map(|it| it.stream(id)) else { continue };
            for _ in 0..most {
                let Ok(Some(chunks)) = stream.read_sctp() else { break };
                assert!(chunks.len() <= MESSAGE_BYTES as usize);
            }
        }
    }

    fn control_stream(&mut self, input: &mut Input<'_>) {
        let (id, what) = (input.stream(), input.u8());
        if what & 3 == 0 {
            return self.open(id);
        }
        let Some(association) = &mut self.sides[0].association else { return };
        let Ok(mut stream) = association.stream(id) else { return };
        let reliability = match what >> 4 & 3 {
            0 => ReliabilityType::Rexmit,
            1 => ReliabilityType::Timed,
            _ => ReliabilityType::Reliable,
        };
        match what & 3 {
            1 => stream.close(self.now).ok(),
            _ => stream.set_reliability_params(what & 4 != 0, reliability, u32::from(what >> 6)).ok(),
        };
    }

    /// Ends it, which is not to happen soon.
    fn end(&mut self, input: &mut Input<'_>) {
        let Some(association) = &mut self.sides[0].association else { return };
        match input.u8() {
            0..4 => association.shutdown().ok(),
            4 => association.abort().ok(),
            _ => None,
        };
    }

    /// A packet in the peer's name.
    fn forge(&mut self, input: &mut Input<'_>) {
        let Some(mut vitals) = self.sides[0].association.as_ref().map(Association::vitals) else { return };
        let chunks: Vec<Chunk> = (0..=input.below(4)).map(|_| chunk(input, &mut vitals)).collect();
        let tag = match input.below(16) {
            _ if matches!(chunks.first(), Some(Chunk::Init(_))) => 0,
            0 => input.u32(),
            1 => vitals.peer_tag,
            _ => vitals.local_tag,
        };
        let header = Header { source_port: 5000, destination_port: 5000, verification_tag: tag };
        let mut packet = Writer::new(header, 1_200);
        chunks.iter().for_each(|chunk| packet.push(chunk));
        let datagram = packet.finish(Checksum::Zero);
        for _ in 0..=input.below(64) / 60 {
            self.sides[0].take(self.now, datagram.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use crate::fuzzing::operations;

    /// Inputs tried by every `cargo test`; the fuzzer itself runs by hand (`fuzz/README.md`).
    const ROUNDS: u64 = 4_000;

    #[test]
    fn whatever_a_peer_does_the_association_keeps_its_bounds() {
        for seed in 0..ROUNDS {
            let random = &mut StdRng::seed_from_u64(seed);
            let bytes: Vec<u8> = (0..random.random_range(0..600)).map(|_| random.random()).collect();
            let result = std::panic::catch_unwind(|| operations(&bytes));
            assert!(result.is_ok(), "seed {seed}");
        }
    }
}

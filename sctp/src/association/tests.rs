//! Two associations with a channel between them: set-up, resets, the ways out, and what a hostile peer may try.

mod hostile;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::TransportProtocol;

use crate::association::{Association, AssociationError, Event, State};
use crate::config::{ClientConfig, EndpointConfig, ServerConfig, TransportConfig};
use crate::endpoint::{DatagramEvent, Endpoint, Payload};
use crate::message::PayloadProtocolIdentifier;
use crate::stream::{StreamEvent, StreamId};
use crate::wire::{Checksum, Chunk, Header, Packet, Writer};

mod setting_up;

const BINARY: PayloadProtocolIdentifier = PayloadProtocolIdentifier::Binary;

/// One side, with what it has told.
struct Side {
    endpoint: Endpoint,
    association: Option<Association>,
    events: Vec<Event>,
    messages: Vec<(StreamId, Vec<u8>)>,
    drained: bool,
}

type Lose = Box<dyn FnMut(usize, &Packet) -> bool>;

/// Both sides and the time.
struct Pair {
    sides: [Side; 2],
    now: Instant,
    /// Datagrams sent so far, by both; `lose` says which of them do not arrive.
    sent: usize,
    lose: Lose,
}

fn address() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

impl Side {
    fn new(server: bool) -> Self {
        let config = Arc::new(EndpointConfig::new());
        let server = server.then(|| Arc::new(ServerConfig::new(TransportConfig::default())));
        Self {
            endpoint: Endpoint::new(address(), TransportProtocol::UDP, config, server),
            association: None,
            events: Vec::new(),
            messages: Vec::new(),
            drained: false,
        }
    }

    fn connect(&mut self, now: Instant) {
        let config = ClientConfig::new(TransportConfig::default());
        self.association = Some(self.endpoint.connect(now, config, address()).unwrap().1);
    }

    fn association(&mut self) -> &mut Association {
        self.association.as_mut().expect("there is one")
    }

    fn take(&mut self, now: Instant, datagram: Bytes) {
        match self.endpoint.handle(now, address(), None, datagram) {
            Some((_, DatagramEvent::NewAssociation(association))) => self.association = Some(association),
            Some((_, DatagramEvent::AssociationEvent(event))) => self.association().handle_event(event),
            None => (),
        }
        self.collect();
    }

    fn collect(&mut self) {
        let Some(association) = &mut self.association else { return };
        while let Some(event) = association.poll() {
            if let Event::Stream(StreamEvent::Readable { id }) = event {
                while let Ok(Some(chunks)) = association.stream(id).and_then(|mut stream| stream.read_sctp())
                {
                    self.messages.push((id, chunks.to_payload(1 << 20).unwrap().to_vec()));
                }
            }
            self.events.push(event);
        }
        self.drained |= association.poll_endpoint_event().is_some();
    }

    fn datagrams(&mut self, now: Instant) -> Vec<Bytes> {
        let Some(association) = &mut self.association else { return Vec::new() };
        let mut all = Vec::new();
        while let Some(transmit) = association.poll_transmit(now) {
            let Payload::RawEncode(datagrams) = transmit.message;
            all.extend(datagrams);
        }
        all
    }

    fn is_connected(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Connected))
    }

    fn is_lost(&self, stream: StreamId, why: &AssociationError) -> bool {
        self.events.iter().any(
            |event| matches!(event, Event::AssociationLost { reason, id } if *id == stream && reason == why),
        )
    }
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self {
            sides: [Side::new(false), Side::new(true)],
            now: Instant::now(),
            sent: 0,
            lose: Box::new(|_, _| false),
        };
        pair.sides[0].connect(pair.now);
        pair
    }

    /// Both stand, with stream 1 open on the client's side.
    fn established() -> Self {
        let mut pair = Self::new();
        pair.run(Duration::from_secs(1));
        assert!(pair.sides.iter().all(Side::is_connected));
        pair.sides[0].association().open_stream(1, BINARY).unwrap();
        pair
    }

    fn write(&mut self, side: usize, stream: StreamId, message: &'static [u8]) {
        let now = self.now;
        let mut stream = self.sides[side].association().stream(stream).unwrap();
        stream.write_chunk_with_ppi(now, &Bytes::from_static(message), BINARY).unwrap();
    }

    fn exchange(&mut self) {
        loop {
            let mut any = false;
            for from in [0, 1] {
                for datagram in self.sides[from].datagrams(self.now) {
                    any = true;
                    self.sent += 1;
                    let packet = Packet::parse(datagram.clone(), true).expect("what we send is a packet");
                    if !(self.lose)(self.sent, &packet) {
                        self.sides[1 - from].take(self.now, datagram);
                    }
                }
            }
            if !any {
                return;
            }
        }
    }

    /// Lets this much time pass, from timer to timer.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.exchange();
            let due = self.sides.iter().filter_map(|side| side.association.as_ref()?.poll_timeout()).min();
            match due {
                Some(due) if due <= end => self.now = self.now.max(due),
                _ => break,
            }
            for side in &mut self.sides {
                if let Some(association) = &mut side.association {
                    association.handle_timeout(self.now);
                }
                side.collect();
            }
        }
        self.now = end;
    }
}

#[test]
fn a_peer_that_does_not_answer_is_given_up() {
    let mut pair = Pair::new();
    pair.lose = Box::new(|_, _| true);
    pair.run(Duration::from_secs(120));
    assert!(matches!(pair.sides[0].events.first(), Some(Event::HandshakeFailed { .. })));
    assert!(pair.sides[0].association().is_closed());
    assert_eq!(pair.sides[0].association().poll_timeout(), None);
}

#[test]
fn a_peer_that_falls_silent_is_given_up() {
    let mut pair = Pair::established();
    pair.lose = Box::new(|_, _| true);
    pair.write(0, 1, b"hello");
    pair.run(Duration::from_secs(300));
    assert!(pair.sides[0].is_lost(1, &AssociationError::TimedOut));
}

#[test]
fn messages_cross_both_ways() {
    let mut pair = Pair::established();
    pair.write(0, 1, b"ping");
    pair.run(Duration::from_millis(100));
    pair.write(1, 1, b"pong");
    pair.run(Duration::from_millis(100));
    assert_eq!(pair.sides[1].messages, [(1, b"ping".to_vec())]);
    assert_eq!(pair.sides[0].messages, [(1, b"pong".to_vec())]);
    let released = Event::Stream(StreamEvent::BufferedAmountReleased { id: 1, n_bytes: 4 });
    assert!(pair.sides[0].events.iter().any(|event| format!("{event:?}") == format!("{released:?}")));
}

#[test]
fn what_is_written_before_it_stands_goes_out_when_it_does() {
    let mut pair = Pair::new();
    pair.sides[0].association().open_stream(1, BINARY).unwrap();
    pair.write(0, 1, b"early");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.sides[1].messages, [(1, b"early".to_vec())]);
}

#[test]
fn a_closed_stream_ends_on_both_sides_and_its_number_can_be_used_again() {
    // Whichever packet of the closing is lost.
    for lost in 0..=4 {
        let mut pair = Pair::established();
        pair.write(0, 1, b"last words");
        let now = pair.now;
        let first = pair.sent;
        pair.lose = Box::new(move |number, _| number == first + lost);
        pair.sides[0].association().stream(1).unwrap().close(now).unwrap();
        assert!(!pair.sides[0].association().stream(1).unwrap().is_writable());
        pair.run(Duration::from_secs(10));
        assert_eq!(pair.sides[1].messages, [(1, b"last words".to_vec())]);
        assert!(
            pair.sides.iter().all(|side| side.is_lost(1, &AssociationError::Reset)),
            "packet {lost} lost"
        );
        pair.sides[0].association().open_stream(1, BINARY).unwrap();
        pair.write(0, 1, b"once more");
        pair.run(Duration::from_secs(10));
        assert_eq!(pair.sides[1].messages.last(), Some(&(1, b"once more".to_vec())), "packet {lost} lost");
    }
}

#[test]
fn a_shutdown_waits_for_what_was_written_and_ends_both_sides() {
    for lost in 0..=5 {
        let mut pair = Pair::established();
        pair.write(0, 1, b"last words");
        let first = pair.sent;
        pair.lose = Box::new(move |number, _| number == first + lost);
        pair.sides[0].association().shutdown().unwrap();
        pair.run(Duration::from_secs(90));
        assert_eq!(pair.sides[1].messages, [(1, b"last words".to_vec())], "packet {lost} lost");
        assert!(pair.sides[0].drained && pair.sides[0].association().is_closed(), "packet {lost} lost");
        assert!(pair.sides[1].association().is_closed(), "packet {lost} lost");
    }
}

#[test]
fn an_abort_ends_the_other_side_at_once() {
    let mut pair = Pair::established();
    pair.write(0, 1, b"before");
    pair.exchange();
    pair.sides[0].association().abort().unwrap();
    pair.exchange();
    assert!(pair.sides[1].is_lost(1, &AssociationError::AssociationClosed));
    assert!(pair.sides[1].association().is_closed());
}

#[test]
fn packets_with_another_tag_change_nothing() {
    let mut pair = Pair::established();
    let tag = pair.sides[1].association().local_tag().wrapping_add(1);
    for chunk in [
        Chunk::Abort { reflected: false, causes: Vec::new() },
        Chunk::Abort { reflected: true, causes: Vec::new() },
        Chunk::Shutdown { cumulative_tsn: 0 },
        Chunk::ShutdownComplete { reflected: true },
    ] {
        let header = Header { source_port: 5000, destination_port: 5000, verification_tag: tag };
        let mut packet = Writer::new(header, 1200);
        packet.push(&chunk);
        let now = pair.now;
        pair.sides[1].take(now, packet.finish(Checksum::Crc32c));
    }
    assert_eq!(pair.sides[1].association().state, State::Established);
    pair.write(0, 1, b"hello");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.sides[1].messages, [(1, b"hello".to_vec())]);
}

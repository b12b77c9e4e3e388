//! An engine with the calls of `rtc-sctp`, driven in the order in which `rtc`'s handler drives it.
//!
//! Compiled twice: for this package, and for the registry's of the same name.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use shared::{TransportContext, TransportProtocol};

use super::engine::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier, ReliabilityType, ServerConfig, StreamEvent, TransportConfig,
    max_payload_size_for_mtu,
};
use crate::support::peer::{Channel, Effort, Order, Peer, Received, Role, Settings, State, StreamId};

/// One end.
pub struct RtcPeer {
    endpoint: Endpoint,
    transport: TransportConfig,
    longest_message: usize,
    association: Option<(AssociationHandle, Association)>,
    /// Whether there was an association, so that none means that it has ended.
    began: bool,
    readable: VecDeque<StreamId>,
    closed: VecDeque<StreamId>,
    /// What an association said that is gone.
    last_words: Vec<Bytes>,
}

impl RtcPeer {
    pub fn new(role: Role, settings: Settings) -> Self {
        let mut endpoint = EndpointConfig::new();
        endpoint.max_payload_size(max_payload_size_for_mtu(settings.packet_bytes));
        let transport = TransportConfig::default()
            .with_max_message_size(settings.message_bytes)
            .with_max_receive_buffer_size(settings.window_bytes);
        let server = (role == Role::Server).then(|| Arc::new(ServerConfig::new(transport.clone())));
        Self {
            endpoint: Endpoint::new(
                TransportContext::default().local_addr,
                TransportProtocol::UDP,
                Arc::new(endpoint),
                server,
            ),
            transport,
            longest_message: settings.message_bytes as usize,
            association: None,
            began: false,
            readable: VecDeque::new(),
            closed: VecDeque::new(),
            last_words: Vec::new(),
        }
    }

    fn association(&mut self) -> Option<&mut Association> {
        self.association.as_mut().map(|(_, association)| association)
    }

    fn remote() -> SocketAddr {
        TransportContext::default().peer_addr
    }

    /// Takes up what the association has to tell; one that is drained says its last words and goes, as in `rtc`.
    fn heed(&mut self, now: Instant) {
        let Some((handle, association)) = &mut self.association else { return };
        while let Some(event) = association.poll() {
            match event {
                Event::Stream(StreamEvent::Readable { id }) if !self.readable.contains(&id) => {
                    self.readable.push_back(id);
                }
                Event::AssociationLost { id, .. } => self.closed.push_back(id),
                _ => {}
            }
        }
        let mut drained = Vec::new();
        while let Some(event) = association.poll_endpoint_event() {
            drained.push(event);
        }
        let handle = *handle;
        for event in drained {
            if let Some((_, mut association)) = self.association.take() {
                transmit(&mut association, now, &mut self.last_words);
            }
            self.endpoint.handle_event(handle, event);
        }
    }
}

fn transmit(association: &mut Association, now: Instant, out: &mut Vec<Bytes>) {
    while let Some(transmit) = association.poll_transmit(now) {
        if let Payload::RawEncode(datagrams) = transmit.message {
            out.extend(datagrams);
        }
    }
}

impl Peer for RtcPeer {
    fn connect(&mut self, now: Instant) {
        let config = ClientConfig::new(self.transport.clone());
        let connected = self.endpoint.connect(now, config, Self::remote()).expect("one association has room");
        self.association = Some(connected);
        self.began = true;
    }

    fn handle(&mut self, now: Instant, datagram: Bytes) {
        match self.endpoint.handle(now, Self::remote(), None, datagram) {
            Some((handle, DatagramEvent::NewAssociation(association))) => {
                self.association = Some((handle, association));
                self.began = true;
            }
            Some((handle, DatagramEvent::AssociationEvent(event))) => {
                if let Some((ours, association)) = &mut self.association
                    && *ours == handle
                {
                    association.handle_event(event);
                }
            }
            _ => {}
        }
        self.heed(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(association) = self.association() {
            association.handle_timeout(now);
        }
        self.heed(now);
    }

    fn deadline(&self) -> Option<Instant> {
        self.association.as_ref().and_then(|(_, association)| association.poll_timeout())
    }

    fn flush(&mut self, now: Instant, out: &mut Vec<Bytes>) {
        out.append(&mut self.last_words);
        if let Some(association) = self.association() {
            transmit(association, now, out);
        }
    }

    fn state(&self) -> State {
        match &self.association {
            Some((_, association)) if association.is_closed() => State::Ended,
            Some((_, association)) if association.is_handshaking() => State::Handshaking,
            Some(_) => State::Established,
            None if self.began => State::Ended,
            None => State::Handshaking,
        }
    }

    fn open(&mut self, stream: StreamId, channel: Channel) {
        let Some(association) = self.association() else { return };
        let (kind, value) = match channel.effort {
            Effort::Reliable => (ReliabilityType::Reliable, 0),
            Effort::Retransmits(times) => (ReliabilityType::Rexmit, times),
            Effort::Lifetime(time) => (ReliabilityType::Timed, time.as_millis() as u32),
        };
        let opened = association.open_stream(stream, PayloadProtocolIdentifier::Binary);
        let mut stream = opened.expect("a stream that was not open");
        let unordered = channel.order == Order::Unordered;
        stream.set_reliability_params(unordered, kind, value).expect("an open stream");
    }

    fn write(&mut self, now: Instant, stream: StreamId, ppid: u32, payload: Bytes) {
        let Some(association) = self.association() else { return };
        let mut stream = association.stream(stream).expect("an open stream");
        stream.write_chunk_with_ppi(now, &payload, ppid.into()).expect("an association that stands");
    }

    fn buffered(&mut self, stream: StreamId) -> usize {
        let Some(association) = self.association() else { return 0 };
        association.stream(stream).and_then(|stream| stream.buffered_amount()).unwrap_or(0)
    }

    fn read(&mut self) -> Option<Received> {
        let (_, association) = self.association.as_mut()?;
        while let Some(&id) = self.readable.front() {
            let chunks = association.stream(id).and_then(|mut stream| stream.read_sctp());
            if let Ok(Some(chunks)) = chunks {
                let payload: BytesMut =
                    chunks.to_payload(self.longest_message).expect("a message within bounds");
                return Some(Received { stream: id, ppid: chunks.ppi as u32, payload });
            }
            self.readable.pop_front();
        }
        None
    }

    fn reset(&mut self, now: Instant, stream: StreamId) {
        let Some(association) = self.association() else { return };
        if let Ok(mut stream) = association.stream(stream) {
            stream.close(now).expect("an association that stands");
        }
    }

    fn poll_reset(&mut self) -> Option<StreamId> {
        self.closed.pop_front()
    }

    fn shutdown(&mut self, now: Instant) {
        if let Some(association) = self.association() {
            let _ = association.shutdown();
        }
        self.heed(now);
    }

    fn abort(&mut self, now: Instant) {
        if let Some(association) = self.association() {
            super::abort(association);
        }
        self.heed(now);
    }
}

//! An association: two sides, their tags, and everything that is neither receiving nor sending data.
//!
//! ```text
//!  client                                        server            (RFC 9260 §5.1)
//!  CookieWait     -- INIT ------------------->   Listening
//!                 <------------ INIT ACK, cookie --
//!  CookieEchoed   -- COOKIE ECHO ------------>   Established
//!  Established    <----------------- COOKIE ACK --
//! ```
//! Between two of our own kind each stands a step earlier: the server with the INIT, the client with the INIT ACK (`setup`).
//!
//! `setup` draws this, `closing` the way out, `dispatch` takes chunks in, `packets` puts them out, `resets` closes streams,
//! `path` finds the packet size, `width` makes use of more, `streams` is the table of what is open, `event` what is told of all this.

mod closing;
mod dispatch;
mod event;
mod packets;
mod path;
mod resets;
mod setup;
pub(crate) mod streams;
#[cfg(test)]
mod tests;
mod timer;
#[cfg(any(test, fuzzing))]
mod vitals;
mod width;

use std::collections::VecDeque;
use std::time::Instant;

use shared::error::{Error, Result};
use shared::{TransportContext, TransportMessage};

use crate::config::TransportConfig;
use crate::endpoint::{AssociationEvent, EndpointEvent, Payload};
use crate::inbound::{Inbound, Limits};
use crate::message::{Chunks, PayloadProtocolIdentifier};
use crate::outbound::{Message, Outbound, PathFailed};
use crate::stream::{Stream, StreamEvent, StreamId};

#[cfg(any(test, fuzzing))]
pub(crate) use self::vitals::Vitals;

use self::packets::Control;
use self::path::PathProber;
use self::resets::Resets;
use self::setup::Setup;
use self::streams::Streams;
use self::timer::Timer;
use self::width::Width;

pub use self::event::{AssociationError, Event};

/// Streams each way that this side offers: all that there are (RFC 8831 §6.2).
const STREAMS: u16 = u16::MAX;

/// Who begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// RFC 9260 §4, with what it says of both sides' ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A server before the peer's cookie came back.
    Listening,
    CookieWait,
    CookieEchoed,
    Established,
    /// Told to shut down, with data still on the way.
    ShutdownPending,
    ShutdownSent,
    /// The peer shuts down, with data of ours still on the way.
    ShutdownReceived,
    ShutdownAckSent,
    Closed,
}

/// One side of an association.
///
/// After every call that takes something in, drain [`Self::poll_transmit`], [`Self::poll`] and
/// [`Self::poll_endpoint_event`], and ask [`Self::poll_timeout`] when to call [`Self::handle_timeout`].
#[derive(Debug)]
pub struct Association {
    state: State,
    port: u16,
    route: TransportContext,
    local_tag: u32,
    peer_tag: u32,
    /// The longest message that may be sent.
    message_bytes: usize,
    limits: Limits,
    setup: Setup,
    inbound: Inbound,
    outbound: Outbound,
    /// Streams each way, once both sides have said how many they take.
    stream_count: Option<u16>,
    zero_checksum: bool,
    resets: Resets,
    path: PathProber,
    width: Width,
    shutdown: Timer,
    control: Control,
    pub(crate) streams: Streams,
    events: VecDeque<Event>,
    endpoint_events: VecDeque<EndpointEvent>,
}

impl Association {
    pub(crate) fn new(
        now: Instant,
        role: Role,
        config: &TransportConfig,
        ceiling_bytes: usize,
        route: TransportContext,
    ) -> Self {
        let limits = Limits {
            window_bytes: (config.window_bytes as usize).max(config.message_bytes as usize),
            message_bytes: config.message_bytes as usize,
        };
        // RFC 9260 §5.3.1: a tag of zero is none.
        let local_tag = rand::random::<u32>().max(1);
        let initial_tsn = rand::random();
        let path = PathProber::new(ceiling_bytes);
        let mut association = Self {
            state: State::Listening,
            port: config.port,
            route,
            local_tag,
            peer_tag: 0,
            message_bytes: config.message_bytes as usize,
            limits,
            setup: Setup::new(initial_tsn),
            // What the peer begins with is known when its INIT or INIT ACK is taken.
            inbound: Inbound::new(0, limits),
            outbound: Outbound::new(initial_tsn, path.packet_bytes()),
            stream_count: None,
            zero_checksum: false,
            resets: Resets::new(initial_tsn),
            path,
            width: Width::new(),
            shutdown: Timer::default(),
            control: Control::default(),
            streams: Streams::default(),
            events: VecDeque::new(),
            endpoint_events: VecDeque::new(),
        };
        if role == Role::Client {
            association.begin(now);
        }
        association
    }

    pub(crate) fn local_tag(&self) -> u32 {
        self.local_tag
    }

    /// The next thing that happened.
    #[must_use]
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing to tell the endpoint.
    #[must_use]
    pub fn poll_endpoint_event(&mut self) -> Option<EndpointEvent> {
        self.endpoint_events.pop_front()
    }

    /// When to call [`Self::handle_timeout`]. Early and needless calls do no harm.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Closed {
            return None;
        }
        let data = match self.is_handshaking() {
            true => [None; 4],
            false => {
                let inbound = self.inbound.deadline();
                [inbound, self.outbound.deadline(), self.resets.deadline(), self.path.deadline()]
            }
        };
        [self.setup.deadline(), self.shutdown.deadline()].into_iter().chain(data).flatten().min()
    }

    /// Datagrams to send now; nothing when there are no more.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant) -> Option<TransportMessage<Payload>> {
        let datagrams = self.datagrams(now);
        (!datagrams.is_empty()).then(|| TransportMessage {
            now,
            transport: self.route,
            message: Payload::RawEncode(datagrams),
        })
    }

    /// Time has come to `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.handle_setup_timeout(now);
        self.handle_shutdown_timeout(now);
        if self.is_handshaking() || self.state == State::Closed {
            return;
        }
        let rto = self.outbound.rto();
        if self.outbound.handle_timeout(now) == Err(PathFailed)
            || self.resets.handle_timeout(now, rto).is_err()
        {
            return self.fail(AssociationError::TimedOut);
        }
        self.path.handle_timeout(now);
        self.after_input(now);
    }

    /// Takes a datagram that the endpoint found to be for this association.
    pub fn handle_event(&mut self, event: AssociationEvent) {
        if self.state == State::Closed {
            return;
        }
        if let Err(violation) = self.handle_packet(event.now, &event.packet) {
            log::warn!("association aborted: {violation}");
            self.send_abort(violation);
            return self.fail(AssociationError::TransportError);
        }
        self.after_input(event.now);
    }

    /// What may have become possible or known by any input.
    fn after_input(&mut self, now: Instant) {
        self.report_released();
        if let Some(round_trip) = self.outbound.srtt() {
            self.inbound.set_round_trip(round_trip);
        }
        self.advance_resets(now);
        self.follow_path();
        self.advance_shutdown(now);
    }

    /// Whether it is being set up. Once it is not it stands, or is over.
    pub fn is_handshaking(&self) -> bool {
        matches!(self.state, State::Listening | State::CookieWait | State::CookieEchoed)
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Streams each way; nothing before both sides have said how many they take.
    pub fn negotiated_max_streams(&self) -> Option<u16> {
        self.stream_count.filter(|_| !self.is_handshaking())
    }

    /// Opens a stream; the peer learns of it by its first message.
    ///
    /// # Errors
    /// [`Error::ErrStreamAlreadyExist`]; [`Error::ErrStreamCreateFailed`] past the negotiated number.
    pub fn open_stream(&mut self, id: StreamId, _: PayloadProtocolIdentifier) -> Result<Stream<'_>> {
        if self.stream_count.is_some_and(|count| id >= count) || self.state == State::Closed {
            return Err(Error::ErrStreamCreateFailed);
        }
        if !self.streams.open(id) {
            return Err(Error::ErrStreamAlreadyExist);
        }
        Ok(Stream { id, association: self })
    }

    /// A stream that was opened by either side.
    ///
    /// # Errors
    /// [`Error::ErrStreamNotExisted`].
    pub fn stream(&mut self, id: StreamId) -> Result<Stream<'_>> {
        self.streams.get(id).ok_or(Error::ErrStreamNotExisted)?;
        Ok(Stream { id, association: self })
    }

    pub(crate) fn read(&mut self, id: StreamId) -> Result<Option<Chunks>> {
        self.streams.get(id).ok_or(Error::ErrStreamClosed)?;
        let chunks = self.inbound.read(id);
        if !self.inbound.has_unread(id) {
            self.end_stream_if_reset(id);
        }
        Ok(chunks)
    }

    pub(crate) fn is_writable(&self, id: StreamId) -> bool {
        let running = self.is_handshaking() || self.state == State::Established;
        running && self.streams.get(id).is_some_and(|entry| entry.is_open())
    }

    pub(crate) fn write(&mut self, id: StreamId, message: Message) -> Result<usize> {
        if !self.is_writable(id) {
            return Err(Error::ErrStreamClosed);
        }
        let length = message.payload.len();
        if length > self.message_bytes {
            return Err(Error::ErrOutboundPacketTooLarge);
        }
        if length > 0 {
            // An empty message cannot be said in SCTP; the layer above sends a byte and says so by its identifier.
            if let Some(event) = self.streams.add_buffered(id, length) {
                self.events.push_back(Event::Stream(event));
            }
            self.outbound.write(id, message);
        }
        Ok(length)
    }

    /// Tells of bytes that arrived or were given up.
    fn report_released(&mut self) {
        while let Some((id, n_bytes)) = self.outbound.poll_released() {
            self.events.push_back(Event::Stream(StreamEvent::BufferedAmountReleased { id, n_bytes }));
            self.events.extend(self.streams.release_buffered(id, n_bytes).map(Event::Stream));
        }
    }
}

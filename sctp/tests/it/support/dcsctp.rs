//! dcSCTP, the engine that Chromium carries, as a [`Peer`].

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use dcsctp::api::{
    DcSctpSocket, Message, Options, PpId, SendOptions, Socket, SocketEvent, SocketState, SocketTime,
    StreamId as Id, ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS as DTLS_GUARDS,
};

use crate::support::peer::{Channel, Effort, Order, Peer, Received, Role, Settings, State, StreamId};

/// Room for what the tests queue at once, in bytes.
const SEND_BUFFER_BYTES: usize = 16 << 20;

/// One end.
pub struct DcSctp {
    /// Whether it sends an INIT of its own.
    begins: bool,
    /// Streams that this end has closed.
    closing: Vec<StreamId>,
    socket: Socket,
    epoch: Option<Instant>,
    began: bool,
    channels: Vec<(StreamId, Channel)>,
    out: Vec<Bytes>,
    closed: VecDeque<StreamId>,
}

impl DcSctp {
    pub fn new(role: Role, settings: Settings) -> Self {
        Self::with_options(role == Role::Client, Self::options(settings))
    }

    /// As Chromium has it: it begins whatever its role, and leaves checksums to DTLS.
    pub fn like_a_browser(settings: Settings) -> Self {
        let mut options = Self::options(settings);
        options.zero_checksum_alternate_error_detection_method = DTLS_GUARDS;
        Self::with_options(true, options)
    }

    fn options(settings: Settings) -> Options {
        Options {
            mtu: settings.packet_bytes as usize,
            max_message_size: settings.message_bytes as usize,
            max_receiver_window_buffer_size: settings.window_bytes as usize,
            max_send_buffer_size: SEND_BUFFER_BYTES,
            per_stream_send_queue_limit: SEND_BUFFER_BYTES,
            ..Options::default()
        }
    }

    fn with_options(begins: bool, options: Options) -> Self {
        Self {
            begins,
            closing: Vec::new(),
            socket: Socket::new("dcsctp", &options),
            epoch: None,
            began: false,
            channels: Vec::new(),
            out: Vec::new(),
            closed: VecDeque::new(),
        }
    }

    /// Tells it the time.
    fn advance(&mut self, now: Instant) {
        let epoch = *self.epoch.get_or_insert(now);
        self.socket.advance_time(SocketTime::zero() + now.saturating_duration_since(epoch));
    }

    fn heed(&mut self) {
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => self.out.push(packet.into()),
                SocketEvent::OnIncomingStreamReset(streams) => {
                    for stream in streams {
                        self.answer_reset(stream);
                    }
                }
                SocketEvent::OnConnected() => self.began = true,
                SocketEvent::OnAborted(kind, reason) => log::warn!("aborted: {kind:?} {reason}"),
                _ => {}
            }
        }
    }

    /// A channel is closed both ways (RFC 8831 §6.7): by the layer above, with this engine.
    fn answer_reset(&mut self, stream: Id) {
        self.closed.push_back(stream.0);
        match self.closing.iter().position(|closing| *closing == stream.0) {
            Some(place) => drop(self.closing.swap_remove(place)),
            None => self.socket.reset_streams(&[stream]).expect("an association that stands"),
        }
    }
}

impl Peer for DcSctp {
    fn connect(&mut self, now: Instant) {
        self.advance(now);
        if self.begins {
            self.socket.connect();
        }
        self.heed();
    }

    fn handle(&mut self, now: Instant, datagram: Bytes) {
        self.advance(now);
        self.socket.handle_input(&datagram);
        self.heed();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.heed();
    }

    fn deadline(&self) -> Option<Instant> {
        let due = self.socket.poll_timeout();
        (due != SocketTime::infinite_future())
            .then(|| self.epoch.map(|epoch| epoch + (due - SocketTime::zero())))?
    }

    fn flush(&mut self, now: Instant, out: &mut Vec<Bytes>) {
        self.advance(now);
        self.heed();
        out.append(&mut self.out);
    }

    fn state(&self) -> State {
        match self.socket.state() {
            SocketState::Closed if self.began => State::Ended,
            SocketState::Closed | SocketState::Connecting => State::Handshaking,
            SocketState::Connected | SocketState::ShuttingDown => State::Established,
        }
    }

    fn open(&mut self, stream: StreamId, channel: Channel) {
        self.channels.retain(|(id, _)| *id != stream);
        self.channels.push((stream, channel));
    }

    fn write(&mut self, now: Instant, stream: StreamId, ppid: u32, payload: Bytes) {
        self.advance(now);
        let channel = self.channels.iter().find(|(id, _)| *id == stream).expect("an open stream").1;
        let (lifetime, max_retransmissions) = match channel.effort {
            Effort::Reliable => (None, None),
            Effort::Retransmits(times) => (None, Some(times as u16)),
            Effort::Lifetime(time) => (Some(time), None),
        };
        let unordered = channel.order == Order::Unordered;
        let options = SendOptions { unordered, lifetime, max_retransmissions, lifecycle_id: None };
        let message = Message::new(Id(stream), PpId(ppid), payload.to_vec());
        self.socket.send(message, &options).expect("room in its queue");
        self.heed();
    }

    fn buffered(&mut self, stream: StreamId) -> usize {
        self.socket.buffered_amount(Id(stream))
    }

    fn read(&mut self) -> Option<Received> {
        let message = self.socket.get_next_message()?;
        let payload = BytesMut::from(message.payload.as_slice());
        Some(Received { stream: message.stream_id.0, ppid: message.ppid.0, payload })
    }

    fn reset(&mut self, now: Instant, stream: StreamId) {
        self.advance(now);
        self.closing.push(stream);
        self.socket.reset_streams(&[Id(stream)]).expect("an association that stands");
        self.heed();
    }

    fn poll_reset(&mut self) -> Option<StreamId> {
        self.closed.pop_front()
    }

    fn shutdown(&mut self, now: Instant) {
        self.advance(now);
        self.socket.shutdown();
        self.heed();
    }

    fn abort(&mut self, now: Instant) {
        self.advance(now);
        self.socket.close();
        self.heed();
    }
}

//! Setting up: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK (RFC 9260 §5), from either side or from both at once.
//!
//! The cookie holds all that the server needs to know of the client, so that an INIT changes nothing; a nonce makes it this
//! association's. Only the DTLS peer sees it, and what it could forge in it are its own settings: no MAC guards it.
//!
//! Two of our own kind do not wait for the cookie. It is there so that a stranger's INIT costs a server nothing and cannot
//! stand for somebody else (RFC 9260 §5.1.3); below, DTLS has named the peer and ICE has seen its path. So the server stands with
//! the INIT and the client with the INIT ACK: data follows these at once, and the cookie beside it. That saves a round trip.

use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::association::timer::Timer;
use crate::association::{Association, AssociationError, Event, STREAMS, State};
use crate::inbound::Inbound;
use crate::wire::{Chunk, Extensions, Init};

/// First wait for an answer (RFC 9260 §6.3.1 C1: RTO.Initial).
const INITIAL_WAIT: Duration = Duration::from_secs(1);

/// Least wait for the COOKIE ACK once the INIT's round trip was seen: RTO.Min as `control/rtt.rs` has it.
const MIN_WAIT: Duration = Duration::from_millis(200);

const NONCE_BYTES: usize = 16;

/// What the cookie says of the peer, in bytes.
const PEER_BYTES: usize = 20;

/// What this side says in its INIT or INIT ACK.
const EXTENSIONS: Extensions =
    Extensions { forward_tsn: true, reconfig: true, zero_checksum: true, padding: true };

/// How far the handshake is, seen from here.
#[derive(Debug)]
pub(super) struct Setup {
    initial_tsn: u32,
    nonce: [u8; NONCE_BYTES],
    /// What the peer sent for us to echo.
    cookie: Option<Bytes>,
    /// What its INIT ACK said; it counts once the cookie was taken.
    peer: Option<Peer>,
    timer: Timer,
    wait: Duration,
    /// When what is being answered was sent; nothing if that was more than once (RFC 9260 §6.3.1 C5).
    sent_at: Option<Instant>,
    round_trip: Option<Duration>,
    /// Whether an INIT was answered already.
    has_answered: bool,
    /// A server that stands and has not seen its cookie again: its INIT ACK may have been lost.
    awaits_cookie: bool,
}

/// What an INIT or INIT ACK says of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Peer {
    tag: u32,
    window: u32,
    outbound_streams: u16,
    inbound_streams: u16,
    initial_tsn: u32,
    extensions: Extensions,
}

impl Setup {
    pub(super) fn new(initial_tsn: u32) -> Self {
        let (cookie, peer, sent_at, round_trip) = (None, None, None, None);
        let (nonce, timer) = (rand::random(), Timer::default());
        Self {
            initial_tsn,
            nonce,
            cookie,
            peer,
            timer,
            wait: INITIAL_WAIT,
            sent_at,
            round_trip,
            has_answered: false,
            awaits_cookie: false,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timer.deadline()
    }

    fn answered(&mut self, now: Instant) {
        let sent_at = self.sent_at.take();
        self.round_trip = sent_at.map(|sent_at| now.saturating_duration_since(sent_at)).or(self.round_trip);
    }
}

impl Association {
    /// The client's first step.
    pub(super) fn begin(&mut self, now: Instant) {
        self.state = State::CookieWait;
        self.setup.sent_at = Some(now);
        self.setup.timer.start(now, self.setup.wait);
        let init = self.local_init(None);
        self.control.push(Chunk::Init(init));
    }

    pub(super) fn local_init(&mut self, cookie: Option<Bytes>) -> Init {
        Init {
            tag: self.local_tag,
            window: self.inbound.window(),
            outbound_streams: STREAMS,
            inbound_streams: STREAMS,
            initial_tsn: self.setup.initial_tsn,
            extensions: EXTENSIONS,
            cookie,
        }
    }

    /// An INIT: answered as long as nothing stands. Afterwards it is an old one: over DTLS a peer that starts anew comes with a
    /// new connection (RFC 8261 §6.1), so RFC 9260's restarts do not happen.
    pub(super) fn handle_init(&mut self, now: Instant, init: &Init) {
        let peer = Peer::of(init);
        let again = self.setup.awaits_cookie && peer.tag == self.peer_tag;
        if !self.is_handshaking() && !again {
            return;
        }
        let answer = self.local_init(Some(peer.to_cookie(&self.setup.nonce)));
        self.control.push_to(peer.tag, Chunk::InitAck(answer));
        if self.state == State::Listening || again {
            let first = !std::mem::replace(&mut self.setup.has_answered, true);
            self.setup.sent_at = first.then_some(now);
        }
        if self.state == State::Listening && peer.is_our_kind() {
            self.establish(now, peer);
            self.setup.awaits_cookie = true;
        }
    }

    pub(super) fn handle_init_ack(&mut self, now: Instant, init: &Init) {
        let Some(cookie) = init.cookie.clone().filter(|_| self.state == State::CookieWait) else { return };
        let peer = Peer::of(init);
        self.peer_tag = peer.tag;
        self.setup.peer = Some(peer);
        self.setup.cookie = Some(cookie.clone());
        self.state = State::CookieEchoed;
        // Before data, also in the packet.
        self.control.push(Chunk::CookieEcho(cookie));
        // RFC 9260 §6.3.1 C2 for one sample: RTT + 4 * RTT / 2.
        self.setup.answered(now);
        self.setup.wait = (3 * self.setup.round_trip.unwrap_or(INITIAL_WAIT)).clamp(MIN_WAIT, INITIAL_WAIT);
        self.setup.timer.start(now, self.setup.wait);
        if peer.is_our_kind() {
            self.establish(now, peer);
        }
    }

    pub(super) fn handle_cookie_echo(&mut self, now: Instant, cookie: &Bytes) {
        let Some(peer) = Peer::from_cookie(cookie.clone(), &self.setup.nonce) else { return };
        if self.is_handshaking() {
            self.setup.answered(now);
            self.establish(now, peer);
        } else if std::mem::take(&mut self.setup.awaits_cookie) {
            self.setup.answered(now);
            self.learn_round_trip(now);
        } else if self.peer_tag != peer.tag || self.state == State::Closed {
            return; // RFC 9260 §5.2.4: from another life.
        }
        self.control.push(Chunk::CookieAck);
    }

    pub(super) fn handle_cookie_ack(&mut self, now: Instant) {
        let Some(peer) = self.setup.peer.take() else { return };
        if self.state == State::CookieEchoed {
            self.establish(now, peer);
        }
        self.setup.timer.stop();
        self.setup.cookie = None;
        // Not earlier: what bundles the cookie has a checksum (RFC 9653 §5.2).
        self.zero_checksum = peer.extensions.zero_checksum;
    }

    /// From here on data goes both ways. A client's cookie may still be on its way.
    fn establish(&mut self, now: Instant, peer: Peer) {
        self.state = State::Established;
        self.peer_tag = peer.tag;
        self.inbound = Inbound::new(peer.initial_tsn, self.limits);
        if peer.is_our_kind() {
            self.inbound.answer_rarely();
        }
        self.outbound.establish(now, peer.window, peer.extensions.forward_tsn);
        self.learn_round_trip(now);
        self.zero_checksum = peer.extensions.zero_checksum && self.setup.cookie.is_none();
        self.stream_count = Some(peer.inbound_streams.min(peer.outbound_streams));
        self.resets.establish(peer.initial_tsn, peer.extensions.reconfig);
        self.path.establish(now);
        if self.setup.cookie.is_none() {
            self.setup.timer.stop(); // Nothing of ours is left to answer, though our INIT may not have been.
        }
        self.events.push_back(Event::Connected);
    }

    fn learn_round_trip(&mut self, now: Instant) {
        if let Some(round_trip) = self.setup.round_trip {
            self.outbound.observe_round_trip(now, round_trip);
        }
    }

    pub(super) fn handle_setup_timeout(&mut self, now: Instant) {
        let chunk = match (self.state, &self.setup.cookie) {
            (State::Closed, _) => return,
            (State::CookieWait, _) => Chunk::Init(self.local_init(None)),
            (_, Some(cookie)) => Chunk::CookieEcho(cookie.clone()),
            (_, None) => return,
        };
        match self.setup.timer.fire(now, self.setup.wait) {
            Ok(false) => (),
            Ok(true) => {
                self.setup.sent_at = None;
                self.control.push(chunk);
            }
            Err(_) => {
                let reason = AssociationError::HandshakeFailed("the peer does not answer".into());
                self.events.push_back(Event::HandshakeFailed { reason: reason.clone() });
                self.fail(reason);
            }
        }
    }
}

impl Peer {
    fn of(init: &Init) -> Self {
        let Init { tag, window, outbound_streams, inbound_streams, initial_tsn, extensions, .. } = *init;
        Self { tag, window, outbound_streams, inbound_streams, initial_tsn, extensions }
    }

    /// Only ours has PAD in its list of chunks.
    fn is_our_kind(&self) -> bool {
        self.extensions.padding
    }

    fn to_cookie(self, nonce: &[u8; NONCE_BYTES]) -> Bytes {
        let mut cookie = BytesMut::with_capacity(NONCE_BYTES + PEER_BYTES);
        cookie.put_slice(nonce);
        cookie.put_u32(self.tag);
        cookie.put_u32(self.window);
        cookie.put_u16(self.outbound_streams);
        cookie.put_u16(self.inbound_streams);
        cookie.put_u32(self.initial_tsn);
        let Extensions { forward_tsn, reconfig, zero_checksum, padding } = self.extensions;
        for extension in [forward_tsn, reconfig, zero_checksum, padding] {
            cookie.put_u8(extension.into());
        }
        cookie.freeze()
    }

    fn from_cookie(mut cookie: Bytes, nonce: &[u8; NONCE_BYTES]) -> Option<Self> {
        if cookie.len() != NONCE_BYTES + PEER_BYTES || cookie.split_to(NONCE_BYTES) != nonce[..] {
            return None;
        }
        Some(Self {
            tag: cookie.get_u32(),
            window: cookie.get_u32(),
            outbound_streams: cookie.get_u16(),
            inbound_streams: cookie.get_u16(),
            initial_tsn: cookie.get_u32(),
            extensions: Extensions {
                forward_tsn: cookie.get_u8() != 0,
                reconfig: cookie.get_u8() != 0,
                zero_checksum: cookie.get_u8() != 0,
                padding: cookie.get_u8() != 0,
            },
        })
    }
}

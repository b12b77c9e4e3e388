//! The only WebSocket client: typed messages in, typed messages out.
//!
//! Invariants:
//! - Frames and messages are at most [`MAX_SIGNALING_FRAME`] bytes in both directions.
//! - Every wait has a deadline: requests the one given to [`Signaling::connect`], silence 70 seconds.
//! - What the server says is data of a stranger: kinds that we do not know are skipped, a bounded
//!   number of them, and kinds that we know must be well formed.
//!
//! Nobody may log this module's traffic at a lower level: the WebSocket library prints whole messages
//! when `log` is set to trace, so its targets belong on every logger's list of exceptions.

mod dial;
mod error;
mod opening;
mod url;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::{self, Instant, Interval};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::dial::BoxStream;
pub use crate::signaling::error::SignalingClientError;
pub use crate::signaling::url::{ServerUrl, ServerUrlError};
use crate::wire::signaling::{
    ClientMessage, CloseCode, Hex, IceServer, MeetRole, Nameplate, Relay, ServerMessage, Token, parse, render,
};
use crate::wire::{MAX_SIGNALING_FRAME, PROTOCOL_VERSION};

/// Between two pings. Proxies and NATs forget connections that say nothing for a minute or so.
const PING: Duration = Duration::from_secs(20);

/// A server that sent nothing for so long, not even three pongs, is gone.
const SILENCE: Duration = Duration::from_secs(70);

/// Messages of unknown kinds that one connection may bring.
const MAX_UNKNOWN: u32 = 64;

/// The longest that [`Signaling::close`] and a look for the server's last word take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection to a signaling server.
///
/// It sits still unless one of its methods is awaited, so whoever waits for anything else should
/// have [`recv`](Self::recv) in the same `select!`: that is what keeps the connection alive.
pub struct Signaling {
    socket: WebSocketStream<BoxStream>,
    timeout: Duration,
    ping: Interval,
    heard: Instant,
    /// [`SILENCE`], but in tests.
    silence: Duration,
    unknown: u32,
    date: Option<String>,
    is_here: bool,
    /// What the server took with the request for the WebSocket, until its answer is asked for.
    said: Option<ClientMessage>,
}

/// A room that is waiting for its receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedRoom {
    /// Its number.
    pub nameplate: Nameplate,
    /// How long it waits.
    pub ttl: Duration,
    /// STUN and TURN servers on offer.
    pub ice: Vec<IceServer>,
}

/// A room that was joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedRoom {
    /// The sender's half of the session id.
    pub ns: [u8; 16],
    /// STUN and TURN servers on offer.
    pub ice: Vec<IceServer>,
}

/// The other peer of a session, met again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The other's nonce.
    pub nonce: [u8; 16],
    /// STUN and TURN servers on offer.
    pub ice: Vec<IceServer>,
}

/// What the server brings while a room is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Somebody joined; the nameplate is dead from here.
    Peer {
        /// The receiver's half of the session id.
        nr: [u8; 16],
        /// STUN and TURN servers, in place of those that came with the room; none from an older server.
        ice: Vec<IceServer>,
    },
    /// The other seat says something.
    Relay(Relay),
    /// The other seat is empty.
    Gone,
}

impl Signaling {
    /// The server's clock when the connection was opened, in the words of HTTP (RFC 9110 §6.6.1), unread; at most 64 bytes.
    pub fn server_date(&self) -> Option<&str> {
        self.date.as_deref()
    }

    /// Whether the server's address is a loopback one: then it is on this machine, as far as one can see.
    pub fn is_here(&self) -> bool {
        self.is_here
    }

    /// Asks for a room; `ns` is the sender's half of the session id.
    ///
    /// Not cancel safe: drop the connection when this was not awaited to its end.
    ///
    /// # Errors
    /// `Closed` when refused, else `TimedOut`, `Lost`, `Malformed`, `TooLong`.
    pub async fn create(&mut self, ns: [u8; 16]) -> Result<CreatedRoom, SignalingClientError> {
        self.create_numbered(ns, None).await
    }

    /// Asks for a room with this number, if one is named; a server from before such wishes gives another.
    ///
    /// # Errors
    /// As [`create`](Self::create); a number that is in use is `Closed(Taken)`.
    pub async fn create_numbered(
        &mut self,
        ns: [u8; 16],
        nameplate: Option<Nameplate>,
    ) -> Result<CreatedRoom, SignalingClientError> {
        match self.ask(&ClientMessage::Create { v: PROTOCOL_VERSION, ns: Hex(ns), nameplate }).await? {
            ServerMessage::Created { nameplate, ttl, ice } => {
                Ok(CreatedRoom { nameplate, ttl: Duration::from_secs(ttl.into()), ice })
            }
            _other => Err(SignalingClientError::Malformed),
        }
    }

    /// Takes the second seat of a room, once and for all; `nr` is the receiver's half of the session id.
    ///
    /// Not cancel safe: the nameplate may be used up when this was not awaited to its end.
    ///
    /// # Errors
    /// As [`create`](Self::create); an unknown nameplate is `Closed(NoRoom)`.
    pub async fn join(
        &mut self,
        nameplate: Nameplate,
        nr: [u8; 16],
    ) -> Result<JoinedRoom, SignalingClientError> {
        match self.ask(&ClientMessage::Join { v: PROTOCOL_VERSION, nameplate, nr: Hex(nr) }).await? {
            ServerMessage::Joined { ns, ice } => Ok(JoinedRoom { ns: ns.0, ice }),
            _other => Err(SignalingClientError::Malformed),
        }
    }

    /// Waits for the other peer of a session whose link was lost; `token` is what both of them, and nobody
    /// else, call their meeting, and `nonce` is fresh.
    ///
    /// The server closes with `Expired` when nobody came for about a minute, with `Idle` when a newer
    /// connection took this seat; one that knows no meetings does so, too, after a few seconds. There
    /// is no other deadline: the connection is kept alive for as long as the caller waits.
    ///
    /// Not cancel safe: drop the connection when this was not awaited to its end.
    ///
    /// # Errors
    /// `Closed`, `Lost`, `Malformed`, `TooLong`, and `TimedOut` when the question cannot be sent.
    pub async fn meet(
        &mut self,
        token: [u8; 32],
        role: MeetRole,
        nonce: [u8; 16],
    ) -> Result<Met, SignalingClientError> {
        let token = Token(token);
        self.write(&ClientMessage::Meet { v: PROTOCOL_VERSION, token, role, nonce: Hex(nonce) }).await?;
        match self.next_message().await? {
            ServerMessage::Met { nonce, ice } => Ok(Met { nonce: nonce.0, ice }),
            _other => Err(SignalingClientError::Malformed),
        }
    }

    /// Says something to the other seat.
    ///
    /// Not cancel safe: whether it was sent is unknown when this was not awaited to its end.
    ///
    /// # Errors
    /// `Closed` when the server had hung up before, `TimedOut`, `Lost`, `TooLong`.
    pub async fn send(&mut self, relay: Relay) -> Result<(), SignalingClientError> {
        self.write(&ClientMessage::Relay(relay)).await
    }

    /// Waits for what the server brings, and keeps the connection alive meanwhile.
    ///
    /// Cancel safe: nothing that came in is lost. There is no deadline for the server to bring
    /// anything, only one for it to be alive.
    ///
    /// # Errors
    /// `Closed`, `Lost`, `Malformed`, `TooLong`; the connection is over after any of them.
    pub async fn recv(&mut self) -> Result<Incoming, SignalingClientError> {
        match self.next_message().await? {
            ServerMessage::Peer { nr, ice } => Ok(Incoming::Peer { nr: nr.0, ice }),
            ServerMessage::Relay(relay) => Ok(Incoming::Relay(relay)),
            ServerMessage::Gone => Ok(Incoming::Gone),
            ServerMessage::Created { .. }
            | ServerMessage::Joined { .. }
            | ServerMessage::Met { .. }
            | ServerMessage::Unknown(_) => Err(SignalingClientError::Malformed),
        }
    }

    /// Hangs up in good order, so that what was said last arrives; takes two seconds at most.
    pub async fn close(mut self) {
        let goodbye = async {
            self.socket.close(None).await?;
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<(), Error>(())
        };
        // We are leaving: a server that is gone already is as good as one that says goodbye.
        let _ = time::timeout(GOODBYE.min(self.timeout), goodbye).await;
    }

    async fn ask(&mut self, request: &ClientMessage) -> Result<ServerMessage, SignalingClientError> {
        let timeout = self.timeout;
        let answer = async {
            if self.said.take().as_ref() != Some(request) {
                self.write(request).await?;
            }
            self.next_message().await
        };
        time::timeout(timeout, answer).await.unwrap_or(Err(SignalingClientError::TimedOut(timeout)))
    }

    async fn write(&mut self, message: &ClientMessage) -> Result<(), SignalingClientError> {
        let text = render(message);
        if text.len() > MAX_SIGNALING_FRAME {
            return Err(SignalingClientError::TooLong);
        }
        match time::timeout(self.timeout, self.socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.last_word().await),
            Err(_) => Err(SignalingClientError::TimedOut(self.timeout)),
        }
    }

    /// The reason why the server hung up, which may still lie unread when a write fails.
    async fn last_word(&mut self) -> SignalingClientError {
        let timeout = self.timeout;
        let reason = async {
            loop {
                let frame = self.socket.next().await;
                if let Err(reason) = self.handle_frame(frame) {
                    return reason;
                }
            }
        };
        time::timeout(GOODBYE.min(timeout), reason).await.unwrap_or(SignalingClientError::Lost)
    }

    /// The next message of a kind that we know. Cancel safe: between taking a frame and returning
    /// its message nothing is awaited.
    async fn next_message(&mut self) -> Result<ServerMessage, SignalingClientError> {
        loop {
            tokio::select! {
                // What has come in counts before the clock does, when nobody looked for a while.
                biased;
                frame = self.socket.next() => {
                    self.heard = Instant::now();
                    if let Some(message) = self.handle_frame(frame)? {
                        return Ok(message);
                    }
                }
                () = time::sleep_until(self.heard + self.silence) => return Err(SignalingClientError::Lost),
                _ = self.ping.tick() => {
                    let sent = time::timeout(self.timeout, self.socket.send(Message::Ping(Bytes::new())));
                    if !matches!(sent.await, Ok(Ok(()))) {
                        return Err(self.last_word().await);
                    }
                }
            }
        }
    }

    fn handle_frame(
        &mut self,
        frame: Option<Result<Message, Error>>,
    ) -> Result<Option<ServerMessage>, SignalingClientError> {
        let text = match frame {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(None),
            Some(Ok(Message::Binary(_))) | Some(Err(Error::Utf8(_))) => {
                return Err(SignalingClientError::Malformed);
            }
            Some(Ok(Message::Close(frame))) => {
                let code = frame.and_then(|frame| CloseCode::from_number(frame.code.into()));
                return Err(code.map_or(SignalingClientError::Lost, SignalingClientError::Closed));
            }
            Some(Err(Error::Capacity(_))) => return Err(SignalingClientError::TooLong),
            Some(Err(_)) | None => return Err(SignalingClientError::Lost),
        };
        match parse::<ServerMessage>(&text) {
            Ok(ServerMessage::Unknown(unknown)) => {
                self.unknown += 1;
                // A kind that we know arrives here when its fields are wrong.
                let known = matches!(
                    unknown.kind.as_str(),
                    "created" | "joined" | "peer" | "met" | "gone" | "pake" | "confirm" | "sealed" | "bye"
                );
                if known || self.unknown > MAX_UNKNOWN {
                    return Err(SignalingClientError::Malformed);
                }
                Ok(None)
            }
            Ok(message) => Ok(Some(message)),
            Err(_) => Err(SignalingClientError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests;

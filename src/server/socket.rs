//! One WebSocket and the one seat that it may take.
//!
//! Invariants:
//! - A client sits down within the handshake deadline or is closed; it sits down once.
//! - Only text is understood. Frames and messages are at most [`MAX_SIGNALING_FRAME`] bytes, which the
//!   WebSocket layer enforces before it allocates.
//! - A client that takes no data is closed after the write deadline, never buffered for beyond its
//!   mailbox. Nothing is read for a client while something is being written to it.
//! - Whoever is refused gets a numbered close code and its sentence.

use std::sync::Arc;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{self, Interval, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use crate::server::desk::{Delivery, Desk, Mailbox, Meet, Occupancy, Ticket};
use crate::server::limits::{Bucket, Source};
use crate::server::{Counts, stopped};
use crate::wire::signaling::{ClientMessage, CloseCode, Unknown, parse, render};
use crate::wire::{MAX_SIGNALING_FRAME, PROTOCOL_VERSION};

/// Frames a minute that move nothing forward: pings, pongs, kinds that this version does not know.
const STRAYS_PER_MINUTE: u32 = 60;

/// Bytes that are still read, and thrown away, from a client that was closed.
const DRAIN_BYTES: u64 = 1 << 20;

/// Serves one WebSocket to its end.
///
/// `first` is what came with the request for it, and counts as its first text.
pub(crate) async fn serve<S>(
    stream: S,
    desk: Arc<Desk>,
    ticket: Ticket,
    first: Option<String>,
    stopping: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(socket_config())).await;
    let mut ping = time::interval(desk.config.timing.ping);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    let (mailbox, mail) = desk.mailbox();
    let now = time::Instant::now();
    let strays = Bucket::new(Instant::now());
    let place = Place::Standing(mailbox);
    let mut connection = Connection { socket, desk, ticket, place, mail, ping, heard: now, strays };
    let ending = connection.attend(first, stopping).await;
    connection.end(ending).await;
}

/// Small buffers, since most connections wait; the default would set 128 KiB aside for each.
fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MAX_SIGNALING_FRAME)
        .max_message_size(Some(MAX_SIGNALING_FRAME))
        .max_frame_size(Some(MAX_SIGNALING_FRAME))
}

struct Connection<S> {
    socket: WebSocketStream<S>,
    desk: Arc<Desk>,
    ticket: Ticket,
    place: Place,
    mail: mpsc::Receiver<Delivery>,
    ping: Interval,
    /// When the last frame came in; while standing, when the connection began.
    heard: time::Instant,
    strays: Bucket,
}

/// Where a client is.
enum Place {
    /// It has said neither `create` nor `join` nor `meet`; the desk gets this mailbox when it does.
    Standing(Mailbox),
    /// It has a seat.
    Seated(Occupancy),
    /// It was refused one.
    Leaving,
}

/// How a connection ends.
enum Ending {
    /// The server says why.
    Close(CloseCode),
    /// The client left in good order and waits for the answer.
    Left,
    /// There is nobody to talk to any more.
    Lost,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn attend(&mut self, first: Option<String>, mut stopping: watch::Receiver<bool>) -> Ending {
        if let Some(code) = self.ticket.refusal {
            return Ending::Close(code);
        }
        if let Some(Err(code)) = first.map(|text| self.handle_text(&text)) {
            return Ending::Close(code);
        }
        loop {
            let patience = match self.place {
                Place::Standing(_) | Place::Leaving => self.desk.config.timing.handshake,
                Place::Seated(_) => self.desk.config.timing.idle,
            };
            let step = tokio::select! {
                () = stopped(&mut stopping) => Err(Ending::Close(CloseCode::Stopping)),
                () = time::sleep_until(self.heard + patience) => Err(Ending::Close(CloseCode::Idle)),
                delivery = self.mail.recv() => match delivery {
                    Some(Delivery::Message(message)) => self.write(Message::text(render(&message))).await,
                    Some(Delivery::Close(code)) => Err(Ending::Close(code)),
                    // The desk gave this reader up: its mailbox overflowed.
                    None => Err(Ending::Close(CloseCode::Idle)),
                },
                frame = self.socket.next() => self.handle_frame(frame),
                _ = self.ping.tick() => self.write(Message::Ping(Bytes::new())).await,
            };
            if let Err(ending) = step {
                return ending;
            }
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), Ending> {
        match time::timeout(self.desk.config.timing.write, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ending::Lost),
        }
    }

    fn handle_frame(&mut self, frame: Option<Result<Message, Error>>) -> Result<(), Ending> {
        if let Place::Seated(_) = self.place {
            self.heard = time::Instant::now();
        }
        match frame {
            Some(Ok(Message::Text(text))) => self.handle_text(&text).map_err(Ending::Close),
            Some(Ok(Message::Binary(_))) => Err(Ending::Close(CloseCode::Malformed)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                self.count_stray().map_err(Ending::Close)
            }
            Some(Ok(Message::Close(_))) => Err(Ending::Left),
            Some(Err(Error::Capacity(_))) => Err(Ending::Close(CloseCode::TooMuch)),
            Some(Err(Error::Utf8(_))) => Err(Ending::Close(CloseCode::Malformed)),
            Some(Err(_)) | None => Err(Ending::Lost),
        }
    }

    fn handle_text(&mut self, text: &str) -> Result<(), CloseCode> {
        let message = parse::<ClientMessage>(text).map_err(|_| CloseCode::Malformed)?;
        match message {
            ClientMessage::Create { v, .. }
            | ClientMessage::Join { v, .. }
            | ClientMessage::Meet { v, .. }
                if v != PROTOCOL_VERSION =>
            {
                Err(CloseCode::Version)
            }
            ClientMessage::Create { ns, nameplate, .. } => self.sit_down(|desk, source, mailbox| {
                desk.create(Instant::now(), source, ns, nameplate, mailbox)
            }),
            ClientMessage::Join { nameplate, nr, .. } => self
                .sit_down(|desk, source, mailbox| desk.join(Instant::now(), source, nameplate, nr, mailbox)),
            ClientMessage::Meet { token, role, nonce, .. } => self.sit_down(|desk, source, mailbox| {
                desk.meet(Instant::now(), source, Meet { token, role, nonce }, mailbox)
            }),
            ClientMessage::Relay(relay) => match &self.place {
                Place::Seated(occupancy) => occupancy.relay(relay, text.len()),
                Place::Standing(_) | Place::Leaving => Err(CloseCode::Malformed),
            },
            ClientMessage::Unknown(unknown) => self.handle_unknown(&unknown, text),
        }
    }

    fn sit_down(
        &mut self,
        take: impl FnOnce(&Arc<Desk>, Source, Mailbox) -> Result<Occupancy, CloseCode>,
    ) -> Result<(), CloseCode> {
        match std::mem::replace(&mut self.place, Place::Leaving) {
            Place::Standing(mailbox) => {
                self.place = Place::Seated(take(&self.desk, self.ticket.source, mailbox)?);
                self.heard = time::Instant::now();
                Ok(())
            }
            // One seat for one socket. A seat that was taken before is left behind here.
            Place::Seated(_) | Place::Leaving => Err(CloseCode::Malformed),
        }
    }

    /// A kind of its own is tolerated. A kind of ours with other fields is a mistake, or a
    /// `create`, `join` or `meet` of another version, whose sender deserves to hear that.
    fn handle_unknown(&mut self, unknown: &Unknown, text: &str) -> Result<(), CloseCode> {
        match unknown.kind.as_str() {
            "create" | "join" | "meet" if version(text).is_some_and(|v| v != u64::from(PROTOCOL_VERSION)) => {
                Err(CloseCode::Version)
            }
            "create" | "join" | "meet" | "pake" | "confirm" | "sealed" | "bye" => Err(CloseCode::Malformed),
            _ => self.count_stray(),
        }
    }

    fn count_stray(&mut self) -> Result<(), CloseCode> {
        let allowed = self.strays.take(Instant::now(), STRAYS_PER_MINUTE);
        allowed.then_some(()).ok_or(CloseCode::TooMuch)
    }

    /// Says goodbye within the closing deadline. The seat is given up first: the other peer need not
    /// wait for this one's manners.
    async fn end(self, ending: Ending) {
        let Self { mut socket, desk, ticket: _ticket, place, .. } = self;
        drop(place);
        let goodbye = async {
            match ending {
                Ending::Close(code) => {
                    log::debug!("closing a client with {code:?}");
                    if code != CloseCode::Stopping {
                        Counts::add(&desk.config.counts.refused);
                    }
                    let reason = Utf8Bytes::from_static(code.sentence());
                    let frame = CloseFrame { code: code.number().into(), reason };
                    socket.send(Message::Close(Some(frame))).await?;
                    part(socket.get_mut()).await?;
                }
                Ending::Left => socket.close(None).await?,
                Ending::Lost => {}
            }
            Ok::<(), Error>(())
        };
        // Whether it was heard is not ours to know.
        let _ = time::timeout(desk.config.timing.closing, goodbye).await;
    }
}

/// Ends our half, then reads until the client has ended its own: closing a TCP socket with unread
/// data resets it, and the reset could overtake the close frame.
async fn part(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(DRAIN_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}

/// The version that a message claims, whatever else it holds.
fn version(text: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(text).ok()?.get("v")?.as_u64()
}

//! TURN over TCP or TLS (RFC 8656 §3.1): one stream, one client, messages one behind another.
//!
//! Invariants: a stream without an allocation is closed soon; one whose client takes nothing is closed, too, and never
//! buffered for beyond its queue. What a client has ends with its stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time;

use crate::server::relay::Relay;
use crate::server::relay::outgoing::{Outbox, Outgoing};
use crate::server::relay::table::Client;
use crate::server::relay::udp::canonical;

/// Bytes that are read at once, of a client that relays: more than the longest frame.
const BUFFER_BYTES: usize = 128 << 10;

/// The same of one that has not shown that it may: more than the longest request.
const STRANGERS_BYTES: usize = 4 << 10;

/// A STUN message's header; ChannelData's is shorter.
const STUN_HEADER: usize = 20;

/// How long a client may take to its allocation, and how often it is looked whether it still has one.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that takes nothing for so long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// The end of a stream, also when its task is dropped.
struct Seat {
    relay: Arc<Relay>,
    client: Client,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.relay.outboxes.close(self.number);
        self.relay.table().leave(&self.client);
    }
}

/// Serves one stream to its end. `peer` is the client, `local` the address of ours that it reached.
pub(in crate::server) async fn serve_stream<S>(
    relay: Arc<Relay>,
    stream: S,
    peer: SocketAddr,
    local: SocketAddr,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (number, outbox) = relay.outboxes.open();
    let client = Client { peer: canonical(peer), local: canonical(local), stream: Some(number) };
    let seat = Seat { relay, client, number };
    let (reader, writer) = io::split(stream);
    tokio::select! {
        () = read(&seat, reader) => {}
        () = write(&outbox, writer) => {}
    }
}

/// Reads until the stream ends, breaks the rules, or has no allocation.
async fn read<S: AsyncRead>(seat: &Seat, mut reader: ReadHalf<S>) {
    let mut buffer = vec![0; STRANGERS_BYTES];
    let (mut filled, mut outgoing) = (0, Outgoing::default());
    let mut look = time::Instant::now() + PATIENCE;
    loop {
        // Also of one who never stops talking.
        if time::Instant::now() >= look {
            if !seat.relay.table().has(Instant::now(), &seat.client) {
                return;
            }
            look = time::Instant::now() + PATIENCE;
        }
        let Some(room) = buffer.get_mut(filled..).filter(|it| !it.is_empty()) else { return };
        match time::timeout_at(look, reader.read(room)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(count)) => {
                filled += count;
                let Some(used) = handle(seat, buffer.get(..filled).unwrap_or_default(), &mut outgoing) else {
                    return;
                };
                buffer.copy_within(used..filled, 0);
                filled -= used;
                if buffer.len() < BUFFER_BYTES && seat.relay.table().has(Instant::now(), &seat.client) {
                    buffer.resize(BUFFER_BYTES, 0);
                }
                seat.relay.send(&mut outgoing).await;
            }
            Err(_) => (),
        }
    }
}

/// Handles every whole frame; returns how many bytes they took, or `None` when this is no TURN.
fn handle(seat: &Seat, bytes: &[u8], outgoing: &mut Outgoing) -> Option<usize> {
    let now = Instant::now();
    let mut table = seat.relay.table();
    let mut used = 0;
    while let Some(length) = frame(bytes.get(used..)?)? {
        let end = used + length;
        let Some(packet) = bytes.get(used..end) else { break };
        outgoing.put(|out| table.handle(now, seat.client, packet, out));
        used = end;
    }
    Some(used)
}

/// Bytes of the frame that begins here, padding included; an inner `None` when that is not known yet, an outer one when it is
/// none.
fn frame(bytes: &[u8]) -> Option<Option<usize>> {
    let Some([kind, _, high, low]) = bytes.first_chunk() else { return Some(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    match kind {
        0x00..=0x3f if length.is_multiple_of(4) => Some(Some(STUN_HEADER + length)),
        0x40..=0x4f => Some(Some(super::data::CHANNEL_HEADER + length.next_multiple_of(4))),
        _ => None,
    }
}

/// Writes what comes into the queue, as fast as it is taken.
async fn write<S: AsyncWrite>(outbox: &Outbox, mut writer: WriteHalf<S>) {
    let mut bytes = Vec::new();
    loop {
        outbox.take(&mut bytes).await;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match time::timeout(WRITE_DEADLINE, writer.write(rest)).await {
                Ok(Ok(count @ 1..)) => rest = rest.get(count..).unwrap_or_default(),
                Ok(Ok(0) | Err(_)) | Err(_) => return,
            }
        }
        // TLS keeps what does not fill a record.
        if !matches!(time::timeout(WRITE_DEADLINE, writer.flush()).await, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::frame;

    #[test]
    fn frames_are_measured_and_nothing_else_is() {
        assert_eq!(frame(&[0, 1, 0]), Some(None));
        assert_eq!(frame(&[0, 1, 0, 8]), Some(Some(28)));
        assert_eq!(frame(&[0x40, 1, 0, 5]), Some(Some(12)), "padded");
        for wrong in [[0, 1, 0, 7], [0x50, 0, 0, 4], [0x80, 0, 0, 4], [0xff; 4]] {
            assert_eq!(frame(&wrong), None, "{wrong:?}");
        }
    }
}

//! The two queues between the sockets of a lane and the task of one tunnel.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::transport::tunnel::framing;

/// Most bytes that wait to be sent. When there are more, datagrams are dropped, as on any path: that is how SCTP learns
/// how much the path takes. 512 KiB is 40 ms at 100 Mbit/s, beside what the kernel holds.
const MOST_OUT: usize = 512 << 10;

/// Most bytes that wait for the lane; when there are more, nothing is read, and TCP holds the server back.
const MOST_IN: usize = 1 << 20;

/// Requests that are remembered. A TURN client has few under way at a time.
const MOST_ASKED: usize = 32;

/// What the two ends share.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    outbox: Mutex<Outbox>,
    inbox: Mutex<Inbox>,
    /// Something is in the outbox, or the end has come.
    to_send: Notify,
    /// The end has come.
    over: Notify,
    /// There is room in the inbox again.
    room: Notify,
    /// The one socket whose tunnel this is.
    reader: OnceLock<Reader>,
    /// No socket is left.
    ended: AtomicBool,
    /// Nothing leads to the server, or not any more.
    lost: AtomicBool,
}

#[derive(Debug, Default)]
struct Outbox {
    /// Framed.
    bytes: Vec<u8>,
    asked: VecDeque<[u8; 12]>,
}

#[derive(Debug, Default)]
struct Inbox {
    messages: VecDeque<Bytes>,
    bytes: usize,
}

#[derive(Debug)]
struct Reader {
    local: SocketAddr,
    waker: Arc<AtomicWaker>,
}

/// Nobody panics with one of these locks held, and each step leaves the queue whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipe {
    /// Takes a datagram of the socket bound to `local`. Like a network, it may drop it and say nothing.
    ///
    /// The library makes a TURN client for each of its sockets; one allocation is enough, so the first socket that sends
    /// has the tunnel, and the others hear an error, which their clients end at.
    ///
    /// # Errors
    /// When this socket has no business here, or nothing leads to the server.
    pub(super) fn send(
        &self,
        local: SocketAddr,
        waker: &Arc<AtomicWaker>,
        datagram: &[u8],
    ) -> io::Result<()> {
        let reader = self.reader.get_or_init(|| Reader { local, waker: Arc::clone(waker) });
        if reader.local != local {
            return Err(io::Error::from(io::ErrorKind::AddrInUse));
        }
        if self.lost.load(Ordering::Acquire) {
            return Err(io::Error::from(io::ErrorKind::NotConnected));
        }
        let Some(padding) = framing::padding(datagram) else { return Ok(()) };
        let mut outbox = lock(&self.outbox);
        if outbox.bytes.len() + datagram.len() > MOST_OUT {
            return Ok(());
        }
        if let Some(id) = framing::request_id(datagram) {
            // TCP does not lose it, so what comes again is not sent again (RFC 8489 §6.2.2).
            if outbox.asked.contains(&id) {
                return Ok(());
            }
            if outbox.asked.len() == MOST_ASKED {
                outbox.asked.pop_front();
            }
            outbox.asked.push_back(id);
        }
        outbox.bytes.extend_from_slice(datagram);
        outbox.bytes.extend_from_slice(padding);
        drop(outbox);
        self.to_send.notify_one();
        Ok(())
    }

    /// Waits for bytes to send, and swaps them for `sent`; false when no more will come. Cancel safe.
    pub(super) async fn take(&self, sent: &mut Vec<u8>) -> bool {
        sent.clear();
        loop {
            {
                let mut outbox = lock(&self.outbox);
                if !outbox.bytes.is_empty() {
                    std::mem::swap(&mut outbox.bytes, sent);
                    return true;
                }
            }
            if self.ended.load(Ordering::Acquire) {
                return false;
            }
            self.to_send.notified().await;
        }
    }

    /// Hands over what came, then waits until there is room for more.
    pub(super) async fn put(&self, messages: impl IntoIterator<Item = Bytes>) {
        {
            let mut inbox = lock(&self.inbox);
            for message in messages {
                inbox.bytes += message.len();
                inbox.messages.push_back(message);
            }
        }
        self.wake();
        while lock(&self.inbox).bytes >= MOST_IN {
            self.room.notified().await;
        }
    }

    /// Fills `buffer` with the next message for the socket bound to `local`, and with those behind it that are as long,
    /// as the kernel does (UDP GRO). Returns how many bytes, and how many each message has but the last.
    pub(super) fn fill(&self, local: SocketAddr, buffer: &mut [u8]) -> Option<(usize, usize)> {
        if self.reader.get()?.local != local {
            return None;
        }
        let mut inbox = lock(&self.inbox);
        let (mut filled, mut stride) = (0, 0);
        while let Some(message) = inbox.messages.front() {
            let len = message.len();
            // Longer than anything that the library has room for; it would be cut off.
            if filled > 0 && (len > stride || filled + len > buffer.len()) {
                break;
            }
            let fits = buffer.get_mut(filled..filled + len).map(|place| place.copy_from_slice(message));
            inbox.messages.pop_front();
            inbox.bytes -= len;
            if fits.is_none() {
                continue;
            }
            stride = if filled == 0 { len } else { stride };
            filled += len;
            if len < stride {
                break;
            }
        }
        if inbox.bytes < MOST_IN {
            self.room.notify_one();
        }
        (filled > 0).then_some((filled, stride))
    }

    /// The task is over: from now on sending fails.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        *lock(&self.outbox) = Outbox::default();
        self.wake();
    }

    /// The sockets are gone: what waits is sent still, and then no more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.to_send.notify_one();
        self.over.notify_one();
    }

    /// Waits until the sockets are gone.
    pub(super) async fn ended(&self) {
        while !self.ended.load(Ordering::Acquire) {
            self.over.notified().await;
        }
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.waker.wake();
        }
    }
}

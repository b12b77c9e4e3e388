//! A UDP socket that some addresses are not behind.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use crate::transport::tunnel::{Tunnels, address_v4, address_v6};

/// Datagrams in one receive for which the library is to make room, at 1,500 bytes each: the kernel's own bound.
const SEGMENTS: usize = 64;

/// A UDP socket beside which the tunnels are.
#[derive(Debug)]
pub(in crate::transport) struct TunnelSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    local: SocketAddr,
    tunnels: Arc<Tunnels>,
    waker: Arc<AtomicWaker>,
    /// Whether the tunnels have their turn first, so that neither side starves the other.
    tunnels_first: AtomicBool,
}

impl TunnelSocket {
    /// Puts `tunnels` beside `socket`.
    pub(in crate::transport) fn new(
        socket: Arc<dyn AsyncUdpSocket>,
        tunnels: Arc<Tunnels>,
    ) -> io::Result<Self> {
        let (local, waker) = (socket.local_addr()?, Arc::default());
        Ok(Self { socket, local, tunnels, waker, tunnels_first: AtomicBool::new(false) })
    }

    fn fill(&self, buffers: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> Option<usize> {
        let (buffer, meta) = (buffers.first_mut()?, meta.first_mut()?);
        self.tunnels.all.iter().enumerate().find_map(|(number, tunnel)| {
            let (len, stride) = tunnel.fill(self.local, buffer)?;
            *meta = RecvMeta::default();
            meta.addr = match self.local.is_ipv4() {
                true => address_v4(number),
                false => address_v6(number),
            };
            (meta.len, meta.stride) = (len, stride);
            Some(1)
        })
    }
}

impl AsyncUdpSocket for TunnelSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let Some(pipe) = self.tunnels.to(transmit.destination) else {
            return self.socket.poll_send(context, transmit);
        };
        let bytes = transmit.contents.len();
        for datagram in transmit.contents.chunks(transmit.segment_size.unwrap_or(bytes).max(1)) {
            if let Err(error) = pipe.send(self.local, &self.waker, datagram) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(bytes))
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // Before looking: what comes after the look wakes.
        self.waker.register(context.waker());
        if self.tunnels_first.fetch_xor(true, Ordering::Relaxed) {
            if let Some(count) = self.fill(buffers, meta) {
                return Poll::Ready(Ok(count));
            }
            return self.socket.poll_recv(context, buffers, meta);
        }
        match self.socket.poll_recv(context, buffers, meta) {
            Poll::Pending => self.fill(buffers, meta).map_or(Poll::Pending, |count| Poll::Ready(Ok(count))),
            ready => ready,
        }
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments().max(SEGMENTS)
    }
}

//! The relay's UDP ports: datagrams in batches, as the kernel has them, and out in runs.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::{task, time};

use crate::server::relay::Relay;
use crate::server::relay::outgoing::{Outgoing, Run};
use crate::server::relay::table::Client;

/// Receives in one system call, and bytes of each: the kernel puts up to 64 KiB of one sender's datagrams together.
/// More of them would leave the processor's cache before they are sent on.
const BATCH: usize = 4;
const BUFFER_BYTES: usize = 64 << 10;

/// What a socket asks for, in bytes, each way: 40 ms at 1 Gbit/s. The kernel may grant less.
const KERNEL_BYTES: usize = 4 << 20;

/// Segments up to so long go out many in one call: on a path that is narrower, the kernel refuses the whole call.
/// An Ethernet frame less the headers of IPv6 and UDP.
const COMMON_SEGMENT: usize = 1452;

/// After an error, so that one that stays does not keep the processor busy.
const PAUSE: Duration = Duration::from_millis(10);

/// One port.
pub(super) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl Socket {
    /// Takes a port.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(address)?;
        // This makes it non-blocking, too.
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        enlarge(&socket);
        let local = socket.local_addr()?;
        Ok(Self { io: UdpSocket::from_std(socket)?, state, local })
    }

    /// Where it is bound to.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends one run; what the kernel will not have is lost.
    async fn send(&self, run: &Run, bytes: &[u8]) {
        let together = run.segment <= COMMON_SEGMENT || run.to.peer.ip().is_loopback();
        let most = if together { self.state.max_gso_segments() } else { 1 };
        for contents in bytes.chunks(run.segment.saturating_mul(most).max(1)) {
            let transmit = Transmit {
                destination: self.written(run.to.peer),
                ecn: None,
                contents,
                segment_size: Some(run.segment).filter(|it| *it < contents.len()),
                src_ip: Some(self.written(run.to.local).ip()),
            };
            let sent = self
                .io
                .async_io(Interest::WRITABLE, || self.state.try_send(UdpSockRef::from(&self.io), &transmit));
            if let Err(error) = sent.await {
                log::trace!("a datagram was not sent: {error}");
            }
        }
    }

    /// An address as this socket writes it: a socket for both families takes IPv4 in a form of IPv6.
    fn written(&self, address: SocketAddr) -> SocketAddr {
        match address.ip() {
            IpAddr::V4(v4) if self.local.is_ipv6() => {
                SocketAddr::new(IpAddr::V6(v4.to_ipv6_mapped()), address.port())
            }
            _ => address,
        }
    }
}

/// Serves one port, for ever.
pub(super) async fn serve(relay: Arc<Relay>, index: usize) {
    let Some(socket) = relay.sockets.get(index) else { return };
    let mut storage = vec![0; BATCH * BUFFER_BYTES];
    let mut outgoing = Outgoing::default();
    loop {
        let mut meta = [RecvMeta::default(); BATCH];
        let mut parts = storage.chunks_exact_mut(BUFFER_BYTES);
        let mut buffers: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(parts.next().unwrap_or_default()));
        let received = socket.io.async_io(Interest::READABLE, || {
            socket.state.recv(UdpSockRef::from(&socket.io), &mut buffers, &mut meta)
        });
        let Ok(count) = received.await else {
            // An ICMP error of an earlier send, most likely: the next call tells of datagrams again.
            time::sleep(PAUSE).await;
            continue;
        };
        handle(&relay, socket.local, buffers.iter().zip(&meta).take(count), &mut outgoing);
        relay.send(&mut outgoing).await;
    }
}

fn handle<'a>(
    relay: &Relay,
    bound: SocketAddr,
    received: impl Iterator<Item = (&'a IoSliceMut<'a>, &'a RecvMeta)>,
    outgoing: &mut Outgoing,
) {
    let now = Instant::now();
    let mut table = relay.table();
    for (buffer, meta) in received {
        let reached = meta.dst_ip.unwrap_or(bound.ip());
        let local = SocketAddr::new(reached.to_canonical(), bound.port());
        let from = Client { peer: canonical(meta.addr), local, stream: None };
        let datagrams = buffer.get(..meta.len).unwrap_or_default();
        for datagram in datagrams.chunks(meta.stride.max(1)) {
            outgoing.put(|out| table.handle(now, from, datagram, out));
        }
    }
}

impl Relay {
    /// Sends what there is, by whichever way each client came.
    pub(super) async fn send(&self, outgoing: &mut Outgoing) {
        let mut queued = false;
        for (run, bytes) in outgoing.runs() {
            match run.to.stream {
                Some(number) => {
                    if let Some(outbox) = self.outboxes.get(number) {
                        outbox.push(bytes, run.segment);
                        queued = true;
                    }
                }
                None => {
                    if let Some(socket) =
                        self.sockets.iter().find(|it| it.local.port() == run.to.local.port())
                    {
                        socket.send(run, bytes).await;
                    }
                }
            }
        }
        outgoing.clear();
        if queued {
            // Whoever empties the queue has its turn before more is read.
            task::yield_now().await;
        }
    }
}

/// An IPv4 client of a socket for both families as what it is; its scope, if it has one, stays.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(IpAddr::V4(v4), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(unix)]
fn enlarge(socket: &std::net::UdpSocket) {
    use rustix::net::sockopt;
    // Past `net.core.rmem_max` only root may go; for others the plain call takes the most there is.
    #[cfg(target_os = "linux")]
    if sockopt::set_socket_recv_buffer_size_force(socket, KERNEL_BYTES).is_ok()
        && sockopt::set_socket_send_buffer_size_force(socket, KERNEL_BYTES).is_ok()
    {
        return;
    }
    for bytes in [KERNEL_BYTES, KERNEL_BYTES / 4] {
        let receive = sockopt::set_socket_recv_buffer_size(socket, bytes);
        let send = sockopt::set_socket_send_buffer_size(socket, bytes);
        if receive.is_ok() && send.is_ok() {
            return;
        }
    }
}

#[cfg(not(unix))]
fn enlarge(socket: &std::net::UdpSocket) {
    let socket = socket2::SockRef::from(socket);
    socket.set_recv_buffer_size(KERNEL_BYTES).ok();
    socket.set_send_buffer_size(KERNEL_BYTES).ok();
}

//! What is under a lane: `webrtc`'s tokio runtime, with sockets that hold a burst and a driver that is in
//! a hurry until the lane is open.
//!
//! Linux gives a UDP socket 208 KiB by default, which one burst of the SCTP window overflows: over
//! loopback that costs nine tenths of the throughput.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime, TokioRuntime,
};

use crate::transport::engine::Engine;
use crate::transport::handshake::{HandshakeSocket, Heard};
use crate::transport::link_local::{LinkLocals, ScopedSocket};
use crate::transport::pieces::PiecesSocket;
use crate::transport::tunnel::{TunnelSocket, Tunnels, both_addresses};

/// What each socket asks for, in bytes, each way. The kernel may grant less.
const BUFFER_BYTES: usize = 8 << 20;

/// Bounds of the stock SCTP's receive window, which is what the peer may burst.
const STOCK_WINDOW_BYTES: std::ops::RangeInclusive<usize> = (1 << 20)..=(8 << 20);

/// Most that our own SCTP's receive window grows to, in bytes: 1 Gbit/s over 50 ms, and what waits behind losses. It paces what it
/// sends, so this is no burst, and takes no memory before the path needs it.
const OWN_WINDOW_BYTES: u32 = 32 << 20;

/// The longest sleep of a driver whose lane is not open yet.
///
/// `webrtc` 0.21 puts some packets of a set-up aside until a timer rings: the first check after a
/// candidate came, DTLS's first hello, SCTP's first chunk. The timer at hand is the one of ICE, so each
/// cost up to 50 ms, or 200 ms where ICE was done. A driver that looks around costs 20 to 50 us a look.
const HURRIED_SLEEP: Duration = Duration::from_millis(2);

/// Rounds that the driver of a relayed lane has to make for each wake, beside the first.
///
/// A round of `webrtc` 0.21 first sends what its TURN client has, then lets the connection write, whose packets go to the TURN
/// client; and takes what the TURN client received last, after which the connection may have something to
/// write. Then it sleeps. So what came in is answered two rounds later, and what goes out leaves one round later: with
/// the timers of a lane that is open, after up to a second.
const MORE_ROUNDS: u8 = 2;

/// `webrtc`'s tokio runtime, with larger socket buffers, a resolver that answers at once, and short
/// sleeps until [`LaneRuntime::calm`].
#[derive(Debug, Clone, Default)]
pub(super) struct LaneRuntime {
    calm: Arc<AtomicBool>,
    relayed: Arc<AtomicBool>,
    /// Rounds since the driver slept.
    rounds: Arc<AtomicU8>,
    heard: Heard,
    tunnels: Arc<Tunnels>,
    /// The lane's sockets that the library has stand-ins for.
    pub(super) link_locals: LinkLocals,
}

impl LaneRuntime {
    /// The same with `tunnels` beside its sockets.
    pub(super) fn with_tunnels(tunnels: Tunnels) -> Self {
        Self { tunnels: Arc::new(tunnels), ..Self::default() }
    }

    /// The lane is open, or given up: its driver may sleep as long as it likes.
    pub(super) fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// Its packets go through a TURN client of ours from now on.
    pub(super) fn go_through_relay(&self) {
        self.relayed.store(true, Ordering::Relaxed);
    }

    /// Whether the driver has to go round once more before it sleeps.
    fn goes_round_again(&self) -> bool {
        if !self.relayed.load(Ordering::Relaxed) {
            return false;
        }
        // Only the driver sleeps, so nobody counts at the same time.
        let rounds = self.rounds.load(Ordering::Relaxed);
        let again = rounds < MORE_ROUNDS;
        self.rounds.store(if again { rounds + 1 } else { 0 }, Ordering::Relaxed);
        again
    }

    /// How long to sleep in place of `duration`.
    fn bounded(&self, duration: Duration) -> Duration {
        match self.calm.load(Ordering::Relaxed) {
            true => duration,
            false => duration.min(HURRIED_SLEEP),
        }
    }
}

/// The SCTP receive window that fits the buffer this machine grants.
pub(super) fn window_bytes() -> u32 {
    if Engine::HERE == Engine::Own {
        return OWN_WINDOW_BYTES;
    }
    let granted = std::net::UdpSocket::bind("127.0.0.1:0").map_or(0, |socket| enlarge(&socket));
    // The kernel counts its own overhead against the buffer: about half is payload.
    let window = (granted / 2).clamp(*STOCK_WINDOW_BYTES.start(), *STOCK_WINDOW_BYTES.end());
    u32::try_from(window).unwrap_or(u32::MAX)
}

/// Bytes of receive buffer that a lane's sockets are granted here, as the kernel counts them; `None` where that cannot be told.
pub fn udp_buffer_bytes() -> Option<usize> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").ok()?;
    Some(enlarge(&socket)).filter(|it| *it > 0)
}

/// Asks for [`BUFFER_BYTES`] each way and returns what receiving was granted.
#[cfg(unix)]
fn enlarge(socket: &std::net::UdpSocket) -> usize {
    use rustix::net::sockopt;
    // Past `net.core.rmem_max` only root may go; for others the plain call takes the most there is.
    #[cfg(target_os = "linux")]
    if sockopt::set_socket_recv_buffer_size_force(socket, BUFFER_BYTES).is_ok()
        && sockopt::set_socket_send_buffer_size_force(socket, BUFFER_BYTES).is_ok()
    {
        return sockopt::socket_recv_buffer_size(socket).unwrap_or(0);
    }
    for bytes in [BUFFER_BYTES, BUFFER_BYTES / 2, BUFFER_BYTES / 8] {
        let receive = sockopt::set_socket_recv_buffer_size(socket, bytes);
        let send = sockopt::set_socket_send_buffer_size(socket, bytes);
        if receive.is_ok() && send.is_ok() {
            break;
        }
    }
    sockopt::socket_recv_buffer_size(socket).unwrap_or(0)
}

#[cfg(not(unix))]
fn enlarge(socket: &std::net::UdpSocket) -> usize {
    let socket = socket2::SockRef::from(socket);
    socket.set_recv_buffer_size(BUFFER_BYTES).ok();
    socket.set_send_buffer_size(BUFFER_BYTES).ok();
    socket.recv_buffer_size().unwrap_or(0)
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Runtime for LaneRuntime {
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn spawn_reactor(&self, threads: usize, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn_reactor(threads, future)
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let address = socket.local_addr()?;
        let (socket, scope) = match self.link_locals.take(address) {
            Some((real, scope)) => (real, Some(scope)),
            None => (socket, None),
        };
        enlarge(&socket);
        let mut socket = TokioRuntime.wrap_udp_socket(socket)?;
        if address.is_ipv6() {
            socket = Arc::new(ScopedSocket { socket, scope });
        }
        socket = Arc::new(PiecesSocket::new(socket));
        socket = Arc::new(HandshakeSocket { socket, heard: self.heard.clone() });
        // No server is reached from a link-local address, nor is a tunnel. Outside of the others, as a tunnel's errors are to
        // be heard: by them a TURN client knows that it has no business there.
        if scope.is_none() && !self.tunnels.is_empty() {
            socket = Arc::new(TunnelSocket::new(socket, Arc::clone(&self.tunnels))?);
        }
        Ok(socket)
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(&'a self, address: SocketAddr) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        TokioRuntime.connect_tcp(address)
    }

    /// Takes addresses only: the driver waits for this call, and a name that does not resolve would
    /// hold up all candidates. Names are resolved before a lane is built.
    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        let parsed = host.parse::<SocketAddr>().ok().or_else(|| {
            // Of a TURN server the library writes an IPv6 address without its brackets.
            let (address, port) = host.rsplit_once(':')?;
            Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
        });
        let parsed = parsed.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput));
        Box::pin(async { parsed.map(both_addresses) })
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        match self.goes_round_again() {
            true => Box::pin(std::future::ready(())),
            false => TokioRuntime.sleep(self.bounded(duration)),
        }
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Boxed<'static, ()> {
        TokioRuntime.yield_now()
    }
}

#[cfg(test)]
mod tests {
    use super::{HURRIED_SLEEP, LaneRuntime};
    use std::time::Duration;

    use webrtc::runtime::Runtime;

    use crate::dial::Dialer;
    use crate::transport::tunnel::Tunnels;
    use crate::wire::signaling::IceServer;

    /// Or each of a machine's sockets has a TURN client that asks in vain for seconds.
    #[tokio::test]
    async fn a_tunnel_that_is_anothers_is_an_error_and_a_datagram_that_is_lost_is_none() {
        let urls = vec!["turn:127.0.0.1:1?transport=tcp".to_owned()];
        let server = IceServer { urls, username: None, credential: None };
        let runtime = LaneRuntime::with_tunnels(Tunnels::dig(&[server], &[], &Dialer::default()).0);
        let open = || {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            runtime.wrap_udp_socket(socket).unwrap()
        };
        let (first, second) = (open(), open());
        let tunnel = "240.0.0.1:3478".parse().unwrap();
        // Whether the tunnel is lost already or not.
        first.send_to(b"any", tunnel).await.ok();
        assert!(second.send_to(b"any", tunnel).await.is_err());
        assert!(second.send_to(&[0; 70_000], second.local_addr().unwrap()).await.is_ok());
    }

    #[test]
    fn the_driver_of_a_relayed_lane_goes_round_three_times_for_each_sleep() {
        let lane = LaneRuntime::default();
        assert!((0..9).all(|_| !lane.goes_round_again()));
        lane.go_through_relay();
        let rounds: Vec<bool> = (0..6).map(|_| lane.goes_round_again()).collect();
        assert_eq!(rounds, [true, true, false, true, true, false]);
    }

    /// The driver has its own copy of the runtime.
    #[test]
    fn a_driver_sleeps_little_until_its_lane_is_open() {
        let lane = LaneRuntime::default();
        let driver = lane.clone();
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(1));
        assert_eq!((driver.bounded(short), driver.bounded(long)), (short, HURRIED_SLEEP));
        lane.calm();
        assert_eq!((driver.bounded(short), driver.bounded(long)), (short, long));
    }
}

//! Sockets of link-local IPv6 addresses, for a library that knows no scopes.
//!
//! Such an address means something on one interface only (RFC 4007 §6). `webrtc` 0.21 leaves them out, and would not find
//! their sockets again: it looks them up by an address that has lost its scope. So it is given a
//! *stand-in*, the loopback address with the port of the real socket. What the library sends from the
//! stand-in goes out of the real socket, with the scope put back; what comes in loses it. Candidates that are told to the peer
//! have the real address. Invariant: nothing is ever sent or received at the stand-in itself.

use std::io::{self, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use webrtc::peer_connection::RTCIceCandidate;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// How much lower the priority of a link-local candidate is than that of others of its kind: a sixteenth of what the local
/// preference has room for (RFC 8445 §5.1.2). The library gives all the same.
const LATER: u32 = 1 << 20;

/// The link-local sockets of a lane.
#[derive(Debug, Clone, Default)]
pub(super) struct LinkLocals(Arc<Mutex<Vec<LinkLocal>>>);

#[derive(Debug)]
struct LinkLocal {
    /// With port and scope.
    address: SocketAddrV6,
    /// Until the library asks for it.
    socket: Option<UdpSocket>,
}

impl LinkLocals {
    /// Opens a socket at a link-local address and returns the stand-in that the library is to bind.
    ///
    /// # Errors
    /// When the address is gone, or is not usable yet (RFC 4862 §5.4).
    pub(super) fn bind(&self, address: SocketAddrV6) -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        let address = SocketAddrV6::new(*address.ip(), port, 0, address.scope_id());
        self.all().push(LinkLocal { address, socket: Some(socket) });
        Ok((Ipv6Addr::LOCALHOST, port).into())
    }

    /// The real socket of a stand-in, and its scope; once.
    pub(super) fn take(&self, stand_in: SocketAddr) -> Option<(UdpSocket, u32)> {
        let mut all = self.all();
        let found = find(&mut all, stand_in)?;
        Some((found.socket.take()?, found.address.scope_id()))
    }

    /// A candidate of ours as others are told it: with the real address in place of a stand-in.
    pub(super) fn told(&self, mut candidate: RTCIceCandidate) -> RTCIceCandidate {
        let stand_in = candidate.address.parse().map(|ip| SocketAddr::new(ip, candidate.port));
        if let Some(it) = stand_in.ok().and_then(|it| find(&mut self.all(), it).map(|it| *it.address.ip())) {
            candidate.address = it.to_string();
            candidate.priority = candidate.priority.saturating_sub(LATER);
        }
        candidate
    }

    fn all(&self) -> MutexGuard<'_, Vec<LinkLocal>> {
        // Nobody panics with it held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(all: &mut [LinkLocal], stand_in: SocketAddr) -> Option<&mut LinkLocal> {
    let is_loopback = stand_in.ip() == Ipv6Addr::LOCALHOST;
    all.iter_mut().find(|it| is_loopback && it.address.port() == stand_in.port())
}

/// An IPv6 socket that sends only where it can: a link-local one (of a scope) to link-local addresses, any other
/// to all others. ICE tries every pair of addresses of one family; the kernel would refuse these.
#[derive(Debug)]
pub(super) struct ScopedSocket {
    pub(super) socket: Arc<dyn AsyncUdpSocket>,
    /// The interface, if the socket is a link-local one.
    pub(super) scope: Option<u32>,
}

impl AsyncUdpSocket for ScopedSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let SocketAddr::V6(to) = transmit.destination else {
            return self.socket.poll_send(context, transmit);
        };
        let destination = match (to.ip().is_unicast_link_local(), self.scope) {
            (true, Some(scope)) => SocketAddrV6::new(*to.ip(), to.port(), 0, scope),
            (false, None) => to,
            // Lost on the way, for all that the library sees.
            (true, None) | (false, Some(_)) => return Poll::Ready(Ok(transmit.contents.len())),
        };
        let &Transmit { ecn, contents, segment_size, src_ip, .. } = transmit;
        let destination = destination.into();
        self.socket.poll_send(context, &Transmit { destination, ecn, contents, segment_size, src_ip })
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.socket.poll_recv(context, buffers, meta))?;
        for meta in meta.iter_mut().take(count) {
            if let SocketAddr::V6(from) = &mut meta.addr {
                from.set_scope_id(0);
                from.set_flowinfo(0);
            }
        }
        Poll::Ready(Ok(count))
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, IoSliceMut};
    use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Waker};

    use webrtc::peer_connection::RTCIceCandidate;
    use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

    use super::{LinkLocals, ScopedSocket};

    /// Remembers where it sent to; hears from one address.
    #[derive(Debug, Default)]
    struct Fake(Mutex<Vec<String>>);

    impl AsyncUdpSocket for Fake {
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok((Ipv6Addr::LOCALHOST, 1).into())
        }

        fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
            self.0.lock().unwrap().push(transmit.destination.to_string());
            Poll::Ready(Ok(transmit.contents.len()))
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            _: &mut [IoSliceMut<'_>],
            meta: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            meta[0].addr = SocketAddrV6::new("fe80::7".parse().unwrap(), 9, 5, 3).into();
            Poll::Ready(Ok(1))
        }
    }

    fn sent(scope: Option<u32>) -> Vec<String> {
        let fake = Arc::new(Fake::default());
        let socket = ScopedSocket { socket: fake.clone(), scope };
        for to in ["[fe80::7]:9", "[2001:db8::7]:9"] {
            let transmit = Transmit {
                destination: to.parse().unwrap(),
                ecn: None,
                contents: b"check",
                segment_size: None,
                src_ip: None,
            };
            let result = socket.poll_send(&mut Context::from_waker(Waker::noop()), &transmit);
            assert!(matches!(result, Poll::Ready(Ok(5))), "{result:?}");
        }
        fake.0.lock().unwrap().clone()
    }

    #[test]
    fn packets_to_link_local_addresses_leave_by_their_interface_and_no_others_do() {
        assert_eq!(sent(Some(3)), ["[fe80::7%3]:9"]);
        assert_eq!(sent(None), ["[2001:db8::7]:9"]);
    }

    /// A candidate has no scope, so ICE would not know the peer again.
    #[test]
    fn who_sent_a_packet_is_told_without_a_scope() {
        let socket = ScopedSocket { socket: Arc::new(Fake::default()), scope: Some(3) };
        let mut meta = [RecvMeta::default()];
        let mut bytes = [0; 9];
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let result = socket.poll_recv(&mut Context::from_waker(Waker::noop()), &mut buffers, &mut meta);
        assert!(matches!(result, Poll::Ready(Ok(1))));
        assert_eq!(meta[0].addr.to_string(), "[fe80::7]:9");
    }

    /// The loopback address stands for a link-local one here, as a machine may have none.
    #[test]
    fn a_stand_in_is_exchanged_for_the_real_socket_once() {
        let sockets = LinkLocals::default();
        let Ok(stand_in) = sockets.bind(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0)) else {
            return; // A machine without IPv6.
        };
        let other = SocketAddr::new(stand_in.ip(), stand_in.port() ^ 1);
        assert!(sockets.take(other).is_none());
        assert!(sockets.take(([127, 0, 0, 1], stand_in.port()).into()).is_none());
        let (socket, _) = sockets.take(stand_in).unwrap();
        assert_eq!(socket.local_addr().unwrap().port(), stand_in.port());
        assert!(sockets.take(stand_in).is_none());
        let told = |address: &str, port| {
            let candidate = RTCIceCandidate {
                address: address.to_owned(),
                port,
                priority: 1 << 30,
                ..Default::default()
            };
            let told = sockets.told(candidate);
            (told.address, told.port, told.priority < 1 << 30)
        };
        let port = stand_in.port();
        assert_eq!(told("0:0:0:0:0:0:0:1", port), ("::1".to_owned(), port, true), "as it was bound");
        assert_eq!(told("::1", other.port()), ("::1".to_owned(), other.port(), false));
        assert_eq!(told("10.0.0.7", port), ("10.0.0.7".to_owned(), port, false));
    }
}

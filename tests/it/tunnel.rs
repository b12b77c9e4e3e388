//! Two lanes through a whole server by streams alone: TURN over TCP, over TLS, and through a proxy.
//!
//! Each hears of nothing but the other's relayed candidates, so what opens is open by them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use p2pcp::dial::{Dialer, Proxies, Roots};
use p2pcp::server::relay::RelayConfig;
use p2pcp::server::tls::Tls;
use p2pcp::server::{self, Config};
use p2pcp::signaling::{Incoming, ServerUrl, Signaling};
use p2pcp::transport::Link;
use p2pcp::transport::peer::{Grounds, Lane, LaneEvent, Reach};
use p2pcp::wire::signaling::IceServer;
use p2pcp::wire::{Channel, PathKind};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const WITHIN: Duration = Duration::from_secs(30);

/// A server with a relay and TLS; ends when dropped.
struct Rendezvous {
    address: SocketAddr,
    certificate: String,
    task: JoinHandle<()>,
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rendezvous {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.pem();
        let tls = Tls::new(certificate.as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
        let relay = Some(RelayConfig { tls: true, ..RelayConfig::default() });
        let config = Config { relay, tls: Some(tls), ..Config::default() };
        let task = tokio::spawn(async move {
            server::run(listener, config, std::future::pending()).await.unwrap();
        });
        Self { address, certificate, task }
    }

    /// Believes this server, through `proxy` or without.
    fn dialer(&self, proxy: &str) -> Dialer {
        let roots = Roots::with(self.certificate.as_bytes()).unwrap();
        Dialer::new(Proxies::always(proxy).unwrap(), roots)
    }

    /// What two who met are told of servers, signaling over TLS: only URLs that begin with `scheme` and ask for TCP.
    async fn servers(&self, scheme: &str) -> [Vec<IceServer>; 2] {
        let url: ServerUrl = format!("wss://{}", self.address).parse().unwrap();
        let dialer = self.dialer("none");
        let connect = async || Signaling::connect_by(&dialer, &url, WITHIN).await.unwrap();
        let mut sender = connect().await;
        let room = sender.create([1; 16]).await.unwrap();
        let mut receiver = connect().await;
        let joined = receiver.join(room.nameplate, [2; 16]).await.unwrap();
        let Incoming::Peer { ice, .. } = sender.recv().await.unwrap() else { panic!("nobody joined") };
        let here = |servers: Vec<IceServer>| {
            let servers = servers.into_iter().map(|server| {
                let urls = server.urls.iter().filter(|it| it.starts_with(scheme) && it.ends_with("=tcp"));
                let urls = urls.map(|it| it.replace(":_:", ":127.0.0.1:")).collect();
                IceServer { urls, ..server }
            });
            servers.filter(|it| !it.urls.is_empty()).collect::<Vec<_>>()
        };
        let both = [here(ice), here(joined.ice)];
        assert!(both.iter().all(|it| it.len() == 1), "{both:?}");
        both
    }
}

/// A proxy for HTTP CONNECT that counts whom it served; ends when dropped.
struct Proxy {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(stream, Arc::clone(&count)));
            }
        });
        Self { address, served, task }
    }
}

async fn carry(mut stream: TcpStream, served: Arc<AtomicUsize>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT ").and_then(|it| it.split(' ').next()).unwrap();
    let mut far = TcpStream::connect(target).await.unwrap();
    served.fetch_add(1, Ordering::SeqCst);
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    tokio::io::copy_bidirectional(&mut stream, &mut far).await.ok();
}

/// Opens a lane through `servers`, and moves frames of all sizes both ways.
async fn through(servers: [Vec<IceServer>; 2], dialer: &Dialer) {
    let new = async |servers: &[IceServer]| {
        let grounds = Grounds::new(Reach::Everywhere, servers.to_vec());
        // Relayed addresses on this machine are believed where a relay of ours is.
        let relay_names = vec![(Ipv4Addr::LOCALHOST.into(), "localhost".to_owned())];
        Lane::on(Grounds { dialer: dialer.clone(), relay_names, ..grounds }).await.unwrap()
    };
    let (mut offering, mut answering) = (new(&servers[0]).await, new(&servers[1]).await);
    let offer = offering.offer().await.unwrap();
    let answer = answering.answer(without_candidates(&offer)).await.unwrap();
    offering.accept(without_candidates(&answer)).await.unwrap();
    let (mut offering_open, mut answering_open) = (false, false);
    let relayed = |candidate: &str| candidate.contains("typ relay");
    while !(offering_open && answering_open) {
        tokio::select! {
            event = offering.next_event(), if !offering_open => match event {
                LaneEvent::Candidate(it) if relayed(&it) => answering.add_candidate(&it).await,
                LaneEvent::Open => offering_open = true,
                LaneEvent::Failed => panic!("the lane failed"),
                _ => (),
            },
            event = answering.next_event(), if !answering_open => match event {
                LaneEvent::Candidate(it) if relayed(&it) => offering.add_candidate(&it).await,
                LaneEvent::Open => answering_open = true,
                LaneEvent::Failed => panic!("the lane failed"),
                _ => (),
            },
        }
    }
    assert_eq!(offering.path().await.kind, PathKind::Relayed);
    let (one, other) = (offering.into_link(), answering.into_link());
    for bytes in [1, 1000, 100_000] {
        for (from, to) in [(&one, &other), (&other, &one)] {
            from.ready(Channel::Control).await.unwrap();
            from.send(Channel::Control, vec![7; bytes].into()).await.unwrap();
            assert_eq!(to.recv().await.unwrap(), (Channel::Control, vec![7; bytes].into()));
        }
    }
    tokio::join!(one.close(), other.close());
}

/// Candidates that were known when the description was made are in it.
fn without_candidates(description: &str) -> String {
    description.lines().filter(|it| !it.starts_with("a=candidate")).map(|it| format!("{it}\r\n")).collect()
}

#[tokio::test]
async fn lanes_open_through_turn_over_tcp() {
    let server = Rendezvous::start().await;
    let servers = server.servers("turn:").await;
    tokio::time::timeout(WITHIN, through(servers, &server.dialer("none"))).await.unwrap();
}

#[tokio::test]
async fn lanes_open_through_turn_over_tls() {
    let server = Rendezvous::start().await;
    let servers = server.servers("turns:").await;
    tokio::time::timeout(WITHIN, through(servers, &server.dialer("none"))).await.unwrap();
}

#[tokio::test]
async fn lanes_open_through_a_proxy() {
    let (server, proxy) = (Rendezvous::start().await, Proxy::start().await);
    let servers = server.servers("turns:").await;
    let dialer = server.dialer(&format!("http://{}", proxy.address));
    tokio::time::timeout(WITHIN, through(servers, &dialer)).await.unwrap();
    assert_eq!(proxy.served.load(Ordering::SeqCst), 2, "one tunnel a side, whatever interfaces there are");
}

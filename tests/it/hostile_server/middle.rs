//! The server in the middle: seats two peers, forwards what they say, and lets an attack have its way.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use p2pcp::code::{Code, WordCount};
use p2pcp::connect::ice::IceServers;
use p2pcp::connect::{Bound, ConnectError, Joined, Limit, Policy, Surroundings, Waiting};
use p2pcp::crypto::Role;
use p2pcp::dial::Dialer;
use p2pcp::signaling::{ServerUrl, Signaling};
use p2pcp::transport::Link;
use p2pcp::wire::signaling::{ClientMessage, Hex, IceServer, Nameplate, Relay, ServerMessage, parse, render};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Less than any deadline of the peers: who is still waiting after this waits for a deadline.
pub const WITHIN: Duration = Duration::from_secs(12);

/// What the server does with a message: whatever this puts into `Out`, in order.
pub type Attack = Box<dyn FnMut(&mut Out, Said)>;

/// Something that a seat said.
#[derive(Debug, Clone)]
pub struct Said {
    pub from: Role,
    /// How many messages this seat said before.
    pub number: usize,
    pub relay: Relay,
}

impl Said {
    pub fn is(&self, from: Role, number: usize) -> bool {
        self.from == from && self.number == number
    }
}

/// What goes out of the server.
#[derive(Default)]
pub struct Out(Vec<(Role, Option<Message>)>);

impl Out {
    pub fn relay(&mut self, to: Role, relay: &Relay) {
        self.text(to, render(relay));
    }

    pub fn say(&mut self, to: Role, message: &ServerMessage) {
        self.text(to, render(message));
    }

    pub fn text(&mut self, to: Role, text: impl Into<String>) {
        self.frame(to, Message::text(text.into()));
    }

    pub fn frame(&mut self, to: Role, frame: Message) {
        self.0.push((to, Some(frame)));
    }

    /// Cuts this seat off.
    pub fn close(&mut self, seat: Role) {
        self.0.push((seat, None));
    }

    /// As an honest server would.
    pub fn forward(&mut self, said: &Said) {
        self.relay(said.from.other(), &said.relay);
    }
}

/// How the server introduces the two; honest by default.
pub struct Greeting {
    /// What the sender is told.
    pub nameplate: Nameplate,
    pub ice: Vec<IceServer>,
    /// Changes `ns` on its way to the receiver and `nr` on its way to the sender.
    pub nonces: fn(Hex<16>, Hex<16>) -> (Hex<16>, Hex<16>),
    /// Said right after the introduction.
    pub then: fn(&mut Out),
}

pub fn nameplate(number: u32) -> Nameplate {
    Nameplate::new(number).expect("a legal nameplate")
}

impl Default for Greeting {
    fn default() -> Self {
        Self { nameplate: nameplate(417), ice: Vec::new(), nonces: |ns, nr| (ns, nr), then: |_| () }
    }
}

/// What both peers came to, and all that the server saw.
pub struct Met {
    pub sender: Meeting,
    pub receiver: Meeting,
    pub code: Code,
    /// Both halves of the session id, as their owners said them.
    pub ns: Hex<16>,
    pub nr: Hex<16>,
    pub seen: Vec<Said>,
}

/// What the server writes down.
#[derive(Default)]
pub struct Log {
    nonces: Option<(Hex<16>, Hex<16>)>,
    pub said: Vec<Said>,
}

impl Met {
    pub fn of(&self, role: Role) -> &Meeting {
        match role {
            Role::Sender => &self.sender,
            Role::Receiver => &self.receiver,
        }
    }
}

pub fn honest() -> Attack {
    Box::new(|out, said| out.forward(&said))
}

/// Has the peers meet by the code that the sender makes.
pub async fn meet(greeting: Greeting, attack: Attack) -> Met {
    meet_by(greeting, attack, Code::clone).await
}

/// Has the peers meet, the receiver by the code that `typed` makes of the sender's.
pub async fn meet_by(greeting: Greeting, attack: Attack, typed: impl FnOnce(&Code) -> Code) -> Met {
    Box::pin(meet_there(greeting, attack, typed)).await
}

async fn meet_there(greeting: Greeting, attack: Attack, typed: impl FnOnce(&Code) -> Code) -> Met {
    let (listener, address) = listen().await;
    let log = Arc::new(Mutex::new(Log::default()));
    let server = serve(listener, greeting, attack, Arc::clone(&log));
    let peers = async {
        let waiting = create(address).await;
        let code = waiting.code().clone();
        let (mut sender, mut receiver) = tokio::join!(send(waiting), receive(address, typed(&code)));
        for bound in [&mut sender, &mut receiver].into_iter().flatten() {
            bound.leaving.done().await;
        }
        (sender, receiver, code)
    };
    let (sender, receiver, code) = beside(Box::pin(server), Box::pin(peers)).await;
    let log = std::mem::take(&mut *log.lock().expect("nobody panicked with it"));
    let (ns, nr) = log.nonces.expect("both were seated");
    Met { sender, receiver, code, ns, nr, seen: log.said }
}

/// A future on the heap: those of two peers and a server are more than a test's stack should carry.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What comes of a meeting.
pub type Meeting = Result<Bound, ConnectError>;

/// Runs the peers to their end, the server beside them.
pub async fn beside<T>(server: Boxed<'_, ()>, peers: Boxed<'_, T>) -> T {
    let served = async {
        server.await;
        std::future::pending::<()>().await;
    };
    let ended = async {
        tokio::select! {
            ended = peers => ended,
            () = served => unreachable!("it pends"),
        }
    };
    tokio::time::timeout(WITHIN, ended).await.expect("a peer waits for a deadline")
}

pub async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

pub fn surroundings() -> Surroundings {
    let host = Some(b"one host for both".to_vec());
    Surroundings {
        verify: false,
        limit: Limit::ThisHost,
        host,
        server: None,
        ice: IceServers::look_up(Policy::Any, &[], &[]),
        policy: Policy::Any,
        interfaces: Vec::new(),
        lanes: None,
        dialer: Dialer::default(),
        better: None,
    }
}

pub async fn dial(address: SocketAddr) -> Signaling {
    Signaling::connect(&ServerUrl::from(address), WITHIN).await.expect("the server is there")
}

pub async fn create(address: SocketAddr) -> Waiting {
    Waiting::create(dial(address).await, WordCount::default(), None).await.expect("a room")
}

/// A receiver with this code.
pub fn receive(address: SocketAddr, code: Code) -> Boxed<'static, Meeting> {
    Box::pin(async move { Joined::join(dial(address).await, code).await?.bind(surroundings()).await })
}

/// A sender that waits for its receiver.
pub fn send(waiting: Waiting) -> Boxed<'static, Meeting> {
    Box::pin(async move { waiting.joined().await?.bind(surroundings()).await })
}

/// A sender from the start.
pub fn send_alone(address: SocketAddr) -> Boxed<'static, Meeting> {
    Box::pin(async move { send(create(address).await).await })
}

/// Accepts a WebSocket.
pub async fn seat(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (stream, _) = listener.accept().await.expect("a client");
    tokio_tungstenite::accept_async(stream).await.expect("a WebSocket")
}

/// What a client says next; `None` when it has gone.
pub async fn hear(socket: &mut WebSocketStream<TcpStream>) -> Option<ClientMessage> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return Some(parse(&text).expect("a peer speaks the protocol")),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => (),
        }
    }
}

pub async fn tell(socket: &mut WebSocketStream<TcpStream>, message: &ServerMessage) {
    socket.send(Message::text(render(message))).await.ok();
}

/// Seats the sender.
pub async fn seat_sender(
    listener: &TcpListener,
    greeting: &Greeting,
) -> (WebSocketStream<TcpStream>, Hex<16>) {
    let mut sender = seat(listener).await;
    let Some(ClientMessage::Create { ns, .. }) = hear(&mut sender).await else { panic!("no create") };
    let (nameplate, ice) = (greeting.nameplate, greeting.ice.clone());
    tell(&mut sender, &ServerMessage::Created { nameplate, ttl: 60, ice }).await;
    (sender, ns)
}

/// Waits for the receiver, which is not answered yet.
pub async fn seat_receiver(listener: &TcpListener) -> (WebSocketStream<TcpStream>, Hex<16>) {
    let mut receiver = seat(listener).await;
    let Some(ClientMessage::Join { nr, .. }) = hear(&mut receiver).await else { panic!("no join") };
    (receiver, nr)
}

pub async fn serve(listener: TcpListener, greeting: Greeting, attack: Attack, log: Arc<Mutex<Log>>) {
    let (mut sender, ns) = seat_sender(&listener, &greeting).await;
    let (mut receiver, nr) = seat_receiver(&listener).await;
    log.lock().expect("nobody panicked with it").nonces = Some((ns, nr));
    let (ns, nr) = (greeting.nonces)(ns, nr);
    tell(&mut receiver, &ServerMessage::Joined { ns, ice: greeting.ice }).await;
    tell(&mut sender, &ServerMessage::Peer { nr, ice: Vec::new() }).await;
    let mut seats = Seats { sender: Some(sender), receiver: Some(receiver) };
    let mut out = Out::default();
    (greeting.then)(&mut out);
    seats.send(out).await;
    seats.relay(attack, &log).await;
}

/// The two sockets; a seat that is cut off or has gone is empty.
struct Seats {
    sender: Option<WebSocketStream<TcpStream>>,
    receiver: Option<WebSocketStream<TcpStream>>,
}

impl Seats {
    fn of(&mut self, role: Role) -> &mut Option<WebSocketStream<TcpStream>> {
        match role {
            Role::Sender => &mut self.sender,
            Role::Receiver => &mut self.receiver,
        }
    }

    async fn send(&mut self, out: Out) {
        for (to, frame) in out.0 {
            match (self.of(to), frame) {
                (Some(socket), Some(frame)) => drop(socket.send(frame).await),
                (seat, None) => *seat = None,
                (None, Some(_)) => (),
            }
        }
    }

    async fn relay(&mut self, mut attack: Attack, log: &Mutex<Log>) {
        let mut numbers = [0_usize; 2];
        while self.sender.is_some() || self.receiver.is_some() {
            let (from, heard) = tokio::select! {
                heard = next(&mut self.sender) => (Role::Sender, heard),
                heard = next(&mut self.receiver) => (Role::Receiver, heard),
            };
            let mut out = Out::default();
            match heard {
                Some(ClientMessage::Relay(relay)) => {
                    let number = &mut numbers[usize::from(from == Role::Sender)];
                    let said = Said { from, number: *number, relay };
                    *number += 1;
                    log.lock().expect("nobody panicked with it").said.push(said.clone());
                    attack(&mut out, said);
                }
                Some(other) => panic!("a seated peer said {other:?}"),
                None => {
                    *self.of(from) = None;
                    out.say(from.other(), &ServerMessage::Gone);
                }
            }
            self.send(out).await;
        }
    }
}

async fn next(seat: &mut Option<WebSocketStream<TcpStream>>) -> Option<ClientMessage> {
    match seat {
        Some(socket) => hear(socket).await,
        None => std::future::pending().await,
    }
}

/// Asserts that neither side got a link, and hangs up if one did.
pub fn assert_unbound(case: &str, met: &Met) {
    for role in [Role::Sender, Role::Receiver] {
        assert!(met.of(role).is_err(), "{case}: the {role:?} is bound");
    }
}

/// Asserts that both sides got a link, and that it is the same one.
pub async fn assert_bound(case: &str, met: Met) {
    let fail = |role: Role| move |error: ConnectError| panic!("{case}: {role:?}: {error}");
    let sender = met.sender.unwrap_or_else(fail(Role::Sender));
    let receiver = met.receiver.unwrap_or_else(fail(Role::Receiver));
    assert_eq!(sender.complete_key.expose(), receiver.complete_key.expose(), "{case}");
    let channel = p2pcp::wire::Channel::Control;
    // The other way a second Bind may come before it.
    sender.link.send(channel, b"one"[..].into()).await.expect("a link");
    let (_, heard) = receiver.link.recv().await.expect("a link");
    assert_eq!(&heard[..], b"one", "{case}");
    tokio::join!(sender.link.close(), receiver.link.close());
}

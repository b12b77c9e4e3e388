//! What claims about the whole server are made with: a server on a free port, and real clients.

mod doors;
mod meeting;
mod refusals;
mod relaying;
mod reunions;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::server::{Config, ServerError, Timing, run};
use crate::wire::PathKind;
use crate::wire::signaling::{
    Base64, ClientMessage, CloseCode, Hex, Nameplate, Relay, ServerMessage, parse, render,
};

const NS: Hex<16> = Hex([1; 16]);
const NR: Hex<16> = Hex([2; 16]);
/// Longer than any test takes: a deadline that does not matter.
const NEVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(50);

/// A server on a free port.
struct TestServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServerError>>,
}

impl TestServer {
    async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(listener, config, async move { drop(stopped.await) }));
        Self { address, stop, task }
    }

    async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
    }

    fn request(&self) -> Request {
        format!("ws://{}/ws", self.address).into_client_request().unwrap()
    }

    async fn client(&self) -> Client {
        self.client_with(self.request()).await.unwrap()
    }

    async fn client_with(&self, request: Request) -> Result<Client, Error> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Ok(Client(client_async(request, stream).await?.0))
    }

    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    /// A sender and a receiver in one room.
    async fn pair(&self) -> (Client, Client, Nameplate) {
        let mut sender = self.client().await;
        let nameplate = sender.create().await;
        let mut receiver = self.client().await;
        receiver.send(&join(nameplate)).await;
        assert!(matches!(receiver.recv().await, ServerMessage::Joined { ns: NS, .. }));
        assert_eq!(sender.recv().await, ServerMessage::Peer { nr: NR, ice: Vec::new() });
        (sender, receiver, nameplate)
    }
}

struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn send(&mut self, message: &ClientMessage) {
        self.0.send(Message::text(render(message))).await.unwrap();
    }

    async fn create(&mut self) -> Nameplate {
        self.send(&create()).await;
        match self.recv().await {
            ServerMessage::Created { nameplate, .. } => nameplate,
            other => panic!("{other:?}"),
        }
    }

    /// The next message that is not a ping.
    async fn recv(&mut self) -> ServerMessage {
        loop {
            match self.0.next().await.expect("the server speaks").unwrap() {
                Message::Text(text) => return parse(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The close code, whatever was said before it.
    async fn closed(&mut self) -> Option<CloseCode> {
        while let Some(message) = self.0.next().await {
            if let Message::Close(frame) = message.unwrap() {
                let frame = frame.expect("a close frame has a code");
                let code = CloseCode::from_number(frame.code.into())?;
                assert_eq!(frame.reason.as_str(), code.sentence());
                return Some(code);
            }
        }
        None
    }
}

fn create() -> ClientMessage {
    ClientMessage::Create { v: 1, ns: NS, nameplate: None }
}

fn join(nameplate: Nameplate) -> ClientMessage {
    ClientMessage::Join { v: 1, nameplate, nr: NR }
}

fn bye(path: PathKind) -> Relay {
    Relay::Bye { path }
}

fn sealed(seq: u64, bytes: usize) -> Relay {
    Relay::Sealed { seq, body: Base64(vec![9; bytes]) }
}

/// A config in which no deadline but those that a test sets can fire.
fn patient() -> Config {
    let timing = Timing {
        handshake: NEVER,
        ping: NEVER,
        idle: NEVER,
        write: NEVER,
        // Tests stop servers under clients that do not listen any more.
        closing: Duration::from_millis(200),
        sweep: Duration::from_millis(5),
    };
    Config { timing, ..Config::default() }
}

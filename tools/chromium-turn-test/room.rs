//! A room on our server, as its two peers see it: what each may relay with.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<TcpStream>;

/// Both seats of a room that was joined. The sockets are held, since the room ends with them.
pub struct Room {
    /// The `ice` of `peer` and that of `joined`.
    pub ice: [Value; 2],
    _sockets: [Socket; 2],
}

impl Room {
    /// Creates a room and joins it (docs/PROTOCOL.md, section 4).
    pub async fn open(server: &str) -> Result<Self, String> {
        let mut sender = connect(server).await?;
        say(&mut sender, json!({ "type": "create", "v": 1, "ns": "00".repeat(16) })).await?;
        let created = hear(&mut sender, "created").await?;
        let mut receiver = connect(server).await?;
        let nameplate = &created["nameplate"];
        say(&mut receiver, json!({ "type": "join", "v": 1, "nameplate": nameplate, "nr": "11".repeat(16) }))
            .await?;
        let joined = hear(&mut receiver, "joined").await?;
        let peer = hear(&mut sender, "peer").await?;
        Ok(Self { ice: [peer["ice"].clone(), joined["ice"].clone()], _sockets: [sender, receiver] })
    }
}

async fn connect(server: &str) -> Result<Socket, String> {
    let stream = TcpStream::connect(server).await.map_err(|error| format!("{server}: {error}"))?;
    let connected = client_async(format!("ws://{server}/ws"), stream).await;
    connected.map(|(socket, _)| socket).map_err(|error| format!("{server}: {error}"))
}

async fn say(socket: &mut Socket, message: Value) -> Result<(), String> {
    socket.send(Message::text(message.to_string())).await.map_err(|error| error.to_string())
}

/// The next text, which has to be of this kind.
async fn hear(socket: &mut Socket, kind: &str) -> Result<Value, String> {
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message.map_err(|error| error.to_string())? else { continue };
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        return if value["type"] == kind {
            Ok(value)
        } else {
            Err(format!("{value} where `{kind}` was due"))
        };
    }
    Err(format!("the server left where `{kind}` was due"))
}

//! From a [`ServerUrl`] to an open WebSocket.

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::dial::{BoxStream, DialError, Dialer};
use crate::signaling::{ServerUrl, SignalingClientError};

/// Longest `Date` header that is kept, in bytes; a real one has 29.
const LONGEST_DATE: usize = 64;

/// Opens a WebSocket to the server, and says what its `Date` header said. Has no deadline of its own; cancel safe.
pub(crate) async fn open(
    dialer: &Dialer,
    url: &ServerUrl,
    config: WebSocketConfig,
) -> Result<(WebSocketStream<BoxStream>, Option<String>), SignalingClientError> {
    let stream = dialer.dial(url.host(), url.port(), url.is_tls()).await?;
    // The URL was composed of parsed parts; should the library still dislike it, then nothing there
    // can be a server.
    let request = url
        .socket_url()
        .into_client_request()
        .map_err(|_| SignalingClientError::NotP2pcp { status: None })?;
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, response)) => {
            let date = response.headers().get("date").and_then(|it| it.to_str().ok());
            Ok((socket, date.filter(|it| it.len() <= LONGEST_DATE).map(str::to_owned)))
        }
        Err(error) => Err(judge(error)),
    }
}

/// What a failed WebSocket handshake says about the server.
fn judge(error: tungstenite::Error) -> SignalingClientError {
    match error {
        tungstenite::Error::Io(_) | tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            SignalingClientError::Lost
        }
        tungstenite::Error::Http(response) => {
            SignalingClientError::NotP2pcp { status: Some(response.status().as_u16()) }
        }
        _ => SignalingClientError::NotP2pcp { status: None },
    }
}

impl From<DialError> for SignalingClientError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Unresolved(error) => Self::Unresolved(error),
            DialError::Unreachable(error) => Self::Unreachable(error),
            DialError::Untrusted(error) => Self::Untrusted(error),
            DialError::NotTls => Self::NotP2pcp { status: None },
            DialError::Lost => Self::Lost,
            DialError::Proxy(proxy, fault) => Self::Proxy(proxy, fault),
        }
    }
}

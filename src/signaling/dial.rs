//! From a [`ServerUrl`] to an open WebSocket.

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::dial::{BoxStream, DialError, Dialer};
use crate::signaling::{ServerUrl, SignalingClientError};
use crate::wire::signaling::FIRST_HEADER;

/// Longest `Date` header that is kept, in bytes; a real one has 29.
const LONGEST_DATE: usize = 64;

/// An open WebSocket, and what the server said with it.
pub(crate) struct Opened {
    pub(crate) socket: WebSocketStream<BoxStream>,
    /// Its `Date` header.
    pub(crate) date: Option<String>,
    /// Whether it has taken the first message, which came with the request.
    pub(crate) has_taken_first: bool,
}

/// Opens a WebSocket to the server, and gives it the first message with the request. Has no deadline of its own; cancel safe.
pub(crate) async fn open(
    dialer: &Dialer,
    url: &ServerUrl,
    config: WebSocketConfig,
    first: Option<&str>,
) -> Result<Opened, SignalingClientError> {
    let stream = dialer.dial(url.host(), url.port(), url.is_tls()).await?;
    // The URL was composed of parsed parts; should the library still dislike it, then nothing there
    // can be a server.
    let mut request = url
        .socket_url()
        .into_client_request()
        .map_err(|_| SignalingClientError::NotP2pcp { status: None })?;
    let first = first.and_then(|text| HeaderValue::from_str(text).ok());
    let has_first = first.is_some();
    if let Some(first) = first {
        request.headers_mut().insert(FIRST_HEADER, first);
    }
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, response)) => {
            let date = response.headers().get("date").and_then(|it| it.to_str().ok());
            let date = date.filter(|it| it.len() <= LONGEST_DATE).map(str::to_owned);
            let has_taken_first = has_first && response.headers().contains_key(FIRST_HEADER);
            Ok(Opened { socket, date, has_taken_first })
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

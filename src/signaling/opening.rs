//! How a [`Signaling`] begins: a connection with nothing said, or with the first question under way.

use std::time::Duration;

use tokio::time::{self, Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::dial::Dialer;
use crate::signaling::dial::{Opened, open};
use crate::signaling::{PING, SILENCE, ServerUrl, Signaling, SignalingClientError};
use crate::wire::signaling::{ClientMessage, Hex, Nameplate, render};
use crate::wire::{MAX_SIGNALING_FRAME, PROTOCOL_VERSION};

impl Signaling {
    /// Connects without any proxy; `timeout` bounds this and every later request.
    ///
    /// Cancel safe: nothing is left behind.
    ///
    /// # Errors
    /// All but `Closed` and `TooLong`.
    pub async fn connect(url: &ServerUrl, timeout: Duration) -> Result<Self, SignalingClientError> {
        Self::connect_by(&Dialer::default(), url, timeout).await
    }

    /// The same, on the way that `dialer` knows.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_by(
        dialer: &Dialer,
        url: &ServerUrl,
        timeout: Duration,
    ) -> Result<Self, SignalingClientError> {
        Self::connect_saying(dialer, url, timeout, None).await
    }

    /// The same, with the [`join`](Self::join) of the same arguments on its way already, where the server takes it so: that
    /// saves a round trip. [`join`](Self::join) is still to be called, for the answer.
    ///
    /// Not cancel safe, unlike the others: the nameplate may be used up when this fails or is dropped.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_joining(
        dialer: &Dialer,
        url: &ServerUrl,
        timeout: Duration,
        nameplate: Nameplate,
        nr: [u8; 16],
    ) -> Result<Self, SignalingClientError> {
        let join = ClientMessage::Join { v: PROTOCOL_VERSION, nameplate, nr: Hex(nr) };
        Self::connect_saying(dialer, url, timeout, Some(join)).await
    }

    async fn connect_saying(
        dialer: &Dialer,
        url: &ServerUrl,
        timeout: Duration,
        first: Option<ClientMessage>,
    ) -> Result<Self, SignalingClientError> {
        let text = first.as_ref().map(render);
        let opened = time::timeout(timeout, open(dialer, url, socket_config(), text.as_deref())).await;
        let Opened { socket, date, has_taken_first } =
            opened.map_err(|_| SignalingClientError::TimedOut(timeout))??;
        let mut ping = time::interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let (heard, silence, is_here) = (Instant::now(), SILENCE, url.is_loopback());
        let said = first.filter(|_| has_taken_first);
        Ok(Self { socket, timeout, ping, heard, silence, unknown: 0, date, is_here, said })
    }
}

/// The default would set aside 128 KiB for reading and take messages of 64 MiB.
fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(MAX_SIGNALING_FRAME)
        .write_buffer_size(0)
        .max_write_buffer_size(8 * MAX_SIGNALING_FRAME)
        .max_message_size(Some(MAX_SIGNALING_FRAME))
        .max_frame_size(Some(MAX_SIGNALING_FRAME))
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_hdr_async;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

    use super::*;
    use crate::wire::signaling::{FIRST_HEADER, MAX_FIRST_HEADER, ServerMessage};

    /// A server that takes the question with the request, or has never heard of such a thing. Gives what it was asked by
    /// the header, and in the first frame, if that came before it answered.
    #[expect(clippy::result_large_err, reason = "the library wants an error of that type")]
    async fn joins(takes: bool) -> (Option<String>, Option<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = ServerUrl::from(listener.local_addr().unwrap());
        let server = async {
            let mut header = None;
            let stream = listener.accept().await.unwrap().0;
            let mut socket = accept_hdr_async(stream, |request: &Request, mut response: Response| {
                let value = request.headers().get(FIRST_HEADER);
                header = value.map(|it| it.to_str().unwrap().to_owned());
                if takes {
                    response.headers_mut().insert(FIRST_HEADER, "taken".parse().unwrap());
                }
                Ok(response)
            })
            .await
            .unwrap();
            let mut frame = None;
            if !takes {
                frame = Some(socket.next().await.unwrap().unwrap().into_text().unwrap().to_string());
            }
            let joined = ServerMessage::Joined { ns: Hex([1; 16]), ice: Vec::new() };
            socket.send(Message::text(render(&joined))).await.unwrap();
            // The client hangs up, and has said nothing more.
            let rest = socket.next().await.unwrap().unwrap();
            assert!(rest.is_close(), "{rest:?}");
            (header, frame)
        };
        let client = async {
            let (dialer, nameplate) = (Dialer::default(), Nameplate::new(999_999_999).unwrap());
            let within = Duration::from_secs(3600);
            let client = Signaling::connect_joining(&dialer, &url, within, nameplate, [2; 16]).await;
            let mut client = client.unwrap();
            assert!(client.is_here());
            assert_eq!(client.join(nameplate, [2; 16]).await.unwrap().ns, [1; 16]);
            client.close().await;
        };
        tokio::join!(server, client).0
    }

    #[tokio::test]
    async fn a_join_is_said_once_whether_or_not_the_server_takes_it_with_the_request() {
        let join = r#"{"type":"join","v":1,"nameplate":999999999,"nr":"02020202020202020202020202020202"}"#;
        assert_eq!(joins(true).await, (Some(join.to_owned()), None));
        assert_eq!(joins(false).await, (Some(join.to_owned()), Some(join.to_owned())));
        assert!(join.len() <= MAX_FIRST_HEADER);
    }
}

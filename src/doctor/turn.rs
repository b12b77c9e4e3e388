//! Whether the server's relay gives an address over UDP, TCP and TLS; what it gives is given back at once.
//!
//! The server's integrity is not checked: a stranger on the way who answers in its place gains nothing here.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{self, Instant};

use crate::doctor::asking::{Question, ask};
use crate::doctor::observed::Relay;
use crate::doctor::stun::{self, Challenge, HEADER, Login, Request, Said};

/// How long one question may take.
const ANSWER: Duration = Duration::from_millis(1_200);

/// How long giving back may take; the server forgets what is not refreshed anyway.
const GIVING_BACK: Duration = Duration::from_millis(200);

/// Stale nonces that are answered with the new one (RFC 8489 §9.2.4: 438).
const MOST_CHALLENGES: u32 = 2;

/// Most bytes after the header of a STUN message over a stream.
const MOST_BYTES: usize = 2_048;

/// How a relay is talked to.
pub(super) enum Wire<S> {
    /// Over UDP, from a socket of its own.
    Udp(UdpSocket, SocketAddr),
    /// Over TCP or TLS, one message after the other (RFC 8656 §3.1).
    Stream(S),
}

/// Asks for a relayed address and gives it back.
pub(super) async fn visit<S: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<S>, login: &Login) -> Relay {
    let begun = Instant::now();
    let mut challenge: Option<Challenge> = None;
    for _ in 0..=MOST_CHALLENGES {
        let login_now = challenge.as_ref().map(|it| (login, it));
        let Some(request) = stun::allocate(login_now) else { return Relay::Nonsense };
        let said = match wire.ask(&request, ANSWER).await {
            Some(said) => said,
            None => return Relay::NoAnswer,
        };
        challenge = match (said, challenge) {
            (Said::Allocated(_), challenge) => {
                let after = begun.elapsed();
                if let Some(request) = challenge.and_then(|it| stun::release(login, &it)) {
                    wire.ask(&request, GIVING_BACK).await;
                }
                return Relay::Works { after };
            }
            (Said::Refused(401, Some(first)), None) => Some(first),
            (Said::Refused(438, Some(next)), Some(_)) => Some(next),
            (Said::Refused(code, _), _) => return Relay::Refused(code),
            (Said::Request | Said::Bound { .. } | Said::Done, _) => return Relay::Nonsense,
        };
    }
    Relay::Nonsense
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    async fn ask(&mut self, request: &Request, patience: Duration) -> Option<Said> {
        match self {
            Self::Udp(socket, server) => {
                let question = Question::new(*server, request.clone());
                ask(socket, &[question], patience).await.pop().flatten().map(|it| it.said)
            }
            Self::Stream(stream) => time::timeout(patience, ask_stream(stream, request)).await.ok().flatten(),
        }
    }
}

/// Writes a request and reads messages until its answer comes. `None` when the stream ends or brings garbage.
async fn ask_stream<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &Request) -> Option<Said> {
    stream.write_all(&request.bytes).await.ok()?;
    stream.flush().await.ok()?;
    loop {
        let mut header = [0; HEADER];
        stream.read_exact(&mut header).await.ok()?;
        let [_, _, high, low, ..] = header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MOST_BYTES {
            return None;
        }
        let mut message = header.to_vec();
        message.resize(HEADER + length, 0);
        stream.read_exact(message.get_mut(HEADER..)?).await.ok()?;
        match stun::parse(&message) {
            Some((id, said)) if id == request.id => return Some(said),
            Some(_) => (),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rtc::stun::attributes::{
        ATTR_ERROR_CODE, ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_XOR_RELAYED_ADDRESS,
    };
    use rtc::stun::message::{
        CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_REFRESH, Message, MessageType,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::net::UdpSocket;

    use crate::doctor::observed::Relay;
    use crate::doctor::stun::Login;
    use crate::doctor::stun::tests::answer;
    use crate::doctor::turn::{Wire, visit};

    fn login() -> Login {
        Login { username: "u".to_owned(), password: "p".to_owned() }
    }

    fn refuse(request: &[u8], code: [u8; 2], nonce: &[u8]) -> Vec<u8> {
        let kind = MessageType::new(METHOD_ALLOCATE, CLASS_ERROR_RESPONSE);
        let [class, number] = code;
        let attributes: [(_, &[u8]); 3] =
            [(ATTR_ERROR_CODE, &[0, 0, class, number]), (ATTR_REALM, b"p2pcp"), (ATTR_NONCE, nonce)];
        answer(request, kind, None, &attributes)
    }

    /// What a stub relay does to a request. It takes the second nonce, to anybody.
    fn relay(request: &[u8]) -> Vec<u8> {
        let mut asked = Message::new();
        asked.unmarshal_binary(request).unwrap();
        if asked.typ.method == METHOD_REFRESH {
            return answer(request, MessageType::new(METHOD_REFRESH, CLASS_SUCCESS_RESPONSE), None, &[]);
        }
        match asked.get(ATTR_NONCE) {
            Err(_) => refuse(request, [4, 1], b"old"),
            Ok(nonce) if nonce == b"old" => refuse(request, [4, 38], b"new"),
            Ok(_) => {
                assert!(asked.contains(ATTR_MESSAGE_INTEGRITY));
                let relayed = Some((ATTR_XOR_RELAYED_ADDRESS, "192.0.2.1:50000".parse().unwrap()));
                answer(request, MessageType::new(METHOD_ALLOCATE, CLASS_SUCCESS_RESPONSE), relayed, &[])
            }
        }
    }

    async fn read(stream: &mut DuplexStream) -> Option<Vec<u8>> {
        let mut message = vec![0; 20];
        stream.read_exact(&mut message).await.ok()?;
        let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
        message.resize(20 + length, 0);
        stream.read_exact(&mut message[20..]).await.ok()?;
        Some(message)
    }

    /// Visits a relay over a stream that does this to each request; returns also how many came.
    async fn visited(respond: impl Fn(&[u8]) -> Vec<u8>) -> (Relay, usize) {
        let (ours, mut theirs) = duplex(16);
        let serve = async {
            let mut requests = 0;
            while let Some(request) = read(&mut theirs).await {
                requests += 1;
                if theirs.write_all(&respond(&request)).await.is_err() {
                    break;
                }
            }
            requests
        };
        let login = login();
        tokio::join!(visit(Wire::Stream(ours), &login), serve)
    }

    #[tokio::test]
    async fn an_address_is_given_over_a_stream_and_given_back() {
        let (seen, requests) = visited(relay).await;
        assert!(matches!(seen, Relay::Works { .. }), "{seen:?}");
        assert_eq!(requests, 4);
    }

    #[tokio::test]
    async fn an_address_is_given_over_udp() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let ours = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let serve = async {
            let mut packet = [0; 2_048];
            loop {
                let (length, from) = server.recv_from(&mut packet).await.unwrap();
                server.send_to(&relay(&packet[..length]), from).await.unwrap();
            }
        };
        let login = login();
        let seen = tokio::select! {
            seen = visit(Wire::<DuplexStream>::Udp(ours, address), &login) => seen,
            () = serve => unreachable!("it serves for ever"),
        };
        assert!(matches!(seen, Relay::Works { .. }), "{seen:?}");
    }

    #[tokio::test]
    async fn refusals_and_lies_are_told_apart() {
        assert_eq!(visited(|it| refuse(it, [4, 86], b"x")).await.0, Relay::Refused(486));
        // Whoever asks for ever gets no answer for ever.
        assert_eq!(visited(|it| refuse(it, [4, 1], b"old")).await, (Relay::Refused(401), 2));
        let (stale, requests) = visited(|it| {
            let mut asked = Message::new();
            asked.unmarshal_binary(it).unwrap();
            let first = !asked.contains(ATTR_NONCE);
            refuse(it, if first { [4, 1] } else { [4, 38] }, b"old")
        })
        .await;
        assert_eq!((stale, requests), (Relay::Nonsense, 3));
        assert_eq!(visited(<[u8]>::to_vec).await.0, Relay::NoAnswer);
        assert_eq!(visited(|_| vec![0xff; 20]).await.0, Relay::NoAnswer);
        assert_eq!(visited(|_| b"HTTP/1.1 400 Bad Request\r\n".to_vec()).await.0, Relay::NoAnswer);
    }
}

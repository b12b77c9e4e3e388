//! Where the sender of a code is: on the server that is configured, on this machine, or on the local network.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::code::Code;
use crate::connect::{ConnectError, Joined, Joining, Policy};
use crate::dial::Dialer;
use crate::error::Error;
use crate::event::Event;
use crate::lan::{self, Finder, Scope};
use crate::recv::Options;
use crate::recv::wait::{Patient, on_server};
use crate::send::{Meeting, SERVER_WITHIN};
use crate::signaling::{ServerUrl, SignalingClientError};
use crate::transfer::Teller;
use crate::wire::signaling::CloseCode;

/// How long a sender without a server is looked for.
const FIND_WITHIN: Duration = Duration::from_secs(6);

/// How long a sender that was lost is looked for before its known address is tried again.
pub(super) const FIND_AGAIN_WITHIN: Duration = Duration::from_secs(3);

/// Longest wait for one address to answer.
pub(super) const ADDRESS_WITHIN: Duration = Duration::from_secs(3);

/// Where the sender was found.
pub(super) struct Place {
    /// How to meet there; not always as it was configured.
    pub(super) meeting: Meeting,
    /// The rendezvous.
    pub(super) url: ServerUrl,
}

/// Takes the second seat of the code's room, wherever it is.
///
/// A server that is not there, or does not know the code, may be one that only this side is configured for: the sender may be
/// on this network then. That costs nothing, as the code is not used up by a server that does not know it.
pub(super) async fn seek(options: &Options, teller: &Teller) -> Result<(Place, Joined), Error> {
    let url = match &options.meeting {
        Meeting::Here(scope) => {
            teller.tell(Event::Searching { after_server: false });
            let (url, joined) = match options.wait {
                None => find(&options.code, *scope, FIND_WITHIN).await?,
                Some(wait) => {
                    teller.tell(Event::Waiting);
                    join_one(Patient::new(options.code.nameplate(), *scope), &options.code, wait).await?
                }
            };
            return Ok((Place { meeting: options.meeting.clone(), url }, joined));
        }
        Meeting::Server(url) => url,
    };
    let error = match join(&options.routes.dialer, url, &options.code).await {
        Ok(joined) => return Ok((Place { meeting: options.meeting.clone(), url: url.clone() }, joined)),
        Err(error) => error,
    };
    let elsewhere = matches!(
        error,
        Error::Server { .. }
            | Error::Join(ConnectError::Signaling(SignalingClientError::Closed(CloseCode::NoRoom)))
    );
    // A server on this machine stands for peers on this machine; and who hides behind a relay shows up on no network.
    let stay = url.is_loopback() || options.routes.policy == Policy::RelayOnly;
    let stay = stay || lan::port(options.code.nameplate()).is_none();
    if let Some(wait) = options.wait.filter(|_| elsewhere) {
        teller.tell(Event::Waiting);
        return wait_for(options, url, stay, wait, error).await;
    }
    if !elsewhere || stay {
        return Err(error);
    }
    teller.tell(Event::Searching { after_server: true });
    match find(&options.code, Scope::Lan, FIND_AGAIN_WITHIN).await {
        Ok((url, joined)) => Ok((Place { meeting: Meeting::Here(Scope::Lan), url }, joined)),
        Err(found @ Error::Join(_)) => Err(found),
        Err(_) => Err(error),
    }
}

/// Waits on the server, and unless it is to `stay` there on the local network too; after that the failure is `error`.
async fn wait_for(
    options: &Options,
    url: &ServerUrl,
    stay: bool,
    wait: Duration,
    error: Error,
) -> Result<(Place, Joined), Error> {
    let code = &options.code;
    let near = async {
        match stay {
            true => std::future::pending().await,
            false => match join_one(Patient::new(code.nameplate(), Scope::Lan), code, wait).await {
                // Whoever is on the network and has another room of this number says nothing of the server's.
                Err(Error::NoSender { .. }) => std::future::pending().await,
                found => found,
            },
        }
    };
    let found = async {
        tokio::select! {
            joined = on_server(&options.routes.dialer, url, code, &error) => {
                Ok((Place { meeting: options.meeting.clone(), url: url.clone() }, joined?))
            }
            found = near => found.map(|(url, joined)| (Place { meeting: Meeting::Here(Scope::Lan), url }, joined)),
        }
    };
    match tokio::time::timeout(wait, found).await {
        Ok(found) => found,
        Err(_) => Err(error),
    }
}

pub(super) async fn join(dialer: &Dialer, url: &ServerUrl, code: &Code) -> Result<Joined, Error> {
    let joining = Joining::dial(dialer, url, SERVER_WITHIN, code.clone()).await;
    joining.map_err(|error| Error::server(url, error))?.seated().await.map_err(Error::Join)
}

/// Looks for the sender on this machine and, beyond [`Scope::Loopback`], on the local network.
async fn find(code: &Code, scope: Scope, within: Duration) -> Result<(ServerUrl, Joined), Error> {
    join_one(lan::find(code.nameplate(), scope), code, within).await
}

/// Where a sender may be.
pub(super) trait Addresses {
    /// The next one, once it is known. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Option<SocketAddr>> + Send;
}

impl Addresses for Finder {
    async fn next(&mut self) -> Option<SocketAddr> {
        Self::next(self).await
    }
}

/// Joins the first rendezvous that knows the room, of those at the addresses.
///
/// Whoever answers at an address is asked for the room; most will not know it, which costs nothing. Of several that do know it,
/// as neighbours may pretend, only one hears more: each PAKE is a guess for whoever is there.
async fn join_one(
    mut addresses: impl Addresses,
    code: &Code,
    within: Duration,
) -> Result<(ServerUrl, Joined), Error> {
    let mut dials = JoinSet::new();
    let mut finding = true;
    let mut used = false;
    let search = async {
        while finding || !dials.is_empty() {
            tokio::select! {
                address = addresses.next(), if finding => match address {
                    Some(address) => {
                        let (url, code) = (ServerUrl::from(address), code.clone());
                        dials.spawn(async move {
                            let dialer = Dialer::default();
                            let joining = Joining::dial(&dialer, &url, ADDRESS_WITHIN, code).await?;
                            joining.seated().await.map(|joined| (url, joined))
                        });
                    }
                    None => finding = false,
                },
                Some(joined) = dials.join_next() => match joined {
                    Ok(Ok(found)) => return Ok(found),
                    Ok(Err(ConnectError::Signaling(SignalingClientError::Closed(CloseCode::NoRoom)))) => {
                        used = true;
                    }
                    Ok(Err(ConnectError::Signaling(_))) | Err(_) => (),
                    Ok(Err(other)) => return Err(Error::Join(other)),
                },
            }
        }
        Err(Error::NoSender { used })
    };
    match tokio::time::timeout(within, search).await {
        Ok(result) => result,
        Err(_) => Err(Error::NoSender { used }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::SocketAddr;
    use std::time::{Duration, Instant};

    use futures_util::{SinkExt, StreamExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message;

    use crate::code::Code;
    use crate::lan::Scope;
    use crate::recv::find::{Addresses, join_one};
    use crate::send::{Meeting, Routes, surroundings};
    use crate::transfer::Teller;

    /// Knows every room, and says what it heard there: kinds of messages.
    async fn pretend(listener: TcpListener) -> Vec<String> {
        let mut heard = Vec::new();
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut socket) = accept_async(stream).await else { return heard };
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            let kind = value["type"].as_str().unwrap().to_owned();
            let answer = match kind.as_str() {
                "join" => format!(r#"{{"type":"joined","ns":"{}"}}"#, "00".repeat(16)),
                _ => r#"{"type":"bye","path":"failed"}"#.to_owned(),
            };
            heard.push(kind);
            socket.send(Message::text(answer)).await.ok();
        }
        heard
    }

    impl Addresses for &mut VecDeque<SocketAddr> {
        async fn next(&mut self) -> Option<SocketAddr> {
            self.pop_front()
        }
    }

    #[tokio::test]
    async fn of_many_who_pretend_to_know_the_code_one_gets_a_guess() {
        let code = Code::parse("417-aloe-tuba").unwrap().code;
        let (mut addresses, mut servers) = (VecDeque::<SocketAddr>::new(), JoinSet::new());
        for _ in 0..5 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push_back(listener.local_addr().unwrap());
            servers.spawn(pretend(listener));
        }
        let within = Duration::from_secs(60);
        let found = join_one(&mut addresses, &code, within).await;
        let (_, joined) = found.expect("one of them");
        let teller = Teller::unheard();
        let surroundings = surroundings(&Meeting::Here(Scope::Loopback), &Routes::default(), None, &teller);
        assert!(joined.bind(surroundings).await.is_err());
        // Those that were never dialled would wait for ever.
        for address in addresses {
            tokio::net::TcpStream::connect(address).await.unwrap();
        }
        let heard: Vec<_> = servers.join_all().await.into_iter().flatten().collect();
        assert_eq!(heard.iter().filter(|it| *it == "pake").count(), 1, "{heard:?}");
    }

    /// As addresses of interfaces that lead nowhere: a VPN that is down, or a bridge of containers.
    #[tokio::test]
    async fn an_address_that_never_answers_does_not_hold_up_the_others() {
        let code = Code::parse("417-aloe-tuba").unwrap().code;
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silence = [silent.local_addr().unwrap(); 10];
        let mut addresses: VecDeque<_> = silence.into_iter().chain([good.local_addr().unwrap()]).collect();
        let server = tokio::spawn(pretend(good));
        // Well below the time that one address may be silent.
        let (begun, within) = (Instant::now(), Duration::from_secs(60));
        let found = join_one(&mut addresses, &code, within).await;
        assert!(found.is_ok() && begun.elapsed() < super::ADDRESS_WITHIN);
        drop(found);
        assert_eq!(server.await.unwrap(), ["join"]);
    }
}

//! The rendezvous that a sender opens: on a server, or on this machine.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::connect::reunion::Reunion;
use crate::error::Error;
use crate::lan::{self, Announcement, Scope};
use crate::send::{Meeting, Options, SERVER_WITHIN};
use crate::server::{self, OnlySession};
use crate::signaling::{ServerUrl, Signaling};
use crate::wire::signaling::Nameplate;

/// How long a rendezvous of ours takes its leave, where somebody is to hear why.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where peers meet; ends when dropped.
pub(super) struct Place {
    pub(super) url: ServerUrl,
    own: Option<Own>,
}

/// A rendezvous on this machine.
struct Own {
    nameplate: Nameplate,
    scope: Scope,
    announcement: Option<Announcement>,
    server: OwnServer,
}

impl Place {
    pub(super) async fn open(
        options: &Options,
        wanted: Option<Nameplate>,
        taken: &HashSet<Nameplate>,
    ) -> Result<(Self, Signaling), Error> {
        let scope = match &options.meeting {
            Meeting::Here(scope) => *scope,
            Meeting::Server(url) => {
                let signaling = Signaling::connect_by(&options.routes.dialer, url, SERVER_WITHIN).await;
                let signaling = signaling.map_err(|error| Error::server(url, error))?;
                return Ok((Self { url: url.clone(), own: None }, signaling));
            }
        };
        let (listener, nameplate) = match wanted {
            Some(wanted) => (lan::bind_numbered(scope, taken, wanted)?, wanted),
            None => lan::bind(scope, taken, || {
                let mut bytes = [0; 8];
                getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
                u64::from_le_bytes(bytes)
            })?,
        };
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|_| Error::NoRendezvous)?;
        let port = listener.local_addr().map_err(|_| Error::NoRendezvous)?.port();
        let server = OwnServer::start(listener, nameplate, options.lives_for);
        let announcement = Some(Announcement::start(nameplate, scope)?);
        let url = ServerUrl::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let signaling = Signaling::connect(&url, SERVER_WITHIN).await;
        let signaling = signaling.map_err(|error| Error::server(&url, error))?;
        Ok((Self { url, own: Some(Own { nameplate, scope, announcement, server }) }, signaling))
    }

    /// Lets the two meet here again, and nobody else.
    pub(super) fn expect(&self, reunion: &Reunion) {
        if let Some(own) = &self.own {
            own.server.session.name(reunion.token());
        }
    }

    /// Says on the local network where this is.
    pub(super) fn announce(&mut self) {
        if let Some(own) = &mut self.own {
            own.announcement = Announcement::start(own.nameplate, own.scope).ok();
        }
    }

    /// Ends the rendezvous, if it is ours, in good order: a receiver that talks reads the reason first. Takes a second at most.
    pub(super) async fn end(self) {
        if let Some(Own { server: OwnServer { mut task, stop, .. }, .. }) = self.own {
            stop.send(()).ok();
            tokio::time::timeout(FAREWELL, &mut task.0).await.ok();
        }
    }

    /// Stops saying so; who has been here knows the way.
    pub(super) async fn be_silent(&mut self) {
        if let Some(announcement) = self.own.as_mut().and_then(|it| it.announcement.take()) {
            announcement.end().await;
        }
    }
}

/// The rendezvous inside `send`; ends when dropped.
struct OwnServer {
    task: Aborting,
    stop: oneshot::Sender<()>,
    session: OnlySession,
}

impl OwnServer {
    fn start(listener: tokio::net::TcpListener, nameplate: Nameplate, lives_for: Option<Duration>) -> Self {
        let session = OnlySession::default();
        let mut config = server::Config::for_one_room(nameplate, session.clone());
        config.rooms.waiting = config.rooms.waiting.max(lives_for.unwrap_or_default());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            // Dropped with the rest, it is aborted: that is no order to stop.
            let stopped = async {
                if stopped.await.is_err() {
                    std::future::pending().await
                }
            };
            if let Err(error) = server::run(listener, config, stopped).await {
                log::warn!("the rendezvous ended: {error}");
            }
        });
        Self { task: Aborting(task), stop, session }
    }
}

/// Ends with its handle, as tasks do not by themselves.
struct Aborting(JoinHandle<()>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

//! `p2pcp send`: shows a code, waits for whoever has it, sends.

use std::collections::HashSet;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::code::{Code, WordCount};
use crate::connect::ice::IceServers;
use crate::connect::reunion::{self, Reunion};
use crate::connect::{Better, Bound, ConnectError, Limit, Policy, Surroundings, Waiting};
use crate::dial::Dialer;
use crate::drive::sending::SendingHands;
use crate::drive::{self, Person};
use crate::error::{Error, Finish, Side};
use crate::fs::{Source, host};
use crate::interrupt::Interrupts;
use crate::lan::{self, Announcement, Neighbours, Scope};
use crate::reconnect::reconnect;
use crate::server::{self, OnlySession};
use crate::session::lasting::Lasting;
use crate::session::sender::{Config, Sender};
use crate::session::{Answer, Event};
use crate::signaling::{ServerUrl, Signaling};
use crate::transport::peer::LaneError;
use crate::ui::Reporter;
use crate::wire::ice::TurnServer;
use crate::wire::peer::{AbortReason, Offer, Totals};
use crate::wire::signaling::Nameplate;

/// Codes that one run may burn.
pub const MAX_CODES: u32 = 3;

/// Longest wait for a signaling server to answer.
pub const SERVER_WITHIN: Duration = Duration::from_secs(10);

/// How long the paths are counted before the code is shown; the rest is counted meanwhile.
const COUNT_FOR: Duration = Duration::from_millis(300);

/// Entries counted between two looks at the clock.
const COUNT_STEP: usize = 1000;

/// Where the peers meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meeting {
    /// On the sender's own machine, which is found on the local network or, for
    /// [`Scope::Loopback`], on this machine only.
    Here(Scope),
    /// On a server.
    Server(ServerUrl),
}

/// Which paths to look for, and by which servers.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// Direct ones, relayed ones, or the best there is.
    pub policy: Policy,
    /// STUN servers, `host:port` each.
    pub stun: Vec<String>,
    /// TURN servers of our own.
    pub turn: Vec<TurnServer>,
    /// The only interfaces, by name, that are used; none means any.
    pub interfaces: Vec<String>,
    /// How servers over TCP are reached.
    pub dialer: Dialer,
}

/// What to send, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Where to meet.
    pub meeting: Meeting,
    /// Which paths to look for.
    pub routes: Routes,
    /// Words of the code.
    pub words: WordCount,
    /// How long to look for the other side when the connection is lost.
    pub reconnect_for: Duration,
    /// Most lanes of a link; as many as help when not said.
    pub lanes: Option<u8>,
    /// The command that does the same once more, to be told when it failed.
    pub again: String,
}

/// Runs the command. `told` hears each code as it is shown.
///
/// # Errors
/// [`Error`].
pub async fn run(
    options: Options,
    reporter: &Reporter,
    mut told: impl FnMut(&Code),
) -> Result<Finish, Error> {
    let mut interrupts = Interrupts::listen();
    let neighbours = Neighbours::listen(match options.meeting {
        Meeting::Here(scope) => scope,
        Meeting::Server(_) => Scope::Loopback,
    });
    let source = Source::open(&options.paths)?;
    let mut survey = source.survey();
    let counting = Instant::now();
    let mut totals = Totals::default();
    while !totals.complete && counting.elapsed() < COUNT_FOR {
        totals = survey.step(COUNT_STEP);
    }
    let (items, more) = source.offer_items();
    reporter.sending(&items, more, &totals);

    let (bound, mut place) = tokio::select! {
        met = meet(&options, neighbours, reporter, &mut told) => met?,
        interrupt = interrupts.wait() => return Err(Error::Interrupted { interrupt, again: None }),
    };
    reporter.connected(&bound.path);

    let config = Config { items, more, totals, complete_key: bound.complete_key };
    let sender = Sender::new(config, Instant::now());
    let sender = Lasting::new(sender, options.reconnect_for, Instant::now()).hearing_two_binds();
    let hands = SendingHands::start(source, survey);
    let mut person = Watcher { reporter, begun: Instant::now(), accepted: false };
    let (stop, reunion) = (interrupts.clone(), bound.reunion);
    place.expect(&reunion);
    let again = async || {
        place.announce();
        let url = &place.url;
        let link = reconnect(reporter, || async {
            let signaling = Signaling::connect_by(&options.routes.dialer, url, reunion::SERVER_WITHIN).await;
            let signaling = signaling.map_err(|error| Error::server(url, error))?;
            let surroundings = surroundings(&options.meeting, &options.routes, options.lanes, reporter);
            reunion.meet(signaling, surroundings).await.map_err(Error::Join)
        });
        let link = link.await;
        place.be_silent().await;
        Some(link)
    };
    let ended = drive::run(sender, bound.link, again, hands, &mut person, cancelled(stop)).await;
    let again = person.accepted.then_some(options.again);
    let failed = |failure| Error::session(Side::Sending, failure, None, interrupts.seen(), again);
    let summary = ended.result.map_err(failed)?;
    reporter.finished(&summary, person.begun.elapsed());
    Ok(Finish::of(&summary))
}

/// Resolves when the person wants to stop.
pub(crate) async fn cancelled(mut interrupts: Interrupts) -> AbortReason {
    interrupts.wait().await;
    AbortReason::Interrupted
}

/// Shows codes until somebody has one: at most [`MAX_CODES`], as each wrong guess burns one. The place
/// where the peers met stays open, as they may need it again.
async fn meet(
    options: &Options,
    neighbours: Neighbours,
    reporter: &Reporter,
    told: &mut impl FnMut(&Code),
) -> Result<(Bound, Place), Error> {
    let taken = neighbours.nameplates().await;
    let mut burnt = 0;
    loop {
        let (mut place, signaling) = Place::open(options, &taken).await?;
        reporter.detail(&format!("the rendezvous is {}", place.url));
        let waiting = Waiting::create(signaling, options.words).await.map_err(Error::Meeting)?;
        reporter.code(waiting.code(), &receive_line(&options.meeting, waiting.code()));
        told(waiting.code());
        reporter.waiting();
        let surroundings = surroundings(&options.meeting, &options.routes, options.lanes, reporter);
        let joined = waiting.joined().await.map_err(Error::Meeting)?;
        let bound = joined.bind(surroundings).await;
        place.be_silent().await;
        let error = match bound {
            Ok(bound) => return Ok((bound, place)),
            Err(error) => error,
        };
        if matches!(error, ConnectError::Lane(LaneError::NoRelay)) {
            // With another code it would be the same.
            return Err(Error::Join(error));
        }
        burnt += 1;
        if burnt == MAX_CODES {
            return Err(Error::CodesBurnt(error));
        }
        match error.is_wrong_code() {
            true => reporter.wrong_guess(MAX_CODES - burnt - 1),
            false => reporter.warning(&format!("{error}; that code is used up, here is a new one")),
        }
    }
}

/// What this machine brings to a meeting; STUN and TURN servers are looked up from now on, where they are needed.
pub(crate) fn surroundings(
    meeting: &Meeting,
    routes: &Routes,
    lanes: Option<u8>,
    reporter: &Reporter,
) -> Surroundings {
    let Routes { policy, stun, turn, interfaces, dialer } = routes;
    let none = || IceServers::look_up(*policy, &[], &[]);
    let (limit, server, ice) = match meeting {
        Meeting::Here(Scope::Loopback) => (Limit::ThisHost, None, none()),
        Meeting::Here(Scope::Lan) => (Limit::Network, None, none()),
        Meeting::Server(url) => {
            (Limit::Internet, Some(url.clone()), IceServers::look_up(*policy, stun, turn))
        }
    };
    let (policy, interfaces, dialer) = (*policy, interfaces.clone(), dialer.clone());
    let reporter = reporter.clone();
    let better: Better = Arc::new(move |path| reporter.connected_better(path));
    let host = host::identity();
    Surroundings { limit, server, host, ice, policy, interfaces, lanes, dialer, better: Some(better) }
}

/// What to type on the other side.
fn receive_line(meeting: &Meeting, code: &Code) -> String {
    match meeting {
        Meeting::Here(Scope::Lan) => format!("p2pcp recv {code}"),
        Meeting::Here(Scope::Loopback) => format!("p2pcp recv --loopback {code}"),
        Meeting::Server(url) => format!("p2pcp recv --server {url} {code}"),
    }
}

/// Where peers meet; ends when dropped.
struct Place {
    url: ServerUrl,
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
    async fn open(options: &Options, taken: &HashSet<Nameplate>) -> Result<(Self, Signaling), Error> {
        let scope = match &options.meeting {
            Meeting::Here(scope) => *scope,
            Meeting::Server(url) => {
                let signaling = Signaling::connect_by(&options.routes.dialer, url, SERVER_WITHIN).await;
                let signaling = signaling.map_err(|error| Error::server(url, error))?;
                return Ok((Self { url: url.clone(), own: None }, signaling));
            }
        };
        let (listener, nameplate) = lan::bind(scope, taken, || {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
            u64::from_le_bytes(bytes)
        })?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|_| Error::NoRendezvous)?;
        let port = listener.local_addr().map_err(|_| Error::NoRendezvous)?.port();
        let server = OwnServer::start(listener, nameplate);
        let announcement = Some(Announcement::start(nameplate, scope)?);
        let url = ServerUrl::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let signaling = Signaling::connect(&url, SERVER_WITHIN).await;
        let signaling = signaling.map_err(|error| Error::server(&url, error))?;
        Ok((Self { url, own: Some(Own { nameplate, scope, announcement, server }) }, signaling))
    }

    /// Lets the two meet here again, and nobody else.
    fn expect(&self, reunion: &Reunion) {
        if let Some(own) = &self.own {
            own.server.session.name(reunion.token());
        }
    }

    /// Says on the local network where this is.
    fn announce(&mut self) {
        if let Some(own) = &mut self.own {
            own.announcement = Announcement::start(own.nameplate, own.scope).ok();
        }
    }

    /// Stops saying so; who has been here knows the way.
    async fn be_silent(&mut self) {
        if let Some(announcement) = self.own.as_mut().and_then(|it| it.announcement.take()) {
            announcement.end().await;
        }
    }
}

/// The rendezvous inside `send`; ends when dropped.
struct OwnServer {
    task: JoinHandle<()>,
    session: OnlySession,
}

impl OwnServer {
    fn start(listener: tokio::net::TcpListener, nameplate: Nameplate) -> Self {
        let session = OnlySession::default();
        let config = server::Config::for_one_room(nameplate, session.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = server::run(listener, config, std::future::pending()).await {
                log::warn!("the rendezvous ended: {error}");
            }
        });
        Self { task, session }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A sender's person only watches.
struct Watcher<'a> {
    reporter: &'a Reporter,
    begun: Instant,
    accepted: bool,
}

impl Person for Watcher<'_> {
    fn see(&mut self, event: Event) {
        if event == Event::Accepted {
            self.begun = Instant::now();
            self.accepted = true;
        }
        self.reporter.event(&event);
    }

    fn answer(&mut self, _: Offer) -> Pin<Box<dyn Future<Output = Answer>>> {
        Box::pin(std::future::ready(Answer::No))
    }
}

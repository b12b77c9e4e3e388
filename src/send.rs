//! Sending: shows a code, waits for whoever has it, sends.

mod able;
mod again;
mod beckoning;
mod place;
mod share;
pub(crate) mod verify;
mod watcher;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::code::{Code, WordCount};
use crate::connect::ice::IceServers;
use crate::connect::{Better, Bound, ConnectError, Limit, Policy, Surroundings};
use crate::crypto::Role;
use crate::dial::Dialer;
use crate::drive;
use crate::drive::sending::SendingHands;
use crate::error::{Error, Side};
use crate::event::Event;
use crate::fs::{Selection, host};
use crate::lan::Scope;
use crate::send::again::Again;
use crate::send::beckoning::beckoning;
use crate::send::place::Place;
use crate::send::share::{Gate, Share};
use crate::send::watcher::Watcher;
use crate::session::Summary;
use crate::session::handshake::Abilities;
use crate::session::lasting::{Lasting, RECONNECT_FOR};
pub use crate::session::sender::Compress;
use crate::session::sender::{self, Config, Packing};
use crate::signaling::ServerUrl;
use crate::transfer::{Stop, Teller, Transfer};
use crate::transport::peer::{LaneError, WebRtcLink};
use crate::wire::ice::TurnServer;
use crate::wire::path::RelPath;
use crate::wire::peer::{AbortReason, Totals};

/// Codes that one run may burn.
pub const MAX_CODES: u32 = 3;

/// Longest wait for a signaling server to answer.
pub const SERVER_WITHIN: Duration = Duration::from_secs(10);

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
    /// The name under which standard input is sent beside them, if it is.
    pub stdin: Option<RelPath>,
    /// A text that is sent in place of all that: to be shown, not kept, at most [`crate::wire::peer::OfferItem::MAX_TEXT_BYTES`] long.
    pub text: Option<String>,
    /// What of them is sent.
    pub selection: Selection,
    /// Where to meet.
    pub meeting: Meeting,
    /// Which paths to look for.
    pub routes: Routes,
    /// Words of the codes that are made.
    pub words: WordCount,
    /// The first code, in place of one that is made. After a wrong guess at it codes are made all the same, so that
    /// nobody can guess twice at the same words.
    pub code: Option<Code>,
    /// Have both persons compare words before anything is offered ([`Event::Verify`]); the other side can ask for it, too.
    pub verify: bool,
    /// How long a code can be used, at most a day; for as long as the rendezvous has room for it when not said.
    pub lives_for: Option<Duration>,
    /// How long to look for the other side when the connection is lost.
    pub reconnect_for: Duration,
    /// Most lanes of a link; as many as help when not said.
    pub lanes: Option<u8>,
    /// Most bytes a second that are sent, or as many as there can be.
    pub limit: Option<u64>,
    /// Whether bytes travel packed.
    pub compress: Compress,
    /// How to do the same once more, to be told when it failed: for a command the line to type.
    pub again: String,
}

impl Options {
    /// Files and folders, to whoever has the code and is on the local network, as `p2pcp send` does it.
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            stdin: None,
            text: None,
            selection: Selection::default(),
            meeting: Meeting::Here(Scope::Lan),
            routes: Routes::default(),
            words: WordCount::default(),
            code: None,
            verify: false,
            lives_for: None,
            reconnect_for: RECONNECT_FOR,
            lanes: None,
            limit: None,
            compress: Compress::Auto,
            again: "send the same again".to_owned(),
        }
    }
}

/// A sender that has not started.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use p2pcp::{Event, Sender, send};
///
/// let mut transfer = Sender::new(send::Options::new(["photos"])).start();
/// while let Some(event) = transfer.next_event().await {
///     if let Event::Code { code, .. } = event {
///         println!("tell the other side: {code}");
///     }
/// }
/// transfer.finish().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Sender {
    options: Options,
}

impl Sender {
    /// Nothing happens before [`Sender::start`].
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Starts a task that makes a code, waits for the receiver, and sends. The events that matter are
    /// [`Event::Code`], after each of which only that code works, [`Event::Progress`] and the last one.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub fn start(self) -> Transfer {
        started(self.options, None)
    }

    /// Starts the same for so many receivers at once: a transfer for each, with a code of its own. What several need at about
    /// the same time is read and hashed once; none waits for another.
    ///
    /// # Errors
    /// What is wrong with the paths, as they are looked at here; [`Error::StreamForMany`] with [`Options::stdin`].
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub fn start_for(self, receivers: usize) -> Result<Vec<Transfer>, Error> {
        if self.options.stdin.is_some() || self.options.text.is_some() {
            return Err(Error::StreamForMany);
        }
        // One code cannot be several.
        let options = Options { code: None, ..self.options };
        let shares = Share::open(&options)?.among(receivers);
        Ok(shares.into_iter().map(|share| started(options.clone(), Some(share))).collect())
    }
}

fn started(options: Options, share: Option<Share>) -> Transfer {
    let limit = options.limit;
    let mut transfer = Transfer::start(|teller, stop| run(options, share, teller, stop));
    transfer.limit(limit);
    transfer
}

async fn run(
    options: Options,
    share: Option<Share>,
    teller: Teller,
    mut stop: Stop,
) -> Result<(Summary, Duration), Error> {
    let share = share.map_or_else(|| Share::open(&options), Ok)?;
    let Share { source, survey, totals, inlet, gate } = share;
    let (items, more) = source.offer_items();
    let told = Totals { complete: totals.complete && inlet.is_none(), ..totals };
    teller.tell(Event::Sending { items: items.clone(), more, totals: told });

    let (bound, place) = tokio::select! {
        met = meet(&options, &gate, &teller) => met?,
        interrupt = stop.wait() => return Err(Error::Interrupted { interrupt, again: None }),
    };
    teller.tell(Event::Path { path: bound.path.clone(), better: false });
    let bound = able::check(bound, &options).await?;
    let bound = tokio::select! {
        bound = verify::verified(bound, Role::Sender, &teller) => bound?,
        interrupt = stop.wait() => return Err(Error::Interrupted { interrupt, again: None }),
    };

    let config = Config { items, more, totals, complete_key: bound.complete_key };
    let at_hand = bound.path.address.is_some_and(|it| it.is_loopback());
    let packing = match bound.features & Abilities::PACKING {
        0 => Packing::none(),
        _ => Packing::new(options.compress, at_hand),
    };
    let sender = sender::Sender::new(config, Instant::now()).packing(packing);
    let sender = sender.with_many_entries(bound.features & Abilities::MANY != 0);
    let sender = match bound.features & Abilities::PACING {
        0 => sender,
        _ => sender.with_pacing(),
    };
    let sender = Lasting::new(sender, options.reconnect_for, Instant::now()).hearing_two_binds();
    let side = if inlet.is_some() { Side::SendingStream } else { Side::Sending };
    let hands = SendingHands::start(source, survey, inlet);
    let mut person = Watcher::new(teller.clone(), stop.wishes());
    place.expect(&bound.reunion);
    let told = options.again.clone();
    let again = Again { options, place: Mutex::new(place), reunion: bound.reunion, teller };
    let ended =
        drive::run(sender, bound.link, again.finding(), hands, &mut person, cancelled(stop.clone())).await;
    let again = person.accepted.then_some(told);
    let failed = |failure| Error::session(side, failure, None, stop.seen(), again);
    Ok((ended.result.map_err(failed)?, person.begun.elapsed()))
}

/// Resolves when it is to end early.
pub(crate) async fn cancelled(mut stop: Stop) -> AbortReason {
    stop.wait().await;
    AbortReason::Interrupted
}

/// What finds the other side when the connection is lost.
pub(crate) type Finding = Pin<Box<dyn Future<Output = Option<WebRtcLink>> + Send>>;

/// Shows codes until somebody has one: at most [`MAX_CODES`], as each wrong guess burns one. The place
/// where the peers met stays open, as they may need it again.
async fn meet(options: &Options, gate: &Gate, teller: &Teller) -> Result<(Bound, Place), Error> {
    let mut burnt = 0;
    loop {
        let own = options.code.as_ref().filter(|_| burnt == 0);
        let (mut place, waiting) = gate.pass(options, own, teller).await?;
        if options.lives_for.is_some_and(|it| it > waiting.lives_for()) {
            let minutes = waiting.lives_for().as_secs() / 60;
            teller.tell(Event::Note { text: format!("the server keeps a code for {minutes} min only") });
        }
        let code = waiting.code().clone();
        let command = receive_line(&options.meeting, &code);
        teller.tell(Event::Code { code, command });
        teller.tell(Event::Waiting);
        let surroundings = surroundings(&options.meeting, &options.routes, options.lanes, teller);
        let lives_for = options.lives_for.unwrap_or(Duration::MAX);
        let joined = async {
            tokio::select! {
                joined = waiting.joined() => joined,
                never = beckoning(options, own) => match never {},
            }
        };
        let Ok(joined) = tokio::time::timeout(lives_for, joined).await else {
            place.be_silent().await;
            return Err(Error::CodeUnused { lived_for: lives_for });
        };
        let joined = joined.map_err(Error::Meeting)?;
        let bound = joined.bind(Surroundings { verify: options.verify, ..surroundings }).await;
        place.be_silent().await;
        let error = match bound {
            Ok(bound) => return Ok((bound, place)),
            Err(error) => error,
        };
        if matches!(error, ConnectError::Lane(LaneError::NoRelay)) {
            // With another code it would be the same.
            return Err(Error::Join(error));
        }
        // Who guessed is told why before the next code is shown.
        place.end().await;
        burnt += 1;
        if burnt == MAX_CODES {
            return Err(Error::CodesBurnt(error));
        }
        let (reason, guessed) = (error.to_string(), error.is_wrong_code());
        teller.tell(Event::CodeBurnt { reason, guessed, codes_left: MAX_CODES - burnt - 1 });
    }
}

/// What this machine brings to a meeting; STUN and TURN servers are looked up from now on, where they are needed.
pub(crate) fn surroundings(
    meeting: &Meeting,
    routes: &Routes,
    lanes: Option<u8>,
    teller: &Teller,
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
    let teller = teller.clone();
    let better: Better = Arc::new(move |path| teller.tell(Event::Path { path: path.clone(), better: true }));
    let host = host::identity();
    let (verify, better) = (false, Some(better));
    Surroundings { limit, server, host, ice, policy, interfaces, lanes, verify, dialer, better }
}

/// What to type on the other side.
fn receive_line(meeting: &Meeting, code: &Code) -> String {
    match meeting {
        Meeting::Here(Scope::Lan) => format!("p2pcp recv {code}"),
        Meeting::Here(Scope::Loopback) => format!("p2pcp recv --loopback {code}"),
        Meeting::Server(url) => format!("p2pcp recv --server {url} {code}"),
    }
}

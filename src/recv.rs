//! `p2pcp recv`: finds the sender of a code, shows the offer, receives.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::code::Code;
use crate::connect::{ConnectError, Joined};
use crate::drive::receiving::{LazySink, ReceivingHands};
use crate::drive::{self, Person};
use crate::error::{Error, Finish};
use crate::fs::OnConflict;
use crate::interrupt::Interrupts;
use crate::lan::{self, Scope};
use crate::send::{Meeting, SERVER_WITHIN, cancelled, surroundings};
use crate::session::receiver::Receiver;
use crate::session::{Answer, Event};
use crate::signaling::{ServerUrl, Signaling, SignalingClientError};
use crate::ui::Reporter;
use crate::wire::peer::Offer;
use crate::wire::signaling::CloseCode;

/// How long a sender without a server is looked for.
pub const FIND_WITHIN: Duration = Duration::from_secs(6);

/// Longest wait for one address to answer.
const ADDRESS_WITHIN: Duration = Duration::from_secs(3);

/// What to receive, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The code.
    pub code: Code,
    /// Where to meet.
    pub meeting: Meeting,
    /// STUN servers, `host:port` each.
    pub stun: Vec<String>,
    /// The receive folder.
    pub folder: PathBuf,
    /// What to do about names that are taken.
    pub on_conflict: OnConflict,
    /// Do not ask.
    pub assume_yes: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Error`].
pub async fn run(options: Options, reporter: &Reporter) -> Result<Finish, Error> {
    let mut interrupts = Interrupts::listen();
    let surroundings = surroundings(&options.meeting, &options.stun);
    let meet = async {
        let joined = match &options.meeting {
            Meeting::Here(scope) => {
                reporter.note("looking for the sender…");
                find(&options.code, *scope).await?
            }
            Meeting::Server(url) => join(url, &options.code).await?,
        };
        joined.bind(surroundings).await.map_err(Error::Join)
    };
    let bound = tokio::select! {
        bound = meet => bound?,
        interrupt = interrupts.wait() => return Err(Error::Interrupted { interrupt, begun: false }),
    };
    reporter.connected(bound.path.kind, bound.path.address);

    let sink = Arc::new(LazySink::new(options.folder.clone(), options.on_conflict));
    let receiver = Receiver::new(bound.complete_key, Instant::now());
    let hands = ReceivingHands::start(sink.clone());
    let mut person = Decider {
        reporter: reporter.clone(),
        folder: options.folder,
        assume_yes: options.assume_yes,
        begun: Instant::now(),
    };
    let stop = interrupts.clone();
    let ended = drive::run(receiver, bound.link, hands, &mut person, cancelled(stop)).await;
    for (from, to) in &ended.rest.renamed {
        reporter.note(&format!("`{from}` was there already; received as `{to}`"));
    }
    let summary = match ended.result {
        Ok(summary) => summary,
        Err(failure) => {
            sink.clear_up();
            return Err(Error::receiving(failure, ended.rest.fault, interrupts.seen()));
        }
    };
    reporter.finished(&summary, person.begun.elapsed());
    Ok(Finish::of(&summary))
}

async fn join(url: &ServerUrl, code: &Code) -> Result<Joined, Error> {
    let signaling = Signaling::connect(url, SERVER_WITHIN).await;
    let signaling = signaling.map_err(|error| Error::server(url, error))?;
    Joined::join(signaling, code.clone()).await.map_err(Error::Join)
}

/// Looks for the sender on this machine and, beyond [`Scope::Loopback`], on the local network.
///
/// Whoever answers at an address is asked for the room; most will not know it, which costs nothing.
async fn find(code: &Code, scope: Scope) -> Result<Joined, Error> {
    let mut finder = lan::find(code.nameplate(), scope);
    let mut dials = JoinSet::new();
    let mut finding = true;
    let mut used = false;
    let search = async {
        while finding || !dials.is_empty() {
            tokio::select! {
                address = finder.next(), if finding => match address {
                    Some(address) => {
                        let (url, code) = (ServerUrl::from(address), code.clone());
                        dials.spawn(async move {
                            Joined::join(Signaling::connect(&url, ADDRESS_WITHIN).await?, code).await
                        });
                    }
                    None => finding = false,
                },
                Some(joined) = dials.join_next() => match joined {
                    Ok(Ok(joined)) => return Ok(joined),
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
    match tokio::time::timeout(FIND_WITHIN, search).await {
        Ok(result) => result,
        Err(_) => Err(Error::NoSender { used }),
    }
}

/// A receiver's person decides.
struct Decider {
    reporter: Reporter,
    folder: PathBuf,
    assume_yes: bool,
    begun: Instant,
}

impl Person for Decider {
    fn see(&mut self, event: Event) {
        if event == Event::Accepted {
            self.begun = Instant::now();
        }
        self.reporter.event(&event);
    }

    fn answer(&mut self, offer: Offer) -> Pin<Box<dyn Future<Output = Answer>>> {
        let (sender, answer) = tokio::sync::oneshot::channel();
        let (reporter, folder, assume_yes) = (self.reporter.clone(), self.folder.clone(), self.assume_yes);
        // A thread of its own: one that waits for a keypress must not hold up the end of the process.
        std::thread::spawn(move || {
            sender.send(reporter.ask_consent(&offer, &folder, assume_yes)).ok();
        });
        Box::pin(async { answer.await.unwrap_or(Answer::Unattended) })
    }
}

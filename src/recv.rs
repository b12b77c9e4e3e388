//! Receiving: finds the sender of a code (`find`), asks for consent (`consent`), receives.

mod consent;
mod find;
mod wait;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::code::Code;
use crate::connect::reunion::{self, Reunion};
use crate::connect::{ConnectError, Surroundings};
use crate::crypto::Role;
use crate::drive;
use crate::drive::late::{Landed, LateHands};
use crate::drive::piping::PipingHands;
use crate::drive::receiving::{LazySink, ReceivingHands};
use crate::error::{Error, Side};
use crate::event::Event;
use crate::fs::{LeftoverState, Note, Outlet, SinkOptions};
use crate::lan;
use crate::reconnect::reconnect;
use crate::recv::consent::{Decider, tell_leftovers};
use crate::recv::find::{ADDRESS_WITHIN, FIND_AGAIN_WITHIN, Place, seek};
use crate::send::verify::verified;
use crate::send::{Finding, Meeting, Routes, cancelled, surroundings};
use crate::session::Summary;
use crate::session::handshake::Abilities;
use crate::session::lasting::{Lasting, RECONNECT_FOR};
use crate::session::receiver;
use crate::signaling::{ServerUrl, Signaling};
use crate::transfer::{Stop, Teller, Transfer};
use crate::transport::Path;
use crate::transport::peer::WebRtcLink;

/// What to receive, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The code.
    pub code: Code,
    /// Where to meet.
    pub meeting: Meeting,
    /// Which paths to look for.
    pub routes: Routes,
    /// The receive folder.
    pub folder: PathBuf,
    /// Whether that may be the name for one file instead: as `cp` does it, where the offer is one file and no folder is there.
    pub or_file: bool,
    /// Whether the one file or stream that comes goes to standard output, and nothing to the folder.
    pub stdout: bool,
    /// What to do about names that are taken, and about what earlier runs left unfinished.
    pub sink: SinkOptions,
    /// Have both persons compare words before anything is offered ([`Event::Verify`]); the other side can ask for it, too.
    pub verify: bool,
    /// How long to wait for a sender that has not come yet; not at all when not said.
    pub wait: Option<Duration>,
    /// Accept without being asked.
    pub assume_yes: bool,
    /// How long to look for the other side when the connection is lost.
    pub reconnect_for: Duration,
    /// Accept also what does not seem to fit the disk.
    pub force: bool,
    /// Most lanes of a link; as many as help when not said.
    pub lanes: Option<u8>,
    /// Most bytes a second that are received, or as many as there can be; the sender is asked for it.
    pub limit: Option<u64>,
    /// How to go on with a new code, to be told when this one failed: for a command the line to type.
    pub again: String,
}

impl Options {
    /// What the holder of `code` on the local network sends, into `folder`, as `p2pcp recv` does it: only after
    /// [`Transfer::accept`], and without replacing anything.
    pub fn new(code: Code, folder: impl Into<PathBuf>) -> Self {
        Self {
            code,
            meeting: Meeting::Here(lan::Scope::Lan),
            routes: Routes::default(),
            folder: folder.into(),
            or_file: false,
            stdout: false,
            sink: SinkOptions::default(),
            verify: false,
            wait: None,
            assume_yes: false,
            reconnect_for: RECONNECT_FOR,
            force: false,
            lanes: None,
            limit: None,
            again: "receive into the same folder again".to_owned(),
        }
    }
}

/// A receiver that has not started.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use p2pcp::code::Code;
/// use p2pcp::{Event, Receiver, recv};
///
/// let code = Code::parse("417-aloe-tuba")?.code;
/// let mut transfer = Receiver::new(recv::Options::new(code, "downloads")).start();
/// while let Some(event) = transfer.next_event().await {
///     if let Event::Offered { offer, .. } = event {
///         match offer.totals.bytes < 1 << 30 {
///             true => transfer.accept(),
///             false => transfer.decline(),
///         };
///     }
/// }
/// transfer.finish().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Receiver {
    options: Options,
}

impl Receiver {
    /// Nothing happens before [`Receiver::start`].
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Starts a task that finds the sender and receives. [`Event::Offered`] must be answered with
    /// [`Transfer::accept`] or [`Transfer::decline`], unless it says that it was: the sender waits for that for an hour.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub fn start(self) -> Transfer {
        let limit = self.options.limit;
        let mut transfer = Transfer::start(|teller, stop| run(self.options, teller, stop));
        transfer.limit(limit);
        transfer
    }
}

async fn run(options: Options, teller: Teller, mut stop: Stop) -> Result<(Summary, Duration), Error> {
    // Names of servers are looked up from here on.
    let configured = surroundings(&options.meeting, &options.routes, options.lanes, &teller);
    let meet = async {
        let (place, joined) = seek(&options, &teller).await?;
        let surroundings = match place.meeting == options.meeting {
            true => configured,
            false => surroundings(&place.meeting, &options.routes, options.lanes, &teller),
        };
        let surroundings = Surroundings { verify: options.verify, ..surroundings };
        Ok::<_, Error>((place, joined.bind(surroundings).await.map_err(Error::Join)?))
    };
    let (place, bound) = tokio::select! {
        bound = meet => bound?,
        interrupt = stop.wait() => return Err(Error::Interrupted { interrupt, again: None }),
    };
    teller.tell(Event::Path { path: bound.path.clone(), better: false });
    let bound = tokio::select! {
        bound = verified(bound, Role::Receiver, &teller) => bound?,
        interrupt = stop.wait() => return Err(Error::Interrupted { interrupt, again: None }),
    };

    let sink = Arc::new(LazySink::new(options.folder.clone(), options.sink.clone()));
    let receiver = receiver::Receiver::new(bound.complete_key, Instant::now());
    let receiver = match bound.features & Abilities::PACING {
        0 => receiver,
        _ => receiver.with_pacing(),
    };
    let receiver = receiver.with_many_entries(bound.features & Abilities::MANY != 0);
    let receiver = receiver.unpacking(bound.features & Abilities::PACKING != 0);
    let stdout = options.stdout;
    let receiver = if stdout { receiver.writing_what_is_proven() } else { receiver };
    let receiver = Lasting::new(receiver, options.reconnect_for, Instant::now());
    let mut person = Decider::new(&options, sink.clone(), teller.clone(), stop.wishes());
    let told = options.again.clone();
    let again = Again { options, place, reunion: bound.reunion, teller: teller.clone() };
    let (link, finding, cancel) = (bound.link, again.finding(), cancelled(stop.clone()));
    let (note, shown, lazy) = (Note::default(), person.shown(), sink.clone());
    let text = note.clone();
    let hands = LateHands::new(move || match (stdout, shown.get()) {
        (true, _) => Landed::Pipe(PipingHands::start(Outlet::stdout)),
        (false, Some(true)) => Landed::Pipe(PipingHands::into_memory(text)),
        (false, _) => Landed::Folder(ReceivingHands::start(lazy)),
    });
    let ended = drive::run(receiver, link, finding, hands, &mut person, cancel).await;
    for (from, to) in ended.rest.renamed {
        teller.tell(Event::Renamed { from, to });
    }
    match ended.result {
        Ok(summary) => {
            let elapsed = person.begun.elapsed();
            let shown = person.shown().get() == Some(&true);
            if shown && summary.files == 1 {
                teller.tell(Event::Text { text: note.text() });
            }
            if !stdout && !shown {
                tell_leftovers(&teller, &sink.landing().folder, false, |state| {
                    state == LeftoverState::Resumable
                });
            }
            Ok((summary, elapsed))
        }
        Err(failure) => {
            let fault = ended.rest.fault.or_else(|| person.misfit());
            let streams = stdout || person.streams();
            let side = if streams { Side::ReceivingStream } else { Side::Receiving };
            let again = person.accepted.then_some(told);
            Err(Error::session(side, failure, fault, stop.seen(), again))
        }
    }
}

/// What finds the sender when the connection is lost.
struct Again {
    options: Options,
    place: Place,
    reunion: Reunion,
    teller: Teller,
}

impl Again {
    fn finding(self) -> impl FnMut() -> Finding {
        let again = Arc::new(self);
        move || {
            let again = again.clone();
            Box::pin(async move { Some(reconnect(&again.teller, || again.attempt()).await) })
        }
    }

    /// One attempt to meet the sender again: where it was, and wherever it may be by now.
    ///
    /// One address after the other, since each newcomer takes the seat of the one before; and whatever goes
    /// wrong at one of them, the sender may be at the next.
    async fn attempt(&self) -> Result<(WebRtcLink, Path), Error> {
        let known = &self.place.url;
        let scope = match self.place.meeting {
            Meeting::Here(scope) => scope,
            Meeting::Server(_) => {
                return self.meet(known, reunion::SERVER_WITHIN).await.map_err(Error::Join);
            }
        };
        // It listens from here on, also while the known address is tried.
        let mut finder = lan::find(self.options.code.nameplate(), scope);
        let mut failed = match self.meet(known, ADDRESS_WITHIN).await {
            Ok(met) => return Ok(met),
            Err(error) => error,
        };
        let deadline = tokio::time::Instant::now() + FIND_AGAIN_WITHIN;
        while let Ok(Some(address)) = tokio::time::timeout_at(deadline, finder.next()).await {
            let url = ServerUrl::from(address);
            if url == *known {
                continue;
            }
            match self.meet(&url, ADDRESS_WITHIN).await {
                Ok(met) => return Ok(met),
                Err(error) => failed = error,
            }
        }
        Err(Error::Join(failed))
    }

    async fn meet(&self, url: &ServerUrl, within: Duration) -> Result<(WebRtcLink, Path), ConnectError> {
        let Options { routes, lanes, .. } = &self.options;
        let surroundings = surroundings(&self.place.meeting, routes, *lanes, &self.teller);
        let signaling = Signaling::connect_by(&routes.dialer, url, within).await?;
        self.reunion.meet(signaling, surroundings).await
    }
}

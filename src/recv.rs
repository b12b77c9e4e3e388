//! `p2pcp recv`: finds the sender of a code (`find`), shows the offer, receives.

mod find;

use std::future::Future;
use std::path::{Path as FsPath, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::clean;
use crate::code::Code;
use crate::connect::reunion::{self, Reunion};
use crate::drive::receiving::{LazySink, ReceivingHands};
use crate::drive::{self, Person};
use crate::error::{Error, Finish, Side};
use crate::fs::{self, DiskFault, LeftoverState, SinkOptions, Stages, Unusable};
use crate::interrupt::Interrupts;
use crate::lan;
use crate::reconnect::reconnect;
use crate::recv::find::{ADDRESS_WITHIN, FIND_AGAIN_WITHIN, Place, seek};
use crate::send::{Meeting, Routes, cancelled, surroundings};
use crate::session::lasting::Lasting;
use crate::session::receiver::Receiver;
use crate::session::{Answer, Event, Summary};
use crate::signaling::{ServerUrl, Signaling};
use crate::transport::Path;
use crate::transport::peer::WebRtcLink;
use crate::ui::{Reporter, text};
use crate::wire::peer::Offer;

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
    /// What to do about names that are taken, and about what earlier runs left unfinished.
    pub sink: SinkOptions,
    /// Do not ask.
    pub assume_yes: bool,
    /// How long to look for the other side when the connection is lost.
    pub reconnect_for: Duration,
    /// Accept also what does not seem to fit the disk.
    pub force: bool,
    /// Most lanes of a link; as many as help when not said.
    pub lanes: Option<u8>,
    /// The command that goes on with a new code, to be told when this one failed.
    pub again: String,
}

/// Runs the command.
///
/// # Errors
/// [`Error`].
pub async fn run(options: Options, reporter: &Reporter) -> Result<Finish, Error> {
    let mut interrupts = Interrupts::listen();
    // Names of servers are looked up from here on.
    let configured = surroundings(&options.meeting, &options.routes, options.lanes, reporter);
    let meet = async {
        let (place, joined) = seek(&options, reporter).await?;
        let surroundings = match place.meeting == options.meeting {
            true => configured,
            false => surroundings(&place.meeting, &options.routes, options.lanes, reporter),
        };
        Ok::<_, Error>((place, joined.bind(surroundings).await.map_err(Error::Join)?))
    };
    let (place, bound) = tokio::select! {
        bound = meet => bound?,
        interrupt = interrupts.wait() => return Err(Error::Interrupted { interrupt, again: None }),
    };
    reporter.connected(&bound.path);

    let sink = Arc::new(LazySink::new(options.folder.clone(), options.sink));
    let receiver = Receiver::new(bound.complete_key, Instant::now());
    let receiver = Lasting::new(receiver, options.reconnect_for, Instant::now());
    let hands = ReceivingHands::start(sink.clone());
    let mut person = Decider {
        reporter: reporter.clone(),
        folder: options.folder.clone(),
        assume_yes: options.assume_yes,
        force: options.force,
        stages: options.sink.stages,
        begun: Instant::now(),
        accepted: false,
        no_room: Arc::default(),
    };
    let stop = interrupts.clone();
    let reunion = bound.reunion;
    let again = async || {
        let attempt = || meet_again(&options, &place, &reunion, reporter);
        Some(reconnect(reporter, attempt).await)
    };
    let ended = drive::run(receiver, bound.link, again, hands, &mut person, cancelled(stop)).await;
    for (from, to) in &ended.rest.renamed {
        reporter.note(&format!("`{from}` was there already; received as `{to}`"));
    }
    let summary = match ended.result {
        Ok(summary) => summary,
        Err(failure) => {
            let fault = ended.rest.fault.or_else(|| person.no_room.get().cloned());
            let again = person.accepted.then_some(options.again);
            let seen = interrupts.seen();
            return Err(Error::session(Side::Receiving, failure, fault, seen, again));
        }
    };
    reporter.finished(&summary, person.begun.elapsed());
    let Summary { bytes, spared, .. } = summary;
    reporter.detail(&format!("bytes: {bytes} came over the network, {spared} were here already"));
    tell_leftovers(reporter, &options.folder, |state| state == LeftoverState::Resumable);
    Ok(Finish::of(&summary))
}

/// One attempt to meet the sender again: where it was, and wherever it may be by now.
///
/// One address after the other, since each newcomer takes the seat of the one before; and whatever goes
/// wrong at one of them, the sender may be at the next.
async fn meet_again(
    options: &Options,
    place: &Place,
    reunion: &Reunion,
    reporter: &Reporter,
) -> Result<(WebRtcLink, Path), Error> {
    let meet = async |url: &ServerUrl, within: Duration| {
        let surroundings = surroundings(&place.meeting, &options.routes, options.lanes, reporter);
        let signaling = Signaling::connect_by(&options.routes.dialer, url, within).await?;
        reunion.meet(signaling, surroundings).await
    };
    let known = &place.url;
    let scope = match place.meeting {
        Meeting::Here(scope) => scope,
        Meeting::Server(_) => return meet(known, reunion::SERVER_WITHIN).await.map_err(Error::Join),
    };
    // It listens from here on, also while the known address is tried.
    let mut finder = lan::find(options.code.nameplate(), scope);
    let mut failed = match meet(known, ADDRESS_WITHIN).await {
        Ok(met) => return Ok(met),
        Err(error) => error,
    };
    let deadline = tokio::time::Instant::now() + FIND_AGAIN_WITHIN;
    while let Ok(Some(address)) = tokio::time::timeout_at(deadline, finder.next()).await {
        let url = ServerUrl::from(address);
        if url == place.url {
            continue;
        }
        match meet(&url, ADDRESS_WITHIN).await {
            Ok(met) => return Ok(met),
            Err(error) => failed = error,
        }
    }
    Err(Error::Join(failed))
}

/// A receiver's person decides.
struct Decider {
    reporter: Reporter,
    folder: PathBuf,
    assume_yes: bool,
    force: bool,
    stages: Stages,
    begun: Instant,
    accepted: bool,
    no_room: Arc<OnceLock<DiskFault>>,
}

impl Person for Decider {
    fn see(&mut self, event: Event) {
        if event == Event::Accepted {
            self.begun = Instant::now();
            self.accepted = true;
        }
        self.reporter.event(&event);
    }

    fn answer(&mut self, offer: Offer) -> Pin<Box<dyn Future<Output = Answer>>> {
        let (sender, answer) = tokio::sync::oneshot::channel();
        let (reporter, folder, assume_yes) = (self.reporter.clone(), self.folder.clone(), self.assume_yes);
        let (force, stages, no_room) = (self.force, self.stages, self.no_room.clone());
        // A thread of its own: one that waits for a keypress must not hold up the end of the process.
        std::thread::spawn(move || {
            let answer = match lack_of_room(&offer, &folder, stages).filter(|_| !force) {
                Some(fault) => {
                    reporter.offer(&offer, &folder);
                    no_room.set(fault).ok();
                    Answer::NoRoom
                }
                None => {
                    let unusable =
                        |state| matches!(state, LeftoverState::Unusable(why) if why != Unusable::Empty);
                    tell_leftovers(&reporter, &folder, unusable);
                    reporter.ask_consent(&offer, &folder, assume_yes)
                }
            };
            sender.send(answer).ok();
        });
        Box::pin(async { answer.await.unwrap_or(Answer::Unattended) })
    }
}

/// Says what interrupted transfers left, and how to be rid of it.
fn tell_leftovers(reporter: &Reporter, folder: &FsPath, which: impl Fn(LeftoverState) -> bool) {
    let found = fs::leftovers(folder).unwrap_or_default();
    let told: Vec<_> = found.iter().filter(|it| which(it.state)).collect();
    for leftover in &told {
        let unusable = matches!(leftover.state, LeftoverState::Unusable(_));
        clean::tell(leftover, reporter, unusable);
    }
    if !told.is_empty() {
        let folder = text::quoted(&folder.to_string_lossy());
        reporter.note(&format!("hint: `p2pcp clean {folder}` removes what is not needed"));
    }
}

/// Whether an offer, as far as it is counted, does not fit the disk; what is here of it already counts.
///
/// An estimate: others write to the disk too, and files take more than their bytes. So no more is asked
/// for than bytes, and who knows better says `--force`.
fn lack_of_room(offer: &Offer, folder: &FsPath, stages: Stages) -> Option<DiskFault> {
    let free = fs::free_bytes(folder).ok()?;
    if offer.totals.bytes <= free {
        return None;
    }
    let names: Vec<_> = offer.items.iter().map(|it| it.name.clone()).collect();
    let here = match stages {
        Stages::Resume => fs::bytes_here(folder, &names),
        Stages::Fresh => 0,
    };
    let needed = offer.totals.bytes.saturating_sub(here);
    (needed > free).then(|| DiskFault::NoRoom { path: folder.to_owned(), needed, free })
}

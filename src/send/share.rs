//! What a transfer of a sender has in common with others of the same sender: the files, which are read and counted once for
//! all, and the numbers of codes, which are taken one after the other.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};

use crate::code::Code;
use crate::connect::{ConnectError, Waiting};
use crate::error::Error;
use crate::event::Event;
use crate::fs::{Inlet, Source, Survey};
use crate::lan::{Neighbours, Scope};
use crate::send::place::Place;
use crate::send::{Meeting, Options};
use crate::signaling::SignalingClientError;
use crate::transfer::Teller;
use crate::wire::peer::Totals;
use crate::wire::signaling::{CloseCode, Nameplate};

/// How long the paths are counted before the code is shown; the rest is counted meanwhile.
const COUNT_FOR: Duration = Duration::from_millis(300);

/// Entries counted between two looks at the clock.
const COUNT_STEP: usize = 1000;

/// Between two attempts at a code, where a server gives this machine no more for now. It gives 20 a minute unless told otherwise.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Attempts at a code: more than a minute of them.
const MOST_ASKED: u32 = 24;

/// What one transfer brings along.
pub(super) struct Share {
    pub(super) source: Source,
    pub(super) survey: Survey,
    /// As far as counted by now.
    pub(super) totals: Totals,
    pub(super) inlet: Option<Inlet>,
    pub(super) gate: Gate,
}

impl Share {
    /// Looks at the paths, and counts what is there for a short time.
    pub(super) fn open(options: &Options) -> Result<Self, Error> {
        let neighbours = Neighbours::listen(match options.meeting {
            Meeting::Here(scope) => scope,
            Meeting::Server(_) => Scope::Loopback,
        });
        let (source, inlet) = open_source(options)?;
        let mut survey = source.survey();
        let counting = Instant::now();
        let mut totals = Totals::default();
        while !totals.complete && counting.elapsed() < COUNT_FOR {
            totals = survey.step(COUNT_STEP);
        }
        let heard = Heard { listening: Some(neighbours), taken: HashSet::new() };
        let gate = Gate { heard: Arc::new(Mutex::new(heard)), attempts: 1 };
        Ok(Self { source, survey, totals, inlet, gate })
    }

    /// As many of it as there are receivers.
    pub(super) fn among(self, receivers: usize) -> Vec<Self> {
        let Self { mut source, survey, totals, gate, .. } = self;
        let gate = Gate { attempts: MOST_ASKED, ..gate };
        let share = |_| Self {
            source: source.another(),
            survey: survey.clone(),
            totals,
            inlet: None,
            gate: gate.clone(),
        };
        (0..receivers).map(share).collect()
    }
}

/// What is sent, and what of it is read until it ends.
fn open_source(options: &Options) -> Result<(Source, Option<Inlet>), Error> {
    let selection = options.selection.clone();
    if let Some(text) = &options.text {
        let inlet = Inlet::text(text);
        let source = Source::open_beside(&[], selection, Some(inlet.announced()))?;
        return Ok((source.with_text(text.chars().count() as u64), Some(inlet)));
    }
    let inlet = options.stdin.clone().map(Inlet::stdin).transpose()?;
    let stream = inlet.as_ref().map(Inlet::announced);
    Ok((Source::open_beside(&options.paths, selection, stream)?, inlet))
}

/// Lets one transfer after the other open a place to meet, and make a code.
#[derive(Clone)]
pub(super) struct Gate {
    heard: Arc<Mutex<Heard>>,
    attempts: u32,
}

struct Heard {
    listening: Option<Neighbours>,
    taken: HashSet<Nameplate>,
}

impl Gate {
    /// Opens a place, and makes a code there.
    pub(super) async fn pass(
        &self,
        options: &Options,
        own: Option<&Code>,
        teller: &Teller,
    ) -> Result<(Place, Waiting), Error> {
        let mut heard = self.heard.lock().await;
        heard.wait().await;
        let mut asked = 1;
        loop {
            match open(options, own, &heard, teller).await {
                Err(error) if asked < self.attempts && is_limit(&error) => {
                    if asked == 1 {
                        let text =
                            "the server gives this machine no more codes for now; asking again".to_owned();
                        teller.tell(Event::Note { text });
                    }
                    asked += 1;
                    tokio::time::sleep(ASK_AGAIN_AFTER).await;
                }
                ended => return ended,
            }
        }
    }
}

async fn open(
    options: &Options,
    own: Option<&Code>,
    heard: &MutexGuard<'_, Heard>,
    teller: &Teller,
) -> Result<(Place, Waiting), Error> {
    let (place, signaling) = Place::open(options, own.map(Code::nameplate), &heard.taken).await?;
    teller.tell(Event::Rendezvous { url: place.url.to_string() });
    let waiting = Waiting::create(signaling, options.words, own).await.map_err(Error::Meeting)?;
    Ok((place, waiting))
}

impl Heard {
    /// Waits until the neighbours were heard.
    async fn wait(&mut self) {
        if let Some(neighbours) = self.listening.take() {
            self.taken = neighbours.nameplates().await;
        }
    }
}

/// Whether a server refuses only because it was asked for much.
fn is_limit(error: &Error) -> bool {
    let error = match error {
        Error::Server { error, .. } | Error::Meeting(ConnectError::Signaling(error)) => error,
        _ => return false,
    };
    matches!(error, SignalingClientError::Closed(CloseCode::Limited))
}

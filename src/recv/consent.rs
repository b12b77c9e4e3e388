//! The consent of a receiving side: what is looked at before the question, and the question.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::drive::Person;
use crate::drive::receiving::LazySink;
use crate::event::{Consent, Event, Preview, needs_attention};
use crate::fs::{self, DASH, DiskFault, Landing, LeftoverState, Met, OnConflict, Stages};
use crate::recv::Options;
use crate::session::{self, Answer, Wish};
use crate::transfer::{Teller, Wishes};
use crate::wire::peer::{Offer, OfferItem};

/// A receiver's person decides.
pub(super) struct Decider {
    question: Question,
    sink: Arc<LazySink>,
    /// Whether what was offered is a text that is shown and not kept.
    shown: Arc<OnceLock<bool>>,
    wishes: Wishes,
    streams: bool,
    pub(super) begun: Instant,
    pub(super) accepted: bool,
}

/// What there is to decide about.
#[derive(Clone)]
struct Question {
    teller: Teller,
    landing: Landing,
    or_file: bool,
    assume_yes: bool,
    force: bool,
    stages: Stages,
    stdout: bool,
    /// Whether it is a text, which is shown unless the person says where it goes.
    text: bool,
    /// Why it cannot be received as the person wants it.
    misfit: Arc<OnceLock<DiskFault>>,
    /// Whether the person said before what they want of it.
    limited: bool,
    on_conflict: OnConflict,
    preview: Preview,
}

impl Decider {
    pub(super) fn new(options: &Options, sink: Arc<LazySink>, teller: Teller, wishes: Wishes) -> Self {
        let question = Question {
            teller,
            landing: Landing::in_folder(&options.folder),
            or_file: options.or_file,
            assume_yes: options.assume_yes,
            // How much is wanted of what is offered is not known yet.
            force: options.force || !options.sink.only.is_empty(),
            stages: options.sink.stages,
            stdout: options.stdout,
            text: false,
            misfit: Arc::default(),
            limited: !options.sink.only.is_empty(),
            on_conflict: options.sink.on_conflict,
            preview: Preview::default(),
        };
        Self {
            question,
            sink,
            shown: Arc::default(),
            wishes,
            streams: false,
            begun: Instant::now(),
            accepted: false,
        }
    }

    /// Why it cannot be received as asked for, if that was the answer.
    pub(super) fn misfit(&self) -> Option<DiskFault> {
        self.question.misfit.get().cloned()
    }

    /// Whether what was offered is a text that is shown and not kept, once that is known.
    pub(super) fn shown(&self) -> Arc<OnceLock<bool>> {
        Arc::clone(&self.shown)
    }

    /// Whether a stream was offered.
    pub(super) fn streams(&self) -> bool {
        self.streams
    }
}

impl Person for Decider {
    fn see(&mut self, event: session::Event) {
        if let session::Event::Announced { entries, complete } = event {
            self.question.preview = Preview { entries, complete, ..Preview::default() };
            return;
        }
        if event == session::Event::Accepted {
            self.begun = Instant::now();
            self.accepted = true;
        }
        let event = match event {
            session::Event::Settled { path, outcome, file, spared } => {
                session::Event::Settled { path: self.sink.landing().path(path), outcome, file, spared }
            }
            session::Event::Current(path) => session::Event::Current(self.sink.landing().path(path)),
            event => event,
        };
        self.question.teller.session(event);
    }

    async fn room(&mut self) {
        self.question.teller.room().await;
    }

    async fn wish(&mut self) -> Wish {
        self.wishes.next().await
    }

    fn answer(&mut self, offer: Offer) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        self.streams = offer.items.iter().any(OfferItem::is_stream);
        let (mut question, sink) = (self.question.clone(), Arc::clone(&self.sink));
        let shown = Arc::clone(&self.shown);
        Box::pin(async move {
            let (sender, looked) = oneshot::channel();
            // A thread of its own: a disk that does not answer must not hold up the end of the process.
            let mut looking = question.clone();
            std::thread::spawn(move || {
                looking.find_landing(&offer);
                sender.send((looking.look(&offer), offer, looking.met(), looking)).ok()
            });
            let looked = looked.await.map(|(room, offer, met, looking)| {
                let Met { taken, taken_count, alike } = met;
                question = looking;
                let choosable = question.is_choosable();
                shown.set(question.is_shown()).ok();
                sink.land(question.landing.clone());
                question.preview =
                    Preview { taken, taken_count, alike, choosable, ..std::mem::take(&mut question.preview) };
                (room, offer)
            });
            let answer = match looked {
                Ok((Ok(()), offer)) => question.ask(offer).await,
                Ok((Err(fault), offer)) => {
                    question.teller.tell(question.offered(offer, false));
                    let answer = match fault {
                        DiskFault::NotOneFile => Answer::NotOneFile,
                        _ => Answer::NoRoom,
                    };
                    question.misfit.set(fault).ok();
                    answer
                }
                Err(_) => Answer::Unattended,
            };
            let told = match answer {
                // The session tells of a yes.
                Answer::Yes => {
                    if let Some(chosen) = question.teller.chosen() {
                        sink.choose(chosen);
                    }
                    return answer;
                }
                Answer::No | Answer::NotOneFile => Consent::Declined,
                Answer::Unattended => Consent::Unattended,
                Answer::NoRoom => Consent::NoRoom,
            };
            question.teller.tell(Event::Consent { answer: told });
            answer
        })
    }
}

impl Question {
    /// Whether the person can be asked what of it they want.
    fn is_choosable(&self) -> bool {
        !self.stdout && !self.text && !self.limited && self.landing.name.is_none()
    }

    /// Whether it is shown and not kept.
    fn is_shown(&self) -> bool {
        self.text && !self.stdout && self.landing.name.is_none()
    }

    /// Looks where it goes. Blocks.
    fn find_landing(&mut self, offer: &Offer) {
        self.text = offer.is_text();
        if self.or_file && !self.stdout {
            self.landing = Landing::at(&self.landing.folder, offer);
        }
    }

    /// Looks at the disk: whether there is room, and what is there that needs attention. Blocks.
    fn look(&self, offer: &Offer) -> Result<(), DiskFault> {
        if self.stdout {
            let one = matches!(&offer.items[..], [item] if !item.folder) && offer.more == 0;
            return if one { Ok(()) } else { Err(DiskFault::NotOneFile) };
        }
        if self.is_shown() {
            return Ok(());
        }
        match lack_of_room(offer, &self.landing, self.stages).filter(|_| !self.force) {
            Some(fault) => Err(fault),
            None => {
                tell_leftovers(&self.teller, &self.landing.folder, true, needs_attention);
                Ok(())
            }
        }
    }

    /// Looks at what has the names of what is offered. Blocks.
    fn met(&self) -> Met {
        if self.stdout || self.is_shown() {
            return Met::default();
        }
        let kept: Vec<_> = self.preview.entries.iter().filter_map(|it| self.landing.kept(it)).collect();
        fs::met_here(&self.landing.folder, &kept, self.on_conflict)
    }

    async fn ask(&self, offer: Offer) -> Answer {
        if self.assume_yes {
            self.teller.tell(self.offered(offer, false));
            return Answer::Yes;
        }
        let answer = self.teller.ask(self.offered(offer, true));
        // Without an answer whoever could give one has gone.
        answer.await.unwrap_or(Answer::Unattended)
    }

    fn offered(&self, offer: Offer, asks: bool) -> Event {
        let folder = if self.stdout || self.is_shown() { DASH.into() } else { self.landing.folder.clone() };
        let name = self.landing.name.as_ref().map(|it| it.to.clone());
        Event::Offered { offer, folder, name, preview: self.preview.clone(), asks }
    }
}

/// Says what interrupted transfers left.
pub(super) fn tell_leftovers(
    teller: &Teller,
    folder: &Path,
    attention: bool,
    which: impl Fn(LeftoverState) -> bool,
) {
    let mut found = fs::leftovers(folder).unwrap_or_default();
    found.retain(|it| which(it.state));
    if !found.is_empty() {
        teller.tell(Event::Leftovers { folder: folder.to_owned(), found, attention });
    }
}

/// Whether an offer, as far as it is counted, does not fit the disk; what is here of it already counts.
///
/// An estimate: others write to the disk too, and files take more than their bytes. So no more is asked
/// for than bytes, and who knows better says `--force`.
fn lack_of_room(offer: &Offer, landing: &Landing, stages: Stages) -> Option<DiskFault> {
    let folder = &landing.folder;
    let free = fs::free_bytes(folder).ok()?;
    if offer.totals.bytes <= free {
        return None;
    }
    let names: Vec<_> = offer.items.iter().map(|it| landing.path(it.name.clone())).collect();
    let here = match stages {
        Stages::Resume => fs::bytes_here(folder, &names),
        Stages::Fresh => 0,
    };
    let needed = offer.totals.bytes.saturating_sub(here);
    (needed > free).then(|| DiskFault::NoRoom { path: folder.clone(), needed, free })
}

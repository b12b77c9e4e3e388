//! The consent of a receiving side: what is looked at before the question, and the question.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::drive::Person;
use crate::drive::receiving::LazySink;
use crate::event::{Consent, Event, Preview, needs_attention};
use crate::fs::{self, DASH, DiskFault, Globs, Landing, LeftoverState, Met, OnConflict, Stages};
use crate::recv::Options;
use crate::session::{self, Answer, Wish};
use crate::transfer::{Teller, Wishes};
use crate::wire::peer::{EntryKind, Offer, OfferItem};

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

/// Bytes that are still to come, and that may be written.
#[derive(Debug, Clone, Copy)]
struct Room {
    needed: u64,
    free: u64,
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
    /// What the person said before that they want of it.
    only: Globs,
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
            force: options.force,
            stages: options.sink.stages,
            stdout: options.stdout,
            text: false,
            misfit: Arc::default(),
            only: options.sink.only.clone(),
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
            let mut looking = question.clone();
            let looked = on_a_thread(move || {
                looking.find_landing(&offer);
                (looking.look(&offer), offer, looking)
            });
            let looked = looked.await.map(|(room, offer, looking)| {
                question = looking;
                shown.set(question.is_shown()).ok();
                sink.land(question.landing.clone());
                (room, offer)
            });
            let mut chosen = None;
            let answer = match looked {
                Some((Ok(()), offer)) => {
                    let mut answer = question.ask(offer.clone()).await;
                    chosen = question.teller.chosen();
                    let lacking = question.preview.lacking_bytes > 0;
                    if answer == Answer::Yes && (chosen.is_some() || lacking) {
                        answer = question.still_fits(offer, chosen.clone()).await;
                    } else if answer == Answer::Unattended && lacking {
                        // Nobody was there to choose less.
                        answer = match question.still_fits(offer, None).await {
                            Answer::Yes => Answer::Unattended,
                            misfit => misfit,
                        };
                    }
                    answer
                }
                Some((Err(fault), offer)) => {
                    question.teller.tell(question.offered(offer, false));
                    let answer = match fault {
                        DiskFault::NotOneFile => Answer::NotOneFile,
                        _ => Answer::NoRoom,
                    };
                    question.misfit.set(fault).ok();
                    answer
                }
                None => Answer::Unattended,
            };
            let told = match answer {
                // The session tells of a yes.
                Answer::Yes => {
                    if let Some(chosen) = chosen {
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
        let limited = !self.only.is_empty();
        let files = self.preview.entries.iter().filter(|it| !matches!(it.kind, EntryKind::Folder { .. }));
        !self.stdout && !self.text && !limited && self.landing.name.is_none() && files.take(2).count() == 2
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

    /// Looks at the disk: what has the names of what is offered, whether there is room, and what is there that needs
    /// attention. Blocks.
    fn look(&mut self, offer: &Offer) -> Result<(), DiskFault> {
        let Met { taken, taken_count, alike } = self.met();
        let choosable = self.is_choosable();
        self.preview = Preview { taken, taken_count, alike, choosable, ..std::mem::take(&mut self.preview) };
        if self.stdout {
            let one = matches!(&offer.items[..], [item] if !item.folder) && offer.more == 0;
            return if one { Ok(()) } else { Err(DiskFault::NotOneFile) };
        }
        if self.is_shown() {
            return Ok(());
        }
        let room = self.room(offer, &self.only);
        self.preview.needed_bytes = room.map(|it| it.needed);
        self.preview.free_bytes = room.map(|it| it.free);
        if let Err(fault) = self.fit(room) {
            self.preview.lacking_bytes = room.map_or(0, |it| it.needed.saturating_sub(it.free));
            // Less of it may fit.
            if self.assume_yes || !choosable {
                return Err(fault);
            }
        }
        tell_leftovers(&self.teller, &self.landing.folder, true, needs_attention);
        Ok(())
    }

    /// Whether it fits the disk, or is to be tried all the same.
    fn fit(&self, room: Option<Room>) -> Result<(), DiskFault> {
        match room {
            Some(Room { needed, free }) if needed > free && !self.force => {
                Err(DiskFault::NoRoom { path: self.landing.folder.clone(), needed, free })
            }
            _ => Ok(()),
        }
    }

    /// The answer of a person who said yes to what `chosen` matches, or to everything: whether that fits the disk.
    async fn still_fits(&self, offer: Offer, chosen: Option<Globs>) -> Answer {
        let question = self.clone();
        let fits = on_a_thread(move || {
            let room = question.room(&offer, chosen.as_ref().unwrap_or(&question.only));
            question.fit(room)
        });
        match fits.await {
            Some(Ok(())) => Answer::Yes,
            Some(Err(fault)) => {
                self.misfit.set(fault).ok();
                Answer::NoRoom
            }
            None => Answer::Unattended,
        }
    }

    /// What of an offer is still to come, as far as it is counted, and what is free for it. Blocks.
    ///
    /// An estimate: others write to the disk too, and files take more than their bytes. So no more is asked
    /// for than bytes, and who knows better says `--force`. Of what is chosen only the entries that are known count.
    fn room(&self, offer: &Offer, only: &Globs) -> Option<Room> {
        let folder = &self.landing.folder;
        let free = fs::free_bytes(folder).ok()?;
        let chosen = self.preview.entries.iter().filter(|it| it.kind.is_file() && only.choose(&it.path));
        let needed = match only.is_empty() {
            true => offer.totals.bytes,
            false => chosen.map(|it| it.kind.size()).fold(0, u64::saturating_add),
        };
        if needed <= free {
            return Some(Room { needed, free });
        }
        let names: Vec<_> = offer.items.iter().map(|it| self.landing.path(it.name.clone())).collect();
        let here = match self.stages {
            Stages::Resume => fs::bytes_here(folder, &names),
            Stages::Fresh => 0,
        };
        Some(Room { needed: needed.saturating_sub(here), free })
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

/// What it does on a thread of its own: a disk that does not answer must not hold up the end of the process.
async fn on_a_thread<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, done) = oneshot::channel();
    std::thread::spawn(move || sender.send(job()).ok());
    done.await.ok()
}

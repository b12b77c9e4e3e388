//! What the parts of a transfer say, as events: the writing end of its queue.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::event::speed::Speedometer;
use crate::event::{Consent, Event, Progress};
use crate::fs::Globs;
use crate::session::{self, Answer};
use crate::transfer::queue::Queue;
use crate::wire::path::RelPath;
use crate::wire::peer::Totals;

/// What a person is told whose wish does nothing.
const UNHEEDED: &str =
    "the sender's p2pcp is an older one, which can be neither paused nor limited from here";

/// A cheap handle: clones speak of the same transfer.
#[derive(Clone)]
pub(crate) struct Teller {
    queue: Queue,
    meter: Arc<Mutex<Meter>>,
}

/// The numbers of a session, as its events told.
#[derive(Debug, Default)]
struct Meter {
    begun: bool,
    found: bool,
    totals: Totals,
    moved: u64,
    /// Bytes that the receiver had already.
    here: u64,
    /// Bytes of settled entries that need not travel, or never will.
    spared: u64,
    files: u64,
    current: Option<RelPath>,
    speedometer: Speedometer,
}

impl Meter {
    fn progress(&self, now: Instant) -> Progress {
        let bytes = self.moved.saturating_add(self.here);
        let total_bytes = self.totals.bytes.saturating_sub(self.spared);
        let bytes_per_second = self.speedometer.bytes_per_second(now, self.moved);
        let left = total_bytes.saturating_sub(bytes);
        let seconds_left = bytes_per_second.and_then(|it| left.checked_div(it));
        Progress {
            bytes,
            total_bytes,
            resumed_bytes: self.here,
            files: self.files,
            total_files: self.totals.files,
            complete: self.totals.complete,
            current: self.current.clone(),
            bytes_per_second,
            seconds_left: seconds_left.filter(|_| self.totals.complete),
        }
    }
}

impl Teller {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue, meter: Arc::default() }
    }

    /// One that nobody listens to.
    #[cfg(test)]
    pub(crate) fn unheard() -> Self {
        Self::new(Queue::default())
    }

    /// Tells an event.
    pub(crate) fn tell(&self, event: Event) {
        self.queue.push(event);
    }

    /// Tells an event that asks, and waits for the answer, which fails when there will be none.
    pub(crate) fn ask(&self, event: Event) -> oneshot::Receiver<Answer> {
        self.queue.ask(event)
    }

    /// What of an offer the reader accepted, where that is not all of it.
    pub(crate) fn chosen(&self) -> Option<Globs> {
        self.queue.chosen()
    }

    /// Waits until what was told is read, but for so much that memory is no matter. Cancel safe.
    pub(crate) async fn room(&self) {
        self.queue.room().await;
    }

    /// Tells what a session did.
    pub(crate) fn session(&self, event: session::Event) {
        let now = Instant::now();
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        let told = match event {
            session::Event::Totals(totals) => {
                meter.totals = totals;
                None
            }
            session::Event::Accepted => {
                meter.begun = true;
                Some(Event::Consent { answer: Consent::Accepted })
            }
            session::Event::Current(path) => {
                meter.current = Some(path);
                None
            }
            session::Event::Moved(moved) => {
                meter.moved = moved;
                None
            }
            session::Event::Spared(here) => {
                meter.here = here;
                None
            }
            session::Event::Settled { path, outcome, file, spared } => {
                meter.files += u64::from(file);
                meter.spared = meter.spared.saturating_add(spared);
                Some(Event::Entry { path, outcome, file })
            }
            session::Event::Found(bytes) if !std::mem::replace(&mut meter.found, true) => {
                Some(Event::Found { bytes, totals: meter.totals })
            }
            session::Event::Skipped { path, why } => Some(Event::Skipped { path, reason: why }),
            session::Event::Stalled(silence) => Some(Event::Stalled { silence }),
            session::Event::Moving => Some(Event::Moving),
            session::Event::Paused { here, there } => Some(Event::Paused { here, there }),
            session::Event::Resumed => Some(Event::Resumed),
            session::Event::Limited(bytes_per_second) => Some(Event::Limited { bytes_per_second }),
            session::Event::Unheeded => Some(Event::Warning { text: UNHEEDED.to_owned() }),
            session::Event::Disconnected(loss) => Some(Event::Disconnected { loss }),
            session::Event::Finishing => {
                let progress = meter.progress(now);
                drop(meter);
                return self.queue.push_in_place_of_progress(Event::Finishing(progress));
            }
            // Of a new connection tells who found it; of what is here, the first word is enough.
            session::Event::Reconnected | session::Event::Found(_) => return,
            // The offer tells of these.
            session::Event::Announced { .. } => return,
        };
        if meter.begun {
            let moved = meter.moved;
            meter.speedometer.note(now, moved);
        }
        let progress = meter.begun.then(|| meter.progress(now));
        drop(meter);
        if let Some(event) = told {
            self.queue.push(event);
        }
        if let Some(progress) = progress {
            self.queue.progress(progress);
        }
    }
}

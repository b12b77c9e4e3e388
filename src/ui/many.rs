//! One sender and several receivers on one screen: a voice for each, which says whom it speaks of, and a live line for each that
//! is being sent to.
//!
//! Invariant: the lock of [`Crowd`] is not held while printing, see [`crate::ui::screen`].

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::event::{Event, Tally};
use crate::ui::line::{Line, Paint};
use crate::ui::progress::Meter;
use crate::ui::screen::Part;
use crate::ui::{Inner, Reporter, Verbosity, text};

/// Receivers that have a live line; of others there is a number.
const MOST_LIVE: usize = 10;

/// Columns below which numbers say too little.
const LEAST_COLUMNS: usize = 8;

/// Which receiver a voice speaks of.
pub(super) struct Receiver {
    number: u32,
    /// The others, if there are some at the same time.
    crowd: Option<Arc<Crowd>>,
}

/// All receivers that are served at once.
struct Crowd {
    /// For what concerns all of them.
    all: Reporter,
    places: Mutex<Places>,
    /// Held by whoever asks the person.
    asking: Mutex<()>,
}

struct Places {
    places: Vec<Place>,
    sending_told: bool,
    waiting: usize,
    /// Who tells what is passed over: it is the same for all.
    tells_of_skipped: Option<u32>,
}

struct Place {
    meter: Arc<Mutex<Meter>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Moving,
    Finished,
    Failed,
}

impl Reporter {
    /// A voice for each of so many receivers that are served at once, numbered from 1.
    pub fn for_receivers(&self, count: usize) -> Vec<Self> {
        let meters: Vec<Arc<Mutex<Meter>>> = (0..count).map(|_| Arc::default()).collect();
        let place = |meter: &Arc<_>| Place { meter: Arc::clone(meter), state: State::Waiting };
        let places = meters.iter().map(place).collect();
        let places = Places { places, sending_told: false, waiting: 0, tells_of_skipped: None };
        let crowd =
            Arc::new(Crowd { all: self.clone(), places: Mutex::new(places), asking: Mutex::default() });
        let voice = |(number, meter)| {
            let part = Part::OneOfMany(format!("receiver {number}: "));
            self.voice(part, meter, Receiver { number, crowd: Some(Arc::clone(&crowd)) })
        };
        (1..).zip(meters).map(voice).collect()
    }

    /// A voice for the next of several receivers that are served one after the other.
    pub fn for_next_receiver(&self, number: u32) -> Self {
        self.voice(Part::OneAfterTheOther, Arc::default(), Receiver { number, crowd: None })
    }

    fn voice(&self, part: Part, meter: Arc<Mutex<Meter>>, receiver: Receiver) -> Self {
        let Inner { style, json, screen, extras, .. } = &*self.inner;
        let (extras, receiver) = (extras.clone(), Some(receiver));
        let inner = Inner { meter, extras, receiver, ..Inner::new(*style, *json, screen.part(part)) };
        Self { inner: Arc::new(inner) }
    }

    /// The receiver's number, where there are several.
    pub(super) fn receiver(&self) -> Option<u32> {
        self.inner.receiver.as_ref().map(|it| it.number)
    }

    /// Whether others are served at the same time.
    pub(super) fn is_one_of_many(&self) -> bool {
        self.inner.receiver.as_ref().is_some_and(|it| it.crowd.is_some())
    }

    /// Takes in what happens to one of many, and says what concerns all of them. Whether there is more to say.
    pub(super) fn is_for_one(&self, event: &Event) -> bool {
        match &self.inner.receiver {
            Some(Receiver { number, crowd: Some(crowd) }) => crowd.take(*number, event),
            Some(Receiver { crowd: None, .. }) | None => true,
        }
    }

    /// Shows how far each of many is. Whether it is one of many.
    pub(super) fn open_crowded_area(&self) -> bool {
        let Some(crowd) = self.inner.receiver.as_ref().and_then(|it| it.crowd.clone()) else { return false };
        let drawn = Arc::downgrade(&crowd);
        let lines = move |columns| drawn.upgrade().map_or_else(Vec::new, |it| it.lines(columns));
        crowd.all.inner.screen.open(lines);
        true
    }

    /// Waits until nobody else asks the person; `None` if what is to be asked does not matter any more.
    pub(super) fn turn_to_ask(&self) -> Option<Option<MutexGuard<'_, ()>>> {
        let Some(Receiver { number, crowd: Some(crowd) }) = &self.inner.receiver else { return Some(None) };
        let turn = crowd.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = |it: &Place| matches!(it.state, State::Finished | State::Failed);
        let over = crowd.places().of(*number).is_some_and(|it| ended(it));
        (!over).then_some(Some(turn))
    }

    /// Shows that again, after a question took it away.
    pub(super) fn reopen_crowded_area(&self) {
        if let Some(Receiver { crowd: Some(crowd), .. }) = &self.inner.receiver {
            let moves = crowd.places().places.iter().any(|it| it.state == State::Moving);
            if moves && self.verbosity() > Verbosity::Quiet {
                self.open_crowded_area();
            }
        }
    }

    /// How it went for all receivers together.
    pub(super) fn served(&self, tally: &Tally) {
        self.inner.screen.close();
        if tally.receivers > 0 {
            self.say_plainly(summary(tally));
        }
    }
}

impl Crowd {
    fn places(&self) -> MutexGuard<'_, Places> {
        // Every change is whole in itself.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, number: u32, event: &Event) -> bool {
        let mut places = self.places();
        if let Some(place) = places.of(number) {
            place.take(event);
        }
        let for_all = match event {
            Event::Sending { .. } => !std::mem::replace(&mut places.sending_told, true),
            Event::Skipped { .. } => *places.tells_of_skipped.get_or_insert(number) == number,
            Event::Waiting => {
                places.waiting += 1;
                let count = places.places.len();
                let all_wait = places.waiting == count;
                drop(places);
                if all_wait {
                    self.all.say_note(&format!("waiting for {count} receivers…"));
                }
                return false;
            }
            _ => return true,
        };
        drop(places);
        if for_all {
            self.all.tell(event);
        }
        false
    }

    fn lines(&self, columns: usize) -> Vec<Line> {
        let now = Instant::now();
        let mut places = self.places();
        let mut lines = Vec::new();
        for (number, place) in (1..).zip(&mut places.places) {
            if place.state == State::Moving && lines.len() < MOST_LIVE {
                lines.push(place.line(number, now, columns));
            }
        }
        let number = |state| places.places.iter().filter(|it| it.state == state).count();
        let states = [
            (number(State::Moving).saturating_sub(lines.len()), "more receiving"),
            (number(State::Finished), "done"),
            (number(State::Failed), "failed"),
            (number(State::Waiting), "waiting"),
        ];
        let told = states.iter().filter(|(count, _)| *count > 0);
        let told: Vec<_> = told.map(|(count, what)| format!("{count} {what}")).collect();
        if !told.is_empty() {
            lines.push(Line::default().with(Paint::Dim, text::shorten(&told.join(", "), columns)));
        }
        lines
    }
}

impl Places {
    fn of(&mut self, number: u32) -> Option<&mut Place> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.places.get_mut(place)
    }
}

impl Place {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Consent { .. } => self.state = State::Moving,
            Event::Finished { .. } => self.state = State::Finished,
            Event::Failed { .. } => self.state = State::Failed,
            _ => (),
        }
    }

    fn line(&self, number: u32, now: Instant, columns: usize) -> Line {
        let label = format!("receiver {number}: ");
        let room = columns.saturating_sub(text::width(&label));
        let mut line = Line::plain(text::shorten(&label, columns));
        if room < LEAST_COLUMNS {
            return line;
        }
        line.append(self.meter.lock().unwrap_or_else(PoisonError::into_inner).short(now, room));
        line
    }
}

/// `2 of 3 received everything; 1 declined`.
pub(super) fn summary(tally: &Tally) -> Line {
    let Tally { receivers, complete, partly, declined, unmet, lost, interrupted, failed } = *tally;
    let first = format!("{complete} of {receivers} received everything");
    let others = [
        (partly, "received a part"),
        (declined, "declined"),
        (unmet, "did not come"),
        (lost, "lost the connection"),
        (interrupted, "interrupted"),
        (failed, "failed"),
    ];
    let others = others.iter().filter(|(count, _)| *count > 0);
    let others: Vec<_> = others.map(|(count, what)| format!("{count} {what}")).collect();
    let paint = if complete == receivers && receivers > 0 { Paint::Green } else { Paint::Bold };
    let line = Line::default().with(paint, first);
    match others.is_empty() {
        true => line,
        false => line.with(Paint::Plain, format_args!("; {}", others.join(", "))),
    }
}

//! How fast the persons want it: not at all for now, at most so many bytes a second, or as fast as it goes.
//!
//! Each side has a wish and tells the other; what counts is the slower of both. Only the sender holds anything back, but
//! both know why nothing comes.

use std::time::{Duration, Instant};

use crate::session::outbox::Outbox;
use crate::session::{Event, Violation};
use crate::wire::peer::PeerMessage;

/// Below this a block of 128 KiB takes so long that silence says nothing.
const SLOW: u64 = 32 * 1024;

/// Least time between two changes of mind of the other side that are taken in. A person presses no faster, and a peer that
/// does must not fill a log with what it wants.
pub const TAKEN_IN_EVERY: Duration = Duration::from_millis(200);

/// What a person wants, or what comes of two wishes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Nothing is to be sent for now.
    pub paused: bool,
    /// Bytes a second at most; never zero.
    pub limit: Option<u64>,
}

impl Wish {
    /// The slower of two.
    pub fn and(self, other: Self) -> Self {
        let limit = match (self.limit, other.limit) {
            (Some(one), Some(another)) => Some(one.min(another)),
            (one, another) => one.or(another),
        };
        Self { paused: self.paused || other.paused, limit }
    }
}

/// Whether a wish does something when the other side does not know of such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// It holds its own bytes back.
    Works,
    /// It can only ask.
    IsVain,
}

/// Both wishes.
#[derive(Debug)]
pub(super) struct Pacing {
    alone: Alone,
    /// Whether both sides speak of it.
    spoken: bool,
    /// Whether the person here knows that a wish is in vain.
    unheeded: bool,
    ours: Wish,
    theirs: Wish,
    /// What they want by now, if that is not taken in yet.
    unheard: Option<Wish>,
    /// When something may be taken in again.
    next: Option<Instant>,
}

impl Pacing {
    /// As fast as it goes, and nothing said of it.
    pub fn new(alone: Alone) -> Self {
        let (ours, theirs) = (Wish::default(), Wish::default());
        Self { alone, spoken: false, unheeded: false, ours, theirs, unheard: None, next: None }
    }

    /// Both sides speak of it.
    pub fn agreed(&mut self) {
        self.spoken = true;
    }

    /// Takes what the person here wants.
    pub fn wish<J>(&mut self, wish: Wish, out: &mut Outbox<J>) {
        if wish == self.ours {
            return;
        }
        if !self.spoken && self.alone == Alone::IsVain {
            if !std::mem::replace(&mut self.unheeded, true) {
                out.emit(Event::Unheeded);
            }
            return;
        }
        let before = (self.ours, self.theirs);
        self.ours = wish;
        if self.spoken {
            out.send(&PeerMessage::Pace { paused: wish.paused, limit: wish.limit });
        }
        self.tell(before, out);
    }

    /// Hears what the other side wants, for [`Pacing::take_in`].
    pub fn hear(&mut self, wish: Wish) -> Result<(), Violation> {
        if !self.spoken || wish.limit == Some(0) {
            return Err(Violation::OutOfTurn("pace"));
        }
        self.unheard = Some(wish).filter(|it| *it != self.theirs);
        Ok(())
    }

    /// Takes in what the other side wants, once it is time to; the newest counts.
    pub fn take_in<J>(&mut self, now: Instant, out: &mut Outbox<J>) {
        if self.next.is_none_or(|next| now >= next)
            && let Some(wish) = self.unheard.take()
        {
            self.next = Some(now + TAKEN_IN_EVERY);
            let before = (self.ours, self.theirs);
            self.theirs = wish;
            self.tell(before, out);
        }
    }

    /// The earlier of `wake` and when there is something to take in.
    pub fn wake_at(&self, wake: Instant) -> Instant {
        self.unheard.and(self.next).map_or(wake, |next| wake.min(next))
    }

    fn tell<J>(&self, (ours, theirs): (Wish, Wish), out: &mut Outbox<J>) {
        let (before, now) = (ours.and(theirs), self.ours.and(self.theirs));
        if before != now {
            out.pace(now);
        }
        if before.limit != now.limit {
            out.emit(Event::Limited(now.limit));
        }
        let pauses = (self.ours.paused, self.theirs.paused);
        if (ours.paused, theirs.paused) != pauses {
            out.emit(match pauses {
                (false, false) => Event::Resumed,
                (here, there) => Event::Paused { here, there },
            });
        }
    }

    /// Whether there is a reason for silence that is nobody's fault.
    pub fn excuses_silence(&self) -> bool {
        let now = self.ours.and(self.theirs);
        now.paused || now.limit.is_some_and(|it| it < SLOW)
    }
}

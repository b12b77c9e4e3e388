//! What becomes of the links of a pair, and of frames on them; and how a side leaves or dies.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use p2pcp::crypto::Role;
use p2pcp::session::{Failure, Input, Loss};
use p2pcp::wire::Channel;
use p2pcp::wire::peer::AbortReason;

use crate::session::conditions::{Conditions, Cut, Harm, Harmed, Kill};
use crate::session::pair::{Excuse, Pair};
use crate::session::side::Line;
use crate::support::rng::Rng;

/// How much later a side may learn of a new link than the other.
const LATER: Duration = Duration::from_millis(900);

/// Time to another link after one was given up.
const RELINK: Duration = Duration::from_secs(1);

/// How much later a frame comes that is late.
const LATE: Duration = Duration::from_secs(2);

/// The link, as nobody sees it.
pub struct Wire {
    /// Whether frames sent now may arrive.
    pub whole: bool,
    /// After both have missed it, another one comes after this time.
    back: Option<Duration>,
    /// Links after the first.
    pub made: usize,
}

impl Wire {
    pub fn new() -> Self {
        Self { whole: true, back: None, made: 0 }
    }
}

/// Loses a suffix of what is on its way.
fn lose(line: &mut Line<Bytes>, rng: &mut Rng) {
    let left = rng.place(line.queue.len() + 1);
    line.queue.truncate(left);
}

impl Pair<'_> {
    /// What the conditions have in store for this step.
    pub(super) fn strike(&mut self) {
        let Conditions { cuts, cancel, stop, kill, .. } = self.conditions;
        let step = self.step;
        for cut in cuts.into_iter().flatten().filter(|it| it.step == step) {
            self.cut(cut);
        }
        if let Some(stop) = stop.filter(|it| it.step == self.step) {
            match stop.who {
                Role::Sender => self.sender.stopped_until = self.now + stop.time,
                Role::Receiver => self.receiver.stopped_until = self.now + stop.time,
            }
        }
        if let Some((_, who)) = cancel.filter(|(step, _)| *step == self.step) {
            let cancel = AbortReason::Interrupted;
            self.tell(who, Input::Cancel(cancel), Input::Cancel(cancel));
        }
        if let Some(Kill { who, power, .. }) = kill.filter(|it| it.step == self.step) {
            if who != Some(Role::Receiver) {
                self.die(Role::Sender);
            }
            if who != Some(Role::Sender) {
                self.die(Role::Receiver);
                self.sink.disk.crash(power, &mut self.rng);
            }
        }
    }

    /// The link breaks: of what is on its way the first part still comes, until its end hears of it.
    fn cut(&mut self, cut: Cut) {
        if !self.wire.whole {
            return;
        }
        self.wire.whole = false;
        self.wire.back = cut.back;
        if matches!(self.receiver.result, Some(Ok(_))) {
            self.excused.get_or_insert(Excuse::CutAfter);
        }
        let (first, second) = (self.now, self.now + cut.gap);
        let (sender_at, receiver_at) = match cut.first {
            Role::Sender => (first, second),
            Role::Receiver => (second, first),
        };
        for line in [&mut self.sender.control, &mut self.sender.bulk] {
            lose(line, &mut self.rng);
        }
        for line in [&mut self.receiver.control, &mut self.receiver.bulk] {
            lose(line, &mut self.rng);
        }
        self.sender.miss(sender_at, true);
        self.receiver.miss(receiver_at, true);
        self.meet_again();
    }

    pub(super) fn go_down(&mut self, who: Role) {
        let loss = self.rng.one_of(&[Loss::Silent, Loss::Closed]);
        let other_left = match who {
            Role::Sender => {
                self.sender.go_down();
                self.receiver.result.is_some()
            }
            Role::Receiver => {
                self.receiver.go_down();
                self.sender.result.is_some()
            }
        };
        self.tell(who, Input::LinkDown(loss), Input::LinkDown(loss));
        let hopeless = other_left || self.wire.back.is_none();
        if hopeless && self.rng.once_in(2) {
            let at = self.now + self.rng.time(Duration::from_secs(30));
            match who {
                Role::Sender => self.sender.gone = Some(at),
                Role::Receiver => self.receiver.gone = Some(at),
            }
        }
        self.meet_again();
    }

    /// Once both have missed the link there can be another one.
    fn meet_again(&mut self) {
        let both_down = !self.sender.up && !self.receiver.up;
        let both_here = self.sender.result.is_none() && self.receiver.result.is_none();
        if let (true, true, Some(back)) = (both_down, both_here, self.wire.back) {
            let at = self.now + back;
            self.wire.back = None;
            self.wire.whole = true;
            self.wire.made += 1;
            self.sender.up_at = Some(at + self.rng.time(LATER));
            self.receiver.up_at = Some(at + self.rng.time(LATER));
        }
    }

    /// A side gives its link up; the other one hears of that, if it hears at all.
    pub(super) fn relink(&mut self, who: Role) {
        let at = self.now + self.conditions.link;
        let other = match who {
            Role::Sender => {
                self.sender.go_down();
                lose(&mut self.receiver.bulk, &mut self.rng);
                lose(&mut self.receiver.control, &mut self.rng);
                self.receiver.miss(at, true);
                self.receiver.result.is_none()
            }
            Role::Receiver => {
                self.receiver.go_down();
                lose(&mut self.sender.control, &mut self.rng);
                self.sender.miss(at, true);
                self.sender.result.is_none()
            }
        };
        if self.wire.whole && other {
            self.wire.back = Some(RELINK);
        }
        self.wire.whole = false;
        self.meet_again();
    }

    pub(super) fn go_up(&mut self, who: Role) {
        match who {
            Role::Sender => self.sender.go_up(),
            Role::Receiver => self.receiver.go_up(),
        }
        self.tell(who, Input::LinkUp, Input::LinkUp);
    }

    pub(super) fn send(&mut self, to: Role, channel: Channel, frame: Bytes) {
        let harm = match self.conditions.harmed {
            Harmed::OnceIn(times) if self.rng.once_in(times) => Some(self.rng.one_of(&Harm::ALL)),
            Harmed::Nth(nth, harm) if nth == self.frames => Some(harm),
            Harmed::Tail(tail) => tail.harm(self.frames),
            _ => None,
        };
        self.frames += 1;
        let up = match to {
            Role::Sender => self.receiver.up,
            Role::Receiver => self.sender.up,
        };
        assert!(up, "a frame is sent without a link");
        if !self.wire.whole || harm == Some(Harm::Drop) {
            return;
        }
        let mut at = self.now + self.rng.time(self.conditions.link);
        let frame = match harm {
            Some(harm) => {
                let mut frame = BytesMut::from(frame);
                harm.spoil(&mut frame, &mut self.rng);
                frame.freeze()
            }
            None => frame,
        };
        let line = match to {
            Role::Sender => self.sender.line(channel),
            Role::Receiver => self.receiver.line(channel),
        };
        if harm == Some(Harm::Late) {
            at = at.max(line.last) + LATE;
            line.late.push((at, frame));
            return;
        }
        line.push(at, frame);
        let last = line.queue.len() - 1;
        match harm {
            Some(Harm::Twice) => line.queue.push_back(line.queue[last].clone()),
            Some(Harm::Swap) if last > 0 => line.queue.swap(last - 1, last),
            _ => (),
        }
    }

    /// Somebody's process ends: what it said last arrives, then the other hears that the link is gone.
    pub(super) fn leave(&mut self, who: Role) {
        let last_word_lost = !self.wire.whole || !self.sender.up || !self.receiver.up;
        let alone = last_word_lost && self.sender.result.is_none();
        if who == Role::Receiver && alone && matches!(self.receiver.result, Some(Ok(_))) {
            self.excused.get_or_insert(Excuse::LeftAlone);
        }
        let at = self.now + self.conditions.link;
        let vanish = self.conditions.vanish;
        let bulk_too = self.rng.once_in(2);
        match who {
            Role::Sender => self.receiver.be_left(at, vanish, bulk_too),
            Role::Receiver => self.sender.be_left(at, vanish, bulk_too),
        }
    }

    /// Somebody is killed, perhaps in the middle of a job.
    fn die(&mut self, who: Role) {
        match who {
            Role::Sender if self.sender.result.is_none() => {
                self.sender.result = Some(Err(Failure::Own(AbortReason::Interrupted)));
                self.sender.killed = true;
                self.sender.ended_at = self.step;
                self.leave(Role::Sender);
            }
            Role::Receiver if self.receiver.result.is_none() => {
                for hand in 0..2 {
                    if let Some(job) = self.receiver.hands[hand].pop() {
                        let done = self.rng.place(5);
                        self.sink.die_in(job, done);
                    }
                }
                self.receiver.result = Some(Err(Failure::Own(AbortReason::Interrupted)));
                self.receiver.killed = true;
                self.receiver.ended_at = self.step;
                self.leave(Role::Receiver);
            }
            Role::Sender | Role::Receiver => (),
        }
    }
}

//! A session that outlives its links.
//!
//! [`Lasting`] stands around a [`Machine`]. It counts the frames of each channel, keeps those that the
//! peer has not confirmed, and after a lost link sends them again over the next one, so that the
//! machine inside sees every frame once and in order, whatever became of the links.
//!
//! ```text
//! up ── frames; Heard now and then ── link lost ─► down ── link ─► greeting ── peer's Heard ─► up
//!        └── nothing heard for long ─► Relink ─┘    └── too long ─► the machine hears LinkLost
//! ```
//!
//! Both sides say `Heard` also when there is nothing else to say, so a link that brings nothing for
//! [`STUCK_AFTER`] is stuck, whatever the layers below believe, and another one is asked for.
//!
//! Invariants: what is kept is bounded, since a peer that accepts bytes and does
//! not confirm them breaks the protocol; nothing is sent while the link is down; what the machine
//! asks of disks and people goes on meanwhile.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::session::{GIVE_UP_AFTER, Input, Loss, Machine, Output, Violation};
use crate::wire::peer::{self, PeerMessage};
use crate::wire::{Channel, DEFAULT_WINDOW_BYTES};

/// Most bytes of frames that are kept: the window and a quarter, as its acknowledgements and the confirmations
/// of frames run apart by a MiB or two, and the manifest that may be outstanding.
const MAX_KEPT_BYTES: usize = DEFAULT_WINDOW_BYTES as usize / 4 * 5 + crate::wire::MAX_OUTSTANDING_MANIFEST;

/// What a kept frame costs besides its bytes, or a little less.
const FRAME_OVERHEAD: usize = 64;

/// Frames after which the peer is told that they came: 2 MiB of blocks, or a few batches of words.
const CONFIRM_EVERY: u64 = 16;

/// Whoever has said nothing for so long says `Heard`.
const SAY_SOMETHING_AFTER: Duration = Duration::from_secs(5);

/// A link that brings nothing for so long is given up: a line that takes longer for one block of 128 KiB is
/// slower than 4 KiB/s.
pub const STUCK_AFTER: Duration = Duration::from_secs(30);

/// A tick that comes so much too late says that this process was stopped.
const SLEPT: Duration = Duration::from_secs(2);

/// How long a session may be without a link.
pub const RECONNECT_FOR: Duration = GIVE_UP_AFTER;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Frames go out.
    Up,
    /// There is a new link, and what the peer has heard over the old one is not known yet.
    Greeting,
    /// There is none, and none that brought anything since then.
    Down(Instant),
}

/// Frames of one channel that the peer may not have.
#[derive(Debug, Default)]
struct Kept {
    /// Number of the first of them; all before are confirmed.
    first: u64,
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl Kept {
    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len() + FRAME_OVERHEAD;
        self.frames.push_back(frame);
    }

    /// The peer has all frames before number `heard`; whether that can be.
    fn confirm(&mut self, heard: u64) -> bool {
        let possible = (self.first..=self.first + self.frames.len() as u64).contains(&heard);
        while possible
            && self.first < heard
            && let Some(frame) = self.frames.pop_front()
        {
            self.bytes -= frame.len() + FRAME_OVERHEAD;
            self.first += 1;
        }
        possible
    }
}

/// One number for each channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    control: u64,
    bulk: u64,
}

/// A [`Machine`] whose frames outlive links.
pub struct Lasting<M: Machine> {
    machine: M,
    line: Line,
    patience: Duration,
    control: Kept,
    bulk: Kept,
    heard: Counts,
    confirmed: Counts,
    out: VecDeque<Output<M::Job>>,
    wake: Option<Instant>,
    /// When the last link that brought anything was lost.
    lost_at: Option<Instant>,
    said_at: Instant,
    heard_at: Instant,
    /// Whether the peer says its Bind twice, and whether the second may come next.
    second_bind: SecondBind,
    ended: bool,
}

/// What becomes of a Bind that comes over a link that is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SecondBind {
    /// It is a violation.
    Never,
    /// It is nothing when it is the link's next control frame.
    Next,
    /// It is a violation, but over the next link it may come.
    Came,
}

impl<M: Machine> Lasting<M> {
    /// `machine` over a link that is up. Without a link it gives up after `patience`.
    pub fn new(machine: M, patience: Duration, now: Instant) -> Self {
        let mut lasting = Self {
            machine,
            line: Line::Up,
            patience,
            control: Kept::default(),
            bulk: Kept::default(),
            heard: Counts::default(),
            confirmed: Counts::default(),
            out: VecDeque::new(),
            wake: None,
            lost_at: None,
            said_at: now,
            heard_at: now,
            second_bind: SecondBind::Never,
            ended: false,
        };
        lasting.drain(now);
        lasting
    }

    /// The peer may begin each link with its Bind once more: a receiver may, as its first may be lost.
    pub fn hearing_two_binds(mut self) -> Self {
        self.second_bind = SecondBind::Next;
        self
    }

    /// Takes what the machine wants done.
    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Send(channel, frame) => {
                    match channel {
                        Channel::Control => self.control.push(frame.clone()),
                        Channel::Bulk => self.bulk.push(frame.clone()),
                    }
                    if self.line == Line::Up {
                        self.said_at = now;
                        self.out.push_back(Output::Send(channel, frame));
                    }
                }
                Output::WakeAt(at) => self.wake = Some(at),
                Output::Done(result) => {
                    self.ended = true;
                    self.out.push_back(Output::Done(result));
                }
                other => self.out.push_back(other),
            }
        }
        if self.ended {
            return;
        }
        let own = match self.line {
            Line::Down(since) => since + self.patience,
            Line::Up => (self.said_at + SAY_SOMETHING_AFTER).min(self.heard_at + STUCK_AFTER),
            Line::Greeting => self.heard_at + STUCK_AFTER,
        };
        self.out.push_back(Output::WakeAt(self.wake.map_or(own, |wake| wake.min(own))));
    }

    fn handle_frame(&mut self, now: Instant, channel: Channel, frame: Bytes) -> Result<(), Violation> {
        self.heard_at = now;
        if self.line == Line::Up {
            self.lost_at = None;
        }
        if channel == Channel::Control && self.second_bind == SecondBind::Next {
            self.second_bind = SecondBind::Came;
            if peer::is_bind(&frame) {
                return Ok(());
            }
        }
        if channel == Channel::Control && peer::is_heard(&frame) {
            return match peer::decode(&frame)? {
                PeerMessage::Heard { control, bulk } => self.handle_heard(Counts { control, bulk }),
                other => Err(Violation::OutOfTurn(other.name())),
            };
        }
        match channel {
            Channel::Control if self.line == Line::Greeting => return Err(Violation::OutOfTurn("control")),
            Channel::Control => self.heard.control += 1,
            Channel::Bulk => self.heard.bulk += 1,
        }
        self.machine.handle(now, Input::Frame(channel, frame));
        Ok(())
    }

    fn handle_heard(&mut self, heard: Counts) -> Result<(), Violation> {
        if !self.control.confirm(heard.control) || !self.bulk.confirm(heard.bulk) {
            return Err(Violation::TooMuch("confirmed frames"));
        }
        if self.line == Line::Greeting {
            self.line = Line::Up;
            for (channel, kept) in [(Channel::Control, &self.control), (Channel::Bulk, &self.bulk)] {
                self.out.extend(kept.frames.iter().map(|frame| Output::Send(channel, frame.clone())));
            }
        }
        Ok(())
    }

    fn say_heard(&mut self, now: Instant) {
        self.said_at = now;
        self.confirmed = self.heard;
        let Counts { control, bulk } = self.heard;
        let frame = peer::encode(&PeerMessage::Heard { control, bulk });
        self.out.push_back(Output::Send(Channel::Control, frame.into()));
    }

    fn handle_tick(&mut self, now: Instant) {
        // Whoever slept cannot blame the link: what came meanwhile is yet to be taken.
        if now >= self.heard_at + STUCK_AFTER + SLEPT {
            self.heard_at = now;
        }
        match self.line {
            Line::Down(since) if now >= since + self.patience => {
                return self.machine.handle(now, Input::LinkLost);
            }
            Line::Up | Line::Greeting if now >= self.heard_at + STUCK_AFTER => {
                self.out.push_back(Output::Relink);
                self.lose(now, Loss::Stuck);
            }
            Line::Up if now >= self.said_at + SAY_SOMETHING_AFTER => self.say_heard(now),
            Line::Down(_) | Line::Up | Line::Greeting => (),
        }
        self.machine.handle(now, Input::Tick);
    }

    fn lose(&mut self, now: Instant, loss: Loss) {
        if !matches!(self.line, Line::Down(_)) {
            self.line = Line::Down(*self.lost_at.get_or_insert(now));
            self.machine.handle(now, Input::LinkDown(loss));
        }
    }
}

impl<M: Machine> Machine for Lasting<M> {
    type Job = M::Job;
    type Done = M::Done;

    fn handle(&mut self, now: Instant, input: Input<M::Done>) {
        if self.ended {
            return;
        }
        let result = match input {
            Input::Frame(channel, frame) => self.handle_frame(now, channel, frame),
            Input::LinkDown(loss) => {
                self.lose(now, loss);
                Ok(())
            }
            Input::LinkUp => {
                self.line = Line::Greeting;
                if self.second_bind == SecondBind::Came {
                    self.second_bind = SecondBind::Next;
                }
                self.heard_at = now;
                self.say_heard(now);
                self.machine.handle(now, Input::LinkUp);
                Ok(())
            }
            Input::Tick => {
                self.handle_tick(now);
                Ok(())
            }
            other => {
                self.machine.handle(now, other);
                Ok(())
            }
        };
        self.drain(now);
        let kept = self.control.bytes + self.bulk.bytes;
        let result = match kept > MAX_KEPT_BYTES {
            true => result.and(Err(Violation::TooMuch("unconfirmed frames"))),
            false => result,
        };
        if let Err(violation) = result
            && !self.ended
        {
            self.machine.handle(now, Input::Broken(violation));
            self.drain(now);
        }
        let unconfirmed = self.heard.control - self.confirmed.control + self.heard.bulk - self.confirmed.bulk;
        if self.line == Line::Up && !self.ended && unconfirmed >= CONFIRM_EVERY {
            self.say_heard(now);
        }
    }

    fn poll(&mut self) -> Option<Output<M::Job>> {
        self.out.pop_front()
    }
}

//! One end of a simulated pair: the machine, and what is on its way to it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2pcp::crypto::Role;
use p2pcp::session::{Failure, Input, Machine, Output, Summary};
use p2pcp::wire::Channel;
use p2pcp::wire::peer::AbortReason;

#[derive(Debug, Clone, Copy)]
pub enum Move {
    Frame(Role, Channel),
    Disk(Role),
    Hand(Role, usize),
    Tick(Role),
    /// It hears that the link is gone.
    Down(Role),
    /// It has another link.
    Up(Role),
    /// It hears that there will be none.
    Gone(Role),
    Answer,
}

/// Things on their way, in order.
pub struct Line<T> {
    pub queue: VecDeque<(Duration, T)>,
    /// What has fallen behind; only on lines that are not reliable.
    pub late: Vec<(Duration, T)>,
    pub last: Duration,
}

impl<T> Line<T> {
    pub fn new() -> Self {
        Self { queue: VecDeque::new(), late: Vec::new(), last: Duration::ZERO }
    }

    pub fn push(&mut self, at: Duration, it: T) {
        self.last = self.last.max(at);
        self.queue.push_back((self.last, it));
    }

    pub fn due(&self) -> Option<Duration> {
        let late = self.late.first().map(|(at, _)| *at);
        self.queue.front().map(|(at, _)| *at).into_iter().chain(late).min()
    }

    pub fn pop(&mut self) -> Option<T> {
        let at = self.due()?;
        if self.late.first().is_some_and(|(late, _)| *late == at) {
            return Some(self.late.remove(0).1);
        }
        self.queue.pop_front().map(|(_, it)| it)
    }

    pub fn clear(&mut self) {
        self.queue.clear();
        self.late.clear();
    }
}

/// One machine, and what is on its way to it.
pub struct Side<M: Machine> {
    pub machine: M,
    pub control: Line<Bytes>,
    pub bulk: Line<Bytes>,
    pub answers: Line<M::Done>,
    /// Disk threads: the reader and the counter, or the writer, the committer and the checker.
    pub hands: [Line<M::Job>; 3],
    pub wake: Option<Instant>,
    pub stopped_until: Duration,
    /// Whether it knows of a link and of no end to it.
    pub up: bool,
    /// When it hears that the link is gone; the flag: even before what is still on its way.
    pub down_at: Option<(Duration, bool)>,
    /// When it has another one.
    pub up_at: Option<Duration>,
    /// When it hears that there will be none.
    pub gone: Option<Duration>,
    pub result: Option<Result<Summary, Failure>>,
    pub killed: bool,
    pub ended_at: usize,
}

impl<M: Machine> Side<M> {
    pub fn new(machine: M) -> Self {
        Self {
            machine,
            control: Line::new(),
            bulk: Line::new(),
            answers: Line::new(),
            hands: [Line::new(), Line::new(), Line::new()],
            wake: None,
            stopped_until: Duration::ZERO,
            up: true,
            down_at: None,
            up_at: None,
            gone: None,
            result: None,
            killed: false,
            ended_at: 0,
        }
    }

    /// The frames that come to it on a channel.
    pub fn line(&mut self, channel: Channel) -> &mut Line<Bytes> {
        match channel {
            Channel::Control => &mut self.control,
            Channel::Bulk => &mut self.bulk,
        }
    }

    /// What can happen to it next, and when.
    pub fn moves(&self, role: Role, base: Instant, moves: &mut Vec<(Duration, Move)>) {
        if self.result.is_some() {
            return;
        }
        let mut add = |due: Option<Duration>, it| {
            moves.extend(due.map(|at| (at.max(self.stopped_until), it)));
        };
        add(self.control.due().filter(|_| self.up), Move::Frame(role, Channel::Control));
        add(self.bulk.due().filter(|_| self.up), Move::Frame(role, Channel::Bulk));
        add(self.answers.due(), Move::Disk(role));
        add(self.wake.map(|at| at.saturating_duration_since(base)), Move::Tick(role));
        let drained = self.control.due().is_none() && self.bulk.due().is_none();
        let down = self.down_at.filter(|(_, hard)| *hard || drained);
        add(down.map(|(at, _)| at), Move::Down(role));
        add(self.up_at, Move::Up(role));
        add(self.gone, Move::Gone(role));
        for (number, hand) in self.hands.iter().enumerate() {
            add(hand.due(), Move::Hand(role, number));
        }
    }

    /// It will hear at this time that the link is gone, if it knows of one.
    pub fn miss(&mut self, at: Duration, hard: bool) {
        if self.up {
            self.down_at.get_or_insert((at, hard));
        } else {
            self.up_at = None;
            self.control.clear();
            self.bulk.clear();
        }
    }

    pub fn go_down(&mut self) {
        self.up = false;
        self.down_at = None;
        self.control.clear();
        self.bulk.clear();
    }

    pub fn go_up(&mut self) {
        self.up = true;
        self.up_at = None;
    }

    /// The other side leaves, or vanishes and is not missed.
    pub fn be_left(&mut self, at: Duration, vanish: bool, bulk_too: bool) {
        if vanish {
            self.control.clear();
            self.bulk.clear();
            return;
        }
        self.miss(at, false);
        if bulk_too {
            self.bulk.clear();
        }
    }

    /// Gives it an input and takes all outputs but those about itself.
    pub fn handle(&mut self, now: Instant, input: Input<M::Done>) -> Vec<Output<M::Job>> {
        let tick = matches!(input, Input::Tick);
        self.machine.handle(now, input);
        let outputs = self.take_outputs();
        let spins = tick && self.result.is_none() && self.wake.is_some_and(|at| at <= now);
        assert!(!spins, "a tick asks for another one at once");
        outputs
    }

    pub fn take_outputs(&mut self) -> Vec<Output<M::Job>> {
        let mut outputs = Vec::new();
        while let Some(output) = self.machine.poll() {
            assert!(self.result.is_none(), "something comes after the end");
            match output {
                Output::WakeAt(at) => self.wake = Some(at),
                Output::Done(result) => self.result = Some(result),
                other => outputs.push(other),
            }
        }
        assert!(self.result.is_some() || self.wake.is_some(), "it would wait without a limit");
        outputs
    }

    pub fn outlive(&mut self, now: Instant) {
        if self.killed {
            return;
        }
        for input in [Input::Tick, Input::LinkLost, Input::Cancel(AbortReason::Interrupted)] {
            self.handle(now, input);
        }
    }
}

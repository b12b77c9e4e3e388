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
    Lost(Role),
    Answer,
}

/// Things on their way, in order.
pub struct Line<T> {
    pub queue: VecDeque<(Duration, T)>,
    pub last: Duration,
}

impl<T> Line<T> {
    pub fn new() -> Self {
        Self { queue: VecDeque::new(), last: Duration::ZERO }
    }

    pub fn push(&mut self, at: Duration, it: T) {
        self.last = self.last.max(at);
        self.queue.push_back((self.last, it));
    }

    pub fn due(&self) -> Option<Duration> {
        self.queue.front().map(|(at, _)| *at)
    }

    pub fn pop(&mut self) -> Option<T> {
        self.queue.pop_front().map(|(_, it)| it)
    }
}

/// One machine, and what is on its way to it.
pub struct Side<M: Machine> {
    pub machine: M,
    pub control: Line<Bytes>,
    pub bulk: Line<Bytes>,
    pub answers: Line<M::Done>,
    /// Disk threads: the reader and the counter, or the writer and the committer.
    pub hands: [Line<M::Job>; 2],
    pub wake: Option<Instant>,
    pub stopped_until: Duration,
    /// When it hears that the link is gone; the flag: even before what is still on its way.
    pub lost: Option<(Duration, bool)>,
    pub result: Option<Result<Summary, Failure>>,
    pub ended_at: usize,
}

impl<M: Machine> Side<M> {
    pub fn new(machine: M) -> Self {
        Self {
            machine,
            control: Line::new(),
            bulk: Line::new(),
            answers: Line::new(),
            hands: [Line::new(), Line::new()],
            wake: None,
            stopped_until: Duration::ZERO,
            lost: None,
            result: None,
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
        add(self.control.due(), Move::Frame(role, Channel::Control));
        add(self.bulk.due(), Move::Frame(role, Channel::Bulk));
        add(self.answers.due(), Move::Disk(role));
        add(self.wake.map(|at| at.saturating_duration_since(base)), Move::Tick(role));
        let drained = self.control.due().is_none() && self.bulk.due().is_none();
        let lost = self.lost.filter(|(_, hard)| *hard || drained);
        add(lost.map(|(at, _)| at), Move::Lost(role));
        add(self.hands[0].due(), Move::Hand(role, 0));
        add(self.hands[1].due(), Move::Hand(role, 1));
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
        for input in [Input::Tick, Input::LinkLost, Input::Cancel(AbortReason::Interrupted)] {
            self.handle(now, input);
        }
    }
}

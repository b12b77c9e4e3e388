//! A sender and a receiver, a link, two disks and a clock, all made up: one run from offer to end.
//!
//! Frames keep their order on each channel, jobs on each thread of a disk, and answers on each side;
//! all else happens in any order that the seed likes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use p2pcp::crypto::{Key, Role};
use p2pcp::session::receiver::{self, Receiver};
use p2pcp::session::sender::{self, Config, Sender};
use p2pcp::session::{Answer, Event, Failure, Input, Output, Summary};
use p2pcp::wire::Channel;
use p2pcp::wire::peer::{AbortReason, Outcome};

use crate::session::conditions::{Conditions, Harm, Harmed};
use crate::session::disks::{Sink, Source, again};
use crate::session::ledger::Ledger;
use crate::session::rng::Rng;
use crate::session::side::{Move, Side};
use crate::session::tree::Tree;

/// The key of every simulated session.
pub const KEY: [u8; 32] = [9; 32];

/// How a run went.
#[derive(Debug)]
pub struct Ended {
    /// The sender's result.
    pub sender: Result<Summary, Failure>,
    /// The receiver's.
    pub receiver: Result<Summary, Failure>,
    /// Whether the sender ended first.
    pub sender_first: bool,
    /// Entries that have their names.
    pub kept: usize,
    /// Whether the stage was cleared away.
    pub finished: bool,
    /// Steps taken.
    pub steps: usize,
    /// Jobs of the receiver's disk.
    pub jobs: usize,
    /// Frames sent by both.
    pub frames: usize,
}

/// The whole simulation.
pub struct Pair<'t> {
    conditions: Conditions,
    rng: Rng,
    base: Instant,
    now: Duration,
    step: usize,
    frames: usize,
    sender: Side<Sender>,
    receiver: Side<Receiver>,
    source: Source<'t>,
    sink: Sink<'t>,
    numbers: BTreeMap<&'t str, u32>,
    answer: Option<(Duration, Answer)>,
    cut: bool,
    ledger: Ledger,
}

impl<'t> Pair<'t> {
    /// Both sides just bound.
    pub fn new(tree: &'t Tree, conditions: Conditions, mut rng: Rng) -> Self {
        let base = Instant::now();
        let mut totals = tree.totals();
        totals.complete = rng.once_in(2);
        let (items, more) = tree.offer_items();
        let config = Config { items, more, totals, complete_key: Key::new(KEY) };
        let mut sink = Sink::new(tree);
        sink.fault = conditions.disk_fault;
        sink.garbled = conditions.harmed != Harmed::None;
        Self {
            conditions,
            rng,
            base,
            now: Duration::ZERO,
            step: 0,
            frames: 0,
            sender: Side::new(Sender::new(config, base)),
            receiver: Side::new(Receiver::new(Key::new(KEY), base)),
            source: Source::new(tree),
            sink,
            numbers: tree.numbers(),
            answer: None,
            cut: false,
            ledger: Ledger::default(),
        }
    }

    /// Runs to the end of both, which comes.
    pub fn run(mut self) -> Ended {
        let outputs = self.sender.take_outputs();
        self.perform_for_sender(outputs);
        let outputs = self.receiver.take_outputs();
        self.perform_for_receiver(outputs);
        let most = 20_000 + 60 * self.numbers.len();
        let mut moves = Vec::new();
        while self.sender.result.is_none() || self.receiver.result.is_none() {
            self.step += 1;
            assert!(self.step < most, "no end after {most} steps");
            self.strike();
            moves.clear();
            self.sender.moves(Role::Sender, self.base, &mut moves);
            self.receiver.moves(Role::Receiver, self.base, &mut moves);
            if self.receiver.result.is_none() {
                moves.extend(self.answer.map(|(at, _)| (at, Move::Answer)));
            }
            let Some(earliest) = moves.iter().map(|(at, _)| *at).min() else { break };
            self.now = self.now.max(earliest);
            moves.retain(|(at, _)| *at <= self.now);
            let (_, next) = self.rng.one_of(&moves);
            self.make(next);
        }
        self.end()
    }

    fn end(mut self) -> Ended {
        let now = self.base + self.now;
        self.sender.outlive(now);
        self.receiver.outlive(now);
        let sender_first = self.sender.ended_at < self.receiver.ended_at;
        Ended {
            sender: self.sender.result.expect("the sender ended"),
            receiver: self.receiver.result.expect("the receiver ended"),
            sender_first,
            kept: self.sink.kept.len(),
            finished: self.sink.finished,
            steps: self.step,
            jobs: self.sink.jobs,
            frames: self.frames,
        }
    }

    /// What the conditions have in store for this step.
    fn strike(&mut self) {
        let Conditions { cut, cancel, stop, .. } = self.conditions;
        if let Some(cut) = cut.filter(|it| it.step == self.step) {
            self.cut = true;
            let (first, second) = ((self.now, true), (self.now + cut.gap, true));
            (self.sender.lost, self.receiver.lost) = match cut.first {
                Role::Sender => (Some(first), Some(second)),
                Role::Receiver => (Some(second), Some(first)),
            };
        }
        if let Some(stop) = stop.filter(|it| it.step == self.step) {
            match stop.who {
                Role::Sender => self.sender.stopped_until = self.now + stop.time,
                Role::Receiver => self.receiver.stopped_until = self.now + stop.time,
            }
        }
        if let Some((_, who)) = cancel.filter(|(step, _)| *step == self.step) {
            match who {
                Role::Sender => self.tell_sender(Input::Cancel(AbortReason::Interrupted)),
                Role::Receiver => self.tell_receiver(Input::Cancel(AbortReason::Interrupted)),
            }
        }
    }

    fn make(&mut self, next: Move) {
        match next {
            Move::Frame(Role::Sender, channel) => {
                let frame = self.sender.line(channel).pop().expect("it is due");
                self.ledger.sender_hears(&frame);
                self.tell_sender(Input::Frame(channel, frame));
            }
            Move::Frame(Role::Receiver, channel) => {
                let frame = self.receiver.line(channel).pop().expect("it is due");
                self.ledger.receiver_hears(channel, &frame);
                self.tell_receiver(Input::Frame(channel, frame));
            }
            Move::Disk(Role::Sender) => {
                let done = self.sender.answers.pop().expect("it is due");
                self.ledger.read(&done);
                self.tell_sender(Input::Disk(done));
            }
            Move::Disk(Role::Receiver) => {
                let done = self.receiver.answers.pop().expect("it is due");
                self.tell_receiver(Input::Disk(done));
            }
            Move::Hand(Role::Sender, hand) => self.read(hand),
            Move::Hand(Role::Receiver, hand) => self.write(hand),
            Move::Tick(Role::Sender) => self.tell_sender(Input::Tick),
            Move::Tick(Role::Receiver) => self.tell_receiver(Input::Tick),
            Move::Lost(Role::Sender) => self.tell_sender(Input::LinkLost),
            Move::Lost(Role::Receiver) => self.tell_receiver(Input::LinkLost),
            Move::Answer => {
                let (_, answer) = self.answer.take().expect("it is due");
                self.ledger.consent |= answer == Answer::Yes;
                self.tell_receiver(Input::Answer(answer));
            }
        }
    }

    fn read(&mut self, hand: usize) {
        let job = self.sender.hands[hand].pop().expect("it is due");
        let Some(done) = self.source.perform(&job, &mut self.rng) else { return };
        if self.echoes()
            && let sender::Done::Read { entry, index, result } = &done
        {
            let (entry, index, result) = (*entry, *index, result.clone());
            self.sender.answers.push(self.now, sender::Done::Read { entry, index, result });
        }
        self.sender.answers.push(self.now, done);
    }

    fn write(&mut self, hand: usize) {
        let job = self.receiver.hands[hand].pop().expect("it is due");
        self.ledger.write(&job);
        let Some(done) = self.sink.perform(job) else { return };
        if self.echoes()
            && let Some(again) = again(&done)
        {
            self.receiver.answers.push(self.now, again);
        }
        self.receiver.answers.push(self.now, done);
    }

    fn echoes(&mut self) -> bool {
        self.conditions.echo > 0 && self.rng.once_in(self.conditions.echo)
    }

    fn tell_sender(&mut self, input: Input<sender::Done>) {
        if self.sender.result.is_some() {
            return;
        }
        let outputs = self.sender.handle(self.base + self.now, input);
        self.perform_for_sender(outputs);
        if self.sender.result.is_some() {
            self.sender.ended_at = self.step;
            self.leave(Role::Sender);
        } else {
            self.ledger.check_sender();
        }
    }

    fn tell_receiver(&mut self, input: Input<receiver::Done>) {
        if self.receiver.result.is_some() {
            return;
        }
        let outputs = self.receiver.handle(self.base + self.now, input);
        self.perform_for_receiver(outputs);
        if self.receiver.result.is_some() {
            self.receiver.ended_at = self.step;
            // A job under way ends; those that wait are dropped.
            if self.rng.once_in(2) && self.receiver.hands[1].due().is_some() {
                self.write(1);
            }
            self.leave(Role::Receiver);
        } else {
            self.ledger.check_receiver();
        }
    }

    fn perform_for_sender(&mut self, outputs: Vec<Output<sender::Job>>) {
        for output in outputs {
            match output {
                Output::Send(channel, frame) => {
                    self.ledger.sender_says(channel, &frame);
                    self.send(Role::Receiver, channel, frame);
                }
                Output::Disk(job) => {
                    if let sender::Job::Read { entry, index } = job {
                        self.ledger.ask_chunk(entry, index, self.source.chunk_bytes(entry, index));
                    }
                    let at = self.now + self.rng.time(self.conditions.disk);
                    let counts = matches!(job, sender::Job::Survey);
                    self.sender.hands[usize::from(counts)].push(at, job);
                }
                Output::Emit(Event::Settled { path, outcome: Outcome::Kept { .. }, .. }) => {
                    let kept = self.numbers.get(path.as_str()).is_some_and(|it| self.sink.kept.contains(it));
                    assert!(kept || !self.conditions.are_honest(), "`{path}` is said to be kept and is not");
                }
                Output::Emit(_) => (),
                Output::Relink => unreachable!("a bare machine has one link"),
                Output::Ask(_) | Output::WakeAt(_) | Output::Done(_) => panic!("a sender asks nobody"),
            }
        }
    }

    fn perform_for_receiver(&mut self, outputs: Vec<Output<receiver::Job>>) {
        for output in outputs {
            match output {
                Output::Send(channel, frame) => {
                    assert_eq!(channel, Channel::Control, "bytes go one way");
                    self.send(Role::Sender, channel, frame);
                }
                Output::Disk(job) => {
                    assert!(self.ledger.consent, "the disk is touched before consent: {job:?}");
                    let at = self.now + self.rng.time(self.conditions.disk);
                    let writes = matches!(job, receiver::Job::Plan { .. } | receiver::Job::Write { .. });
                    self.receiver.hands[usize::from(!writes)].push(at, job);
                }
                Output::Ask(_) => {
                    let answer = self.conditions.answer;
                    self.answer = answer.map(|(after, answer)| (self.now + after, answer));
                }
                Output::Emit(_) => (),
                Output::Relink | Output::WakeAt(_) | Output::Done(_) => unreachable!("its side keeps them"),
            }
        }
    }

    fn send(&mut self, to: Role, channel: Channel, frame: Bytes) {
        let harm = match self.conditions.harmed {
            Harmed::OnceIn(times) if self.rng.once_in(times) => Some(self.rng.one_of(&Harm::ALL)),
            Harmed::Nth(nth, harm) if nth == self.frames => Some(harm),
            _ => None,
        };
        self.frames += 1;
        if self.cut || harm == Some(Harm::Drop) {
            return;
        }
        let at = self.now + self.rng.time(self.conditions.link);
        let mut frame = BytesMut::from(frame);
        if let Some(harm) = harm {
            harm.spoil(&mut frame, &mut self.rng);
        }
        let line = match to {
            Role::Sender => self.sender.line(channel),
            Role::Receiver => self.receiver.line(channel),
        };
        line.push(at, frame.freeze());
        let last = line.queue.len() - 1;
        match harm {
            Some(Harm::Twice) => line.queue.push_back(line.queue[last].clone()),
            Some(Harm::Swap) if last > 0 => line.queue.swap(last - 1, last),
            _ => (),
        }
    }

    /// Somebody's process ends: what it said last arrives, then the other hears that the link is gone.
    fn leave(&mut self, who: Role) {
        let (control, bulk, lost) = match who {
            Role::Sender => (&mut self.receiver.control, &mut self.receiver.bulk, &mut self.receiver.lost),
            Role::Receiver => (&mut self.sender.control, &mut self.sender.bulk, &mut self.sender.lost),
        };
        if self.conditions.vanish {
            control.queue.clear();
            bulk.queue.clear();
        } else if lost.is_none() {
            *lost = Some((self.now + self.conditions.link, false));
            if self.rng.once_in(2) {
                bulk.queue.clear();
            }
        }
    }
}

//! A sender and a receiver, links, two disks and a clock, all made up: one run from offer to end.
//!
//! Frames keep their order on each channel, jobs on each thread of a disk, and answers on each side;
//! all else happens in any order that the seed likes. What becomes of links is in [`links`].

mod links;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use p2pcp::crypto::{Key, Role};
use p2pcp::session::lasting::Lasting;
use p2pcp::session::receiver::{self, Receiver};
use p2pcp::session::sender::{self, Config, Sender};
use p2pcp::session::{Answer, Event, Failure, Input, Output, Summary};
use p2pcp::wire::Channel;
use p2pcp::wire::peer::Outcome;

use crate::session::conditions::{Conditions, Harmed};
use crate::session::disk::Disk;
use crate::session::disks::Source;
use crate::session::ledger::Ledger;
use crate::session::pair::links::Wire;
use crate::session::side::{Move, Side};
use crate::session::sink::{Sink, again};
use crate::session::tree::Tree;
use crate::session::witness::{Log, Unheard, Witness, Word};
use crate::support::rng::Rng;

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
    /// The sender could not hear the receiver's last word: the receiver left well without a link, or the
    /// link broke after that.
    pub excused: Option<Excuse>,
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
    /// Links that came after the first.
    pub links: usize,
    /// Payload bytes that the sender said, not counting those that it said again over another link.
    pub payload: u64,
}

/// Why a receiver may end well and the sender not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excuse {
    /// The receiver had waited for the link long enough.
    LeftAlone,
    /// The link broke when the receiver had left.
    CutAfter,
}

/// The whole simulation.
pub struct Pair<'t> {
    conditions: Conditions,
    rng: Rng,
    base: Instant,
    now: Duration,
    step: usize,
    frames: usize,
    sender: Side<Lasting<Witness<Sender>>>,
    receiver: Side<Lasting<Witness<Receiver>>>,
    source: Source<'t>,
    sink: Sink<'t>,
    numbers: BTreeMap<&'t str, u32>,
    answer: Option<(Duration, Answer)>,
    wire: Wire,
    logs: [Log; 2],
    /// What was said to the sender and what to the receiver.
    unheard: [Unheard; 2],
    excused: Option<Excuse>,
    ledger: Ledger,
}

impl<'t> Pair<'t> {
    /// Both sides just bound.
    pub fn new(tree: &'t Tree, disk: Disk, conditions: Conditions, mut rng: Rng) -> Self {
        let base = Instant::now();
        let mut totals = tree.totals();
        totals.complete = rng.once_in(2);
        let (items, more) = tree.offer_items();
        let config = Config { items, more, totals, complete_key: Key::new(KEY) };
        let mut sink = Sink::new(tree, disk, conditions.policy);
        sink.fault = conditions.disk_fault;
        sink.garbled = conditions.garble();
        let (sender, said) = Witness::new(Sender::new(config, base));
        let (receiver, answered) = Witness::new(Receiver::new(Key::new(KEY), base));
        Self {
            conditions,
            rng,
            base,
            now: Duration::ZERO,
            step: 0,
            frames: 0,
            sender: Side::new(Lasting::new(sender, conditions.patience, base)),
            receiver: Side::new(Lasting::new(receiver, conditions.patience, base)),
            source: Source::new(tree),
            sink,
            numbers: tree.numbers(),
            answer: None,
            wire: Wire::new(),
            logs: [said, answered],
            unheard: [Unheard::default(), Unheard::default()],
            excused: None,
            ledger: Ledger::default(),
        }
    }

    /// Runs to the end of both, which comes; what is on the receiver's disk then.
    pub fn run(mut self) -> (Ended, Disk) {
        let outputs = self.sender.take_outputs();
        self.perform_for_sender(outputs);
        let outputs = self.receiver.take_outputs();
        self.perform_for_receiver(outputs);
        self.look_at_logs();
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

    fn end(mut self) -> (Ended, Disk) {
        let now = self.base + self.now;
        self.sender.outlive(now);
        self.receiver.outlive(now);
        let sender_first = self.sender.ended_at < self.receiver.ended_at;
        let ended = Ended {
            sender: self.sender.result.expect("the sender ended"),
            receiver: self.receiver.result.expect("the receiver ended"),
            sender_first,
            excused: self.excused,
            kept: self.sink.kept.len(),
            finished: self.sink.finished,
            steps: self.step,
            jobs: self.sink.jobs,
            frames: self.frames,
            links: self.wire.made,
            payload: self.ledger.payload(),
        };
        if ended.sender.is_ok() && self.conditions.are_honest() {
            assert_eq!(self.unheard[0].len(), 0, "the sender ends well and has not heard everything");
        }
        (ended, self.sink.disk)
    }

    fn make(&mut self, next: Move) {
        match next {
            Move::Frame(Role::Sender, channel) => {
                let frame = self.sender.line(channel).pop().expect("it is due");
                self.tell_sender(Input::Frame(channel, frame));
            }
            Move::Frame(Role::Receiver, channel) => {
                let frame = self.receiver.line(channel).pop().expect("it is due");
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
            Move::Down(who) => self.go_down(who),
            Move::Up(who) => self.go_up(who),
            Move::Gone(who) => {
                match who {
                    Role::Sender => self.sender.gone = None,
                    Role::Receiver => self.receiver.gone = None,
                }
                self.tell(who, Input::LinkLost, Input::LinkLost);
            }
            Move::Answer => {
                let (_, answer) = self.answer.take().expect("it is due");
                self.ledger.consent |= answer == Answer::Yes;
                self.tell_receiver(Input::Answer(answer));
            }
        }
    }

    fn tell(&mut self, who: Role, sender: Input<sender::Done>, receiver: Input<receiver::Done>) {
        match who {
            Role::Sender => self.tell_sender(sender),
            Role::Receiver => self.tell_receiver(receiver),
        }
    }

    fn read(&mut self, hand: usize) {
        let job = self.sender.hands[hand].pop().expect("it is due");
        let Some(done) = self.source.perform(&job, &mut self.rng) else { return };
        if self.echoes()
            && let sender::Done::Read { entry, index, result, spent } = &done
        {
            let (entry, index, result, spent) = (*entry, *index, result.clone(), *spent);
            self.sender.answers.push(self.now, sender::Done::Read { entry, index, result, spent });
        }
        self.sender.answers.push(self.now, done);
    }

    fn write(&mut self, hand: usize) {
        let job = self.receiver.hands[hand].pop().expect("it is due");
        self.ledger.write(&job);
        let Some(done) = self.sink.perform(job) else { return };
        if self.echoes() {
            self.receiver.answers.push(self.now, again(&done));
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
        self.look_at_logs();
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
        self.look_at_logs();
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

    /// Each machine hears what the other one said, once and in order.
    fn look_at_logs(&mut self) {
        let checks = self.conditions.harmed == Harmed::None;
        for (who, log) in [(Role::Sender, self.logs[0].clone()), (Role::Receiver, self.logs[1].clone())] {
            let [to_sender, to_receiver] = &mut self.unheard;
            let (said, heard) = match who {
                Role::Sender => (to_receiver, to_sender),
                Role::Receiver => (to_sender, to_receiver),
            };
            for word in log.borrow_mut().drain(..) {
                match (word, who) {
                    (Word::Said(channel, frame), _) => {
                        if who == Role::Sender {
                            self.ledger.sender_says(channel, &frame);
                        }
                        said.said(channel, frame);
                    }
                    (Word::Heard(channel, frame), _) => {
                        match who {
                            Role::Sender => self.ledger.sender_hears(&frame),
                            Role::Receiver => self.ledger.receiver_hears(channel, &frame),
                        }
                        if checks {
                            heard.heard(channel, &frame);
                        }
                    }
                }
            }
        }
    }

    fn perform_for_sender(&mut self, outputs: Vec<Output<sender::Job>>) {
        for output in outputs {
            match output {
                Output::Send(channel, frame) => self.send(Role::Receiver, channel, frame),
                Output::Disk(job) => {
                    if let sender::Job::Read { entry, index, .. } = job {
                        self.ledger.ask_chunk(entry, index, self.source.chunk_bytes(entry, index));
                    }
                    let at = self.now + self.rng.time(self.conditions.disk);
                    let counts = matches!(job, sender::Job::Survey);
                    self.sender.hands[usize::from(counts)].push(at, job);
                }
                Output::Emit(Event::Settled { path, outcome: Outcome::Kept { .. }, .. }) => {
                    let kept = self.numbers.get(path.as_str()).is_some_and(|it| self.sink.kept.contains(it));
                    let honest = !self.conditions.garble() && self.conditions.echo == 0;
                    assert!(kept || !honest, "`{path}` is said to be kept and is not");
                }
                Output::Emit(_) | Output::Pace(_) => (),
                Output::Relink => self.relink(Role::Sender),
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
                    let hand = match job {
                        receiver::Job::Plan { .. }
                        | receiver::Job::Write { .. }
                        | receiver::Job::Restart { .. } => 0,
                        receiver::Job::Check { .. } => 2,
                        _ => 1,
                    };
                    self.receiver.hands[hand].push(at, job);
                }
                Output::Ask(_) => {
                    let answer = self.conditions.answer;
                    self.answer = answer.map(|(after, answer)| (self.now + after, answer));
                }
                Output::Emit(_) | Output::Pace(_) => (),
                Output::Relink => self.relink(Role::Receiver),
                Output::WakeAt(_) | Output::Done(_) => unreachable!("its side keeps them"),
            }
        }
    }
}

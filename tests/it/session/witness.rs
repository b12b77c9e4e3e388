//! A machine that is watched: what it says and hears, whatever becomes of the links around it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use p2pcp::session::{Input, Machine, Output};
use p2pcp::wire::Channel;

/// A frame that the machine said or heard.
pub enum Word {
    Said(Channel, Bytes),
    Heard(Channel, Bytes),
}

/// What was said and heard since somebody last looked.
pub type Log = Rc<RefCell<VecDeque<Word>>>;

/// Stands inside of what outlives links, around the machine.
pub struct Witness<M> {
    machine: M,
    log: Log,
}

impl<M: Machine> Witness<M> {
    pub fn new(machine: M) -> (Self, Log) {
        let log = Log::default();
        (Self { machine, log: log.clone() }, log)
    }
}

impl<M: Machine> Machine for Witness<M> {
    type Job = M::Job;
    type Done = M::Done;

    fn handle(&mut self, now: Instant, input: Input<M::Done>) {
        if let Input::Frame(channel, frame) = &input {
            self.log.borrow_mut().push_back(Word::Heard(*channel, frame.clone()));
        }
        self.machine.handle(now, input);
    }

    fn poll(&mut self) -> Option<Output<M::Job>> {
        let output = self.machine.poll();
        if let Some(Output::Send(channel, frame)) = &output {
            self.log.borrow_mut().push_back(Word::Said(*channel, frame.clone()));
        }
        output
    }
}

/// What one side said and the other has not heard, by channel.
#[derive(Default)]
pub struct Unheard {
    control: VecDeque<Bytes>,
    bulk: VecDeque<Bytes>,
}

impl Unheard {
    pub fn said(&mut self, channel: Channel, frame: Bytes) {
        self.line(channel).push_back(frame);
    }

    /// Every frame is heard once and in order.
    pub fn heard(&mut self, channel: Channel, frame: &Bytes) {
        let next = self.line(channel).pop_front();
        assert!(next.as_ref() == Some(frame), "a frame is heard that does not come next on {channel:?}");
    }

    /// How many were never heard.
    pub fn len(&self) -> usize {
        self.control.len() + self.bulk.len()
    }

    fn line(&mut self, channel: Channel) -> &mut VecDeque<Bytes> {
        match channel {
            Channel::Control => &mut self.control,
            Channel::Bulk => &mut self.bulk,
        }
    }
}

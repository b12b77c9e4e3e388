//! The one loop between a session and the world: link, file system, person, clock.
//!
//! It feeds [`Input`]s, performs [`Output`]s and decides nothing. Everything it starts ends with it:
//! [`run`] returns only after the last frame is out and the threads that touch files have stopped.

pub mod receiving;
pub mod sending;
mod worker;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use bytes::BytesMut;

pub use crate::drive::worker::Worker;
use crate::session::{Answer, Event, Failure, Input, Machine, Output, Summary};
use crate::transport::Link;
use crate::wire::peer::{AbortReason, Offer};
use crate::wire::{Channel, DEFAULT_WINDOW_BYTES};

/// What may wait for the link before no more disk answers are taken: an honest peer's window, and some
/// control messages. A peer that acknowledges what it has not read must not fill this side's memory;
/// frames of it are still taken, so two sides that wait for each other's disks do not stop.
const QUEUE_BYTES: usize = DEFAULT_WINDOW_BYTES as usize + (1 << 20);

/// Longest wait for room to say how it ended.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(2);

/// Whoever does a session's file-system work, on threads of its own.
pub trait Hands {
    /// What can be asked.
    type Job;
    /// What is answered.
    type Done;
    /// What is left to know when all is over.
    type Rest;

    /// Starts a job. Never blocks: what a session asks at once is bounded by the session.
    fn submit(&mut self, job: Self::Job);

    /// The next answer; pends while nothing is asked. Cancel safe.
    fn done(&mut self) -> impl Future<Output = Self::Done>;

    /// Stops the threads and waits for that; jobs that have not begun are dropped.
    fn stop(self) -> impl Future<Output = Self::Rest>;
}

/// The person at this end.
pub trait Person {
    /// Sees an event. Called often; must be quick.
    fn see(&mut self, event: Event);

    /// Answers an offer, in their own time.
    fn answer(&mut self, offer: Offer) -> Pin<Box<dyn Future<Output = Answer>>>;
}

/// What became of a session.
pub struct Ended<R> {
    /// Its result.
    pub result: Result<Summary, Failure>,
    /// What the hands have to say about it.
    pub rest: R,
}

/// Drives `machine` to its end; `cancel` ends it early when it resolves.
pub async fn run<M, H, L, P>(
    mut machine: M,
    link: L,
    mut hands: H,
    person: &mut P,
    cancel: impl Future<Output = AbortReason>,
) -> Ended<H::Rest>
where
    M: Machine,
    H: Hands<Job = M::Job, Done = M::Done>,
    L: Link,
    P: Person,
{
    let mut cancel = pin!(cancel);
    let mut cancelled = false;
    let mut queues = Queues::default();
    let mut answer: Option<Pin<Box<dyn Future<Output = Answer>>>> = None;
    let mut wake = Instant::now();
    let mut alarm = pin!(tokio::time::sleep_until(wake.into()));
    let result = loop {
        let mut result = None;
        while let Some(output) = machine.poll() {
            match output {
                Output::Send(channel, frame) => queues.of(channel).push(frame),
                Output::Disk(job) => hands.submit(job),
                Output::Ask(offer) => answer = Some(person.answer(offer)),
                Output::Emit(event) => person.see(event),
                Output::WakeAt(at) => wake = at,
                Output::Done(end) => result = Some(end),
            }
        }
        if let Some(result) = result {
            break result;
        }
        // The wake-up time moves with every frame; the timer is only moved when it must ring earlier.
        if alarm.deadline() > wake.into() {
            alarm.as_mut().reset(wake.into());
        }
        let input = tokio::select! {
            reason = &mut cancel, if !cancelled => {
                cancelled = true;
                Input::Cancel(reason)
            }
            frame = link.recv() => match frame {
                Some((channel, frame)) => Input::Frame(channel, frame),
                None => Input::LinkLost,
            },
            done = hands.done(), if queues.bytes() < QUEUE_BYTES => Input::Disk(done),
            channel = queues.sendable(&link) => {
                if let Some(frame) = queues.of(channel).pop() {
                    // A failure shows as the end of `recv`, which also says so when nothing is sent.
                    link.send(channel, frame).await.ok();
                }
                continue;
            }
            given = async { answer.as_mut().expect("guarded").await }, if answer.is_some() => {
                answer = None;
                Input::Answer(given)
            }
            () = &mut alarm => {
                alarm.as_mut().reset(wake.into());
                match Instant::now() >= wake {
                    true => Input::Tick,
                    false => continue,
                }
            }
        };
        machine.handle(Instant::now(), input);
    };
    if result.as_ref().err() != Some(&Failure::LinkLost) {
        let last_words = std::mem::take(&mut queues.control.frames);
        let goodbye = async {
            for frame in last_words {
                link.ready(Channel::Control).await.ok();
                link.send(Channel::Control, frame).await.ok();
            }
        };
        tokio::time::timeout(LAST_WORDS_WITHIN, goodbye).await.ok();
    }
    link.close().await;
    Ended { result, rest: hands.stop().await }
}

/// Frames on their way out.
#[derive(Default)]
struct Queues {
    control: Queue,
    bulk: Queue,
}

/// Frames for one channel, and how much they are.
#[derive(Default)]
struct Queue {
    frames: VecDeque<BytesMut>,
    bytes: usize,
}

impl Queue {
    fn push(&mut self, frame: BytesMut) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    fn pop(&mut self) -> Option<BytesMut> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}

impl Queues {
    fn bytes(&self) -> usize {
        self.control.bytes + self.bulk.bytes
    }

    fn of(&mut self, channel: Channel) -> &mut Queue {
        match channel {
            Channel::Control => &mut self.control,
            Channel::Bulk => &mut self.bulk,
        }
    }

    /// The channel that has a frame and room for it, control first. Cancel safe.
    async fn sendable(&self, link: &impl Link) -> Channel {
        let control = async {
            match self.control.frames.is_empty() {
                true => std::future::pending().await,
                false => link.ready(Channel::Control).await,
            }
        };
        let bulk = async {
            match self.bulk.frames.is_empty() {
                true => std::future::pending().await,
                false => link.ready(Channel::Bulk).await,
            }
        };
        let (channel, ready) = tokio::select! {
            biased;
            ready = control => (Channel::Control, ready),
            ready = bulk => (Channel::Bulk, ready),
        };
        match ready {
            Ok(()) => channel,
            Err(_) => std::future::pending().await,
        }
    }
}

//! The one loop between a session and the world: link, file system, person, clock.
//!
//! It feeds [`Input`]s, performs [`Output`]s and decides nothing. Everything it starts ends with it:
//! [`run`] returns only after the last frame is out and the threads that touch files have stopped.
//! When a link is lost it asks for another one, and files, person and clock go on meanwhile.

mod bucket;
pub mod late;
mod packing;
pub mod piping;
mod queues;
pub mod receiving;
pub mod sending;
mod worker;

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use crate::drive::bucket::Bucket;
use crate::drive::queues::Queues;
pub use crate::drive::worker::Worker;
use crate::session::{Answer, Event, Failure, Input, Loss, Machine, Output, Summary, Wish};
use crate::transport::{Link, LinkLost};
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

    /// Waits until they have seen enough of it that more may be told. Cancel safe.
    fn room(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// How fast they want it, whenever that changes. Cancel safe.
    fn wish(&mut self) -> impl Future<Output = Wish> + Send {
        std::future::pending()
    }

    /// Answers an offer, in their own time.
    fn answer(&mut self, offer: Offer) -> Pin<Box<dyn Future<Output = Answer> + Send>>;
}

/// What became of a session.
pub struct Ended<R> {
    /// Its result.
    pub result: Result<Summary, Failure>,
    /// What the hands have to say about it.
    pub rest: R,
}

/// Drives `machine` to its end; `cancel` ends it early when it resolves.
///
/// After a lost link `reconnect` is asked for another one, and may take its time; `None` means that
/// there is none to be had.
pub async fn run<M, H, L, P, F>(
    machine: M,
    link: L,
    mut reconnect: impl FnMut() -> F,
    hands: H,
    person: &mut P,
    cancel: impl Future<Output = AbortReason>,
) -> Ended<H::Rest>
where
    M: Machine,
    H: Hands<Job = M::Job, Done = M::Done>,
    L: Link,
    P: Person,
    F: Future<Output = Option<L>>,
{
    let mut world = World::new(hands, person, cancel);
    let mut machine = machine;
    let mut queues = Queues::default();
    let mut connected = Some(link);
    let result = loop {
        if let Some(result) = world.perform(&mut machine, &mut queues) {
            break result;
        }
        if let Some(reason) = world.room().await {
            machine.handle(Instant::now(), Input::Cancel(reason));
            continue;
        }
        if std::mem::take(&mut world.relink)
            && let Some(link) = connected.take()
        {
            queues.clear();
            link.abandon().await;
        }
        let Some(link) = connected.take() else {
            let mut again = pin!(reconnect());
            let found = loop {
                tokio::select! {
                    found = &mut again => break Ok(found),
                    input = world.input(true) => machine.handle(Instant::now(), input),
                }
                if let Some(result) = world.perform(&mut machine, &mut queues) {
                    break Err(result);
                }
            };
            match found {
                Ok(found) => {
                    let input = if found.is_some() { Input::LinkUp } else { Input::LinkLost };
                    connected = found;
                    machine.handle(Instant::now(), input);
                    continue;
                }
                Err(result) => break result,
            }
        };
        let input = tokio::select! {
            frame = link.recv() => frame.map_or_else(|lost| Input::LinkDown(lost.into()), |it| Input::Frame(it.0, it.1)),
            channel = queues.sendable(&link, world.bucket.gate()) => {
                if let Some(frame) = queues.pop(channel) {
                    if channel == Channel::Bulk && world.bucket.counts() {
                        world.bucket.take(Instant::now(), frame.len());
                    }
                    // A failure shows in `recv`, which also tells of it when nothing is sent.
                    link.send(channel, frame).await.ok();
                }
                connected = Some(link);
                continue;
            }
            input = world.input(queues.bytes() < QUEUE_BYTES) => input,
        };
        match input {
            Input::LinkDown(_) => {
                // What was not sent is kept by the session, which knows what is missing.
                queues.clear();
                link.abandon().await;
            }
            _ => connected = Some(link),
        }
        machine.handle(Instant::now(), input);
    };
    if let Some(link) = connected {
        say_goodbye(&link, queues).await;
        link.close().await;
    }
    Ended { result, rest: world.hands.stop().await }
}

impl From<LinkLost> for Loss {
    fn from(lost: LinkLost) -> Self {
        match lost {
            LinkLost::Silent => Self::Silent,
            LinkLost::Closed => Self::Closed,
        }
    }
}

type Asked = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// All that a session has to do with but its link.
struct World<'p, H, P, C> {
    hands: H,
    person: &'p mut P,
    cancel: Pin<Box<C>>,
    cancelled: bool,
    answer: Option<Asked>,
    relink: bool,
    bucket: Bucket,
    wake: Instant,
    alarm: Pin<Box<tokio::time::Sleep>>,
}

impl<'p, H: Hands, P: Person, C: Future<Output = AbortReason>> World<'p, H, P, C> {
    fn new(hands: H, person: &'p mut P, cancel: C) -> Self {
        let wake = Instant::now();
        Self {
            hands,
            person,
            cancel: Box::pin(cancel),
            cancelled: false,
            answer: None,
            relink: false,
            bucket: Bucket::default(),
            wake,
            alarm: Box::pin(tokio::time::sleep_until(wake.into())),
        }
    }

    /// Does what `machine` wants done, and tells when it has ended.
    fn perform<M: Machine<Job = H::Job>>(
        &mut self,
        machine: &mut M,
        queues: &mut Queues,
    ) -> Option<Result<Summary, Failure>> {
        let mut result = None;
        while let Some(output) = machine.poll() {
            match output {
                Output::Send(channel, frame) => queues.push(channel, frame),
                Output::Disk(job) => self.hands.submit(job),
                Output::Ask(offer) => self.answer = Some(self.person.answer(offer)),
                Output::Pace(wish) => self.bucket.set(Instant::now(), wish),
                Output::Emit(event) => self.person.see(event),
                Output::WakeAt(at) => self.wake = at,
                Output::Relink => self.relink = true,
                Output::Done(end) => result = Some(end),
            }
        }
        // The wake-up time moves with every frame; the timer is only moved when it must ring earlier.
        if self.alarm.deadline() > self.wake.into() {
            self.alarm.as_mut().reset(self.wake.into());
        }
        result
    }

    /// Waits until the person has seen enough; a reason if it is to end before. Cancel safe.
    async fn room(&mut self) -> Option<AbortReason> {
        tokio::select! {
            biased;
            () = self.person.room() => None,
            reason = &mut self.cancel, if !self.cancelled => {
                self.cancelled = true;
                Some(reason)
            }
        }
    }

    /// The next thing that happens, disk answers only if there is room for what they bring. Cancel safe.
    async fn input(&mut self, room: bool) -> Input<H::Done> {
        loop {
            tokio::select! {
                reason = &mut self.cancel, if !self.cancelled => {
                    self.cancelled = true;
                    return Input::Cancel(reason);
                }
                done = self.hands.done(), if room => return Input::Disk(done),
                wish = self.person.wish() => return Input::Wish(wish),
                given = async { self.answer.as_mut().expect("guarded").await }, if self.answer.is_some() => {
                    self.answer = None;
                    return Input::Answer(given);
                }
                () = &mut self.alarm => {
                    self.alarm.as_mut().reset(self.wake.into());
                    if Instant::now() >= self.wake {
                        return Input::Tick;
                    }
                }
            }
        }
    }
}

/// Says what the session had to say last, if there is room for it soon.
async fn say_goodbye(link: &impl Link, mut queues: Queues) {
    let goodbye = async {
        while let Some(frame) = queues.pop(Channel::Control) {
            link.ready(Channel::Control).await.ok();
            link.send(Channel::Control, frame).await.ok();
        }
    };
    tokio::time::timeout(LAST_WORDS_WITHIN, goodbye).await.ok();
}

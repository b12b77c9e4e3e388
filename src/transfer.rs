//! A transfer that runs: the handle that [`crate::Sender`] and [`crate::Receiver`] start, and what tells it what happens.
//!
//! The transfer is a task of its own. `teller` turns what its parts say into [`Event`]s, `queue` holds those that nobody has
//! read yet: a bounded number, after which the transfer waits for its reader, so memory stays flat whoever watches. Progress is
//! not queued; there is always one, the newest.

mod queue;
mod teller;

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::{Error, Finish};
use crate::event::{Event, Summary};
use crate::fs::Globs;
use crate::interrupt::Interrupt;
use crate::session::{Answer, Wish};
use crate::transfer::queue::Queue;
pub(crate) use crate::transfer::teller::Teller;

/// A transfer that runs. Dropping it ends the transfer.
///
/// Read its events with [`Transfer::next_event`] until there are no more, or call [`Transfer::finish`], which reads
/// and drops those that are left. The transfer waits for a reader that is 1,024 events behind.
///
/// Dropping it cancels: the other side is told at once, all threads and sockets of the transfer end, and what has
/// arrived stays, as after an interrupted command, for the next transfer of the same files to go on with. That
/// happens in the background, within about two seconds; to wait for it, call [`Transfer::cancel`] and then
/// [`Transfer::finish`].
#[derive(Debug)]
pub struct Transfer {
    queue: Queue,
    stop: watch::Sender<Option<Interrupt>>,
    wishes: watch::Sender<Wish>,
    task: Option<JoinHandle<Result<Finish, Error>>>,
}

impl Transfer {
    /// Starts `run` as a task, which ends early when its [`Stop`] says so.
    pub(crate) fn start<F>(run: impl FnOnce(Teller, Stop) -> F) -> Self
    where
        F: Future<Output = Result<(Summary, Duration), Error>> + Send + 'static,
    {
        let queue = Queue::default();
        let (stop, stopped) = watch::channel(None);
        let (wishes, wished) = watch::channel(Wish::default());
        let ending = Ending(queue.clone());
        let run = run(Teller::new(queue.clone()), Stop { stopped, wished });
        let task = tokio::spawn(async move {
            match run.await {
                Ok((summary, elapsed)) => {
                    let finish = Finish::of(&summary);
                    let exit_code = finish.exit_code().number();
                    ending.0.push(Event::Finished { summary, elapsed, exit_code });
                    Ok(finish)
                }
                Err(error) => {
                    ending.0.push(error.event());
                    Err(error)
                }
            }
        });
        Self { queue, stop, wishes, task: Some(task) }
    }

    /// The next event; `None` after the last one, which is [`Event::Finished`] or [`Event::Failed`].
    ///
    /// Cancel safe.
    pub async fn next_event(&mut self) -> Option<Event> {
        self.queue.next().await
    }

    /// How often at most [`Event::Progress`] comes, while there are no other events: every 100 ms unless said.
    pub fn progress_every(&mut self, least: Duration) {
        self.queue.progress_every(least);
    }

    /// Accepts what [`Event::Offered`] offered. Whether there was something to accept.
    pub fn accept(&mut self) -> bool {
        self.queue.answer(Answer::Yes)
    }

    /// Accepts of what [`Event::Offered`] offered only what `globs` match, and what lies in folders that they match, if it
    /// says that this can be chosen ([`crate::event::Preview::choosable`]). Whether there was something to accept.
    pub fn accept_only(&mut self, globs: Globs) -> bool {
        self.queue.choose(globs);
        self.accept()
    }

    /// Declines what [`Event::Offered`] offered. Whether there was something to decline.
    pub fn decline(&mut self) -> bool {
        self.queue.answer(Answer::No)
    }

    /// Declines, as there is nobody who could be asked. Whether there was something to decline.
    pub fn decline_unattended(&mut self) -> bool {
        self.queue.answer(Answer::Unattended)
    }

    /// Has nothing sent for now; the other side is told. Nothing times out meanwhile, and a connection that is lost is
    /// looked for as ever. A receiving side can only ask for it, of a p2pcp that knows of it. [`Event::Paused`] says when
    /// it holds, and a warning, once, that the sender does not know of it.
    pub fn pause(&mut self) {
        self.wish(|wish| wish.paused = true);
    }

    /// Takes [`Transfer::pause`] back. It goes on when the other side has not paused it.
    pub fn resume(&mut self) {
        self.wish(|wish| wish.paused = false);
    }

    /// Has at most so many bytes a second sent, or as many as there can be; what counts is the lower of both sides'
    /// limits, which [`Event::Limited`] tells. Zero is taken for one.
    pub fn limit(&mut self, bytes_per_second: Option<u64>) {
        self.wish(|wish| wish.limit = bytes_per_second.map(|it| it.max(1)));
    }

    fn wish(&mut self, change: impl FnOnce(&mut Wish)) {
        self.wishes.send_if_modified(|wish| {
            let before = *wish;
            change(wish);
            *wish != before
        });
    }

    /// Ends it early, as Ctrl-C does: the other side is told, and [`Transfer::finish`] gives [`Error::Interrupted`].
    /// Nothing happens if it has ended.
    pub fn cancel(&mut self) {
        self.interrupt(Interrupt::Interrupted);
    }

    /// Ends it early, for this reason.
    pub(crate) fn interrupt(&mut self, interrupt: Interrupt) {
        self.stop.send_replace(Some(interrupt));
    }

    /// Waits for the end. Events that nobody has read are dropped, and an offer that nobody has answered is declined.
    ///
    /// Not cancel safe: dropping the future cancels the transfer.
    ///
    /// # Errors
    /// [`Error`], with sentence, cause, hint and exit code.
    ///
    /// # Panics
    /// If the transfer did.
    pub async fn finish(mut self) -> Result<Finish, Error> {
        self.queue.close();
        let Some(task) = &mut self.task else { unreachable!("it goes away with `self`") };
        let result = task.await;
        self.task = None;
        match result {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => Err(Error::Interrupted { interrupt: Interrupt::Terminated, again: None }),
            },
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.queue.close();
        if self.task.is_some() {
            self.cancel();
        }
    }
}

/// Tells the reader that there is nothing more, even after a panic.
#[derive(Debug)]
struct Ending(Queue);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Hears that a transfer is to end early.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    stopped: watch::Receiver<Option<Interrupt>>,
    wished: watch::Receiver<Wish>,
}

impl Stop {
    /// Why, once it is to end. Cancel safe.
    pub(crate) async fn wait(&mut self) -> Interrupt {
        match self.stopped.wait_for(Option::is_some).await.map(|it| *it) {
            Ok(Some(interrupt)) => interrupt,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Why, if it is to end.
    pub(crate) fn seen(&self) -> Option<Interrupt> {
        *self.stopped.borrow()
    }

    /// What the person wants of its speed.
    pub(crate) fn wishes(&self) -> Wishes {
        Wishes(self.wished.clone())
    }
}

/// Hears how fast a transfer is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wishes(watch::Receiver<Wish>);

impl Wishes {
    /// The next wish that is another one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Wish {
        match self.0.changed().await {
            Ok(()) => *self.0.borrow_and_update(),
            Err(_) => std::future::pending().await,
        }
    }
}

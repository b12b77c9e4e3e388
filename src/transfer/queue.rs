//! Events on their way from a transfer to whoever reads them, and the one answer that goes back.
//!
//! One reader, any number of writers. Invariants: at most [`MOST_WAITING`] events wait, and what one more input of a session makes
//! of them; of progress there is only the newest; nothing is kept for a reader that has gone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::event::{Event, Progress};
use crate::fs::Globs;
use crate::session::Answer;

/// Unread events at which a transfer waits for its reader.
const MOST_WAITING: usize = 1024;

/// Least time between two looks at progress, unless the reader says otherwise.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// A cheap handle: clones are the same queue.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to read.
    news: Notify,
    /// There is room again.
    room: Notify,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Event>,
    progress: Option<Progress>,
    progress_every: Duration,
    /// When progress was read last.
    read_at: Option<Instant>,
    question: Option<oneshot::Sender<Answer>>,
    /// What of it the reader wants, where that is not all.
    chosen: Option<Globs>,
    /// Nobody reads any more.
    closed: bool,
    /// Nothing more will come.
    ended: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            progress: None,
            progress_every: PROGRESS_EVERY,
            read_at: None,
            question: None,
            chosen: None,
            closed: false,
            ended: false,
        }
    }
}

/// What a reader finds.
#[expect(clippy::large_enum_variant, reason = "one at a time, and handed on at once")]
enum Found {
    Event(Event),
    Nothing,
    /// Progress, not before this time.
    NotBefore(Instant),
    Over,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole in itself.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event behind the others.
    pub(super) fn push(&self, event: Event) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        if event.is_last() {
            state.progress = None;
        }
        state.waiting.push_back(event);
        drop(state);
        self.shared.news.notify_one();
    }

    /// As [`Queue::push`], for an event that says how far it is.
    pub(super) fn push_in_place_of_progress(&self, event: Event) {
        self.state().progress = None;
        self.push(event);
    }

    /// Takes in how far it is, in place of what it took in before.
    pub(super) fn progress(&self, progress: Progress) {
        let mut state = self.state();
        if !state.closed && state.progress.replace(progress).is_none() {
            drop(state);
            self.shared.news.notify_one();
        }
    }

    /// Puts an event behind the others, and waits for what the reader says to it.
    pub(super) fn ask(&self, event: Event) -> oneshot::Receiver<Answer> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.state();
        if !state.closed {
            state.question = Some(sender);
        }
        drop(state);
        self.push(event);
        answer
    }

    /// Answers [`Queue::ask`]. Whether something was asked.
    pub(super) fn answer(&self, answer: Answer) -> bool {
        let question = self.state().question.take();
        question.is_some_and(|it| it.send(answer).is_ok())
    }

    /// What of what is asked about the reader wants; before the answer.
    pub(super) fn choose(&self, globs: Globs) {
        self.state().chosen = Some(globs);
    }

    /// What the reader chose, once.
    pub(super) fn chosen(&self) -> Option<Globs> {
        self.state().chosen.take()
    }

    /// Waits until the reader is not too far behind. Cancel safe.
    pub(super) async fn room(&self) {
        while self.state().waiting.len() >= MOST_WAITING {
            self.shared.room.notified().await;
        }
    }

    /// Nobody will read any more; what was asked stays without an answer.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.question = None;
        state.progress = None;
        state.waiting = VecDeque::new();
        drop(state);
        self.shared.room.notify_one();
    }

    /// Nothing more will come.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.shared.news.notify_one();
    }

    /// See [`crate::Transfer::progress_every`].
    pub(super) fn progress_every(&self, least: Duration) {
        self.state().progress_every = least;
        self.shared.news.notify_one();
    }

    /// The next event, `None` after the last one. Cancel safe.
    pub(super) async fn next(&self) -> Option<Event> {
        loop {
            match self.find() {
                Found::Event(event) => return Some(event),
                Found::Nothing => self.shared.news.notified().await,
                Found::NotBefore(time) => {
                    // Either way it has to look again.
                    tokio::time::timeout_at(time, self.shared.news.notified()).await.ok();
                }
                Found::Over => return None,
            }
        }
    }

    fn find(&self) -> Found {
        let mut state = self.state();
        let now = Instant::now();
        let due = state.read_at.and_then(|it| it.checked_add(state.progress_every)).filter(|it| *it > now);
        // A flood of entries must not hide how far it is.
        let first = matches!(state.waiting.front(), None | Some(Event::Entry { .. } | Event::Skipped { .. }));
        if due.is_none()
            && first
            && let Some(progress) = state.progress.take()
        {
            state.read_at = Some(now);
            return Found::Event(Event::Progress(progress));
        }
        if let Some(event) = state.waiting.pop_front() {
            let room = state.waiting.len() == MOST_WAITING - 1;
            drop(state);
            if room {
                self.shared.room.notify_one();
            }
            return Found::Event(event);
        }
        match (state.ended, due) {
            (true, _) => Found::Over,
            (false, Some(due)) if state.progress.is_some() => Found::NotBefore(due),
            (false, _) => Found::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn note(number: usize) -> Event {
        Event::Note { text: number.to_string() }
    }

    fn next(queue: &Queue) -> Option<Option<Event>> {
        queue.next().now_or_never()
    }

    #[tokio::test]
    async fn a_writer_waits_for_a_reader_who_is_far_behind() {
        let queue = Queue::default();
        (0..MOST_WAITING).for_each(|number| queue.push(note(number)));
        assert!(queue.room().now_or_never().is_none());
        for number in 0..MOST_WAITING {
            assert!(matches!(queue.next().await, Some(Event::Note { text }) if text == number.to_string()));
            assert!(queue.room().now_or_never().is_some());
        }
        queue.end();
        assert!(queue.next().await.is_none());
    }

    /// Whoever waits for room must see that nobody will make any.
    #[tokio::test]
    async fn a_reader_who_has_gone_is_not_waited_for() {
        let queue = Queue::default();
        (0..MOST_WAITING).for_each(|number| queue.push(note(number)));
        let (mut waiting, other) = (Box::pin(queue.room()), queue.clone());
        assert!(waiting.as_mut().now_or_never().is_none());
        other.close();
        assert!(waiting.as_mut().now_or_never().is_some());
        queue.push(note(0));
        assert_eq!(queue.state().waiting.len(), 0);
    }

    #[tokio::test]
    async fn of_progress_there_is_only_the_newest_and_not_too_often() {
        let queue = Queue::default();
        queue.progress_every(Duration::from_secs(3600));
        let files = |files| Progress { files, ..Progress::default() };
        (1..=5).for_each(|number| queue.progress(files(number)));
        assert!(matches!(next(&queue), Some(Some(Event::Progress(it))) if it.files == 5));
        queue.progress(files(6));
        assert!(next(&queue).is_none(), "an hour has not passed");
        queue.push_in_place_of_progress(Event::Finishing(files(7)));
        assert!(matches!(next(&queue), Some(Some(Event::Finishing(it))) if it.files == 7));
        queue.end();
        assert!(matches!(next(&queue), Some(None)));
    }

    #[tokio::test]
    async fn nothing_comes_after_the_last_event() {
        let queue = Queue::default();
        queue.progress(Progress::default());
        queue.push(Event::Failed { error: "no".to_owned(), cause: None, hint: None, exit_code: 1 });
        queue.end();
        assert!(queue.next().await.is_some_and(|it| it.is_last()));
        assert!(queue.next().await.is_none());
    }

    #[tokio::test]
    async fn a_question_has_one_answer_and_none_from_a_reader_who_has_gone() {
        let queue = Queue::default();
        let asked = queue.ask(note(1));
        assert!(queue.answer(Answer::Yes) && !queue.answer(Answer::No));
        assert_eq!(asked.await, Ok(Answer::Yes));
        let asked = queue.ask(note(2));
        queue.close();
        assert!(asked.await.is_err() && queue.ask(note(3)).await.is_err());
    }
}

//! A thread that does jobs in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long a job waits for another one, where they are better done together: at 500 MiB/s a chunk comes each 2 ms, and
/// where chunks come so seldom that none comes meanwhile there is time to do them one by one.
const MOMENT: Duration = Duration::from_millis(3);

/// What a [`Worker`] does.
pub trait Work<J>: Send + 'static {
    /// Whether `jobs`, of which there is one at least, are better done with the next one, if that comes soon.
    fn wants_more(&self, _jobs: &[J]) -> bool {
        false
    }

    /// Does the jobs, in order.
    fn perform(&mut self, jobs: Vec<J>);
}

impl<J, F: FnMut(J) + Send + 'static> Work<J> for F {
    fn perform(&mut self, jobs: Vec<J>) {
        jobs.into_iter().for_each(self);
    }
}

/// The handle of a thread; what is submitted waits its turn.
pub struct Worker<J> {
    jobs: Option<mpsc::Sender<J>>,
    dismissed: Arc<AtomicBool>,
}

impl<J: Send + 'static> Worker<J> {
    /// Starts a thread that does `work`. `work` is dropped when the thread ends, and
    /// with it whatever it answers on, which is how others see that it has ended.
    pub fn start(name: &str, mut work: impl Work<J>) -> Self {
        let (sender, jobs) = mpsc::channel();
        let dismissed = Arc::new(AtomicBool::new(false));
        let flag = dismissed.clone();
        let run = move || {
            while let Ok(job) = jobs.recv() {
                let mut together = vec![job];
                while work.wants_more(&together)
                    && let Ok(job) = jobs.recv_timeout(MOMENT)
                {
                    together.push(job);
                }
                if flag.load(Ordering::Acquire) {
                    break;
                }
                work.perform(together);
            }
        };
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .expect("the operating system gives a thread at the start of a transfer");
        Self { jobs: Some(sender), dismissed }
    }

    /// Adds a job. Nothing happens after [`Worker::dismiss`].
    pub fn submit(&self, job: J) {
        if let Some(jobs) = &self.jobs {
            jobs.send(job).ok();
        }
    }

    /// Lets the job under way end, and drops those that wait.
    pub fn dismiss(&mut self) {
        self.dismissed.store(true, Ordering::Release);
        self.jobs = None;
    }
}

impl<J> Drop for Worker<J> {
    fn drop(&mut self) {
        self.dismissed.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use crate::drive::worker::{Work, Worker};

    /// Wants three jobs at once, and tells which it got.
    struct Threes(mpsc::Sender<Vec<u32>>);

    impl Work<u32> for Threes {
        fn wants_more(&self, jobs: &[u32]) -> bool {
            jobs.len() < 3
        }

        fn perform(&mut self, jobs: Vec<u32>) {
            self.0.send(jobs).ok();
        }
    }

    #[test]
    fn jobs_that_are_better_done_together_are_done_in_order_and_wait_for_none_that_does_not_come() {
        let (sender, done) = mpsc::channel();
        let worker = Worker::start("p2pcp-test", Threes(sender));
        (0..100).for_each(|job| worker.submit(job));
        let mut jobs = Vec::new();
        while jobs.len() < 100 {
            let together = done.recv().unwrap();
            assert!(together.len() <= 3, "{together:?}");
            jobs.extend(together);
        }
        assert!(jobs.into_iter().eq(0..100));
    }
}

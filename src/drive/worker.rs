//! A thread that does jobs in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

/// The handle of a thread; what is submitted waits its turn.
pub struct Worker<J> {
    jobs: Option<mpsc::Sender<J>>,
    dismissed: Arc<AtomicBool>,
}

impl<J: Send + 'static> Worker<J> {
    /// Starts a thread that calls `perform` for each job. `perform` is dropped when the thread ends, and
    /// with it whatever it answers on, which is how others see that it has ended.
    pub fn start(name: &str, mut perform: impl FnMut(J) + Send + 'static) -> Self {
        let (sender, jobs) = mpsc::channel();
        let dismissed = Arc::new(AtomicBool::new(false));
        let flag = dismissed.clone();
        let work = move || {
            for job in jobs {
                if flag.load(Ordering::Acquire) {
                    break;
                }
                perform(job);
            }
        };
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
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

//! The sender's hands: one thread reads, hashes and packs, another counts, a third waits for a pipe.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::drive::packing::Packing;
use crate::drive::{Hands, Worker};
use crate::fs::{Inlet, Source, StreamRead, Survey};
use crate::session::sender::{Done, Job, Streamed, Walked};
use crate::wire::peer::Hash;

/// Entries that the survey counts between two answers: some tenths of a second on a slow disk.
const SURVEY_STEP: usize = 20_000;

/// Reads a [`Source`].
pub struct SendingHands {
    reader: Worker<Job>,
    counter: Worker<()>,
    done: UnboundedReceiver<Done>,
    /// Reads what may never come.
    streamer: Option<Worker<Job>>,
    streamed: UnboundedReceiver<Done>,
}

impl SendingHands {
    /// Starts the threads. `survey` goes on where the offer's totals end.
    pub fn start(source: Source, survey: Survey, inlet: Option<Inlet>) -> Self {
        let (sender, done) = unbounded_channel();
        let counted = sender.clone();
        let mut survey = survey;
        let counter = Worker::start("p2pcp-count", move |()| {
            counted.send(Done::Surveyed(survey.step(SURVEY_STEP))).ok();
        });
        let (mut source, mut packing) = (source, Packing::new());
        let reader = Worker::start("p2pcp-read", move |job| read(&mut source, &mut packing, job, &sender));
        let (sender, streamed) = unbounded_channel();
        let streamer = inlet.map(|inlet| {
            let (mut inlet, mut packing) = (inlet, Packing::new());
            Worker::start("p2pcp-stream", move |job| stream(&mut inlet, &mut packing, job, &sender))
        });
        Self { reader, counter, done, streamer, streamed }
    }
}

fn stream(inlet: &mut Inlet, packing: &mut Packing, job: Job, answers: &UnboundedSender<Done>) {
    let Job::Stream { entry, index, pack } = job else { return };
    let result = inlet.read_chunk(entry, index).map(|it| {
        let StreamRead { frames, bytes, hash, last } = it;
        let begun = Instant::now();
        let frames = packing.pack((entry, index), None, pack, frames);
        Streamed { frames, bytes, hash, last, spent: begun.elapsed() }
    });
    answers.send(Done::Streamed { entry, result }).ok();
}

fn read(source: &mut Source, packing: &mut Packing, job: Job, answers: &UnboundedSender<Done>) {
    let done = match job {
        Job::Survey | Job::Stream { .. } => return,
        Job::Forget { entry } => return source.forget(entry),
        Job::Walk { max } => {
            let batch = source.next_batch(max);
            let told = |it: crate::fs::Skipped| (it.path.display().to_string(), it.why.to_string());
            let (losses, passed): (Vec<_>, Vec<_>) =
                batch.skipped.into_iter().partition(|it| it.why.is_loss());
            let skipped = losses.into_iter().map(told).collect();
            let passed = passed.into_iter().filter(|it| !it.why.is_silent()).map(told).collect();
            Done::Walked(Walked { entries: batch.entries, skipped, passed, done: batch.done })
        }
        Job::Check { entry } => {
            let result = source.check(entry).map(|()| (Vec::new(), Hash::default()));
            Done::Read { entry, index: 0, result, spent: Duration::ZERO }
        }
        Job::Read { entry, index, pack } => {
            let begun = Instant::now();
            let result = source.read_chunk(entry, index).map(|chunk| {
                let alike = source.kind_of(entry);
                (packing.pack((entry, index), alike, pack, chunk.frames), chunk.hash)
            });
            Done::Read { entry, index, result, spent: begun.elapsed() }
        }
    };
    answers.send(done).ok();
}

impl Hands for SendingHands {
    type Job = Job;
    type Done = Done;
    type Rest = ();

    fn submit(&mut self, job: Job) {
        match job {
            Job::Survey => self.counter.submit(()),
            Job::Stream { .. } => {
                if let Some(streamer) = &self.streamer {
                    streamer.submit(job);
                }
            }
            other => self.reader.submit(other),
        }
    }

    async fn done(&mut self) -> Done {
        tokio::select! {
            Some(done) = self.done.recv() => done,
            Some(done) = self.streamed.recv() => done,
            else => std::future::pending().await,
        }
    }

    async fn stop(mut self) {
        // A read of a pipe that nobody writes to does not end: its thread is left to itself.
        self.streamer = None;
        self.reader.dismiss();
        self.counter.dismiss();
        while self.done.recv().await.is_some() {}
    }
}

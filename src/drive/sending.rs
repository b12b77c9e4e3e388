//! The sender's hands: one thread reads, hashes and packs, another counts, a third waits for a pipe.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::drive::packing::Packing;
use crate::drive::worker::Work;
use crate::drive::{Hands, Worker};
use crate::fs::{Inlet, Source, StreamRead, Survey, hashed_together};
use crate::session::sender::{Done, Job, Pack, Streamed, Walked};
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
        let reading = Reading { source, packing: Packing::new(), answers: sender };
        let reader = Worker::start("p2pcp-read", reading);
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

/// The thread that reads files.
struct Reading {
    source: Source,
    packing: Packing,
    answers: UnboundedSender<Done>,
}

impl Work<Job> for Reading {
    /// Whole chunks are hashed together.
    fn wants_more(&self, jobs: &[Job]) -> bool {
        let Some(&Job::Read { entry, index, .. }) = jobs.last() else { return false };
        jobs.len() < hashed_together() && self.source.has_whole(entry, index)
    }

    fn perform(&mut self, jobs: Vec<Job>) {
        let mut reads = Vec::with_capacity(jobs.len());
        for job in jobs {
            match job {
                Job::Read { entry, index, pack } => reads.push((entry, index, pack)),
                other => {
                    self.read(std::mem::take(&mut reads));
                    self.attend_to(other);
                }
            }
        }
        self.read(reads);
    }
}

impl Reading {
    fn read(&mut self, wanted: Vec<(u32, u32, Pack)>) {
        let begun = Instant::now();
        let chunks: Vec<_> = wanted.iter().map(|&(entry, index, _)| (entry, index)).collect();
        let read = self.source.read_chunks(&chunks);
        let share = begun.elapsed() / u32::try_from(chunks.len().max(1)).unwrap_or(u32::MAX);
        for ((entry, index, pack), read) in wanted.into_iter().zip(read) {
            let begun = Instant::now();
            let result = read.map(|chunk| {
                let alike = self.source.kind_of(entry);
                (self.packing.pack((entry, index), alike, pack, chunk.frames), chunk.hash)
            });
            self.answers.send(Done::Read { entry, index, result, spent: share + begun.elapsed() }).ok();
        }
    }

    fn attend_to(&mut self, job: Job) {
        let done = match job {
            Job::Survey | Job::Stream { .. } | Job::Read { .. } => return,
            Job::Forget { entry } => return self.source.forget(entry),
            Job::Walk { max } => {
                let batch = self.source.next_batch(max);
                let told = |it: crate::fs::Skipped| (it.path.display().to_string(), it.why.to_string());
                let (losses, passed): (Vec<_>, Vec<_>) =
                    batch.skipped.into_iter().partition(|it| it.why.is_loss());
                let skipped = losses.into_iter().map(told).collect();
                let passed = passed.into_iter().filter(|it| !it.why.is_silent()).map(told).collect();
                Done::Walked(Walked { entries: batch.entries, skipped, passed, done: batch.done })
            }
            Job::Check { entry } => {
                let result = self.source.check(entry).map(|()| (Vec::new(), Hash::default()));
                Done::Read { entry, index: 0, result, spent: Duration::ZERO }
            }
        };
        self.answers.send(done).ok();
    }
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

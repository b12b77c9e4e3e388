//! The receiver's hands: one thread hashes and writes chunks, another hashes what is here already, a third
//! makes chunks durable and names files.
//!
//! Three, so that a slow sync does not hold up writing; each does its jobs in order.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::drive::packing::unpacked;
use crate::drive::worker::Work;
use crate::drive::{Hands, Worker};
use crate::fs::{
    Commit, DiskFault, Globs, Landing, Otherwise, Plan, Sink, SinkOptions, WrittenChunk, hashed_together,
};
use crate::pack::Unpacker;
use crate::session::receiver::{self, Done, Job};
use crate::wire::CHUNK_BYTES;
use crate::wire::path::RelPath;
use crate::wire::peer::{AbortReason, Entry, Outcome};

/// What only the hands know when a session has ended.
#[derive(Debug, Default)]
pub struct Rest {
    /// What stopped the disk, where it did.
    pub fault: Option<DiskFault>,
    /// Entries kept under another name: as announced, as kept. At most [`MAX_RENAMES`].
    pub renamed: Vec<(RelPath, RelPath)>,
}

/// Renamed entries that are remembered to be told.
pub const MAX_RENAMES: usize = 20;

/// A receive folder that is opened, and made where missing, by the first job: after consent.
#[derive(Debug)]
pub struct LazySink {
    /// Where, unless an offer decides.
    landing: Landing,
    decided: OnceLock<Landing>,
    options: SinkOptions,
    chosen: OnceLock<Globs>,
    sink: OnceLock<Result<Sink, DiskFault>>,
}

impl LazySink {
    /// Nothing is touched yet.
    pub fn new(folder: PathBuf, options: SinkOptions) -> Self {
        let landing = Landing::in_folder(folder);
        Self { landing, decided: OnceLock::new(), options, chosen: OnceLock::new(), sink: OnceLock::new() }
    }

    /// Decides where what is offered lands; before the first job. The first call counts.
    pub fn land(&self, landing: Landing) {
        self.decided.set(landing).ok();
    }

    /// Has only what `globs` match taken, where nothing else was said; before the first job. The first call counts.
    pub fn choose(&self, globs: Globs) {
        self.chosen.set(globs).ok();
    }

    /// Where it lands.
    pub fn landing(&self) -> &Landing {
        self.decided.get().unwrap_or(&self.landing)
    }

    fn open(&self) -> Result<&Sink, DiskFault> {
        let open = || {
            let mut id = [0; 8];
            getrandom::fill(&mut id).expect("the operating system gives random bytes");
            let Landing { folder, name } = self.landing();
            // What is wanted is asked by the sender's names.
            let only = match (name, self.chosen.get()) {
                (Some(_), _) => Globs::default(),
                (None, Some(chosen)) if self.options.only.is_empty() => chosen.clone(),
                (None, _) => self.options.only.clone(),
            };
            Sink::open(folder, id, SinkOptions { only, ..self.options.clone() })
        };
        self.sink.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    /// As [`Sink::plan`], by the names under which entries are kept.
    fn plan(&self, sink: &Sink, first: u32, entries: &[Entry]) -> Result<Vec<Plan>, DiskFault> {
        if self.landing().name.is_none() {
            return sink.plan(first, entries);
        }
        let mut plans = Vec::with_capacity(entries.len());
        for (number, entry) in (first..).zip(entries) {
            match self.landing().kept(entry) {
                Some(kept) if self.options.wants(entry) => plans.extend(sink.plan(number, &[kept])?),
                Some(_) => plans.push(Plan::Settled(Outcome::Unwanted)),
                None => plans.push(Plan::Settled(Outcome::Refused)),
            }
        }
        Ok(plans)
    }
}

enum Answer {
    Done(Done),
    Renamed(RelPath, RelPath),
    Fault(DiskFault),
}

/// Writes into a [`LazySink`].
pub struct ReceivingHands {
    writer: Worker<Job>,
    checker: Worker<Job>,
    committer: Worker<Job>,
    answers: UnboundedReceiver<Answer>,
    rest: Rest,
}

impl ReceivingHands {
    /// Starts the threads.
    pub fn start(sink: Arc<LazySink>) -> Self {
        let (sender, answers) = unbounded_channel();
        let worker = |name, sink: Arc<LazySink>, answers: UnboundedSender<Answer>| {
            Worker::start(name, Handling { sink, unpacker: Unpacker::new(), answers })
        };
        Self {
            writer: worker("p2pcp-write", sink.clone(), sender.clone()),
            checker: worker("p2pcp-check", sink.clone(), sender.clone()),
            committer: worker("p2pcp-commit", sink, sender),
            answers,
            rest: Rest::default(),
        }
    }
}

/// What each of the threads does with its jobs.
struct Handling {
    sink: Arc<LazySink>,
    unpacker: Unpacker,
    answers: UnboundedSender<Answer>,
}

impl Work<Job> for Handling {
    /// Whole chunks are hashed together.
    fn wants_more(&self, jobs: &[Job]) -> bool {
        let Some(Job::Write { parts, packed: None, .. }) = jobs.last() else { return false };
        jobs.len() < hashed_together() && parts.iter().map(Bytes::len).sum::<usize>() == CHUNK_BYTES as usize
    }

    fn perform(&mut self, jobs: Vec<Job>) {
        let mut writes = Vec::with_capacity(jobs.len());
        for job in jobs {
            match job {
                Job::Write { entry, index, parts, packed: None, .. } => writes.push((entry, index, parts)),
                other => {
                    self.write(std::mem::take(&mut writes));
                    let done = self.attempt(other);
                    self.answer(done);
                }
            }
        }
        self.write(writes);
    }
}

impl Handling {
    fn answer(&self, done: Result<Option<Done>, DiskFault>) {
        let answer = match done {
            Ok(None) => return,
            Ok(Some(done)) => Answer::Done(done),
            Err(fault) => Answer::Fault(fault),
        };
        self.answers.send(answer).ok();
    }

    fn write(&self, chunks: Vec<(u32, u32, Vec<Bytes>)>) {
        if chunks.is_empty() {
            return;
        }
        match self.sink.open().and_then(|sink| sink.write_chunks(&chunks)) {
            Ok(hashes) => {
                for ((entry, index, _), hash) in chunks.into_iter().zip(hashes) {
                    self.answer(Ok(Some(Done::Wrote { entry, index, hash })));
                }
            }
            Err(fault) => self.answer(Err(fault)),
        }
    }

    fn attempt(&mut self, job: Job) -> Result<Option<Done>, DiskFault> {
        let (lazy, sink) = (&self.sink, self.sink.open()?);
        match job {
            Job::Plan { first, entries } => {
                let plans = lazy.plan(sink, first, &entries)?.into_iter().map(plan).collect();
                Ok(Some(Done::Planned { first, plans }))
            }
            Job::Write { entry, index, parts, packed, .. } => {
                let write = |parts: &[Bytes]| sink.write_chunk(entry, index, parts);
                Ok(Some(match unpacked(&mut self.unpacker, parts, packed, write).transpose()? {
                    Some(hash) => Done::Wrote { entry, index, hash },
                    None => Done::Unpackable { entry },
                }))
            }
            Job::Check { entry, index } => {
                let checked = sink.check_chunk(entry, index);
                checked.map(|hash| Some(Done::Checked { entry, index, hash }))
            }
            Job::Restart { entry } => sink.restart(entry).map(|()| None),
            Job::Checkpoint(chunks) => {
                let written = |it: receiver::WrittenChunk| {
                    let receiver::WrittenChunk { entry, index, hash } = it;
                    WrittenChunk { entry, index, hash }
                };
                let chunks: Vec<_> = chunks.into_iter().map(written).collect();
                sink.checkpoint(&chunks).map(|()| Some(Done::Checkpointed))
            }
            Job::Commit(batch) => commit(lazy, sink, batch, &self.answers).map(Some),
            Job::Discard { entry } => {
                sink.discard(entry);
                Ok(None)
            }
            Job::Finish => {
                // Everything has its name and is durable; what cannot be cleared away is litter, not a loss.
                if let Err(fault) = sink.finish() {
                    log::warn!("a folder `.p2pcp-…` is left behind, which can be deleted: {fault}");
                }
                Ok(Some(Done::Finished))
            }
        }
    }
}

fn commit(
    lazy: &LazySink,
    sink: &Sink,
    batch: Vec<receiver::Commit>,
    answers: &UnboundedSender<Answer>,
) -> Result<Done, DiskFault> {
    let as_kept = |it: receiver::Commit| {
        let item = Entry { path: lazy.landing().path(it.item.path), kind: it.item.kind };
        Commit { entry: it.entry, item, digest: it.digest }
    };
    let batch: Vec<_> = batch.into_iter().map(as_kept).collect();
    let first = batch.first().map_or(0, |it| it.entry);
    let mut outcomes = Vec::with_capacity(batch.len());
    for (committed, commit) in sink.commit(&batch)?.into_iter().zip(batch) {
        outcomes.push(committed.outcome);
        if let Some(renamed) = committed.renamed {
            answers.send(Answer::Renamed(commit.item.path, renamed)).ok();
        }
    }
    Ok(Done::Committed { first, outcomes })
}

/// The same in the session's words.
fn plan(plan: Plan) -> receiver::Plan {
    match plan {
        Plan::All => receiver::Plan::All,
        Plan::Settled(outcome) => receiver::Plan::Settled(outcome),
        Plan::Here { chunks, otherwise } => receiver::Plan::Here {
            chunks,
            otherwise: match otherwise {
                Otherwise::Fetch => receiver::Otherwise::Fetch,
                Otherwise::Restart => receiver::Otherwise::Restart,
                Otherwise::Settle(outcome) => receiver::Otherwise::Settle(outcome),
            },
        },
    }
}

/// What the peer hears of a fault: its kind, never a path.
pub(super) fn told_to_peer(fault: &DiskFault) -> AbortReason {
    match fault {
        DiskFault::Full { .. } | DiskFault::Quota { .. } | DiskFault::NoRoom { .. } => AbortReason::DiskFull,
        DiskFault::Denied { .. } | DiskFault::NotAFolder { .. } => AbortReason::DiskDenied,
        DiskFault::ReadOnly { .. } => AbortReason::DiskReadOnly,
        DiskFault::OutputClosed => AbortReason::OutputClosed,
        DiskFault::NotOneFile => AbortReason::NotOneFile,
        DiskFault::TooLarge { .. }
        | DiskFault::Unsupported { .. }
        | DiskFault::Damaged { .. }
        | DiskFault::Failed { .. } => AbortReason::DiskFailed,
    }
}

impl Hands for ReceivingHands {
    type Job = Job;
    type Done = Done;
    type Rest = Rest;

    fn submit(&mut self, job: Job) {
        match job {
            Job::Plan { .. } | Job::Write { .. } | Job::Restart { .. } => self.writer.submit(job),
            Job::Check { .. } => self.checker.submit(job),
            Job::Checkpoint(_) | Job::Commit(_) | Job::Discard { .. } | Job::Finish => {
                self.committer.submit(job);
            }
        }
    }

    async fn done(&mut self) -> Done {
        loop {
            match self.answers.recv().await {
                Some(Answer::Done(done)) => return done,
                Some(Answer::Fault(fault)) => {
                    let reason = told_to_peer(&fault);
                    self.rest.fault.get_or_insert(fault);
                    return Done::Fault(reason);
                }
                Some(Answer::Renamed(from, to)) => {
                    if self.rest.renamed.len() < MAX_RENAMES {
                        self.rest.renamed.push((from, to));
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    async fn stop(mut self) -> Rest {
        self.writer.dismiss();
        self.checker.dismiss();
        self.committer.dismiss();
        while self.answers.recv().await.is_some() {}
        self.rest
    }
}

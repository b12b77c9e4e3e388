//! The hands of a receiver whose one file goes to standard output, or a text into memory.

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::drive::packing::unpacked;
use crate::drive::receiving::{Rest, told_to_peer};
use crate::drive::{Hands, Worker};
use crate::fs::{DiskFault, Note, Outlet, hash_parts};
use crate::pack::Unpacker;
use crate::session::receiver::{Done, Job, Plan};
use crate::wire::peer::Outcome;

/// Writes into an [`Outlet`], which is opened by the first job: after consent.
pub struct PipingHands {
    writer: Worker<Job>,
    answers: UnboundedReceiver<Result<Done, DiskFault>>,
    rest: Rest,
}

impl PipingHands {
    /// Starts the thread.
    pub fn start(open: impl FnMut() -> Result<Outlet, DiskFault> + Send + 'static) -> Self {
        Self::with(open, Unproven::Refused)
    }

    /// The same into memory, where what turns out to be wrong is nothing yet.
    pub fn into_memory(note: Note) -> Self {
        Self::with(move || Ok(note.outlet()), Unproven::Taken)
    }

    fn with(open: impl FnMut() -> Result<Outlet, DiskFault> + Send + 'static, unproven: Unproven) -> Self {
        let (sender, answers) = unbounded_channel();
        let mut pipe = Pipe { open, unproven, outlet: None, entry: None, unpacker: Unpacker::new() };
        let writer = Worker::start("p2pcp-pipe", move |job| pipe.perform(job, &sender));
        Self { writer, answers, rest: Rest::default() }
    }
}

/// What becomes of bytes before their proof is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unproven {
    Refused,
    Taken,
}

struct Pipe<F> {
    open: F,
    unproven: Unproven,
    outlet: Option<Outlet>,
    /// The one entry whose bytes go there.
    entry: Option<u32>,
    unpacker: Unpacker,
}

impl<F: FnMut() -> Result<Outlet, DiskFault>> Pipe<F> {
    fn perform(&mut self, job: Job, answers: &UnboundedSender<Result<Done, DiskFault>>) {
        if let Some(answer) = self.attempt(job).transpose() {
            answers.send(answer).ok();
        }
    }

    fn attempt(&mut self, job: Job) -> Result<Option<Done>, DiskFault> {
        Ok(Some(match job {
            Job::Plan { first, entries } => {
                let mut plans = Vec::with_capacity(entries.len());
                for (number, entry) in (first..).zip(&entries) {
                    let fits = self.entry.is_none() && entry.kind.is_file();
                    self.entry = if fits { Some(number) } else { self.entry };
                    plans.push(if fits { Plan::All } else { Plan::Settled(Outcome::Refused) });
                }
                Done::Planned { first, plans }
            }
            Job::Write { entry, index, parts, packed, proof } => {
                let taken = self.unproven == Unproven::Taken;
                if self.entry != Some(entry) || (proof.is_none() && !taken) {
                    return Err(DiskFault::NotOneFile);
                }
                self.outlet()?;
                let (unpacker, outlet) = (&mut self.unpacker, self.outlet.as_mut());
                let write = |parts: &[Bytes]| match outlet {
                    Some(outlet) => {
                        outlet.write_chunk(index, parts, proof.unwrap_or_else(|| hash_parts(parts)))
                    }
                    None => Err(DiskFault::NotOneFile),
                };
                match unpacked(unpacker, parts, packed, write).transpose()? {
                    Some(hash) => Done::Wrote { entry, index, hash },
                    None => Done::Unpackable { entry },
                }
            }
            Job::Commit(batch) => {
                self.outlet()?.finish()?;
                let first = batch.first().map_or(0, |it| it.entry);
                let kept = |digest| Outcome::Kept { digest };
                Done::Committed { first, outcomes: batch.iter().map(|it| kept(it.digest)).collect() }
            }
            // Nothing of it can be gone on with.
            Job::Checkpoint(_) => Done::Checkpointed,
            Job::Finish => Done::Finished,
            Job::Check { entry, index } => Done::Checked { entry, index, hash: None },
            Job::Restart { .. } | Job::Discard { .. } => return Ok(None),
        }))
    }

    fn outlet(&mut self) -> Result<&mut Outlet, DiskFault> {
        let outlet = match self.outlet.take() {
            Some(outlet) => outlet,
            None => (self.open)()?,
        };
        Ok(self.outlet.insert(outlet))
    }
}

impl Hands for PipingHands {
    type Job = Job;
    type Done = Done;
    type Rest = Rest;

    fn submit(&mut self, job: Job) {
        self.writer.submit(job);
    }

    async fn done(&mut self) -> Done {
        match self.answers.recv().await {
            Some(Ok(done)) => done,
            Some(Err(fault)) => {
                let reason = told_to_peer(&fault);
                self.rest.fault.get_or_insert(fault);
                Done::Fault(reason)
            }
            None => std::future::pending().await,
        }
    }

    async fn stop(mut self) -> Rest {
        // A write into a pipe that nobody empties does not end: its thread is left to itself.
        self.writer.dismiss();
        self.rest
    }
}

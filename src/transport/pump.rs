//! The task that gives bulk frames to lanes, as [`Spread`] decides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::transport::LinkLost;
use crate::transport::lane::Lanes;
use crate::transport::spread::{LOOK_EVERY, Spread};
use crate::wire::lanes::number;

/// Frames that wait for a lane beside those that the session has; enough to have one at hand.
const QUEUE_FRAMES: usize = 2;

/// How often is looked for lanes that hang while there is nothing to send.
const LOOK_IDLY_EVERY: Duration = Duration::from_millis(50);

/// Bytes of bulk after which further lanes are asked for: a job that is as good as done by then would
/// only pay for them.
pub(super) const GROW_AFTER: usize = 8 << 20;

/// The same where the first lane goes through a relay, which costs somebody: less would be over before a path is found.
pub(super) const GROW_AROUND_RELAY_AFTER: usize = 256 << 10;

/// When to ask for further lanes.
pub(super) struct Ask {
    /// Who asks for them.
    pub(super) growth: Arc<Notify>,
    /// After so many bytes of bulk.
    pub(super) after: usize,
    /// Whether they help over distance only.
    pub(super) only_over_distance: bool,
}

/// Handle of the task, which ends with it.
pub(super) struct Pump {
    frames: mpsc::Sender<Bytes>,
    task: JoinHandle<()>,
}

impl Pump {
    pub(super) fn start(lanes: Arc<Lanes>, spread: Spread, ask: Ask) -> Self {
        let (frames, taken) = mpsc::channel(QUEUE_FRAMES);
        Self { frames, task: tokio::spawn(run(lanes, spread, taken, ask)) }
    }

    /// Waits until there is room for a frame. Cancel safe.
    pub(super) async fn ready(&self) -> Result<(), LinkLost> {
        self.frames.reserve().await.map(drop).map_err(|_| LinkLost::Closed)
    }

    /// Sends a frame.
    pub(super) async fn send(&self, frame: Bytes) -> Result<(), LinkLost> {
        self.frames.send(frame).await.map_err(|_| LinkLost::Closed)
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs until no more frames can come. That a lane is lost is for the link to see.
async fn run(lanes: Arc<Lanes>, mut spread: Spread, mut frames: mpsc::Receiver<Bytes>, ask: Ask) {
    let (mut begun, mut asked, mut bytes) = (false, false, 0_usize);
    loop {
        let open = lanes.all();
        for (index, lane) in open.iter().enumerate() {
            let outstanding = lane.outstanding_bytes().await;
            spread.settle(Instant::now(), index, outstanding);
        }
        spread.rescue(Instant::now());
        let Some((index, lane)) =
            spread.choose(Instant::now()).and_then(|index| Some((index, open.get(index)?)))
        else {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        let (at, frame) = match spread.take_again() {
            Some(again) => again,
            None => {
                let next = match spread.is_idle() {
                    true => Ok(frames.recv().await),
                    false => tokio::time::timeout(LOOK_IDLY_EVERY, frames.recv()).await,
                };
                match next {
                    Ok(Some(frame)) => (spread.number(), frame),
                    Ok(None) => return,
                    Err(_) => continue,
                }
            }
        };
        if !begun {
            begun = true;
            lanes.first.bulk.send(number(0, &[])).await.ok();
        }
        bytes = bytes.saturating_add(frame.len());
        if !asked && bytes >= ask.after && (spread.is_far() || !ask.only_over_distance) {
            asked = true;
            ask.growth.notify_one();
        }
        lane.mark_used();
        let numbered = number(at, &frame);
        lane.count(numbered.len());
        spread.sent(Instant::now(), index, at, frame);
        lane.bulk.send(numbered).await.ok();
    }
}

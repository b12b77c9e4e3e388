//! Further lanes for a link, opened in the background while the first one works.
//!
//! ```text
//! whoever has much to send                  the other side
//!   ask {further} ─────────────────────────────►              grants as many as it wants to
//!   ◄──────────────── offer {lane, sdp}, candidates           for each lane
//!   answer {lane, sdp}, candidates ────────────►
//! ```
//!
//! Where the first lane goes through a relay, a further one is wanted not for speed, but to be without one: each
//! lane is then another try, made without relays, at growing distances until one opens, and bulk frames move there.
//!
//! What is said travels over the first lane, which is bound to the peer; so a description is the peer's
//! own, and DTLS holds the lane against the fingerprint in it. Whatever fails leaves a link with fewer
//! lanes; only a peer that breaks these rules loses it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use crate::transport::LinkLost;
use crate::transport::engine::Engine;
use crate::transport::grounds::{Grounds, Reach};
use crate::transport::lane::OpenLane;
use crate::transport::opening::Opening;
use crate::transport::tries::{TRY_FOR, Tries};
use crate::wire::lanes::{LanesMessage, MAX_LANES, decode, encode};

/// Longest wait for a further lane to open.
const OPEN_WITHIN: Duration = Duration::from_secs(20);

/// Messages that one lane may have waiting, in each direction: a description, and more candidates than
/// any honest machine has.
const LANE_QUEUE: usize = 65;

/// Messages that are taken on one link.
const MAX_HEARD: usize = 1 + (MAX_LANES as usize - 1) * LANE_QUEUE;

/// How many further lanes there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// When this side has much to send.
    asked: u8,
    /// Only where it is far; near by the stock engine does better with one.
    for_distance: bool,
    /// When the other side asks.
    granted: u8,
    /// The first lane goes through a relay, and these are to go without.
    pub(super) around_relay: bool,
    /// Threads that work for them; none means the one that works for all else.
    pub(super) threads: usize,
}

impl Most {
    /// As many as help, or so many lanes in all.
    pub(super) fn new(lanes: Option<u8>, reach: Reach) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let beside_first = |lanes: u8| lanes.clamp(1, MAX_LANES) - 1;
        Self {
            asked: beside_first(lanes.unwrap_or(Engine::HERE.lanes(reach, cores))),
            for_distance: lanes.is_none() && Engine::HERE.needs_care(reach),
            granted: beside_first(lanes.unwrap_or(MAX_LANES)),
            around_relay: false,
            threads: Engine::threads(cores),
        }
    }

    /// For a link whose first lane goes through a relay: tries to go without. `lanes` of 1 forbids that too.
    pub(super) fn around_relay(lanes: Option<u8>) -> Self {
        let tries = if lanes == Some(1) { 0 } else { MAX_LANES - 1 };
        Self { asked: tries, for_distance: false, granted: tries, around_relay: true, threads: 0 }
    }

    /// Whether this side asks for any.
    pub(super) fn may_ask(&self) -> bool {
        self.asked > 0
    }

    /// Whether it asks over distance only.
    pub(super) fn is_for_distance(&self) -> bool {
        self.for_distance
    }
}

/// Handle of the task that opens lanes; the task ends when this is dropped.
pub(super) struct Growth {
    worth_it: Arc<Notify>,
    opened: Mutex<mpsc::Receiver<Result<OpenLane, Broken>>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// The peer broke the rules.
#[derive(Debug, thiserror::Error)]
#[error("the other side broke the rules about lanes: {0}")]
struct Broken(&'static str);

impl Growth {
    /// Listens on the channel `about` lanes from now on.
    pub(super) fn start(about: Arc<dyn DataChannel>, grounds: Grounds, most: Most) -> Self {
        let worth_it = Arc::new(Notify::new());
        let (stop, stopped) = oneshot::channel();
        // One for each lane, and one for what ends it.
        let (done, opened) = mpsc::channel(usize::from(MAX_LANES));
        let (say, to_say) = mpsc::channel(LANE_QUEUE);
        let (part, lanes, opening) = (Part::Neither, BTreeMap::new(), JoinSet::new());
        let grounds = if most.around_relay { grounds.without_relays() } else { grounds };
        let tries = Tries::default();
        let grower = Grower { about, grounds, most, part, lanes, opening, tries, say, heard: 0 };
        let task = tokio::spawn(grower.run(worth_it.clone(), to_say, done, stopped));
        Self { worth_it, opened: Mutex::new(opened), stop, task }
    }

    /// To be told when more lanes are worth their price.
    pub(super) fn worth_it(&self) -> Arc<Notify> {
        self.worth_it.clone()
    }

    /// The next lane that is open; pends when there is none to come. Cancel safe.
    pub(super) async fn opened(&self) -> Result<OpenLane, LinkLost> {
        match self.opened.lock().await.recv().await {
            Some(Ok(lane)) => Ok(lane),
            Some(Err(broken)) => {
                log::warn!("{broken}");
                Err(LinkLost::Closed)
            }
            None => std::future::pending().await,
        }
    }

    /// Stops, and closes what nobody took.
    pub(super) async fn end(self) {
        let Self { opened, stop, task, .. } = self;
        drop(stop);
        task.await.ok();
        let mut opened = opened.into_inner();
        while let Ok(lane) = opened.try_recv() {
            if let Ok(lane) = lane {
                lane.close().await;
            }
        }
    }
}

/// What this side has done about lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Neither,
    Asked,
    Granted,
}

struct Grower {
    about: Arc<dyn DataChannel>,
    grounds: Grounds,
    most: Most,
    part: Part,
    /// What is heard for each lane.
    lanes: BTreeMap<u8, mpsc::Sender<LanesMessage>>,
    opening: JoinSet<Option<OpenLane>>,
    tries: Tries,
    say: mpsc::Sender<LanesMessage>,
    heard: usize,
}

impl Grower {
    async fn run(
        mut self,
        worth_it: Arc<Notify>,
        mut to_say: mpsc::Receiver<LanesMessage>,
        done: mpsc::Sender<Result<OpenLane, Broken>>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let may_ask = self.most.may_ask();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                () = worth_it.notified(), if may_ask && self.part == Part::Neither => {
                    self.part = Part::Asked;
                    self.send(&LanesMessage::Ask { further: self.most.asked }).await;
                }
                Some(message) = to_say.recv() => self.send(&message).await,
                number = self.tries.next() => self.open(number, None),
                Some(opened) = self.opening.join_next() => {
                    if matches!(opened, Ok(Some(_))) {
                        self.tries.end();
                    }
                    if let Ok(Some(lane)) = opened
                        && let Err(refused) = done.try_send(Ok(lane))
                        && let Ok(lane) = refused.into_inner()
                    {
                        lane.close().await;
                    }
                }
                event = self.about.poll() => {
                    let heard = match event {
                        Some(DataChannelEvent::OnMessage(message)) => self.hear(&message.data),
                        Some(_) => Ok(()),
                        None => break,
                    };
                    if let Err(broken) = heard {
                        done.try_send(Err(broken)).ok();
                        break;
                    }
                }
            }
        }
        // Lanes on their way hear by this that they are not wanted any more.
        self.lanes.clear();
        to_say.close();
        while let Some(opened) = self.opening.join_next().await {
            if let Ok(Some(lane)) = opened {
                lane.close().await;
            }
        }
    }

    async fn send(&self, message: &LanesMessage) {
        // A description too long for a frame costs this lane; of a closed channel the link tells.
        if let Ok(frame) = encode(message) {
            self.about.send(frame.as_slice().into()).await.ok();
        }
    }

    fn hear(&mut self, frame: &[u8]) -> Result<(), Broken> {
        self.heard += 1;
        if self.heard > MAX_HEARD {
            return Err(Broken("too many messages"));
        }
        let message = decode(frame).map_err(|_| Broken("not a message"))?;
        match (&message, self.part) {
            (LanesMessage::Ask { further }, Part::Neither) => {
                self.part = Part::Granted;
                let lanes = 1..=self.most.granted.min(*further);
                match self.most.around_relay {
                    true => self.tries = Tries::begin(*lanes.end()),
                    false => lanes.for_each(|lane| self.open(lane, None)),
                }
            }
            (LanesMessage::Offer { lane, sdp }, Part::Asked)
                if (1..=self.most.asked).contains(lane) && !self.lanes.contains_key(lane) =>
            {
                self.open(*lane, Some(sdp.clone()));
            }
            (LanesMessage::Answer { lane, .. }, Part::Granted)
            | (LanesMessage::Candidate { lane, .. }, Part::Granted | Part::Asked) => {
                // One that was given up does not listen any more.
                if let Some(hears) = self.lanes.get(lane) {
                    hears.try_send(message).ok();
                }
            }
            _ => return Err(Broken("a message out of turn")),
        }
        Ok(())
    }

    fn open(&mut self, number: u8, offer: Option<String>) {
        let (hears, heard) = mpsc::channel(LANE_QUEUE);
        self.lanes.insert(number, hears);
        let (within, news) = match self.most.around_relay {
            true => (TRY_FOR, true),
            false => (OPEN_WITHIN, false),
        };
        let opening = Opening { number, heard, within, news, say: self.say.clone() };
        self.opening.spawn(opening.open(offer, self.grounds.clone(), self.most.threads));
    }
}

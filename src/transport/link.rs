//! The open lanes of one link as a [`Link`].
//!
//! Control frames stay on the first lane. A lane that is lost after a frame went over it takes the link
//! with it: the session, which outlives links, knows what is missing. One that was not used yet is
//! forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::select_all;
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use crate::transport::engine::Engine;
use crate::transport::grounds::{Grounds, Policy};
use crate::transport::growing::{Growth, Most};
use crate::transport::lane::{Lanes, OpenLane};
use crate::transport::pump::{Ask, GROW_AFTER, GROW_AROUND_RELAY_AFTER, Pump};
use crate::transport::reorder::Reorder;
use crate::transport::spread::Spread;
use crate::transport::{Link, LinkLost, Path};
use crate::wire::{Channel, PathKind};

/// Longest wait for the peer to acknowledge the last frames when hanging up.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);

/// Hears of a path that is better than the first one.
pub type Better = Arc<dyn Fn(&Path) + Send + Sync>;

/// A link over one or more lanes.
pub struct WebRtcLink {
    pub(super) lanes: Arc<Lanes>,
    control: Arc<dyn DataChannel>,
    /// Where is spoken about lanes.
    pub(super) about: Arc<dyn DataChannel>,
    grounds: Grounds,
    growth: Option<Growth>,
    /// Where bulk frames go, unless all go to the first lane as they are.
    pump: Option<Pump>,
    incoming: Mutex<Reorder>,
    /// Hears of a path that is better than the first.
    better: Option<Better>,
    /// Which lane is looked at first for a frame, so that none is looked at never.
    turn: AtomicUsize,
}

impl WebRtcLink {
    /// A link of one lane.
    pub(super) fn new(
        first: OpenLane,
        control: Arc<dyn DataChannel>,
        about: Arc<dyn DataChannel>,
        grounds: Grounds,
    ) -> Self {
        Self {
            lanes: Arc::new(Lanes::new(first)),
            control,
            about,
            grounds,
            growth: None,
            pump: None,
            incoming: Mutex::default(),
            better: None,
            turn: AtomicUsize::new(0),
        }
    }

    /// Lets it open further lanes, `most` in all or as many as help; or, where the `first` one goes through a relay, one
    /// that does not, of which `better` hears. Only for a link that is bound: what comes over the first lane is
    /// believed, fingerprints of others too.
    pub fn growing(mut self, most: Option<u8>, first: &Path, better: Option<Better>) -> Self {
        let Grounds { reach, policy, .. } = self.grounds;
        self.better = better;
        let most = match (first.kind, policy) {
            (PathKind::Relayed, Policy::Any) => Most::around_relay(most),
            (PathKind::Relayed, Policy::RelayOnly | Policy::DirectOnly) => Most::around_relay(Some(1)),
            (PathKind::Direct | PathKind::Failed, _) => Most::new(most, reach),
        };
        self.grow(most, Engine::HERE.needs_care(reach))
    }

    pub(super) fn grow(mut self, most: Most, careful: bool) -> Self {
        let growth = Growth::start(self.about.clone(), self.grounds.clone(), most);
        if careful || most.may_ask() {
            let spread = Spread::new(careful);
            let (spread, after) = match most.around_relay {
                true => (spread.sparing_first(), GROW_AROUND_RELAY_AFTER),
                false => (spread, GROW_AFTER),
            };
            let only_over_distance = most.is_for_distance();
            let ask = Ask { growth: growth.worth_it(), after, only_over_distance };
            self.pump = Some(Pump::start(self.lanes.clone(), spread, ask));
        }
        self.growth = Some(growth);
        self
    }

    /// How many lanes are open.
    pub fn lanes(&self) -> usize {
        self.lanes.all().iter().filter(|lane| lane.is_live()).count()
    }

    /// What is waiting to come out in order. Nobody panics with it held.
    fn incoming(&self) -> MutexGuard<'_, Reorder> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next further lane; pends when there is none to come.
    async fn grown(&self) -> Result<OpenLane, LinkLost> {
        match &self.growth {
            Some(growth) => growth.opened().await,
            // Nobody may speak of lanes before the link is bound.
            None => loop {
                match self.about.poll().await {
                    Some(DataChannelEvent::OnMessage(_)) => return Err(LinkLost::Closed),
                    Some(_) => (),
                    None => std::future::pending().await,
                }
            },
        }
    }

    /// The next frame that came over any of `lanes`, and over which. Cancel safe.
    async fn next_of<'a>(&self, lanes: &'a [Arc<OpenLane>]) -> (&'a OpenLane, Result<Bytes, LinkLost>) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % lanes.len();
        let in_turn = lanes.iter().cycle().skip(turn).take(lanes.len()).filter(|lane| lane.is_live());
        let next = in_turn.map(|lane| Box::pin(async move { (&**lane, lane.next().await) }));
        select_all(next).await.0
    }

    /// Closes all lanes, also those on their way.
    async fn end(self) {
        drop(self.pump);
        if let Some(growth) = self.growth {
            growth.end().await;
        }
        for lane in self.lanes.all() {
            log::debug!("a lane took {} bytes of bulk", lane.bulk_bytes());
            lane.close().await;
        }
    }
}

impl Link for WebRtcLink {
    async fn recv(&self) -> Result<(Channel, Bytes), LinkLost> {
        loop {
            let lanes = self.lanes.all();
            let ready = self.incoming().is_ready();
            tokio::select! {
                biased;
                event = self.control.poll() => match event {
                    Some(DataChannelEvent::OnMessage(message)) => {
                        return Ok((Channel::Control, message.data.freeze()));
                    }
                    Some(DataChannelEvent::OnClose) | None => return Err(LinkLost::Closed),
                    Some(_) => (),
                },
                grown = self.grown() => {
                    let grown = grown?;
                    if let (Some(path), Some(better)) = (&grown.path, &self.better) {
                        better(path);
                    }
                    self.lanes.add(grown);
                    log::debug!("{} lanes are open", self.lanes());
                }
                () = std::future::ready(()), if ready => {
                    if let Some(frame) = self.incoming().next() {
                        return Ok((Channel::Bulk, frame));
                    }
                }
                (lane, frame) = self.next_of(&lanes) => match frame {
                    Ok(frame) => {
                        lane.mark_used();
                        let first = std::ptr::eq(lane, &*self.lanes.first);
                        if let Err(disorder) = self.incoming().take(first, frame) {
                            log::warn!("the other side sent {disorder}");
                            return Err(LinkLost::Closed);
                        }
                    }
                    Err(lost) if lane.is_used() => return Err(lost),
                    Err(_) => {
                        lane.mark_lost();
                        // Nobody looks at it any more, so nothing may come over it that the library would keep.
                        lane.close().await;
                    }
                },
            }
        }
    }

    async fn ready(&self, channel: Channel) -> Result<(), LinkLost> {
        let channel = match (channel, &self.pump) {
            (Channel::Control, _) => &self.control,
            (Channel::Bulk, Some(pump)) => return pump.ready().await,
            (Channel::Bulk, None) => &self.lanes.first.bulk,
        };
        channel.writable().await.map_err(|_| LinkLost::Closed)
    }

    async fn send(&self, channel: Channel, frame: Bytes) -> Result<(), LinkLost> {
        let channel = match (channel, &self.pump) {
            (Channel::Control, _) => &self.control,
            (Channel::Bulk, Some(pump)) => return pump.send(frame).await,
            (Channel::Bulk, None) => &self.lanes.first.bulk,
        };
        channel.send(frame.into()).await.map_err(|_| LinkLost::Closed)
    }

    async fn abandon(self) {
        self.end().await;
    }

    async fn close(self) {
        // `close` drops what is still queued, so wait until nothing is: keep the events flowing meanwhile.
        let deadline = Instant::now() + FLUSH_WITHIN;
        // Only the last words matter: blocks that the receiver has not confirmed are lost with the session.
        while self.control.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
            let step = tokio::time::timeout(Duration::from_millis(5), self.recv()).await;
            if matches!(step, Ok(Err(_))) || Instant::now() > deadline {
                break;
            }
        }
        self.end().await;
    }
}

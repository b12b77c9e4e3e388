//! The open lanes of one link as a [`Link`].
//!
//! Control frames stay on the first lane. Bulk frames do too, as they are, until a further lane is open;
//! from then on each has a number and goes to the lane that has the least under way. A lane that is lost
//! after a frame went over it takes the link with it: the session, which outlives links, knows what is
//! missing. One that was not used yet is forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::select_all;
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use crate::transport::growing::{Growth, Most};
use crate::transport::lane::OpenLane;
use crate::transport::peer::Grounds;
use crate::transport::reorder::Reorder;
use crate::transport::{Link, LinkLost};
use crate::wire::Channel;
use crate::wire::lanes;

/// Longest wait for the peer to acknowledge the last frames when hanging up.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);

/// Bytes of bulk after which further lanes are asked for: a job that is as good as done by then would
/// only pay for them.
const GROW_AFTER: u64 = 8 << 20;

/// A link over one or more lanes.
pub struct WebRtcLink {
    first: Arc<OpenLane>,
    control: Arc<dyn DataChannel>,
    about: Arc<dyn DataChannel>,
    grounds: Grounds,
    further: Mutex<Vec<Arc<OpenLane>>>,
    growth: Option<Growth>,
    incoming: Mutex<Reorder>,
    outgoing: Mutex<Outgoing>,
    /// Which lane is looked at first for a frame, so that none is looked at never.
    turn: AtomicUsize,
}

/// What went out.
#[derive(Debug, Default)]
struct Outgoing {
    bytes: u64,
    /// Number of the next frame, once they have numbers.
    next: Option<u64>,
}

/// Nobody panics with one of these held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WebRtcLink {
    /// A link of one lane.
    pub(super) fn new(
        first: OpenLane,
        control: Arc<dyn DataChannel>,
        about: Arc<dyn DataChannel>,
        grounds: Grounds,
    ) -> Self {
        // Bind goes over it, if nothing else.
        first.mark_used();
        Self {
            first: Arc::new(first),
            control,
            about,
            grounds,
            further: Mutex::default(),
            growth: None,
            incoming: Mutex::default(),
            outgoing: Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Lets it open further lanes, `most` in all or as many as help. Only for a link that is bound: what
    /// comes over the first lane is believed, fingerprints of others too.
    pub fn growing(mut self, most: Option<u8>) -> Self {
        let most = Most::new(most, self.grounds.reach);
        self.growth = Some(Growth::start(self.about.clone(), self.grounds.clone(), most));
        self
    }

    /// How many lanes are open.
    pub fn lanes(&self) -> usize {
        self.live().len()
    }

    /// Open lanes, the first one first.
    fn live(&self) -> Vec<Arc<OpenLane>> {
        let further = lock(&self.further);
        std::iter::once(&self.first).chain(further.iter().filter(|lane| lane.is_live())).cloned().collect()
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
        let in_turn = lanes.iter().cycle().skip(turn).take(lanes.len());
        let next = in_turn.map(|lane| Box::pin(async move { (&**lane, lane.next().await) }));
        select_all(next).await.0
    }

    async fn send_bulk(&self, frame: Bytes) -> Result<(), LinkLost> {
        let lanes = self.live();
        let (begin, number) = {
            let mut outgoing = lock(&self.outgoing);
            let before = outgoing.bytes;
            outgoing.bytes += frame.len() as u64;
            if before < GROW_AFTER
                && outgoing.bytes >= GROW_AFTER
                && let Some(growth) = &self.growth
            {
                growth.is_worth_it();
            }
            let begin = outgoing.next.is_none() && lanes.len() > 1;
            if begin {
                outgoing.next = Some(0);
            }
            let number = outgoing.next;
            outgoing.next = number.map(|it| it + 1);
            (begin, number)
        };
        let closed = |_| LinkLost::Closed;
        let Some(number) = number else {
            return self.first.bulk.send(frame.into()).await.map_err(closed);
        };
        if begin {
            self.first.bulk.send(lanes::number(0, &[])).await.map_err(closed)?;
        }
        let lane = emptiest(&lanes).await.unwrap_or(&self.first);
        lane.mark_used();
        lane.bulk.send(lanes::number(number, &frame)).await.map_err(closed)
    }

    /// Closes all lanes, also those on their way.
    async fn end(self) {
        if let Some(growth) = self.growth {
            growth.end().await;
        }
        let further = std::mem::take(&mut *lock(&self.further));
        self.first.close().await;
        for lane in further {
            lane.close().await;
        }
    }
}

/// The lane with the least under way.
async fn emptiest(lanes: &[Arc<OpenLane>]) -> Option<&Arc<OpenLane>> {
    let mut found = None;
    for lane in lanes {
        let bytes = lane.outstanding_bytes().await;
        if found.is_none_or(|(least, _)| bytes < least) {
            found = Some((bytes, lane));
        }
    }
    found.map(|(_, lane)| lane)
}

impl Link for WebRtcLink {
    async fn recv(&self) -> Result<(Channel, Bytes), LinkLost> {
        loop {
            let lanes = self.live();
            let ready = lock(&self.incoming).is_ready();
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
                    lock(&self.further).push(Arc::new(grown?));
                    log::debug!("{} lanes are open", self.lanes());
                }
                () = std::future::ready(()), if ready => {
                    if let Some(frame) = lock(&self.incoming).next() {
                        return Ok((Channel::Bulk, frame));
                    }
                }
                (lane, frame) = self.next_of(&lanes) => match frame {
                    Ok(frame) => {
                        lane.mark_used();
                        let first = std::ptr::eq(lane, &*self.first);
                        if let Err(disorder) = lock(&self.incoming).take(first, frame) {
                            log::warn!("the other side sent {disorder}");
                            return Err(LinkLost::Closed);
                        }
                    }
                    Err(lost) if lane.is_used() => return Err(lost),
                    Err(_) => lane.mark_lost(),
                },
            }
        }
    }

    async fn ready(&self, channel: Channel) -> Result<(), LinkLost> {
        if channel == Channel::Control {
            return self.control.writable().await.map_err(|_| LinkLost::Closed);
        }
        let lanes = self.live();
        let mut waiting: Vec<_> = lanes.iter().map(|lane| lane.bulk.writable()).collect();
        while !waiting.is_empty() {
            let (room, _, others) = select_all(waiting).await;
            if room.is_ok() {
                return Ok(());
            }
            waiting = others;
        }
        Err(LinkLost::Closed)
    }

    async fn send(&self, channel: Channel, frame: Bytes) -> Result<(), LinkLost> {
        match channel {
            Channel::Control => self.control.send(frame.into()).await.map_err(|_| LinkLost::Closed),
            Channel::Bulk => self.send_bulk(frame).await,
        }
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

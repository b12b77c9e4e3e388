//! A further lane on its way up: what both sides say about it over the first one.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::transport::grounds::Grounds;
use crate::transport::lane::OpenLane;
use crate::transport::peer::{Lane, LaneError, LaneEvent};
use crate::wire::lanes::LanesMessage;

/// A further lane on its way up.
pub(super) struct Opening {
    pub(super) number: u8,
    pub(super) heard: mpsc::Receiver<LanesMessage>,
    pub(super) within: Duration,
    /// Whether people want to know where it goes.
    pub(super) news: bool,
    pub(super) say: mpsc::Sender<LanesMessage>,
}

impl Opening {
    /// The lane, when it is open; `None` if it does not come to that.
    pub(super) async fn open(
        mut self,
        offer: Option<String>,
        grounds: Grounds,
        threads: usize,
    ) -> Option<OpenLane> {
        let mut lane = Lane::further(grounds, threads).await.ok()?;
        let opened = tokio::time::timeout(self.within, self.introduce(&mut lane, offer)).await;
        match opened.unwrap_or(Err(LaneError::NoPath)) {
            Ok(()) => {
                let path = if self.news { Some(lane.path().await) } else { None };
                let mut open = lane.into_further()?;
                open.path = path;
                Some(open)
            }
            Err(error) => {
                log::debug!("lane {} did not open: {error}", self.number);
                lane.abandon().await;
                None
            }
        }
    }

    async fn introduce(&mut self, lane: &mut Lane, offer: Option<String>) -> Result<(), LaneError> {
        let number = self.number;
        let mut described = offer.is_some();
        let description = match offer {
            Some(offer) => LanesMessage::Answer { lane: number, sdp: lane.answer(offer).await? },
            None => LanesMessage::Offer { lane: number, sdp: lane.offer().await? },
        };
        self.say(description).await?;
        loop {
            tokio::select! {
                event = lane.next_event() => match event {
                    LaneEvent::Candidate(candidate) => {
                        self.say(LanesMessage::Candidate { lane: number, candidate }).await?;
                    }
                    LaneEvent::Gathered | LaneEvent::Silent => (),
                    LaneEvent::Open => return Ok(()),
                    LaneEvent::Failed => return Err(LaneError::NoPath),
                },
                heard = self.heard.recv() => match heard {
                    Some(LanesMessage::Answer { sdp, .. }) if !described => {
                        lane.accept(sdp).await?;
                        described = true;
                    }
                    Some(LanesMessage::Candidate { candidate, .. }) if described => {
                        lane.add_candidate(&candidate).await;
                    }
                    _ => return Err(LaneError::BadDescription),
                },
            }
        }
    }

    async fn say(&self, message: LanesMessage) -> Result<(), LaneError> {
        self.say.send(message).await.map_err(|_| LaneError::NoPath)
    }
}

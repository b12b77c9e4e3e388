//! Two peers that lost their link find each other again, without a code and without another PAKE.
//!
//! Both hold keys of their first meeting. They name a place on the signaling server by one of them,
//! prove the other to each other over fresh nonces ([`Schedule::resumed`]), and then find a path and
//! bind it as the first time. Nothing is used up by a failure, so it is tried until it works.

use std::time::Duration;

use crate::connect::agree::confirm;
use crate::connect::exchange::Exchange;
use crate::connect::{ConnectError, Patience, Surroundings, random};
use crate::crypto::keys::{Meet, Resume, Schedule};
use crate::crypto::{Key, Role};
use crate::signaling::Signaling;
use crate::transport::Path;
use crate::transport::peer::WebRtcLink;
use crate::wire::signaling::{MeetRole, Token};

/// Longest wait for the other side to come to the meeting place. Whoever waits longer may sit on a
/// connection that died with the network, and not see it.
const MEET_WITHIN: Duration = Duration::from_secs(6);

/// Longest wait for a server to answer.
pub const SERVER_WITHIN: Duration = Duration::from_secs(4);

/// Shorter than the first time, when people wait: another attempt costs nothing.
const PATIENCE: Patience = Patience { peer: Duration::from_secs(5), path: Duration::from_secs(10) };

/// What two peers keep of their first meeting to find each other again.
pub struct Reunion {
    role: Role,
    key: Key<Resume>,
    token: Key<Meet>,
}

impl Reunion {
    /// From the schedule of the first meeting.
    pub(super) fn of(schedule: &Schedule, role: Role) -> Self {
        Self { role, key: schedule.key(), token: schedule.key() }
    }

    /// What both sides call their meeting: for the server that the sender runs itself, so that it knows whom to let in.
    pub fn token(&self) -> Token {
        Token(*self.token.expose())
    }

    /// Meets the other side on this server, if it comes soon.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing is spent.
    pub async fn meet(
        &self,
        mut signaling: Signaling,
        mut surroundings: Surroundings,
    ) -> Result<(WebRtcLink, Path), ConnectError> {
        let nonce: [u8; 16] = random();
        let role = match self.role {
            Role::Sender => MeetRole::Sender,
            Role::Receiver => MeetRole::Receiver,
        };
        let met = tokio::time::timeout(MEET_WITHIN, signaling.meet(self.token().0, role, nonce));
        let met = met.await.map_err(|_| ConnectError::PeerSilent)??;
        surroundings.add(&met.ice);
        let (sender, receiver) = match self.role {
            Role::Sender => (nonce, met.nonce),
            Role::Receiver => (met.nonce, nonce),
        };
        let schedule = Schedule::resumed(&self.key, &[sender, receiver].concat());
        let (mut exchange, host) = Exchange::new(self.role, signaling, PATIENCE, surroundings);
        let result = async {
            let mut agreement = confirm(&mut exchange, schedule, host.as_deref()).await?;
            exchange.connect(&mut agreement).await
        }
        .await;
        exchange.leave(result.as_ref().ok().map(|(_, path)| path.kind)).await;
        result
    }
}

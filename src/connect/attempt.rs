//! A lane on its way up, and what the peer said of its own end so far.

use crate::connect::ConnectError;
use crate::connect::names::NamedCandidates;
use crate::transport::peer::Lane;
use crate::wire::signaling::SealedMessage;

/// A lane on its way up.
pub(super) struct Attempt {
    pub(super) lane: Lane,
    pub(super) due: Due,
    pub(super) remote_described: bool,
    /// Candidates that came before the description that they belong to.
    early: Vec<String>,
    /// Candidates that have names in place of addresses.
    pub(super) named: NamedCandidates,
}

/// What is to be said of a lane.
pub(super) enum Due {
    /// Our description.
    Offer,
    /// Ours, as the answer to this one.
    Answer(String),
    /// Nothing: it was offered.
    Nothing,
}

/// Candidates kept while the description is not there yet.
pub(super) const MAX_EARLY_CANDIDATES: usize = 64;

impl Attempt {
    pub(super) fn new(lane: Lane, due: Due) -> Self {
        let remote_described = matches!(due, Due::Answer(_));
        Self { lane, due, remote_described, early: Vec::new(), named: NamedCandidates::default() }
    }

    /// Takes what the peer says of its own.
    pub(super) async fn take(&mut self, message: SealedMessage) -> Result<(), ConnectError> {
        match message {
            SealedMessage::Answer { sdp } if !self.remote_described => {
                self.lane.accept(sdp).await?;
                self.remote_described = true;
                for candidate in std::mem::take(&mut self.early) {
                    self.add(&candidate).await;
                }
            }
            SealedMessage::Candidate { candidate } if self.remote_described => self.add(&candidate).await,
            SealedMessage::Candidate { candidate } => {
                if self.early.len() < MAX_EARLY_CANDIDATES {
                    self.early.push(candidate);
                }
            }
            SealedMessage::Unknown => (),
            SealedMessage::Unable { why } => return Err(ConnectError::PeerUnable(why)),
            SealedMessage::Hello { .. } | SealedMessage::Offer { .. } | SealedMessage::Answer { .. } => {
                return Err(ConnectError::Unexpected("a second description"));
            }
        }
        Ok(())
    }

    /// Hands a candidate to ICE, a named one when its address is known.
    async fn add(&mut self, candidate: &str) {
        if !self.lane.may_ask_around() || !self.named.take(candidate) {
            self.lane.add_candidate(candidate).await;
        }
    }
}

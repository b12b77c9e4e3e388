//! What two peers say to each other through the server, step by step.

use tokio::task::JoinSet;

use crate::connect::agree::Agreement;
use crate::connect::attempt::{Attempt, Due, MAX_EARLY_CANDIDATES};
use crate::connect::bind::bind;
use crate::connect::ice::IceServers;
use crate::connect::sealed::Sealed;
use crate::connect::{ConnectError, Limit, Patience, Surroundings};
use crate::crypto::Role;
use crate::dial::Dialer;
use crate::signaling::{Incoming, Signaling};
use crate::transport::Path;
use crate::transport::peer::{Better, Grounds, Lane, LaneError, LaneEvent, Policy, Reach, WebRtcLink};
use crate::wire::PathKind;
use crate::wire::signaling::{Hex, Relay, SealedMessage, Unable};

/// One attempt to meet, over one room.
pub(super) struct Exchange {
    pub(super) role: Role,
    pub(super) signaling: Signaling,
    patience: Patience,
    limit: Limit,
    ice: IceServers,
    interfaces: Vec<String>,
    dialer: Dialer,
    lanes: Option<u8>,
    better: Option<Better>,
    /// Whether the person here wants words compared, and the one there.
    verify: bool,
    peer_verifies: bool,
    /// A receiver's lane that was offered before the sender's hello was there.
    ahead: Option<Attempt>,
}

/// A connection to a server that is being closed; whoever drops this does not wait for that.
pub struct Leaving(JoinSet<()>);

impl Leaving {
    fn start(signaling: Signaling) -> Self {
        let mut leaving = JoinSet::new();
        leaving.spawn(signaling.close());
        Self(leaving)
    }

    /// Waits until the server has said goodbye too, two seconds at most. Cancel safe.
    pub async fn done(&mut self) {
        self.0.join_next().await;
    }
}

impl Exchange {
    /// Also gives back what names the running host, if a path inside it may be used.
    pub(super) fn new(
        role: Role,
        signaling: Signaling,
        patience: Patience,
        surroundings: Surroundings,
    ) -> (Self, Option<Vec<u8>>) {
        let Surroundings { limit, host, ice, lanes, policy, interfaces, dialer, better, verify, server: _ } =
            surroundings;
        // Neither a relay nor a named interface is on the way inside one host.
        let host = host.filter(|_| policy != Policy::RelayOnly && interfaces.is_empty());
        let (ahead, peer_verifies) = (None, false);
        let new = Self {
            role,
            signaling,
            patience,
            limit,
            ice,
            interfaces,
            dialer,
            lanes,
            better,
            verify,
            peer_verifies,
            ahead,
        };
        (new, host)
    }

    /// Whether words are to be compared, as one of the two wants it.
    pub(super) fn is_to_be_verified(&self) -> bool {
        self.verify || self.peer_verifies
    }

    /// The peer's next message, which must come soon.
    pub(super) async fn peer_message(&mut self) -> Result<Relay, ConnectError> {
        let next = tokio::time::timeout(self.patience.peer, self.signaling.recv()).await;
        relay_of(next.map_err(|_| ConnectError::PeerSilent)??)
    }

    /// The same; meanwhile the candidates of a lane that was offered ahead go out.
    pub(super) async fn hear(&mut self, sealed: &mut Sealed) -> Result<Relay, ConnectError> {
        let deadline = tokio::time::Instant::now() + self.patience.peer;
        while let Some(ahead) = &mut self.ahead {
            let event = tokio::select! {
                next = tokio::time::timeout_at(deadline, self.signaling.recv()) => {
                    return relay_of(next.map_err(|_| ConnectError::PeerSilent)??);
                }
                event = ahead.lane.next_event() => event,
            };
            match event {
                // If the room is gone, `recv` says so, and what it means.
                LaneEvent::Candidate(candidate) => {
                    self.send_sealed(sealed, &SealedMessage::Candidate { candidate }).await.ok();
                }
                LaneEvent::Failed => return Err(LaneError::NoPath.into()),
                LaneEvent::Gathered | LaneEvent::Silent | LaneEvent::Open => (),
            }
        }
        self.peer_message().await
    }

    /// Offers a lane before the sender's confirmation and hello are there, which saves a round trip.
    ///
    /// Only who has the code can open the box. Where this host has no name, or is the only one that counts, the hello would not
    /// change the offer. Else the peer is taken to be elsewhere, unless the server is here: then the hello is near.
    pub(super) async fn offer_ahead(
        &mut self,
        sealed: &mut Sealed,
        host: Option<Hex<32>>,
    ) -> Result<(), ConnectError> {
        let (same_host, elsewhere) = match (self.limit, host) {
            (Limit::ThisHost, _) => (true, false),
            (_, None) => (false, false),
            (_, Some(_)) if !self.signaling.is_here() => (false, true),
            (_, Some(_)) => return Ok(()),
        };
        let lane = match self.new_lane(same_host, sealed).await {
            // A machine without a network may still have its peer on it.
            Err(ConnectError::Lane(LaneError::Local(_))) if elsewhere => return Ok(()),
            lane => lane?,
        };
        let attempt = self.ahead.insert(Attempt::new(lane, Due::Nothing));
        let sdp = attempt.lane.offer().await?;
        self.send_sealed(sealed, &SealedMessage::Offer { sdp, host, elsewhere, verify: self.verify }).await
    }

    /// A lane of ours, or the peer hears why there is none.
    async fn new_lane(&mut self, same_host: bool, sealed: &mut Sealed) -> Result<Lane, ConnectError> {
        let lane = match same_host {
            true => Lane::new(Reach::SameHost, &[]).await,
            false => {
                let found = self.ice.found(self.interfaces.clone()).await;
                Lane::on(Grounds { dialer: self.dialer.clone(), ..found }).await
            }
        };
        if matches!(lane, Err(LaneError::NoRelay)) {
            self.send_sealed(sealed, &SealedMessage::Unable { why: Unable::NoRelay }).await?;
        }
        Ok(lane?)
    }

    /// Tells server and peer that the room is not needed any more.
    pub(super) async fn leave(mut self, path: Option<PathKind>) {
        if let Some(ahead) = self.ahead.take() {
            ahead.lane.abandon().await;
        }
        self.say_goodbye(path.unwrap_or(PathKind::Failed)).await;
        self.signaling.close().await;
    }

    /// The same for a link that is there, which need not wait until the server has said goodbye too.
    pub(super) async fn leave_behind(mut self, path: PathKind) -> Leaving {
        self.say_goodbye(path).await;
        Leaving::start(self.signaling)
    }

    async fn say_goodbye(&mut self, path: PathKind) {
        self.signaling.send(Relay::Bye { path }).await.ok();
    }

    /// Finds a path and binds it.
    pub(super) async fn connect(
        &mut self,
        agreement: &mut Agreement,
    ) -> Result<(WebRtcLink, Path), ConnectError> {
        let Agreement { schedule, sealed, host, features: _ } = agreement;
        let mut attempt = match self.role {
            Role::Sender => {
                self.send_sealed(sealed, &SealedMessage::Hello { host: *host, verify: self.verify }).await?;
                let (sdp, theirs) = self.hear_offer(sealed, *host).await?;
                let lane = self.new_lane(self.is_same_host(*host, theirs), sealed).await?;
                Attempt::new(lane, Due::Answer(sdp))
            }
            Role::Receiver => {
                let hello = self.hear(sealed).await?;
                let SealedMessage::Hello { host: theirs, verify } = not_unable(sealed.open(&hello)?)? else {
                    return Err(ConnectError::Unexpected("no hello"));
                };
                self.peer_verifies = verify;
                let same_host = self.is_same_host(*host, theirs);
                match self.ahead.take() {
                    Some(ahead) if !same_host || self.limit == Limit::ThisHost => ahead,
                    ahead => {
                        if let Some(void) = ahead {
                            void.lane.abandon().await;
                        }
                        Attempt::new(self.new_lane(same_host, sealed).await?, Due::Offer)
                    }
                }
            }
        };
        let patience = self.patience.path;
        let open = async {
            self.describe(&mut attempt, sealed, *host).await?;
            self.find_path(&mut attempt, sealed).await?;
            Ok(attempt.lane.fingerprints().await?)
        };
        // A lane that is only dropped keeps its sockets: every way out of here abandons or binds it.
        match tokio::time::timeout(patience, open).await.unwrap_or(Err(LaneError::NoPath.into())) {
            Ok(fingerprints) => {
                let bound = bind(self.role, attempt.lane, fingerprints, schedule, self.patience.peer).await?;
                let (link, path) = bound;
                Ok((link.growing(self.lanes, &path, self.better.take()), path))
            }
            Err(error) => {
                attempt.lane.abandon().await;
                Err(error)
            }
        }
    }

    /// Whether the peer runs on this host, by both tags, or has to.
    fn is_same_host(&self, ours: Option<Hex<32>>, theirs: Option<Hex<32>>) -> bool {
        self.limit == Limit::ThisHost || (ours.is_some() && ours == theirs)
    }

    /// The offer that counts. One that was made for a peer elsewhere is void on the same host, and so are its candidates.
    async fn hear_offer(
        &mut self,
        sealed: &mut Sealed,
        host: Option<Hex<32>>,
    ) -> Result<(String, Option<Hex<32>>), ConnectError> {
        let mut has_void = false;
        for _ in 0..MAX_EARLY_CANDIDATES {
            match not_unable(sealed.open(&self.peer_message().await?)?)? {
                SealedMessage::Offer { host: theirs, elsewhere: true, .. }
                    if !has_void && host.is_some() && host == theirs =>
                {
                    has_void = true;
                }
                SealedMessage::Offer { sdp, host: theirs, elsewhere, verify } if !(has_void && elsewhere) => {
                    self.peer_verifies = verify;
                    return Ok((sdp, theirs));
                }
                SealedMessage::Candidate { .. } | SealedMessage::Unknown if has_void => (),
                _ => break,
            }
        }
        Err(ConnectError::Unexpected("no offer"))
    }

    /// Answers the peer's description, or makes ours, if that is still due.
    async fn describe(
        &mut self,
        attempt: &mut Attempt,
        sealed: &mut Sealed,
        host: Option<Hex<32>>,
    ) -> Result<(), ConnectError> {
        let message = match std::mem::replace(&mut attempt.due, Due::Nothing) {
            Due::Answer(offer) => SealedMessage::Answer { sdp: attempt.lane.answer(offer).await? },
            Due::Offer => SealedMessage::Offer {
                sdp: attempt.lane.offer().await?,
                host,
                elsewhere: false,
                verify: self.verify,
            },
            Due::Nothing => return Ok(()),
        };
        self.send_sealed(sealed, &message).await
    }

    /// Carries descriptions and candidates both ways until the lane is open.
    async fn find_path(&mut self, attempt: &mut Attempt, sealed: &mut Sealed) -> Result<(), ConnectError> {
        // The peer may have its lane open, and leave the room, a moment before we have ours.
        let mut room_open = true;
        loop {
            tokio::select! {
                event = attempt.lane.next_event() => match event {
                    LaneEvent::Candidate(candidate) if room_open => {
                        // If the room is gone, `recv` says so, and what it means.
                        self.send_sealed(sealed, &SealedMessage::Candidate { candidate }).await.ok();
                    }
                    LaneEvent::Candidate(_) | LaneEvent::Gathered | LaneEvent::Silent => (),
                    LaneEvent::Open => return Ok(()),
                    LaneEvent::Failed => return Err(LaneError::NoPath.into()),
                },
                candidates = attempt.named.next() => for candidate in candidates {
                    attempt.lane.add_candidate(&candidate).await;
                },
                incoming = self.signaling.recv(), if room_open => match incoming {
                    Ok(Incoming::Relay(Relay::Bye { path: PathKind::Failed })) => {
                        return Err(ConnectError::PeerLeft);
                    }
                    Ok(Incoming::Relay(Relay::Bye { .. }) | Incoming::Gone) | Err(_)
                        if attempt.remote_described =>
                    {
                        room_open = false;
                    }
                    Ok(Incoming::Relay(Relay::Bye { .. }) | Incoming::Gone) => {
                        return Err(ConnectError::PeerLeft);
                    }
                    Err(error) => return Err(error.into()),
                    Ok(Incoming::Relay(relay)) => attempt.take(sealed.open(&relay)?).await?,
                    Ok(Incoming::Peer { .. }) => return Err(ConnectError::Unexpected("a second peer")),
                },
            }
        }
    }

    async fn send_sealed(
        &mut self,
        sealed: &mut Sealed,
        message: &SealedMessage,
    ) -> Result<(), ConnectError> {
        Ok(self.signaling.send(sealed.seal(message)).await?)
    }
}

fn not_unable(message: SealedMessage) -> Result<SealedMessage, ConnectError> {
    match message {
        SealedMessage::Unable { why } => Err(ConnectError::PeerUnable(why)),
        message => Ok(message),
    }
}

fn relay_of(incoming: Incoming) -> Result<Relay, ConnectError> {
    match incoming {
        Incoming::Relay(Relay::Bye { .. }) | Incoming::Gone => Err(ConnectError::PeerLeft),
        Incoming::Relay(relay) => Ok(relay),
        Incoming::Peer { .. } => Err(ConnectError::Unexpected("a second peer")),
    }
}

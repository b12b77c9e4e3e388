//! What two peers say to each other through the server, step by step.

use tokio::task::JoinSet;

use crate::connect::bind::bind;
use crate::connect::names::NamedCandidates;
use crate::connect::{ConnectError, Limit, Patience, Surroundings};
use crate::crypto::Role;
use crate::crypto::keys::{Host, Schedule};
use crate::crypto::seal::{Opener, Sealer};
use crate::session::handshake::{self, Context, HandshakeError, RANDOM_BYTES};
use crate::signaling::{Incoming, Signaling};
use crate::transport::Path;
use crate::transport::peer::{Grounds, Lane, LaneError, LaneEvent, Policy, Reach, WebRtcLink};
use crate::wire::PathKind;
use crate::wire::signaling::{Base64, Hex, Relay, SealedMessage, Unable};

/// One attempt to meet, over one room.
pub(super) struct Exchange {
    role: Role,
    signaling: Signaling,
    patience: Patience,
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

/// Runs the PAKE and the confirmation.
pub(super) async fn agree(
    exchange: &mut Exchange,
    context: Context<'_>,
    random: &[u8; RANDOM_BYTES],
) -> Result<Schedule, ConnectError> {
    let (sharing, share) = handshake::start(exchange.role, context, random);
    // Neither waits for the other's share, which saves a round trip: a share tells nothing of the words, and
    // what tests a guess is the receiver's confirmation, which the sender answers only when it is right.
    exchange.signaling.send(share).await?;
    let theirs = exchange.peer_message().await?;
    let (confirming, confirm) = sharing.handle(&theirs)?;
    if let Some(confirm) = confirm {
        exchange.signaling.send(confirm).await?;
    }
    let theirs = exchange.peer_message().await.map_err(|error| match (error, exchange.role) {
        // The sender ends the attempt when our confirmation does not verify.
        (ConnectError::PeerLeft, Role::Receiver) => ConnectError::Refused,
        (error, _) => error,
    })?;
    let (schedule, confirm) = confirming.handle(&theirs)?;
    if let Some(confirm) = confirm {
        exchange.signaling.send(confirm).await?;
    }
    Ok(schedule)
}

/// Confirms keys that both sides have from their first meeting, receiver first.
pub(super) async fn confirm(exchange: &mut Exchange, schedule: &Schedule) -> Result<(), ConnectError> {
    let ta = schedule.confirm_receiver();
    let forged = |_| ConnectError::Handshake(HandshakeError::WrongCode);
    match exchange.role {
        Role::Receiver => {
            exchange.signaling.send(Relay::Confirm { t: Hex(ta) }).await?;
            let Relay::Confirm { t } = exchange.peer_message().await? else {
                return Err(ConnectError::Unexpected("no confirmation"));
            };
            schedule.verify_sender(&ta, &t.0).map_err(forged)
        }
        Role::Sender => {
            let Relay::Confirm { t } = exchange.peer_message().await? else {
                return Err(ConnectError::Unexpected("no confirmation"));
            };
            schedule.verify_receiver(&t.0).map_err(forged)?;
            Ok(exchange.signaling.send(Relay::Confirm { t: Hex(schedule.confirm_sender(&t.0)) }).await?)
        }
    }
}

impl Exchange {
    pub(super) fn new(role: Role, signaling: Signaling, patience: Patience) -> Self {
        Self { role, signaling, patience }
    }

    /// The peer's next message, which must come soon.
    async fn peer_message(&mut self) -> Result<Relay, ConnectError> {
        let next = tokio::time::timeout(self.patience.peer, self.signaling.recv());
        match next.await.map_err(|_| ConnectError::PeerSilent)?? {
            Incoming::Relay(Relay::Bye { .. }) | Incoming::Gone => Err(ConnectError::PeerLeft),
            Incoming::Relay(relay) => Ok(relay),
            Incoming::Peer { .. } => Err(ConnectError::Unexpected("a second peer")),
        }
    }

    /// Tells server and peer that the room is not needed any more.
    pub(super) async fn leave(mut self, path: Option<PathKind>) {
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
        schedule: &Schedule,
        surroundings: Surroundings,
    ) -> Result<(WebRtcLink, Path), ConnectError> {
        let (sealer, opener) = schedule.seals(self.role);
        let mut sealed = Sealed { role: self.role, sealer, opener };
        let Surroundings { limit, host, ice, lanes, policy, interfaces, dialer, better, server: _ } =
            surroundings;
        // Neither a relay nor a named interface is on the way inside one host.
        let host = host.filter(|_| policy != Policy::RelayOnly && interfaces.is_empty());
        let host = host.map(|host| Hex(schedule.key::<Host>().mac(&host)));
        let new_lane = async |theirs: Option<Hex<32>>| match limit == Limit::ThisHost
            || (host.is_some() && host == theirs)
        {
            true => Lane::new(Reach::SameHost, &[]).await,
            false => Lane::on(Grounds { dialer, ..ice.found(interfaces).await }).await,
        };
        let mut attempt = match self.role {
            Role::Sender => {
                self.send_sealed(&mut sealed, &SealedMessage::Hello { host }).await?;
                let SealedMessage::Offer { sdp, host: theirs } = self.open_next(&mut sealed).await? else {
                    return Err(ConnectError::Unexpected("no offer"));
                };
                Attempt::new(self.or_tell(new_lane(theirs).await, &mut sealed).await?, Some(sdp))
            }
            Role::Receiver => {
                let SealedMessage::Hello { host: theirs } = self.open_next(&mut sealed).await? else {
                    return Err(ConnectError::Unexpected("no hello"));
                };
                Attempt::new(self.or_tell(new_lane(theirs).await, &mut sealed).await?, None)
            }
        };
        let patience = self.patience.path;
        let open = async {
            self.describe(&mut attempt, &mut sealed, host).await?;
            self.find_path(&mut attempt, &mut sealed).await?;
            Ok(attempt.lane.fingerprints().await?)
        };
        // A lane that is only dropped keeps its sockets: every way out of here abandons or binds it.
        match tokio::time::timeout(patience, open).await.unwrap_or(Err(LaneError::NoPath.into())) {
            Ok(fingerprints) => {
                let bound = bind(self.role, attempt.lane, fingerprints, schedule, self.patience.peer).await?;
                let (link, path) = bound;
                Ok((link.growing(lanes, &path, better), path))
            }
            Err(error) => {
                attempt.lane.abandon().await;
                Err(error)
            }
        }
    }

    /// A lane of ours, or the peer hears why there is none.
    async fn or_tell(
        &mut self,
        lane: Result<Lane, LaneError>,
        sealed: &mut Sealed,
    ) -> Result<Lane, ConnectError> {
        if matches!(lane, Err(LaneError::NoRelay)) {
            self.send_sealed(sealed, &SealedMessage::Unable { why: Unable::NoRelay }).await?;
        }
        Ok(lane?)
    }

    /// Answers the peer's description, or makes ours.
    async fn describe(
        &mut self,
        attempt: &mut Attempt,
        sealed: &mut Sealed,
        host: Option<Hex<32>>,
    ) -> Result<(), ConnectError> {
        let message = match attempt.offered.take() {
            Some(offer) => SealedMessage::Answer { sdp: attempt.lane.answer(offer).await? },
            None => SealedMessage::Offer { sdp: attempt.lane.offer().await?, host },
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

    async fn open_next(&mut self, sealed: &mut Sealed) -> Result<SealedMessage, ConnectError> {
        let relay = self.peer_message().await?;
        match sealed.open(&relay)? {
            SealedMessage::Unable { why } => Err(ConnectError::PeerUnable(why)),
            message => Ok(message),
        }
    }
}

/// A lane on its way up.
struct Attempt {
    lane: Lane,
    /// The peer's description, until it is answered.
    offered: Option<String>,
    remote_described: bool,
    /// Candidates that came before the description that they belong to.
    early: Vec<String>,
    /// Candidates that have names in place of addresses.
    named: NamedCandidates,
}

/// Candidates kept while the description is not there yet.
const MAX_EARLY_CANDIDATES: usize = 64;

impl Attempt {
    fn new(lane: Lane, offered: Option<String>) -> Self {
        let remote_described = offered.is_some();
        let (early, named) = (Vec::new(), NamedCandidates::default());
        Self { lane, offered, remote_described, early, named }
    }

    async fn take(&mut self, message: SealedMessage) -> Result<(), ConnectError> {
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

/// The sealed conversation: one key and one count each way.
struct Sealed {
    role: Role,
    sealer: Sealer,
    opener: Opener,
}

impl Sealed {
    fn seal(&mut self, message: &SealedMessage) -> Relay {
        let text = serde_json::to_vec(message).expect("sealed messages have string keys and no maps");
        let sealed = self.sealer.seal(&text);
        Relay::Sealed { seq: sealed.seq, body: Base64(sealed.body) }
    }

    /// Opens a relayed message. A box that does not open ends the attempt: nobody honest made it.
    fn open(&mut self, relay: &Relay) -> Result<SealedMessage, ConnectError> {
        let Relay::Sealed { seq, body } = relay else {
            return Err(ConnectError::Unexpected(match self.role {
                Role::Sender => "an unsealed message from the receiver",
                Role::Receiver => "an unsealed message from the sender",
            }));
        };
        let text = self.opener.open(*seq, &body.0).map_err(|_| ConnectError::Tampered)?;
        serde_json::from_slice(&text).map_err(|_| ConnectError::Unexpected("a sealed message that is none"))
    }
}

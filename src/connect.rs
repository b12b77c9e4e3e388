//! From a code to an authenticated link: room, PAKE, sealed descriptions, WebRTC, Bind.
//!
//! The only module that knows both signaling and transport; it introduces them to each other and keeps
//! neither. A [`Bound`] link is one over which the peer has proven, for the very DTLS certificates in
//! use, that it knows the code. Any failure after a join has spent the code.

mod agree;
mod attempt;
pub mod beckon;
mod bind;
mod exchange;
pub mod ice;
mod names;
pub mod reunion;
mod sealed;
pub mod verify;

use std::time::Duration;

use crate::code::{Code, WordCount};
use crate::connect::agree::agree;
use crate::connect::exchange::Exchange;
pub use crate::connect::exchange::Leaving;
use crate::connect::ice::IceServers;
use crate::connect::reunion::Reunion;
use crate::crypto::keys::{Complete, Verify};
use crate::crypto::{Key, Role};
use crate::dial::Dialer;
use crate::session::handshake::{Context, HandshakeError};
use crate::signaling::{Incoming, ServerUrl, Signaling, SignalingClientError};
pub use crate::transport::peer::{Better, Policy, interface_names};
use crate::transport::peer::{LaneError, WebRtcLink};
use crate::transport::{LinkLost, Path};
use crate::wire::signaling::{CloseCode, Hex, IceServer, Unable};

/// Longest wait for one message of a peer that is a program, not a person.
pub const PEER_WITHIN: Duration = Duration::from_secs(15);

/// The longest that a server may say a room lives.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Longest wait for a network path, from the first description on.
pub const PATH_WITHIN: Duration = Duration::from_secs(30);

/// How long an attempt waits before it is given up.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For one message of the peer.
    peer: Duration,
    /// For a path.
    path: Duration,
}

impl Patience {
    /// People wait for it, and a failure costs the code.
    const FIRST: Self = Self { peer: PEER_WITHIN, path: PATH_WITHIN };
}

/// How far a connection may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Not off this machine, whatever anybody says.
    ThisHost,
    /// No server is asked for addresses; whoever is on the network could have named it.
    Network,
    /// Anywhere, with the STUN and TURN servers that are configured or that the signaling server offers.
    Internet,
}

/// What this machine brings to a meeting.
pub struct Surroundings {
    /// How far from here the peer may be.
    pub limit: Limit,
    /// Names the running host, if it can be named: peers with the same use loopback.
    pub host: Option<Vec<u8>>,
    /// The signaling server, which may offer STUN and TURN servers; the peers' own has none.
    pub server: Option<ServerUrl>,
    /// STUN and TURN servers of our own, beside those.
    pub ice: IceServers,
    /// Which paths are wanted.
    pub policy: Policy,
    /// The only interfaces, by name, that are used; none means any.
    pub interfaces: Vec<String>,
    /// Most lanes of the link; as many as help when not said.
    pub lanes: Option<u8>,
    /// Whether the person here wants words compared.
    pub verify: bool,
    /// How servers over TCP are reached.
    pub dialer: Dialer,
    /// Hears of a path that is better than the first one.
    pub better: Option<Better>,
}

impl Surroundings {
    /// Takes in what the signaling server offers.
    fn add(&mut self, ice_servers: &[IceServer]) {
        if self.limit == Limit::Internet {
            self.ice.add(ice_servers, self.server.as_ref());
        }
    }
}

/// An authenticated link.
pub struct Bound {
    /// The link.
    pub link: WebRtcLink,
    /// How the peer was reached.
    pub path: Path,
    /// The key of the receiver's last word.
    pub complete_key: Key<Complete>,
    /// Feature bits that both sides have ([`crate::session::handshake::Abilities`]).
    pub features: u32,
    /// Where words are to be compared before anything else is said ([`verify`]): of which key.
    pub verify: Option<Key<Verify>>,
    /// How to find each other again when the link is lost.
    pub reunion: Reunion,
    /// The rest of the conversation with the server.
    pub leaving: Leaving,
}

/// Why two peers did not meet.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The signaling server.
    #[error(transparent)]
    Signaling(#[from] SignalingClientError),
    /// The PAKE: a wrong code, or no version in common.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The server gave another number than the code's: it is from before such wishes.
    #[error("the server gave another number than was asked for")]
    OtherNumber,
    /// The peer left before it was done.
    #[error("the other side left while connecting")]
    PeerLeft,
    /// The peer refused our confirmation: with the same code it would not have.
    #[error("the other side refused the code")]
    Refused,
    /// The peer said nothing for so long, or did not come to the meeting.
    #[error("the other side stopped answering while connecting")]
    PeerSilent,
    /// A sealed message that does not open: it was changed on the way.
    #[error("a sealed message was changed on its way")]
    Tampered,
    /// A message that has no place in the exchange.
    #[error("the other side sent something that the protocol forbids: {0}")]
    Unexpected(&'static str),
    /// The peer says that it cannot.
    #[error("{}", unable_sentence(*.0))]
    PeerUnable(Unable),
    /// WebRTC.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The peer's certificates are not those that it vouched for: somebody is in between.
    #[error("the connection does not belong to the other side")]
    NotBound,
}

fn unable_sentence(why: Unable) -> &'static str {
    match why {
        Unable::NoRelay => "the other side wants to be reached through a relay only, and has none",
        Unable::Unknown => "the other side says that it cannot connect",
    }
}

impl From<LinkLost> for ConnectError {
    fn from(_: LinkLost) -> Self {
        Self::PeerLeft
    }
}

/// A sender with a code, waiting for its receiver.
pub struct Waiting {
    signaling: Signaling,
    code: Code,
    nonce: Hex<16>,
    ice_servers: Vec<IceServer>,
    lives_for: Duration,
}

impl Waiting {
    /// Asks the server for a room and makes a code for it, or for the room of the code that is `own`.
    ///
    /// # Errors
    /// [`ConnectError::Signaling`] and [`ConnectError::OtherNumber`].
    pub async fn create(
        mut signaling: Signaling,
        words: WordCount,
        own: Option<&Code>,
    ) -> Result<Self, ConnectError> {
        let nonce = random();
        let room = signaling.create_numbered(nonce, own.map(Code::nameplate)).await?;
        let code = match own {
            None => Code::generate(room.nameplate, words, &random()),
            Some(own) if own.nameplate() == room.nameplate => own.clone(),
            Some(_) => return Err(ConnectError::OtherNumber),
        };
        let lives_for = room.ttl.min(LONGEST_LIFE) + PEER_WITHIN;
        Ok(Self { signaling, code, nonce: Hex(nonce), ice_servers: room.ice, lives_for })
    }

    /// The code to say.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// How long the server keeps the room for it.
    pub fn lives_for(&self) -> Duration {
        self.lives_for.saturating_sub(PEER_WITHIN)
    }

    /// Waits for whoever joins, for as long as the room lives. Until then only the server can fail.
    ///
    /// # Errors
    /// [`ConnectError::Signaling`]; then there is no room any more.
    pub async fn joined(mut self) -> Result<Joined, ConnectError> {
        let end = tokio::time::Instant::now() + self.lives_for;
        loop {
            let next = tokio::time::timeout_at(end, self.signaling.recv()).await;
            match next.map_err(|_| SignalingClientError::Closed(CloseCode::Expired))?? {
                Incoming::Peer { nr, ice } => {
                    let Self { signaling, code, nonce, ice_servers, .. } = self;
                    // An older server has said all there is with the room.
                    let ice_servers = if ice.is_empty() { ice_servers } else { ice };
                    let (ns, nr) = (nonce, Hex(nr));
                    return Ok(Joined { role: Role::Sender, signaling, code, ns, nr, ice_servers });
                }
                Incoming::Gone | Incoming::Relay(_) => (),
            }
        }
    }
}

/// A receiver whose question for the second seat went out with its connection, where the server takes it so.
pub struct Joining {
    signaling: Signaling,
    code: Code,
    nr: [u8; 16],
}

impl Joining {
    /// Connects to the server with the question under way, which saves a round trip.
    ///
    /// # Errors
    /// [`SignalingClientError`]: there is no such server. Had it heard the question before it was lost, the code is spent.
    pub async fn dial(
        dialer: &Dialer,
        url: &ServerUrl,
        within: Duration,
        code: Code,
    ) -> Result<Self, SignalingClientError> {
        let nr = random();
        let signaling = Signaling::connect_joining(dialer, url, within, code.nameplate(), nr).await?;
        Ok(Self { signaling, code, nr })
    }

    /// Takes the second seat of the code's room.
    ///
    /// # Errors
    /// [`ConnectError::Signaling`]: the server does not know the room, or is there no more.
    pub async fn seated(self) -> Result<Joined, ConnectError> {
        let Self { mut signaling, code, nr } = self;
        let room = signaling.join(code.nameplate(), nr).await?;
        let (ns, nr, ice_servers) = (Hex(room.ns), Hex(nr), room.ice);
        Ok(Joined { role: Role::Receiver, signaling, code, ns, nr, ice_servers })
    }
}

/// Two peers in one room; the code is spent whatever comes.
pub struct Joined {
    role: Role,
    signaling: Signaling,
    code: Code,
    ns: Hex<16>,
    nr: Hex<16>,
    ice_servers: Vec<IceServer>,
}

impl Joined {
    /// Takes the second seat of the code's room.
    ///
    /// # Errors
    /// [`ConnectError::Signaling`]: the server is not there, or does not know the room.
    pub async fn join(signaling: Signaling, code: Code) -> Result<Self, ConnectError> {
        Joining { signaling, code, nr: random() }.seated().await
    }

    /// Agrees on keys, finds a path, and checks that it ends at the peer.
    ///
    /// # Errors
    /// [`ConnectError`]; the peer is told that it is over.
    pub async fn bind(self, mut surroundings: Surroundings) -> Result<Bound, ConnectError> {
        let Self { role, signaling, code, ns, nr, ice_servers } = self;
        surroundings.add(&ice_servers);
        let context = Context { secret: code.secret(), nameplate: code.nameplate(), ns, nr };
        let (mut exchange, host) = Exchange::new(role, signaling, Patience::FIRST, surroundings);
        let result = async {
            let mut agreement = agree(&mut exchange, context, &random(), host.as_deref()).await?;
            let (link, path) = exchange.connect(&mut agreement).await?;
            Ok((link, path, agreement.schedule, agreement.features))
        }
        .await;
        match result {
            Ok((link, path, schedule, features)) => {
                let verify = exchange.is_to_be_verified().then(|| schedule.key());
                let leaving = exchange.leave_behind(path.kind).await;
                let reunion = Reunion::of(&schedule, role);
                Ok(Bound { link, path, complete_key: schedule.key(), features, verify, reunion, leaving })
            }
            Err(error) => {
                exchange.leave(None).await;
                Err(error)
            }
        }
    }
}

impl ConnectError {
    /// Whether the cause is a wrong code, as far as one side can tell.
    pub fn is_wrong_code(&self) -> bool {
        matches!(self, Self::Handshake(HandshakeError::WrongCode) | Self::Refused)
    }
}

/// Fresh random bytes from the operating system.
///
/// # Panics
/// If the operating system has none: nothing here could be secret then.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

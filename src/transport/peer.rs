//! One lane over WebRTC.
//!
//! A lane is one peer connection with channels that both sides know beforehand (negotiated, so none has to
//! be announced): the first lane of a link has three, further ones have the bulk channel only. The side that answers is
//! the client of DTLS and SCTP and has its channels last. What the other side says before it heard from it may be lost:
//! `rtc` 0.21 drops a message that comes together with the last handshake packet. [`Lane`] makes descriptions and candidates as text for
//! whoever carries them; [`Lane::next_event`] says when its channels are open, and [`Lane::into_link`]
//! then gives a [`WebRtcLink`].

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, RTCIceCandidate, RTCIceServer,
    RTCIceTransportPolicy, RTCSessionDescription,
};

use crate::transport::Path;
use crate::transport::candidates::{Kind, Screen};
use crate::transport::description::{check_description, fingerprint_of};
use crate::transport::engine::Engine;
pub use crate::transport::grounds::{Grounds, Policy, Reach, StreamRelay, interface_names};
use crate::transport::handler::{Handler, base_of, lock};
use crate::transport::lane::OpenLane;
pub use crate::transport::link::{Better, WebRtcLink};
use crate::transport::settings::settings;
use crate::transport::socket::{LaneRuntime, window_bytes};
use crate::transport::tunnel::Tunnels;
use crate::transport::way::{Circumstances, Pair, Seen};
use crate::wire::peer::Hash;
use crate::wire::signaling::IceServer;

/// The channels of a first lane: label and id.
const FIRST: &[(&str, u16)] = &[("control", 0), ("bulk", 1), ("lanes", 2)];

/// The channel of a further lane.
const FURTHER: &[(&str, u16)] = &[("bulk", 1)];

/// Candidates and state changes that may wait to be taken.
const EVENT_QUEUE: usize = 256;

/// SCTP receive window of a further lane, in bytes: eight lanes together must not take a hostile peer's
/// word for much more than one does, and a lane that is one of several needs no more (2 MiB is 1 Gbit/s
/// over 16 ms, or over 130 ms with eight).
const FURTHER_WINDOW_BYTES: u32 = 2 << 20;

/// Why a lane could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaneError {
    /// A description or candidate that WebRTC does not take.
    #[error("the other side's connection description is not usable")]
    BadDescription,
    /// No socket, no randomness, or another local fault; the library's words are in it.
    #[error("no connection could be prepared: {0}")]
    Local(String),
    /// Nothing but a relay may be used, and there is none.
    #[error("no relay is there to hide behind")]
    NoRelay,
    /// ICE or DTLS gave up.
    #[error("no network path between the two machines was found")]
    NoPath,
}

/// What a lane tells while it is being set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneEvent {
    /// A candidate to hand to the peer, as JSON of `RTCIceCandidateInit`.
    Candidate(String),
    /// There will be no more candidates.
    Gathered,
    /// Its channels are open.
    Open,
    /// It has failed or was closed.
    Failed,
    /// Nothing comes through any more; while it is being set up that may pass.
    Silent,
}

/// A peer connection that is being set up.
pub struct Lane {
    grounds: Grounds,
    connection: Arc<dyn PeerConnection>,
    channels: Vec<Arc<dyn DataChannel>>,
    events: mpsc::Receiver<LaneEvent>,
    runtime: LaneRuntime,
    /// How many of the channels, from the first on, are open.
    opened: usize,
    screen: Screen,
    seen: Arc<Mutex<Seen>>,
}

impl Lane {
    /// Opens the sockets of a link's first lane; TURN servers over TCP are reached as `dialer` knows.
    ///
    /// # Errors
    /// [`LaneError::Local`].
    pub async fn new(reach: Reach, ice_servers: &[IceServer]) -> Result<Self, LaneError> {
        Self::on(Grounds::new(reach, ice_servers.to_vec())).await
    }

    /// The same with all that can be said.
    ///
    /// # Errors
    /// [`LaneError::NoRelay`] when nothing else may be used; [`LaneError::Local`].
    pub async fn on(grounds: Grounds) -> Result<Self, LaneError> {
        if grounds.policy == Policy::RelayOnly && !grounds.has_relay() {
            return Err(LaneError::NoRelay);
        }
        Self::build(grounds, FIRST, window_bytes(), 0).await
    }

    /// The same for a further lane, whose work is done by one of so many threads; 0 means by this one.
    ///
    /// # Errors
    /// [`LaneError::Local`].
    pub(super) async fn further(grounds: Grounds, threads: usize) -> Result<Self, LaneError> {
        Self::build(grounds, FURTHER, window_bytes().min(FURTHER_WINDOW_BYTES), threads).await
    }

    async fn build(
        grounds: Grounds,
        channels: &[(&str, u16)],
        window: u32,
        threads: usize,
    ) -> Result<Self, LaneError> {
        let (sender, events) = mpsc::channel(EVENT_QUEUE);
        let (reach, policy) = (grounds.reach, grounds.policy);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (tunnels, servers) = match reach {
            Reach::SameHost => Default::default(),
            Reach::Everywhere => Tunnels::dig(&grounds.servers(), &grounds.stream_relays, &grounds.dialer),
        };
        let servers = servers.into_iter().map(|server| RTCIceServer {
            urls: server.urls,
            username: server.username.unwrap_or_default(),
            credential: server.credential.unwrap_or_default(),
        });
        let servers = servers.collect();
        let screen = Screen::of(&grounds);
        let runtime = LaneRuntime::with_tunnels(tunnels);
        let link_locals = runtime.link_locals.clone();
        let handler = Handler { events: sender, policy, seen: seen.clone(), link_locals };
        let connection = PeerConnectionBuilder::new()
            .with_configuration(
                RTCConfigurationBuilder::default()
                    .with_ice_servers(servers)
                    .with_ice_transport_policy(match policy {
                        Policy::RelayOnly => RTCIceTransportPolicy::Relay,
                        Policy::Any | Policy::DirectOnly => RTCIceTransportPolicy::All,
                    })
                    .build(),
            )
            .with_setting_engine(settings(reach, policy, window))
            .with_handler(Arc::new(handler))
            .with_runtime(Arc::new(runtime.clone()))
            .with_dedicated_reactor_pool_size(threads)
            .with_udp_addrs(
                grounds
                    .bind_addresses(&runtime.link_locals)
                    .map_err(|error| LaneError::Local(error.to_string()))?,
            )
            .with_data_channel_send_buffer_limit(Engine::HERE.send_buffer_bytes())
            .build()
            .await
            .map_err(local)?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let mut lane =
            Self { grounds, connection, channels: Vec::new(), events, runtime, opened: 0, screen, seen };
        for (label, id) in channels {
            lane.channels.push(negotiated(&*lane.connection, label, *id).await?);
        }
        Ok(lane)
    }

    /// Whether names of the peer's may be asked for on this network, which shows that somebody is here.
    pub fn may_ask_around(&self) -> bool {
        self.grounds.reach == Reach::Everywhere && self.grounds.policy != Policy::RelayOnly
    }

    /// Makes the offer; candidates follow by [`Lane::next_event`].
    ///
    /// # Errors
    /// [`LaneError::Local`].
    pub async fn offer(&self) -> Result<String, LaneError> {
        let offer = self.connection.create_offer(None).await.map_err(local)?;
        let sdp = offer.sdp.clone();
        self.connection.set_local_description(offer).await.map_err(local)?;
        Ok(sdp)
    }

    /// Takes the peer's offer and makes the answer.
    ///
    /// # Errors
    /// [`LaneError::BadDescription`] or [`LaneError::Local`].
    pub async fn answer(&self, offer: String) -> Result<String, LaneError> {
        check_description(&offer)?;
        let offer = RTCSessionDescription::offer(offer).map_err(|_| LaneError::BadDescription)?;
        self.connection.set_remote_description(offer).await.map_err(|_| LaneError::BadDescription)?;
        let answer = self.connection.create_answer(None).await.map_err(|_| LaneError::BadDescription)?;
        let sdp = answer.sdp.clone();
        self.connection.set_local_description(answer).await.map_err(local)?;
        Ok(sdp)
    }

    /// Takes the peer's answer.
    ///
    /// # Errors
    /// [`LaneError::BadDescription`].
    pub async fn accept(&self, answer: String) -> Result<(), LaneError> {
        check_description(&answer)?;
        let answer = RTCSessionDescription::answer(answer).map_err(|_| LaneError::BadDescription)?;
        self.connection.set_remote_description(answer).await.map_err(|_| LaneError::BadDescription)
    }

    /// Takes one of the peer's candidates. One that is not usable is passed over, as RFC 8838 §8 asks;
    /// past a bound all are. Call it only after the peer's description was taken.
    pub async fn add_candidate(&mut self, candidate: &str) {
        if let Some(candidate) = self.screen.take(candidate) {
            lock(&self.seen).theirs(candidate.kind, candidate.address);
            self.connection.add_ice_candidate(candidate.init()).await.ok();
        }
    }

    /// The next thing to know about this lane. Cancel safe.
    pub async fn next_event(&mut self) -> LaneEvent {
        while let Some(channel) = self.channels.get(self.opened) {
            let event = tokio::select! {
                event = self.events.recv() => return event.unwrap_or(LaneEvent::Failed),
                event = channel.poll() => event,
            };
            match event {
                Some(DataChannelEvent::OnOpen) => self.opened += 1,
                Some(_) => continue,
                None => return LaneEvent::Failed,
            }
            if self.opened == self.channels.len() {
                self.runtime.calm();
                return LaneEvent::Open;
            }
        }
        self.events.recv().await.unwrap_or(LaneEvent::Failed)
    }

    /// SHA-256 of our certificate and of the one that the peer proved to hold in DTLS.
    ///
    /// # Errors
    /// [`LaneError::NoPath`] before the lane is open.
    pub async fn fingerprints(&self) -> Result<(Hash, Hash), LaneError> {
        let local = self.connection.local_description().await.ok_or(LaneError::NoPath)?;
        let ours = fingerprint_of(&local.sdp).ok_or_else(|| LaneError::Local("no fingerprint".into()))?;
        let sctp = self.connection.sctp().await.ok_or(LaneError::NoPath)?;
        let chain = sctp.transport().get_remote_certificates().await.map_err(|_| LaneError::NoPath)?;
        let theirs = chain.first().ok_or(LaneError::NoPath)?;
        Ok((ours, Sha256::digest(theirs).into()))
    }

    /// How the peer was reached. To be asked of every first lane that is open: its driver hears of a relay by this.
    pub async fn path(&self) -> Path {
        let Some(sctp) = self.connection.sctp().await else { return Path::UNKNOWN };
        let pair = sctp.transport().ice_transport().get_selected_candidate_pair().await;
        let Ok(Some(pair)) = pair else { return Path::UNKNOWN };
        let end = |it: &RTCIceCandidate| {
            let address = SocketAddr::new(it.address.parse().ok()?, it.port);
            Some((Kind::of(it.typ)?, address))
        };
        let (Some(local), Some(remote)) = (end(pair.local()), end(pair.remote())) else {
            return Path::UNKNOWN;
        };
        if local.0 == Kind::Relay {
            self.runtime.go_through_relay();
        }
        let base = base_of(pair.local()).unwrap_or(local.1).ip();
        let Grounds { reach, policy, ice_servers, relay_names, .. } = &self.grounds;
        let asked = !ice_servers.is_empty();
        let around = Circumstances { reach: *reach, policy: *policy, asked, relay_names };
        let way = lock(&self.seen).way(Pair { local, base, remote }, around);
        Path::new(way, remote.1.ip())
    }

    /// The open first lane as a link.
    ///
    /// # Panics
    /// If it is a further lane.
    pub fn into_link(self) -> WebRtcLink {
        let Self { grounds, connection, channels, events, .. } = self;
        let [control, bulk, about] = <[_; 3]>::try_from(channels).ok().expect("a first lane's channels");
        WebRtcLink::new(OpenLane::new(connection, bulk, events), control, about, grounds)
    }

    /// The open lane as one that carries bulk frames only.
    pub(super) fn into_further(self) -> Option<OpenLane> {
        let Self { connection, channels, events, .. } = self;
        let bulk = channels.into_iter().next()?;
        Some(OpenLane::new(connection, bulk, events))
    }

    /// Gives the lane up.
    pub async fn abandon(self) {
        self.runtime.calm();
        self.connection.close().await.ok();
    }
}

async fn negotiated(
    connection: &dyn PeerConnection,
    label: &str,
    id: u16,
) -> Result<Arc<dyn DataChannel>, LaneError> {
    let init = RTCDataChannelInit { ordered: true, negotiated: Some(id), ..Default::default() };
    connection.create_data_channel(label, Some(init)).await.map_err(local)
}

fn local(error: webrtc::error::Error) -> LaneError {
    LaneError::Local(error.to_string())
}

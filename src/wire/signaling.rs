//! The signaling protocol: JSON text frames over one WebSocket, at most 16 KiB each.
//!
//! A client opens `ws://HOST:PORT/ws` and says `create` or `join`, or `meet` when it lost the peer that
//! it had found before; from then on the server passes [`Relay`] messages between the two seats without
//! looking inside. When it refuses, it closes with a [`CloseCode`], whose sentence tells the user what to
//! do.

mod sealed;

use serde::{Deserialize, Serialize};

pub use crate::wire::close::CloseCode;
pub use crate::wire::signaling::sealed::{SealedMessage, Unable};
use crate::wire::{MAX_SIGNALING_FRAME, PathKind};

/// The WebSocket's path on the server.
pub const SOCKET_PATH: &str = "/ws";

/// Header of a request for the WebSocket that carries the client's first message, as the JSON that a text frame would hold, in ASCII.
///
/// A server that takes it says the same header, with any value, in its response; one that does not know it says nothing.
pub const FIRST_HEADER: &str = "p2pcp-first";

/// Longest value of [`FIRST_HEADER`], in bytes; a `join` has about 85.
pub const MAX_FIRST_HEADER: usize = 512;

/// Port of a server when nothing else is said.
pub const DEFAULT_PORT: u16 = 8091;

/// The public half of a code: the number of a room on its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Nameplate(u32);

impl Nameplate {
    /// Smallest nameplate; three digits read as a number, not as a typo.
    pub const MIN: u32 = 100;
    /// Largest nameplate: nine digits.
    pub const MAX: u32 = 999_999_999;

    /// The nameplate with this number, if there is one.
    pub fn new(number: u32) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&number).then_some(Self(number))
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Nameplate {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::new(number).ok_or("a nameplate has three to nine digits")
    }
}

impl From<Nameplate> for u32 {
    fn from(nameplate: Nameplate) -> u32 {
        nameplate.0
    }
}

impl std::fmt::Display for Nameplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes that travel as lower-case hex in JSON, of exactly `N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes =
            data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| serde::de::Error::custom("wrong length"))
    }
}

/// What two peers that lost their link call their meeting: 32 bytes that only they can derive.
///
/// Whoever knows it can take a seat, and no more: what is said there is authenticated by other keys.
/// It has no `Debug` that shows it, so that it is in no log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub [u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Hex(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Hex::deserialize(deserializer).map(|bytes| Self(bytes.0))
    }
}

/// Which side of the session asks to meet again; each has one seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MeetRole {
    /// Who sends the files.
    Sender,
    /// Who receives them.
    Receiver,
}

/// Bytes that travel as unpadded base64url in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// One STUN or TURN server that the signaling server offers to both peers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:host:port` or `turn:host:port?transport=udp`.
    pub urls: Vec<String>,
    /// TURN user name, short-lived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// TURN credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientMessage {
    /// The sender asks for a room.
    Create {
        /// [`crate::wire::PROTOCOL_VERSION`].
        v: u16,
        /// The sender's half of the session id.
        ns: Hex<16>,
        /// The only number that will do; a server from before this field draws one all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nameplate: Option<Nameplate>,
    },
    /// The receiver takes the second seat of a room; this kills the nameplate.
    Join {
        /// [`crate::wire::PROTOCOL_VERSION`].
        v: u16,
        /// Which room.
        nameplate: Nameplate,
        /// The receiver's half of the session id.
        nr: Hex<16>,
    },
    /// One of two peers that lost their link asks for the other; it may wait for a while.
    Meet {
        /// [`crate::wire::PROTOCOL_VERSION`].
        v: u16,
        /// What both call their meeting.
        token: Token,
        /// Which of the two this is. Whoever sat there before loses the seat.
        role: MeetRole,
        /// Fresh for each `meet`.
        nonce: Hex<16>,
    },
    /// Something for the other seat.
    #[serde(untagged)]
    Relay(Relay),
    /// A kind that a newer client knows.
    #[serde(untagged)]
    Unknown(Unknown),
}

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// To the sender: the room is there.
    Created {
        /// Its number.
        nameplate: Nameplate,
        /// Seconds that it waits for a join.
        ttl: u32,
        /// STUN and TURN servers.
        #[serde(default)]
        ice: Vec<IceServer>,
    },
    /// To the receiver: the seat is taken.
    Joined {
        /// The sender's half of the session id.
        ns: Hex<16>,
        /// STUN and TURN servers.
        #[serde(default)]
        ice: Vec<IceServer>,
    },
    /// To the sender: somebody joined.
    Peer {
        /// The receiver's half of the session id.
        nr: Hex<16>,
        /// STUN and TURN servers, with credentials of this room; in place of those of `created`. An older server
        /// leaves them out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ice: Vec<IceServer>,
    },
    /// To both who asked to meet: the other is there too.
    Met {
        /// The other's nonce.
        nonce: Hex<16>,
        /// STUN and TURN servers.
        #[serde(default)]
        ice: Vec<IceServer>,
    },
    /// The other seat is empty.
    Gone,
    /// Something from the other seat.
    #[serde(untagged)]
    Relay(Relay),
    /// A kind that a newer server knows.
    #[serde(untagged)]
    Unknown(Unknown),
}

/// What the two seats say to each other; the server passes it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Relay {
    /// A CPace public share and associated data.
    Pake {
        /// The share: a ristretto255 element.
        y: Hex<32>,
        /// Version range and features: oldest u16, newest u16, features u32, big endian.
        ad: Hex<8>,
    },
    /// Key confirmation.
    Confirm {
        /// `Ta` or `Tb`.
        t: Hex<32>,
    },
    /// A sealed description or candidate.
    Sealed {
        /// 0, 1, 2, … in each direction.
        seq: u64,
        /// AES-256-GCM ciphertext and tag.
        #[serde(rename = "box")]
        body: Base64,
    },
    /// The attempt is over; the server counts these and learns no more.
    Bye {
        /// How the peers found each other.
        path: PathKind,
    },
}

/// A message of a kind that this version does not know: tolerated, counted, not acted upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Parses one text frame.
///
/// # Errors
/// Too long, not JSON, or a known kind with illegal fields.
pub fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, SignalingError> {
    if text.len() > MAX_SIGNALING_FRAME {
        return Err(SignalingError::TooLong(text.len()));
    }
    serde_json::from_str(text).map_err(|_| SignalingError::Malformed)
}

/// Renders one text frame.
pub fn render<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("signaling messages have string keys and no maps")
}

/// Why a text frame is not a signaling message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignalingError {
    /// Over [`MAX_SIGNALING_FRAME`].
    #[error("a signaling frame of {0} bytes")]
    TooLong(usize),
    /// Not a message of this protocol.
    #[error("a signaling frame that is not a p2pcp message")]
    Malformed,
}

#[cfg(test)]
mod tests;

//! What peers tell each other in sealed boxes, as JSON.

use serde::{Deserialize, Serialize};

use crate::wire::signaling::Hex;

/// What is inside a sealed box, as JSON: what the peers tell each other and the server never sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum SealedMessage {
    /// S to R, first.
    Hello {
        /// `HMAC(K("host"), identity of the running host)`: equal on both sides when they run on one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<Hex<32>>,
        /// The person here wants words compared before anything is offered.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        verify: bool,
    },
    /// R to S, once, or a second time where the first was for a peer elsewhere.
    Offer {
        /// The description (RFC 8866).
        sdp: String,
        /// As in `Hello`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<Hex<32>>,
        /// It was made before R had the `Hello`, and is void if both run on one host: another one follows.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        elsewhere: bool,
        /// As in `Hello`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        verify: bool,
    },
    /// S to R, once.
    Answer {
        /// The description.
        sdp: String,
    },
    /// Either way, any number after the description.
    Candidate {
        /// An `RTCIceCandidateInit` (W3C WebRTC §4.8.1.2) as JSON text.
        candidate: String,
    },
    /// Either way, in place of a description or after it: there will be no connection.
    Unable {
        /// Why.
        why: Unable,
    },
    /// A kind that a newer peer knows.
    #[serde(other)]
    Unknown,
}

/// Why a peer cannot connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unable {
    /// It wants to be reached through a relay only, and has none.
    NoRelay,
    /// A reason that a newer peer knows.
    #[serde(other)]
    Unknown,
}

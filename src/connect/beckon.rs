//! A receiver that came first hears on the server that its sender has come.
//!
//! Only a sender with a code of its own can be waited for, as nobody knows a random number beforehand. Both ask the server
//! for a meeting that they call by the number, as peers do that lost each other: whoever waits, waits there, and the
//! server is asked once a minute. Whoever else asks for that meeting learns that somebody waits, and a receiver that is
//! beckoned by them finds no room, or one whose sender it meets by the code as ever. So nothing is decided here, and
//! a server needs nothing for it that it did not have.

use std::time::Duration;

use crate::crypto::digest::sha256;
use crate::crypto::{Role, lv};
use crate::signaling::{Signaling, SignalingClientError};
use crate::wire::signaling::{CloseCode, MeetRole, Nameplate, Token};

/// Waits on a server until both sides of a nameplate are there, or the server has had enough, which is after a minute.
///
/// # Errors
/// [`SignalingClientError`]: nobody came.
pub async fn beckon(
    mut signaling: Signaling,
    nameplate: Nameplate,
    role: Role,
) -> Result<(), SignalingClientError> {
    let role = match role {
        Role::Sender => MeetRole::Sender,
        Role::Receiver => MeetRole::Receiver,
    };
    let met = signaling.meet(token(nameplate).0, role, [0; 16]).await;
    if met.is_ok() {
        signaling.close().await;
    }
    met.map(drop)
}

/// A server that lets nobody wait for so long is not asked again at once.
const LEAST_WAIT: Duration = Duration::from_secs(10);

/// Whether the server only had enough of waiting, and may be asked again at once.
pub fn is_patient(error: &SignalingClientError, waited: Duration) -> bool {
    matches!(error, SignalingClientError::Closed(CloseCode::Expired)) && waited >= LEAST_WAIT
}

/// What the meeting is called.
fn token(nameplate: Nameplate) -> Token {
    Token(sha256(&lv(&[b"p2pcp/1 beckon", nameplate.number().to_string().as_bytes()])))
}

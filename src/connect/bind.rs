//! Bind: the first words over a lane, by which each side proves that the other end of it is the peer.

use std::time::{Duration, Instant};

use crate::connect::ConnectError;
use crate::crypto::Role;
use crate::crypto::keys::{Fingerprints, Schedule};
use crate::transport::peer::{Lane, WebRtcLink};
use crate::transport::{Link, Path};
use crate::wire::Channel;
use crate::wire::peer::{Hash, PeerMessage, decode, encode};

/// When a receiver that has its channels says its Bind, though the sender has not said its own yet.
///
/// Later than the handshake packet that opens the sender's channels by more than packets are bundled on
/// their way, and sooner than the sender's Bind on any path where that matters.
const EARLY_BIND_AFTER: Duration = Duration::from_millis(4);

/// Exchanges Bind: each side proves that it knows the key, over the certificates that DTLS used.
pub(super) async fn bind(
    role: Role,
    lane: Lane,
    (ours, theirs): (Hash, Hash),
    schedule: &Schedule,
    patience: Duration,
) -> Result<(WebRtcLink, Path), ConnectError> {
    let fingerprints = match role {
        Role::Sender => Fingerprints { sender: ours, receiver: theirs },
        Role::Receiver => Fingerprints { sender: theirs, receiver: ours },
    };
    let path = lane.path().await;
    let link = lane.into_link();
    let deadline = Instant::now() + patience;
    let mac = schedule.bind(role, &fingerprints);
    let say = async || {
        link.ready(Channel::Control).await?;
        link.send(Channel::Control, encode(&PeerMessage::Bind { mac }).into()).await?;
        Ok::<_, ConnectError>(())
    };
    let hear = async || match link.recv().await {
        Ok((Channel::Control, frame)) => match decode(&frame) {
            Ok(PeerMessage::Bind { mac })
                if schedule.verify_bind(role.other(), &fingerprints, &mac).is_ok() =>
            {
                Ok(())
            }
            _ => Err(ConnectError::NotBound),
        },
        Ok((Channel::Bulk, _)) => Err(ConnectError::NotBound),
        Err(_) => Err(ConnectError::PeerLeft),
    };
    let exchange = async {
        if role == Role::Sender {
            say().await?;
            return hear().await;
        }
        // What is said before the sender has its channels may be lost (see `transport::peer`), so the Bind
        // that counts is said when the sender's came. But mostly an earlier one arrives too, and then
        // the sender need not wait a round trip.
        if let Ok(heard) = tokio::time::timeout(EARLY_BIND_AFTER, hear()).await {
            heard?;
        } else {
            say().await?;
            hear().await?;
        }
        say().await
    };
    let verdict = tokio::time::timeout_at(deadline.into(), exchange).await;
    match verdict.unwrap_or(Err(ConnectError::PeerSilent)) {
        Ok(()) => Ok((link, path)),
        Err(error) => {
            link.close().await;
            Err(error)
        }
    }
}

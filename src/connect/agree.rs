//! Keys on both sides, receiver first: by a code, or by keys of an earlier meeting.

use crate::connect::ConnectError;
use crate::connect::exchange::Exchange;
use crate::connect::sealed::Sealed;
use crate::crypto::keys::{Host, Schedule};
use crate::crypto::{Mac, Role};
use crate::session::handshake::{self, Context, HandshakeError, RANDOM_BYTES};
use crate::wire::signaling::{Hex, Relay};

/// What two peers agreed on.
pub(super) struct Agreement {
    pub(super) schedule: Schedule,
    pub(super) sealed: Sealed,
    /// Feature bits that both sides have; none of a later meeting, which goes on with what the first one began.
    pub(super) features: u32,
    /// The tag of the host that we run on.
    pub(super) host: Option<Hex<32>>,
}

/// Runs the PAKE and the confirmation.
pub(super) async fn agree(
    exchange: &mut Exchange,
    context: Context<'_>,
    random: &[u8; RANDOM_BYTES],
    host: Option<&[u8]>,
) -> Result<Agreement, ConnectError> {
    let (sharing, share) = handshake::start(exchange.role, context, random);
    // Neither waits for the other's share, which saves a round trip: a share tells nothing of the words, and
    // what tests a guess is the receiver's confirmation, which the sender answers only when it is right.
    exchange.signaling.send(share).await?;
    let theirs = exchange.peer_message().await?;
    let (confirming, confirm) = sharing.handle(&theirs)?;
    let mut sealed = Sealed::new(exchange.role, confirming.seals());
    let host = host.map(|identity| Hex(confirming.host_tag(identity)));
    if let Some(confirm) = confirm {
        exchange.signaling.send(confirm).await?;
        exchange.offer_ahead(&mut sealed, host).await?;
    }
    let theirs = exchange.hear(&mut sealed).await.map_err(|error| match (error, exchange.role) {
        // The sender ends the attempt when our confirmation does not verify.
        (ConnectError::PeerLeft, Role::Receiver) => ConnectError::Refused,
        (error, _) => error,
    })?;
    let features = confirming.features();
    let (schedule, confirm) = confirming.handle(&theirs)?;
    if let Some(confirm) = confirm {
        exchange.signaling.send(confirm).await?;
    }
    Ok(Agreement { schedule, sealed, features, host })
}

/// Confirms keys that both sides have from their first meeting, receiver first.
pub(super) async fn confirm(
    exchange: &mut Exchange,
    schedule: Schedule,
    host: Option<&[u8]>,
) -> Result<Agreement, ConnectError> {
    let mut sealed = Sealed::new(exchange.role, schedule.seals(exchange.role));
    let host = host.map(|identity| Hex(schedule.key::<Host>().mac(identity)));
    let forged = |_| ConnectError::Handshake(HandshakeError::WrongCode);
    match exchange.role {
        Role::Receiver => {
            let ta = schedule.confirm_receiver();
            exchange.signaling.send(Relay::Confirm { t: Hex(ta) }).await?;
            exchange.offer_ahead(&mut sealed, host).await?;
            let tb = confirmation(&exchange.hear(&mut sealed).await?)?;
            schedule.verify_sender(&ta, &tb).map_err(forged)?;
        }
        Role::Sender => {
            let ta = confirmation(&exchange.peer_message().await?)?;
            schedule.verify_receiver(&ta).map_err(forged)?;
            exchange.signaling.send(Relay::Confirm { t: Hex(schedule.confirm_sender(&ta)) }).await?;
        }
    }
    Ok(Agreement { schedule, sealed, features: 0, host })
}

fn confirmation(relay: &Relay) -> Result<Mac, ConnectError> {
    match relay {
        Relay::Confirm { t } => Ok(t.0),
        _ => Err(ConnectError::Unexpected("no confirmation")),
    }
}

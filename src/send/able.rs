//! Whether the other side is able to receive what is sent: by the features that both said under the PAKE.

use crate::connect::{Bound, ConnectError};
use crate::error::Error;
use crate::send::Options;
use crate::session::handshake::{Abilities, HandshakeError};
use crate::transport::Link;
use crate::wire::Channel;
use crate::wire::peer::{AbortReason, PeerMessage, encode};

/// Ends it where the other side is too old for what is to be sent.
///
/// That is said here. The other side hears that nothing comes: as it is too old for the reason, there is no better word.
pub(super) async fn check(bound: Bound, options: &Options) -> Result<Bound, Error> {
    if options.text.is_none() || bound.features & Abilities::TEXTS != 0 {
        return Ok(bound);
    }
    let farewell = encode(&PeerMessage::Abort(AbortReason::Declined));
    bound.link.send(Channel::Control, farewell.into()).await.ok();
    bound.link.close().await;
    Err(Error::Join(ConnectError::Handshake(HandshakeError::Lacks("a text"))))
}

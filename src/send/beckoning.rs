//! A sender whose code its receiver may have known before it came beckons on the server.

use std::convert::Infallible;
use std::time::Duration;

use crate::code::Code;
use crate::connect::beckon::beckon;
use crate::crypto::Role;
use crate::send::{Meeting, Options, SERVER_WITHIN};
use crate::signaling::{Signaling, SignalingClientError};
use crate::wire::signaling::CloseCode;

/// Time between two attempts, where one did not last for as long as it could.
const PAUSE: Duration = Duration::from_secs(5);

/// Has whoever waits for the code of one's own ([`crate::recv::Options::wait`]) know that it is there; for ever.
pub(super) async fn beckoning(options: &Options, own: Option<&Code>) -> Infallible {
    let (Meeting::Server(url), Some(code)) = (&options.meeting, own) else {
        return std::future::pending().await;
    };
    loop {
        let beckoned = async {
            let signaling = Signaling::connect_by(&options.routes.dialer, url, SERVER_WITHIN).await?;
            beckon(signaling, code.nameplate(), Role::Sender).await
        };
        match beckoned.await {
            Err(SignalingClientError::Closed(CloseCode::Expired)) => (),
            Ok(()) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

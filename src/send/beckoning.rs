//! A sender whose code its receiver may have known before it came beckons on the server.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;

use crate::code::Code;
use crate::connect::beckon::{beckon, is_patient};
use crate::crypto::Role;
use crate::send::{Meeting, Options, SERVER_WITHIN};
use crate::signaling::Signaling;

/// Time between two attempts, where one did not last for as long as it could: twice as long each time, up to the second. Whoever
/// comes and does not join is a stranger, who must not use up what a server gives this network.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// Has whoever waits for the code of one's own ([`crate::recv::Options::wait`]) know that it is there; for ever.
pub(super) async fn beckoning(options: &Options, own: Option<&Code>) -> Infallible {
    let (Meeting::Server(url), Some(code)) = (&options.meeting, own) else {
        return std::future::pending().await;
    };
    let mut pause = PAUSES.0;
    loop {
        let begun = Instant::now();
        let beckoned = async {
            let signaling = Signaling::connect_by(&options.routes.dialer, url, SERVER_WITHIN).await?;
            beckon(signaling, code.nameplate(), Role::Sender).await
        };
        match beckoned.await {
            Err(error) if is_patient(&error, begun.elapsed()) => pause = PAUSES.0,
            Ok(()) | Err(_) => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

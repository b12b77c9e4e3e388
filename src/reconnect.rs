//! What `send` and `recv` do when their link is lost: look for the other side until it is there again.
//!
//! The session goes on by itself once there is a link, and gives up by itself; here is neither an end
//! nor a decision.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::connect::ConnectError;
use crate::error::Error;
use crate::event::Event;
use crate::transfer::Teller;
use crate::transport::Path;
use crate::transport::peer::WebRtcLink;

/// Least time from the beginning of one attempt to that of the next.
const ATTEMPT_EVERY: Duration = Duration::from_secs(1);

/// Tries `attempt` until it works. Why one did not is told whenever the reason is another one.
pub(crate) async fn reconnect<F: Future<Output = Result<(WebRtcLink, Path), Error>>>(
    teller: &Teller,
    mut attempt: impl FnMut() -> F,
) -> WebRtcLink {
    let mut told = String::new();
    loop {
        let next = Instant::now() + ATTEMPT_EVERY;
        match attempt().await {
            Ok((link, path)) => {
                teller.tell(Event::Reconnected { path });
                return link;
            }
            Err(error) => {
                let reason = reason(&error);
                if reason != told {
                    told.clone_from(&reason);
                    teller.tell(Event::Retrying { reason });
                }
            }
        }
        tokio::time::sleep_until(next).await;
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::Join(ConnectError::PeerSilent | ConnectError::PeerLeft) | Error::NoSender { .. } => {
            "the other side is not there".to_owned()
        }
        error => error.cause().unwrap_or_else(|| error.to_string()),
    }
}

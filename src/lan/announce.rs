//! Tells the local network where a nameplate is (RFC 6762, RFC 6763).

use std::time::Duration;

use mdns_sd::{DaemonEvent, Receiver, ServiceInfo};
use tokio::time;

use crate::lan::multicast::Multicast;
use crate::lan::{LanError, SERVICE, Scope, port};
use crate::wire::PROTOCOL_VERSION;
use crate::wire::signaling::Nameplate;

/// How long a goodbye may take to leave the machine.
const GOODBYE: Duration = Duration::from_millis(250);

/// A nameplate that is announced until this is ended or dropped.
///
/// A machine without a network, or without the right to multicast, announces nothing; that is a fact
/// ([`announced`](Self::announced)) and not an error, since a receiver on the same machine needs no
/// announcement. When a network appears later, the announcement follows within seconds.
pub struct Announcement {
    running: Option<Running>,
    announced: bool,
}

struct Running {
    multicast: Multicast,
    events: Receiver<DaemonEvent>,
}

impl Announcement {
    /// Begins to announce this nameplate's port. With [`Scope::Loopback`] nothing happens at all.
    ///
    /// # Errors
    /// [`LanError::NoPortFor`] when the nameplate has no port.
    pub fn start(nameplate: Nameplate, scope: Scope) -> Result<Self, LanError> {
        let port = port(nameplate).ok_or(LanError::NoPortFor(nameplate))?;
        let running = match scope {
            Scope::Loopback => None,
            Scope::Lan => register(nameplate, port)
                .inspect_err(|error| log::debug!("nothing is announced on the local network: {error}"))
                .ok(),
        };
        Ok(Self { running, announced: false })
    }

    /// Waits until the announcement has gone out on some network, at most this long, and says whether
    /// it has. It takes about a second, since the name is probed first (RFC 6762 §8.1).
    ///
    /// Cancel safe.
    pub async fn announced(&mut self, patience: Duration) -> bool {
        let Some(running) = self.running.as_ref().filter(|_| !self.announced) else {
            return self.announced;
        };
        let announcing = async {
            while let Ok(event) = running.events.recv_async().await {
                if matches!(event, DaemonEvent::Announce(..)) {
                    return true;
                }
            }
            false
        };
        self.announced = time::timeout(patience, announcing).await.unwrap_or(false);
        self.announced
    }

    /// Takes the announcement back and waits, a quarter of a second at most, until the goodbye is out.
    pub async fn end(mut self) {
        if let Some(done) = self.running.take().and_then(|running| running.multicast.end().ok()) {
            // Without a goodbye others forget the nameplate in two minutes, which is as good.
            let _ = time::timeout(GOODBYE, done.recv_async()).await;
        }
    }
}

impl Drop for Announcement {
    /// Blocks for a quarter of a second at most; [`end`](Self::end) is the polite way.
    fn drop(&mut self) {
        if let Some(done) = self.running.take().and_then(|running| running.multicast.end().ok()) {
            let _ = done.recv_timeout(GOODBYE);
        }
    }
}

fn register(nameplate: Nameplate, port: u16) -> Result<Running, mdns_sd::Error> {
    // A name for this announcement alone: the machine's own name is nobody's business, and two
    // senders with one nameplate on one network must not argue about it.
    let tag = getrandom::u32().map_err(|error| mdns_sd::Error::Msg(error.to_string()))?;
    let instance = format!("{nameplate}-{tag:08x}");
    let host = format!("p2pcp-{tag:08x}.local.");
    let properties = [("n", nameplate.to_string()), ("v", PROTOCOL_VERSION.to_string())];
    let service = ServiceInfo::new(SERVICE, &instance, &host, "", port, &properties[..])?;
    let multicast = Multicast::start()?;
    let events = multicast.register(service.enable_addr_auto())?;
    Ok(Running { multicast, events })
}

//! Which nameplates others on this network have, so that no two senders have one at the same time.
//!
//! A receiver cannot tell them apart before it has guessed, and a wrong guess is the end of a code. Two senders that begin within
//! two seconds of each other, and draw the same of 900 numbers, may still have the same: a name is announced after it was
//! probed for, and not repeated within a second (RFC 6762 §8.1, §6).

use std::collections::HashSet;
use std::pin::Pin;
use std::time::Duration;

use mdns_sd::ServiceEvent;
use tokio::time::{Sleep, sleep};

use crate::lan::find::Search;
use crate::lan::{Scope, port};
use crate::wire::signaling::Nameplate;

/// How long others are listened to. The question goes out within 50 ms and is answered within 50 ms more, so this
/// leaves as much for a busy network as again.
const LISTEN_FOR: Duration = Duration::from_millis(200);

/// Others on this network, while they are being listened to.
pub struct Neighbours {
    search: Option<Search>,
    until: Pin<Box<Sleep>>,
}

impl Neighbours {
    /// Begins to listen; with [`Scope::Loopback`] there is nobody.
    pub fn listen(scope: Scope) -> Self {
        let search = match scope {
            Scope::Loopback => None,
            Scope::Lan => Search::start()
                .inspect_err(|error| log::debug!("the neighbours cannot be heard: {error}"))
                .ok(),
        };
        Self { search, until: Box::pin(sleep(LISTEN_FOR)) }
    }

    /// The nameplates that were announced since, waiting until it has been long enough.
    pub async fn nameplates(self) -> HashSet<Nameplate> {
        let Self { search, mut until } = self;
        let mut found = HashSet::new();
        let Some(search) = search else { return found };
        let collect = async {
            while let Ok(event) = search.events.recv_async().await {
                // Its name says enough: what it resolves to is nobody's business here.
                if let ServiceEvent::ServiceFound(_, name) = event {
                    found.extend(of_instance(&name));
                }
            }
        };
        tokio::select! {
            () = &mut until => {}
            () = collect => {}
        }
        found
    }
}

/// The nameplate in the name of an announcement: `417-89abcdef._p2pcp._tcp.local.`
fn of_instance(name: &str) -> Option<Nameplate> {
    let nameplate = Nameplate::new(name.split_once('-')?.0.parse().ok()?)?;
    // Others belong to servers; so there are at most as many as there are ports.
    port(nameplate).map(|_| nameplate)
}

#[cfg(test)]
mod tests {
    use super::{Neighbours, of_instance};
    use crate::lan::Scope;

    #[test]
    fn an_announcements_name_begins_with_the_nameplate() {
        let number = |name| of_instance(name).map(|it| it.number());
        assert_eq!(number("417-89abcdef._p2pcp._tcp.local."), Some(417));
        for other in
            ["1000-89abcdef._p2pcp._tcp.local.", "99-x", "417", "-417-x", "x-417", "", "99999999999-x"]
        {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn on_one_machine_there_is_nobody_to_wait_for() {
        let heard = Neighbours::listen(Scope::Loopback).nameplates();
        let at_once = tokio::time::timeout(std::time::Duration::ZERO, heard).await;
        assert!(at_once.unwrap().is_empty());
    }
}

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

/// How long somebody is waited for who does not answer at once: the second in which who answered is silent, after which the
/// question is asked again, and the time that an answer takes.
const LISTEN_LONGER: Duration = Duration::from_millis(1300);

/// Most that are heard at a time: all nameplates that have ports.
const MOST_HEARD: usize = 900;

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
        let mut heard = Heard::default();
        let Some(search) = self.search else { return heard.0 };
        let collect = async {
            while let Ok(event) = search.events.recv_async().await {
                heard.take(&event);
            }
        };
        tokio::select! {
            () = self.until => {}
            () = collect => {}
        }
        heard.0
    }

    /// The same, but when nobody is heard it waits for the next answer: who has just answered somebody else is silent for a
    /// second (RFC 6762 §6), and then asked again.
    pub async fn nameplates_or_wait(mut self) -> HashSet<Nameplate> {
        let (mut heard, mut longer) = (Heard::default(), Box::pin(sleep(LISTEN_LONGER)));
        let Some(search) = self.search else { return heard.0 };
        let mut over = false;
        loop {
            tokio::select! {
                () = &mut self.until, if !over => over = true,
                () = &mut longer => return heard.0,
                event = search.events.recv_async() => match event {
                    Ok(event) => _ = heard.take(&event),
                    Err(_) => return heard.0,
                },
            }
            if over && !heard.0.is_empty() {
                return heard.0;
            }
        }
    }

    /// Tells who is there whenever that changes, for as long as this is waited for. Cancel safe.
    pub async fn follow(self, mut tell: impl FnMut(&HashSet<Nameplate>)) {
        let mut heard = Heard::default();
        if let Some(search) = self.search {
            while let Ok(event) = search.events.recv_async().await {
                if heard.take(&event) {
                    tell(&heard.0);
                }
            }
        }
        std::future::pending().await
    }
}

/// Who is there.
#[derive(Default)]
struct Heard(HashSet<Nameplate>);

impl Heard {
    /// Whether an event changes it.
    fn take(&mut self, event: &ServiceEvent) -> bool {
        // Its name says enough: what it resolves to is nobody's business here.
        match event {
            ServiceEvent::ServiceFound(_, name) if self.0.len() < MOST_HEARD => {
                of_instance(name).is_some_and(|it| self.0.insert(it))
            }
            ServiceEvent::ServiceRemoved(_, name) => of_instance(name).is_some_and(|it| self.0.remove(&it)),
            _ => false,
        }
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
    use mdns_sd::ServiceEvent;

    use super::{Heard, Neighbours, of_instance};
    use crate::lan::Scope;

    #[test]
    fn who_goes_is_forgotten_and_who_stays_is_not() {
        let name = |number: u32| format!("{number}-89abcdef._p2pcp._tcp.local.");
        let found = |number| ServiceEvent::ServiceFound("_p2pcp._tcp.local.".to_owned(), name(number));
        let removed = |number| ServiceEvent::ServiceRemoved("_p2pcp._tcp.local.".to_owned(), name(number));
        let mut heard = Heard::default();
        let events = [found(417), found(520), found(417), removed(520), removed(520)];
        assert_eq!(events.map(|it| heard.take(&it)), [true, true, false, true, false]);
        assert_eq!(heard.0.iter().map(|it| it.number()).collect::<Vec<_>>(), [417]);
    }

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

//! A receiver that came before its sender: `--wait`.
//!
//! On a network it listens for the sender's announcement, and looks at the code's own port on this machine now and then. On a
//! server it asks for the room a few times only, since each time in vain counts as a guess there, and otherwise
//! waits until the sender beckons ([`beckon`]).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::code::Code;
use crate::connect::beckon::{beckon, is_patient};
use crate::connect::{ConnectError, Joined};
use crate::crypto::Role;
use crate::dial::Dialer;
use crate::error::Error;
use crate::lan::{self, Finder, Scope};
use crate::recv::find::{Addresses, join};
use crate::send::SERVER_WITHIN;
use crate::signaling::{ServerUrl, Signaling, SignalingClientError};
use crate::wire::signaling::{CloseCode, Nameplate};

/// The first pause, and the longest: each is half as long again as the one before.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// How often a server is asked for a room that nobody beckoned to. It forgives five questions in vain, of everybody behind one
/// address together.
const MOST_ASKED: u32 = 2;

/// How often it may be asked in vain after somebody beckoned, before nobody who beckons is believed for a while.
const FREE_VAIN: u32 = 3;

/// For how long then, at first and at most: it is twice as long each time, and a server forgives one question in that time.
const DEAF_FOR: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(600));

/// Pauses that grow.
#[derive(Debug, Clone, Copy)]
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(PAUSES.0)
    }

    /// The next one.
    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 3 / 2).min(PAUSES.1);
        now
    }
}

/// Time after which a network is searched anew. A search yields each address once, and few: whoever was not there yet when
/// somebody, or a stranger in their name, announced them is found by the next one.
const ANEW_AFTER: Duration = Duration::from_secs(30);

/// Addresses that are tried for as long as somebody is waited for: what is announced, and this machine again and again.
pub(super) struct Patient {
    /// `None` where there is no network to search.
    search: Option<Search>,
    /// `None` once nothing more can be heard.
    finder: Option<Finder>,
    here: Vec<SocketAddr>,
    due: Vec<SocketAddr>,
    at: Instant,
    anew: Instant,
    pause: Pause,
}

/// Begins to search.
type Search = Box<dyn Fn() -> Finder + Send>;

impl Patient {
    /// Begins to look. A nameplate of more than three digits is nowhere on this network.
    pub(super) fn new(nameplate: Nameplate, scope: Scope) -> Self {
        let here = lan::port(nameplate).map_or_else(Vec::new, |port| {
            let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            match scope {
                Scope::Loopback => vec![v4],
                Scope::Lan => vec![v4, SocketAddr::from((Ipv6Addr::LOCALHOST, port))],
            }
        });
        let searched = scope == Scope::Lan && !here.is_empty();
        let search = searched.then(|| Box::new(move || lan::find(nameplate, scope)) as Search);
        let finder = Some(lan::find(nameplate, scope));
        let mut pause = Pause::new();
        let (at, anew) = (Instant::now() + pause.next(), Instant::now() + ANEW_AFTER);
        Self { search, finder, here, due: Vec::new(), at, anew, pause }
    }
}

impl Addresses for Patient {
    async fn next(&mut self) -> Option<SocketAddr> {
        loop {
            if let Some(address) = self.due.pop() {
                return Some(address);
            }
            let heard = async {
                match &mut self.finder {
                    Some(finder) => finder.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = heard => match heard {
                    Some(address) => return Some(address),
                    None => self.finder = None,
                },
                () = tokio::time::sleep_until(self.at) => {
                    self.at = Instant::now() + self.pause.next();
                    self.due.clone_from(&self.here);
                }
                () = tokio::time::sleep_until(self.anew), if self.search.is_some() => {
                    self.anew = Instant::now() + ANEW_AFTER;
                    self.finder = self.search.as_ref().map(|search| search());
                }
            }
            if self.finder.is_none() && self.here.is_empty() && self.search.is_none() {
                return None;
            }
        }
    }
}

/// Waits on a server for the sender of a code, to which it said `error` just now, and takes the second seat of its room.
/// Ends only with an answer that no waiting changes.
pub(super) async fn on_server(
    dialer: &Dialer,
    url: &ServerUrl,
    code: &Code,
    error: &Error,
) -> Result<Joined, Error> {
    let (mut asked, mut vain) = (u32::from(is_miss(error)), 0);
    let mut pause = Pause::new();
    loop {
        let begun = Instant::now();
        let beckoned = async {
            let signaling = Signaling::connect_by(dialer, url, SERVER_WITHIN).await?;
            beckon(signaling, code.nameplate(), Role::Receiver).await
        };
        let beckoned = match beckoned.await {
            Ok(()) => true,
            // It waited for a minute, and can go on at once.
            Err(error) if is_patient(&error, begun.elapsed()) && asked < MOST_ASKED => false,
            Err(error) if is_patient(&error, begun.elapsed()) => continue,
            Err(error) => {
                log::debug!("waiting on the server: {error}");
                tokio::time::sleep(pause.next()).await;
                continue;
            }
        };
        pause = Pause::new();
        match join(dialer, url, code).await {
            // Anybody can beckon who knows a number: that must not end the wait.
            Err(error) if is_miss(&error) && beckoned => {
                vain += 1;
                tokio::time::sleep(deaf_for(vain)).await;
            }
            Err(error) if is_miss(&error) => asked += 1,
            Err(Error::Server { .. }) => tokio::time::sleep(pause.next()).await,
            Err(Error::Join(ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Limited)))) => {
                tokio::time::sleep(pause.next()).await;
            }
            answer => return answer,
        }
    }
}

/// How long nobody is listened to after somebody beckoned so many times in vain.
fn deaf_for(vain: u32) -> Duration {
    match vain.checked_sub(FREE_VAIN + 1) {
        None => Duration::ZERO,
        Some(doublings) => {
            let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
            DEAF_FOR.0.saturating_mul(factor).min(DEAF_FOR.1)
        }
    }
}

/// Whether a server said that it knows no such room.
fn is_miss(error: &Error) -> bool {
    matches!(error, Error::Join(ConnectError::Signaling(SignalingClientError::Closed(CloseCode::NoRoom))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::time::Instant;

    use crate::lan::Scope;
    use crate::recv::find::Addresses;
    use crate::recv::wait::{DEAF_FOR, FREE_VAIN, Patient, Pause, deaf_for};
    use crate::wire::signaling::Nameplate;

    #[test]
    fn pauses_grow_to_their_end() {
        let mut pause = Pause::new();
        let pauses: Vec<_> = std::iter::repeat_with(|| pause.next()).take(7).collect();
        assert_eq!((pauses[0], pauses[6]), (Duration::from_secs(1), Duration::from_secs(5)));
        assert!(pauses.is_sorted());
    }

    #[test]
    fn who_beckons_in_vain_is_believed_a_few_times_and_then_seldom() {
        assert!((0..=FREE_VAIN).all(|vain| deaf_for(vain).is_zero()));
        let deaf: Vec<_> = (1..=40).map(|more| deaf_for(FREE_VAIN + more)).collect();
        assert_eq!((deaf[0], deaf[1], deaf[39]), (DEAF_FOR.0, 2 * DEAF_FOR.0, DEAF_FOR.1));
        assert!(deaf.is_sorted());
    }

    #[tokio::test]
    async fn a_number_without_a_port_is_not_waited_for() {
        let mut patient = Patient::new(Nameplate::new(4170).unwrap(), Scope::Loopback);
        assert_eq!(patient.next().await, None);
    }

    /// The first search has yielded all that it ever will.
    #[tokio::test]
    async fn a_network_is_searched_anew() {
        let nameplate = Nameplate::new(417).unwrap();
        let mut patient = Patient::new(nameplate, Scope::Loopback);
        let address = patient.next().await;
        assert!(address.is_some());
        // Nothing but what a search yields; on loopback, as a test has no network.
        patient.here.clear();
        patient.search = Some(Box::new(move || crate::lan::find(nameplate, Scope::Loopback)));
        for _ in 0..3 {
            assert!(patient.next().now_or_never().is_none(), "not before its time");
            patient.anew = Instant::now();
            assert_eq!(patient.next().await, address);
        }
    }
}

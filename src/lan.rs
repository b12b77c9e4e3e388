//! Meeting without any server set up: a port for each nameplate, and DNS-SD across the local network.
//!
//! The sender runs the rendezvous itself, on TCP port 21000 + nameplate. So on the same machine the
//! receiver knows where to dial from the code alone, and two senders can never hold the same
//! nameplate: the second one's bind fails and another number is drawn. Invariants:
//! - With [`Scope::Loopback`] no packet leaves the machine.
//! - What is announced is the nameplate, never a word of the secret, nor this machine's name.
//! - What others announce is data of strangers: only the nameplate's own port is dialled, and at most
//!   [`MAX_FOUND`] addresses.

mod announce;
mod find;
mod multicast;
pub mod names;
mod neighbours;

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

pub use crate::lan::announce::Announcement;
pub use crate::lan::find::{Finder, MAX_FOUND, find};
pub use crate::lan::neighbours::Neighbours;
use crate::wire::signaling::Nameplate;

/// The DNS-SD service type (RFC 6763 §4.1.2).
const SERVICE: &str = "_p2pcp._tcp.local.";

/// What the port of a nameplate is counted from. 21100 to 21999 lies below Linux's ephemeral ports
/// (32768 and up) and those of RFC 6335 §6 (49152 and up), so that connections of others rarely
/// stand in the way.
const BASE_PORT: u16 = 21_000;

/// Numbers of three digits: the nameplates that have a port.
const NAMEPLATES: std::ops::RangeInclusive<u32> = 100..=999;

/// How many nameplates are tried before giving up.
const MAX_DRAWS: u32 = 64;

/// How far a rendezvous without a server can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This machine.
    Loopback,
    /// This machine and the networks that it is attached to.
    Lan,
}

/// Why there is no local rendezvous.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LanError {
    /// No nameplate was free; the reason of the last.
    #[error("none of {tries} ports could be opened")]
    NoPort {
        /// How many were tried.
        tries: u32,
        /// Why the last one failed.
        #[source]
        source: io::Error,
    },
    /// The number that was asked for belongs to another sender, or its port to another program.
    #[error("number {0} is in use on this machine or network")]
    Taken(Nameplate),
    /// The nameplate is not one that a port belongs to.
    #[error("nameplate {0} belongs to a server, not to this network")]
    NoPortFor(Nameplate),
}

/// The port of a nameplate; `None` when it has more than three digits.
pub fn port(nameplate: Nameplate) -> Option<u16> {
    let number = nameplate.number();
    let offset = u16::try_from(number).ok().filter(|_| NAMEPLATES.contains(&number))?;
    Some(BASE_PORT + offset)
}

/// Draws nameplates until one's port can be bound, those that neighbours have `taken` only when no other is found soon. The
/// listener is non-blocking, ready for
/// `tokio::net::TcpListener::from_std`; `random` yields uniform words.
///
/// # Errors
/// [`LanError::NoPort`] after a bounded number of tries.
pub fn bind(
    scope: Scope,
    taken: &HashSet<Nameplate>,
    mut random: impl FnMut() -> u64,
) -> Result<(TcpListener, Nameplate), LanError> {
    let count = u64::from(NAMEPLATES.end() - NAMEPLATES.start() + 1);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for draw in 0..MAX_DRAWS {
        let offset = u32::try_from(random() % count).unwrap_or(0);
        let Some((nameplate, port)) = Nameplate::new(NAMEPLATES.start() + offset)
            .and_then(|nameplate| Some((nameplate, port(nameplate)?)))
        else {
            continue;
        };
        // Somebody who claims all of them must not keep us from sending.
        if draw < MAX_DRAWS / 2 && taken.contains(&nameplate) {
            continue;
        }
        match listen(scope, port).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        }) {
            Ok(listener) => return Ok((listener, nameplate)),
            Err(error) => last = error,
        }
    }
    Err(LanError::NoPort { tries: MAX_DRAWS, source: last })
}

/// Binds the port of this nameplate, as [`bind`] does for one that it draws.
///
/// # Errors
/// [`LanError::NoPortFor`], and [`LanError::Taken`] where the port is in use or a neighbour says that the number is.
pub fn bind_numbered(
    scope: Scope,
    taken: &HashSet<Nameplate>,
    nameplate: Nameplate,
) -> Result<TcpListener, LanError> {
    let port = port(nameplate).ok_or(LanError::NoPortFor(nameplate))?;
    if taken.contains(&nameplate) {
        return Err(LanError::Taken(nameplate));
    }
    let listener = listen(scope, port).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => LanError::Taken(nameplate),
        _ => LanError::NoPort { tries: 1, source: error },
    })
}

fn listen(scope: Scope, port: u16) -> io::Result<TcpListener> {
    let v4 = |address: Ipv4Addr| TcpListener::bind(SocketAddr::from((address, port)));
    match scope {
        Scope::Loopback => v4(Ipv4Addr::LOCALHOST),
        Scope::Lan => match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
            // Where an IPv6 socket does not take IPv4 (`bindv6only`, Windows), the same port is still
            // free for IPv4, which then is the family that more receivers have.
            Ok(v6) => Ok(v4(Ipv4Addr::UNSPECIFIED).unwrap_or(v6)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            Err(_) => v4(Ipv4Addr::UNSPECIFIED),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::TcpStream;

    use crate::lan::{LanError, Scope, bind, bind_numbered, find, port};
    use crate::wire::signaling::Nameplate;

    fn random() -> u64 {
        getrandom::u64().unwrap()
    }

    #[test]
    fn a_port_belongs_to_each_nameplate_of_three_digits() {
        for (number, expect) in [(100, Some(21_100)), (417, Some(21_417)), (999, Some(21_999)), (1000, None)]
        {
            assert_eq!(port(Nameplate::new(number).unwrap()), expect);
        }
    }

    #[test]
    fn a_sender_listens_on_its_nameplates_port_of_this_machine() {
        let (listener, nameplate) = bind(Scope::Loopback, &HashSet::new(), random).unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback());
        assert_eq!(Some(address.port()), port(nameplate));
        TcpStream::connect(address).unwrap();
    }

    #[test]
    fn two_senders_never_share_a_nameplate() {
        let (first, nameplate) = bind(Scope::Loopback, &HashSet::new(), random).unwrap();
        let offset = u64::from(nameplate.number() - 100);
        let error = bind(Scope::Loopback, &HashSet::new(), || offset).unwrap_err();
        assert!(matches!(error, LanError::NoPort { .. }), "{error:?}");
        let mut draws = [offset, offset].into_iter();
        let draws = || draws.next().unwrap_or_else(random);
        let (_second, other) = bind(Scope::Loopback, &HashSet::new(), draws).unwrap();
        assert_ne!(other, nameplate);
        drop(first);
    }

    #[test]
    fn a_neighbours_nameplate_is_left_alone_as_long_as_there_are_others() {
        let all = (100..=999).filter_map(Nameplate::new).collect::<HashSet<_>>();
        let (_listener, free) = bind(Scope::Loopback, &HashSet::new(), random).unwrap();
        let others = all.iter().copied().filter(|it| it.number() % 2 == 0).collect();
        let (_listener, odd) = bind(Scope::Loopback, &others, random).unwrap();
        assert!(odd != free && odd.number() % 2 == 1);
        let (_listener, claimed) = bind(Scope::Loopback, &all, random).unwrap();
        assert!(all.contains(&claimed));
    }

    #[test]
    fn a_number_that_is_asked_for_is_had_or_refused_by_name() {
        let nobody = HashSet::new();
        let (listener, nameplate) = bind(Scope::Loopback, &nobody, random).unwrap();
        let error = bind_numbered(Scope::Loopback, &nobody, nameplate).unwrap_err();
        assert!(matches!(error, LanError::Taken(number) if number == nameplate), "{error:?}");
        drop(listener);
        let error = bind_numbered(Scope::Loopback, &HashSet::from([nameplate]), nameplate).unwrap_err();
        assert!(matches!(error, LanError::Taken(_)), "a neighbour has it: {error:?}");
        // The port of a number that is free can be lost to another test.
        let had = |_| {
            let (listener, free) = bind(Scope::Loopback, &nobody, random).ok()?;
            drop(listener);
            bind_numbered(Scope::Loopback, &nobody, free).ok()
        };
        let listener = (0..64).find_map(had).unwrap();
        assert!((21_100..22_000).contains(&listener.local_addr().unwrap().port()));
        let four = Nameplate::new(1000).unwrap();
        let error = bind_numbered(Scope::Loopback, &nobody, four).unwrap_err();
        assert!(matches!(error, LanError::NoPortFor(number) if number == four), "{error:?}");
    }

    #[tokio::test]
    async fn on_one_machine_the_code_is_enough() {
        let nameplate = Nameplate::new(417).unwrap();
        let mut finder = find(nameplate, Scope::Loopback);
        let mut found = HashSet::new();
        while let Some(address) = finder.next().await {
            found.insert(address.to_string());
        }
        assert_eq!(found, HashSet::from(["127.0.0.1:21417".to_owned()]));
    }

    #[tokio::test]
    async fn a_servers_nameplate_is_nowhere_on_this_network() {
        let mut finder = find(Nameplate::new(1000).unwrap(), Scope::Loopback);
        assert_eq!(finder.next().await, None);
    }
}

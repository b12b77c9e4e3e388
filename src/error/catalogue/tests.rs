//! The catalogue misses no kind of failure. A new variant makes a `match` here incomplete; then it belongs into the catalogue.

use std::collections::BTreeSet;

use crate::connect::ConnectError as Connect;
use crate::error::{Error, catalogue};
use crate::fs::{DiskFault as Disk, SourceError as Source};
use crate::session::Failure;
use crate::signaling::SignalingClientError as Signaling;
use crate::wire::peer::AbortReason as Reason;

/// Asserts that the numbers `0..kinds` are all there.
fn assert_all(what: &str, kinds: u32, found: impl Iterator<Item = u32>) {
    let found: BTreeSet<_> = found.collect();
    let missing: Vec<_> = (0..kinds).filter(|it| !found.contains(it)).collect();
    assert!(missing.is_empty(), "{what}: no example of {missing:?}");
}

fn all() -> Vec<Error> {
    catalogue().into_iter().flat_map(|group| group.errors).collect()
}

#[test]
fn the_catalogue_has_every_failure() {
    let number = |error: &Error| match error {
        Error::Typed(_) => 0,
        Error::NoCode => 1,
        Error::ServerAddress(_) => 2,
        Error::TurnServers(_) => 3,
        Error::NoInterface { .. } => 4,
        Error::RelayNeedsServer => 5,
        Error::Source(_) => 6,
        Error::Lan(_) => 7,
        Error::NoRendezvous => 8,
        Error::Server { .. } => 9,
        Error::NoSender { .. } => 10,
        Error::Join(_) => 11,
        Error::Meeting(_) => 12,
        Error::CodesBurnt(_) => 13,
        Error::Session { .. } => 14,
        Error::Interrupted { .. } => 15,
        Error::Listen { .. } => 16,
        Error::ProxyAddress(_) => 17,
        Error::TlsFile { .. } => 18,
        Error::HalfTls => 19,
        Error::Clean(_) => 20,
        Error::Document(_) => 21,
        Error::Serve(_) => 22,
        Error::Globs(_) => 23,
        Error::Setting { .. } => 24,
        Error::OwnCode(_) => 25,
        Error::CodeUnused { .. } => 26,
        Error::Unverified(_) => 27,
        Error::NobodyToVerify => 28,
        Error::StreamForMany => 29,
    };
    assert_all("Error", 30, all().iter().map(number));
}

#[test]
fn the_catalogue_has_every_reason_not_to_connect() {
    let number = |error: &Connect| match error {
        Connect::Signaling(_) => 0,
        Connect::Handshake(_) => 1,
        Connect::PeerLeft => 2,
        Connect::Refused => 3,
        Connect::PeerSilent => 4,
        Connect::Tampered => 5,
        Connect::Unexpected(_) => 6,
        Connect::PeerUnable(_) => 7,
        Connect::Lane(_) => 8,
        Connect::NotBound => 9,
        Connect::OtherNumber => 10,
    };
    let unconnected = |error| match error {
        Error::Join(it) | Error::Meeting(it) => Some(it),
        _ => None,
    };
    let joined = all().into_iter().filter_map(unconnected);
    assert_all("ConnectError", 11, joined.map(|it| number(&it)));
    let number = |error: &Signaling| match error {
        Signaling::Unresolved(_) => 0,
        Signaling::Unreachable(_) => 1,
        Signaling::TimedOut(_) => 2,
        Signaling::Untrusted(_) => 3,
        Signaling::Proxy(..) => 4,
        Signaling::NotP2pcp { .. } => 5,
        Signaling::Closed(_) => 6,
        Signaling::Lost => 7,
        Signaling::Malformed => 8,
        Signaling::TooLong => 9,
    };
    let servers = all().into_iter();
    let servers =
        servers.filter_map(|it| if let Error::Server { error, .. } = it { Some(error) } else { None });
    assert_all("SignalingClientError", 10, servers.map(|it| number(&it)));
}

#[test]
fn the_catalogue_has_every_fault_of_files_and_disks() {
    let number = |error: &Source| match error {
        Source::Nothing => 0,
        Source::Missing { .. } => 1,
        Source::Denied { .. } => 2,
        Source::NotSendable { .. } => 3,
        Source::Nameless { .. } => 4,
        Source::BadName { .. } => 5,
        Source::SameName { .. } => 6,
        Source::Failed { .. } => 7,
        Source::AllExcluded => 8,
        Source::Rules { .. } => 9,
    };
    let sources = all().into_iter().filter_map(|it| if let Error::Source(it) = it { Some(it) } else { None });
    assert_all("SourceError", 10, sources.map(|it| number(&it)));
    let number = |fault: &Disk| match fault {
        Disk::Full { .. } => 0,
        Disk::NoRoom { .. } => 1,
        Disk::Quota { .. } => 2,
        Disk::Denied { .. } => 3,
        Disk::ReadOnly { .. } => 4,
        Disk::NotAFolder { .. } => 5,
        Disk::TooLarge { .. } => 6,
        Disk::Unsupported { .. } => 7,
        Disk::Damaged { .. } => 8,
        Disk::Failed { .. } => 9,
        Disk::OutputClosed => 10,
        Disk::NotOneFile => 11,
    };
    let faults = all().into_iter();
    let faults = faults.filter_map(|it| if let Error::Session { fault, .. } = it { fault } else { None });
    assert_all("DiskFault", 12, faults.map(|it| number(&it)));
}

#[test]
fn the_catalogue_has_every_end_of_a_session() {
    let failures = || {
        let sessions = all().into_iter();
        sessions.filter_map(|it| if let Error::Session { failure, .. } = it { Some(failure) } else { None })
    };
    let number = |failure: &Failure| match failure {
        Failure::LinkLost => 0,
        Failure::Silence => 1,
        Failure::Peer(_) => 2,
        Failure::Own(_) => 3,
        Failure::Violation(_) => 4,
        Failure::Integrity(_) => 5,
    };
    assert_all("Failure", 6, failures().map(|it| number(&it)));
    let number = |reason: &Reason| match reason {
        Reason::Declined => 0,
        Reason::Unattended => 1,
        Reason::Interrupted => 2,
        Reason::DiskFull => 3,
        Reason::DiskDenied => 4,
        Reason::DiskReadOnly => 5,
        Reason::DiskFailed => 6,
        Reason::Integrity => 7,
        Reason::Protocol => 8,
        Reason::Silence => 9,
        Reason::OutputClosed => 10,
        Reason::NotOneFile => 11,
    };
    let reasons = failures().filter_map(|it| if let Failure::Peer(it) = it { Some(it) } else { None });
    assert_all("AbortReason", 12, reasons.map(|it| number(&it)));
}

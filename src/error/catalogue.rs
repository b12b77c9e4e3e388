//! One example of every failure that a person can meet: `docs/errors.md` is made of it.

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::code::CodeError;
use crate::connect::ConnectError;
use crate::dial::{ProxyFault, ProxyUrlError};
use crate::error::{Error, Side, Unverified};
use crate::fs::{DiskFault, GlobError, SourceError};
use crate::interrupt::Interrupt;
use crate::lan::LanError;
use crate::server::ServerError;
use crate::session::handshake::HandshakeError;
use crate::session::{Failure, Violation};
use crate::signaling::{ServerUrl, SignalingClientError};
use crate::transport::peer::LaneError;
use crate::wire::ice::IceUrlError;
use crate::wire::path::{NameError, RelPath};
use crate::wire::peer::AbortReason;
use crate::wire::signaling::{CloseCode, Nameplate, Unable};

/// Failures that belong together.
#[derive(Debug)]
pub struct Group {
    /// When they come.
    pub title: &'static str,
    /// An example of each, with made-up names.
    pub errors: Vec<Error>,
}

/// Every failure, in the order in which a transfer can meet them.
pub fn catalogue() -> Vec<Group> {
    let group = |title, errors| Group { title, errors };
    vec![
        group("What was typed or configured", typed()),
        group("`send`: the files", source().into_iter().map(Error::Source).collect()),
        group("`send`: before the other side has come", meeting()),
        group("`recv`: the two do not connect", joining()),
        group("`send`: after the connection", session(Side::Sending)),
        group("`recv`: after the connection", session(Side::Receiving)),
        group("`recv`: the disk here", faults().into_iter().map(disk).collect()),
        group("`signal`, `doctor` and `clean`", others()),
    ]
}

fn refused() -> io::Error {
    io::ErrorKind::ConnectionRefused.into()
}

fn typed() -> Vec<Error> {
    let mut errors = vec![
        Error::Setting {
            place: "~/.config/p2pcp/config.toml, line 3".to_owned(),
            fault: "there is no setting `sever`".to_owned(),
            hint: "did you mean `server`?".to_owned(),
        },
        Error::Globs(GlobError::TooLong),
        Error::Typed(CodeError::Empty),
        Error::Typed(CodeError::TooLong { got: 5000, max: 400 }),
        Error::Typed(CodeError::NoNameplate),
        Error::Typed(CodeError::WordCount { got: 1 }),
        Error::Typed(CodeError::UnknownWord { typed: "xyzzy".to_owned(), suggestions: Vec::new() }),
        Error::Typed(CodeError::UnknownWord { typed: "alo".to_owned(), suggestions: vec!["aloe"] }),
        Error::OwnCode(CodeError::WordCount { got: 1 }),
        Error::OwnCode(CodeError::UnknownWord { typed: "alo".to_owned(), suggestions: vec!["aloe"] }),
        Error::NobodyToVerify,
        Error::StreamForMany,
        Error::NoCode,
        Error::TurnServers(IceUrlError::Credentials),
        Error::NoInterface { name: "eth9".to_owned(), known: vec!["eth0".to_owned(), "wlan0".to_owned()] },
        Error::NoInterface { name: "eth9".to_owned(), known: Vec::new() },
        Error::RelayNeedsServer,
        Error::HalfTls,
        Error::TlsFile { path: "key.pem".to_owned(), error: io::ErrorKind::NotFound.into() },
    ];
    errors.extend("ftp://p2pcp.example.org".parse::<ServerUrl>().err().map(Error::ServerAddress));
    errors.push(Error::ProxyAddress(ProxyUrlError));
    errors
}

fn source() -> Vec<SourceError> {
    let path = || PathBuf::from("photos");
    vec![
        SourceError::Nothing,
        SourceError::AllExcluded,
        SourceError::Rules { path: path() },
        SourceError::Missing { path: path() },
        SourceError::Denied { path: path() },
        SourceError::NotSendable { path: "/dev/null".into() },
        SourceError::Nameless { path: "/".into() },
        SourceError::BadName { path: path(), why: NameError::Control },
        SourceError::SameName { name: name("photos"), first: "a/photos".into(), second: "b/photos".into() },
        SourceError::Failed { path: path(), code: 5 },
    ]
}

fn name(text: &str) -> RelPath {
    RelPath::parse(text).expect("the names here are legal")
}

fn signaling() -> Vec<SignalingClientError> {
    let proxy = |fault| SignalingClientError::Proxy("http://proxy:3128".to_owned(), fault);
    let own = vec![
        SignalingClientError::Unresolved(io::Error::other("no such name")),
        SignalingClientError::Unreachable(refused()),
        SignalingClientError::TimedOut(Duration::from_secs(10)),
        SignalingClientError::Untrusted(io::Error::other("unknown issuer")),
        proxy(ProxyFault::Unreachable(Box::new(refused()))),
        proxy(ProxyFault::Credentials),
        proxy(ProxyFault::Refused(Some(403))),
        proxy(ProxyFault::NoWay),
        proxy(ProxyFault::NotAProxy),
        SignalingClientError::NotP2pcp { status: Some(404) },
        SignalingClientError::Lost,
        SignalingClientError::Malformed,
        SignalingClientError::TooLong,
    ];
    // A server knows nothing of a code yet.
    let closed = CloseCode::ALL.iter().filter(|it| !matches!(it, CloseCode::NoRoom | CloseCode::Expired));
    own.into_iter().chain(closed.copied().map(SignalingClientError::Closed)).collect()
}

fn meeting() -> Vec<Error> {
    let address = || ServerUrl::from(std::net::SocketAddr::from(([192, 0, 2, 1], 8091)));
    let mut errors: Vec<_> = signaling().into_iter().map(|it| Error::server(&address(), it)).collect();
    errors.push(Error::Lan(LanError::NoPort { tries: 50, source: io::ErrorKind::AddrInUse.into() }));
    errors.extend(Nameplate::new(417).map(|it| Error::Lan(LanError::Taken(it))));
    errors.extend(Nameplate::new(4170).map(|it| Error::Lan(LanError::NoPortFor(it))));
    errors.push(Error::Meeting(ConnectError::OtherNumber));
    errors.push(Error::CodeUnused { lived_for: Duration::from_secs(1800) });
    use Unverified as Why;
    errors.extend([Why::Here, Why::There, Why::NobodyHere, Why::NobodyThere].map(Error::Unverified));
    errors.push(Error::NoRendezvous);
    for code in CloseCode::ALL.iter().filter(|it| **it != CloseCode::NoRoom) {
        errors.push(Error::Meeting(SignalingClientError::Closed(*code).into()));
    }
    errors.push(Error::Meeting(SignalingClientError::Lost.into()));
    errors.push(Error::CodesBurnt(HandshakeError::WrongCode.into()));
    errors.push(Error::CodesBurnt(ConnectError::PeerSilent));
    errors.push(Error::CodesBurnt(LaneError::NoPath.into()));
    errors.push(Error::Interrupted { interrupt: Interrupt::Interrupted, again: None });
    errors.push(Error::Interrupted { interrupt: Interrupt::Terminated, again: None });
    errors
}

fn joining() -> Vec<Error> {
    let mut errors = vec![Error::NoSender { used: false }, Error::NoSender { used: true }];
    let mut connect = vec![
        ConnectError::Refused,
        HandshakeError::WrongCode.into(),
        HandshakeError::InvalidShare.into(),
        HandshakeError::Version { oldest: 2, newest: 3 }.into(),
        HandshakeError::Lacks("a text").into(),
        HandshakeError::OutOfTurn.into(),
        ConnectError::PeerLeft,
        ConnectError::PeerSilent,
        ConnectError::Tampered,
        ConnectError::Unexpected("a candidate out of turn"),
        ConnectError::PeerUnable(Unable::NoRelay),
        ConnectError::PeerUnable(Unable::Unknown),
        LaneError::BadDescription.into(),
        LaneError::Local("no socket".to_owned()).into(),
        LaneError::NoRelay.into(),
        LaneError::NoPath.into(),
        ConnectError::NotBound,
        SignalingClientError::Lost.into(),
    ];
    connect.extend(CloseCode::ALL.iter().map(|it| SignalingClientError::Closed(*it).into()));
    errors.extend(connect.into_iter().map(Error::Join));
    errors
}

/// Every reason for which a peer ends a session.
const REASONS: [AbortReason; 12] = [
    AbortReason::Declined,
    AbortReason::Unattended,
    AbortReason::Interrupted,
    AbortReason::DiskFull,
    AbortReason::DiskDenied,
    AbortReason::DiskReadOnly,
    AbortReason::DiskFailed,
    AbortReason::Integrity,
    AbortReason::Protocol,
    AbortReason::Silence,
    AbortReason::OutputClosed,
    AbortReason::NotOneFile,
];

fn session(side: Side) -> Vec<Error> {
    let again = match side {
        Side::Sending | Side::SendingStream => "p2pcp send photos",
        Side::Receiving | Side::ReceivingStream => "p2pcp recv CODE",
    };
    let mut failures = vec![Failure::LinkLost, Failure::Silence];
    let own = match side {
        Side::Sending | Side::SendingStream => &[][..],
        Side::Receiving | Side::ReceivingStream => &[AbortReason::Declined, AbortReason::Unattended],
    };
    failures.extend(own.iter().copied().map(Failure::Own));
    // Only a receiver has a disk to speak of, or is asked.
    let said = |it: &AbortReason| match it {
        AbortReason::Interrupted | AbortReason::Integrity | AbortReason::Protocol | AbortReason::Silence => {
            true
        }
        _ => side == Side::Sending,
    };
    failures.extend(REASONS.into_iter().filter(said).map(Failure::Peer));
    failures.push(Violation::FalseCompletion.into());
    if side == Side::Receiving {
        failures.push(Failure::Integrity(name("photos/a.jpg")));
    }
    let mut errors: Vec<_> = failures
        .into_iter()
        .map(|failure| Error::session(side, failure, None, None, Some(again.to_owned())))
        .collect();
    let interrupt = Interrupt::Interrupted;
    errors.push(Error::Interrupted { interrupt, again: Some(again.to_owned()) });
    errors
}

fn faults() -> Vec<DiskFault> {
    let path = || PathBuf::from("photos/a.jpg");
    vec![
        DiskFault::Full { path: path() },
        DiskFault::NoRoom { path: ".".into(), needed: 2_000_000, free: 1_000_000 },
        DiskFault::Quota { path: path() },
        DiskFault::Denied { path: path() },
        DiskFault::ReadOnly { path: path() },
        DiskFault::NotAFolder { path: "photos".into() },
        DiskFault::TooLarge { path: path() },
        DiskFault::Unsupported { path: path() },
        DiskFault::Damaged { path: ".p2pcp-0123456789abcdef".into() },
        DiskFault::Failed { path: path(), code: 5 },
        DiskFault::OutputClosed,
        DiskFault::NotOneFile,
    ]
}

fn disk(fault: DiskFault) -> Error {
    let failure = Failure::Own(match fault {
        DiskFault::OutputClosed => AbortReason::OutputClosed,
        DiskFault::NotOneFile => AbortReason::NotOneFile,
        _ => AbortReason::DiskFailed,
    });
    let again = Some("p2pcp recv CODE".to_owned());
    Error::session(Side::Receiving, failure, Some(fault), None, again)
}

fn others() -> Vec<Error> {
    let listen = |kind: io::ErrorKind| {
        let (host, port) = ("192.0.2.1".to_owned(), 80);
        Error::Listen { host, port, error: kind.into() }
    };
    vec![
        listen(io::ErrorKind::AddrInUse),
        listen(io::ErrorKind::PermissionDenied),
        listen(io::ErrorKind::AddrNotAvailable),
        listen(io::ErrorKind::OutOfMemory),
        Error::Serve(ServerError::Listener(io::ErrorKind::InvalidInput.into())),
        Error::Document(io::ErrorKind::BrokenPipe.into()),
        Error::Clean(DiskFault::NotAFolder { path: "notes.txt".into() }),
        Error::Clean(DiskFault::Denied { path: ".p2pcp-0123456789abcdef".into() }),
    ]
}

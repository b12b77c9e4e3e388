//! Every sentence that a person sees when something fails, its hint, and its exit code.
//!
//! The layers below know facts; only this file gives advice. The table of exit codes is [`ExitCode`].

use std::io;

use crate::code::CodeError;
use crate::connect::ConnectError;
use crate::fs::{DiskFault, SourceError};
use crate::interrupt::Interrupt;
use crate::lan::LanError;
use crate::server::ServerError;
use crate::session::handshake::HandshakeError;
use crate::session::{Failure, Summary};
use crate::signal;
use crate::signaling::{ServerUrl, ServerUrlError, SignalingClientError};
use crate::wire::peer::AbortReason;
use crate::wire::signaling::CloseCode;

/// What the process says to whoever started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// All of it arrived.
    Done = 0,
    /// It failed, or not all of it could be sent.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The code is wrong, used, unknown or expired.
    Code = 3,
    /// The receiver said no.
    Declined = 4,
    /// The peer or the network was lost; trying again can help.
    Lost = 5,
    /// The disk here is full, read-only, or may not be written.
    Disk = 6,
    /// Bytes did not match, or files changed while being sent.
    Integrity = 7,
    /// All that could be kept was; other entries were refused because their names are taken here.
    Refused = 8,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM or SIGHUP.
    Terminated = 143,
}

impl ExitCode {
    /// Every code, with what it means.
    pub const ALL: &[(Self, &str)] = &[
        (Self::Done, "done: everything arrived, verified and on disk"),
        (Self::Failed, "failed, or not everything could be sent"),
        (Self::Usage, "the command line was not understood"),
        (Self::Code, "code wrong, used, unknown or expired"),
        (Self::Declined, "the receiver declined"),
        (Self::Lost, "peer or network lost; try again"),
        (Self::Disk, "disk full, read-only or no permission"),
        (Self::Integrity, "bytes did not match, or a file changed while being sent"),
        (Self::Refused, "finished, but some names were taken and left as they were"),
        (Self::Interrupted, "interrupted (Ctrl-C)"),
        (Self::Terminated, "terminated (SIGTERM)"),
    ];

    /// Its number.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// How a command that ran to its end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Everything is there.
    Done,
    /// Some entries are not.
    Partly(ExitCode),
}

impl Finish {
    /// The worst that a summary tells.
    pub fn of(summary: &Summary) -> Self {
        if summary.source_failed > 0 {
            Self::Partly(ExitCode::Integrity)
        } else if summary.exists > 0 || summary.refused > 0 {
            Self::Partly(ExitCode::Refused)
        } else if summary.unsent > 0 {
            Self::Partly(ExitCode::Failed)
        } else {
            Self::Done
        }
    }

    /// The exit code.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::Done,
            Self::Partly(code) => code,
        }
    }
}

/// Which side of a session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This end sends.
    Sending,
    /// This end receives.
    Receiving,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was typed is no code.
    #[error("that is not a code")]
    Typed(#[from] CodeError),
    /// No code was given and nobody is there to type one.
    #[error("no code was given")]
    NoCode,
    /// What was given is no server address.
    #[error("that is not a server address")]
    ServerAddress(#[from] ServerUrlError),
    /// The paths cannot be sent.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// No rendezvous could be opened here.
    #[error("no rendezvous could be opened on this machine")]
    Lan(#[from] LanError),
    /// The rendezvous that was opened here does not work.
    #[error("the rendezvous on this machine does not work")]
    NoRendezvous,
    /// The signaling server did not serve.
    #[error("the server `{url}` could not be used")]
    Server {
        /// Which.
        url: String,
        /// Why.
        #[source]
        error: SignalingClientError,
    },
    /// No sender with this code is on this machine or network.
    #[error("{}", if *.used { "the code was used already" } else { "no sender with this code was found" })]
    NoSender {
        /// Whether its sender was found, but the code was used up.
        used: bool,
    },
    /// The peers did not meet; this side receives.
    #[error("{}", join_sentence(.0))]
    Join(ConnectError),
    /// The server let the sender down while it was waiting.
    #[error("the code is gone: the server stopped answering")]
    Meeting(#[source] ConnectError),
    /// All codes of this run were burnt; the last reason.
    #[error("{} codes were used up without a transfer", crate::send::MAX_CODES)]
    CodesBurnt(#[source] ConnectError),
    /// The session failed.
    #[error("{}", session_sentence(.failure, .fault.as_ref()))]
    Session {
        /// Which side this is.
        side: Side,
        /// Why.
        failure: Failure,
        /// What the disk had to do with it.
        fault: Option<DiskFault>,
    },
    /// A signal came.
    #[error("interrupted")]
    Interrupted(Interrupt),
    /// The server's address cannot be listened on.
    #[error("cannot listen on `{host}` port {port}")]
    Listen {
        /// As given.
        host: String,
        /// As given.
        port: u16,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The server failed.
    #[error("the server failed")]
    Serve(#[from] ServerError),
}

fn join_sentence(error: &ConnectError) -> String {
    match error {
        error if error.is_wrong_code() => "the code did not match".to_owned(),
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::NoRoom)) => {
            "the code is not known".to_owned()
        }
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Expired)) => {
            "the code has expired".to_owned()
        }
        ConnectError::Handshake(HandshakeError::Version { .. }) => {
            "the two sides speak different versions of p2pcp".to_owned()
        }
        _ => "the two sides could not connect".to_owned(),
    }
}

fn session_sentence(failure: &Failure, fault: Option<&DiskFault>) -> String {
    match (failure, fault) {
        (Failure::Own(_), Some(fault)) => fault.to_string(),
        (Failure::Own(AbortReason::Declined), None) => "declined".to_owned(),
        (Failure::Own(AbortReason::Unattended), None) => "not accepted: nobody was asked".to_owned(),
        (Failure::Peer(AbortReason::Declined), _) => "the other side declined".to_owned(),
        (failure, _) => failure.to_string(),
    }
}

impl Error {
    /// The server could not be used.
    pub fn server(url: &ServerUrl, error: SignalingClientError) -> Self {
        Self::Server { url: url.to_string(), error }
    }

    /// The receiver's side of a failed meeting.
    pub fn joining(error: ConnectError) -> Self {
        Self::Join(error)
    }

    /// The sender's side, before anybody joined.
    pub fn meeting(error: ConnectError) -> Self {
        Self::Meeting(error)
    }

    /// A sender's failed session.
    pub fn sending(failure: Failure, interrupt: Option<Interrupt>) -> Self {
        Self::session(Side::Sending, failure, None, interrupt)
    }

    /// A receiver's failed session.
    pub fn receiving(failure: Failure, fault: Option<DiskFault>, interrupt: Option<Interrupt>) -> Self {
        Self::session(Side::Receiving, failure, fault, interrupt)
    }

    fn session(side: Side, failure: Failure, fault: Option<DiskFault>, interrupt: Option<Interrupt>) -> Self {
        match (interrupt, &failure) {
            (Some(interrupt), Failure::Own(AbortReason::Interrupted)) => Self::Interrupted(interrupt),
            _ => Self::Session { side, failure, fault },
        }
    }

    /// The server's address cannot be listened on.
    pub fn listen(options: &signal::Options, error: io::Error) -> Self {
        Self::Listen { host: options.host.clone(), port: options.port, error }
    }

    /// What lies behind it, where the sentence does not say it already.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Typed(error) => Some(error.to_string()),
            Self::ServerAddress(error) => Some(error.to_string()),
            Self::Lan(error) => Some(error.to_string()),
            Self::Server { error, .. } => Some(chain(error)),
            Self::Join(error) | Self::Meeting(error) | Self::CodesBurnt(error) => Some(chain(error)),
            Self::Listen { error, .. } => Some(error.to_string()),
            Self::Serve(error) => Some(chain(error)),
            Self::NoCode
            | Self::Source(_)
            | Self::NoRendezvous
            | Self::NoSender { .. }
            | Self::Session { .. }
            | Self::Interrupted(_) => None,
        }
    }

    /// What the person can do now.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Typed(CodeError::UnknownWord { suggestions, .. }) if !suggestions.is_empty() => {
                return Some(format!("did you mean `{}`?", suggestions.join("`, `")));
            }
            Self::Typed(_) => "a code looks like 417-aloe-tuba; ask the sender to read it again",
            Self::NoCode => "run `p2pcp recv CODE` with the code that the sender shows",
            Self::ServerAddress(_) => {
                "a server looks like `p2pcp.example.org:8091` or `wss://p2pcp.example.org`"
            }
            Self::Source(error) => return source_hint(error).map(str::to_owned),
            Self::Lan(_) | Self::NoRendezvous => {
                "name a server with `--server`, or see whether a firewall is in the way"
            }
            Self::Server { error, .. } => server_hint(error),
            Self::NoSender { used: true } => "ask the sender for a new code; each works once",
            Self::NoSender { used: false } => {
                "is `p2pcp send` still running, on this machine or the same network? otherwise both sides need the same `--server`"
            }
            Self::Join(error) => join_hint(error),
            Self::Meeting(_) => "run the same command again for a new code",
            Self::CodesBurnt(_) => {
                "somebody may be guessing: run `p2pcp send` again, with `--words 4` for a code that is harder to guess"
            }
            Self::Session { side, failure, fault } => return session_hint(*side, failure, fault.as_ref()),
            Self::Interrupted(_) => {
                "files that were finished are kept; send again, and receive with `--skip` to get only the rest"
            }
            Self::Listen { error, .. } => match error.kind() {
                io::ErrorKind::AddrInUse => "something listens there already: choose another `--port`",
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 need privileges: choose another `--port`"
                }
                io::ErrorKind::AddrNotAvailable => {
                    "that address is not on this machine: use `--listen 0.0.0.0` to listen on all of its own"
                }
                _ => "use `--listen 0.0.0.0` to listen on all addresses of this machine",
            },
            Self::Serve(_) => return None,
        };
        Some(hint.to_owned())
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoCode | Self::ServerAddress(_) => ExitCode::Usage,
            Self::Typed(_) | Self::NoSender { .. } | Self::CodesBurnt(_) => ExitCode::Code,
            Self::Source(_) | Self::Lan(_) | Self::NoRendezvous | Self::Listen { .. } | Self::Serve(_) => {
                ExitCode::Failed
            }
            Self::Server { .. } => ExitCode::Lost,
            Self::Join(error) | Self::Meeting(error) => connect_exit_code(error),
            Self::Session { failure, .. } => session_exit_code(failure),
            Self::Interrupted(Interrupt::Interrupted) => ExitCode::Interrupted,
            Self::Interrupted(Interrupt::Terminated) => ExitCode::Terminated,
        }
    }
}

/// An error and what it says lies behind it, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn source_hint(error: &SourceError) -> Option<&'static str> {
    match error {
        SourceError::Nothing => Some("name at least one file or folder"),
        SourceError::Missing { .. } => Some("check the spelling; nothing was sent"),
        SourceError::Denied { .. } => Some("read it as a user who may, or leave it out"),
        SourceError::SameName { .. } => Some("rename one of them, or send them one after the other"),
        SourceError::Nameless { .. } => Some("name a folder below it"),
        SourceError::NotSendable { .. } => Some("devices, pipes and sockets cannot be sent"),
        SourceError::BadName { .. } => Some("rename it"),
        SourceError::Failed { .. } => None,
    }
}

fn server_hint(error: &SignalingClientError) -> &'static str {
    match error {
        SignalingClientError::Closed(_) => "the server refused for the reason above",
        SignalingClientError::NotP2pcp { .. } => {
            "is this the address of a `p2pcp signal`? check host and port"
        }
        SignalingClientError::Untrusted(_) => "check the server's name, or ask whoever runs it",
        _ => {
            "is `p2pcp signal` running there, and is its port reachable? without `--server` p2pcp looks on the local network"
        }
    }
}

fn join_hint(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Handshake(HandshakeError::Version { .. }) => "update p2pcp on both sides",
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Limited)) => {
            "wait a minute, then ask the sender for a new code"
        }
        ConnectError::Tampered | ConnectError::NotBound => {
            "somebody may be interfering: ask for a new code, or use another server"
        }
        _ => "ask the sender for a new code; each works once",
    }
}

fn connect_exit_code(error: &ConnectError) -> ExitCode {
    match error {
        ConnectError::Handshake(HandshakeError::WrongCode) | ConnectError::Refused => ExitCode::Code,
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::NoRoom | CloseCode::Expired)) => {
            ExitCode::Code
        }
        ConnectError::Handshake(_) | ConnectError::Unexpected(_) => ExitCode::Failed,
        ConnectError::Tampered | ConnectError::NotBound => ExitCode::Integrity,
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Version)) => ExitCode::Failed,
        ConnectError::Signaling(_)
        | ConnectError::PeerLeft
        | ConnectError::PeerSilent
        | ConnectError::Lane(_) => ExitCode::Lost,
    }
}

fn session_hint(side: Side, failure: &Failure, fault: Option<&DiskFault>) -> Option<String> {
    let hint = match (failure, fault) {
        (_, Some(DiskFault::Full { .. } | DiskFault::Quota { .. })) => {
            "make room, ask for a new code, and receive with `--skip` to get only the rest"
        }
        (_, Some(DiskFault::Denied { .. } | DiskFault::ReadOnly { .. } | DiskFault::NotAFolder { .. })) => {
            "choose another folder with `--output`"
        }
        (_, Some(_)) => "choose a folder on another disk with `--output`",
        (Failure::Own(AbortReason::Unattended), _) => "give `--yes` to accept without being asked",
        (Failure::Peer(AbortReason::Unattended), _) => {
            "on the other side, run it in a terminal or give `--yes`"
        }
        (Failure::Own(_) | Failure::Peer(AbortReason::Declined), _) => return None,
        (Failure::Violation(_) | Failure::Peer(AbortReason::Protocol), _) => {
            "the two sides may be different versions: update p2pcp on both"
        }
        (Failure::Integrity(_) | Failure::Peer(AbortReason::Integrity), _) => {
            "the file was not kept; send it again, and check the memory and disks of both machines if it comes back"
        }
        (Failure::LinkLost | Failure::Silence | Failure::Peer(_), _) => match side {
            Side::Sending => "send again for a new code; the receiver's `--skip` gets only the rest",
            Side::Receiving => "ask for a new code, and receive with `--skip` to get only the rest",
        },
    };
    Some(hint.to_owned())
}

fn session_exit_code(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Own(AbortReason::Declined | AbortReason::Unattended)
        | Failure::Peer(AbortReason::Declined | AbortReason::Unattended) => ExitCode::Declined,
        Failure::Own(
            AbortReason::DiskFull
            | AbortReason::DiskDenied
            | AbortReason::DiskReadOnly
            | AbortReason::DiskFailed,
        ) => ExitCode::Disk,
        Failure::Integrity(_) | Failure::Peer(AbortReason::Integrity) => ExitCode::Integrity,
        Failure::LinkLost
        | Failure::Silence
        | Failure::Peer(AbortReason::Interrupted | AbortReason::Silence)
        | Failure::Own(AbortReason::Interrupted | AbortReason::Silence) => ExitCode::Lost,
        Failure::Violation(_)
        | Failure::Own(AbortReason::Integrity | AbortReason::Protocol)
        | Failure::Peer(
            AbortReason::DiskFull
            | AbortReason::DiskDenied
            | AbortReason::DiskReadOnly
            | AbortReason::DiskFailed
            | AbortReason::Protocol,
        ) => ExitCode::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_numbers() {
        let numbers: Vec<u8> = ExitCode::ALL.iter().map(|(code, _)| code.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143]);
    }

    #[test]
    fn the_worst_of_a_summary_decides() {
        let summary = Summary { files: 1, ..Summary::default() };
        assert_eq!(Finish::of(&summary).exit_code(), ExitCode::Done);
        let skipped = Summary { skipped: 1, ..summary };
        assert_eq!(Finish::of(&skipped).exit_code(), ExitCode::Done);
        let unsent = Summary { unsent: 1, ..summary };
        assert_eq!(Finish::of(&unsent).exit_code(), ExitCode::Failed);
        let exists = Summary { exists: 1, ..unsent };
        assert_eq!(Finish::of(&exists).exit_code(), ExitCode::Refused);
        let changed = Summary { source_failed: 1, ..exists };
        assert_eq!(Finish::of(&changed).exit_code(), ExitCode::Integrity);
    }

    #[test]
    fn each_failure_has_its_code_and_a_hint_to_act_on() {
        use AbortReason as Why;
        for (failure, code) in [
            (Failure::LinkLost, ExitCode::Lost),
            (Failure::Silence, ExitCode::Lost),
            (Failure::Peer(Why::Declined), ExitCode::Declined),
            (Failure::Own(Why::Unattended), ExitCode::Declined),
            (Failure::Own(Why::DiskFull), ExitCode::Disk),
            (Failure::Peer(Why::DiskFull), ExitCode::Failed),
            (Failure::Peer(Why::Interrupted), ExitCode::Lost),
            (Failure::Peer(Why::Integrity), ExitCode::Integrity),
            (crate::session::Violation::FalseCompletion.into(), ExitCode::Failed),
        ] {
            for side in [Side::Sending, Side::Receiving] {
                let error = Error::session(side, failure.clone(), None, None);
                assert_eq!(error.exit_code(), code, "{failure:?}");
                let sentence = error.to_string();
                assert!(!sentence.ends_with('.') && !sentence.is_empty(), "{sentence}");
            }
        }
    }
}

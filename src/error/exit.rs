//! Exit codes: one tested enum, and which failure has which.

use crate::connect::ConnectError;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::lan::LanError;
use crate::session::handshake::HandshakeError;
use crate::session::{Failure, Summary};
use crate::signaling::SignalingClientError;
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
        (Self::Lost, "peer or network lost; the same command goes on from there"),
        (Self::Disk, "disk full, read-only or no permission"),
        (Self::Integrity, "bytes did not match, or a file changed while being sent"),
        (
            Self::Refused,
            "finished, but some names were taken, or cannot be held here, and were left as they were",
        ),
        (Self::Interrupted, "interrupted (Ctrl-C)"),
        (Self::Terminated, "terminated (SIGTERM)"),
    ];

    /// The code of a process that a signal ended.
    pub fn of_signal(interrupt: Option<Interrupt>) -> Self {
        match interrupt {
            Some(Interrupt::Terminated) => Self::Terminated,
            Some(Interrupt::Interrupted) | None => Self::Interrupted,
        }
    }

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
        if summary.source_changed > 0 {
            Self::Partly(ExitCode::Integrity)
        } else if summary.exists > 0 || summary.refused > 0 {
            Self::Partly(ExitCode::Refused)
        } else if summary.unsent > 0 || summary.source_failed > 0 {
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

impl Error {
    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoCode
            | Self::ServerAddress(_)
            | Self::ProxyAddress(_)
            | Self::Globs(_)
            | Self::HalfTls
            | Self::TurnServers(_)
            | Self::Setting { .. }
            | Self::NoInterface { .. }
            | Self::RelayNeedsServer => ExitCode::Usage,
            Self::OwnCode(_) | Self::NobodyToVerify | Self::StreamForMany => ExitCode::Usage,
            Self::Unverified(_) => ExitCode::Declined,
            Self::Lan(LanError::Taken(_) | LanError::NoPortFor(_)) | Self::CodeUnused { .. } => {
                ExitCode::Code
            }
            Self::Typed(_) | Self::NoSender { .. } => ExitCode::Code,
            Self::Source(_)
            | Self::Lan(_)
            | Self::NoRendezvous
            | Self::Listen { .. }
            | Self::TlsFile { .. }
            | Self::Serve(_) => ExitCode::Failed,
            Self::Server { .. } => ExitCode::Lost,
            Self::Clean(_) | Self::Document(_) => ExitCode::Disk,
            Self::Join(error) | Self::Meeting(error) | Self::CodesBurnt(error) => connect_exit_code(error),
            Self::Session { failure, .. } => session_exit_code(failure),
            Self::Interrupted { interrupt, .. } => ExitCode::of_signal(Some(*interrupt)),
        }
    }
}

fn connect_exit_code(error: &ConnectError) -> ExitCode {
    match error {
        ConnectError::Handshake(HandshakeError::WrongCode) | ConnectError::Refused => ExitCode::Code,
        ConnectError::Signaling(SignalingClientError::Closed(
            CloseCode::NoRoom | CloseCode::Expired | CloseCode::Taken,
        )) => ExitCode::Code,
        ConnectError::OtherNumber => ExitCode::Failed,
        ConnectError::Handshake(_) | ConnectError::Unexpected(_) => ExitCode::Failed,
        ConnectError::Tampered | ConnectError::NotBound => ExitCode::Integrity,
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Version)) => ExitCode::Failed,
        ConnectError::Signaling(_)
        | ConnectError::PeerLeft
        | ConnectError::PeerSilent
        | ConnectError::PeerUnable(_)
        | ConnectError::Lane(_) => ExitCode::Lost,
    }
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
        Failure::Own(AbortReason::NotOneFile) => ExitCode::Usage,
        Failure::Peer(AbortReason::NotOneFile) => ExitCode::Declined,
        Failure::Violation(_)
        | Failure::Own(AbortReason::Integrity | AbortReason::Protocol | AbortReason::OutputClosed)
        | Failure::Peer(
            AbortReason::DiskFull
            | AbortReason::DiskDenied
            | AbortReason::DiskReadOnly
            | AbortReason::DiskFailed
            | AbortReason::OutputClosed
            | AbortReason::Protocol,
        ) => ExitCode::Failed,
    }
}

#[cfg(test)]
mod tests {
    use crate::error::{Error, ExitCode, Finish, Side};
    use crate::session::{Failure, Summary};
    use crate::wire::peer::AbortReason;

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
        let changed = Summary { source_changed: 1, ..exists };
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
                let error =
                    Error::session(side, failure.clone(), None, None, Some("p2pcp send x".to_owned()));
                assert_eq!(error.exit_code(), code, "{failure:?}");
                let sentence = error.to_string();
                assert!(!sentence.ends_with('.') && !sentence.is_empty(), "{sentence}");
            }
        }
    }
}

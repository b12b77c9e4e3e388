//! Every sentence that a person sees when something fails, its hint, and its exit code.
//!
//! The layers below know facts; only this module gives advice. The table of exit codes is [`ExitCode`].

mod advice;
mod catalogue;
mod exit;
mod unverified;

use std::io;
use std::time::Duration;

use crate::code::CodeError;
use crate::connect::ConnectError;
use crate::dial::ProxyUrlError;
pub use crate::error::catalogue::{Group, catalogue};
pub use crate::error::exit::{ExitCode, Finish};
pub use crate::error::unverified::Unverified;
use crate::event::Event;
use crate::fs::{DiskFault, GlobError, SourceError};
use crate::interrupt::Interrupt;
use crate::lan::LanError;
use crate::server::ServerError;
use crate::session::Failure;
use crate::session::handshake::HandshakeError;
use crate::signal;
use crate::signaling::{ServerUrl, ServerUrlError, SignalingClientError};
use crate::wire::ice::IceUrlError;
use crate::wire::peer::AbortReason;
use crate::wire::signaling::CloseCode;

/// Which side of a session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This end sends.
    Sending,
    /// This end receives.
    Receiving,
    /// This end sends what cannot be read again.
    SendingStream,
    /// This end receives what cannot be sent again, or writes to a pipe.
    ReceivingStream,
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
    /// `TURN_SERVERS` is not understood.
    #[error("TURN_SERVERS is not understood")]
    TurnServers(IceUrlError),
    /// A setting of the environment or the config file is not understood.
    #[error("{place}: {fault}")]
    Setting {
        /// The variable, or file and line.
        place: String,
        /// What is wrong there.
        fault: String,
        /// What the person can do.
        hint: String,
    },
    /// `--interface` names none of this machine's.
    #[error("there is no network interface `{name}` with an address here")]
    NoInterface {
        /// As typed.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// `--relay-only` without a server, whose relay it would be.
    #[error("`--relay-only` needs a server that relays")]
    RelayNeedsServer,
    /// The paths cannot be sent.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// What can be read only once cannot be sent to several.
    #[error("standard input can be read only once, and so be sent to one receiver")]
    StreamForMany,
    /// The code that a sender asked for is none.
    #[error("that cannot be a code")]
    OwnCode(#[source] CodeError),
    /// Nobody used the code within the time that its sender gave it.
    #[error("the code has expired: nobody used it within {}", life(*.lived_for))]
    CodeUnused {
        /// How long that was.
        lived_for: Duration,
    },
    /// No rendezvous could be opened here.
    #[error("{}", lan_sentence(.0))]
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
    /// The words that two persons compare are not the same, or nobody compared them.
    #[error("{}", .0.sentence())]
    Unverified(Unverified),
    /// `--verify` where nobody can be asked.
    #[error("`--verify` needs a terminal: nobody is there to compare words")]
    NobodyToVerify,
    /// The server let the sender down while it was waiting.
    #[error("{}", meeting_sentence(.0))]
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
        /// The command that goes on from here, if the transfer had begun.
        again: Option<String>,
    },
    /// A signal came.
    #[error("interrupted")]
    Interrupted {
        /// Which.
        interrupt: Interrupt,
        /// The command that goes on from here, if the transfer had begun.
        again: Option<String>,
    },
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
    /// What was given is no proxy.
    #[error("that is not a proxy")]
    ProxyAddress(#[from] ProxyUrlError),
    /// A file with a certificate or a key cannot be used.
    #[error("`{path}` cannot be used for TLS")]
    TlsFile {
        /// Which, as given.
        path: String,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// One of a certificate and its key is not there.
    #[error("TLS needs a certificate and its key")]
    HalfTls,
    /// What interrupted transfers left could not be listed or removed.
    #[error("{0}")]
    Clean(DiskFault),
    /// What was to go to stdout could not be written.
    #[error("the document could not be written")]
    Document(#[source] io::Error),
    /// The globs are too much together.
    #[error("the globs cannot be used together")]
    Globs(#[from] GlobError),
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
        ConnectError::Handshake(HandshakeError::Version { .. } | HandshakeError::Lacks(_)) => {
            "the two sides speak different versions of p2pcp".to_owned()
        }
        _ => "the two sides could not connect".to_owned(),
    }
}

fn lan_sentence(error: &LanError) -> &'static str {
    match error {
        LanError::Taken(_) | LanError::NoPortFor(_) => "this code cannot be had",
        _ => "no rendezvous could be opened on this machine",
    }
}

/// As it was typed, in the largest unit that has no rest.
fn life(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn meeting_sentence(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Expired)) => {
            "the code has expired: nobody used it"
        }
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Stopping)) => {
            "the server stopped, and the code is gone with it"
        }
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Taken))
        | ConnectError::OtherNumber => "this code cannot be had",
        ConnectError::Signaling(SignalingClientError::Closed(_)) => "the server refused",
        _ => "the server was lost, and the code with it",
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

    /// A failed session; `again` is the command that goes on from here.
    pub fn session(
        side: Side,
        failure: Failure,
        fault: Option<DiskFault>,
        interrupt: Option<Interrupt>,
        again: Option<String>,
    ) -> Self {
        match (interrupt, &failure) {
            (Some(interrupt), Failure::Own(AbortReason::Interrupted)) => {
                let again = again.filter(|_| matches!(side, Side::Sending | Side::Receiving));
                Self::Interrupted { interrupt, again }
            }
            _ => Self::Session { side, failure, fault, again },
        }
    }

    /// The server's address cannot be listened on.
    pub fn listen(options: &signal::Options, error: io::Error) -> Self {
        Self::Listen { host: options.host.clone(), port: options.port, error }
    }

    /// A file with a certificate or a key cannot be used.
    pub fn tls_file(path: &std::path::Path, error: io::Error) -> Self {
        Self::TlsFile { path: path.display().to_string(), error }
    }

    /// The same as the last event of what failed.
    pub fn event(&self) -> Event {
        let (error, cause, hint) = (self.to_string(), self.cause(), self.hint());
        Event::Failed { error, cause, hint, exit_code: self.exit_code().number() }
    }

    /// What lies behind it, where the sentence does not say it already.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Typed(error) | Self::OwnCode(error) => Some(error.to_string()),
            Self::ServerAddress(error) => Some(error.to_string()),
            Self::TurnServers(error) => Some(error.to_string()),
            Self::Lan(error) => Some(error.to_string()),
            Self::Server { error, .. } => Some(chain(error)),
            Self::Join(error) | Self::Meeting(error) | Self::CodesBurnt(error) => Some(chain(error)),
            Self::Listen { error, .. } | Self::TlsFile { error, .. } | Self::Document(error) => {
                Some(error.to_string())
            }
            Self::Globs(error) => Some(error.to_string()),
            Self::ProxyAddress(error) => Some(error.to_string()),
            Self::Serve(error) => Some(chain(error)),
            Self::NoCode
            | Self::HalfTls
            | Self::Setting { .. }
            | Self::NoInterface { .. }
            | Self::RelayNeedsServer
            | Self::Source(_)
            | Self::StreamForMany
            | Self::Clean(_)
            | Self::NoRendezvous
            | Self::CodeUnused { .. }
            | Self::Unverified(_)
            | Self::NobodyToVerify
            | Self::NoSender { .. }
            | Self::Session { .. }
            | Self::Interrupted { .. } => None,
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

//! Hints: what a person can do about a failure, now.

use std::io;

use crate::code::CodeError;
use crate::connect::ConnectError;
use crate::dial::ProxyFault;
use crate::error::{Error, Side, Unverified};
use crate::fs::{DiskFault, SourceError};
use crate::lan::LanError;
use crate::session::Failure;
use crate::session::handshake::HandshakeError;
use crate::signaling::SignalingClientError;
use crate::transport::peer::LaneError;
use crate::wire::peer::AbortReason;
use crate::wire::signaling::{CloseCode, Unable};

impl Error {
    /// What the person can do now.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Typed(CodeError::UnknownWord { suggestions, .. })
            | Self::OwnCode(CodeError::UnknownWord { suggestions, .. })
                if !suggestions.is_empty() =>
            {
                return Some(format!("did you mean `{}`?", suggestions.join("`, `")));
            }
            Self::Typed(_) => "a code looks like 417-aloe-tuba; ask the sender to read it again",
            Self::OwnCode(_) => {
                "a code is a number of three to nine digits and two to eight words of p2pcp's list; without `--code` one is made"
            }
            Self::CodeUnused { .. } => {
                "run the same command again, with a longer `--ttl` if that was too short"
            }
            Self::Unverified(Unverified::Here | Unverified::There) => {
                "somebody who knows the code may be in between: agree on a new one over another way, with `--words 4`"
            }
            Self::Unverified(Unverified::NobodyHere) => "run it in a terminal",
            Self::Unverified(Unverified::NobodyThere) => {
                "on the other side, run it in a terminal; or go without `--verify`"
            }
            Self::StreamForMany => "write it to a file first, and send that",
            Self::NobodyToVerify => "run it in a terminal, or go without",
            Self::NoCode => "run `p2pcp recv CODE` with the code that the sender shows",
            Self::ServerAddress(_) => {
                "a server looks like `p2pcp.example.org:8091` or `wss://p2pcp.example.org`"
            }
            Self::TurnServers(_) => {
                "write `turn:USER:PASSWORD@HOST:PORT`, several with commas between; in user and password `%40` stands for `@`, `%3A` for `:`"
            }
            Self::Setting { hint, .. } => hint,
            Self::NoInterface { known, .. } if !known.is_empty() => {
                return Some(format!("there are `{}`", known.join("`, `")));
            }
            Self::NoInterface { .. } => "no interface has an address: is this machine on a network?",
            Self::RelayNeedsServer => {
                "name one with `--server`; without it the two sides meet on their network, where nothing relays"
            }
            Self::Source(error) => return source_hint(error).map(str::to_owned),
            Self::Lan(LanError::Taken(_)) => "choose another number, or leave `--code` out",
            Self::Lan(LanError::NoPortFor(_)) => {
                "without a server a number has three digits: choose such a one, or name a server with `--server`"
            }
            Self::Lan(_) | Self::NoRendezvous => {
                "name a server with `--server`, or see whether a firewall is in the way"
            }
            Self::Server { error, .. } => server_hint(error),
            Self::NoSender { used: true } => "ask the sender for a new code; each works once",
            Self::NoSender { used: false } => {
                "is `p2pcp send` running on this machine or network, and is this its newest code? on other networks both sides need the same `--server`; `--wait 10m` waits for a sender that is yet to come"
            }
            Self::Join(error) => join_hint(error),
            Self::Meeting(ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Taken))) => {
                "choose another number, or leave `--code` out"
            }
            Self::Meeting(ConnectError::OtherNumber) => {
                "the server is older than `--code`: leave it out, or use another server"
            }
            Self::Meeting(_) => "run the same command again for a new code",
            Self::CodesBurnt(error) if !error.is_wrong_code() => join_hint(error),
            Self::CodesBurnt(_) => {
                "somebody may be guessing: run `p2pcp send` again, with `--words 4` for a code that is harder to guess"
            }
            Self::Session { side, failure, fault, again } => {
                return session_hint(*side, failure, fault.as_ref(), again.as_deref());
            }
            Self::Interrupted { again: None, .. } => return None,
            Self::Interrupted { again: Some(again), .. } => return Some(resume_line(again)),
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
            Self::ProxyAddress(_) => "`--proxy none` does without one",
            Self::TlsFile { .. } => "name a PEM file: `-----BEGIN CERTIFICATE-----`, or `PRIVATE KEY`",
            Self::Globs(_) => "use fewer or shorter ones",
            Self::HalfTls => "give both `--tls-cert FILE` and `--tls-key FILE`",
            Self::Clean(DiskFault::NotAFolder { .. }) => "name the folder that was received into",
            Self::Clean(_) => "look at its permissions, and at what is in it",
            Self::Serve(_) | Self::Document(_) => return None,
        };
        Some(hint.to_owned())
    }
}

fn source_hint(error: &SourceError) -> Option<&'static str> {
    match error {
        SourceError::Nothing => Some("name at least one file or folder"),
        SourceError::AllExcluded => Some("look at `--exclude` and `--max-size`"),
        SourceError::Rules { .. } => Some("make it readable and at most 256 KiB, or leave `--gitignore` out"),
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
        SignalingClientError::Untrusted(_) => {
            "check the server's name, or name its certificate with `--tls-ca` if it is your own"
        }
        SignalingClientError::Proxy(_, ProxyFault::Credentials) => {
            "write them into the proxy's address: `http://user:password@host:port`"
        }
        SignalingClientError::Proxy(..) => {
            "is HTTPS_PROXY or ALL_PROXY right? NO_PROXY lists servers that need none, and `--proxy none` does without"
        }
        _ => {
            "is `p2pcp signal` running there, and is its port reachable? `--local` meets on the local network without it"
        }
    }
}

fn join_hint(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Handshake(HandshakeError::Version { .. }) => "update p2pcp on both sides",
        ConnectError::Handshake(HandshakeError::Lacks(_)) => "update p2pcp on the other side, or send a file",
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::NoRoom)) => {
            "ask the sender for a new code, as each works once; `--wait 10m` waits for a sender that is yet to come"
        }
        ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Limited)) => {
            "wait a minute, then ask the sender for a new code"
        }
        ConnectError::Tampered | ConnectError::NotBound => {
            "somebody may be interfering: ask for a new code, or use another server"
        }
        ConnectError::Lane(LaneError::NoRelay) => {
            "the server offers no relay: name one in TURN_SERVERS, use another server, or go without `--relay-only`"
        }
        ConnectError::PeerUnable(Unable::NoRelay) => {
            "the other side has to name a relay in TURN_SERVERS, or to go without `--relay-only`"
        }
        ConnectError::Lane(_) => {
            "no packet got through: a firewall or NAT is in the way; try both on one network, or allow UDP"
        }
        _ => "ask the sender for a new code; each works once",
    }
}

/// How to go on: the sender has a new code, and what the receiver has is found by its content.
fn resume_line(again: &str) -> String {
    format!("nothing that arrived is lost; to go on from here: {again}")
}

fn session_hint(
    side: Side,
    failure: &Failure,
    fault: Option<&DiskFault>,
    again: Option<&str>,
) -> Option<String> {
    let go_on = |first: &str| match again {
        Some(_) if matches!(side, Side::SendingStream | Side::ReceivingStream) => {
            format!("{first}a stream cannot be gone on with: it has to be sent again from its beginning")
        }
        Some(again) => format!("{first}{}", resume_line(again)),
        None => format!("{first}nothing was received yet"),
    };
    let hint = match (failure, fault) {
        (_, Some(DiskFault::Full { .. } | DiskFault::Quota { .. })) => {
            return Some(go_on("make room, and ask for a new code; "));
        }
        (_, Some(DiskFault::NoRoom { .. })) => {
            "make room, choose another folder with `--output`, or try all the same with `--force`"
        }
        (_, Some(DiskFault::Denied { .. } | DiskFault::ReadOnly { .. } | DiskFault::NotAFolder { .. })) => {
            "choose another folder with `--output`"
        }
        (_, Some(DiskFault::OutputClosed)) => return None,
        (_, Some(DiskFault::NotOneFile)) => "choose a folder with `--output`",
        (_, Some(_)) => "choose a folder on another disk with `--output`",
        (Failure::Own(AbortReason::Unattended), _) => "give `--yes` to accept without being asked",
        (Failure::Peer(AbortReason::Unattended), _) => {
            "on the other side, run it in a terminal or give `--yes`"
        }
        (Failure::Peer(AbortReason::NotOneFile), _) => "send one file, or a stream such as that of `tar`",
        (Failure::Own(_) | Failure::Peer(AbortReason::Declined | AbortReason::OutputClosed), _) => {
            return None;
        }
        (Failure::Violation(_) | Failure::Peer(AbortReason::Protocol), _) => {
            "the two sides may be different versions: update p2pcp on both"
        }
        (Failure::Integrity(_) | Failure::Peer(AbortReason::Integrity), _) => {
            "the file was not kept; send it again, and check the memory and disks of both machines if it comes back"
        }
        (
            Failure::Peer(
                AbortReason::DiskFull
                | AbortReason::DiskDenied
                | AbortReason::DiskReadOnly
                | AbortReason::DiskFailed,
            ),
            _,
        ) => return Some(go_on("it is the other side's disk that has to be seen to; ")),
        (Failure::LinkLost | Failure::Silence | Failure::Peer(_), _) => {
            return Some(match side {
                Side::Sending | Side::SendingStream => go_on(""),
                Side::Receiving | Side::ReceivingStream => go_on("ask for a new code; "),
            });
        }
    };
    Some(hint.to_owned())
}

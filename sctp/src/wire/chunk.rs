//! The list of chunks: their types, and the short ones whole.

use bytes::{Buf, Bytes};

use crate::wire::record::{HEADER_BYTES, Record, put, records, stops};
use crate::wire::{Cause, Data, ForwardTsn, Init, PacketError, Reconfig, Sack};

/// Chunk types (the IANA registry of SCTP chunk types).
pub(super) mod kind {
    pub(in crate::wire) const DATA: u8 = 0;
    pub(in crate::wire) const INIT: u8 = 1;
    pub(in crate::wire) const INIT_ACK: u8 = 2;
    pub(in crate::wire) const SACK: u8 = 3;
    pub(in crate::wire) const HEARTBEAT: u8 = 4;
    pub(in crate::wire) const HEARTBEAT_ACK: u8 = 5;
    pub(in crate::wire) const ABORT: u8 = 6;
    pub(in crate::wire) const SHUTDOWN: u8 = 7;
    pub(in crate::wire) const SHUTDOWN_ACK: u8 = 8;
    pub(in crate::wire) const ERROR: u8 = 9;
    pub(in crate::wire) const COOKIE_ECHO: u8 = 10;
    pub(in crate::wire) const COOKIE_ACK: u8 = 11;
    pub(in crate::wire) const SHUTDOWN_COMPLETE: u8 = 14;
    /// RFC 6525 §3.1.
    pub(in crate::wire) const RECONFIG: u8 = 130;
    /// RFC 4820 §3.
    pub(in crate::wire) const PAD: u8 = 132;
    /// RFC 3758 §3.2.
    pub(in crate::wire) const FORWARD_TSN: u8 = 192;
}

/// Heartbeat Info (RFC 9260 §3.3.5).
const HEARTBEAT_INFORMATION: u16 = 1;

/// The T bit of ABORT and SHUTDOWN COMPLETE.
const REFLECTED: u8 = 0x01;

/// One chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chunk {
    Data(Data),
    Init(Init),
    InitAck(Init),
    Sack(Sack),
    /// The heartbeat information parameter's value, which its sender alone understands.
    Heartbeat(Bytes),
    HeartbeatAck(Bytes),
    /// `reflected` is the T bit: the verification tag is the receiver's own (RFC 9260 §8.5.1).
    Abort {
        reflected: bool,
        causes: Vec<Cause>,
    },
    Shutdown {
        cumulative_tsn: u32,
    },
    ShutdownAck,
    ShutdownComplete {
        reflected: bool,
    },
    Error(Vec<Cause>),
    CookieEcho(Bytes),
    CookieAck,
    ForwardTsn(ForwardTsn),
    /// At most two parameters; perhaps none that we know.
    Reconfig(Vec<Reconfig>),
    /// Padding, for probes of the path MTU (RFC 4820): the length of the whole chunk in bytes, at least 4.
    Pad(usize),
    /// A chunk of a type that we do not know; its two highest bits say what to do (RFC 9260 §3.2). If what follows it
    /// must not be read, it is the last of its packet.
    Unknown {
        kind: u8,
        value: Bytes,
    },
}

impl Chunk {
    pub(super) fn parse(record: Record) -> Result<Self, PacketError> {
        let [kind, flags] = record.kind.to_be_bytes();
        let value = record.value;
        let reflected = flags & REFLECTED != 0;
        Ok(match kind {
            kind::DATA => Self::Data(Data::parse(flags, value)?),
            kind::INIT => Self::Init(Init::parse(value)?),
            kind::INIT_ACK => Self::InitAck(Init::parse_ack(value)?),
            kind::SACK => Self::Sack(Sack::parse(&value)?),
            kind::HEARTBEAT => Self::Heartbeat(heartbeat_information(&value)?),
            kind::HEARTBEAT_ACK => Self::HeartbeatAck(heartbeat_information(&value)?),
            kind::ABORT => Self::Abort { reflected, causes: Cause::parse_all(&value)? },
            kind::SHUTDOWN => {
                let mut fields = value.as_ref();
                let cumulative_tsn = fields.try_get_u32()?;
                without_value(fields, Self::Shutdown { cumulative_tsn })?
            }
            kind::SHUTDOWN_ACK => without_value(&value, Self::ShutdownAck)?,
            kind::ERROR => Self::Error(Cause::parse_all(&value)?),
            kind::COOKIE_ECHO => Self::CookieEcho(value),
            kind::COOKIE_ACK => without_value(&value, Self::CookieAck)?,
            kind::SHUTDOWN_COMPLETE => without_value(&value, Self::ShutdownComplete { reflected })?,
            kind::RECONFIG => Self::Reconfig(Reconfig::parse_all(&value)?),
            kind::PAD => Self::Pad(HEADER_BYTES + value.len()),
            kind::FORWARD_TSN => Self::ForwardTsn(ForwardTsn::parse(&value)?),
            kind => Self::Unknown { kind, value },
        })
    }

    /// Whether no other chunk may be in its packet (RFC 9260 §6.10).
    pub(super) fn travels_alone(&self) -> bool {
        matches!(self, Self::Init(_) | Self::InitAck(_) | Self::ShutdownComplete { .. })
    }

    /// Whether what follows it in its packet must not be read.
    pub(super) fn stops_packet(&self) -> bool {
        matches!(self, Self::Unknown { kind, .. } if stops(u16::from_be_bytes([*kind, 0])))
    }

    /// Appends the chunk, without the padding after it.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        let mut put = |kind: u8, flags: u8, write: &dyn Fn(&mut Vec<u8>)| {
            put(buffer, u16::from_be_bytes([kind, flags]), write);
        };
        match self {
            Self::Data(data) => data.write(buffer),
            Self::Init(init) => put(kind::INIT, 0, &|buffer| init.write(buffer)),
            Self::InitAck(init) => put(kind::INIT_ACK, 0, &|buffer| init.write(buffer)),
            Self::Sack(sack) => put(kind::SACK, 0, &|buffer| sack.write(buffer)),
            Self::Heartbeat(information) => {
                put(kind::HEARTBEAT, 0, &|buffer| put_heartbeat(buffer, information));
            }
            Self::HeartbeatAck(information) => {
                put(kind::HEARTBEAT_ACK, 0, &|buffer| put_heartbeat(buffer, information));
            }
            Self::Abort { reflected, causes } => {
                put(kind::ABORT, u8::from(*reflected), &|buffer| put_causes(buffer, causes));
            }
            Self::Shutdown { cumulative_tsn } => {
                put(kind::SHUTDOWN, 0, &|buffer| buffer.extend_from_slice(&cumulative_tsn.to_be_bytes()));
            }
            Self::ShutdownAck => put(kind::SHUTDOWN_ACK, 0, &|_| {}),
            Self::ShutdownComplete { reflected } => {
                put(kind::SHUTDOWN_COMPLETE, u8::from(*reflected), &|_| {});
            }
            Self::Error(causes) => put(kind::ERROR, 0, &|buffer| put_causes(buffer, causes)),
            Self::CookieEcho(cookie) => {
                put(kind::COOKIE_ECHO, 0, &|buffer| buffer.extend_from_slice(cookie));
            }
            Self::CookieAck => put(kind::COOKIE_ACK, 0, &|_| {}),
            Self::ForwardTsn(forward) => put(kind::FORWARD_TSN, 0, &|buffer| forward.write(buffer)),
            Self::Reconfig(parameters) => put(kind::RECONFIG, 0, &|buffer| {
                parameters.iter().for_each(|parameter| parameter.write(buffer));
            }),
            Self::Pad(length) => put(kind::PAD, 0, &|buffer| {
                buffer.resize(buffer.len() + length.saturating_sub(HEADER_BYTES), 0);
            }),
            Self::Unknown { kind, value } => put(*kind, 0, &|buffer| buffer.extend_from_slice(value)),
        }
    }
}

/// `chunk`, if nothing is left of its value.
fn without_value(rest: &[u8], chunk: Chunk) -> Result<Chunk, PacketError> {
    if rest.is_empty() { Ok(chunk) } else { Err(PacketError::BadLength) }
}

/// The value of the one parameter that a heartbeat has (RFC 9260 §3.3.5).
fn heartbeat_information(value: &Bytes) -> Result<Bytes, PacketError> {
    match records(value).next() {
        Some(Ok(Record { kind: HEARTBEAT_INFORMATION, value })) => Ok(value),
        Some(Err(error)) => Err(error),
        _ => Err(PacketError::BadValue),
    }
}

fn put_heartbeat(buffer: &mut Vec<u8>, information: &[u8]) {
    put(buffer, HEARTBEAT_INFORMATION, |buffer| buffer.extend_from_slice(information));
}

fn put_causes(buffer: &mut Vec<u8>, causes: &[Cause]) {
    causes.iter().for_each(|cause| cause.write(buffer));
}

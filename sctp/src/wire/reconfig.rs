//! Parameters of RE-CONFIG (RFC 6525 §4), by which data channels are closed (RFC 8831 §6.7).

use bytes::{Buf, Bytes};

use crate::wire::PacketError;
use crate::wire::record::{put, records, rest_u16, stops};

/// RFC 6525 §4.1.
const OUTGOING_RESET: u16 = 13;
/// RFC 6525 §4.2.
const INCOMING_RESET: u16 = 14;
/// RFC 6525 §4.3.
const SSN_TSN_RESET: u16 = 15;
/// RFC 6525 §4.4.
const RESPONSE: u16 = 16;
/// RFC 6525 §4.5.
const ADD_OUTGOING: u16 = 17;
/// RFC 6525 §4.6.
const ADD_INCOMING: u16 = 18;

/// Most parameters of one chunk (RFC 6525 §3.1).
const MAX_PARAMETERS: usize = 2;

/// A parameter of a RE-CONFIG chunk (RFC 6525 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reconfig {
    /// "I reset these of my outgoing streams"; no streams means all.
    Outgoing { request: u32, response: u32, last_tsn: u32, streams: Vec<u16> },
    /// "Reset these of yours"; no streams means all.
    Incoming { request: u32, streams: Vec<u16> },
    /// SSN/TSN reset and added streams, which data channels do not use: only the request number matters, to refuse it.
    Unsupported { request: u32 },
    /// The answer to a request; the TSNs that may follow are for resets that we do not ask for.
    Response { response: u32, result: u32 },
}

impl Reconfig {
    /// Parses the value of the chunk: at most two parameters; unknown ones are passed over or end the list, as their
    /// highest bit says.
    pub(super) fn parse_all(value: &Bytes) -> Result<Vec<Self>, PacketError> {
        let mut parameters = Vec::new();
        for record in records(value) {
            let record = record?;
            match Self::parse(record.kind, &record.value)? {
                Some(_) if parameters.len() == MAX_PARAMETERS => return Err(PacketError::BadValue),
                Some(parameter) => parameters.push(parameter),
                None if stops(record.kind) => break,
                None => {}
            }
        }
        Ok(parameters)
    }

    /// Parses a parameter; nothing if its type is unknown.
    fn parse(kind: u16, mut fields: &[u8]) -> Result<Option<Self>, PacketError> {
        Ok(Some(match kind {
            OUTGOING_RESET => Self::Outgoing {
                request: fields.try_get_u32()?,
                response: fields.try_get_u32()?,
                last_tsn: fields.try_get_u32()?,
                streams: rest_u16(fields)?,
            },
            INCOMING_RESET => Self::Incoming { request: fields.try_get_u32()?, streams: rest_u16(fields)? },
            SSN_TSN_RESET | ADD_OUTGOING | ADD_INCOMING => {
                Self::Unsupported { request: fields.try_get_u32()? }
            }
            RESPONSE => Self::Response { response: fields.try_get_u32()?, result: fields.try_get_u32()? },
            _ => return Ok(None),
        }))
    }

    /// Appends the parameter.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        let numbers = |buffer: &mut Vec<u8>, numbers: &[u32]| {
            numbers.iter().for_each(|number| buffer.extend_from_slice(&number.to_be_bytes()));
        };
        let ids = |buffer: &mut Vec<u8>, ids: &[u16]| {
            ids.iter().for_each(|id| buffer.extend_from_slice(&id.to_be_bytes()));
        };
        match self {
            Self::Outgoing { request, response, last_tsn, streams } => {
                put(buffer, OUTGOING_RESET, |buffer| {
                    numbers(buffer, &[*request, *response, *last_tsn]);
                    ids(buffer, streams);
                });
            }
            Self::Incoming { request, streams } => put(buffer, INCOMING_RESET, |buffer| {
                numbers(buffer, &[*request]);
                ids(buffer, streams);
            }),
            Self::Unsupported { request } => {
                put(buffer, SSN_TSN_RESET, |buffer| numbers(buffer, &[*request]));
            }
            Self::Response { response, result } => {
                put(buffer, RESPONSE, |buffer| numbers(buffer, &[*response, *result]));
            }
        }
    }
}

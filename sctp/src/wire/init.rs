//! INIT and INIT ACK (RFC 9260 §3.3.2, §3.3.3): what a side is and can, and the cookie.

use bytes::{Buf, Bytes};

use crate::wire::PacketError;
use crate::wire::chunk::kind;
use crate::wire::record::{put, records, stops};

/// State Cookie (RFC 9260 §3.3.3.1).
const STATE_COOKIE: u16 = 7;
/// Host Name Address, which must be refused (RFC 9260 §3.3.2.1).
const HOST_NAME: u16 = 11;
/// Zero Checksum Acceptable (RFC 9653 §4).
const ZERO_CHECKSUM: u16 = 0x8001;
/// Supported Extensions (RFC 5061 §4.2.7).
const SUPPORTED_EXTENSIONS: u16 = 0x8008;
/// Forward-TSN-Supported (RFC 3758 §3.1).
const FORWARD_TSN_SUPPORTED: u16 = 0xC000;

/// Parameters of RFC 9260 that mean nothing over DTLS and are passed over, though their highest bit would stop one who
/// does not know them: IPv4 and IPv6 addresses, Unrecognized Parameter, Cookie Preservative, Supported Address Types.
const IGNORED: [u16; 5] = [5, 6, 8, 9, 12];

/// The alternate error detection method "SCTP over DTLS" (RFC 9653 §6).
const METHOD_DTLS: u32 = 1;

/// Smallest receive window that a side may announce, in bytes (RFC 9260 §3.3.2, its erratum 7148).
const MIN_WINDOW: u32 = 1_500;

/// INIT and INIT ACK (RFC 9260 §3.3.2, §3.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Init {
    /// Not 0.
    pub(crate) tag: u32,
    /// At least 1,500 bytes.
    pub(crate) window: u32,
    /// Not 0.
    pub(crate) outbound_streams: u16,
    /// Not 0.
    pub(crate) inbound_streams: u16,
    pub(crate) initial_tsn: u32,
    pub(crate) extensions: Extensions,
    /// Only in an INIT ACK, and always there.
    pub(crate) cookie: Option<Bytes>,
}

/// What a side can do beyond RFC 9260.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extensions {
    /// RFC 3758 §3.1: the parameter, or FORWARD TSN in the list of supported chunks.
    pub(crate) forward_tsn: bool,
    /// RFC 6525: RE-CONFIG in the list of supported chunks (RFC 5061 §4.2.7).
    pub(crate) reconfig: bool,
    /// RFC 9653 §3: zero checksums are taken where the lower layer is DTLS (method 1).
    pub(crate) zero_checksum: bool,
    /// RFC 4820: PAD in the list of supported chunks. We say it because it is so; no other implementation that is known does,
    /// so it tells our own kind.
    pub(crate) padding: bool,
}

impl Init {
    /// Parses the value of an INIT.
    pub(super) fn parse(value: Bytes) -> Result<Self, PacketError> {
        let init = Self::parse_either(value)?;
        Ok(Self { cookie: None, ..init })
    }

    /// Parses the value of an INIT ACK, which is nothing without its cookie.
    pub(super) fn parse_ack(value: Bytes) -> Result<Self, PacketError> {
        let init = Self::parse_either(value)?;
        if init.cookie.is_none() { Err(PacketError::BadValue) } else { Ok(init) }
    }

    fn parse_either(mut value: Bytes) -> Result<Self, PacketError> {
        let mut init = Self {
            tag: value.try_get_u32()?,
            window: value.try_get_u32()?,
            outbound_streams: value.try_get_u16()?,
            inbound_streams: value.try_get_u16()?,
            initial_tsn: value.try_get_u32()?,
            extensions: Extensions::default(),
            cookie: None,
        };
        let has_streams = init.outbound_streams != 0 && init.inbound_streams != 0;
        if init.tag == 0 || !has_streams || init.window < MIN_WINDOW {
            return Err(PacketError::BadValue);
        }
        for record in records(&value) {
            let record = record?;
            match record.kind {
                STATE_COOKIE => init.cookie = Some(record.value),
                HOST_NAME => return Err(PacketError::BadValue),
                kind if init.extensions.parse(kind, &record.value) || IGNORED.contains(&kind) => {}
                kind if stops(kind) => break,
                _ => {}
            }
        }
        Ok(init)
    }

    /// Appends the value.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.tag.to_be_bytes());
        buffer.extend_from_slice(&self.window.to_be_bytes());
        buffer.extend_from_slice(&self.outbound_streams.to_be_bytes());
        buffer.extend_from_slice(&self.inbound_streams.to_be_bytes());
        buffer.extend_from_slice(&self.initial_tsn.to_be_bytes());
        self.extensions.write(buffer);
        if let Some(cookie) = &self.cookie {
            put(buffer, STATE_COOKIE, |buffer| buffer.extend_from_slice(cookie));
        }
    }
}

impl Extensions {
    /// Takes in a parameter; whether it is one of these.
    fn parse(&mut self, parameter: u16, mut value: &[u8]) -> bool {
        match parameter {
            FORWARD_TSN_SUPPORTED => self.forward_tsn = true,
            SUPPORTED_EXTENSIONS => {
                self.forward_tsn |= value.contains(&kind::FORWARD_TSN);
                self.reconfig |= value.contains(&kind::RECONFIG);
                self.padding |= value.contains(&kind::PAD);
            }
            // Another method, or a value that is none: the offer is not for us.
            ZERO_CHECKSUM => self.zero_checksum |= value.try_get_u32() == Ok(METHOD_DTLS),
            _ => return false,
        }
        true
    }

    /// Appends the parameters, those that every implementation knows first.
    fn write(self, buffer: &mut Vec<u8>) {
        if self.forward_tsn {
            put(buffer, FORWARD_TSN_SUPPORTED, |_| {});
        }
        if self.forward_tsn || self.reconfig || self.padding {
            put(buffer, SUPPORTED_EXTENSIONS, |buffer| {
                buffer.extend(self.forward_tsn.then_some(kind::FORWARD_TSN));
                buffer.extend(self.reconfig.then_some(kind::RECONFIG));
                buffer.extend(self.padding.then_some(kind::PAD));
            });
        }
        if self.zero_checksum {
            put(buffer, ZERO_CHECKSUM, |buffer| buffer.extend_from_slice(&METHOD_DTLS.to_be_bytes()));
        }
    }
}

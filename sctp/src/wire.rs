//! What is on the line: packets, chunks and their parameters (RFC 9260 §3), parsed and written without judgement.
//!
//! Decoding is parsing: every length is checked, what is not known is kept as [`Chunk::Unknown`], nothing is indexed
//! blindly, and no allocation is larger than the datagram. Payloads are slices of the datagram.

pub(crate) mod tsn;

use bytes::Bytes;

/// The common header (RFC 9260 §3.1) without its checksum, in bytes 12 with it.
pub(crate) const COMMON_HEADER_BYTES: usize = 12;

/// The header of a DATA chunk (RFC 9260 §3.3.1), in bytes.
pub(crate) const DATA_HEADER_BYTES: usize = 16;

/// Ports and tag of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) verification_tag: u32,
}

/// How a packet's checksum field is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// CRC32c (RFC 9260 §6.8).
    Crc32c,
    /// Zero, where the layer below guards the bytes and the peer agreed (RFC 9653).
    Zero,
}

/// Why a datagram is not an SCTP packet. Such packets are dropped silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PacketError {
    #[error("too short for its headers")]
    Truncated,
    #[error("a length field does not fit")]
    BadLength,
    #[error("the checksum does not match")]
    BadChecksum,
    #[error("a field has a value that it must not have")]
    BadValue,
}

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
    Reconfig(Vec<Reconfig>),
    /// Padding of `0` bytes value, for probes of the path MTU (RFC 4820): the length of the whole chunk.
    Pad(usize),
    /// A chunk of a type that we do not know; its two highest bits say what to do (RFC 9260 §3.2).
    Unknown {
        kind: u8,
        value: Bytes,
    },
}

/// A piece of a message (RFC 9260 §3.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Data {
    pub(crate) tsn: u32,
    pub(crate) stream: u16,
    /// The stream sequence number; nothing when `unordered`.
    pub(crate) ssn: u16,
    pub(crate) ppid: u32,
    pub(crate) unordered: bool,
    pub(crate) beginning: bool,
    pub(crate) ending: bool,
    /// The I bit (RFC 7053): acknowledge without delay.
    pub(crate) immediate: bool,
    pub(crate) payload: Bytes,
}

/// INIT and INIT ACK (RFC 9260 §3.3.2, §3.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) tag: u32,
    pub(crate) window: u32,
    pub(crate) outbound_streams: u16,
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
}

/// What has arrived (RFC 9260 §3.3.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sack {
    pub(crate) cumulative_tsn: u32,
    pub(crate) window: u32,
    pub(crate) gaps: Vec<GapBlock>,
    pub(crate) duplicates: Vec<u32>,
}

/// TSNs that arrived, first and last, as offsets from the cumulative one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GapBlock {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

/// What the receiver shall no longer wait for (RFC 3758 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ForwardTsn {
    pub(crate) cumulative_tsn: u32,
    /// Ordered streams, and the last stream sequence number given up on each.
    pub(crate) streams: Vec<(u16, u16)>,
}

/// A parameter of a RE-CONFIG chunk (RFC 6525 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reconfig {
    /// "I reset these of my outgoing streams"; no streams means all.
    Outgoing {
        request: u32,
        response: u32,
        last_tsn: u32,
        streams: Vec<u16>,
    },
    /// "Reset these of yours."
    Incoming {
        request: u32,
        streams: Vec<u16>,
    },
    /// SSN/TSN reset and added streams, which data channels do not use: only the request number matters, to refuse it.
    Unsupported {
        request: u32,
    },
    Response {
        response: u32,
        result: u32,
    },
}

/// An error cause of ABORT or ERROR (RFC 9260 §3.3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) code: u16,
    pub(crate) information: Bytes,
}

/// A datagram whose header is right; its chunks are parsed one by one as they are asked for.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) header: Header,
    chunks: Bytes,
}

impl Packet {
    /// Checks the header and the checksum.
    ///
    /// # Errors
    /// [`PacketError`]. A checksum of zero is taken only if `zero_checksum` says so (RFC 9653 §5.3).
    pub(crate) fn parse(datagram: Bytes, zero_checksum: bool) -> Result<Self, PacketError> {
        let _ = (datagram, zero_checksum);
        todo!()
    }

    /// Whether it begins an association.
    pub(crate) fn starts_with_init(&self) -> bool {
        todo!()
    }

    /// The chunks; after an error there is nothing more.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = Result<Chunk, PacketError>> {
        let _ = &self.chunks;
        std::iter::from_fn(|| todo!())
    }
}

/// A packet being written: chunks are bundled until it is full.
#[derive(Debug)]
pub(crate) struct Writer {
    buffer: Vec<u8>,
    capacity: usize,
}

impl Writer {
    /// An empty packet of at most `capacity` bytes, header included.
    pub(crate) fn new(header: Header, capacity: usize) -> Self {
        let _ = header;
        Self { buffer: Vec::with_capacity(capacity), capacity }
    }

    /// Bytes that are left for chunks, their headers and padding included.
    pub(crate) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.buffer.len())
    }

    /// Whether there is no chunk in it yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.len() == COMMON_HEADER_BYTES
    }

    /// Appends a chunk and its padding. Whether it fits is the caller's business: control chunks may make a packet
    /// longer than its capacity.
    pub(crate) fn push(&mut self, chunk: &Chunk) {
        let _ = chunk;
        todo!()
    }

    /// Appends a DATA chunk: the only copy of its payload.
    pub(crate) fn push_data(&mut self, data: &Data) {
        let _ = data;
        todo!()
    }

    /// The datagram.
    pub(crate) fn finish(self, checksum: Checksum) -> Bytes {
        let _ = checksum;
        todo!()
    }
}

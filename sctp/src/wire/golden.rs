//! Chunks as bytes made by hand from the RFCs' layouts, and what they mean: for the tests, and as the fuzzer's seeds.

use bytes::Bytes;

use crate::wire::{Cause, Chunk, Data, Extensions, ForwardTsn, GapBlock, Init, Reconfig, Sack};

/// A chunk both ways.
pub(crate) struct Golden {
    pub(crate) name: &'static str,
    /// Without padding at the end.
    pub(crate) bytes: Vec<u8>,
    pub(crate) chunk: Chunk,
}

/// Bytes from hexadecimal digits; blanks mark the fields.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let nibbles: Vec<u8> =
        digits.chars().filter_map(|digit| digit.to_digit(16)).map(|nibble| nibble as u8).collect();
    nibbles.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A packet with these chunks, from port 5000 to 5000 with tag 1 and a checksum of zero.
pub(crate) fn datagram(chunks: &[u8]) -> Vec<u8> {
    let mut bytes = hex("1388 1388 00000001 00000000");
    bytes.extend_from_slice(chunks);
    bytes
}

/// One of every chunk that there is, each as we would write it.
pub(crate) fn all() -> Vec<Golden> {
    let golden = |name, digits, chunk| Golden { name, bytes: hex(digits), chunk };
    let bytes = Bytes::from_static;
    let data = Data {
        tsn: 0x0102_0304,
        stream: 5,
        ssn: 6,
        ppid: 53,
        unordered: false,
        beginning: true,
        ending: false,
        immediate: false,
        payload: bytes(b"abcd"),
    };
    let unordered =
        Data { ssn: 0, unordered: true, ending: true, immediate: true, payload: bytes(b"e"), ..data.clone() };
    let init = Init {
        tag: 0x0A0B_0C0D,
        window: 1_048_576,
        outbound_streams: 1_024,
        inbound_streams: 65_535,
        initial_tsn: 0xFFFF_FFFF,
        extensions: Extensions::default(),
        cookie: None,
    };
    let able = Extensions { forward_tsn: true, reconfig: true, zero_checksum: true, padding: false };
    let init_ack = Init { extensions: able, cookie: Some(bytes(b"cookie")), ..init.clone() };
    let sack = Sack { cumulative_tsn: 9, window: 65_536, gaps: vec![], duplicates: vec![] };
    let gaps = vec![GapBlock { start: 2, end: 2 }, GapBlock { start: 4, end: 65_535 }];
    let gappy = Sack { gaps, duplicates: vec![8], ..sack.clone() };
    let cause = Cause { code: Cause::USER_INITIATED_ABORT, information: bytes(b"bye") };
    let empty_cause = Cause { code: Cause::PROTOCOL_VIOLATION, information: Bytes::new() };
    // A stale cookie (RFC 9260 §3.3.10.3).
    let stale = Cause { code: 3, information: bytes(&[0, 0, 0, 9]) };
    let outgoing = Reconfig::Outgoing { request: 7, response: 8, last_tsn: 9, streams: vec![1] };
    let answer = Reconfig::Response { response: 7, result: 1 };
    let incoming = Reconfig::Incoming { request: 3, streams: vec![2, 4] };

    vec![
        golden("data", "00 02 0014 01020304 0005 0006 00000035 61626364", Chunk::Data(data)),
        golden("data-unordered", "00 0F 0011 01020304 0005 0000 00000035 65", Chunk::Data(unordered)),
        golden(
            "init",
            "01 00 0028 0A0B0C0D 00100000 0400 FFFF FFFFFFFF  C000 0004  8008 0005 C0 000000  8001 0008 00000001",
            Chunk::Init(Init {
                extensions: Extensions {
                    forward_tsn: true,
                    zero_checksum: true,
                    reconfig: false,
                    padding: false,
                },
                ..init.clone()
            }),
        ),
        golden("init-bare", "01 00 0014 0A0B0C0D 00100000 0400 FFFF FFFFFFFF", Chunk::Init(init)),
        golden(
            "init-ack",
            "02 00 0032 0A0B0C0D 00100000 0400 FFFF FFFFFFFF  C000 0004  8008 0006 C082 0000
             8001 0008 00000001  0007 000A 636F6F6B6965",
            Chunk::InitAck(init_ack),
        ),
        golden("sack", "03 00 0010 00000009 00010000 0000 0000", Chunk::Sack(sack)),
        golden(
            "sack-gaps",
            "03 00 001C 00000009 00010000 0002 0001  0002 0002  0004 FFFF  00000008",
            Chunk::Sack(gappy),
        ),
        golden("heartbeat", "04 00 000B  0001 0007 616263", Chunk::Heartbeat(bytes(b"abc"))),
        golden("heartbeat-ack", "05 00 0008  0001 0004", Chunk::HeartbeatAck(Bytes::new())),
        golden(
            "abort",
            "06 01 0010  000C 0007 627965 00  000D 0004",
            Chunk::Abort { reflected: true, causes: vec![cause, empty_cause] },
        ),
        golden("abort-bare", "06 00 0004", Chunk::Abort { reflected: false, causes: vec![] }),
        golden("shutdown", "07 00 0008 0000000A", Chunk::Shutdown { cumulative_tsn: 10 }),
        golden("shutdown-ack", "08 00 0004", Chunk::ShutdownAck),
        golden("error", "09 00 000C  0003 0008 00000009", Chunk::Error(vec![stale])),
        golden("cookie-echo", "0A 00 0007 616263", Chunk::CookieEcho(bytes(b"abc"))),
        golden("cookie-ack", "0B 00 0004", Chunk::CookieAck),
        golden("shutdown-complete", "0E 01 0004", Chunk::ShutdownComplete { reflected: true }),
        golden(
            "reconfig",
            "82 00 0024  000D 0012 00000007 00000008 00000009 0001 0000  0010 000C 00000007 00000001",
            Chunk::Reconfig(vec![outgoing, answer]),
        ),
        golden("reconfig-in", "82 00 0010  000E 000C 00000003 0002 0004", Chunk::Reconfig(vec![incoming])),
        golden(
            "reconfig-tsn",
            "82 00 000C  000F 0008 0000000B",
            Chunk::Reconfig(vec![Reconfig::Unsupported { request: 11 }]),
        ),
        golden("pad", "84 00 0009 0000000000", Chunk::Pad(9)),
        golden(
            "forward-tsn",
            "C0 00 0010 00000020  0001 0002  0003 0004",
            Chunk::ForwardTsn(ForwardTsn { cumulative_tsn: 32, streams: vec![(1, 2), (3, 4)] }),
        ),
        golden("unknown-skip", "BF 00 0005 2A", Chunk::Unknown { kind: 0xBF, value: bytes(b"*") }),
        golden("unknown-stop", "40 00 0004", Chunk::Unknown { kind: 0x40, value: Bytes::new() }),
    ]
}

/// Packets to begin fuzzing with: each chunk alone, and those that may be bundled all together.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let golden = all();
    let mut bundle = Vec::new();
    for one in &golden {
        if !one.chunk.travels_alone() && !one.chunk.stops_packet() {
            bundle.extend_from_slice(&one.bytes);
            bundle.resize(bundle.len().next_multiple_of(4), 0);
        }
    }
    let mut seeds: Vec<_> = golden.iter().map(|one| (one.name, datagram(&one.bytes))).collect();
    seeds.push(("bundle", datagram(&bundle)));
    seeds
}

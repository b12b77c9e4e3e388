//! Every layout against bytes made by hand, and every way in which a peer can lie about a length.

use bytes::Bytes;

use crate::wire::golden::{all, datagram, hex, seeds};
use crate::wire::record::{pad, put};
use crate::wire::{
    Cause, Checksum, Chunk, DATA_HEADER_BYTES, Extensions, GapBlock, Header, Init, Packet, PacketError, Sack,
    Writer,
};

const HEADER: Header = Header { source_port: 5_000, destination_port: 5_000, verification_tag: 1 };

/// The chunks of a packet whose checksum is zero.
fn parse(chunks: &[u8]) -> Result<Vec<Chunk>, PacketError> {
    Packet::parse(datagram(chunks).into(), true)?.chunks().collect()
}

/// A chunk, or why it is none.
fn parse_one(digits: &str) -> Result<Chunk, PacketError> {
    parse(&hex(digits)).map(|mut chunks| chunks.remove(0))
}

/// A packet with this chunk, its checksum blanked.
fn write(chunk: &Chunk) -> Vec<u8> {
    let mut writer = Writer::new(HEADER, 1_200);
    writer.push(chunk);
    let mut bytes = writer.finish(Checksum::Zero).to_vec();
    bytes[8..12].fill(0);
    bytes
}

#[test]
fn every_chunk_is_written_and_read_as_the_rfcs_lay_it_out() {
    for golden in all() {
        let name = golden.name;
        let mut bytes = golden.bytes;
        assert_eq!(parse(&bytes), Ok(vec![golden.chunk.clone()]), "{name} without its padding");
        pad(&mut bytes);
        assert_eq!(parse(&bytes), Ok(vec![golden.chunk.clone()]), "{name}");
        assert_eq!(write(&golden.chunk), datagram(&bytes), "{name}");
    }
}

#[test]
fn a_bundle_is_read_in_order() {
    let (_, bundle) = seeds().into_iter().find(|(name, _)| *name == "bundle").unwrap();
    let chunks: Vec<Chunk> =
        Packet::parse(bundle.into(), true).unwrap().chunks().collect::<Result<_, _>>().unwrap();
    let expected: Vec<Chunk> = all()
        .into_iter()
        .map(|golden| golden.chunk)
        .filter(|chunk| !chunk.travels_alone() && !chunk.stops_packet())
        .collect();
    assert_eq!(chunks, expected);
}

#[test]
fn a_payload_is_a_slice_of_its_datagram() {
    let bytes = Bytes::from(datagram(&hex("00 02 0014 01020304 0005 0006 00000035 61626364")));
    let payload = &bytes[12 + DATA_HEADER_BYTES..];
    let packet = Packet::parse(bytes.clone(), true).unwrap();
    let Some(Ok(Chunk::Data(data))) = packet.chunks().next() else { panic!("no data") };
    assert_eq!(data.payload.as_ptr(), payload.as_ptr());
}

#[test]
fn a_packet_cut_anywhere_is_refused_or_yields_what_came_whole() {
    for (name, bytes) in seeds() {
        let whole: Vec<Chunk> =
            Packet::parse(bytes.clone().into(), true).unwrap().chunks().collect::<Result<_, _>>().unwrap();
        for length in 0..bytes.len() {
            let Ok(packet) = Packet::parse(Bytes::copy_from_slice(&bytes[..length]), true) else { continue };
            let kept: Vec<Chunk> = packet.chunks().map_while(Result::ok).collect();
            assert_eq!(kept, whole[..kept.len()], "{name} cut at {length}");
            let is_padding = bytes.len() - length < 4;
            assert!(kept.len() < whole.len() || is_padding, "{name} cut at {length}");
        }
    }
}

#[test]
fn a_chunk_length_that_lies_is_refused() {
    for length in [0, 1, 2, 3, 9, 0xFFFF] {
        let lie = format!("0B 00 0004 80 00 {length:04X} 00000000");
        let packet = Packet::parse(datagram(&hex(&lie)).into(), true).unwrap();
        let chunks: Vec<_> = packet.chunks().collect();
        assert_eq!(chunks, [Ok(Chunk::CookieAck), Err(PacketError::BadLength)], "{length}");
    }
}

#[test]
fn the_length_of_a_parameter_or_cause_that_lies_is_refused() {
    let init = "0A0B0C0D 00100000 0400 FFFF FFFFFFFF";
    for length in [0, 1, 2, 3, 9, 0xFFFF] {
        for lie in [
            format!("01 00 001C {init} 8042 {length:04X} 00000000"),
            format!("04 00 000C 0001 {length:04X} 00000000"),
            format!("06 00 000C 000C {length:04X} 00000000"),
            format!("09 00 000C 000C {length:04X} 00000000"),
            format!("82 00 000C 000F {length:04X} 00000000"),
        ] {
            assert_eq!(parse_one(&lie), Err(PacketError::BadLength), "{lie}");
        }
    }
}

#[test]
fn chunks_of_a_fixed_length_have_that_length() {
    for (chunk, error) in [
        ("08 00 0008 00000000", PacketError::BadLength),
        ("0B 00 0008 00000000", PacketError::BadLength),
        ("0E 00 0008 00000000", PacketError::BadLength),
        ("07 00 0004", PacketError::Truncated),
        ("07 00 000C 00000001 00000002", PacketError::BadLength),
        ("03 00 000C 00000009 00010000", PacketError::Truncated),
        ("C0 00 0004", PacketError::Truncated),
        ("C0 00 000A 00000020 0001", PacketError::BadLength),
        ("82 00 000A 000F 0006 0000", PacketError::Truncated),
        ("82 00 000D 000E 0009 00000003 00", PacketError::BadLength),
    ] {
        assert_eq!(parse_one(chunk), Err(error), "{chunk}");
    }
}

#[test]
fn data_without_payload_is_refused() {
    assert_eq!(parse_one("00 03 0010 01020304 0005 0006 00000035"), Err(PacketError::BadValue));
    assert_eq!(parse_one("00 03 000F 01020304 0005 0006 000000"), Err(PacketError::Truncated));
}

#[test]
fn the_sequence_number_of_unordered_data_means_nothing() {
    let Ok(Chunk::Data(data)) = parse_one("00 07 0011 01020304 0005 0BAD 00000035 65") else { panic!() };
    assert_eq!(data.ssn, 0);
}

/// RFC 9260 §6.8 and its appendix A; the sum of 32 zeros is a known answer of CRC32c (RFC 3720 B.4).
#[test]
fn the_checksum_is_crc32c_with_its_lowest_byte_first() {
    let mut zeros = [0; 32].to_vec();
    zeros[8..12].copy_from_slice(&0x8A91_36AA_u32.to_le_bytes());
    let packet = Packet::parse(zeros.into(), false).unwrap();
    assert_eq!(packet.header.verification_tag, 0);
}

#[test]
fn a_packet_that_was_written_bears_its_own_checksum_and_no_other() {
    let mut writer = Writer::new(HEADER, 1_200);
    writer.push(&Chunk::CookieAck);
    let bytes = writer.finish(Checksum::Crc32c);
    assert!(Packet::parse(bytes.clone(), false).is_ok());
    assert!(Packet::parse(bytes.clone(), true).is_ok());
    for at in 0..bytes.len() {
        let mut wrong = bytes.to_vec();
        wrong[at] ^= 0x10;
        assert_eq!(Packet::parse(wrong.into(), true).unwrap_err(), PacketError::BadChecksum, "{at}");
    }
}

#[test]
fn a_checksum_of_zero_is_taken_only_where_that_was_agreed() {
    let bytes = Bytes::from(write(&Chunk::CookieAck));
    assert_eq!(Packet::parse(bytes.clone(), false).unwrap_err(), PacketError::BadChecksum);
    assert!(Packet::parse(bytes, true).is_ok());
}

#[test]
fn packets_that_set_up_bear_a_checksum_whatever_was_agreed() {
    for golden in all() {
        let mut writer = Writer::new(HEADER, 1_200);
        writer.push(&golden.chunk);
        let bytes = writer.finish(Checksum::Zero);
        let sets_up = matches!(golden.chunk, Chunk::Init(_) | Chunk::CookieEcho(_));
        assert_eq!(Packet::parse(bytes, false).is_ok(), sets_up, "{}", golden.name);
    }
}

#[test]
fn init_init_ack_and_shutdown_complete_travel_alone() {
    for golden in all().into_iter().filter(|golden| golden.chunk.travels_alone()) {
        let alone = golden.bytes;
        let mut followed = alone.clone();
        pad(&mut followed);
        followed.extend(hex("0B 00 0004"));
        assert_eq!(parse(&followed), Err(PacketError::BadValue), "{}", golden.name);
        let mut preceded = hex("0B 00 0004");
        preceded.extend(&alone);
        assert_eq!(parse(&preceded), Err(PacketError::BadValue), "{}", golden.name);
    }
}

#[test]
fn an_init_that_no_side_may_send_is_refused() {
    for value in [
        "00000000 00100000 0400 FFFF FFFFFFFF", // No tag.
        "0A0B0C0D 000005DB 0400 FFFF FFFFFFFF", // A window of 1,499 bytes.
        "0A0B0C0D 00100000 0000 FFFF FFFFFFFF", // No outbound streams.
        "0A0B0C0D 00100000 0400 0000 FFFFFFFF", // No inbound streams.
    ] {
        assert_eq!(parse_one(&format!("01 00 0014 {value}")), Err(PacketError::BadValue), "{value}");
        let ack = format!("02 00 001C {value} 0007 0008 00000000");
        assert_eq!(parse_one(&ack), Err(PacketError::BadValue), "{value}");
    }
    let no_cookie = "02 00 0014 0A0B0C0D 00100000 0400 FFFF FFFFFFFF";
    assert_eq!(parse_one(no_cookie), Err(PacketError::BadValue));
    let host_name = "01 00 001C 0A0B0C0D 00100000 0400 FFFF FFFFFFFF 000B 0008 61000000";
    assert_eq!(parse_one(host_name), Err(PacketError::BadValue));
}

/// What an INIT with these parameters offers.
fn extensions(parameters: &str) -> Extensions {
    let mut bytes = Vec::new();
    put(&mut bytes, 0x0100, |buffer| {
        buffer.extend(hex("0A0B0C0D 00100000 0400 FFFF FFFFFFFF"));
        buffer.extend(hex(parameters));
    });
    match parse(&bytes).unwrap().remove(0) {
        Chunk::Init(Init { extensions, cookie: None, .. }) => extensions,
        other => panic!("{other:?}"),
    }
}

#[test]
fn unknown_parameters_of_an_init_stop_or_are_skipped_as_they_say() {
    let forward_tsn = Extensions { forward_tsn: true, ..Extensions::default() };
    for skipped in ["8042 0008 00000000", "C042 0005 00000000", "0005 0008 7F000001", "000C 0006 0005 0000"] {
        assert_eq!(extensions(&format!("{skipped} C000 0004")), forward_tsn, "{skipped}");
    }
    for stopping in ["0042 0008 00000000", "4042 0005 00000000"] {
        assert_eq!(extensions(&format!("{stopping} C000 0004")), Extensions::default(), "{stopping}");
    }
}

#[test]
fn extensions_are_offered_by_parameter_or_by_list() {
    let none = Extensions::default();
    assert_eq!(extensions("C000 0004"), Extensions { forward_tsn: true, ..none });
    assert_eq!(extensions("8008 0006 40C0 0000"), Extensions { forward_tsn: true, ..none });
    assert_eq!(extensions("8008 0005 82"), Extensions { reconfig: true, ..none });
    assert_eq!(extensions("8001 0008 00000001"), Extensions { zero_checksum: true, ..none });
    assert_eq!(extensions("8001 0008 00000002"), none, "a method that is not DTLS");
    assert_eq!(extensions("8001 0006 0001 0000"), none, "no method");
    assert_eq!(extensions("0007 0008 00000000"), none, "a cookie, which is none of an INIT's business");
}

#[test]
fn an_unknown_chunk_stops_the_packet_or_is_skipped_as_it_says() {
    let after = Chunk::CookieAck;
    for kind in [0x80_u8, 0xBF, 0xFF] {
        let chunks = parse(&hex(&format!("{kind:02X} 00 0004 0B 00 0004"))).unwrap();
        assert_eq!(chunks, [Chunk::Unknown { kind, value: Bytes::new() }, after.clone()]);
    }
    for kind in [0x0C_u8, 0x3F, 0x40, 0x7F] {
        let chunks = parse(&hex(&format!("{kind:02X} 00 0004 0B 00 0004"))).unwrap();
        assert_eq!(chunks, [Chunk::Unknown { kind, value: Bytes::new() }]);
    }
}

/// The gap blocks of a SACK that was sent with these.
fn gaps(blocks: &[(u16, u16)]) -> Vec<(u16, u16)> {
    let gaps = blocks.iter().map(|&(start, end)| GapBlock { start, end }).collect();
    let bytes = write(&Chunk::Sack(Sack { gaps, ..Sack::default() }));
    match parse(&bytes[12..]).unwrap().remove(0) {
        Chunk::Sack(sack) => sack.gaps.iter().map(|gap| (gap.start, gap.end)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn gap_blocks_are_orderly_whatever_was_sent() {
    assert_eq!(gaps(&[(2, 3), (5, 5)]), [(2, 3), (5, 5)]);
    assert_eq!(gaps(&[(0, 3), (5, 5), (9, 8)]), [(5, 5)], "blocks that say nothing");
    assert_eq!(gaps(&[(5, 5), (2, 3)]), [(2, 3), (5, 5)], "out of order");
    assert_eq!(gaps(&[(2, 9), (4, 5), (8, 11)]), [(2, 11)], "overlapping");
    assert_eq!(gaps(&[(2, 3), (4, 5), (7, 7)]), [(2, 5), (7, 7)], "touching");
    assert_eq!(gaps(&[(1, 65_535), (65_535, 65_535)]), [(1, 65_535)], "up to the end");
}

#[test]
fn a_sack_whose_counts_do_not_fit_is_refused() {
    for counts in ["0001 0000", "0000 0001", "FFFF FFFF", "0003 0000"] {
        let sack = format!("03 00 0018 00000009 00010000 {counts} 0002 0002 00000008");
        assert_eq!(parse_one(&sack), Err(PacketError::BadLength), "{counts}");
    }
}

#[test]
fn a_reconfig_has_two_parameters_at_most() {
    let three = format!("82 00 001C {}", "000F 0008 00000001 ".repeat(3));
    assert_eq!(parse_one(&three), Err(PacketError::BadValue));
    let unknown = "82 00 000C 8042 0008 00000000";
    assert_eq!(parse_one(unknown), Ok(Chunk::Reconfig(vec![])));
}

#[test]
fn no_more_causes_are_kept_than_anybody_reads() {
    let causes = vec![Cause { code: 1, information: Bytes::new() }; 300];
    let bytes = write(&Chunk::Error(causes));
    let Ok(Chunk::Error(kept)) = parse(&bytes[12..]).map(|mut chunks| chunks.remove(0)) else { panic!() };
    assert_eq!(kept.len(), 16);
}

#[test]
fn a_packet_tells_of_its_first_chunk_before_any_is_parsed() {
    let starts = |digits| {
        let packet = Packet::parse(datagram(&hex(digits)).into(), true).unwrap();
        packet.starts_with_init()
    };
    assert!(starts("01 00 0000"));
    assert!(!starts("06 00 0004"));
}

#[test]
fn a_writer_counts_padding_into_what_is_left() {
    let mut writer = Writer::new(HEADER, 40);
    assert!(writer.is_empty());
    assert_eq!(writer.room(), 28);
    writer.push(&Chunk::CookieEcho(Bytes::from_static(b"a")));
    assert!(!writer.is_empty());
    assert_eq!(writer.room(), 20);
    writer.push(&Chunk::Pad(24));
    assert_eq!(writer.room(), 0);
    assert_eq!(writer.finish(Checksum::Zero).len(), 44);
}

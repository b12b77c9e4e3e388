//! What the fuzzer's bytes say in a peer's name.
//!
//! Every byte means something, so that no input is wasted. Numbers lie near those that matter, most of the time.

use bytes::Bytes;

use crate::association::Vitals;
use crate::stream::StreamId;
use crate::wire::{Chunk, Data, Extensions, ForwardTsn, GapBlock, Init, Reconfig, Sack};

/// Longest thing that is forged or written, in bytes: a DTLS record holds 16,384 (RFC 6347 §4.1).
const MOST_FORGED: usize = 16_000;

/// What is left of the input; nothing but zeros after its end.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl Input<'_> {
    pub(super) fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_be_bytes([self.u8(), self.u8(), self.u8(), self.u8()])
    }

    pub(super) fn below(&mut self, end: u8) -> u8 {
        self.u8() % end
    }

    /// A number near `live`, mostly.
    pub(super) fn near(&mut self, live: u32) -> u32 {
        match self.below(16) {
            0 => self.u32(),
            1 => live.wrapping_add(1 << 31),
            2 | 3 => live.wrapping_add_signed(i32::from(self.u16() as i16)),
            4..8 => live,
            8..12 => live.wrapping_add(1),
            _ => live.wrapping_add_signed(i32::from(self.u8() as i8)),
        }
    }

    pub(super) fn length(&mut self) -> usize {
        match self.below(8) {
            0 => usize::from(self.u16()).min(MOST_FORGED),
            1..4 => 1 + usize::from(self.u8()),
            _ => 1_100,
        }
    }

    pub(super) fn stream(&mut self) -> StreamId {
        match self.below(8) {
            0 => self.u16(),
            other => StreamId::from(other % 3),
        }
    }

    pub(super) fn window(&mut self) -> u32 {
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => u32::MAX,
            3 => self.u32(),
            4 => u32::from(self.u8()),
            _ => 1 << 20,
        }
    }
}

/// A chunk that fits what is going on, more or less.
pub(super) fn chunk(input: &mut Input<'_>, vitals: &mut Vitals) -> Chunk {
    match input.below(32) {
        0 => Chunk::Init(init(input, None)),
        1 => {
            let cookie = Bytes::from(vec![1; input.length()]);
            Chunk::InitAck(init(input, Some(cookie)))
        }
        2 => Chunk::CookieEcho(Bytes::from(vec![1; input.length()])),
        3 => Chunk::CookieAck,
        4 => Chunk::Heartbeat(Bytes::from(vec![1; input.length()])),
        5 => Chunk::HeartbeatAck(Bytes::copy_from_slice(&u64::from(input.u32()).to_be_bytes())),
        6 => match input.u8() {
            0 => Chunk::Abort { reflected: input.u8() & 1 == 0, causes: Vec::new() },
            1..4 => Chunk::Shutdown { cumulative_tsn: input.near(vitals.sent) },
            4..6 => Chunk::ShutdownAck,
            6 => Chunk::ShutdownComplete { reflected: input.u8() & 1 == 0 },
            kind => Chunk::Unknown { kind, value: Bytes::from_static(b"????") },
        },
        7 => Chunk::Pad(input.length()),
        8..11 => Chunk::Reconfig((0..=input.below(2)).map(|_| reconfig(input, vitals)).collect()),
        11..14 => Chunk::ForwardTsn(ForwardTsn {
            cumulative_tsn: input.near(vitals.received),
            streams: (0..input.below(8)).map(|_| (input.stream(), input.near(0) as u16)).collect(),
        }),
        14..21 => Chunk::Sack(sack(input, vitals)),
        _ => {
            let (flags, next) = (input.u8(), vitals.received.wrapping_add(1));
            let tsn = if input.below(3) == 0 { input.near(vitals.received) } else { next };
            // The next one of this packet comes after it.
            vitals.received = if tsn == next { next } else { vitals.received };
            // What does not fit together ends everything, so most messages are whole.
            let is_whole = flags & 28 != 0;
            Chunk::Data(Data {
                tsn,
                stream: input.stream(),
                ssn: input.near(0) as u16,
                ppid: [50, 51, 53, 57][usize::from(flags >> 6)],
                unordered: flags & 1 != 0,
                beginning: is_whole || flags & 2 != 0,
                ending: is_whole || flags & 32 != 0,
                immediate: flags & 4 != 0,
                payload: Bytes::from(vec![3; input.length()]),
            })
        }
    }
}

fn sack(input: &mut Input<'_>, vitals: &Vitals) -> Sack {
    // What was never sent ends everything, so it is acknowledged seldom.
    let behind = input.below(24);
    let cumulative_tsn = match input.below(64) {
        0 => input.near(vitals.sent),
        _ => vitals.sent.wrapping_sub(u32::from(behind)),
    };
    let mut gap = || match input.below(128) {
        0 => input.u16(),
        other => u16::from(other % (behind + 1)),
    };
    let gaps = (0..gap() % 6).map(|_| GapBlock { start: gap(), end: gap() }).collect();
    let duplicates = (0..input.below(4)).map(|_| input.near(vitals.sent)).collect();
    Sack { cumulative_tsn, window: input.window(), gaps, duplicates }
}

fn init(input: &mut Input<'_>, cookie: Option<Bytes>) -> Init {
    let flags = input.u8();
    Init {
        tag: input.u32().max(1),
        window: input.window(),
        outbound_streams: input.u16().max(1),
        inbound_streams: input.u16().max(1),
        initial_tsn: input.near(0),
        extensions: Extensions {
            forward_tsn: flags & 1 == 0,
            reconfig: flags & 2 == 0,
            zero_checksum: flags & 4 == 0,
            padding: flags & 8 == 0,
        },
        cookie,
    }
}

fn reconfig(input: &mut Input<'_>, vitals: &Vitals) -> Reconfig {
    let request = input.near(vitals.expected_request);
    let streams = (0..input.below(8)).map(|_| input.stream()).collect();
    match input.below(8) {
        0 => Reconfig::Incoming { request, streams },
        1 => Reconfig::Unsupported { request },
        2..5 => {
            let response = input.near(vitals.next_request.wrapping_sub(1));
            Reconfig::Response { response, result: u32::from(input.below(8)) }
        }
        _ => Reconfig::Outgoing { request, response: 0, last_tsn: input.near(vitals.received), streams },
    }
}

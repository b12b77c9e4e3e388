//! What a hostile peer may try once DTLS stands, and what must not come of it.

use std::time::Duration;

use bytes::Bytes;

use crate::association::tests::{BINARY, Pair, address};
use crate::association::{AssociationError, State};
use crate::endpoint::DatagramEvent;
use crate::wire::{Checksum, Chunk, Data, Header, Init, Reconfig, Sack, Writer};

/// Sends `count` chunks, each in a packet of its own, to the server.
fn flood(pair: &mut Pair, count: usize, mut chunk: impl FnMut(usize) -> Chunk) {
    let tag = pair.sides[1].association().local_tag();
    for index in 0..count {
        let chunk = chunk(index);
        let verification_tag = if matches!(chunk, Chunk::Init(_)) { 0 } else { tag };
        let header = Header { source_port: 5000, destination_port: 5000, verification_tag };
        let mut packet = Writer::new(header, 1200);
        packet.push(&chunk);
        let now = pair.now;
        pair.sides[1].take(now, packet.finish(Checksum::Crc32c));
    }
}

#[test]
fn floods_of_what_wants_an_answer_are_answered_in_moderation() {
    let mut pair = Pair::established();
    let init = pair.sides[0].association().local_init(None);
    flood(&mut pair, 10_000, |index| Chunk::Init(Init { tag: index as u32 + 1, ..init.clone() }));
    assert!(pair.sides[1].datagrams(pair.now).is_empty(), "an INIT for what stands is an old one");
    flood(&mut pair, 10_000, |_| Chunk::Heartbeat(Bytes::from_static(&[1; 900])));
    flood(&mut pair, 10_000, |index| Chunk::Reconfig(vec![Reconfig::Unsupported { request: index as u32 }]));
    let now = pair.now;
    assert!(pair.sides[1].datagrams(now).len() <= 64);
    pair.write(0, 1, b"hello");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.sides[1].messages, [(1, b"hello".to_vec())]);
}

#[test]
fn a_forged_acknowledgement_ends_the_association() {
    let mut pair = Pair::established();
    let cumulative_tsn = pair.sides[1].association().outbound.last_tsn().wrapping_add(7);
    flood(&mut pair, 1, |_| Chunk::Sack(Sack { cumulative_tsn, window: 1 << 20, ..Default::default() }));
    assert!(pair.sides[1].association().is_closed());
    pair.exchange();
    assert!(pair.sides[0].association().is_closed(), "it was told by an ABORT");
}

/// The server's next chunk of data from the client, `ahead` of what is expected.
fn data(pair: &mut Pair, ahead: u32, stream: u16, payload: Bytes) -> Chunk {
    let tsn = pair.sides[1].association().inbound.cumulative_tsn().wrapping_add(1 + ahead);
    let (ssn, ppid, unordered, beginning, ending, immediate) = (0, 53, true, true, true, false);
    Chunk::Data(Data { tsn, stream, ssn, ppid, unordered, beginning, ending, immediate, payload })
}

/// What the server answers to RE-CONFIG requests.
fn reset(pair: &mut Pair, request: u32, streams: Vec<u16>) {
    let last_tsn = pair.sides[1].association().inbound.cumulative_tsn();
    flood(pair, 1, |_| {
        Chunk::Reconfig(vec![Reconfig::Outgoing { request, response: 0, last_tsn, streams: streams.clone() }])
    });
}

#[test]
fn padding_does_not_keep_memory() {
    let mut pair = Pair::established();
    let tag = pair.sides[1].association().local_tag();
    for (payload, is_copied) in [(4_000, true), (12_000, false)] {
        let chunk = data(&mut pair, 0, 1, Bytes::from(vec![1; payload]));
        let header = Header { source_port: 5000, destination_port: 5000, verification_tag: tag };
        let mut packet = Writer::new(header, 16_000);
        packet.push(&chunk);
        packet.push(&Chunk::Pad(packet.room()));
        let datagram = packet.finish(Checksum::Crc32c);
        let event = pair.sides[1].endpoint.handle(pair.now, address(), None, datagram.clone());
        let Some((_, DatagramEvent::AssociationEvent(event))) = event else { panic!("it is for the server") };
        pair.sides[1].association().handle_event(event);
        assert_eq!(datagram.is_unique(), is_copied, "{payload} bytes");
    }
}

#[test]
fn all_streams_may_be_opened_and_reset_at_once() {
    let mut pair = Pair::established();
    for stream in 0..=u16::MAX {
        let chunk = data(&mut pair, 0, stream, Bytes::from_static(b"x"));
        flood(&mut pair, 1, |_| chunk.clone());
    }
    let now = pair.now;
    pair.sides[1].datagrams(now);
    assert_eq!(pair.sides[1].association().streams.ids().len(), 1 << 16);
    let request = pair.sides[1].association().resets.expected_request();
    reset(&mut pair, request, Vec::new());
    assert_eq!(pair.sides[1].association().streams.closing().count(), 1 << 16);
    // The server resets its own ones, 500 at a time; each answer lets it ask for the next.
    let mut requests = 0;
    while pair.sides[1].association().streams.closing().count() > 0 {
        requests += 1;
        let response = pair.sides[1].association().resets.next_request().wrapping_sub(1);
        flood(&mut pair, 1, |_| Chunk::Reconfig(vec![Reconfig::Response { response, result: 1 }]));
    }
    assert_eq!(requests, 65_536_usize.div_ceil(500));
    assert_eq!(pair.sides[1].association().streams.ids(), []);
    let lost = |stream| pair.sides[1].is_lost(stream, &AssociationError::Reset);
    assert!(lost(0) && lost(u16::MAX));
}

#[test]
fn resets_of_streams_that_are_not_there_and_out_of_turn_change_nothing() {
    let mut pair = Pair::established();
    pair.write(0, 1, b"hello");
    pair.run(Duration::from_secs(1));
    let expected = pair.sides[1].association().resets.expected_request();
    reset(&mut pair, expected, (1_000..9_000).collect());
    for request in [expected.wrapping_add(7), expected.wrapping_sub(9), expected.wrapping_add(1 << 31)] {
        reset(&mut pair, request, vec![1]);
    }
    assert_eq!(pair.sides[1].association().resets.expected_request(), expected.wrapping_add(1));
    assert_eq!(pair.sides[1].association().streams.ids(), [1]);
    pair.sides[1].datagrams(pair.now);
    pair.write(0, 1, b"again");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.sides[1].messages.len(), 2);
}

#[test]
fn request_numbers_wrap() {
    let mut pair = Pair::established();
    let tsn = pair.sides[0].association().outbound.last_tsn().wrapping_add(1);
    pair.sides[1].association().resets.establish(u32::MAX, true);
    for request in [u32::MAX, 0, 1] {
        reset(&mut pair, request, vec![1]);
    }
    assert_eq!(pair.sides[1].association().resets.expected_request(), 2);
    assert_eq!(pair.sides[1].association().inbound.cumulative_tsn().wrapping_add(1), tsn);
}

#[test]
fn a_cookie_that_comes_again_is_confirmed_and_nothing_else() {
    let mut pair = Pair::new();
    let mut cookies = Vec::new();
    for _ in 0..4 {
        for from in [0, 1] {
            for datagram in pair.sides[from].datagrams(pair.now) {
                if from == 0 && datagram.get(12) == Some(&10) {
                    cookies.push(datagram.clone());
                }
                pair.sides[1 - from].take(pair.now, datagram);
            }
        }
    }
    pair.sides[0].association().open_stream(1, BINARY).unwrap();
    pair.write(0, 1, b"before");
    pair.run(Duration::from_secs(1));
    let cookie = cookies.pop().expect("the client sent it");
    (0..1_000).for_each(|_| pair.sides[1].take(pair.now, cookie.clone()));
    assert!(pair.sides[1].datagrams(pair.now).len() <= 64);
    pair.write(0, 1, b"after");
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.sides[1].messages.len(), 2);
}

/// Whatever part of closing comes, and however often, it ends in `Closed` or goes on.
#[test]
fn steps_of_a_shutdown_out_of_turn_do_no_harm() {
    let steps = [
        Chunk::Shutdown { cumulative_tsn: 0 },
        Chunk::ShutdownAck,
        Chunk::ShutdownComplete { reflected: false },
    ];
    for first in &steps {
        for second in &steps {
            for begun in [false, true] {
                let mut pair = Pair::established();
                if begun {
                    pair.sides[1].association().shutdown().unwrap();
                }
                for chunk in [first, second, first] {
                    flood(&mut pair, 3, |_| chunk.clone());
                    let now = pair.now;
                    pair.sides[1].datagrams(now);
                }
                pair.lose = Box::new(|_, _| true);
                pair.run(Duration::from_secs(300));
                let shut = begun
                    || matches!((first, second), (Chunk::Shutdown { .. }, _) | (_, Chunk::Shutdown { .. }));
                assert_eq!(pair.sides[1].association().is_closed(), shut, "{first:?} {second:?} {begun}");
            }
        }
    }
}

#[test]
fn windows_that_open_and_shut_are_obeyed_and_nothing_is_lost() {
    let mut pair = Pair::established();
    pair.sides[1].association().open_stream(1, BINARY).unwrap();
    const MESSAGE: &[u8] = &[7; 5_000];
    (0..20).for_each(|_| pair.write(1, 1, MESSAGE));
    for window in [0, 1, u32::MAX, 0, 3, 1 << 31, 1].into_iter().cycle().take(70) {
        let cumulative_tsn = pair.sides[0].association().inbound.cumulative_tsn();
        flood(&mut pair, 1, |_| Chunk::Sack(Sack { cumulative_tsn, window, ..Default::default() }));
        let datagrams = pair.sides[1].datagrams(pair.now);
        let sent: usize = datagrams.iter().map(Bytes::len).sum();
        assert!(window > 1_000 || sent <= 3_000, "{sent} bytes into a window of {window}");
        datagrams.into_iter().for_each(|it| pair.sides[0].take(pair.now, it));
        pair.now += Duration::from_millis(7);
    }
    pair.run(Duration::from_secs(30));
    assert_eq!(pair.sides[0].messages.len(), 20);
    assert_eq!(pair.sides[1].association().state, State::Established);
}

#[test]
fn heartbeats_longer_than_any_stack_sends_are_not_echoed() {
    let mut pair = Pair::established();
    for (length, answers) in [(1_024, 1), (1_025, 0), (15_000, 0)] {
        flood(&mut pair, 1, |_| Chunk::Heartbeat(Bytes::from(vec![1; length])));
        assert_eq!(pair.sides[1].datagrams(pair.now).len(), answers, "{length} bytes");
    }
}

/// Nobody can tell such a peer from a fast line. It gets no more than was written, once.
#[test]
fn acknowledging_what_did_not_arrive_frees_it_and_no_more() {
    let mut pair = Pair::established();
    pair.sides[1].association().open_stream(1, BINARY).unwrap();
    const MESSAGE: &[u8] = &[7; 50_000];
    (0..40).for_each(|_| pair.write(1, 1, MESSAGE));
    let (mut sent, mut rounds) = (0, 0);
    while pair.sides[1].association().stream(1).unwrap().buffered_amount().unwrap() > 0 {
        rounds += 1;
        assert!(rounds < 100_000, "it stands still");
        let now = pair.now;
        sent += pair.sides[1].datagrams(now).iter().map(Bytes::len).sum::<usize>();
        let cumulative_tsn = pair.sides[1].association().outbound.last_tsn();
        flood(&mut pair, 1, |_| Chunk::Sack(Sack { cumulative_tsn, window: u32::MAX, ..Default::default() }));
        pair.now += Duration::from_micros(50);
        let now = pair.now;
        pair.sides[1].association().handle_timeout(now);
    }
    assert!((2_000_000..2_200_000).contains(&sent), "{sent}");
    assert_eq!(pair.sides[1].association().state, State::Established);
    assert!(pair.sides[1].association().outbound.is_idle());
}

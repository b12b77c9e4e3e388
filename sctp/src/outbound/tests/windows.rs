//! How much goes out at once: the control's window, the peer's, and one that is closed.

use std::time::{Duration, Instant};

use crate::outbound::tests::{Line, MS, PACKET, ROOM, Receiver, flush, message, sender};
use crate::wire::DATA_HEADER_BYTES;

#[test]
fn the_window_is_kept_but_for_one_packet_after_a_loss() {
    for loss_percent in [0, 10] {
        let mut line = Line::new(7, 10 * PACKET);
        line.loss_percent = loss_percent;
        line.sender.write(0, message(300_000));
        assert_eq!(line.run(Duration::from_secs(120)), Ok(true));
        // A probe or a first retransmission comes on top, each at most once at a time.
        let most = 10 * PACKET + if loss_percent == 0 { 0 } else { 2 * PACKET };
        assert!(line.told().most_in_flight <= most, "{}", line.told().most_in_flight);
    }
}

#[test]
fn a_window_smaller_than_a_packet_lets_one_go() {
    let mut line = Line::new(7, 100);
    line.sender.write(0, message(10_000));
    assert_eq!(line.run(Duration::from_secs(10)), Ok(true));
    assert_eq!(line.retransmissions(), 0);
}

#[test]
fn nothing_is_sent_before_the_association_stands() {
    let (mut sender, _) = sender(1 << 20);
    sender.write(0, message(10));
    assert!(flush(&mut sender, Instant::now()).is_empty());
    assert_eq!(sender.deadline(), None);
}

#[test]
fn the_peers_window_is_never_exceeded() {
    let now = Instant::now();
    let (mut sender, _) = sender(1 << 20);
    sender.establish(now, 5_000, true);
    sender.write(0, message(20_000));
    let mut receiver = Receiver::new();
    receiver.window = 3_000;
    let first = flush(&mut sender, now);
    assert!(first.iter().map(|data| data.payload.len()).sum::<usize>() <= 5_000);
    assert_eq!(first.len(), 4);
    // Half of it has arrived; the window is what the SACK offers less what is still on the way.
    first.into_iter().take(3).for_each(|data| receiver.take(data));
    sender.handle_sack(now + 50 * MS, &receiver.sack()).unwrap();
    let then = flush(&mut sender, now + 50 * MS);
    let payload = ROOM - DATA_HEADER_BYTES;
    assert_eq!(then.len(), (3_000 - payload) / payload);
}

/// The last bytes of a window are used, not waited out, when nothing is on the way.
#[test]
fn a_small_rest_of_the_peers_window_is_filled() {
    let now = Instant::now();
    let (mut sender, _) = sender(1 << 20);
    sender.establish(now, 300, true);
    sender.write(0, message(20_000));
    let sent = flush(&mut sender, now);
    assert_eq!(sent.iter().map(|data| data.payload.len()).collect::<Vec<_>>(), [300]);
}

/// The peer's application does not read for minutes: it is asked now and then, and nothing fails or is lost.
#[test]
fn a_closed_window_is_probed_as_long_as_it_takes() {
    let mut now = Instant::now();
    let (mut sender, told) = sender(1 << 20);
    sender.establish(now, 0, true);
    sender.write(0, message(5_000));
    let mut receiver = Receiver::new();
    receiver.window = 0;
    assert!(flush(&mut sender, now).is_empty());
    let (start, mut probes) = (now, 0);
    while now < start + Duration::from_secs(600) {
        now = sender.deadline().unwrap();
        sender.handle_timeout(now).unwrap();
        let probe = flush(&mut sender, now);
        assert_eq!(probe.len(), 1);
        assert!(probe[0].immediate);
        probes += 1;
        sender.handle_sack(now + 10 * MS, &receiver.sack()).unwrap(); // No room: it is dropped.
        assert!(flush(&mut sender, now + 10 * MS).is_empty());
    }
    assert!((60..80).contains(&probes), "{probes}");
    assert_eq!(told.lock().unwrap().timeouts, 0);

    // Room: the rest goes at once, and what it shows to be lost after a round trip.
    receiver.window = 100_000;
    now += 20 * MS;
    sender.handle_sack(now, &receiver.sack()).unwrap();
    let rest = flush(&mut sender, now);
    assert_eq!(rest.len(), 4);
    rest.into_iter().for_each(|data| receiver.take(data));
    now += 50 * MS;
    sender.handle_sack(now, &receiver.sack()).unwrap();
    flush(&mut sender, now).into_iter().for_each(|data| receiver.take(data));
    sender.handle_sack(now + 50 * MS, &receiver.sack()).unwrap();
    assert!(sender.is_idle());
}

/// The SACK that opens the window is lost.
#[test]
fn a_window_that_opened_unheard_is_found() {
    let mut line = Line::new(1, 1 << 20);
    line.receiver.window = 0;
    line.sender.establish(line.now, 2_000, true);
    line.sender.write(0, message(30_000));
    assert_eq!(line.run(Duration::from_secs(2)), Ok(false));
    line.receiver.window = 1 << 20;
    assert_eq!(line.run(Duration::from_secs(10)), Ok(true));
}

/// Probes had become rare; with the window open again there is no reason for such patience.
#[test]
fn a_window_that_opens_ends_the_long_waits() {
    let mut now = Instant::now();
    let (mut sender, _) = sender(1 << 20);
    sender.establish(now, 0, true);
    sender.write(0, message(500));
    let mut receiver = Receiver::new();
    receiver.window = 0;
    for _ in 0..5 {
        now = sender.deadline().unwrap();
        sender.handle_timeout(now).unwrap();
        assert_eq!(flush(&mut sender, now).len(), 1);
        sender.handle_sack(now, &receiver.sack()).unwrap();
    }
    assert!(sender.deadline().is_some_and(|at| at > now + Duration::from_secs(5)));
    receiver.window = 10_000;
    sender.handle_sack(now, &receiver.sack()).unwrap();
    assert!(sender.deadline().is_some_and(|at| at <= now + Duration::from_secs(1)));
}

/// A peer that answers nothing at a closed window is as dead as any.
#[test]
fn a_closed_window_does_not_hide_a_dead_path() {
    let mut line = Line::new(1, 1 << 20);
    line.loss_percent = 100;
    line.sender.establish(line.now, 0, true);
    line.sender.write(0, message(30_000));
    assert!(line.run(Duration::from_secs(600)).is_err());
}

#[test]
fn the_longest_chunk_is_known_until_it_has_arrived() {
    let now = Instant::now();
    let (mut sender, _) = sender(1 << 20);
    sender.establish(now, 1 << 20, true);
    sender.write(0, message(ROOM - DATA_HEADER_BYTES));
    let mut receiver = Receiver::new();
    let long = flush(&mut sender, now);
    assert_eq!(sender.longest_outstanding(), ROOM);
    sender.set_packet_size(600);
    sender.write(0, message(5_000));
    let short = flush(&mut sender, now);
    assert!(short.iter().all(|data| data.payload.len() <= 600 - 28));
    assert_eq!(sender.longest_outstanding(), ROOM);
    long.into_iter().for_each(|data| receiver.take(data));
    sender.handle_sack(now + MS, &receiver.sack()).unwrap();
    assert_eq!(sender.longest_outstanding(), 588);
    short.into_iter().for_each(|data| receiver.take(data));
    sender.handle_sack(now + MS, &receiver.sack()).unwrap();
    assert_eq!(sender.longest_outstanding(), 0);
}

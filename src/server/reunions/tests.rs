//! Claims about the reunion table, on a clock that only the test moves.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::server::reunions::{Arrival, Reunions};
use crate::server::rooms::RoomPolicy;
use crate::wire::PathKind;
use crate::wire::signaling::{CloseCode, Hex, MeetRole, Relay, Token};

const TOKEN: Token = Token([7; 32]);
const CONFIRM: Relay = Relay::Confirm { t: Hex([0; 32]) };
const BYE: Relay = Relay::Bye { path: PathKind::Direct };

fn nonce(number: u8) -> Hex<16> {
    Hex([number; 16])
}

fn table() -> Reunions {
    Reunions::new(RoomPolicy::default())
}

/// One side comes with its nonce.
fn come(reunions: &mut Reunions, now: Instant, role: MeetRole, number: u8) -> Arrival {
    reunions.meet(now, TOKEN, role, nonce(number)).unwrap()
}

/// Both sides come: the sender with nonce 1, then the receiver with nonce 2.
fn pair(reunions: &mut Reunions, now: Instant) -> (Arrival, Arrival) {
    (come(reunions, now, MeetRole::Sender, 1), come(reunions, now, MeetRole::Receiver, 2))
}

#[test]
fn two_who_know_the_token_meet_talk_and_part_in_either_order() {
    let now = Instant::now();
    for (early, late) in [(MeetRole::Sender, MeetRole::Receiver), (MeetRole::Receiver, MeetRole::Sender)] {
        let mut reunions = table();
        let first = come(&mut reunions, now, early, 1);
        assert_eq!((first.met, first.replaced, first.left_behind), (None, None, None));
        let second = come(&mut reunions, now, late, 2);
        let met = second.met.unwrap();
        assert_eq!((met.seat, met.nonce), (first.seat, nonce(1)));
        assert_eq!(reunions.relay(first.seat, &CONFIRM, 10).unwrap().to, Some(second.seat));
        assert_eq!(reunions.relay(second.seat, &CONFIRM, 10).unwrap().to, Some(first.seat));
        assert_eq!(reunions.leave(second.seat), Some(first.seat));
        assert_eq!(reunions.relay(first.seat, &CONFIRM, 10).unwrap().to, None, "nobody is there");
        assert_eq!(reunions.leave(second.seat), None, "leaving twice changes nothing");
        assert_eq!(reunions.leave(first.seat), None);
        assert!(reunions.is_empty());
    }
}

#[test]
fn another_token_is_another_meeting() {
    let now = Instant::now();
    let mut reunions = table();
    come(&mut reunions, now, MeetRole::Sender, 1);
    let mut close = TOKEN.0;
    close[31] ^= 1;
    let stranger = reunions.meet(now, Token(close), MeetRole::Receiver, nonce(2)).unwrap();
    assert_eq!((stranger.met, reunions.len()), (None, 2));
}

#[test]
fn who_waits_is_replaced_by_who_comes_later_for_the_same_seat() {
    let now = Instant::now();
    let mut reunions = table();
    let dead = come(&mut reunions, now, MeetRole::Sender, 1);
    let alive = come(&mut reunions, now, MeetRole::Sender, 2);
    assert_eq!((alive.replaced, alive.met, alive.left_behind), (Some(dead.seat), None, None));
    assert_eq!(reunions.leave(dead.seat), None);
    assert_eq!(reunions.relay(dead.seat, &CONFIRM, 1), Err(CloseCode::Expired));
    let other = come(&mut reunions, now, MeetRole::Receiver, 3);
    let met = other.met.unwrap();
    assert_eq!((met.seat, met.nonce), (alive.seat, nonce(2)), "and not the one who is gone");
    assert_eq!(reunions.leave(alive.seat), Some(other.seat));
}

/// One side lost the server right after they had met: it comes anew, and so must the other.
#[test]
fn a_pair_is_parted_when_one_of_it_comes_anew() {
    let now = Instant::now();
    let mut reunions = table();
    let (sender, receiver) = pair(&mut reunions, now);
    let anew = come(&mut reunions, now, MeetRole::Receiver, 3);
    assert_eq!(anew.replaced, Some(receiver.seat));
    assert_eq!((anew.left_behind, anew.met), (Some(sender.seat), None));
    assert_eq!(reunions.relay(sender.seat, &CONFIRM, 1).unwrap().to, None, "not to a stranger to its keys");
    assert_eq!(reunions.relay(anew.seat, &CONFIRM, 1), Err(CloseCode::Malformed), "it waits");
    assert_eq!(reunions.leave(receiver.seat), None, "its seat is somebody else's");

    let again = come(&mut reunions, now, MeetRole::Sender, 4);
    assert_eq!((again.replaced, again.left_behind), (Some(sender.seat), None));
    assert_eq!(again.met.unwrap().nonce, nonce(3));
    assert_eq!(reunions.leave(sender.seat), None);
    assert_eq!(reunions.relay(again.seat, &CONFIRM, 1).unwrap().to, Some(anew.seat));
    assert_eq!(reunions.len(), 1);
}

#[test]
fn who_was_left_behind_meets_nobody_on_the_same_seat() {
    let now = Instant::now();
    let mut reunions = table();
    let (sender, receiver) = pair(&mut reunions, now);
    assert_eq!(reunions.leave(receiver.seat), Some(sender.seat));
    let anew = come(&mut reunions, now, MeetRole::Receiver, 3);
    assert_eq!((anew.replaced, anew.met, anew.left_behind), (None, None, None));
    assert_eq!(reunions.leave(sender.seat), None);
    assert_eq!(reunions.leave(anew.seat), None);
    assert!(reunions.is_empty());
}

/// A reconnect that ran the PAKE again would hand out another guess.
#[test]
fn a_pake_does_not_fit_and_nothing_fits_before_they_met() {
    let now = Instant::now();
    let mut reunions = table();
    let sender = come(&mut reunions, now, MeetRole::Sender, 1);
    assert_eq!(reunions.relay(sender.seat, &CONFIRM, 1), Err(CloseCode::Malformed));
    let receiver = come(&mut reunions, now, MeetRole::Receiver, 2);
    let pake = Relay::Pake { y: Hex([1; 32]), ad: Hex([2; 8]) };
    assert_eq!(reunions.relay(receiver.seat, &pake, 1), Err(CloseCode::Malformed));
    assert!(reunions.relay(receiver.seat, &CONFIRM, 1).is_ok());
}

#[test]
fn reunions_expire_while_waiting_and_while_finishing() {
    let start = Instant::now();
    let policy = RoomPolicy::default();
    let mut reunions = table();
    let waiting = come(&mut reunions, start, MeetRole::Sender, 1);
    assert_eq!(reunions.expire(start), []);
    assert_eq!(reunions.expire(start + policy.reuniting), [waiting.seat]);
    assert_eq!(reunions.leave(waiting.seat), None);

    let (sender, receiver) = pair(&mut reunions, start);
    assert_eq!(reunions.expire(start + policy.reuniting), [], "they met and have longer");
    let told: HashSet<_> = reunions.expire(start + policy.finishing).into_iter().collect();
    assert_eq!(told, HashSet::from([sender.seat, receiver.seat]));
    assert_eq!(reunions.relay(sender.seat, &CONFIRM, 1), Err(CloseCode::Expired));
    assert!(reunions.is_empty());
}

#[test]
fn a_newcomer_waits_its_own_time() {
    let start = Instant::now();
    let policy = RoomPolicy::default();
    let mut reunions = table();
    come(&mut reunions, start, MeetRole::Sender, 1);
    let later = start + policy.reuniting - Duration::from_secs(1);
    let anew = come(&mut reunions, later, MeetRole::Sender, 2);
    assert_eq!(reunions.expire(start + policy.reuniting), []);
    assert_eq!(reunions.expire(later + policy.reuniting), [anew.seat]);
}

#[test]
fn a_full_table_takes_the_other_of_a_pair_and_no_new_token() {
    let now = Instant::now();
    let mut reunions = Reunions::new(RoomPolicy { reunions: 1, ..RoomPolicy::default() });
    let sender = come(&mut reunions, now, MeetRole::Sender, 1);
    let stranger = |reunions: &mut Reunions| reunions.meet(now, Token([8; 32]), MeetRole::Sender, nonce(1));
    assert_eq!(stranger(&mut reunions), Err(CloseCode::Full));
    let receiver = come(&mut reunions, now, MeetRole::Receiver, 2);
    assert!(receiver.met.is_some());
    reunions.leave(sender.seat);
    assert_eq!(stranger(&mut reunions), Err(CloseCode::Full));
    reunions.leave(receiver.seat);
    assert!(stranger(&mut reunions).is_ok());
}

#[test]
fn a_reunion_may_say_so_much_and_no_more_and_a_new_one_as_much_again() {
    let now = Instant::now();
    let mut reunions = Reunions::new(RoomPolicy { messages: 3, bytes: 100, ..RoomPolicy::default() });
    let (sender, receiver) = pair(&mut reunions, now);
    for _ in 0..3 {
        assert!(reunions.relay(sender.seat, &CONFIRM, 1).is_ok());
    }
    assert_eq!(reunions.relay(receiver.seat, &CONFIRM, 1), Err(CloseCode::TooMuch));
    let (sender, receiver) = pair(&mut reunions, now);
    assert!(reunions.relay(sender.seat, &CONFIRM, 100).is_ok());
    assert_eq!(reunions.relay(receiver.seat, &CONFIRM, 1), Err(CloseCode::TooMuch));
}

#[test]
fn an_outcome_is_counted_once_a_reunion() {
    let now = Instant::now();
    let mut reunions = table();
    let (sender, receiver) = pair(&mut reunions, now);
    let first = reunions.relay(receiver.seat, &BYE, 1).unwrap();
    let second = reunions.relay(sender.seat, &BYE, 1).unwrap();
    assert_eq!((first.outcome, second.outcome), (Some(PathKind::Direct), None));
    assert_eq!(second.to, Some(receiver.seat), "it is passed on all the same");
}

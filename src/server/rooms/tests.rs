//! Claims about the room table, on a clock that only the test moves.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::server::rooms::{RoomPolicy, Rooms};
use crate::wire::PathKind;
use crate::wire::signaling::{CloseCode, Hex, Nameplate, Relay};

const NS: Hex<16> = Hex([7; 16]);
const CONFIRM: Relay = Relay::Confirm { t: Hex([0; 32]) };

fn bye(path: PathKind) -> Relay {
    Relay::Bye { path }
}

#[test]
fn a_room_is_created_joined_and_left() {
    let now = Instant::now();
    let mut rooms = Rooms::new(RoomPolicy::default());
    let created = rooms.create(now, NS, 1).unwrap();
    let joined = rooms.join(now, created.nameplate).unwrap();
    assert_eq!(joined.ns, NS);
    assert_eq!(joined.seat, created.seat.other());
    assert_eq!(rooms.relay(created.seat, &CONFIRM, 10).unwrap().to, Some(joined.seat));
    assert_eq!(rooms.relay(joined.seat, &CONFIRM, 10).unwrap().to, Some(created.seat));
    assert_eq!(rooms.leave(now, joined.seat), Some(created.seat));
    assert_eq!(rooms.relay(created.seat, &CONFIRM, 10).unwrap().to, None, "nobody is there");
    assert_eq!(rooms.leave(now, joined.seat), None, "leaving twice changes nothing");
    assert_eq!(rooms.leave(now, created.seat), None);
    assert!(rooms.is_empty());
}

#[test]
fn a_nameplate_admits_one_join_and_stays_dead_for_its_time() {
    let now = Instant::now();
    let policy = RoomPolicy { tombstone: Duration::from_secs(10), ..RoomPolicy::default() };
    let mut rooms = Rooms::new(policy);
    let created = rooms.create(now, NS, 1).unwrap();
    rooms.join(now, created.nameplate).unwrap();
    assert_eq!(rooms.join(now, created.nameplate), Err(CloseCode::NoRoom));
    rooms.leave(now, created.seat.other());
    rooms.leave(now, created.seat);
    assert_eq!(rooms.join(now, created.nameplate), Err(CloseCode::NoRoom));

    let second = rooms.create(now, NS, 1).unwrap();
    assert_ne!(second.nameplate, created.nameplate, "a tombstone is not handed out");
    rooms.expire(now + Duration::from_secs(10));
    let third = rooms.create(now, NS, 1).unwrap();
    assert_eq!(third.nameplate, created.nameplate, "the same draw is free again");
}

#[test]
fn a_room_that_its_sender_left_is_not_known_any_more() {
    let now = Instant::now();
    let mut rooms = Rooms::new(RoomPolicy::default());
    let created = rooms.create(now, NS, 1).unwrap();
    assert_eq!(rooms.leave(now, created.seat), None);
    assert_eq!(rooms.join(now, created.nameplate), Err(CloseCode::NoRoom));
}

#[test]
fn rooms_expire_while_waiting_and_while_finishing() {
    let start = Instant::now();
    let policy = RoomPolicy::default();
    let mut rooms = Rooms::new(policy.clone());
    let waiting = rooms.create(start, NS, 1).unwrap();
    let busy = rooms.create(start, NS, 2).unwrap();
    let joined = rooms.join(start, busy.nameplate).unwrap();
    assert_eq!(rooms.expire(start), []);

    let told: HashSet<_> = rooms.expire(start + policy.finishing).into_iter().collect();
    assert_eq!(told, HashSet::from([busy.seat, joined.seat]));
    assert_eq!(rooms.relay(busy.seat, &CONFIRM, 1), Err(CloseCode::Expired));

    let late = start + policy.waiting;
    assert_eq!(rooms.join(late, waiting.nameplate), Err(CloseCode::NoRoom), "before any sweep");
    assert_eq!(rooms.expire(late), [waiting.seat]);
    assert!(rooms.is_empty());
}

#[test]
fn nameplates_grow_when_a_quarter_is_in_use() {
    let now = Instant::now();
    let mut rooms = Rooms::new(RoomPolicy::default());
    let mut seen = HashSet::new();
    for random in 0..226 {
        let nameplate = rooms.create(now, NS, random).unwrap().nameplate;
        assert!(seen.insert(nameplate), "{nameplate} twice");
        let longest = if random < 225 { 999 } else { 9999 };
        let shortest = if random < 225 { 100 } else { 1000 };
        assert!((shortest..=longest).contains(&nameplate.number()), "{nameplate} is number {random}");
    }
}

#[test]
fn a_full_house_says_so() {
    let now = Instant::now();
    let mut rooms = Rooms::new(RoomPolicy { rooms: 2, ..RoomPolicy::default() });
    let first = rooms.create(now, NS, 1).unwrap();
    rooms.create(now, NS, 2).unwrap();
    assert_eq!(rooms.create(now, NS, 3), Err(CloseCode::Full));
    rooms.leave(now, first.seat);
    assert!(rooms.create(now, NS, 3).is_ok());
}

#[test]
fn tombstones_are_bounded() {
    let now = Instant::now();
    let mut rooms = Rooms::new(RoomPolicy { rooms: 2, ..RoomPolicy::default() });
    for random in 0..1000 {
        let created = rooms.create(now, NS, random).unwrap();
        rooms.leave(now, created.seat);
    }
    assert_eq!((rooms.dead.len(), rooms.nameplates.len()), (8, 8));
    assert_eq!(rooms.used.iter().sum::<u32>(), 8);
}

#[test]
fn the_only_room_has_the_number_it_was_given_and_lives_once() {
    let now = Instant::now();
    let only = Nameplate::new(417).unwrap();
    let mut rooms = Rooms::new(RoomPolicy { nameplate: Some(only), ..RoomPolicy::default() });
    let created = rooms.create(now, NS, 99).unwrap();
    assert_eq!(created.nameplate, only);
    assert_eq!(rooms.create(now, NS, 99), Err(CloseCode::Full));
    rooms.join(now, only).unwrap();
    assert_eq!(rooms.create(now, NS, 99), Err(CloseCode::Full), "a burnt number is not used again");
}

#[test]
fn a_number_that_is_asked_for_is_given_once() {
    let now = Instant::now();
    let mut rooms = Rooms::new(RoomPolicy { rooms: 2, ..RoomPolicy::default() });
    let wanted = Nameplate::new(417).unwrap();
    let created = rooms.create_as(now, NS, wanted).unwrap();
    assert_eq!(created.nameplate, wanted);
    assert_eq!(rooms.create_as(now, NS, wanted), Err(CloseCode::Taken));
    rooms.leave(now, created.seat);
    assert_eq!(rooms.create_as(now, NS, wanted), Err(CloseCode::Taken), "it was in use until lately");
    rooms.expire(now + RoomPolicy::default().tombstone);
    assert!(rooms.create_as(now, NS, wanted).is_ok());
    assert!(rooms.create_as(now, NS, Nameplate::MAX.try_into().unwrap()).is_ok());
    assert_eq!(rooms.create_as(now, NS, Nameplate::new(418).unwrap()), Err(CloseCode::Full));
}

#[test]
fn the_only_room_is_not_given_to_who_asks_for_another() {
    let now = Instant::now();
    let only = Nameplate::new(417).unwrap();
    let mut rooms = Rooms::new(RoomPolicy { nameplate: Some(only), ..RoomPolicy::default() });
    assert_eq!(rooms.create_as(now, NS, Nameplate::new(418).unwrap()), Err(CloseCode::Taken));
    assert!(rooms.create_as(now, NS, only).is_ok());
}

#[test]
fn a_room_may_say_so_much_and_no_more() {
    let now = Instant::now();
    let policy = RoomPolicy { messages: 3, bytes: 100, ..RoomPolicy::default() };
    let mut rooms = Rooms::new(policy);
    let pair = |rooms: &mut Rooms, random| {
        let created = rooms.create(now, NS, random).unwrap();
        rooms.join(now, created.nameplate).unwrap().seat
    };
    let chatty = pair(&mut rooms, 1);
    for _ in 0..3 {
        assert!(rooms.relay(chatty, &CONFIRM, 1).is_ok());
    }
    assert_eq!(rooms.relay(chatty.other(), &CONFIRM, 1), Err(CloseCode::TooMuch));
    let heavy = pair(&mut rooms, 2);
    assert!(rooms.relay(heavy, &CONFIRM, 100).is_ok());
    assert_eq!(rooms.relay(heavy, &CONFIRM, 1), Err(CloseCode::TooMuch));
}

#[test]
fn a_message_before_the_join_does_not_fit() {
    let now = Instant::now();
    let mut rooms = Rooms::new(RoomPolicy::default());
    let created = rooms.create(now, NS, 1).unwrap();
    assert_eq!(rooms.relay(created.seat, &CONFIRM, 1), Err(CloseCode::Malformed));
}

#[test]
fn an_outcome_is_counted_once_a_room() {
    let now = Instant::now();
    let mut rooms = Rooms::new(RoomPolicy::default());
    let created = rooms.create(now, NS, 1).unwrap();
    let joined = rooms.join(now, created.nameplate).unwrap();
    let first = rooms.relay(joined.seat, &bye(PathKind::Relayed), 1).unwrap();
    let second = rooms.relay(created.seat, &bye(PathKind::Relayed), 1).unwrap();
    assert_eq!((first.outcome, second.outcome), (Some(PathKind::Relayed), None));
    assert_eq!(second.to, Some(joined.seat), "it is passed on all the same");
}

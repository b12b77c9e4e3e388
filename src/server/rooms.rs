//! The room table: which numbers are taken, who sits where, and when a room's time is over.
//!
//! Pure: the clock and the randomness are arguments, and there is no socket in sight. Invariants:
//! - A nameplate admits one join. From the join on, or when its room ends without one, it is a
//!   tombstone that answers [`CloseCode::NoRoom`] and is not handed out again.
//! - A room has a sender, or a receiver, or both; a room without seats does not exist.
//! - Memory is bounded: [`RoomPolicy::rooms`] rooms and four times as many tombstones.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::server::talk::Talk;
use crate::wire::PathKind;
use crate::wire::signaling::{CloseCode, Hex, Nameplate, Relay};

/// What rooms may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomPolicy {
    /// Rooms and reunions at one time.
    pub rooms: usize,
    /// Of these, reunions.
    pub reunions: usize,
    /// How long a room waits for its join.
    pub waiting: Duration,
    /// How long the first of a reunion waits for the other.
    ///
    /// A waiting peer costs a connection and comes again as often as it likes; a token that nobody else
    /// knows must not cost more than that.
    pub reuniting: Duration,
    /// How long the two seats may talk after the join, or after they met again.
    pub finishing: Duration,
    /// How long a dead nameplate stays dead.
    ///
    /// As long as a room may wait: whoever types an old code late must not meet a stranger's room.
    pub tombstone: Duration,
    /// Messages that one room may relay, both directions together.
    pub messages: u32,
    /// Bytes of text that one room may relay, both directions together.
    pub bytes: usize,
    /// The number of the only room; with `None` numbers are drawn at random.
    pub nameplate: Option<Nameplate>,
}

impl Default for RoomPolicy {
    fn default() -> Self {
        Self {
            rooms: 4096,
            reunions: 4096,
            waiting: Duration::from_secs(3600),
            reuniting: Duration::from_secs(60),
            finishing: Duration::from_secs(120),
            tombstone: Duration::from_secs(3600),
            messages: 512,
            bytes: 256 * 1024,
            nameplate: None,
        }
    }
}

/// One of the two places in a room; the table's name for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seat {
    room: u64,
    side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Sender,
    Receiver,
}

impl Seat {
    /// The place across the table.
    pub fn other(self) -> Self {
        let side = match self.side {
            Side::Sender => Side::Receiver,
            Side::Receiver => Side::Sender,
        };
        Self { side, ..self }
    }
}

/// A room that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// The sender's seat.
    pub seat: Seat,
    /// The room's number.
    pub nameplate: Nameplate,
}

/// A room that was joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// The receiver's seat.
    pub seat: Seat,
    /// The sender's half of the session id.
    pub ns: Hex<16>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Whom it goes to; nobody when the other seat is empty by now.
    pub to: Option<Seat>,
    /// The room's outcome, when this is the first `bye` that names it.
    pub outcome: Option<PathKind>,
}

/// The table.
#[derive(Debug)]
pub struct Rooms {
    policy: RoomPolicy,
    rooms: HashMap<u64, Room>,
    nameplates: HashMap<Nameplate, Slot>,
    /// Tombstones, the oldest first: all live equally long.
    dead: VecDeque<(Instant, Nameplate)>,
    /// Nameplates in use, dead ones included, by number of digits.
    used: [u32; 10],
    next: u64,
}

#[derive(Debug)]
struct Room {
    nameplate: Nameplate,
    ns: Hex<16>,
    stage: Stage,
    deadline: Instant,
    talk: Talk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Joined,
    /// One has left, this one has not.
    Alone(Side),
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Waiting(u64),
    Dead,
}

impl Rooms {
    /// An empty table.
    pub fn new(policy: RoomPolicy) -> Self {
        Self {
            policy,
            rooms: HashMap::new(),
            nameplates: HashMap::new(),
            dead: VecDeque::new(),
            used: [0; 10],
            next: 0,
        }
    }

    /// How many rooms there are.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether there is no room.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// Makes a room for a sender; `random` decides its number.
    ///
    /// # Errors
    /// [`CloseCode::Full`] when no room or no number is free.
    pub fn create(&mut self, now: Instant, ns: Hex<16>, random: u64) -> Result<Created, CloseCode> {
        let nameplate = match self.policy.nameplate {
            Some(only) => Some(only).filter(|only| !self.nameplates.contains_key(only)),
            None => self.draw(random),
        };
        self.open(now, ns, nameplate.ok_or(CloseCode::Full)?)
    }

    /// As [`Rooms::create`], with the number `it` and no other.
    ///
    /// # Errors
    /// [`CloseCode::Taken`] too: a room has it or had it, or it is not the only one.
    pub fn create_as(&mut self, now: Instant, ns: Hex<16>, it: Nameplate) -> Result<Created, CloseCode> {
        let another = self.policy.nameplate.is_some_and(|only| only != it);
        match another || self.nameplates.contains_key(&it) {
            true => Err(CloseCode::Taken),
            false => self.open(now, ns, it),
        }
    }

    fn open(&mut self, now: Instant, ns: Hex<16>, nameplate: Nameplate) -> Result<Created, CloseCode> {
        if self.rooms.len() >= self.policy.rooms {
            return Err(CloseCode::Full);
        }
        let room = self.next;
        self.next += 1;
        self.nameplates.insert(nameplate, Slot::Waiting(room));
        if let Some(used) = self.used.get_mut(digits(nameplate)) {
            *used += 1;
        }
        let deadline = now + self.policy.waiting;
        let fresh = Room { nameplate, ns, stage: Stage::Waiting, deadline, talk: Talk::default() };
        self.rooms.insert(room, fresh);
        Ok(Created { seat: Seat { room, side: Side::Sender }, nameplate })
    }

    /// Seats a receiver and kills the nameplate.
    ///
    /// # Errors
    /// [`CloseCode::NoRoom`] when the nameplate is unknown, dead, or past its time.
    pub fn join(&mut self, now: Instant, nameplate: Nameplate) -> Result<Joined, CloseCode> {
        let Some(Slot::Waiting(number)) = self.nameplates.get(&nameplate).copied() else {
            return Err(CloseCode::NoRoom);
        };
        let room = self.rooms.get_mut(&number).filter(|room| now < room.deadline).ok_or(CloseCode::NoRoom)?;
        room.stage = Stage::Joined;
        room.deadline = now + self.policy.finishing;
        let ns = room.ns;
        self.bury(now, nameplate);
        Ok(Joined { seat: Seat { room: number, side: Side::Receiver }, ns })
    }

    /// Accounts for a message of `bytes` bytes and says whom it goes to.
    ///
    /// # Errors
    /// [`CloseCode::Malformed`] before the join, [`CloseCode::TooMuch`] past the room's allowance,
    /// [`CloseCode::Expired`] when the room is gone.
    pub fn relay(&mut self, from: Seat, relay: &Relay, bytes: usize) -> Result<Passed, CloseCode> {
        let room = self.rooms.get_mut(&from.room).ok_or(CloseCode::Expired)?;
        if room.stage == Stage::Waiting {
            return Err(CloseCode::Malformed);
        }
        let outcome = room.talk.say(&self.policy, relay, bytes)?;
        let to = (room.stage == Stage::Joined).then_some(from.other());
        Ok(Passed { to, outcome })
    }

    /// Empties a seat and says who is left behind. Leaving twice is harmless.
    pub fn leave(&mut self, now: Instant, seat: Seat) -> Option<Seat> {
        let room = self.rooms.get_mut(&seat.room)?;
        match room.stage {
            Stage::Joined => {
                room.stage = Stage::Alone(seat.other().side);
                Some(seat.other())
            }
            Stage::Waiting if seat.side == Side::Sender => {
                self.end(now, seat.room);
                None
            }
            Stage::Alone(side) if side == seat.side => {
                self.end(now, seat.room);
                None
            }
            Stage::Waiting | Stage::Alone(_) => None,
        }
    }

    /// Ends rooms whose time is over and forgets old tombstones; returns the seats to be told.
    pub fn expire(&mut self, now: Instant) -> Vec<Seat> {
        let late: Vec<u64> =
            self.rooms.iter().filter(|(_, room)| room.deadline <= now).map(|(number, _)| *number).collect();
        let mut seats = Vec::new();
        for number in late {
            let sides: &[Side] = match self.rooms.get(&number).map(|room| room.stage) {
                None => &[],
                Some(Stage::Waiting | Stage::Alone(Side::Sender)) => &[Side::Sender],
                Some(Stage::Alone(Side::Receiver)) => &[Side::Receiver],
                Some(Stage::Joined) => &[Side::Sender, Side::Receiver],
            };
            seats.extend(sides.iter().map(|side| Seat { room: number, side: *side }));
            self.end(now, number);
        }
        while self.dead.front().is_some_and(|(until, _)| *until <= now) {
            self.unearth();
        }
        seats
    }

    /// Draws a free number from the shortest class of which less than a quarter is in use, so that a
    /// typo rarely meets another room.
    fn draw(&self, random: u64) -> Option<Nameplate> {
        /// At three quarters free this many draws all fail once in 2^128.
        const DRAWS: u32 = 64;
        let mut state = random;
        for digits in 3..=9u32 {
            let first = 10u32.pow(digits - 1);
            let size = 9 * first;
            let used = self.used.get(digits as usize).copied().unwrap_or(u32::MAX);
            if used >= size / 4 {
                continue;
            }
            for _ in 0..DRAWS {
                state = mix(state);
                let offset = u32::try_from(state % u64::from(size)).unwrap_or(0);
                let nameplate = Nameplate::new(first + offset)?;
                if !self.nameplates.contains_key(&nameplate) {
                    return Some(nameplate);
                }
            }
        }
        None
    }

    fn end(&mut self, now: Instant, number: u64) {
        if let Some(room) = self.rooms.remove(&number)
            && matches!(self.nameplates.get(&room.nameplate), Some(Slot::Waiting(live)) if *live == number)
        {
            self.bury(now, room.nameplate);
        }
    }

    fn bury(&mut self, now: Instant, nameplate: Nameplate) {
        self.nameplates.insert(nameplate, Slot::Dead);
        self.dead.push_back((now + self.policy.tombstone, nameplate));
        if self.dead.len() > self.policy.rooms.saturating_mul(4) {
            self.unearth();
        }
    }

    fn unearth(&mut self) {
        if let Some((_, nameplate)) = self.dead.pop_front() {
            self.nameplates.remove(&nameplate);
            if let Some(used) = self.used.get_mut(digits(nameplate)) {
                *used -= 1;
            }
        }
    }
}

fn digits(nameplate: Nameplate) -> usize {
    nameplate.number().ilog10() as usize + 1
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): many draws out of one random word. Nameplates
/// are public, so this need not be unpredictable.
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests;

//! The reunion table: which tokens are waited for, and who has met whom again.
//!
//! Two peers that lost their link come back with a token that only they know, at any time and in any
//! order, also to a server that has never heard of them. Pure: the clock is an argument. Invariants:
//! - A token has one seat for each role. The last to come sits there: whoever sat there before may be
//!   the dead half of a connection, which only its TCP does not know yet.
//! - Who has met somebody does so once. When the other leaves or comes anew, this one hears that nobody
//!   is there any more, and has to come anew as well.
//! - A token without seats is not remembered; there are at most [`RoomPolicy::reunions`] others.

use std::collections::HashMap;
use std::time::Instant;

use crate::server::rooms::RoomPolicy;
use crate::server::talk::Talk;
use crate::wire::PathKind;
use crate::wire::signaling::{CloseCode, Hex, MeetRole, Relay, Token};

/// One of the two places of a token; the table's name for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seat {
    token: Token,
    role: MeetRole,
    /// Tells those apart who sat here one after the other.
    number: u64,
}

/// What somebody's coming means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The newcomer's seat.
    pub seat: Seat,
    /// Who sat there before: to be closed.
    pub replaced: Option<Seat>,
    /// Whom the newcomer met.
    pub met: Option<Met>,
    /// Whom the newcomer's coming left behind: the partner of the one who was replaced.
    pub left_behind: Option<Seat>,
}

/// The one who was waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// Its seat.
    pub seat: Seat,
    /// Its nonce.
    pub nonce: Hex<16>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Whom it goes to; nobody when the other seat is empty by now.
    pub to: Option<Seat>,
    /// The reunion's outcome, when this is the first `bye` that names it.
    pub outcome: Option<PathKind>,
}

/// The table.
#[derive(Debug)]
pub struct Reunions {
    policy: RoomPolicy,
    reunions: HashMap<Token, Reunion>,
    next: u64,
}

#[derive(Debug)]
struct Reunion {
    sender: Option<Sitting>,
    receiver: Option<Sitting>,
    deadline: Instant,
    talk: Talk,
}

#[derive(Debug, Clone, Copy)]
struct Sitting {
    number: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// For the other, with this nonce.
    Waiting(Hex<16>),
    Met,
    /// The other has left, or has come anew.
    LeftBehind,
}

impl Reunions {
    /// An empty table.
    pub fn new(policy: RoomPolicy) -> Self {
        Self { policy, reunions: HashMap::new(), next: 0 }
    }

    /// How many tokens have somebody.
    pub fn len(&self) -> usize {
        self.reunions.len()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.reunions.is_empty()
    }

    /// Whether a token has somebody, so that another seat there takes no more room.
    pub fn knows(&self, token: Token) -> bool {
        self.reunions.contains_key(&token)
    }

    /// Seats a peer, who waits or has met the other at once.
    ///
    /// # Errors
    /// [`CloseCode::Full`] when the token is new and the table is full.
    pub fn meet(
        &mut self,
        now: Instant,
        token: Token,
        role: MeetRole,
        nonce: Hex<16>,
    ) -> Result<Arrival, CloseCode> {
        if !self.knows(token) && self.reunions.len() >= self.policy.reunions {
            return Err(CloseCode::Full);
        }
        let number = self.next;
        self.next += 1;
        let reunion = self.reunions.entry(token).or_insert_with(|| Reunion::new(now));
        let (mine, theirs) = reunion.seats(role);
        let replaced = mine.map(|before| Seat { token, role, number: before.number });
        let (mut met, mut left_behind) = (None, None);
        let mut stage = Stage::Waiting(nonce);
        if let Some(other) = theirs {
            let seat = Seat { token, role: opposite(role), number: other.number };
            match other.stage {
                Stage::Waiting(nonce) => {
                    met = Some(Met { seat, nonce });
                    (stage, other.stage) = (Stage::Met, Stage::Met);
                }
                Stage::Met => {
                    left_behind = Some(seat);
                    other.stage = Stage::LeftBehind;
                }
                Stage::LeftBehind => {}
            }
        }
        *mine = Some(Sitting { number, stage });
        let mut patience = self.policy.reuniting;
        if met.is_some() {
            patience = self.policy.finishing;
            reunion.talk = Talk::default();
        }
        reunion.deadline = now + patience;
        Ok(Arrival { seat: Seat { token, role, number }, replaced, met, left_behind })
    }

    /// Accounts for a message of `bytes` bytes and says whom it goes to.
    ///
    /// # Errors
    /// [`CloseCode::Malformed`] before the two have met, and for a PAKE, which is never run again: each run
    /// is a guess. [`CloseCode::TooMuch`] past the allowance, [`CloseCode::Expired`] when the seat is gone.
    pub fn relay(&mut self, from: Seat, relay: &Relay, bytes: usize) -> Result<Passed, CloseCode> {
        let reunion = self.reunions.get_mut(&from.token).ok_or(CloseCode::Expired)?;
        let (mine, theirs) = reunion.seats(from.role);
        let stage = mine.filter(|it| it.number == from.number).ok_or(CloseCode::Expired)?.stage;
        let to = theirs.filter(|_| stage == Stage::Met).map(|other| Seat {
            token: from.token,
            role: opposite(from.role),
            number: other.number,
        });
        if matches!(stage, Stage::Waiting(_)) || matches!(relay, Relay::Pake { .. }) {
            return Err(CloseCode::Malformed);
        }
        let outcome = reunion.talk.say(&self.policy, relay, bytes)?;
        Ok(Passed { to, outcome })
    }

    /// Empties a seat and says who is left behind. Leaving twice is harmless, and so is leaving a seat
    /// that somebody else has taken.
    pub fn leave(&mut self, seat: Seat) -> Option<Seat> {
        let Seat { token, role, number } = seat;
        let reunion = self.reunions.get_mut(&token)?;
        let (mine, theirs) = reunion.seats(role);
        if mine.is_none_or(|it| it.number != number) {
            return None;
        }
        *mine = None;
        let Some(other) = theirs else {
            self.reunions.remove(&token);
            return None;
        };
        let met = other.stage == Stage::Met;
        if met {
            other.stage = Stage::LeftBehind;
        }
        met.then_some(Seat { token, role: opposite(role), number: other.number })
    }

    /// Ends reunions whose time is over; returns the seats to be told.
    pub fn expire(&mut self, now: Instant) -> Vec<Seat> {
        let mut told = Vec::new();
        self.reunions.retain(|token, reunion| {
            let late = reunion.deadline <= now;
            if late {
                let seats = [(MeetRole::Sender, reunion.sender), (MeetRole::Receiver, reunion.receiver)];
                told.extend(seats.into_iter().filter_map(|(role, sitting)| {
                    sitting.map(|it| Seat { token: *token, role, number: it.number })
                }));
            }
            !late
        });
        told
    }
}

impl Reunion {
    fn new(now: Instant) -> Self {
        Self { sender: None, receiver: None, deadline: now, talk: Talk::default() }
    }

    /// The seat of this role, and the one across.
    fn seats(&mut self, role: MeetRole) -> (&mut Option<Sitting>, &mut Option<Sitting>) {
        match role {
            MeetRole::Sender => (&mut self.sender, &mut self.receiver),
            MeetRole::Receiver => (&mut self.receiver, &mut self.sender),
        }
    }
}

fn opposite(role: MeetRole) -> MeetRole {
    match role {
        MeetRole::Sender => MeetRole::Receiver,
        MeetRole::Receiver => MeetRole::Sender,
    }
}

#[cfg(test)]
mod tests;

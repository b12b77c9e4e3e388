//! The desk where all connections meet: rooms, reunions, limits and mailboxes behind one lock.
//!
//! Invariants: the lock is never held across an await, and nothing under it waits. A [`Ticket`] or
//! an [`Occupancy`] gives back what it stands for when it is dropped, also when its task panicked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::server::limits::{Admission, Limits, Source};
use crate::server::reunions::Reunions;
use crate::server::rooms::Rooms;
use crate::server::{Config, Counts, relay, reunions, rooms};
use crate::wire::signaling::{CloseCode, Hex, IceServer, MeetRole, Nameplate, Relay, ServerMessage, Token};

/// What is put into a connection's mailbox.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Send this.
    Message(ServerMessage),
    /// Close with this.
    Close(CloseCode),
}

/// The connection's end of its mailbox; the desk drops it when it gives a reader up.
pub(crate) type Mailbox = mpsc::Sender<Delivery>;

/// A seat of either table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Seat {
    Room(rooms::Seat),
    Reunion(reunions::Seat),
}

/// Rooms, reunions, limits and mailboxes.
pub(crate) struct Desk {
    /// How this server behaves.
    pub(crate) config: Config,
    /// What this server relays, if it does.
    pub(super) relay: Option<Arc<relay::Relay>>,
    state: Mutex<State>,
}

struct State {
    rooms: Rooms,
    reunions: Reunions,
    limits: Limits,
    mailboxes: HashMap<Seat, Mailbox>,
}

impl Desk {
    /// A desk with nobody at it.
    pub(super) fn new(config: Config, relay: Option<Arc<relay::Relay>>) -> Self {
        let rooms = Rooms::new(config.rooms.clone());
        let reunions = Reunions::new(config.rooms.clone());
        let limits = Limits::new(config.limits.clone());
        let state = State { rooms, reunions, limits, mailboxes: HashMap::new() };
        Self { config, relay, state: Mutex::new(state) }
    }

    /// STUN and TURN servers for somebody who is alone yet.
    fn servers(&self) -> Vec<IceServer> {
        let own = self.relay.as_ref().map(|it| it.servers()).unwrap_or_default();
        own.into_iter().chain(self.config.ice_servers.iter().cloned()).collect()
    }

    /// STUN and TURN servers for two who met, with credentials for our own.
    fn servers_for_two(&self, now: Instant) -> [Vec<IceServer>; 2] {
        let own = self.relay.as_ref().and_then(|it| it.servers_for_two(now)).unwrap_or_default();
        own.map(|it| it.into_iter().chain(self.config.ice_servers.iter().cloned()).collect())
    }

    /// A mailbox that holds all that a room or a reunion may ever say, so that no burst can overflow it; what a
    /// reader that has stopped can cost is the room's allowance of bytes.
    pub(crate) fn mailbox(&self) -> (Mailbox, mpsc::Receiver<Delivery>) {
        /// `created`, `joined` or `met`, `peer`, `gone`, and a closing.
        const OWN_WORDS: usize = 4;
        mpsc::channel(self.config.rooms.messages as usize + OWN_WORDS)
    }

    /// Counts a connection in; `None` when it has to be dropped on the spot.
    pub(crate) fn admit(self: &Arc<Self>, now: Instant, address: IpAddr) -> Option<Ticket> {
        let source = Source::from(address);
        let refusal = match self.state().limits.connect(now, source) {
            Admission::Welcome => None,
            Admission::Refused(code) => Some(code),
            Admission::Dropped => return None,
        };
        Some(Ticket { desk: Arc::clone(self), source, refusal })
    }

    /// Makes a room, with the number that is `wanted` or none; the answer is in the mailbox.
    pub(crate) fn create(
        self: &Arc<Self>,
        now: Instant,
        source: Source,
        ns: Hex<16>,
        wanted: Option<Nameplate>,
        mailbox: Mailbox,
    ) -> Result<Occupancy, CloseCode> {
        // The rendezvous inside `send` has one room, and it is for the sender on this machine.
        if self.config.rooms.nameplate.is_some() && source != Source::Loopback {
            return Err(CloseCode::Full);
        }
        let random = getrandom::u64().map_err(|_| CloseCode::Full)?;
        let mut state = self.state();
        state.limits.create(now, source)?;
        state.space(self.config.rooms.rooms)?;
        let created = match wanted {
            None => state.rooms.create(now, ns, random)?,
            // Who asks for number after number learns as much as who joins one after the other, and waits as long.
            Some(wanted) => state.rooms.create_as(now, ns, wanted).inspect_err(|refusal| {
                if *refusal == CloseCode::Taken {
                    state.limits.miss(now, source);
                }
            })?,
        };
        let answer = ServerMessage::Created {
            nameplate: created.nameplate,
            ttl: whole_seconds(self.config.rooms.waiting),
            ice: self.servers(),
        };
        let seat = Seat::Room(created.seat);
        state.mailboxes.insert(seat, mailbox);
        state.deliver(seat, Delivery::Message(answer));
        Counts::add(&self.config.counts.created);
        Ok(Occupancy { desk: Arc::clone(self), seat })
    }

    /// Joins a room; the answer is in the mailbox, and the sender has word of it.
    pub(crate) fn join(
        self: &Arc<Self>,
        now: Instant,
        source: Source,
        nameplate: Nameplate,
        nr: Hex<16>,
        mailbox: Mailbox,
    ) -> Result<Occupancy, CloseCode> {
        let mut state = self.state();
        state.limits.join(now, source)?;
        let joined = state.rooms.join(now, nameplate).inspect_err(|_| {
            state.limits.miss(now, source);
            Counts::add(&self.config.counts.missed);
        })?;
        let [ice, others_ice] = self.servers_for_two(now);
        let answer = ServerMessage::Joined { ns: joined.ns, ice };
        let seat = Seat::Room(joined.seat);
        state.mailboxes.insert(seat, mailbox);
        state.deliver(seat, Delivery::Message(answer));
        let word = Delivery::Message(ServerMessage::Peer { nr, ice: others_ice });
        state.deliver(Seat::Room(joined.seat.other()), word);
        Counts::add(&self.config.counts.joined);
        Ok(Occupancy { desk: Arc::clone(self), seat })
    }

    /// Seats a peer that lost the other; when the other is there, the answer is in both mailboxes.
    pub(crate) fn meet(
        self: &Arc<Self>,
        now: Instant,
        source: Source,
        request: Meet,
        mailbox: Mailbox,
    ) -> Result<Occupancy, CloseCode> {
        let Meet { token, role, nonce } = request;
        let mut state = self.state();
        state.limits.meet(now, source)?;
        if self.config.session.as_ref().is_some_and(|session| !session.admits(token)) {
            return Err(CloseCode::Full);
        }
        if !state.reunions.knows(token) {
            state.space(self.config.rooms.rooms)?;
        }
        let arrival = state.reunions.meet(now, token, role, nonce)?;
        Counts::add(&self.config.counts.meets);
        if let Some(before) = arrival.replaced {
            // It is the dead half of a connection, most likely: nobody is there to wonder.
            state.deliver(Seat::Reunion(before), Delivery::Close(CloseCode::Idle));
        }
        if let Some(left_behind) = arrival.left_behind {
            state.deliver(Seat::Reunion(left_behind), Delivery::Message(ServerMessage::Gone));
        }
        let seat = Seat::Reunion(arrival.seat);
        state.mailboxes.insert(seat, mailbox);
        if let Some(met) = arrival.met {
            Counts::add(&self.config.counts.met);
            let [ice, others_ice] = self.servers_for_two(now);
            let answer = |nonce, ice| Delivery::Message(ServerMessage::Met { nonce, ice });
            state.deliver(seat, answer(met.nonce, ice));
            state.deliver(Seat::Reunion(met.seat), answer(nonce, others_ice));
        }
        Ok(Occupancy { desk: Arc::clone(self), seat })
    }

    /// Closes the rooms and reunions whose time is over and forgets what need not be remembered.
    pub(crate) fn sweep(&self, now: Instant) {
        let mut state = self.state();
        let rooms = state.rooms.expire(now).into_iter().map(Seat::Room);
        let late: Vec<Seat> =
            rooms.chain(state.reunions.expire(now).into_iter().map(Seat::Reunion)).collect();
        for seat in late {
            state.deliver(seat, Delivery::Close(CloseCode::Expired));
        }
        state.limits.sweep(now);
        drop(state);
        if let Some(relay) = &self.relay {
            relay.sweep(now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock cannot leave it half changed in a way that matters: each step keeps
        // the tables consistent on its own.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a peer says that lost the other.
pub(crate) struct Meet {
    /// What both call their meeting.
    pub(crate) token: Token,
    /// Which of the two it is.
    pub(crate) role: MeetRole,
    /// For the other.
    pub(crate) nonce: Hex<16>,
}

impl State {
    /// Whether one more room or reunion fits.
    fn space(&self, rooms: usize) -> Result<(), CloseCode> {
        (self.rooms.len() + self.reunions.len() < rooms).then_some(()).ok_or(CloseCode::Full)
    }

    /// Never waits. A mailbox that is full belongs to a reader that has stopped: it is given up, which
    /// its connection sees as the end of the mailbox.
    fn deliver(&mut self, seat: Seat, delivery: Delivery) {
        if let Some(mailbox) = self.mailboxes.get(&seat)
            && mailbox.try_send(delivery).is_err()
        {
            self.mailboxes.remove(&seat);
        }
    }
}

/// A connection that is counted.
pub(crate) struct Ticket {
    desk: Arc<Desk>,
    /// Whom it counts against.
    pub(crate) source: Source,
    /// Why it may not stay.
    pub(crate) refusal: Option<CloseCode>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.desk.state().limits.disconnect(Instant::now(), self.source);
    }
}

/// A seat that is taken.
pub(crate) struct Occupancy {
    desk: Arc<Desk>,
    seat: Seat,
}

impl Occupancy {
    /// Passes a message on to the other seat.
    pub(crate) fn relay(&self, relay: Relay, bytes: usize) -> Result<(), CloseCode> {
        let mut state = self.desk.state();
        let (to, outcome) = match self.seat {
            Seat::Room(seat) => {
                let passed = state.rooms.relay(seat, &relay, bytes)?;
                (passed.to.map(Seat::Room), passed.outcome)
            }
            Seat::Reunion(seat) => {
                let passed = state.reunions.relay(seat, &relay, bytes)?;
                (passed.to.map(Seat::Reunion), passed.outcome)
            }
        };
        if let Some(path) = outcome {
            Counts::add(self.desk.config.counts.outcome(path));
        }
        if let Some(to) = to {
            state.deliver(to, Delivery::Message(ServerMessage::Relay(relay)));
        }
        Ok(())
    }
}

impl Drop for Occupancy {
    fn drop(&mut self) {
        let mut state = self.desk.state();
        state.mailboxes.remove(&self.seat);
        let left_behind = match self.seat {
            Seat::Room(seat) => state.rooms.leave(Instant::now(), seat).map(Seat::Room),
            Seat::Reunion(seat) => state.reunions.leave(seat).map(Seat::Reunion),
        };
        if let Some(left_behind) = left_behind {
            state.deliver(left_behind, Delivery::Message(ServerMessage::Gone));
        }
    }
}

fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::Instant;

    use crate::server::Config;
    use crate::server::desk::{Delivery, Desk};
    use crate::wire::signaling::{Hex, Relay, ServerMessage};

    #[test]
    fn the_desk_forgets_who_left_and_gives_up_who_does_not_read() {
        let mut config = Config::default();
        config.rooms.messages = 4;
        let desk = Arc::new(Desk::new(config, None));
        let now = Instant::now();
        let ticket = desk.admit(now, IpAddr::from([192, 0, 2, 1])).unwrap();
        let ((sender, mut sender_mail), (receiver, receiver_mail)) = (desk.mailbox(), desk.mailbox());
        let first = desk.create(now, ticket.source, Hex([1; 16]), None, sender).unwrap();
        let Some(Delivery::Message(ServerMessage::Created { nameplate, .. })) = sender_mail.blocking_recv()
        else {
            panic!("no answer");
        };
        let second = desk.join(now, ticket.source, nameplate, Hex([2; 16]), receiver).unwrap();
        assert_eq!(desk.state().mailboxes.len(), 2);

        drop(receiver_mail);
        first.relay(Relay::Confirm { t: Hex([0; 32]) }, 10).unwrap();
        assert_eq!(desk.state().mailboxes.len(), 1, "nobody reads that mailbox any more");

        drop((first, second, ticket));
        let mut state = desk.state();
        assert!(state.mailboxes.is_empty() && state.rooms.is_empty());
        state.limits.sweep(now + std::time::Duration::from_secs(3600));
        assert!(state.limits.is_empty(), "the ticket was given back");
    }
}

//! Two ends, a path each way and one fake clock: the only place where time passes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::support::path::{Line, Path};
use crate::support::peer::{Peer, Received, State};
use crate::support::witness::Witness;

/// Steps without time passing that are taken for a livelock.
const MAX_STEPS_AT_ONCE: u32 = 1000;

/// Datagrams that the driver hands in before it flushes: 64 receives of 64 segments.
const BURST: usize = 64 * 64;

/// Messages that wait for the application before `rtc`'s handler stops reading.
const BACKLOG: usize = 256;

/// How an end's driver behaves.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    /// Timers fire at whole multiples of this, and overdue ones are served once in as long: a millisecond in
    /// `webrtc`'s driver. Nothing means at once.
    pub resolution: Option<Duration>,
    /// How long a burst keeps it busy; what arrives meanwhile is the next burst.
    pub busy: Duration,
}

impl Driver {
    /// One that is never late.
    pub const IDEAL: Self = Self { resolution: None, busy: Duration::ZERO };
    /// One like `webrtc`'s.
    pub const REAL: Self =
        Self { resolution: Some(Duration::from_millis(1)), busy: Duration::from_micros(200) };
}

/// How an end's application takes messages.
#[derive(Debug, Clone, Copy)]
pub enum Reading {
    AtOnce,
    /// So many bytes per second.
    Slowly(u64),
}

/// One end with all that is its own.
pub struct End {
    pub peer: Box<dyn Peer>,
    pub driver: Driver,
    pub reading: Reading,
    /// What it sends goes this way.
    pub path: Path,
    /// The account of what it sends.
    pub witness: Witness,
    /// Messages for the application.
    pub messages: VecDeque<Received>,
    /// Bytes that were read from it.
    pub read_bytes: u64,
    busy_until: Instant,
    served: Option<Instant>,
    /// A slow application takes its next message then.
    takes_at: Instant,
    /// Messages that were read and that it has not taken.
    backlog: VecDeque<Received>,
}

/// The model.
pub struct Network {
    pub now: Instant,
    pub epoch: Instant,
    pub ends: [End; 2],
    /// What is on the way: arrival, a number to keep order, to whom, the packet.
    on_the_way: [BinaryHeap<Reverse<(Instant, u64)>>; 2],
    packets: BTreeMap<u64, Bytes>,
    next_packet: u64,
    pub steps: u64,
    steps_at_once: u32,
    out: Vec<Bytes>,
}

impl Network {
    /// Ends and the ways that lead away from them.
    pub fn new(peers: [Box<dyn Peer>; 2], lines: [Line; 2], driver: Driver, seed: u64) -> Self {
        let epoch = Instant::now();
        let [first, second] = peers;
        let end = |peer, line, seed| End {
            peer,
            driver,
            reading: Reading::AtOnce,
            path: Path::new(line, seed),
            witness: Witness::default(),
            messages: VecDeque::new(),
            read_bytes: 0,
            busy_until: epoch,
            served: None,
            takes_at: epoch,
            backlog: VecDeque::new(),
        };
        Self {
            now: epoch,
            epoch,
            ends: [end(first, lines[0], 2 * seed), end(second, lines[1], 2 * seed + 1)],
            on_the_way: [BinaryHeap::new(), BinaryHeap::new()],
            packets: BTreeMap::new(),
            next_packet: 0,
            steps: 0,
            steps_at_once: 0,
            out: Vec::new(),
        }
    }

    /// Time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now - self.epoch
    }

    /// Begins the association.
    pub fn connect(&mut self) {
        for index in [0, 1] {
            self.ends[index].peer.connect(self.now);
            self.flush(index);
        }
    }

    /// Sends what an end has to send.
    pub fn flush(&mut self, from: usize) {
        let Self { now, ends, on_the_way, packets, next_packet, out, .. } = self;
        let end = &mut ends[from];
        end.peer.flush(*now, out);
        for packet in out.drain(..) {
            end.witness.sent(&packet);
            end.path.send(*now, packet.len(), |arrival| {
                packets.insert(*next_packet, packet.clone());
                on_the_way[1 - from].push(Reverse((arrival, *next_packet)));
                *next_packet += 1;
            });
        }
    }

    /// Goes to the next moment at which anything happens, and lets it happen; nothing is left to happen after
    /// `until`.
    pub fn step(&mut self, until: Instant) -> bool {
        let next = [0, 1].map(|index| self.next_event(index)).into_iter().flatten().min();
        let Some((at, index, event)) = next.filter(|(at, ..)| *at <= until) else {
            self.now = until;
            return false;
        };
        self.steps += 1;
        self.steps_at_once = if at > self.now { 0 } else { self.steps_at_once + 1 };
        assert!(
            self.steps_at_once < MAX_STEPS_AT_ONCE,
            "livelock: {event:?} at end {index}, again and again"
        );
        self.now = self.now.max(at);
        match event {
            Event::Arrival => self.receive(index),
            Event::Timer => {
                let end = &mut self.ends[index];
                end.served = Some(self.now);
                end.peer.handle_timeout(self.now);
            }
            Event::Taking => self.ends[index].takes_at = self.now,
        }
        self.ends[index].read(self.now);
        self.flush(index);
        true
    }

    fn receive(&mut self, to: usize) {
        let mut burst = 0;
        while let Some(Reverse((arrival, number))) = self.on_the_way[to].peek().copied() {
            if arrival > self.now || burst == BURST {
                break;
            }
            self.on_the_way[to].pop();
            burst += 1;
            let Some(packet) = self.packets.remove(&number) else { continue };
            self.ends[1 - to].witness.arrived(&packet);
            let end = &mut self.ends[to];
            end.witness.answered(&packet);
            end.peer.handle(self.now, packet);
            end.read(self.now);
        }
        let end = &mut self.ends[to];
        end.busy_until = self.now + end.driver.busy;
    }

    fn next_event(&self, index: usize) -> Option<(Instant, usize, Event)> {
        let end = &self.ends[index];
        let arrival = self.on_the_way[index].peek();
        let arrival = arrival.map(|Reverse((at, _))| (*at.max(&end.busy_until), index, Event::Arrival));
        let timer = end.peer.deadline().map(|deadline| (self.fires_at(end, deadline), index, Event::Timer));
        let taking = (!end.backlog.is_empty()).then_some((end.takes_at, index, Event::Taking));
        [arrival, timer, taking].into_iter().flatten().min()
    }

    /// When the driver serves a deadline.
    fn fires_at(&self, end: &End, deadline: Instant) -> Instant {
        let Some(resolution) = end.driver.resolution else { return deadline.max(self.now) };
        let since = deadline.saturating_duration_since(self.epoch).as_nanos();
        let ticks = since.div_ceil(resolution.as_nanos()) as u32;
        let tick = self.epoch + resolution * ticks;
        end.served.map_or(tick, |served| tick.max(served + resolution)).max(self.now)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    Timer,
    Taking,
}

impl End {
    pub fn is_up(&self) -> bool {
        self.peer.state() == State::Established
    }

    /// Bytes that were acknowledged to the `other` end and not read here: what the receive window has to hold.
    pub fn held(&self, other: &End) -> u64 {
        other.witness.acknowledged.saturating_sub(self.read_bytes)
    }

    /// Reads as `rtc`'s handler does: nothing before the handshake is done, and at most its backlog.
    fn read(&mut self, now: Instant) {
        self.take(now);
        if self.peer.state() == State::Handshaking {
            return;
        }
        while self.backlog.len() < BACKLOG {
            let Some(message) = self.peer.read() else { break };
            self.read_bytes += message.payload.len() as u64;
            self.backlog.push_back(message);
            self.take(now);
        }
    }

    fn take(&mut self, now: Instant) {
        while self.takes_at <= now {
            let Some(message) = self.backlog.pop_front() else { break };
            if let Reading::Slowly(rate) = self.reading {
                let nanos = message.payload.len() as u64 * 1_000_000_000 / rate;
                self.takes_at = now + Duration::from_nanos(nanos);
            }
            self.messages.push_back(message);
        }
    }
}

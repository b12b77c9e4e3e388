//! A run: ends that connect, flows between them, and what is to hold all the while.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::support::network::{Driver, Network};
use crate::support::path::Line;
use crate::support::peer::{Peer, Settings, StreamId};
use crate::support::traffic::Flow;

/// What an application lets wait on a channel before it writes more, in bytes.
const BUFFERED_BYTES: usize = 4 << 20;

/// Long enough for a stream to close over a bad line, with what is queued on it.
const CLOSING_PATIENCE: Duration = Duration::from_secs(600);

/// Ends and flows.
pub struct Scene {
    pub network: Network,
    pub flows: Vec<Flow>,
    stalls: [Stall; 2],
    /// The most bytes that each end had acknowledged and its application had not read.
    pub most_held: [u64; 2],
}

/// How long one end got nowhere.
#[derive(Debug, Clone, Copy)]
struct Stall {
    /// The last progress, and when it was.
    progress: u64,
    since: Instant,
    /// Whether something waits that was never sent: then the acknowledgement of each packet brings out others.
    is_flowing: bool,
    /// The longest time in which nothing new arrived or was acknowledged though something was to be.
    longest: Duration,
    /// The same while it was flowing.
    longest_in_flow: Duration,
}

impl Stall {
    fn none(now: Instant) -> Self {
        let longest = Duration::ZERO;
        Self { progress: 0, since: now, is_flowing: false, longest, longest_in_flow: longest }
    }
}

impl Scene {
    pub fn new(peers: [Box<dyn Peer>; 2], lines: [Line; 2], driver: Driver, seed: u64) -> Self {
        let network = Network::new(peers, lines, driver, seed);
        let stalls = [Stall::none(network.now); 2];
        Self { network, flows: Vec::new(), stalls, most_held: [0; 2] }
    }

    /// Connects and opens the flows' streams, within so much time.
    pub fn connect(&mut self, flows: Vec<Flow>, patience: Duration) {
        self.network.connect();
        let until = self.network.now + patience;
        while !self.network.ends.iter().all(|end| end.is_up()) {
            assert!(self.network.step(until), "no association after {patience:?}");
        }
        for flow in &flows {
            self.network.ends[flow.from].peer.open(flow.stream, flow.channel);
        }
        self.flows = flows;
        self.stalls = [Stall::none(self.network.now); 2];
        self.pump();
    }

    /// Runs until all is delivered and acknowledged, which has to be within so much time.
    pub fn deliver(&mut self, patience: Duration) {
        let began = self.network.now;
        self.run_until(patience, |scene| scene.is_delivered());
        assert!(
            self.is_delivered(),
            "not all delivered after {:?}: {:?}",
            self.network.now - began,
            self.describe()
        );
    }

    /// Runs until an end has been told that a stream is closed.
    pub fn wait_for_reset(&mut self, end: usize, stream: StreamId) {
        let until = self.network.now + CLOSING_PATIENCE;
        loop {
            if let Some(closed) = self.network.ends[end].peer.poll_reset() {
                assert_eq!(closed, stream);
                return;
            }
            assert!(self.network.now < until, "end {end} was never told: {}", self.describe());
            self.run_for(Duration::from_millis(10));
        }
    }

    /// Whether all flows are done and nothing waits any more.
    pub fn is_delivered(&mut self) -> bool {
        self.flows.iter().all(Flow::is_done) && [0, 1].iter().all(|&end| self.buffered(end) == 0)
    }

    /// Runs until something holds, or for so long.
    pub fn run_until(&mut self, patience: Duration, holds: impl Fn(&mut Self) -> bool) {
        let until = self.network.now + patience;
        self.pump();
        while !holds(self) && self.network.step(until) {
            self.pump();
        }
    }

    /// Runs for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Bytes that an end has not got rid of.
    pub fn buffered(&mut self, end: usize) -> usize {
        let streams: Vec<StreamId> =
            self.flows.iter().filter(|flow| flow.from == end).map(|flow| flow.stream).collect();
        let peer = &mut self.network.ends[end].peer;
        streams.into_iter().map(|stream| peer.buffered(stream)).sum()
    }

    /// What holds of every run over a path that is not dead; `tail` is how long the last packets may take, of which
    /// each gets through only by itself.
    pub fn check_manners(&mut self, settings: Settings, tail: Duration) {
        let bound = 3 * self.timeout();
        for end in [0, 1] {
            let stall = self.stalls[end];
            assert!(stall.longest_in_flow <= bound, "{bound:?} without progress: {}", self.describe());
            assert!(stall.longest <= tail.max(bound), "{tail:?} without progress: {}", self.describe());
            let most = u64::from(settings.window_bytes) + u64::from(settings.packet_bytes);
            let held = self.most_held[end];
            assert!(held <= most, "end {end} held {held} bytes, {}", self.describe());
        }
    }

    /// RTO, which is a second (RFC 9260 §16) or what the longest round trip that the path allowed can make of it
    /// (§6.3.1: it and four times its variation, which is at most half of it).
    fn timeout(&self) -> Duration {
        let ends = self.network.ends.iter().map(|end| &end.path);
        let round_trip: Duration =
            ends.map(|path| path.line.delay * 2 + path.line.jitter + path.longest_wait).sum();
        (round_trip * 3).max(Duration::from_secs(1))
    }

    /// Lets the applications write and read, and looks whether all is well.
    fn pump(&mut self) {
        for end in [0, 1] {
            self.watch(end);
            self.write(end);
            while let Some(message) = self.network.ends[end].messages.pop_front() {
                let flow =
                    self.flows.iter_mut().find(|flow| flow.from != end && flow.stream == message.stream);
                flow.expect("a stream that somebody writes on").check(&message);
            }
        }
    }

    fn write(&mut self, end: usize) {
        if !self.network.ends[end].is_up() {
            return;
        }
        let now = self.network.now;
        let mut wrote = false;
        for flow in self.flows.iter_mut().filter(|flow| flow.from == end) {
            let peer = &mut self.network.ends[end].peer;
            while peer.buffered(flow.stream) < BUFFERED_BYTES {
                let Some((ppid, payload)): Option<(u32, Bytes)> = flow.next_message() else { break };
                peer.write(now, flow.stream, ppid, payload);
                wrote = true;
            }
        }
        if wrote {
            self.network.flush(end);
        }
    }

    fn watch(&mut self, end: usize) {
        let now = self.network.now;
        let held = self.network.ends[end].held(&self.network.ends[1 - end]);
        self.most_held[end] = self.most_held[end].max(held);
        let buffered = self.buffered(end) as u64;
        let witness = &self.network.ends[end].witness;
        let stall = &mut self.stalls[end];
        if buffered > 0 || witness.progress != stall.progress {
            stall.longest = stall.longest.max(now - stall.since);
            if stall.is_flowing {
                stall.longest_in_flow = stall.longest_in_flow.max(now - stall.since);
            }
        }
        if buffered == 0 || witness.progress != stall.progress {
            (stall.progress, stall.since) = (witness.progress, now);
        }
        stall.is_flowing = buffered > witness.outstanding;
    }

    /// Where things stand, for messages of failing tests.
    pub fn describe(&mut self) -> String {
        let mut text = String::new();
        for flow in &self.flows {
            text += &format!(
                "stream {} of end {}: {} messages ({} of {} bytes) arrived; ",
                flow.stream, flow.from, flow.arrived, flow.arrived_bytes, flow.written_bytes
            );
        }
        for end in [0, 1] {
            let buffered = self.buffered(end);
            let it = &self.network.ends[end];
            text += &format!(
                "end {end}: {:?}, {buffered} bytes buffered, due in {:?}, {} chunks and {} again, {:?}; ",
                it.peer.state(),
                it.peer.deadline().map(|at| at.saturating_duration_since(self.network.now)),
                it.witness.chunks,
                it.witness.repeated,
                it.path.counts,
            );
        }
        text + &format!(
            "{} steps, stalls {:?}",
            self.network.steps,
            self.stalls.map(|it| (it.longest, it.longest_in_flow))
        )
    }
}

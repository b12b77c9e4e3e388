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
    /// The longest time in which nothing new arrived or was acknowledged though something was to be sent.
    pub longest_stall: Duration,
    /// The most bytes that each end had acknowledged and its application had not read.
    pub most_held: [u64; 2],
    progress: [(u64, Instant); 2],
}

impl Scene {
    pub fn new(peers: [Box<dyn Peer>; 2], lines: [Line; 2], driver: Driver, seed: u64) -> Self {
        let network = Network::new(peers, lines, driver, seed);
        let progress = [(0, network.now); 2];
        Self { network, flows: Vec::new(), longest_stall: Duration::ZERO, most_held: [0; 2], progress }
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
        self.progress = [(0, self.network.now); 2];
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

    /// What holds of every run over a path that is not dead.
    pub fn check_manners(&mut self, settings: Settings) {
        let bound = self.stall_bound();
        assert!(self.longest_stall <= bound, "longer than {bound:?} without progress: {}", self.describe());
        for end in [0, 1] {
            let most = u64::from(settings.window_bytes) + u64::from(settings.packet_bytes);
            let held = self.most_held[end];
            assert!(held <= most, "end {end} held {held} bytes, {}", self.describe());
        }
    }

    /// Three timeouts in a row, each twice the one before (RFC 9260 §6.3.3): seven times RTO, which is not below a
    /// second (§16) nor below what the longest round trip that the path allowed can make of it (§6.3.1: it and four
    /// times its variation, which is at most half of it).
    fn stall_bound(&self) -> Duration {
        let round_trip: Duration = self
            .network
            .ends
            .iter()
            .map(|end| end.path.line.delay * 2 + end.path.line.jitter + end.path.longest_wait)
            .sum();
        (round_trip * 3).max(Duration::from_secs(1)) * 7
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
        let progress = self.network.ends[end].witness.progress;
        let (last, since) = self.progress[end];
        if progress != last || self.buffered(end) == 0 {
            if progress != last {
                self.longest_stall = self.longest_stall.max(now - since);
            }
            self.progress[end] = (progress, now);
        } else {
            self.longest_stall = self.longest_stall.max(now - since);
        }
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
        text + &format!("{} steps, stalled {:?} at most", self.network.steps, self.longest_stall)
    }
}

//! The accounts of a simulated pair: what each side may cost the other, and what it costs.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use p2pcp::session::{receiver, sender};
use p2pcp::wire::block::HEADER_BYTES;
use p2pcp::wire::peer::{self, PeerMessage, Want};
use p2pcp::wire::{CHUNK_BYTES, Channel, DEFAULT_WINDOW_BYTES, MAX_OUTSTANDING_ENTRIES};

/// Sums over one run.
#[derive(Default)]
pub struct Ledger {
    /// The person said yes.
    pub consent: bool,
    /// What the receiver allows, as it came to the sender.
    window: u64,
    /// Chunks that the sender reads or is about to be given, and their bytes.
    reading: BTreeMap<(u32, u32), u64>,
    /// Chunks that were asked for once.
    asked: BTreeSet<(u32, u32)>,
    /// Leading chunks of entries that the receiver wants only proofs of.
    held_back: BTreeMap<u32, u32>,
    /// Those of them that are being read and whose bytes will be held back.
    sparing: BTreeSet<(u32, u32)>,
    /// Entries that could not be read.
    failed: BTreeSet<u32>,
    sent: u64,
    spared: u64,
    acknowledged: u64,
    announced: usize,
    settled: usize,
    received: u64,
    written: u64,
}

impl Ledger {
    /// A frame goes to the sender.
    pub fn sender_hears(&mut self, frame: &[u8]) {
        match peer::decode(frame) {
            Ok(PeerMessage::Accept { window }) => {
                self.window = u64::from(window.clamp(CHUNK_BYTES, DEFAULT_WINDOW_BYTES));
            }
            Ok(PeerMessage::Ack { written, .. }) => self.acknowledged = written,
            Ok(PeerMessage::Wants { first, wants }) => {
                for (entry, want) in (first..).zip(wants) {
                    if let Want::From { chunk } = want {
                        self.held_back.insert(entry, chunk);
                    }
                }
            }
            Ok(PeerMessage::Settled(batch)) => self.settled += batch.len(),
            _ => (),
        }
    }

    /// The sender sends a frame.
    pub fn sender_says(&mut self, channel: Channel, frame: &[u8]) {
        match channel {
            Channel::Bulk => self.sent += (frame.len() - HEADER_BYTES) as u64,
            Channel::Control => {
                if let Ok(PeerMessage::Entries { entries, .. }) = peer::decode(frame) {
                    self.announced += entries.len();
                }
            }
        }
    }

    /// The sender asks its disk for a chunk of so many bytes.
    pub fn ask_chunk(&mut self, entry: u32, index: u32, bytes: u64) {
        self.reading.insert((entry, index), bytes);
        let held_back = self.held_back.get(&entry).is_some_and(|it| index < *it);
        if self.asked.insert((entry, index)) && held_back {
            self.sparing.insert((entry, index));
        }
    }

    /// Bytes in blocks.
    pub fn payload(&self) -> u64 {
        self.sent
    }

    /// A job of the sender's is answered.
    pub fn read(&mut self, done: &sender::Done) {
        let sender::Done::Read { entry, index, result, .. } = done else { return };
        let chunk = (*entry, *index);
        let Some(bytes) = self.reading.remove(&chunk) else { return };
        if result.is_err() {
            self.failed.insert(*entry);
        }
        if self.sparing.remove(&chunk) && !self.failed.contains(entry) {
            self.spared += bytes;
        }
    }

    /// A frame goes to the receiver.
    pub fn receiver_hears(&mut self, channel: Channel, frame: &Bytes) {
        if channel == Channel::Bulk {
            self.received += frame.len().saturating_sub(HEADER_BYTES) as u64;
        }
    }

    /// The receiver's disk does a job.
    pub fn write(&mut self, job: &receiver::Job) {
        if let receiver::Job::Write { parts, .. } = job {
            self.written += parts.iter().map(|it| it.len() as u64).sum::<u64>();
        }
    }

    /// What the sender holds stays within what the receiver allows.
    pub fn check_sender(&self) {
        let reading: u64 = self.reading.values().sum();
        let unacknowledged = (self.sent + self.spared + reading).saturating_sub(self.acknowledged);
        assert!(unacknowledged <= self.window, "{unacknowledged} bytes are out in {}", self.window);
        let outstanding = self.announced.saturating_sub(self.settled);
        assert!(outstanding <= MAX_OUTSTANDING_ENTRIES, "{outstanding} entries are outstanding");
    }

    /// What the receiver holds stays within what it allows.
    pub fn check_receiver(&self) {
        let held = self.received.saturating_sub(self.written);
        assert!(held <= u64::from(DEFAULT_WINDOW_BYTES), "the receiver holds {held} bytes");
    }
}

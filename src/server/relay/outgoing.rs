//! What the table gave out, on its way: runs of equal packets to one destination, and queues of streams.

use std::collections::HashMap;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::server::relay::table::Client;

/// Most bytes and packets that go into one system call: what a UDP datagram holds, and UDP_MAX_SEGMENTS of Linux.
const RUN_BYTES: usize = 65_000;
const RUN_PACKETS: usize = 64;

/// Bytes that wait for a stream to take them: twice what one look at a socket can give. The kernel has a queue of its own,
/// which is longer.
const OUTBOX_BYTES: usize = 512 << 10;

/// Beside these, of answers: over a stream nobody asks twice. It is all that a stranger can have waiting, whom
/// nobody sends payload.
const OUTBOX_RESERVE: usize = 16 << 10;

/// Packets to one client, each of `segment` bytes but the last, which may have fewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) to: Client,
    pub(super) range: Range<usize>,
    pub(super) segment: usize,
}

/// What one look at a socket gave to send.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

impl Outgoing {
    /// Where `take` appends at most one packet, which goes to whom it says.
    pub(super) fn put(&mut self, take: impl FnOnce(&mut Vec<u8>) -> Option<Client>) {
        let start = self.bytes.len();
        let to = take(&mut self.bytes);
        let (end, length) = (self.bytes.len(), self.bytes.len() - start);
        let Some(to) = to.filter(|_| length > 0) else {
            self.bytes.truncate(start);
            return;
        };
        if let Some(last) = self.runs.last_mut() {
            let whole = last.range.len().is_multiple_of(last.segment);
            let room =
                last.range.len() + length <= RUN_BYTES && last.range.len() < last.segment * RUN_PACKETS;
            if last.to == to && length <= last.segment && whole && room {
                last.range.end = end;
                return;
            }
        }
        self.runs.push(Run { to, range: start..end, segment: length });
    }

    /// Every run and its bytes, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&Run, &[u8])> {
        self.runs.iter().map(|run| (run, self.bytes.get(run.range.clone()).unwrap_or_default()))
    }

    /// Ready for the next; the memory stays.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.runs.clear();
    }
}

/// The queue of one stream.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// How many of them are answers.
    answers: usize,
}

impl Outbox {
    /// Queues the packets of a run that fit, whole ones only.
    pub(super) fn push(&self, run: &[u8], segment: usize) {
        let mut queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for packet in run.chunks(segment.max(1)) {
            let is_payload = matches!(packet, [0x40..=0xff, ..] | [0x00, 0x17, ..]);
            let fits = match is_payload {
                true => queue.bytes.len() + packet.len() <= OUTBOX_BYTES,
                false => queue.answers + packet.len() <= OUTBOX_RESERVE,
            };
            if fits {
                queue.bytes.extend_from_slice(packet);
                queue.answers += if is_payload { 0 } else { packet.len() };
            }
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Waits until there is something, and puts all of it in place of what `taken` held. Cancel safe.
    pub(super) async fn take(&self, taken: &mut Vec<u8>) {
        taken.clear();
        loop {
            let filled = self.filled.notified();
            {
                let mut queue = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                queue.answers = 0;
                mem::swap(&mut queue.bytes, taken);
            }
            if !taken.is_empty() {
                return;
            }
            filled.await;
        }
    }
}

/// The queues of all streams.
#[derive(Debug, Default)]
pub(super) struct Outboxes {
    state: Mutex<(u64, HashMap<u64, Arc<Outbox>>)>,
}

impl Outboxes {
    /// A queue for a new stream, and its number.
    pub(super) fn open(&self) -> (u64, Arc<Outbox>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        let (number, outbox) = (state.0, Arc::default());
        state.1.insert(number, Arc::clone(&outbox));
        (number, outbox)
    }

    /// The queue of a stream that is still there.
    pub(super) fn get(&self, number: u64) -> Option<Arc<Outbox>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.get(&number).cloned()
    }

    /// Forgets a stream.
    pub(super) fn close(&self, number: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::{OUTBOX_BYTES, Outbox, Outgoing, RUN_PACKETS};
    use crate::server::relay::table::Client;

    fn client(port: u16) -> Client {
        Client { peer: ([192, 0, 2, 1], port).into(), local: ([192, 0, 2, 9], 1).into(), stream: None }
    }

    #[test]
    fn equal_packets_to_one_client_travel_together() {
        let mut outgoing = Outgoing::default();
        let mut put = |port, length: usize| {
            outgoing.put(|out| {
                out.extend(vec![9; length]);
                Some(client(port))
            });
        };
        // The short one ends a run, as would a longer one, or one for somebody else.
        for (port, length) in [(1, 10), (1, 10), (1, 7), (1, 10), (1, 11), (2, 11)] {
            put(port, length);
        }
        outgoing.put(|out| {
            out.push(1);
            None
        });
        outgoing.put(|_| Some(client(1)));
        let runs: Vec<_> =
            outgoing.runs().map(|(run, bytes)| (run.to.peer.port(), bytes.len(), run.segment)).collect();
        assert_eq!(runs, [(1, 27, 10), (1, 10, 10), (1, 11, 11), (2, 11, 11)]);

        outgoing.clear();
        for _ in 0..RUN_PACKETS + 1 {
            outgoing.put(|out| {
                out.push(1);
                Some(client(1))
            });
        }
        let lengths: Vec<_> = outgoing.runs().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lengths, [RUN_PACKETS, 1]);
    }

    /// Whoever proved nothing may ask as fast as it can, and take no answer.
    #[tokio::test]
    async fn a_stranger_that_takes_nothing_costs_little() {
        let (outbox, answer) = (Outbox::default(), vec![1; 100]);
        let mut taken = Vec::new();
        for _ in 0..2 {
            (0..10_000).for_each(|_| outbox.push(&answer, 100));
            outbox.take(&mut taken).await;
            assert!((1..=super::OUTBOX_RESERVE).contains(&taken.len()), "{}", taken.len());
        }
    }

    #[tokio::test]
    async fn a_stream_that_takes_nothing_costs_so_much_and_still_has_its_answers() {
        let (outbox, payload, answer) = (Outbox::default(), vec![0x40; 1000], vec![1; 100]);
        for _ in 0..OUTBOX_BYTES / 500 {
            outbox.push(&payload, 500);
        }
        outbox.push(&answer, 100);
        for _ in 0..10_000 {
            outbox.push(&answer, 100);
        }
        let mut taken = Vec::new();
        outbox.take(&mut taken).await;
        assert!(taken.len() > OUTBOX_BYTES && taken.len() <= OUTBOX_BYTES + super::OUTBOX_RESERVE);
        assert!(taken[taken.len() - 100..].iter().all(|it| *it == 1));
        outbox.push(&payload, 1000);
        outbox.take(&mut taken).await;
        assert_eq!(taken, payload);
    }
}

//! Reads along on the line: what of one end's data was sent, has arrived and is acknowledged, by an account of its own.

use std::collections::VecDeque;

const COMMON_HEADER_BYTES: usize = 12;
const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const SACK: u8 = 3;
const ABORT: u8 = 6;

/// What is known of one TSN.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    bytes: u64,
    arrived: bool,
    acknowledged: bool,
}

/// The account of the data that one end sends.
#[derive(Debug, Default)]
pub struct Witness {
    /// The TSN, unwrapped, of the first of `seen`.
    first: Option<u64>,
    seen: VecDeque<Seen>,
    /// Bytes that were sent and not acknowledged yet.
    pub outstanding: u64,
    /// The window that the other end offered last.
    window: Option<u64>,
    /// How far the sender has gone past that window at most, in bytes.
    pub excess: u64,
    /// Bytes of payload that were acknowledged.
    pub acknowledged: u64,
    /// Grows when something new arrives, or is acknowledged.
    pub progress: u64,
    /// DATA chunks sent, and those of them that were sent before.
    pub chunks: u64,
    pub repeated: u64,
    /// The sender aborted.
    pub aborted: bool,
    /// The longest packet that had data in it, in bytes.
    pub longest_packet: usize,
}

impl Witness {
    /// A packet leaves the sender of the data.
    pub fn sent(&mut self, packet: &[u8]) {
        for (kind, value) in chunks(packet) {
            match (kind, value) {
                (ABORT, _) => self.aborted = true,
                (DATA, value) => {
                    let Some((tsn, bytes)) = data(value) else { continue };
                    self.longest_packet = self.longest_packet.max(packet.len());
                    self.chunks += 1;
                    let tsn = self.unwrap(tsn);
                    let first = *self.first.get_or_insert(tsn);
                    let Some(place) = tsn.checked_sub(first).map(|it| it as usize) else {
                        self.repeated += 1;
                        continue;
                    };
                    if place < self.seen.len() {
                        self.repeated += 1;
                        continue;
                    }
                    // A message can be given up after its TSNs were given out and before they were sent.
                    let given_up = Seen { bytes: 0, arrived: true, acknowledged: true };
                    self.seen.resize(place, given_up);
                    let beyond = (self.outstanding + bytes).saturating_sub(self.window.unwrap_or(0));
                    // One chunk may probe a window that is closed (RFC 9260 §6.1, rule A).
                    if self.outstanding > 0 {
                        self.excess = self.excess.max(beyond);
                    }
                    self.outstanding += bytes;
                    self.seen.push_back(Seen { bytes, arrived: false, acknowledged: false });
                }
                _ => {}
            }
        }
    }

    /// A packet of the sender reaches the other end.
    pub fn arrived(&mut self, packet: &[u8]) {
        for (kind, value) in chunks(packet) {
            let (DATA, Some((tsn, _))) = (kind, data(value)) else { continue };
            let tsn = self.unwrap(tsn);
            let Some(place) = self.first.and_then(|first| tsn.checked_sub(first)) else { continue };
            if let Some(seen) = self.seen.get_mut(place as usize)
                && !seen.arrived
            {
                seen.arrived = true;
                self.progress += 1;
            }
        }
    }

    /// A packet of the other end reaches the sender.
    pub fn answered(&mut self, packet: &[u8]) {
        for (kind, value) in chunks(packet) {
            match kind {
                INIT | INIT_ACK => self.window = number(value, 4).map(u64::from),
                SACK => self.acknowledge(value),
                _ => {}
            }
        }
    }

    fn acknowledge(&mut self, sack: &[u8]) {
        let (Some(cumulative), Some(window), Some(gaps)) = (number(sack, 0), number(sack, 4), short(sack, 8))
        else {
            return;
        };
        let Some(first) = self.first else { return };
        let cumulative = self.unwrap(cumulative);
        if cumulative + 1 < first {
            return; // Overtaken by a later one.
        }
        self.window = Some(u64::from(window));
        for gap in 0..usize::from(gaps) {
            let (Some(start), Some(end)) = (short(sack, 12 + 4 * gap), short(sack, 14 + 4 * gap)) else {
                return;
            };
            for offset in start..=end {
                let place = cumulative + u64::from(offset) - first;
                if let Some(seen) = self.seen.get_mut(place as usize) {
                    settle(seen, &mut self.outstanding, &mut self.acknowledged, &mut self.progress);
                }
            }
        }
        let done = ((cumulative + 1 - first) as usize).min(self.seen.len());
        for mut seen in self.seen.drain(..done) {
            settle(&mut seen, &mut self.outstanding, &mut self.acknowledged, &mut self.progress);
        }
        self.first = Some(first + done as u64);
    }

    fn unwrap(&self, tsn: u32) -> u64 {
        let reference = self.first.unwrap_or((1 << 32) + u64::from(tsn));
        let distance = tsn.wrapping_sub(reference as u32) as i32;
        reference.wrapping_add_signed(i64::from(distance))
    }
}

fn settle(seen: &mut Seen, outstanding: &mut u64, acknowledged: &mut u64, progress: &mut u64) {
    if !seen.acknowledged {
        seen.acknowledged = true;
        *outstanding -= seen.bytes;
        *acknowledged += seen.bytes;
        *progress += 1;
    }
}

/// The chunks of a packet: type and value, for DATA with its flags and length left out as well.
fn chunks(packet: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = packet.get(COMMON_HEADER_BYTES..).unwrap_or(&[]);
    std::iter::from_fn(move || {
        let kind = *rest.first()?;
        let length = usize::from(short(rest, 2)?);
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    })
}

/// TSN and length of the payload of a DATA chunk.
fn data(value: &[u8]) -> Option<(u32, u64)> {
    Some((number(value, 0)?, value.get(12..)?.len() as u64))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|it| u32::from_be_bytes(it.try_into().expect("four bytes")))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|it| u16::from_be_bytes(it.try_into().expect("two bytes")))
}

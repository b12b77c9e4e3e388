//! Lets bytes out at a rate, in bursts that a coarse timer can serve.

use std::time::Instant;

/// A bucket of bytes that fills at the pacing rate.
#[derive(Debug)]
pub(crate) struct Pacer {}

impl Pacer {
    pub(crate) fn new() -> Self {
        todo!()
    }

    /// Whether a packet may go now; if not, when one may.
    pub(crate) fn ready(
        &mut self,
        now: Instant,
        rate: Option<u64>,
        packet_bytes: usize,
    ) -> Result<(), Instant> {
        let _ = (now, rate, packet_bytes);
        todo!()
    }

    /// Bytes went out.
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        let _ = bytes;
        todo!()
    }
}

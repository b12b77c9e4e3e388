//! What the fuzzer may see of an association: numbers to forge with, and what must stay bounded.

use crate::association::{Association, State};

/// The state of an association at an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vitals {
    pub(crate) local_tag: u32,
    pub(crate) peer_tag: u32,
    pub(crate) is_closed: bool,
    /// The last TSN before which nothing is missing, and the last one that was given out.
    pub(crate) received: u32,
    pub(crate) sent: u32,
    pub(crate) expected_request: u32,
    pub(crate) next_request: u32,
    /// What waits to be put together or read counts so much, and may count so much.
    pub(crate) kept: usize,
    pub(crate) most_kept: usize,
    pub(crate) waiting_control: usize,
}

impl Association {
    /// Looks at everything, and counts what is counted.
    ///
    /// # Panics
    /// If a sum is wrong.
    pub(crate) fn vitals(&self) -> Vitals {
        self.outbound.check();
        let (kept, most_kept) = self.inbound.charges();
        Vitals {
            local_tag: self.local_tag,
            peer_tag: self.peer_tag,
            is_closed: self.state == State::Closed,
            received: self.inbound.cumulative_tsn(),
            sent: self.outbound.last_tsn(),
            expected_request: self.resets.expected_request(),
            next_request: self.resets.next_request(),
            kept,
            most_kept,
            waiting_control: self.control.len(),
        }
    }
}

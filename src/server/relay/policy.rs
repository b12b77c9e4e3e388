//! How much the relay gives, and for how long.

use std::time::Duration;

/// Bounds of the relay; the defaults suit a server that strangers can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayPolicy {
    /// Allocations at one time.
    pub allocations: usize,
    /// Of these, of one room: two peers, each by UDP from up to 12 addresses (`transport::interfaces`), by TCP and by TLS.
    pub allocations_per_room: usize,
    /// Of these, of one source.
    pub allocations_per_source: usize,
    /// How many times more of everything a loopback source may ask for, as in
    /// [`LimitPolicy`](crate::server::limits::LimitPolicy).
    pub loopback_factor: u32,
    /// Rooms whose use is remembered.
    pub rooms: usize,
    /// Bytes of payload that one room may relay, both directions together.
    pub room_bytes: u64,
    /// Bytes of payload a second that one room may relay; `None` for no bound.
    pub room_rate: Option<u64>,
    /// How long new credentials can begin an allocation.
    pub credential: Duration,
    /// The longest that an allocation can be kept up, and that a nonce works: `rtc-turn` 0.21 gives up its channels
    /// when a nonce grows stale.
    pub longest: Duration,
    /// Answers a minute to a source that has proved nothing, and in one go.
    pub replies_per_minute: u32,
    /// Sources whose answers are counted.
    pub sources: usize,
}

impl Default for RelayPolicy {
    fn default() -> Self {
        Self {
            allocations: 2048,
            allocations_per_room: 32,
            allocations_per_source: 64,
            loopback_factor: 16,
            rooms: 8192,
            room_bytes: 100_000_000_000,
            room_rate: None,
            credential: Duration::from_secs(10 * 60),
            longest: Duration::from_secs(24 * 3600),
            replies_per_minute: 240,
            sources: 16 * 1024,
        }
    }
}

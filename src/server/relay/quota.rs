//! What a room, and a stranger, may cost the relay.
//!
//! Pure: the time is an argument. Invariants: both tables are bounded, whatever comes in. A room's bytes are remembered
//! for as long as its credentials can begin an allocation, so that coming again gives no new allowance.

use std::collections::HashMap;
use std::mem;
use std::time::{Duration, Instant};

use crate::server::limits::{Bucket, Source};
use crate::server::relay::policy::RelayPolicy;

/// How much of a room's rate may come in one go.
const BURST: Duration = Duration::from_millis(250);

/// What the rooms have used.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    accounts: HashMap<u64, Account>,
}

#[derive(Debug)]
struct Account {
    allocations: usize,
    bytes: u64,
    /// When the allowance of the rate will be whole again.
    whole: Instant,
    /// Until when it is kept without an allocation.
    until: Instant,
}

impl Accounts {
    /// Rooms that are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Takes room for one more allocation, if the room has it. Credentials of this room work until `until`.
    pub(super) fn begin(&mut self, now: Instant, room: u64, until: Instant, policy: &RelayPolicy) -> bool {
        if !self.accounts.contains_key(&room) && self.accounts.len() >= policy.rooms {
            return false;
        }
        let fresh = || Account { allocations: 0, bytes: 0, whole: now, until };
        let account = self.accounts.entry(room).or_insert_with(fresh);
        let free = account.allocations < policy.allocations_per_room && account.bytes < policy.room_bytes;
        if free {
            account.allocations += 1;
            account.until = account.until.max(until);
        }
        free
    }

    /// Gives an allocation back.
    pub(super) fn end(&mut self, room: u64) {
        if let Some(account) = self.accounts.get_mut(&room) {
            account.allocations = account.allocations.saturating_sub(1);
        }
    }

    /// Whether so many bytes of payload may go on now.
    pub(super) fn spend(&mut self, now: Instant, room: u64, bytes: usize, policy: &RelayPolicy) -> bool {
        let Some(account) = self.accounts.get_mut(&room) else { return false };
        let bytes = bytes as u64;
        let sum = account.bytes.saturating_add(bytes);
        if sum > policy.room_bytes {
            return false;
        }
        if let Some(rate) = policy.room_rate {
            let price = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate.max(1));
            let whole = account.whole.max(now) + price;
            if whole > now + BURST.max(price) {
                return false;
            }
            account.whole = whole;
        }
        account.bytes = sum;
        true
    }

    /// Forgets rooms that can have no allocation any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.accounts.retain(|_, account| account.allocations > 0 || now < account.until);
    }
}

/// How many answers strangers have had: a reply to a forged address is a packet to somebody who did not ask for it.
///
/// Two generations: who was not heard of while half a table of others was, is forgotten.
#[derive(Debug, Default)]
pub(super) struct Replies {
    young: HashMap<Source, Bucket>,
    old: HashMap<Source, Bucket>,
}

impl Replies {
    /// Whether this source may have one more.
    pub(super) fn take(&mut self, now: Instant, source: Source, policy: &RelayPolicy) -> bool {
        if self.young.len() >= policy.sources / 2 && !self.young.contains_key(&source) {
            self.old = mem::take(&mut self.young);
        }
        let old = &mut self.old;
        let bucket = self
            .young
            .entry(source)
            .or_insert_with(|| old.remove(&source).unwrap_or_else(|| Bucket::new(now)));
        let factor = if source == Source::Loopback { policy.loopback_factor } else { 1 };
        bucket.take(now, policy.replies_per_minute.saturating_mul(factor))
    }

    /// Sources that are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::{Duration, Instant};

    use super::{Accounts, Replies};
    use crate::server::limits::Source;
    use crate::server::relay::policy::RelayPolicy;

    #[test]
    fn a_room_that_comes_again_has_no_new_allowance() {
        let policy = RelayPolicy { room_bytes: 100, allocations_per_room: 1, ..RelayPolicy::default() };
        let (start, mut accounts) = (Instant::now(), Accounts::default());
        let until = start + Duration::from_secs(60);
        assert!(accounts.begin(start, 1, until, &policy));
        assert!(!accounts.begin(start, 1, until, &policy), "one at a time");
        assert!(accounts.spend(start, 1, 90, &policy) && !accounts.spend(start, 1, 11, &policy));
        assert!(accounts.spend(start, 1, 10, &policy));
        accounts.end(1);
        accounts.sweep(start);
        assert!(!accounts.begin(start, 1, until, &policy), "all is used up");
        accounts.sweep(until);
        assert_eq!(accounts.len(), 0);
        assert!(!accounts.spend(until, 1, 1, &policy), "nobody's bytes");
    }

    #[test]
    fn a_rate_holds_over_time() {
        let policy = RelayPolicy { room_rate: Some(1_000_000), ..RelayPolicy::default() };
        let (start, mut accounts) = (Instant::now(), Accounts::default());
        accounts.begin(start, 1, start, &policy);
        let mut passed = 0;
        for step in 0..10_000 {
            let now = start + Duration::from_millis(step);
            passed += (0..5).filter(|_| accounts.spend(now, 1, 1000, &policy)).count();
        }
        assert!((10_000..=10_250).contains(&passed), "10 s of 1 MB/s and a burst, in packets: {passed}");
    }

    #[test]
    fn strangers_are_counted_one_by_one_and_in_bounded_memory() {
        let policy = RelayPolicy { replies_per_minute: 3, sources: 64, ..RelayPolicy::default() };
        let (now, mut replies) = (Instant::now(), Replies::default());
        let source = |number: u32| Source::V4(Ipv4Addr::from_bits(number));
        let had = (0..10).filter(|_| replies.take(now, source(1), &policy)).count();
        assert_eq!(had, 3);
        for other in 2..10_000 {
            assert!(replies.take(now, source(other), &policy));
            assert!(!replies.take(now, source(1), &policy), "after {other} others");
            assert!(replies.len() <= 64);
        }
        assert!(replies.take(now + Duration::from_secs(20), source(1), &policy), "a third of a minute later");
    }
}

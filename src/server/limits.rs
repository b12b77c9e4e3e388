//! What one source may cost: connections at a time, rooms and joins a minute, and a price on misses.
//!
//! Pure: the clock is an argument. Invariants:
//! - A source is an IPv4 address or an IPv6 /64, since a /64 is what one household is given; or one link-local IPv6 address.
//! - The table holds at most [`LimitPolicy::sources`] accounts, however many sources there are.
//! - An account with open connections is never forgotten, so that the counts stay true.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crate::wire::signaling::CloseCode;

/// How much a source may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitPolicy {
    /// Connections of all sources together.
    ///
    /// Low enough that a common limit of 1,024 open files is not reached; raise both together.
    pub connections_in_all: usize,
    /// Connections of one source.
    pub connections: u32,
    /// Rooms that one source may create in a minute, and in one go.
    pub creates_per_minute: u32,
    /// Joins that one source may try in a minute, and in one go.
    pub joins_per_minute: u32,
    /// Reunions that one source may ask for in a minute, and in one go. A token cannot be guessed, so
    /// asking in vain has no other price.
    pub meets_per_minute: u32,
    /// Joins of unknown rooms that cost nothing: people mistype.
    pub free_misses: u32,
    /// How long joins are refused after the first miss that is not free; it doubles with each more.
    pub penalty: Duration,
    /// Where the doubling ends.
    pub longest_penalty: Duration,
    /// After so long without a miss, half of the misses are forgiven.
    pub forgiveness: Duration,
    /// How many times more of everything a loopback source may ask for.
    ///
    /// Generous rather than free: behind a proxy that is not named as trusted, all the world comes
    /// from loopback, and one guesser must neither go unnoticed nor shut out everybody at once.
    pub loopback_factor: u32,
    /// Accounts in the table.
    pub sources: usize,
}

impl Default for LimitPolicy {
    fn default() -> Self {
        Self {
            connections_in_all: 900,
            connections: 32,
            creates_per_minute: 20,
            joins_per_minute: 20,
            meets_per_minute: 60,
            free_misses: 5,
            penalty: Duration::from_secs(10),
            longest_penalty: Duration::from_secs(15 * 60),
            forgiveness: Duration::from_secs(10 * 60),
            loopback_factor: 16,
            sources: 32 * 1024,
        }
    }
}

/// Whom requests are counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// This machine.
    Loopback,
    /// One IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address; of a link-local one the last.
    V6(u64),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            own if own.is_loopback() => Self::Loopback,
            IpAddr::V4(v4) => Self::V4(v4),
            // All neighbours have the same first bits.
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Self::V6(v6.to_bits() as u64),
            IpAddr::V6(v6) => Self::V6((v6.to_bits() >> 64) as u64),
        }
    }
}

/// Whether a connection may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Welcome,
    /// It may stay until it has been told why not.
    Refused(CloseCode),
    /// Not even that: too many are being told already. It is not counted.
    Dropped,
}

/// The table of accounts.
#[derive(Debug)]
pub struct Limits {
    policy: LimitPolicy,
    accounts: HashMap<Source, Account>,
    connections: usize,
}

#[derive(Debug)]
struct Account {
    connections: u32,
    creates: Bucket,
    joins: Bucket,
    meets: Bucket,
    misses: u32,
    missed: Instant,
    barred: Instant,
    touched: Instant,
}

impl Limits {
    /// An empty table.
    pub fn new(policy: LimitPolicy) -> Self {
        Self { policy, accounts: HashMap::new(), connections: 0 }
    }

    /// How many sources have an account.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether no source has an account.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Counts a new connection. Every answer but [`Admission::Dropped`] must be followed by one
    /// [`disconnect`](Self::disconnect) later.
    pub fn connect(&mut self, now: Instant, source: Source) -> Admission {
        let (in_all, most) = (self.policy.connections_in_all, self.scaled(source, self.policy.connections));
        let crowd = self.connections;
        let account = self.account(now, source);
        // Refusing politely takes a connection too, for as long as the goodbye takes: twice the limit,
        // and an eighth on top of the whole, is room enough for that.
        if crowd >= in_all.saturating_add(in_all / 8) || account.connections >= most.saturating_mul(2) {
            return Admission::Dropped;
        }
        account.connections += 1;
        let refused = account.connections > most;
        self.connections += 1;
        match () {
            () if refused => Admission::Refused(CloseCode::Limited),
            // A sender gets into its own rendezvous, however many strangers stand around in it.
            () if crowd >= in_all && source != Source::Loopback => Admission::Refused(CloseCode::Full),
            () => Admission::Welcome,
        }
    }

    /// Counts a connection's end.
    pub fn disconnect(&mut self, now: Instant, source: Source) {
        if let Some(account) = self.accounts.get_mut(&source) {
            account.connections = account.connections.saturating_sub(1);
            account.touched = now;
        }
        self.connections = self.connections.saturating_sub(1);
    }

    /// Takes a room's price.
    ///
    /// # Errors
    /// [`CloseCode::Limited`] when the source has to wait.
    pub fn create(&mut self, now: Instant, source: Source) -> Result<(), CloseCode> {
        let per_minute = self.scaled(source, self.policy.creates_per_minute);
        let account = self.account(now, source);
        account.creates.take(now, per_minute).then_some(()).ok_or(CloseCode::Limited)
    }

    /// Takes a join's price, before anybody looks whether the room exists.
    ///
    /// # Errors
    /// [`CloseCode::Limited`] when the source has to wait.
    pub fn join(&mut self, now: Instant, source: Source) -> Result<(), CloseCode> {
        let per_minute = self.scaled(source, self.policy.joins_per_minute);
        let account = self.account(now, source);
        let barred = now < account.barred;
        (!barred && account.joins.take(now, per_minute)).then_some(()).ok_or(CloseCode::Limited)
    }

    /// Takes a reunion's price.
    ///
    /// # Errors
    /// [`CloseCode::Limited`] when the source has to wait.
    pub fn meet(&mut self, now: Instant, source: Source) -> Result<(), CloseCode> {
        let per_minute = self.scaled(source, self.policy.meets_per_minute);
        let account = self.account(now, source);
        account.meets.take(now, per_minute).then_some(()).ok_or(CloseCode::Limited)
    }

    /// Notes that a join met no room.
    pub fn miss(&mut self, now: Instant, source: Source) {
        let free = self.scaled(source, self.policy.free_misses);
        let LimitPolicy { penalty, longest_penalty, forgiveness, .. } = self.policy;
        let account = self.account(now, source);
        account.misses = account.remembered(now, forgiveness).saturating_add(1);
        account.missed = now;
        if let Some(doublings) = account.misses.checked_sub(free.saturating_add(1)) {
            let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
            account.barred = now + penalty.saturating_mul(factor).min(longest_penalty);
        }
    }

    /// Forgets accounts that say nothing any more.
    pub fn sweep(&mut self, now: Instant) {
        let forgiveness = self.policy.forgiveness;
        self.accounts.retain(|_, account| !account.is_blank(now, forgiveness));
    }

    fn scaled(&self, source: Source, amount: u32) -> u32 {
        match source {
            Source::Loopback => amount.saturating_mul(self.policy.loopback_factor),
            Source::V4(_) | Source::V6(_) => amount,
        }
    }

    fn account(&mut self, now: Instant, source: Source) -> &mut Account {
        if self.accounts.len() >= self.policy.sources && !self.accounts.contains_key(&source) {
            self.make_space(now);
        }
        let account = self.accounts.entry(source).or_insert_with(|| Account::new(now));
        account.touched = now;
        account
    }

    /// Makes space when a flood of sources has filled the table: the blank accounts go, and if that
    /// is not a quarter of the table, the longest untouched ones go with them.
    ///
    /// Taking a quarter at once keeps the cost of a flood constant for each new source.
    fn make_space(&mut self, now: Instant) {
        self.sweep(now);
        let keep = self.policy.sources - self.policy.sources / 4 - 1;
        let excess = self.accounts.len().saturating_sub(keep);
        if excess == 0 {
            return;
        }
        let mut closed: Vec<(Instant, Source)> = self
            .accounts
            .iter()
            .filter(|(_, account)| account.connections == 0)
            .map(|(source, account)| (account.touched, *source))
            .collect();
        closed.sort_unstable_by_key(|(touched, _)| *touched);
        for (_, source) in closed.into_iter().take(excess) {
            self.accounts.remove(&source);
        }
    }
}

impl Account {
    fn new(now: Instant) -> Self {
        Self {
            connections: 0,
            creates: Bucket::new(now),
            joins: Bucket::new(now),
            meets: Bucket::new(now),
            misses: 0,
            missed: now,
            barred: now,
            touched: now,
        }
    }

    /// Misses that are not forgiven yet.
    fn remembered(&self, now: Instant, forgiveness: Duration) -> u32 {
        let elapsed = now.saturating_duration_since(self.missed).as_millis();
        let halvings = elapsed / forgiveness.as_millis().max(1);
        u32::try_from(halvings).ok().and_then(|halvings| self.misses.checked_shr(halvings)).unwrap_or(0)
    }

    fn is_blank(&self, now: Instant, forgiveness: Duration) -> bool {
        self.connections == 0
            && self.barred <= now
            && self.creates.is_full(now)
            && self.joins.is_full(now)
            && self.meets.is_full(now)
            && self.remembered(now, forgiveness) == 0
    }
}

/// A token bucket that holds one minute's worth, as the time at which it will be full again.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    full: Instant,
}

impl Bucket {
    const MINUTE: Duration = Duration::from_secs(60);

    /// A full bucket.
    pub fn new(now: Instant) -> Self {
        Self { full: now }
    }

    /// Takes a token if there is one.
    pub fn take(&mut self, now: Instant, per_minute: u32) -> bool {
        let Some(price) = Self::MINUTE.checked_div(per_minute) else {
            return false;
        };
        let full = self.full.max(now) + price;
        let allowed = full <= now + Self::MINUTE;
        if allowed {
            self.full = full;
        }
        allowed
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full <= now
    }
}

#[cfg(test)]
mod tests;

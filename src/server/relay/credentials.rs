//! Who may relay: names and passwords that the server can check without remembering them.
//!
//! A name is `EXPIRY:ROOM:SEAT`, where the expiry counts seconds since the server started; the password is 128 bits of
//! an HMAC of the name. They go through the long-term mechanism of RFC 8489 §9.2, with nonces that carry their own
//! time and the address that they were given to. Pure: the time is an argument.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use rtc_crypto::providers::RingCrypto;
use rtc_stun::integrity::MessageIntegrity;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// As short as a name of ours can be: it is in the answer to anybody's request.
pub(super) const REALM: &str = "p2pcp";

/// A nonce: the minute of its making and half of a MAC, as 12 letters. A forger would need 2^47 tries, and would have
/// won the right to try passwords of 128 bits.
pub(super) type Nonce = [u8; 12];

/// What a peer needs to relay.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Minted {
    /// For USERNAME.
    pub(super) username: String,
    /// A secret.
    pub(super) password: String,
}

/// What a name says. It is to be believed only when the password was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// Until when an allocation may be begun.
    pub(super) until: Instant,
    /// Among whom data may go.
    pub(super) room: u64,
}

/// The server's secret, fresh at each start.
pub(super) struct Credentials {
    secret: [u8; 32],
    started: Instant,
}

impl Credentials {
    /// With 32 random bytes, for a server that starts now.
    pub(super) fn new(secret: [u8; 32], now: Instant) -> Self {
        Self { secret, started: now }
    }

    /// A name and password for one seat of a room.
    pub(super) fn mint(&self, now: Instant, lifetime: Duration, room: u64, seat: u8) -> Minted {
        let until = (now + lifetime).saturating_duration_since(self.started).as_secs();
        let username = format!("{until}:{room:016x}:{seat}");
        let password = self.password(&username);
        Minted { username, password }
    }

    /// What a name claims; `None` when it is none of ours.
    pub(super) fn claim(&self, username: &str) -> Option<Claim> {
        let (until, rest) = username.split_once(':')?;
        let (room, _seat) = rest.split_once(':')?;
        // A clock that cannot count so far does not panic.
        let until = self.started.checked_add(Duration::from_secs(until.parse().ok()?))?;
        Some(Claim { until, room: u64::from_str_radix(room, 16).ok()? })
    }

    /// The key of a name (RFC 8489 §18.5.1.1).
    pub(super) fn key(&self, username: &str) -> Option<Vec<u8>> {
        let (username, realm, password) = (username.to_owned(), REALM.to_owned(), self.password(username));
        MessageIntegrity::long_term_integrity_key(username, realm, password, &RingCrypto).ok()
    }

    /// A nonce for a client at this address. The port is part of it: whoever shares an address, or had it before, cannot
    /// ask in the name of another client there.
    pub(super) fn nonce(&self, now: Instant, client: SocketAddr) -> Nonce {
        self.nonce_of(self.minute(now), client)
    }

    /// Whether a nonce was given to this address, not longer ago than `lifetime`.
    pub(super) fn is_fresh(
        &self,
        now: Instant,
        lifetime: Duration,
        client: SocketAddr,
        nonce: &[u8],
    ) -> bool {
        let Some(&[a, b, c, ..]) = BASE64.decode(nonce).ok().as_deref().and_then(<[u8]>::first_chunk::<9>)
        else {
            return false;
        };
        let made = u32::from_be_bytes([0, a, b, c]);
        let age = self.minute(now).checked_sub(made);
        age.is_some_and(|age| u64::from(age) * 60 <= lifetime.as_secs())
            && bool::from(self.nonce_of(made, client).ct_eq(nonce))
    }

    fn minute(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.started).as_secs() / 60).unwrap_or(u32::MAX)
    }

    fn nonce_of(&self, minute: u32, client: SocketAddr) -> Nonce {
        let [_, time @ ..] = minute.to_be_bytes();
        let host = match client.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let mac = self.mac(&[b"nonce ", &time, &client.port().to_be_bytes(), &host]);
        let mut bytes = [0; 9];
        bytes[..3].copy_from_slice(&time);
        bytes[3..].copy_from_slice(&mac[..6]);
        let mut nonce = [0; 12];
        BASE64.encode_mut(&bytes, &mut nonce);
        nonce
    }

    fn password(&self, username: &str) -> String {
        BASE64.encode(&self.mac(&[b"name ", username.as_bytes()])[..16])
    }

    /// Numbers that nobody outside can foresee.
    pub(super) fn number(&self, counter: u64) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.mac(&[b"number ", &counter.to_be_bytes()]);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(&self.secret).expect("an HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::{Duration, Instant};

    use super::Credentials;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_name_says_its_room_and_time() {
        let start = Instant::now();
        let ours = Credentials::new([7; 32], start);
        let minted = ours.mint(start + MINUTE, 10 * MINUTE, 0xfeed, 1);
        assert_eq!(minted.username, "660:000000000000feed:1");
        assert_eq!(minted.password.len(), 24, "16 bytes");
        let claim = ours.claim(&minted.username).unwrap();
        assert_eq!((claim.room, claim.until), (0xfeed, start + 11 * MINUTE));
        for foreign in ["", ":", "1:2", "x:1:0", "-1:1:0", "1:x:0", "99999999999999999999:1:0"] {
            assert_eq!(ours.claim(foreign), None, "{foreign}");
        }
        assert_eq!(ours.claim(&format!("{}:1:0", u64::MAX)), None);
    }

    #[test]
    fn other_servers_and_names_have_other_keys() {
        let start = Instant::now();
        let (ours, other) = (Credentials::new([7; 32], start), Credentials::new([8; 32], start));
        assert_eq!(ours.key("1:1:0"), ours.key("1:1:0"));
        assert_ne!(ours.key("1:1:0"), ours.key("1:1:1"));
        assert_ne!(ours.key("1:1:0"), other.key("1:1:0"));
    }

    #[test]
    fn a_nonce_is_of_one_address_and_one_time() {
        let start = Instant::now();
        let ours = Credentials::new([7; 32], start);
        let client: SocketAddr = "192.0.2.1:40000".parse().unwrap();
        let nonce = ours.nonce(start + 5 * MINUTE, client);
        let fresh = |minutes, client, nonce: &[u8]| {
            ours.is_fresh(start + minutes * MINUTE, 60 * MINUTE, client, nonce)
        };
        assert!(fresh(5, client, &nonce) && fresh(65, client, &nonce));
        assert!(!fresh(4, client, &nonce), "from the future");
        assert!(!fresh(66, client, &nonce), "stale");
        assert!(!fresh(5, "192.0.2.2:40000".parse().unwrap(), &nonce), "another's");
        assert!(!fresh(5, "192.0.2.1:40001".parse().unwrap(), &nonce), "that of one beside it");
        for at in 0..nonce.len() {
            let mut forged = nonce;
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert!(!fresh(5, client, &forged), "{at}");
            assert!(!fresh(5, client, &nonce[..at]), "{at} letters");
        }
    }
}

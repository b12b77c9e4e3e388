//! Who asks, and what it hears before that is proved.

use std::time::Instant;

use rtc_stun::attributes::{ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME};
use rtc_stun::message::METHOD_ALLOCATE;

use crate::server::limits::Source;
use crate::server::relay::credentials::REALM;
use crate::server::relay::message::{Reply, Request};
use crate::server::relay::table::{Client, Table};

/// Bytes of the headers of IP and UDP, without which no packet travels.
const HEADERS_V4: usize = 28;
const HEADERS_V6: usize = 48;

/// Who sent a request, proved.
pub(super) struct Pass {
    pub(super) username: String,
    pub(super) room: u64,
    pub(super) until: Instant,
}

impl Table {
    /// Who asks (RFC 8489 §9.2.4), or what a stranger hears.
    pub(super) fn authenticate(
        &self,
        now: Instant,
        from: Client,
        request: &mut Request,
    ) -> Result<(Pass, Vec<u8>), Reply> {
        let client = from.peer;
        let challenge = |request: &Request, code| {
            let nonce = self.credentials.nonce(now, client);
            request.error(code).with(ATTR_REALM, REALM.as_bytes()).with(ATTR_NONCE, &nonce)
        };
        if request.attribute(ATTR_MESSAGE_INTEGRITY).is_none() {
            return Err(challenge(request, 401));
        }
        let named = [ATTR_USERNAME, ATTR_REALM, ATTR_NONCE].map(|it| request.attribute(it));
        let [Some(username), Some(_), Some(nonce)] = named else {
            return Err(request.error(400));
        };
        if !self.credentials.is_fresh(now, self.policy.longest, client, nonce) {
            return Err(challenge(request, 438));
        }
        let username = std::str::from_utf8(username).unwrap_or("").to_owned();
        let claim = self.credentials.claim(&username);
        let key = claim.and_then(|_| self.credentials.key(&username));
        let (Some(claim), Some(key)) = (claim, key) else {
            return Err(challenge(request, 401));
        };
        // An allocation that stands outlives the time to begin one.
        let late = request.method() == METHOD_ALLOCATE && claim.until <= now;
        if !request.verify(&key) || late {
            return Err(challenge(request, 401));
        }
        Ok((Pass { username, room: claim.room, until: claim.until }, key))
    }

    /// Answers somebody who may be anybody, if that is not too much.
    pub(super) fn answer_stranger(
        &mut self,
        now: Instant,
        from: Client,
        request: &Request,
        reply: Reply,
        out: &mut Vec<u8>,
    ) -> bool {
        // A stream's other end is where it says it is.
        if from.stream.is_none() {
            let source = Source::from(from.peer.ip());
            if !fits(from, request, reply.len()) || !self.replies.take(now, source, &self.policy) {
                return false;
            }
        }
        let reply = reply.finish(None);
        reply.inspect(|it| out.extend_from_slice(it)).is_some()
    }
}

/// Whether an answer of so many bytes is at most half as long again as the request, as packets.
pub(super) fn fits(from: Client, request: &Request, reply: usize) -> bool {
    let headers = if from.peer.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
    (reply + headers) * 2 <= (request.len() + headers) * 3
}

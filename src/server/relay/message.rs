//! STUN messages as the relay reads and writes them (RFC 8489 §5 and §14).
//!
//! Requests go through `rtc-stun`; they are few, and read with care. What carries payload does not: see
//! [`data`](super::data).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rtc_crypto::providers::RingCrypto;
use rtc_stun::attributes::{
    ATTR_ERROR_CODE, ATTR_FINGERPRINT, ATTR_MESSAGE_INTEGRITY, ATTR_UNKNOWN_ATTRIBUTES, AttrType,
};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, MESSAGE_HEADER_SIZE, Message, MessageClass,
    MessageType, Method, Setter,
};

/// Bytes of the longest request that is read: room for a hundred peer addresses and the longest credentials.
const MAX_REQUEST: usize = 2048;

/// RFC 8489 §5: in every message, and in every address of it.
pub(super) const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();

/// What tells an answer from others.
pub(super) type Transaction = [u8; 12];

/// A request that is well formed; its sender may be anybody.
pub(super) struct Request {
    message: Message,
    /// Whether it ends with a checksum, so that the answer does, too.
    fingerprint: bool,
}

impl Request {
    /// Reads a request; `None` for anything else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_REQUEST || !is_whole(bytes) {
            return None;
        }
        let mut message = Message::new();
        message.unmarshal_binary(bytes).ok()?;
        let fingerprint = message.attributes.0.last().is_some_and(|it| it.typ == ATTR_FINGERPRINT);
        if message.typ.class != CLASS_REQUEST || (fingerprint && FINGERPRINT.check(&message).is_err()) {
            return None;
        }
        Some(Self { message, fingerprint })
    }

    /// What is asked for.
    pub(super) fn method(&self) -> Method {
        self.message.typ.method
    }

    /// Its number, of the client's choice.
    pub(super) fn transaction(&self) -> Transaction {
        self.message.transaction_id.0
    }

    /// Bytes of the whole request.
    pub(super) fn len(&self) -> usize {
        self.message.raw.len()
    }

    /// The value of the first attribute of this kind.
    pub(super) fn attribute(&self, kind: AttrType) -> Option<&[u8]> {
        self.attributes(kind).next()
    }

    /// The values of all attributes of this kind.
    pub(super) fn attributes(&self, kind: AttrType) -> impl Iterator<Item = &[u8]> {
        self.message.attributes.0.iter().filter(move |it| it.typ == kind).map(|it| it.value.as_slice())
    }

    /// Kinds of which RFC 8489 §14 says that whoever does not know them must not go on, but `known`.
    pub(super) fn unknown(&self, known: &[AttrType]) -> Vec<AttrType> {
        let attributes = self.message.attributes.0.iter().map(|it| it.typ);
        attributes.filter(|it| it.required() && !known.contains(it)).collect()
    }

    /// Whether its sender knows `key`. From a `true` on, only what the key vouches for is left of it.
    pub(super) fn verify(&mut self, key: &[u8]) -> bool {
        let at = self.message.attributes.0.iter().position(|it| it.typ == ATTR_MESSAGE_INTEGRITY);
        let genuine = MessageIntegrity::check(&mut self.message, key, &RingCrypto).is_ok();
        if let Some(at) = at.filter(|_| genuine) {
            self.message.attributes.0.truncate(at + 1);
        }
        genuine
    }

    /// The beginning of an answer that says yes.
    pub(super) fn success(&self) -> Reply {
        self.reply(CLASS_SUCCESS_RESPONSE)
    }

    /// The beginning of an answer that says no. Without a sentence: nobody reads it, and it costs bytes that a
    /// forged sender's address would have to bear.
    pub(super) fn error(&self, code: u16) -> Reply {
        let [class, number] = [code / 100, code % 100].map(|it| u8::try_from(it).unwrap_or(0));
        self.reply(CLASS_ERROR_RESPONSE).with(ATTR_ERROR_CODE, &[0, 0, class, number])
    }

    /// An answer that names what was not understood, the first few of it.
    pub(super) fn error_unknown(&self, unknown: &[AttrType]) -> Reply {
        let kinds: Vec<u8> = unknown.iter().take(8).flat_map(|it| it.value().to_be_bytes()).collect();
        self.error(420).with(ATTR_UNKNOWN_ATTRIBUTES, &kinds)
    }

    fn reply(&self, class: MessageClass) -> Reply {
        let mut message = Message::new();
        message.typ = MessageType::new(self.method(), class);
        message.transaction_id = self.message.transaction_id;
        message.encode();
        Reply { message, fingerprint: self.fingerprint }
    }
}

/// An answer in the making.
pub(super) struct Reply {
    message: Message,
    fingerprint: bool,
}

impl Reply {
    /// With one more attribute.
    pub(super) fn with(mut self, kind: AttrType, value: &[u8]) -> Self {
        self.message.add(kind, value);
        self
    }

    /// With an address that no middlebox rewrites (RFC 8489 §14.2).
    pub(super) fn with_address(self, kind: AttrType, address: SocketAddr) -> Self {
        let value = masked(address, &self.message.transaction_id.0);
        self.with(kind, value.bytes())
    }

    /// With an address in clear (RFC 8489 §14.1).
    pub(super) fn with_clear_address(self, kind: AttrType, address: SocketAddr) -> Self {
        let value = encoded(address, [0; 16]);
        self.with(kind, value.bytes())
    }

    /// Its bytes so far, with what [`finish`](Self::finish) adds when there is no key.
    pub(super) fn len(&self) -> usize {
        self.message.raw.len() + if self.fingerprint { 8 } else { 0 }
    }

    /// The whole message, under `key` when the client has proved that it knows it.
    pub(super) fn finish(mut self, key: Option<&[u8]>) -> Option<Vec<u8>> {
        if let Some(key) = key {
            let integrity = MessageIntegrity::new_raw_integrity_with_provider(key, &RingCrypto);
            integrity.add_to(&mut self.message).ok()?;
        }
        if self.fingerprint {
            FINGERPRINT.add_to(&mut self.message).ok()?;
        }
        Some(self.message.raw)
    }
}

/// Whether this is one STUN message and nothing else (RFC 8489 §6.3).
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let Some([kind, _, high, low, cookie @ ..]) = bytes.first_chunk::<8>() else { return false };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    *kind < 0x40 && *cookie == COOKIE && length % 4 == 0 && bytes.len() == MESSAGE_HEADER_SIZE + length
}

/// An address as it stands in a message: 8 or 20 bytes.
pub(super) struct Encoded {
    bytes: [u8; 20],
    length: usize,
}

impl Encoded {
    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

/// An address for XOR-MAPPED-ADDRESS and its like.
pub(super) fn masked(address: SocketAddr, transaction: &Transaction) -> Encoded {
    encoded(address, mask(transaction))
}

/// The address in an XOR-PEER-ADDRESS or its like.
pub(super) fn unmasked(value: &[u8], transaction: &Transaction) -> Option<SocketAddr> {
    let mask = mask(transaction);
    let ([_, family, high, low], host) = value.split_first_chunk()?;
    let port = u16::from_be_bytes([high ^ mask[0], low ^ mask[1]]);
    let ip = match family {
        1 => IpAddr::V4(Ipv4Addr::from(xor(host.try_into().ok()?, &mask))),
        2 => IpAddr::V6(Ipv6Addr::from(xor::<16>(host.try_into().ok()?, &mask))),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn mask(transaction: &Transaction) -> [u8; 16] {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&COOKIE);
    mask[4..].copy_from_slice(transaction);
    mask
}

fn encoded(address: SocketAddr, mask: [u8; 16]) -> Encoded {
    let [high, low] = address.port().to_be_bytes();
    let mut bytes = [0; 20];
    bytes[2..4].copy_from_slice(&[high ^ mask[0], low ^ mask[1]]);
    let (family, length) = match address.ip() {
        IpAddr::V4(ip) => {
            bytes[4..8].copy_from_slice(&xor(ip.octets(), &mask));
            (1, 8)
        }
        IpAddr::V6(ip) => {
            bytes[4..].copy_from_slice(&xor(ip.octets(), &mask));
            (2, 20)
        }
    };
    bytes[1] = family;
    Encoded { bytes, length }
}

fn xor<const N: usize>(mut bytes: [u8; N], mask: &[u8; 16]) -> [u8; N] {
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    bytes
}

#[cfg(test)]
mod tests {
    use super::{Request, is_whole, masked, unmasked};

    /// RFC 5769 §2.2 and §2.3: the addresses of the sample responses.
    #[test]
    fn addresses_are_masked_as_in_the_sample_responses() {
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let v4 = "192.0.2.1:32853".parse().unwrap();
        assert_eq!(masked(v4, &transaction).bytes(), [0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let bytes = [
            0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe,
            0xd2, 0xb9, 0xd9,
        ];
        assert_eq!(masked(v6, &transaction).bytes(), bytes);
        for address in [v4, v6] {
            assert_eq!(unmasked(masked(address, &transaction).bytes(), &transaction), Some(address));
        }
        for length in 0..20 {
            let cut = unmasked(&bytes[..length], &transaction);
            assert_eq!(cut, None, "{length} bytes");
        }
    }

    #[test]
    fn what_is_not_one_whole_request_is_not_read() {
        let mut bare = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bare.extend([7; 12]);
        assert!(Request::parse(&bare).is_some());
        for end in 0..bare.len() {
            assert!(!is_whole(&bare[..end]));
        }
        let with = |at: usize, byte| {
            let mut other = bare.clone();
            other[at] = byte;
            other
        };
        // A response, another cookie, a length that is none, one that is too long, and a byte too many.
        for wrong in [with(0, 1), with(4, 0), with(3, 3), with(3, 4), [&bare[..], &[0]].concat()] {
            assert!(Request::parse(&wrong).is_none(), "{wrong:?}");
        }
    }
}

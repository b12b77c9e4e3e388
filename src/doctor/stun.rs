//! The few STUN messages that a check-up needs (RFC 8489, RFC 8656, RFC 5780), over the codec of `rtc`.
//!
//! What comes in is data of strangers: a message that does not parse is no message, and texts are bounded.

use std::net::SocketAddr;

use rtc::stun::attributes::{
    ATTR_CHANGE_REQUEST, ATTR_LIFETIME, ATTR_NONCE, ATTR_OTHER_ADDRESS, ATTR_REALM, ATTR_REQUESTED_TRANSPORT,
    ATTR_USERNAME, ATTR_XOR_RELAYED_ADDRESS, AttrType,
};
use rtc::stun::error_code::ErrorCodeAttribute;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    BINDING_REQUEST, CLASS_ERROR_RESPONSE, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, Getter, METHOD_ALLOCATE,
    METHOD_BINDING, METHOD_REFRESH, Message, MessageType, Setter, TransactionId,
};
use rtc::stun::xoraddr::XorMappedAddress;

/// Bytes of a STUN header (RFC 8489 §5).
pub(super) const HEADER: usize = 20;

/// Bytes of a plain Binding request. Padded, so that a server that answers at most half as much again as it was sent has
/// room for all addresses that it may tell.
const PLAIN: usize = 128;

/// What fills a request: a comprehension-optional attribute that nobody assigned, so that every server ignores it (RFC 8489
/// §14). PADDING (RFC 5780 §7.6) is one that many servers refuse.
const FILLER: AttrType = AttrType(0xC0FE);

/// "Answer from your other port" (RFC 5780 §7.2).
const CHANGE_PORT: [u8; 4] = [0, 0, 0, 2];

/// Relay packets as UDP (RFC 8656 §18.7): 17 is its number.
const UDP: [u8; 4] = [17, 0, 0, 0];

/// Bytes of a realm or nonce that are believed (RFC 8489 §14.9 and §14.10).
const MAX_TEXT: usize = 763;

/// A request and the number that its answer has.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) id: [u8; 12],
    pub(super) bytes: Vec<u8>,
}

/// What a long-term credential needs (RFC 8489 §9.2). It has no `Debug`.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: String,
}

/// What a server asks to be told back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) realm: String,
    pub(super) nonce: String,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// A Binding request: our own, when it came back.
    Request,
    /// Where a Binding request came from, and whether the server has another port to answer from.
    Bound { mapped: SocketAddr, other: bool },
    /// A relayed address.
    Allocated(SocketAddr),
    /// Another success.
    Done,
    /// A refusal (RFC 8489 §14.8), perhaps with a challenge.
    Refused(u16, Option<Challenge>),
}

/// "Which address do I come from?"
pub(super) fn binding() -> Request {
    padded(&[], PLAIN)
}

/// The same, to be answered from the server's other port.
pub(super) fn binding_from_elsewhere() -> Request {
    padded(&[(ATTR_CHANGE_REQUEST, &CHANGE_PORT)], PLAIN)
}

/// The same, of so many bytes, cut down to a multiple of four.
pub(super) fn binding_of(bytes: usize) -> Request {
    padded(&[], bytes)
}

fn padded(attributes: &[(AttrType, &[u8])], bytes: usize) -> Request {
    let mut message = begin(BINDING_REQUEST);
    for (kind, value) in attributes {
        message.add(*kind, value);
    }
    if let Some(room) = bytes.checked_sub(message.raw.len() + 4) {
        message.add(FILLER, &vec![0; room - room % 4]);
    }
    finish(message)
}

/// Asks for a relayed address, with an answer to the server's challenge if there was one. `None` when the credential
/// cannot be used.
pub(super) fn allocate(login: Option<(&Login, &Challenge)>) -> Option<Request> {
    let mut message = begin(MessageType::new(METHOD_ALLOCATE, CLASS_REQUEST));
    message.add(ATTR_REQUESTED_TRANSPORT, &UDP);
    if let Some((login, challenge)) = login {
        sign(&mut message, login, challenge)?;
    }
    Some(finish(message))
}

/// Gives a relayed address back.
pub(super) fn release(login: &Login, challenge: &Challenge) -> Option<Request> {
    let mut message = begin(MessageType::new(METHOD_REFRESH, CLASS_REQUEST));
    message.add(ATTR_LIFETIME, &0_u32.to_be_bytes());
    sign(&mut message, login, challenge)?;
    Some(finish(message))
}

fn begin(kind: MessageType) -> Message {
    let mut message = Message::new();
    message.typ = kind;
    message.transaction_id = TransactionId::new();
    message.encode();
    message
}

fn finish(message: Message) -> Request {
    Request { id: message.transaction_id.0, bytes: message.raw }
}

fn sign(message: &mut Message, login: &Login, challenge: &Challenge) -> Option<()> {
    message.add(ATTR_USERNAME, login.username.as_bytes());
    message.add(ATTR_REALM, challenge.realm.as_bytes());
    message.add(ATTR_NONCE, challenge.nonce.as_bytes());
    let provider = rtc::crypto::default_provider().ok()?;
    let (username, password) = (login.username.clone(), login.password.clone());
    let realm = challenge.realm.clone();
    let integrity =
        MessageIntegrity::new_long_term_integrity_with_provider(username, realm, password, provider.crypto());
    integrity.ok()?.add_to(message).ok()
}

/// What a packet says, and in which transaction.
pub(super) fn parse(bytes: &[u8]) -> Option<([u8; 12], Said)> {
    let mut message = Message::new();
    message.unmarshal_binary(bytes).ok()?;
    let MessageType { method, class } = message.typ;
    let said = match (method, class) {
        (METHOD_BINDING, CLASS_REQUEST) => Said::Request,
        (METHOD_BINDING, CLASS_SUCCESS_RESPONSE) => {
            let mut mapped = XorMappedAddress::default();
            mapped.get_from(&message).ok()?;
            let mapped = SocketAddr::new(mapped.ip, mapped.port);
            Said::Bound { mapped, other: message.contains(ATTR_OTHER_ADDRESS) }
        }
        (METHOD_ALLOCATE, CLASS_SUCCESS_RESPONSE) => {
            let mut relayed = XorMappedAddress::default();
            relayed.get_from_as(&message, ATTR_XOR_RELAYED_ADDRESS).ok()?;
            Said::Allocated(SocketAddr::new(relayed.ip, relayed.port))
        }
        (_, CLASS_SUCCESS_RESPONSE) => Said::Done,
        (_, CLASS_ERROR_RESPONSE) => {
            let mut error = ErrorCodeAttribute::default();
            error.get_from(&message).ok()?;
            Said::Refused(error.code.0, challenge(&message))
        }
        _ => return None,
    };
    Some((message.transaction_id.0, said))
}

fn challenge(message: &Message) -> Option<Challenge> {
    let text = |kind| {
        let value = message.get(kind).ok().filter(|it| it.len() <= MAX_TEXT)?;
        String::from_utf8(value).ok()
    };
    Some(Challenge { realm: text(ATTR_REALM)?, nonce: text(ATTR_NONCE)? })
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::SocketAddr;

    use rtc::stun::attributes::{ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME, AttrType};
    use rtc::stun::message::{
        CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_BINDING, METHOD_REFRESH,
        Message, MessageType,
    };

    use crate::doctor::stun::{
        ATTR_OTHER_ADDRESS, ATTR_XOR_RELAYED_ADDRESS, Challenge, Login, Said, allocate, binding,
        binding_from_elsewhere, binding_of, parse, release,
    };
    use rtc::stun::xoraddr::XorMappedAddress;

    /// An answer to a request, with these attributes.
    pub(in crate::doctor) fn answer(
        request: &[u8],
        kind: MessageType,
        address: Option<(AttrType, SocketAddr)>,
        attributes: &[(AttrType, &[u8])],
    ) -> Vec<u8> {
        let mut asked = Message::new();
        asked.unmarshal_binary(request).unwrap();
        let mut message = Message::new();
        message.typ = kind;
        message.transaction_id = asked.transaction_id;
        message.encode();
        if let Some((attribute, address)) = address {
            let address = XorMappedAddress { ip: address.ip(), port: address.port() };
            address.add_to_as(&mut message, attribute).unwrap();
        }
        for (attribute, value) in attributes {
            message.add(*attribute, value);
        }
        message.raw
    }

    fn login() -> Login {
        Login { username: "1:room:s".to_owned(), password: "secret".to_owned() }
    }

    #[test]
    fn requests_have_the_size_that_was_asked_for() {
        assert_eq!(binding().bytes.len(), 128);
        assert_eq!(binding_from_elsewhere().bytes.len(), 128);
        for (asked, made) in [(1252, 1252), (1255, 1252), (24, 24), (0, 20)] {
            assert_eq!(binding_of(asked).bytes.len(), made);
        }
        assert_ne!(binding().id, binding().id);
    }

    #[test]
    fn a_request_that_comes_back_is_known() {
        let request = binding();
        assert_eq!(parse(&request.bytes), Some((request.id, Said::Request)));
    }

    #[test]
    fn a_credential_signs_and_is_not_in_clear() {
        let challenge = Challenge { realm: "p2pcp".to_owned(), nonce: "n".to_owned() };
        for request in
            [allocate(Some((&login(), &challenge))).unwrap(), release(&login(), &challenge).unwrap()]
        {
            let mut message = Message::new();
            message.unmarshal_binary(&request.bytes).unwrap();
            assert_eq!(message.get(ATTR_USERNAME).unwrap(), b"1:room:s");
            assert_eq!(message.get(ATTR_REALM).unwrap(), b"p2pcp");
            assert_eq!(message.get(ATTR_NONCE).unwrap(), b"n");
            assert_eq!(message.get(ATTR_MESSAGE_INTEGRITY).unwrap().len(), 20);
            assert!(!request.bytes.windows(6).any(|it| it == b"secret"));
        }
    }

    #[test]
    fn answers_are_understood() {
        let address: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let request = binding().bytes;
        let said = |kind, address, attributes: &[(AttrType, &[u8])]| {
            parse(&answer(&request, kind, address, attributes)).map(|it| it.1)
        };
        let success = |method| MessageType::new(method, CLASS_SUCCESS_RESPONSE);
        let mapped = Some((AttrType(0x20), address));
        assert_eq!(
            said(success(METHOD_BINDING), mapped, &[]),
            Some(Said::Bound { mapped: address, other: false })
        );
        let other: &[(AttrType, &[u8])] = &[(ATTR_OTHER_ADDRESS, &[0, 1, 31, 156, 192, 0, 2, 9])];
        assert_eq!(
            said(success(METHOD_BINDING), mapped, other),
            Some(Said::Bound { mapped: address, other: true })
        );
        let relayed = Some((ATTR_XOR_RELAYED_ADDRESS, address));
        assert_eq!(said(success(METHOD_ALLOCATE), relayed, &[]), Some(Said::Allocated(address)));
        assert_eq!(said(success(METHOD_REFRESH), None, &[]), Some(Said::Done));
        let refused = MessageType::new(METHOD_ALLOCATE, CLASS_ERROR_RESPONSE);
        let code: (AttrType, &[u8]) = (AttrType(9), &[0, 0, 4, 1]);
        assert_eq!(said(refused, None, &[code]), Some(Said::Refused(401, None)));
        let asked = said(refused, None, &[code, (ATTR_REALM, b"p2pcp"), (ATTR_NONCE, b"x")]);
        let challenge = Challenge { realm: "p2pcp".to_owned(), nonce: "x".to_owned() };
        assert_eq!(asked, Some(Said::Refused(401, Some(challenge))));
    }

    #[test]
    fn hostile_answers_are_no_answers() {
        let request = binding().bytes;
        let success = MessageType::new(METHOD_BINDING, CLASS_SUCCESS_RESPONSE);
        let refused = MessageType::new(METHOD_ALLOCATE, CLASS_ERROR_RESPONSE);
        for hostile in [
            answer(&request, success, None, &[]),
            answer(&request, success, None, &[(AttrType(0x20), &[0, 1])]),
            answer(&request, success, None, &[(AttrType(0x20), &[0, 7, 1, 1, 1, 1, 1, 1])]),
            answer(&request, success, None, &[(AttrType(0x20), &[0; 100])]),
            answer(&request, refused, None, &[]),
            answer(&request, refused, None, &[(AttrType(9), &[0, 0])]),
        ] {
            assert_eq!(parse(&hostile), None, "{hostile:?}");
            for end in 0..hostile.len() {
                let _no_panic = parse(&hostile[..end]);
            }
        }
        let endless = "n".repeat(4_000);
        let code: (AttrType, &[u8]) = (AttrType(9), &[0, 0, 4, 1]);
        let long =
            answer(&request, refused, None, &[code, (ATTR_REALM, b"r"), (ATTR_NONCE, endless.as_bytes())]);
        assert_eq!(parse(&long).map(|it| it.1), Some(Said::Refused(401, None)));
    }
}

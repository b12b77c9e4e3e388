//! What carries payload: ChannelData, and Send and Data indications (RFC 8656 §11 and §12).
//!
//! This is the path of every byte, so it is read by hand and allocates nothing. Everything that is wrong is dropped
//! without a word, as the RFC wants it.

use std::net::SocketAddr;
use std::time::Instant;

use rtc_stun::attributes::{ATTR_DATA, ATTR_XOR_PEER_ADDRESS};

use crate::server::relay::message::{COOKIE, Transaction, is_whole, masked, unmasked};
use crate::server::relay::table::{Client, Table};

/// Bytes before ChannelData's payload: number and length.
pub(super) const CHANNEL_HEADER: usize = 4;

/// The longest payload that goes on: with the longest header it is still a UDP datagram.
const MOST_PAYLOAD: usize = 65_400;

impl Table {
    /// Payload under a channel's number.
    pub(super) fn take_channel_data(
        &mut self,
        now: Instant,
        from: Client,
        packet: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let ([a, b, high, low], rest) = packet.split_first_chunk()?;
        let number = u16::from_be_bytes([*a, *b]);
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        // Padding is for streams; over UDP it is allowed (§12.5).
        let payload = rest.get(..length).filter(|_| rest.len() < length + 4)?;
        let port = *self.clients.get(&from)?;
        let allocation = self.allocations.get(&port).filter(|it| now < it.expires)?;
        let to = allocation.peers.iter().find(|it| it.channel(now) == Some(number))?.port;
        self.forward(now, port, to, payload, out)
    }

    /// Payload behind a peer's address.
    pub(super) fn take_indication(
        &mut self,
        now: Instant,
        from: Client,
        packet: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let (address, payload) = parse_send(packet)?;
        let port = *self.clients.get(&from)?;
        let allocation = self.allocations.get(&port).filter(|it| now < it.expires)?;
        // Who was permitted could be reached, and is removed from the list when that ends.
        let peer = allocation.peers.iter().find(|it| it.port == address.port() && it.is_permitted(now))?;
        let to = peer.port;
        if !self.may_reach(now, port, address) {
            return None;
        }
        self.forward(now, port, to, payload, out)
    }

    /// Gives payload to another client, if it wants to hear this one and the room may spend so much.
    fn forward(
        &mut self,
        now: Instant,
        from: u16,
        to: u16,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        let target = self.allocations.get(&to).filter(|it| now < it.expires)?;
        let source = target.peers.iter().find(|it| it.port == from && it.is_permitted(now))?;
        if payload.len() > MOST_PAYLOAD || !self.accounts.spend(now, target.room, payload.len(), &self.policy)
        {
            return None;
        }
        match source.channel(now) {
            Some(number) => put_channel_data(number, payload, target.client.stream.is_some(), out),
            None => {
                self.drawn = self.drawn.wrapping_add(1);
                put_indication(self.drawn, source.address, payload, out);
            }
        }
        Some(target.client)
    }
}

/// Peer and payload of a Send indication (RFC 8656 §11.2).
fn parse_send(packet: &[u8]) -> Option<(SocketAddr, &[u8])> {
    if !is_whole(packet) {
        return None;
    }
    let (header, mut rest) = packet.split_first_chunk::<20>()?;
    let transaction: &Transaction = header.last_chunk()?;
    let (mut address, mut payload) = (None, None);
    while let Some(([a, b, high, low], value)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (kind, value_here) = (u16::from_be_bytes([*a, *b]), value.get(..length)?);
        rest = value.get(length.next_multiple_of(4)..)?;
        match kind {
            kind if kind == ATTR_XOR_PEER_ADDRESS.value() => {
                address = Some(unmasked(value_here, transaction)?)
            }
            kind if kind == ATTR_DATA.value() => payload = Some(value_here),
            // What must be understood and is not, DONT-FRAGMENT for one, drops the packet.
            0..=0x7fff => return None,
            0x8000.. => {}
        }
    }
    address.zip(payload).filter(|_| rest.is_empty())
}

/// Writes ChannelData; over a stream it is padded.
fn put_channel_data(number: u16, payload: &[u8], over_stream: bool, out: &mut Vec<u8>) {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
    if over_stream {
        pad(payload.len(), out);
    }
}

/// Writes a Data indication. Its transaction is a number: nobody answers it.
fn put_indication(number: u64, peer: SocketAddr, payload: &[u8], out: &mut Vec<u8>) {
    let mut transaction: Transaction = [0; 12];
    transaction[4..].copy_from_slice(&number.to_be_bytes());
    let peer = masked(peer, &transaction);
    let length = 4 + peer.bytes().len() + 4 + payload.len().next_multiple_of(4);
    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    out.extend_from_slice(&[0x00, 0x17]);
    out.extend_from_slice(&short(length));
    out.extend_from_slice(&COOKIE);
    out.extend_from_slice(&transaction);
    for (kind, value) in [(ATTR_XOR_PEER_ADDRESS, peer.bytes()), (ATTR_DATA, payload)] {
        out.extend_from_slice(&kind.value().to_be_bytes());
        out.extend_from_slice(&short(value.len()));
        out.extend_from_slice(value);
    }
    pad(payload.len(), out);
}

fn pad(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 3][..length.next_multiple_of(4) - length]);
}

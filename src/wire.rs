//! Every message, limit and code number of the protocol p2pcp/1, in one place, below everything else.
//!
//! Decoding is parsing: a value that came out of this module is legal, whatever bytes went in. The
//! prose of the protocol is `docs/PROTOCOL.md`; the layouts here and there must agree.
//!
//! ```text
//! sender S                     server                    receiver R
//!   create ─────────────────────►                                      signaling: JSON over one WebSocket
//!   ◄───────────────── created(417)
//!                               ◄───────────────────── join(417)       the nameplate is dead from here
//!   ◄───────────────── peer(nr)  joined(ns) ─────────────►
//!   ◄══════════════════ pake, confirm, sealed ═══════════►             relayed, opaque to the server
//!
//!   ◄────────────────────── bind, bind ──────────────────►             peer to peer: one data channel pair
//!   offer, entries… ─────────────────────────────────────►             control channel: bincode
//!   ◄──────────────────────────────── accept, wants…, ack…
//!   blocks… ═════════════════════════════════════════════►             bulk channel: header + bytes
//!   proofs…, end ────────────────────────────────────────►
//!   ◄──────────────────────────────── again…, restart…                 of what seemed to be here and is not
//!   ◄───────────────────────────────── settled…, complete
//!   farewell ────────────────────────────────────────────►
//!
//!   meet(token) ────────────────► ◄────────────────── meet(token)      after a lost link: confirm, sealed, bind,
//!   ◄──────────────────────── heard, heard ──────────────►             then what the other has not heard
//! ```

#![deny(clippy::indexing_slicing)]

pub mod address;
pub mod block;
pub mod close;
pub mod fate;
pub mod ice;
pub mod lanes;
pub mod manifest;
pub mod path;
pub mod peer;
pub mod signaling;
pub mod verify;

/// The protocol's version: what `v` says in signaling and what both peers bind into the PAKE.
pub const PROTOCOL_VERSION: u16 = 1;

/// Bytes of an entry that are hashed, journaled and written as one unit.
///
/// 1 MiB keeps the hashes of a 1 TiB file at 32 MiB and the loss of an interrupted chunk small.
pub const CHUNK_BYTES: u32 = 1 << 20;

/// Largest signaling frame in bytes, as text.
pub const MAX_SIGNALING_FRAME: usize = 16 * 1024;

/// Largest control frame in bytes, and the decode limit of every bincode read.
///
/// RFC 8841 §6.1: a peer that does not say `a=max-message-size` takes 64 KiB.
pub const MAX_CONTROL_FRAME: usize = 64 * 1024;

/// Entries that may be announced but not yet settled: deep enough for 40,000 small files a second over
/// 100 ms.
pub const MAX_OUTSTANDING_ENTRIES: usize = 4096;

/// The same where both peers have feature bit 8. Small files come at the processors' speed then, also over 50 ms: with 4,096 the
/// sender had nothing left to read while what it had sent was written, synced and spoken of.
pub const MANY_OUTSTANDING_ENTRIES: usize = 4 * MAX_OUTSTANDING_ENTRIES;

/// The same in bytes, as [`manifest::Entry::encoded_bytes`] counts them. A receiver holds an entry up to
/// three times on its way, so a hostile manifest costs it 24 MiB at most.
pub const MAX_OUTSTANDING_MANIFEST: usize = 8 << 20;

/// Bytes that the receiver lets the sender have sent but not yet acknowledged as written.
///
/// 32 MiB is what 1 Gbit/s over 50 ms needs to go on while a loss is repaired, and the repair is lost once more: with 16 it carried 85 MB/s
/// at 1 % loss in place of 99.
pub const DEFAULT_WINDOW_BYTES: u32 = 32 << 20;

/// Most entries one session may hold; identifiers are 32 bits wide.
pub const MAX_ENTRIES: u32 = u32::MAX - 1;

/// Largest size of one entry in bytes: what `off_t` can address.
pub const MAX_ENTRY_BYTES: u64 = i64::MAX as u64;

/// Chunks of an entry of `size` bytes.
pub fn chunk_count(size: u64) -> u64 {
    size.div_ceil(u64::from(CHUNK_BYTES))
}

/// Bytes of chunk `index` of an entry of `size` bytes; 0 past its end.
pub fn chunk_length(size: u64, index: u32) -> u64 {
    let start = u64::from(index) * u64::from(CHUNK_BYTES);
    size.saturating_sub(start).min(u64::from(CHUNK_BYTES))
}

/// Which of a lane's two data channels a frame travels on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Small messages in both directions ([`peer::PeerMessage`]).
    Control,
    /// File bytes from sender to receiver ([`block`]).
    Bulk,
}

/// Whether file bytes pass through a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// From address to address.
    Direct,
    /// Through a TURN server, which sees only ciphertext.
    Relayed,
    /// No path was found, or the attempt was given up.
    Failed,
}

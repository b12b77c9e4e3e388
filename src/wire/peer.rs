//! The control channel: what two authenticated peers say to each other.
//!
//! bincode 2, fixed-width integers, little endian, one message a frame, at most
//! [`MAX_CONTROL_FRAME`] bytes. [`encode`] and [`decode`] are the only way in and out.

use serde::{Deserialize, Serialize};

use crate::wire::MAX_CONTROL_FRAME;
pub use crate::wire::fate::{Outcome, Proof, Settled, SourceFault, Want};
pub use crate::wire::manifest::{Entry, EntryKind, Mtime, Offer, OfferItem, Totals};

/// SHA-256 of something.
pub type Hash = [u8; 32];

/// One message on the control channel.
///
/// The variants' numbers are part of the protocol: new ones go last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMessage {
    /// Either way, first: proof that this end of the DTLS connection knows the key.
    Bind {
        /// `HMAC(K("bind R"|"bind S"), lv(role, th, fpS, fpR))`.
        mac: Hash,
    },
    /// S to R: what is offered, before anything is asked.
    Offer(Offer),
    /// S to R: the totals as the walk goes on.
    Totals(Totals),
    /// S to R: the next entries of the manifest, numbered on from `first`.
    Entries {
        /// Number of the first entry here: the count of all before it.
        first: u32,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// S to R: hashes of what was read and sent.
    Proofs(Vec<Proof>),
    /// S to R: the manifest is complete.
    End {
        /// How many entries it has.
        entries: u32,
        /// Paths that the sender could not read or send.
        skipped: u64,
    },
    /// R to S: go on.
    Accept {
        /// Bytes that may be sent and not yet acknowledged.
        window: u32,
    },
    /// R to S: which of the announced entries' bytes are wanted, in order, one for each.
    Wants {
        /// Number of the first entry here.
        first: u32,
        /// One for each entry of the batch.
        wants: Vec<Want>,
    },
    /// R to S: payload bytes since the session began, those counted that were held back and compared.
    Ack {
        /// All that came in.
        received: u64,
        /// All that is written; the window runs after this one.
        written: u64,
    },
    /// R to S: what became of entries; each entry is settled once.
    Settled(Vec<Settled>),
    /// R to S: every entry is settled and durable.
    Complete {
        /// `HMAC(K("complete"), SHA-256 of all settled entries in order)`.
        mac: Hash,
    },
    /// S to R: the word was heard; both may leave.
    Farewell,
    /// Either way: it ends here, for this reason.
    Abort(AbortReason),
    /// Either way: how many frames have come in since the session began, on all its links together;
    /// `Bind` and `Heard` are not counted. The first message after `Bind` on every link but the first.
    Heard {
        /// Frames on the control channel.
        control: u64,
        /// Frames on the bulk channel.
        bulk: u64,
    },
    /// R to S, after the entry's proof: the bytes of these chunks after all, in this order. They were
    /// held back for [`Want::From`], and what is here of them is something else.
    Again {
        /// Of which entry.
        entry: u32,
        /// Which chunks, each below the entry's [`Want::From`].
        chunks: Vec<u32>,
    },
    /// R to S, after the entry's proof: all of it after all, as for [`Want::All`].
    Restart {
        /// Which entry.
        entry: u32,
    },
    /// Either way, once both know of it (feature bit 4): what the person there wants from now on.
    Pace {
        /// Nothing is to be sent for now.
        paused: bool,
        /// Bytes a second at most, above zero.
        limit: Option<u64>,
    },
}

impl PeerMessage {
    /// Whether it is a list of nothing, which nobody has a reason to send.
    pub fn is_empty_list(&self) -> bool {
        match self {
            Self::Entries { entries, .. } => entries.is_empty(),
            Self::Proofs(proofs) => proofs.is_empty(),
            Self::Wants { wants, .. } => wants.is_empty(),
            Self::Settled(settled) => settled.is_empty(),
            Self::Again { chunks, .. } => chunks.is_empty(),
            Self::Bind { .. } | Self::Offer(_) | Self::Totals(_) | Self::End { .. } => false,
            Self::Accept { .. } | Self::Ack { .. } | Self::Complete { .. } => false,
            Self::Farewell | Self::Abort(_) | Self::Heard { .. } | Self::Restart { .. } => false,
            Self::Pace { .. } => false,
        }
    }

    /// Its kind, for error messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "bind",
            Self::Offer(_) => "offer",
            Self::Totals(_) => "totals",
            Self::Entries { .. } => "entries",
            Self::Proofs(_) => "proofs",
            Self::End { .. } => "end",
            Self::Accept { .. } => "accept",
            Self::Wants { .. } => "wants",
            Self::Ack { .. } => "ack",
            Self::Settled(_) => "settled",
            Self::Complete { .. } => "complete",
            Self::Farewell => "farewell",
            Self::Abort(_) => "abort",
            Self::Heard { .. } => "heard",
            Self::Again { .. } => "again",
            Self::Restart { .. } => "restart",
            Self::Pace { .. } => "pace",
        }
    }
}

/// Why a peer ended the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum AbortReason {
    /// The person said no.
    #[error("the offer was declined")]
    Declined,
    /// Nobody could be asked.
    #[error("nobody was there to accept the offer")]
    Unattended,
    /// Ctrl-C or a signal.
    #[error("it was interrupted")]
    Interrupted,
    /// No space left.
    #[error("its disk is full")]
    DiskFull,
    /// No permission to write.
    #[error("it may not write there")]
    DiskDenied,
    /// Read-only file system.
    #[error("its disk is read-only")]
    DiskReadOnly,
    /// Another disk error.
    #[error("its disk failed")]
    DiskFailed,
    /// A hash did not match.
    #[error("bytes arrived that do not match their hash")]
    Integrity,
    /// The other side broke the protocol.
    #[error("it was sent something that the protocol forbids")]
    Protocol,
    /// Nothing came for too long.
    #[error("it heard nothing for too long")]
    Silence,
    /// Whatever it was to be written to takes no more, as `head` does after some lines.
    #[error("whatever read its output stopped reading")]
    OutputClosed,
    /// It is not one file, and so has no place on a pipe.
    #[error("it takes one file only, to write it to a pipe")]
    NotOneFile,
}

/// Why a frame is not a control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Over [`MAX_CONTROL_FRAME`].
    #[error("a control frame of {0} bytes")]
    TooLong(usize),
    /// Bytes that are no message, or more than one.
    #[error("a control frame that is not a p2pcp message")]
    Malformed,
}

fn layout() -> impl bincode::config::Config {
    bincode::config::standard()
        .with_little_endian()
        .with_fixed_int_encoding()
        .with_limit::<MAX_CONTROL_FRAME>()
}

/// Renders a message.
///
/// # Panics
/// If it is over [`MAX_CONTROL_FRAME`]: whoever makes batches bounds them, see [`BATCH_BYTES`].
pub fn encode(message: &PeerMessage) -> Vec<u8> {
    let bytes = bincode::serde::encode_to_vec(message, layout()).expect("messages always encode");
    assert!(bytes.len() <= MAX_CONTROL_FRAME, "a batch outgrew a control frame");
    bytes
}

/// Parses a frame.
///
/// # Errors
/// [`PeerError`] for anything but exactly one legal message.
pub fn decode(frame: &[u8]) -> Result<PeerMessage, PeerError> {
    if frame.len() > MAX_CONTROL_FRAME {
        return Err(PeerError::TooLong(frame.len()));
    }
    match bincode::serde::decode_from_slice(frame, layout()) {
        Ok((message, used)) if used == frame.len() => Ok(message),
        _ => Err(PeerError::Malformed),
    }
}

/// Whether a frame is a [`PeerMessage::Bind`], without decoding the others.
pub fn is_bind(frame: &[u8]) -> bool {
    /// The variant's number, and the length of all.
    const BIND: ([u8; 4], usize) = ([0; 4], 4 + size_of::<Hash>());
    frame.starts_with(&BIND.0) && frame.len() == BIND.1
}

/// Whether a frame is a [`PeerMessage::Heard`], without decoding the others.
pub fn is_heard(frame: &[u8]) -> bool {
    /// The variant's number.
    const HEARD: [u8; 4] = [13, 0, 0, 0];
    frame.starts_with(&HEARD)
}

/// Encoded bytes at which a batch of entries, proofs or outcomes is sent.
///
/// One more item (at most [`MAX_ITEM_BYTES`]) still fits a frame.
pub const BATCH_BYTES: usize = MAX_CONTROL_FRAME / 2;

/// Upper bound of one encoded [`Entry`]: two longest paths and the fixed fields.
pub const MAX_ITEM_BYTES: usize = 2 * crate::wire::path::MAX_PATH_BYTES + 64;

const _: () = assert!(BATCH_BYTES + MAX_ITEM_BYTES < MAX_CONTROL_FRAME);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::path::RelPath;

    fn entry() -> Entry {
        Entry {
            path: RelPath::parse("photos/a.jpg").unwrap(),
            kind: EntryKind::File { size: 5, mtime: Mtime::new(-1, 9).unwrap(), executable: true },
        }
    }

    #[test]
    fn messages_round_trip() {
        for message in [
            PeerMessage::Bind { mac: [7; 32] },
            PeerMessage::Entries { first: 3, entries: vec![entry()] },
            PeerMessage::Settled(vec![Settled { entry: 3, outcome: Outcome::Kept { digest: [1; 32] } }]),
            PeerMessage::Abort(AbortReason::DiskFull),
            PeerMessage::Heard { control: 3, bulk: 1 << 40 },
            PeerMessage::Wants { first: 1, wants: vec![Want::From { chunk: 9 }] },
            PeerMessage::Again { entry: 3, chunks: vec![1, 5] },
            PeerMessage::Restart { entry: 3 },
            PeerMessage::Pace { paused: true, limit: None },
            PeerMessage::Pace { paused: false, limit: Some(5_000_000) },
        ] {
            assert_eq!(is_heard(&encode(&message)), message.name() == "heard");
            assert_eq!(is_bind(&encode(&message)), message.name() == "bind");
            assert_eq!(decode(&encode(&message)), Ok(message));
        }
    }

    #[test]
    fn the_layout_is_fixed() {
        let bytes = encode(&PeerMessage::Accept { window: 0x0102 });
        assert_eq!(bytes, [6, 0, 0, 0, 2, 1, 0, 0]);
    }

    #[test]
    fn what_is_not_exactly_one_message_is_refused() {
        let good = encode(&PeerMessage::Entries { first: 0, entries: vec![entry()] });
        for cut in 0..good.len() {
            assert_eq!(decode(&good[..cut]), Err(PeerError::Malformed), "cut at {cut}");
        }
        let twice = [good.clone(), good].concat();
        assert_eq!(decode(&twice), Err(PeerError::Malformed));
        assert_eq!(decode(&vec![0; MAX_CONTROL_FRAME + 1]), Err(PeerError::TooLong(MAX_CONTROL_FRAME + 1)));
    }

    /// A length field of 2^64 must not make the decoder allocate.
    #[test]
    fn a_huge_claimed_length_is_refused() {
        let mut frame = vec![3, 0, 0, 0, 0, 0, 0, 0];
        frame.extend([0xff; 8]);
        assert_eq!(decode(&frame), Err(PeerError::Malformed));
    }

    #[test]
    fn illegal_names_and_times_do_not_decode() {
        let mut frame = encode(&PeerMessage::Entries { first: 0, entries: vec![entry()] });
        let at = frame.windows(6).position(|it| it == b"photos").unwrap();
        frame[at] = 0;
        assert_eq!(decode(&frame), Err(PeerError::Malformed));
        assert_eq!(Mtime::new(0, 1_000_000_000), None);
    }
}

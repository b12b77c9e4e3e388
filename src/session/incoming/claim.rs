//! What comparing an entry's bytes and proofs tells.

use crate::wire::peer::SourceFault;

/// What became known by comparing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Loose hashes that found what they speak of, or are forgotten.
    pub matched: usize,
    /// Checks of what is here that found their proof.
    pub checks: usize,
    /// Bytes that the sender held back and that are compared now.
    pub held_back: u64,
    /// Those of them that are here indeed.
    pub here: u64,
}

/// What the bytes and proofs of an entry say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// They agree so far.
    Fine(Progress),
    /// The sender gave the entry up and all that it had sent of it is in.
    Failed(SourceFault, Progress),
    /// All is compared, and what is here differs where the sender held bytes back.
    Differs(Progress),
    /// The sender said something about the entry that cannot be.
    Impossible,
    /// A hash of what was written is not what the sender says.
    Mismatch,
    /// More is written than the sender has vouched for.
    Unproven,
}

//! Packing chunks, and unpacking what a peer has packed: Zstandard (RFC 8878), one frame a chunk.
//!
//! A frame holds one whole chunk and nothing else, so lengths tell about no mixture of files. It says its plain size,
//! is one segment (what unpacks it needs no memory but for its result), and has neither a dictionary nor a checksum,
//! since every chunk has a SHA-256 of its own. Both sides keep their memory: about 3 MiB each.

mod packer;
mod unpacker;

pub use crate::pack::packer::{Effort, Packer};
pub use crate::pack::unpacker::{Unpackable, Unpacker};

#[cfg(test)]
mod tests;

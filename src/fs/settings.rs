//! Reading small files that a person names on the command line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// More than any certificate chain has.
const MOST_BYTES: u64 = 1 << 20;

/// All of a small file: a certificate, a key.
///
/// # Errors
/// When it cannot be read, or has more than 1 MiB.
pub fn read_settings(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, MOST_BYTES)
}

/// All of a file of at most so many bytes.
///
/// # Errors
/// When it cannot be read, or has more.
pub fn read_at_most(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    match read as u64 > most_bytes {
        true => Err(io::Error::other("it is too large")),
        false => Ok(bytes),
    }
}

/// Writes a file of our own, in place of what is there.
///
/// # Errors
/// When it cannot be written.
pub fn write_page(path: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::write(path, bytes)
}

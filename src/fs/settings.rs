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
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    match read as u64 > MOST_BYTES {
        true => Err(io::Error::other("it is too large")),
        false => Ok(bytes),
    }
}

//! Bytes that have no file: what is read from standard input, and what is written to standard output.
//!
//! Both block for as long as the program at the other end likes, and nobody can wake them: whoever uses them does so on
//! a thread that need not end.

use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};

use crate::fs::hash::{ChunkHasher, hash_parts};
use crate::fs::os;
use crate::fs::{DiskFault, SourceError};
use crate::wire::CHUNK_BYTES;
use crate::wire::block::{self, HEADER_BYTES, PAYLOAD_BYTES};
use crate::wire::path::RelPath;
use crate::wire::peer::{Hash, Mtime, SourceFault};

/// What the name of standard input and output is on a command line, and in messages.
pub const DASH: &str = "-";

/// What is read until it ends.
pub struct Inlet {
    name: RelPath,
    mtime: Mtime,
    from: Box<dyn Read + Send>,
}

/// Whether standard input is a pipe or a file: bytes that somebody put there, and no terminal or `/dev/null`.
pub fn stdin_is_piped() -> bool {
    os::stdin().is_ok_and(|stat| matches!(stat.form, os::Form::Fifo | os::Form::File))
}

/// The next chunk of an [`Inlet`].
#[derive(Debug)]
pub struct StreamRead {
    /// Block frames in order.
    pub frames: Vec<BytesMut>,
    /// Bytes in them: [`CHUNK_BYTES`], or fewer where it ends.
    pub bytes: u64,
    /// SHA-256 over them.
    pub hash: Hash,
    /// Whether nothing follows.
    pub last: bool,
}

impl Inlet {
    /// Standard input, to be sent as `name`.
    ///
    /// # Errors
    /// [`SourceError`] when there is none, or it is a folder.
    pub fn stdin(name: RelPath) -> Result<Self, SourceError> {
        let stat = os::stdin().map_err(|error| SourceError::new(error, DASH))?;
        if stat.form == os::Form::Folder {
            return Err(SourceError::NotSendable { path: DASH.into() });
        }
        Ok(Self::new(name, stat.mtime, Box::new(io::stdin())))
    }

    /// What `from` gives, to be sent as `name`.
    pub fn new(name: RelPath, mtime: Mtime, from: Box<dyn Read + Send>) -> Self {
        Self { name, mtime, from }
    }

    /// The name that it is sent under, and its time.
    pub fn announced(&self) -> (RelPath, Mtime) {
        (self.name.clone(), self.mtime)
    }

    /// Reads chunk `index` of `entry`, which is the next one: waits until it is full or the input ends.
    ///
    /// # Errors
    /// [`SourceFault::Io`] when it cannot be read. What was read of the chunk is lost.
    pub fn read_chunk(&mut self, entry: u32, index: u32) -> Result<StreamRead, SourceFault> {
        let start = u64::from(index) * u64::from(CHUNK_BYTES);
        let mut read = StreamRead { frames: Vec::new(), bytes: 0, hash: Hash::default(), last: false };
        let mut hasher = ChunkHasher::default();
        let mut buffer = vec![0; PAYLOAD_BYTES];
        while !read.last && read.bytes < u64::from(CHUNK_BYTES) {
            let filled = fill(&mut self.from, &mut buffer).map_err(|error| {
                log::warn!("the input cannot be read: {error}");
                SourceFault::Io
            })?;
            read.last = filled < buffer.len();
            let payload = buffer.get(..filled).unwrap_or_default();
            if payload.is_empty() {
                break;
            }
            let length = u32::try_from(filled).map_err(|_| SourceFault::Io)?;
            let offset = start + read.bytes;
            let mut frame = block::begin(block::Header { entry, length, offset, packed: None });
            frame.extend_from_slice(payload);
            debug_assert_eq!(frame.len(), HEADER_BYTES + filled);
            hasher.update(payload);
            read.bytes += u64::from(length);
            read.frames.push(frame);
        }
        read.hash = hasher.finish();
        Ok(read)
    }
}

/// Reads until the buffer is full or the input ends.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|it| !it.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// What takes the bytes of one entry in their order.
pub struct Outlet {
    to: Box<dyn Write + Send>,
    next: u32,
    /// Whether a file of the system's stands behind it.
    synced: bool,
}

impl Outlet {
    /// Standard output.
    ///
    /// # Errors
    /// [`DiskFault`] when there is none.
    pub fn stdout() -> Result<Self, DiskFault> {
        let stat = os::stdout().map_err(|error| DiskFault::new(error, DASH))?;
        Ok(Self { synced: stat.form == os::Form::File, ..Self::new(Box::new(io::stdout())) })
    }

    /// Whatever `to` is.
    pub fn new(to: Box<dyn Write + Send>) -> Self {
        Self { to, next: 0, synced: false }
    }

    /// Writes chunk `index`, which is the next one, if it hashes to `proof`. Returns what it hashes to.
    ///
    /// # Errors
    /// [`DiskFault`]: [`DiskFault::OutputClosed`] when nobody reads it any more.
    pub fn write_chunk(&mut self, index: u32, parts: &[Bytes], proof: Hash) -> Result<Hash, DiskFault> {
        let hash = hash_parts(parts);
        if hash != proof {
            return Ok(hash);
        }
        if index != self.next {
            return Err(DiskFault::Damaged { path: DASH.into() });
        }
        self.next += 1;
        parts.iter().try_for_each(|part| self.to.write_all(part)).map_err(fault)?;
        self.to.flush().map_err(fault)?;
        Ok(hash)
    }

    /// Makes what was written durable where that means something: a pipe keeps nothing.
    ///
    /// # Errors
    /// [`DiskFault`] when a file that stands behind it did not take all of it.
    pub fn finish(&mut self) -> Result<(), DiskFault> {
        self.to.flush().map_err(fault)?;
        if self.synced { os::sync_stdout().map_err(|error| DiskFault::new(error, DASH)) } else { Ok(()) }
    }
}

fn fault(error: io::Error) -> DiskFault {
    match error.kind() {
        ErrorKind::BrokenPipe => DiskFault::OutputClosed,
        ErrorKind::StorageFull => DiskFault::Full { path: DASH.into() },
        ErrorKind::QuotaExceeded => DiskFault::Quota { path: DASH.into() },
        ErrorKind::FileTooLarge => DiskFault::TooLarge { path: DASH.into() },
        _ => DiskFault::Failed { path: PathBuf::from(DASH), code: error.raw_os_error().unwrap_or_default() },
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use crate::fs::DiskFault;
    use crate::fs::hash::hash;
    use crate::fs::pipe::{Inlet, Outlet};
    use crate::wire::CHUNK_BYTES;
    use crate::wire::path::RelPath;
    use crate::wire::peer::{Mtime, SourceFault};

    fn inlet(from: impl Read + Send + 'static) -> Inlet {
        Inlet::new(RelPath::parse("stdin").unwrap(), Mtime::default(), Box::new(from))
    }

    /// Gives a byte at a time, as a slow program does.
    struct Drops(u64);

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(left) = self.0.checked_sub(1) else { return Ok(0) };
            self.0 = left;
            buffer[0] = 7;
            Ok(1)
        }
    }

    #[test]
    fn chunks_are_whole_whatever_comes_at_once_and_the_last_says_so() {
        let chunk = u64::from(CHUNK_BYTES);
        for (size, expected) in [
            (0, vec![(0, true)]),
            (1, vec![(1, true)]),
            (chunk, vec![(chunk, false), (0, true)]),
            (chunk + 5, vec![(chunk, false), (5, true)]),
        ] {
            let mut inlet = inlet(Drops(size));
            for (index, expected) in (0..).zip(expected) {
                let read = inlet.read_chunk(3, index).unwrap();
                assert_eq!((read.bytes, read.last), expected, "chunk {index} of {size}");
                assert_eq!(read.hash, hash(&vec![7; read.bytes as usize]));
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_and_no_end() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::Other.into())
            }
        }
        assert_eq!(inlet(Drops(9).chain(Broken)).read_chunk(0, 0).unwrap_err(), SourceFault::Io);
    }

    #[test]
    fn nothing_is_written_that_is_not_proven() {
        let (mut there, here) = std::io::pipe().unwrap();
        let mut outlet = Outlet::new(Box::new(here));
        let parts = [bytes::Bytes::from_static(b"ab"), bytes::Bytes::from_static(b"c")];
        assert_ne!(outlet.write_chunk(0, &parts, [0; 32]).unwrap(), [0; 32]);
        assert_eq!(outlet.write_chunk(0, &parts, hash(b"abc")).unwrap(), hash(b"abc"));
        drop(outlet);
        let mut written = Vec::new();
        there.read_to_end(&mut written).unwrap();
        assert_eq!(written, b"abc");
    }

    #[test]
    fn an_output_that_nobody_reads_is_told_from_a_full_disk() {
        let (there, here) = std::io::pipe().unwrap();
        drop(there);
        let parts = [bytes::Bytes::from_static(b"abc")];
        let written = Outlet::new(Box::new(here)).write_chunk(0, &parts, hash(b"abc"));
        assert_eq!(written, Err(DiskFault::OutputClosed));
    }
}

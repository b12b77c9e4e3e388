//! The record of which chunks are durable in a stage, so that a later session can take them up.
//!
//! ```text
//! +----------------+---------------------+-----------------------------+
//! | length, u32 le | body, bincode       | first 8 bytes of            |   again and again; the first
//! |                | (fixed, le)         | SHA-256(body)               |   body is the header
//! +----------------+---------------------+-----------------------------+
//! ```
//!
//! A record is written only after its bytes are durable. Reading stops at the first record that is
//! torn or damaged, and believes no length; what it yields is still only a claim, which a resuming
//! session hashes again. Records are read one at a time: a file of 1 TiB has a million of them.

use std::io::{BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::fs::DiskFault;
use crate::fs::hash::hash;
use crate::fs::os::{self, File, Folder};
use crate::wire::path::{MAX_PATH_BYTES, RelPath};
use crate::wire::peer::{Hash, Mtime};

/// The journal's name in its stage.
pub(crate) const FILE_NAME: &str = "journal";

/// Number of this layout; a journal of another one is not read.
const FORMAT: u16 = 1;

/// Largest body in bytes: a longest path and the fixed fields.
const MAX_BODY_BYTES: usize = MAX_PATH_BYTES + 128;

/// Bytes of the hash that end each record.
const SUM_BYTES: usize = 8;

/// A chunk that is durable in the stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaledChunk {
    /// Number of its entry, which names its file in the stage.
    pub entry: u32,
    /// The entry's path.
    pub path: RelPath,
    /// The entry's size in bytes.
    pub size: u64,
    /// The entry's modification time.
    pub mtime: Mtime,
    /// Which chunk: its offset in [`crate::wire::CHUNK_BYTES`].
    pub index: u32,
    /// SHA-256 of its bytes.
    pub hash: Hash,
}

/// What a body holds. New kinds go last.
#[derive(Debug, Serialize, Deserialize)]
enum Record {
    Header { format: u16 },
    Chunk(JournaledChunk),
}

fn layout() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<MAX_BODY_BYTES>()
}

fn append_record(bytes: &mut Vec<u8>, record: &Record) {
    let body = bincode::serde::encode_to_vec(record, layout()).expect("records always encode");
    let length = u32::try_from(body.len()).expect("a body is a few kilobytes");
    bytes.extend(length.to_le_bytes());
    bytes.extend(&body);
    bytes.extend(hash(&body).iter().take(SUM_BYTES));
}

/// A journal that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    end: u64,
}

impl Journal {
    /// Opens the journal of a stage, making it when missing; a damaged tail is cut off.
    pub fn open(stage: &Folder) -> os::Result<Self> {
        let mut records = Records::new(stage.create_file(FILE_NAME)?);
        records.by_ref().for_each(drop);
        let (file, end) = records.into_end();
        let mut journal = Self { file, end };
        journal.file.truncate(end)?;
        if end == 0 {
            let mut header = Vec::new();
            append_record(&mut header, &Record::Header { format: FORMAT });
            journal.write(&header)?;
        }
        Ok(journal)
    }

    /// Adds one record for each chunk and makes them durable.
    pub fn append(&mut self, chunks: &[JournaledChunk]) -> os::Result<()> {
        let mut bytes = Vec::new();
        for chunk in chunks {
            append_record(&mut bytes, &Record::Chunk(chunk.clone()));
        }
        self.write(&bytes)?;
        self.file.sync_data()
    }

    /// After a failed write the next one starts at the same place.
    fn write(&mut self, bytes: &[u8]) -> os::Result<()> {
        self.file.write_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }
}

/// Opens the journal in the stage at `stage` for reading.
///
/// # Errors
/// When it cannot be opened. A damaged or foreign one has no records.
pub fn load(stage: &Path) -> Result<Records, DiskFault> {
    let path = stage.join(FILE_NAME);
    File::open(&path).map(Records::new).map_err(|error| DiskFault::new(error, path))
}

/// The chunks of a journal, oldest first.
#[derive(Debug)]
pub struct Records {
    reader: BufReader<Reading>,
    good_bytes: u64,
    torn: bool,
}

/// A file read from its start to its end.
#[derive(Debug)]
struct Reading {
    file: File,
    offset: u64,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset);
        let count = read.map_err(|error| std::io::Error::from_raw_os_error(error.code))?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Records {
    fn new(file: File) -> Self {
        Self { reader: BufReader::new(Reading { file, offset: 0 }), good_bytes: 0, torn: false }
    }

    fn into_end(self) -> (File, u64) {
        (self.reader.into_inner().file, self.good_bytes)
    }

    fn read_record(&mut self) -> Option<Record> {
        let mut length = [0; 4];
        self.reader.read_exact(&mut length).ok()?;
        let length = u32::from_le_bytes(length);
        let mut body = vec![0; usize::try_from(length).ok().filter(|&it| it <= MAX_BODY_BYTES)?];
        let mut sum = [0; SUM_BYTES];
        self.reader.read_exact(&mut body).ok()?;
        self.reader.read_exact(&mut sum).ok()?;
        if !hash(&body).starts_with(&sum) {
            return None;
        }
        let (record, used) = bincode::serde::decode_from_slice(&body, layout()).ok()?;
        if used != body.len() {
            return None;
        }
        self.good_bytes += (4 + body.len() + SUM_BYTES) as u64;
        Some(record)
    }
}

impl Iterator for Records {
    type Item = JournaledChunk;

    fn next(&mut self) -> Option<JournaledChunk> {
        while !self.torn {
            let at_start = self.good_bytes == 0;
            match self.read_record() {
                Some(Record::Header { format: FORMAT }) if at_start => (),
                Some(Record::Chunk(chunk)) if !at_start => return Some(chunk),
                Some(Record::Header { .. } | Record::Chunk(_)) | None => self.torn = true,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::fs::journal::{
        FILE_NAME, Journal, JournaledChunk, MAX_BODY_BYTES, Record, append_record, load,
    };
    use crate::fs::os::Folder;
    use crate::wire::path::RelPath;
    use crate::wire::peer::Mtime;

    fn chunk(index: u32) -> JournaledChunk {
        JournaledChunk {
            entry: 7,
            path: RelPath::parse("photos/ü.jpg").unwrap(),
            size: 5 << 20,
            mtime: Mtime::new(-5, 999_999_999).unwrap(),
            index,
            hash: [index as u8; 32],
        }
    }

    fn indices(stage: &Path) -> Vec<u32> {
        load(stage).unwrap().map(|it| it.index).collect()
    }

    fn written(chunks: &[JournaledChunk]) -> (tempfile::TempDir, Vec<u8>) {
        let stage = tempfile::tempdir().unwrap();
        Journal::open(&Folder::open(stage.path()).unwrap()).unwrap().append(chunks).unwrap();
        let bytes = std::fs::read(stage.path().join(FILE_NAME)).unwrap();
        (stage, bytes)
    }

    #[test]
    fn what_was_written_is_read_also_when_opened_again() {
        let (stage, _) = written(&[chunk(0), chunk(1)]);
        assert_eq!(load(stage.path()).unwrap().collect::<Vec<_>>(), [chunk(0), chunk(1)]);
        let mut again = Journal::open(&Folder::open(stage.path()).unwrap()).unwrap();
        again.append(&[chunk(2)]).unwrap();
        assert_eq!(indices(stage.path()), [0, 1, 2]);
    }

    #[test]
    fn a_tail_torn_at_any_byte_loses_only_its_own_record() {
        let (stage, bytes) = written(&[chunk(0), chunk(1), chunk(2)]);
        let file = stage.path().join(FILE_NAME);
        let mut one = Vec::new();
        append_record(&mut one, &Record::Chunk(chunk(0)));
        let header = bytes.len() - 3 * one.len();
        for cut in 0..bytes.len() {
            std::fs::write(&file, &bytes[..cut]).unwrap();
            let whole = cut.saturating_sub(header) / one.len();
            assert_eq!(indices(stage.path()), (0..whole as u32).collect::<Vec<_>>(), "cut at {cut}");
            let mut journal = Journal::open(&Folder::open(stage.path()).unwrap()).unwrap();
            journal.append(&[chunk(9)]).unwrap();
            assert_eq!(indices(stage.path()).last(), Some(&9), "cut at {cut}, then written on");
            assert_eq!(indices(stage.path()).len(), whole + 1);
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_ends_the_journal_there() {
        let (stage, bytes) = written(&[chunk(0), chunk(1)]);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            std::fs::write(stage.path().join(FILE_NAME), damaged).unwrap();
            let read = load(stage.path()).unwrap().collect::<Vec<_>>();
            assert!(read.len() < 2 && read.iter().all(|it| *it == chunk(0)), "flipped at {at}");
        }
    }

    #[test]
    fn lengths_are_not_believed_and_foreign_formats_not_read() {
        let (stage, bytes) = written(&[]);
        let file = stage.path().join(FILE_NAME);
        for length in [u32::MAX, MAX_BODY_BYTES as u32 + 1, 0] {
            std::fs::write(&file, [&bytes[..], &length.to_le_bytes(), &[0; 64]].concat()).unwrap();
            assert!(indices(stage.path()).is_empty());
        }
        let mut foreign = Vec::new();
        append_record(&mut foreign, &Record::Header { format: 2 });
        append_record(&mut foreign, &Record::Chunk(chunk(0)));
        std::fs::write(&file, foreign).unwrap();
        assert!(indices(stage.path()).is_empty());
    }
}

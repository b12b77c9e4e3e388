//! The record of what a stage holds and which chunks of it are durable, so that a later session can
//! take them up.
//!
//! ```text
//! +----------------+---------------------+-----------------------------+
//! | length, u32 le | body, bincode       | first 8 bytes of            |   again and again; the first
//! |                | (fixed, le)         | SHA-256(body)               |   body is the header
//! +----------------+---------------------+-----------------------------+
//! ```
//!
//! A file's record says to which entry a staged file belongs, and comes, unsynced, when the file is
//! made; so a process that is killed at once loses nothing. A chunk's record is written only after its
//! bytes are durable, and is synced with all before it. It takes 56 bytes for each MiB: 0.006 %.
//! Reading stops at the first record that is torn or damaged, and believes no length; what it yields
//! is still only a claim, which a resuming session hashes again. It goes by the records of files alone; those
//! of chunks say what a crash could not take, to whoever judges a stage ([`load`]). Records are read one at a time: a
//! file of 1 TiB has a million of them.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fs::DiskFault;
use crate::fs::hash::hash;
use crate::fs::os::{self, File, Folder, Form, Kind, OsError};
use crate::wire::path::{MAX_PATH_BYTES, RelPath};
use crate::wire::peer::{Hash, Mtime};

/// The journal's name in its stage.
pub(crate) const FILE_NAME: &str = "journal";

/// Number of this layout; a journal of another one is not read.
const FORMAT: u16 = 2;

/// Largest body in bytes: a longest path and the fixed fields.
pub(crate) const MAX_BODY_BYTES: usize = MAX_PATH_BYTES + 128;

/// Bytes of the hash that end each record.
const SUM_BYTES: usize = 8;

/// Records that are read of one journal: enough for 16 TiB of chunks.
const MAX_RECORDS: u32 = 1 << 24;

/// Files that are believed of one journal.
pub(crate) const MAX_FILES: usize = 1 << 16;

/// To which entry a staged file belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaledFile {
    /// Names the file in its stage.
    pub id: u32,
    /// The entry's path.
    pub path: RelPath,
    /// The entry's size in bytes.
    pub size: u64,
    /// The entry's modification time.
    pub mtime: Mtime,
}

/// A chunk that is durable in the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournaledChunk {
    /// The file it lies in.
    pub file: Arc<JournaledFile>,
    /// Which chunk: its offset in [`crate::wire::CHUNK_BYTES`].
    pub index: u32,
    /// SHA-256 of its bytes.
    pub hash: Hash,
}

/// A chunk's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChunkRecord {
    /// [`JournaledFile::id`].
    pub file: u32,
    /// As in [`JournaledChunk`].
    pub index: u32,
    /// As in [`JournaledChunk`].
    pub hash: Hash,
}

/// What a body holds. New kinds go last.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// First, and only there.
    Header { format: u16 },
    /// A later one of the same number takes the place of an earlier one.
    File(JournaledFile),
    /// Of a file that has a record before it.
    Chunk(ChunkRecord),
}

fn layout() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<MAX_BODY_BYTES>()
}

pub(crate) fn append_record(bytes: &mut Vec<u8>, record: &Record) {
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
    /// Makes the journal of a new stage.
    pub fn create(stage: &Folder) -> os::Result<Self> {
        let mut journal = Self { file: stage.create_file(FILE_NAME)?, end: 0 };
        journal.append(&[Record::Header { format: FORMAT }])?;
        Ok(journal)
    }

    /// Opens the journal of an earlier stage to write on; a damaged tail is cut off.
    pub fn open(stage: &Folder) -> os::Result<Self> {
        let file = stage.open_to_write(FILE_NAME)?;
        check_ordinary(&file)?;
        let mut records = Records::new(file);
        records.by_ref().for_each(drop);
        let (file, end) = records.into_end()?;
        file.truncate(end)?;
        let mut journal = Self { file, end };
        if end == 0 {
            journal.append(&[Record::Header { format: FORMAT }])?;
        }
        Ok(journal)
    }

    /// Adds records. After a failure the next ones start at the same place.
    pub fn append(&mut self, records: &[Record]) -> os::Result<()> {
        let mut bytes = Vec::new();
        for record in records {
            append_record(&mut bytes, record);
        }
        self.file.write_at(&bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Makes all that was added durable.
    pub fn sync(&self) -> os::Result<()> {
        self.file.sync_data()
    }
}

/// What is no regular file with one name is not ours, and writing to it would change something else.
pub(crate) fn check_ordinary(file: &File) -> os::Result<u64> {
    let stat = os::stat(file)?;
    match stat.form == Form::File && stat.links == 1 {
        true => Ok(stat.size),
        false => Err(OsError { kind: Kind::NotAFolder, code: 0 }),
    }
}

/// Opens the journal in the stage at `stage` and reads its chunks, oldest first.
///
/// # Errors
/// When it cannot be opened. A damaged or foreign one has no chunks.
pub fn load(stage: &Path) -> Result<impl Iterator<Item = JournaledChunk>, DiskFault> {
    let path = stage.join(FILE_NAME);
    let file = File::open(&path).map_err(|error| DiskFault::new(error, path))?;
    let mut files = HashMap::new();
    Ok(Records::new(file).filter_map(move |record| match record {
        Record::File(file) if files.len() < MAX_FILES => {
            files.insert(file.id, Arc::new(file));
            None
        }
        Record::Chunk(chunk) => {
            let file = Arc::clone(files.get(&chunk.file)?);
            Some(JournaledChunk { file, index: chunk.index, hash: chunk.hash })
        }
        Record::File(_) | Record::Header { .. } => None,
    }))
}

/// The records of a journal after its header, oldest first.
#[derive(Debug)]
pub(crate) struct Records {
    reader: BufReader<Reading>,
    good_bytes: u64,
    read: u32,
    torn: bool,
}

/// A file read from its start to its end.
#[derive(Debug)]
struct Reading {
    file: File,
    offset: u64,
    failed: Option<OsError>,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset);
        let count = read.map_err(|error| {
            self.failed = Some(error);
            std::io::Error::from_raw_os_error(error.code)
        })?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// What the start of a journal says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// It can be read.
    Ours,
    /// Another version of p2pcp wrote it.
    Foreign,
    /// Its first record is torn, damaged or none.
    Damaged,
}

impl Records {
    /// The records of an open journal.
    pub fn new(file: File) -> Self {
        let reader = BufReader::new(Reading { file, offset: 0, failed: None });
        Self { reader, good_bytes: 0, read: 0, torn: false }
    }

    /// Reads the header, if nothing was read so far.
    pub fn head(&mut self) -> Head {
        if self.good_bytes > 0 {
            return Head::Ours;
        }
        let head = match self.read_record() {
            Some(Record::Header { format: FORMAT }) => return Head::Ours,
            Some(Record::Header { .. }) => Head::Foreign,
            Some(Record::File(_) | Record::Chunk(_)) | None => Head::Damaged,
        };
        self.torn = true;
        self.good_bytes = 0;
        head
    }

    /// The journal, and where its last good record ends. What could not be read is not damaged.
    fn into_end(self) -> os::Result<(File, u64)> {
        let Reading { file, failed, .. } = self.reader.into_inner();
        failed.map_or(Ok((file, self.good_bytes)), Err)
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
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.torn || self.head() != Head::Ours {
            return None;
        }
        let before = self.good_bytes;
        let record = self.read_record().filter(|record| !matches!(record, Record::Header { .. }));
        self.read += 1;
        if record.is_none() || self.read > MAX_RECORDS {
            self.torn = true;
            self.good_bytes = before;
            return None;
        }
        record
    }
}

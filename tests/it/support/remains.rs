//! What a run that was broken off left in its receive folder, measured and judged.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes of a chunk: what is resumed is counted in them.
const CHUNK: u64 = p2pcp::wire::CHUNK_BYTES as u64;

/// What is in a receive folder at one moment, held against what is being sent.
#[derive(Debug, Default)]
pub struct Remains {
    /// Paths of files that are finished and the same as their source.
    pub finished: BTreeSet<PathBuf>,
    /// Bytes of them.
    pub finished_bytes: u64,
    /// Files under a final name that are not what was sent.
    pub wrong: Vec<PathBuf>,
    /// Names that were not sent and are no stage's.
    pub stray: Vec<PathBuf>,
    /// The stages.
    pub stages: Vec<PathBuf>,
    /// Chunks that the journals name, of files that are still staged: path of the entry and number.
    pub journaled: BTreeSet<(String, u32)>,
    /// Bytes of them.
    pub journaled_bytes: u64,
    /// Bytes of whole chunks that staged files of more than a chunk hold, journaled or not.
    pub staged_bytes: u64,
}

impl Remains {
    /// Looks at the receive folder `to`, into which all of `from` is being received.
    pub fn look(from: &Path, to: &Path) -> Self {
        let mut remains = Self::default();
        let top = from.file_name().unwrap();
        for entry in fs::read_dir(to).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_stage = is_stage_name(&name.to_string_lossy());
            match (is_stage, name == top) {
                (true, _) => remains.stages.push(entry.path()),
                (_, true) => remains.judge(from, &entry.path(), PathBuf::from(&name)),
                (_, false) => remains.stray.push(entry.path()),
            }
        }
        for stage in remains.stages.clone() {
            remains.look_into(&stage);
        }
        remains
    }

    /// Asserts that nothing wrong and nothing strange is there.
    pub fn assert_honest(&self, when: &str) {
        assert!(self.wrong.is_empty(), "{when}: wrong under their final names: {:?}", self.wrong);
        assert!(self.stray.is_empty(), "{when}: nobody sent {:?}", self.stray);
    }

    fn judge(&mut self, source: &Path, here: &Path, path: PathBuf) {
        let facts = fs::symlink_metadata(here).unwrap();
        let Ok(theirs) = fs::symlink_metadata(source) else { return self.stray.push(here.to_owned()) };
        if facts.file_type() != theirs.file_type() {
            return self.wrong.push(here.to_owned());
        }
        if facts.is_dir() {
            for entry in fs::read_dir(here).unwrap().flatten() {
                self.judge(&source.join(entry.file_name()), &entry.path(), path.join(entry.file_name()));
            }
        } else if facts.is_symlink() {
            if fs::read_link(here).unwrap() != fs::read_link(source).unwrap() {
                self.wrong.push(here.to_owned());
            }
        } else if (facts.mtime(), facts.mtime_nsec()) == (theirs.mtime(), theirs.mtime_nsec())
            && same_bytes(source, here)
        {
            self.finished_bytes += facts.len();
            self.finished.insert(path);
        } else {
            self.wrong.push(here.to_owned());
        }
    }

    fn look_into(&mut self, stage: &Path) {
        let size = |id: u32| fs::metadata(stage.join("data").join(id.to_string())).map(|it| it.len());
        for chunk in p2pcp::fs::journal::load(stage).into_iter().flatten() {
            let length = chunk.file.size.saturating_sub(u64::from(chunk.index) * CHUNK).min(CHUNK);
            let key = (chunk.file.path.as_str().to_owned(), chunk.index);
            if size(chunk.file.id).is_ok() && self.journaled.insert(key) {
                self.journaled_bytes += length;
            }
        }
        for staged in fs::read_dir(stage.join("data")).into_iter().flatten().flatten() {
            let length = staged.metadata().map_or(0, |it| it.len());
            if length > CHUNK {
                self.staged_bytes += length / CHUNK * CHUNK;
            }
        }
    }
}

/// Whether a name is one that p2pcp gives to stages.
fn is_stage_name(name: &str) -> bool {
    let id = name.strip_prefix(".p2pcp-");
    id.is_some_and(|id| id.len() == 16 && id.bytes().all(|it| it.is_ascii_hexdigit()))
}

/// Compares two files without holding them in memory.
fn same_bytes(left: &Path, right: &Path) -> bool {
    let mut files = [fs::File::open(left).unwrap(), fs::File::open(right).unwrap()];
    let mut buffers = [vec![0; 1 << 18], vec![0; 1 << 18]];
    if files[0].metadata().unwrap().len() != files[1].metadata().unwrap().len() {
        return false;
    }
    loop {
        let read = files[0].read(&mut buffers[0]).unwrap();
        if read == 0 {
            return true;
        }
        files[1].read_exact(&mut buffers[1][..read]).unwrap();
        if buffers[0][..read] != buffers[1][..read] {
            return false;
        }
    }
}

//! Trees on disk: planted in one sentence, compared in one.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A tree under construction.
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// A tree at `root`, which is made as a folder.
    pub fn new(root: PathBuf) -> Self {
        fs::create_dir_all(&root).unwrap();
        Self { root }
    }

    fn place(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// A file, with the folders above it.
    pub fn file(self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Self {
        fs::write(self.place(name), contents).unwrap();
        self
    }

    /// A folder.
    pub fn folder(self, name: impl AsRef<Path>) -> Self {
        fs::create_dir_all(self.place(name)).unwrap();
        self
    }

    /// A symbolic link.
    pub fn link(self, name: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        symlink(target, self.place(name)).unwrap();
        self
    }

    /// A named pipe.
    pub fn pipe(self, name: impl AsRef<Path>) -> Self {
        self.node(name, rustix::fs::FileType::Fifo, 0).unwrap()
    }

    /// A character device with the numbers of `/dev/null`, if this user may make one.
    pub fn device(self, name: impl AsRef<Path>) -> Result<Self, rustix::io::Errno> {
        self.node(name, rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 3))
    }

    fn node(
        self,
        name: impl AsRef<Path>,
        kind: rustix::fs::FileType,
        device: u64,
    ) -> Result<Self, rustix::io::Errno> {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, self.place(name), kind, mode, device)?;
        Ok(self)
    }

    /// Sets the mode of what is there.
    pub fn mode(self, name: impl AsRef<Path>, mode: u32) -> Self {
        fs::set_permissions(self.root.join(name), Permissions::from_mode(mode)).unwrap();
        self
    }

    /// Sets the modification time of what is there, in seconds since 1970 and nanoseconds.
    pub fn aged(self, name: impl AsRef<Path>, seconds: i64, nanoseconds: u32) -> Self {
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        let time = if seconds < 0 { epoch - whole } else { epoch + whole };
        let file = File::open(self.root.join(name)).unwrap();
        file.set_modified(time + Duration::from_nanos(nanoseconds.into())).unwrap();
        self
    }
}

/// What is at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file: contents, whether its owner may execute it, seconds and nanoseconds of its time.
    File(Vec<u8>, bool, (i64, i64)),
    /// A folder and its time.
    Folder((i64, i64)),
    /// A link and its target.
    Link(PathBuf),
    /// A named pipe and its inode number, since one is like the other.
    Pipe(u64),
    /// Anything else.
    Other,
}

/// All that is at and below `root`, by path.
pub fn snapshot(root: &Path) -> BTreeMap<PathBuf, Node> {
    let mut nodes = BTreeMap::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(path) = todo.pop() {
        let here = if path.as_os_str().is_empty() { root.to_owned() } else { root.join(&path) };
        let facts = fs::symlink_metadata(&here).unwrap_or_else(|error| panic!("{}: {error}", here.display()));
        let time = (facts.mtime(), facts.mtime_nsec());
        let kind = facts.file_type();
        let node = if kind.is_dir() {
            todo.extend(fs::read_dir(&here).unwrap().map(|entry| path.join(entry.unwrap().file_name())));
            Node::Folder(time)
        } else if kind.is_file() {
            Node::File(fs::read(&here).unwrap(), facts.mode() & 0o100 != 0, time)
        } else if kind.is_symlink() {
            Node::Link(fs::read_link(&here).unwrap())
        } else if kind.is_fifo() {
            Node::Pipe(facts.ino())
        } else {
            Node::Other
        };
        nodes.insert(path, node);
    }
    nodes
}

/// Asserts that two trees hold the same: names, kinds, contents, times, executable bits and link targets.
pub fn assert_same(left: &Path, right: &Path) {
    compare(snapshot(left), snapshot(right), right);
}

/// As [`assert_same`], but for the times of folders: a later run cannot tell those that an interrupted one
/// made from those of the person, and leaves them as they are.
pub fn assert_same_files(left: &Path, right: &Path) {
    let timeless = |root: &Path| {
        let mut nodes = snapshot(root);
        nodes
            .values_mut()
            .filter(|it| matches!(it, Node::Folder(_)))
            .for_each(|it| *it = Node::Folder((0, 0)));
        nodes
    };
    compare(timeless(left), timeless(right), right);
}

fn compare(ours: BTreeMap<PathBuf, Node>, theirs: BTreeMap<PathBuf, Node>, right: &Path) {
    for (path, node) in &ours {
        match theirs.get(path) {
            None => panic!("{} is not in {}", path.display(), right.display()),
            Some(other) if other == node => (),
            Some(other) => panic!("{}: {} became {}", path.display(), told(node), told(other)),
        }
    }
    let strange: Vec<_> = theirs.keys().filter(|path| !ours.contains_key(*path)).collect();
    assert!(strange.is_empty(), "{} also has {strange:?}", right.display());
}

fn told(node: &Node) -> String {
    match node {
        Node::File(bytes, executable, time) => {
            format!("a file of {} bytes, executable {executable}, time {time:?}", bytes.len())
        }
        other => format!("{other:?}"),
    }
}

//! What a disk holds: files as segments, folders as names, and the changes that lead from one to the next.
//!
//! An image is cheap to copy (its nodes are shared until they change), because every crash makes one.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

use crate::fs::crash_tests::content::Content;
use crate::fs::leftover::is_stage;
use crate::wire::peer::Mtime;

/// Number of a file, folder or link.
pub(crate) type Inode = usize;

/// The top of every image.
pub(crate) const ROOT: Inode = 0;

/// Bytes that reach the disk or do not, together.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    File(Content),
    Folder(BTreeMap<String, Inode>),
    Link(String),
}

impl Body {
    /// A file with these bytes.
    pub fn file(bytes: Bytes) -> Self {
        let mut content = Content { size: bytes.len() as u64, ..Content::default() };
        content.write(0, bytes);
        Self::File(content)
    }
}

/// A file, folder or link.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub body: Body,
    pub mode: u32,
    pub mtime: Mtime,
    /// Of the running system only; after a crash it may be anything.
    pub ctime: Mtime,
}

/// One thing that a call did, and that reaches the disk by itself.
#[derive(Clone)]
pub(crate) enum Change {
    /// Bytes without the size that they may need; in pages.
    Bytes { file: Inode, offset: u64, bytes: Bytes },
    /// Another size.
    Size { file: Inode, size: u64 },
    /// Another time.
    Mtime { node: Inode, mtime: Mtime },
    /// Other permissions.
    Mode { node: Inode, mode: u32 },
    /// A name is given, taken over or (`None`) removed; `instead_of` goes in the same step.
    Name { folder: Inode, name: String, node: Option<Inode>, instead_of: Option<String> },
}

impl fmt::Debug for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { file, offset, bytes } => write!(out, "{} bytes at {offset} of {file}", bytes.len()),
            Self::Size { file, size } => write!(out, "{file} has {size} bytes"),
            Self::Mtime { node, .. } => write!(out, "time of {node}"),
            Self::Mode { node, mode } => write!(out, "mode of {node} is {mode:o}"),
            Self::Name { folder, name, node, instead_of } => {
                write!(out, "{node:?} is `{name}` in {folder}, instead of {instead_of:?}")
            }
        }
    }
}

impl Change {
    /// Which node must be synced to make it durable.
    pub fn node(&self) -> Inode {
        match self {
            Self::Bytes { file, .. } | Self::Size { file, .. } => *file,
            Self::Mtime { node, .. } | Self::Mode { node, .. } => *node,
            Self::Name { folder, .. } => *folder,
        }
    }

    /// Whether fdatasync makes it durable.
    pub fn is_data(&self) -> bool {
        matches!(self, Self::Bytes { .. } | Self::Size { .. })
    }
}

/// What becomes of a change that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Kept,
    /// Bytes of which a part is kept, which one the number says; other changes are kept.
    Torn(u64),
}

/// Everything on a disk. Node 0 is the top.
#[derive(Clone)]
pub(crate) struct Image {
    nodes: Vec<Arc<Node>>,
}

impl fmt::Debug for Image {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list(ROOT, "", out)
    }
}

impl Image {
    fn list(&self, folder: Inode, path: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, &inode) in self.names(folder) {
            write!(out, "{path}/{name}: {inode}")?;
            match &self.node(inode).body {
                Body::File(content) => writeln!(out, ", {} bytes", content.size)?,
                Body::Link(target) => writeln!(out, " to {target}")?,
                Body::Folder(_) => {
                    writeln!(out)?;
                    self.list(inode, &format!("{path}/{name}"), out)?;
                }
            }
        }
        Ok(())
    }

    /// An empty disk.
    pub fn new() -> Self {
        let mut image = Self { nodes: Vec::new() };
        image.add(Body::Folder(BTreeMap::new()), 0o755);
        image
    }

    /// Adds a node that has no name yet.
    pub fn add(&mut self, body: Body, mode: u32) -> Inode {
        let (mtime, ctime) = (Mtime::default(), Mtime::default());
        self.nodes.push(Arc::new(Node { body, mode, mtime, ctime }));
        self.nodes.len() - 1
    }

    pub fn node(&self, inode: Inode) -> &Node {
        &self.nodes[inode]
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().map(|node| &**node)
    }

    pub fn node_mut(&mut self, inode: Inode) -> &mut Node {
        Arc::make_mut(&mut self.nodes[inode])
    }

    /// The names in a folder.
    pub fn names(&self, folder: Inode) -> &BTreeMap<String, Inode> {
        match &self.node(folder).body {
            Body::Folder(names) => names,
            Body::File(_) | Body::Link(_) => panic!("node {folder} is no folder"),
        }
    }

    /// What is at a path from the top.
    pub fn find(&self, path: &str) -> Option<Inode> {
        path.split('/').try_fold(ROOT, |folder, name| match &self.node(folder).body {
            Body::Folder(names) => names.get(name).copied(),
            Body::File(_) | Body::Link(_) => None,
        })
    }

    /// What a node is to p2pcp.
    pub fn kind(&self, inode: Inode) -> &'static str {
        if inode == ROOT {
            return "the receive folder";
        }
        for (_, &stage) in self.names(ROOT).iter().filter(|(name, _)| is_stage(name.as_ref())) {
            let data = self.names(stage).get("data").copied();
            if stage == inode {
                return "a stage";
            } else if self.names(stage).get("journal") == Some(&inode) {
                return "a journal";
            } else if data == Some(inode) {
                return "data";
            } else if data.is_some_and(|data| self.names(data).values().any(|it| *it == inode)) {
                return "a staged file";
            }
        }
        match self.node(inode).body {
            Body::Folder(_) => "a folder",
            Body::File(_) | Body::Link(_) => "a named file",
        }
    }

    /// Does `change`, as far as `fate` lets it.
    pub fn apply(&mut self, change: &Change, fate: Fate) {
        if fate == Fate::Lost {
            return;
        }
        match change {
            Change::Bytes { file, offset, bytes } => {
                for (at, part) in parts(*offset, bytes, fate) {
                    self.content(*file).write(at, part);
                }
            }
            Change::Size { file, size } => self.content(*file).resize(*size),
            Change::Mtime { node, mtime } => self.node_mut(*node).mtime = *mtime,
            Change::Mode { node, mode } => self.node_mut(*node).mode = *mode,
            Change::Name { folder, name, node, instead_of } => {
                let Body::Folder(names) = &mut self.node_mut(*folder).body else { panic!("no folder") };
                if let Some(old) = instead_of {
                    names.remove(old);
                }
                match node {
                    Some(node) => names.insert(name.clone(), *node),
                    None => names.remove(name),
                };
            }
        }
    }

    fn content(&mut self, file: Inode) -> &mut Content {
        match &mut self.node_mut(file).body {
            Body::File(content) => content,
            Body::Folder(_) | Body::Link(_) => panic!("node {file} is no file"),
        }
    }

    /// What is left after a crash in which the changes `pending` had these fates.
    pub fn after_crash<'a>(&self, pending: impl Iterator<Item = (&'a Change, Fate)>, filler: u8) -> Self {
        let mut image = self.clone();
        for (change, fate) in pending {
            image.apply(change, fate);
            if let Change::Bytes { file, .. } = change {
                image.content(*file).filler = filler;
            }
        }
        for inode in 0..image.nodes.len() {
            if let Body::File(content) = &image.node(inode).body
                && content
                    .segments
                    .last_key_value()
                    .is_some_and(|(at, it)| at + it.len() as u64 > content.size)
            {
                let content = image.content(inode);
                content.clear(content.size, u64::MAX);
            }
        }
        image
    }

    /// A number that is equal for equal disks whose bytes came from the same writes.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.feed(ROOT, &mut hasher);
        hasher.finish()
    }

    fn feed(&self, inode: Inode, hasher: &mut DefaultHasher) {
        let node = self.node(inode);
        (inode, node.mode, node.mtime.seconds(), node.mtime.nanoseconds()).hash(hasher);
        match &node.body {
            Body::File(content) => {
                (content.size, content.filler).hash(hasher);
                for (at, bytes) in &content.segments {
                    (at, bytes.as_ptr() as usize, bytes.len()).hash(hasher);
                }
            }
            Body::Folder(names) => {
                for (name, inode) in names {
                    name.hash(hasher);
                    self.feed(*inode, hasher);
                }
            }
            Body::Link(target) => target.hash(hasher),
        }
    }
}

/// Which parts of a write are kept: all, a beginning cut at any byte, or some of its pages.
fn parts(offset: u64, bytes: &Bytes, fate: Fate) -> Vec<(u64, Bytes)> {
    let seed = match fate {
        Fate::Lost => return Vec::new(),
        Fate::Kept => return vec![(offset, bytes.clone())],
        Fate::Torn(seed) => seed,
    };
    let end = offset + bytes.len() as u64;
    if seed.is_multiple_of(2) || offset / PAGE_BYTES == (end - 1) / PAGE_BYTES {
        return vec![(offset, bytes.slice(..(seed / 2) as usize % bytes.len()))];
    }
    let mut kept = Vec::new();
    let mut at = offset;
    while at < end {
        let next = ((at / PAGE_BYTES + 1) * PAGE_BYTES).min(end);
        if (seed >> (1 + at / PAGE_BYTES % 61)).is_multiple_of(2) {
            kept.push((at, bytes.slice((at - offset) as usize..(next - offset) as usize)));
        }
        at = next;
    }
    kept
}

//! A receiver's part of a transfer, through the real sink: what the session and the hands do with it, in
//! one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;

use crate::fs::crash_tests::disk::{Disk, Promise};
use crate::fs::crash_tests::fates::Random;
use crate::fs::crash_tests::image::{Body, Image, Inode, ROOT};
use crate::fs::hash::hash;
use crate::fs::{Commit, DiskFault, OnConflict, Otherwise, Plan, Sink, SinkOptions, WrittenChunk};
use crate::wire::CHUNK_BYTES;
use crate::wire::path::{LinkTarget, RelPath};
use crate::wire::peer::{Entry, EntryKind, Hash, Mtime, Outcome};

/// What stands for the digest of every entry.
const DIGEST: Hash = [7; 32];

/// What is sent, and how the receiver goes about it.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    pub items: Vec<Item>,
    pub on_conflict: OnConflict,
    /// Items that are committed together.
    pub batch: usize,
    /// Chunks after which there is a checkpoint.
    pub checkpoint: usize,
    /// What is in the receive folder before.
    pub before: Vec<Item>,
    /// Whether the file system only has hard links to name a file without replacing another.
    pub links_only: bool,
    /// A kind of sync that does nothing, as if it were missing from the code: see `State::sync_named`.
    pub missing: Option<&'static str>,
}

/// An entry with its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub entry: Entry,
    pub bytes: Bytes,
    pub hashes: Vec<Hash>,
}

impl Item {
    fn new(path: &str, kind: EntryKind, bytes: Bytes) -> Self {
        let hashes = bytes.chunks(CHUNK_BYTES as usize).map(hash).collect();
        Self { entry: Entry { path: RelPath::parse(path).unwrap(), kind }, bytes, hashes }
    }

    /// A file of `size` bytes that only its `seed` has.
    pub fn file(path: &str, size: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let bytes: Vec<u8> =
            (0..size.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).take(size).collect();
        let mtime = Mtime::new(1_000_000_000 + seed as i64, 0).unwrap();
        let kind = EntryKind::File { size: size as u64, mtime, executable: seed.is_multiple_of(2) };
        Self::new(path, kind, bytes.into())
    }

    pub fn folder(path: &str) -> Self {
        let mtime = Mtime::new(900_000_000, 0).unwrap();
        Self::new(path, EntryKind::Folder { mtime }, Bytes::new())
    }

    pub fn link(path: &str, target: &str) -> Self {
        let target = LinkTarget::parse(target).unwrap();
        Self::new(path, EntryKind::Link { target }, Bytes::new())
    }

    pub fn path(&self) -> &str {
        self.entry.path.as_str()
    }

    fn chunk(&self, index: u32) -> Bytes {
        let from = index as usize * CHUNK_BYTES as usize;
        self.bytes.slice(from..self.bytes.len().min(from + CHUNK_BYTES as usize))
    }
}

/// What a run found and did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub outcomes: BTreeMap<usize, Outcome>,
    /// Chunks that were here, by item.
    pub here: BTreeSet<(usize, u32)>,
    pub written: usize,
}

impl Transfer {
    pub fn new(items: Vec<Item>) -> Self {
        Self {
            items,
            on_conflict: OnConflict::Refuse,
            batch: 1,
            checkpoint: 1,
            before: Vec::new(),
            links_only: false,
            missing: None,
        }
    }

    /// The disk before anything, all of it durable.
    pub fn start(&self) -> Image {
        let mut image = Image::new();
        for item in &self.before {
            let (parents, name) = item.path().rsplit_once('/').unwrap_or(("", item.path()));
            let mut folder = ROOT;
            for part in parents.split('/').filter(|it| !it.is_empty()) {
                folder = child(&mut image, folder, part, Body::Folder(BTreeMap::new()));
            }
            let (body, mtime) = match &item.entry.kind {
                EntryKind::File { mtime, .. } | EntryKind::Stream { mtime } => {
                    (Body::file(item.bytes.clone()), *mtime)
                }
                EntryKind::Folder { mtime } => (Body::Folder(BTreeMap::new()), *mtime),
                EntryKind::Link { target } => (Body::Link(target.as_str().to_owned()), Mtime::default()),
            };
            let inode = child(&mut image, folder, name, body);
            image.node_mut(inode).mtime = mtime;
        }
        image
    }

    /// Receives everything, from what is on the disk to the end. `id` names the new stage.
    pub fn run(&self, disk: &Disk, id: u8) -> Result<Report, DiskFault> {
        disk.state().links_only = self.links_only;
        disk.state().missing = self.missing;
        let options = SinkOptions { on_conflict: self.on_conflict, ..SinkOptions::default() };
        let sink = Sink::new(Path::new("got"), disk.root(), [id; 8], options);
        let mut report = Report::default();
        let entries: Vec<_> = self.items.iter().map(|it| it.entry.clone()).collect();
        let plans = sink.plan(0, &entries)?;
        let numbers: Vec<usize> = (0..self.items.len()).collect();
        for batch in numbers.chunks(self.batch) {
            let mut unsaid = Vec::new();
            let mut commits = Vec::new();
            for &number in batch {
                let Some(wanted) = self.wanted(&sink, number, plans[number], &mut report)? else { continue };
                for index in wanted {
                    self.write(&sink, number, index)?;
                    report.written += 1;
                    // A file of one chunk has no place in the journal.
                    if self.items[number].hashes.len() > 1 {
                        unsaid.push((number, index));
                    }
                    if unsaid.len() == self.checkpoint {
                        self.checkpoint(&sink, disk, &mut unsaid)?;
                    }
                }
                let item = self.items[number].entry.clone();
                commits.push(Commit { entry: number as u32, item, digest: DIGEST });
            }
            batch.iter().for_each(|&item| disk.promise(Promise::Named { item }));
            for (committed, commit) in sink.commit(&commits)?.into_iter().zip(&commits) {
                let item = commit.entry as usize;
                if committed.outcome == (Outcome::Kept { digest: DIGEST }) {
                    disk.promise(Promise::Kept { item });
                }
                report.outcomes.insert(item, committed.outcome);
            }
        }
        sink.finish()?;
        Ok(report)
    }

    /// The chunks of an item that must be sent; `None` when it is settled.
    fn wanted(
        &self,
        sink: &Sink,
        number: usize,
        plan: Plan,
        report: &mut Report,
    ) -> Result<Option<Vec<u32>>, DiskFault> {
        let item = &self.items[number];
        let all = 0..item.hashes.len() as u32;
        let (chunks, otherwise) = match plan {
            Plan::All => return Ok(Some(all.collect())),
            Plan::Settled(outcome) => {
                report.outcomes.insert(number, outcome);
                return Ok(None);
            }
            Plan::Here { chunks, otherwise } => (chunks, otherwise),
        };
        let mut differ = Vec::new();
        for index in 0..chunks {
            if sink.check_chunk(number as u32, index)? == Some(item.hashes[index as usize]) {
                report.here.insert((number, index));
            } else {
                differ.push(index);
            }
        }
        let rest = chunks..all.end;
        match otherwise {
            _ if differ.is_empty() => Ok(Some(rest.collect())),
            Otherwise::Fetch => Ok(Some(differ.into_iter().chain(rest).collect())),
            Otherwise::Restart => {
                sink.restart(number as u32)?;
                Ok(Some(all.collect()))
            }
            Otherwise::Settle(outcome) => {
                sink.discard(number as u32);
                report.outcomes.insert(number, outcome);
                Ok(None)
            }
        }
    }

    fn write(&self, sink: &Sink, number: usize, index: u32) -> Result<(), DiskFault> {
        let item = &self.items[number];
        let chunk = item.chunk(index);
        // Not at a page's edge, as the blocks of a link are not either.
        let parts = [chunk.slice(..chunk.len() / 3), chunk.slice(chunk.len() / 3..)];
        let written = sink.write_chunk(number as u32, index, &parts)?;
        assert_eq!(written, item.hashes[index as usize]);
        Ok(())
    }

    fn checkpoint(&self, sink: &Sink, disk: &Disk, unsaid: &mut Vec<(usize, u32)>) -> Result<(), DiskFault> {
        let chunk = |&(item, index): &(usize, u32)| WrittenChunk {
            entry: item as u32,
            index,
            hash: self.items[item].hashes[index as usize],
        };
        let chunks: Vec<_> = unsaid.iter().map(chunk).collect();
        sink.checkpoint(&chunks)?;
        for (item, index) in unsaid.drain(..) {
            disk.promise(Promise::Chunk { item, index });
        }
        Ok(())
    }
}

/// The node called `name` in a folder; made of `body` if nothing has the name.
fn child(image: &mut Image, folder: Inode, name: &str, body: Body) -> Inode {
    if let Some(&there) = image.names(folder).get(name) {
        return there;
    }
    let inode = image.add(body, 0o644);
    let Body::Folder(names) = &mut image.node_mut(folder).body else { panic!("no folder") };
    names.insert(name.to_owned(), inode);
    inode
}

//! What is sent: the manifest in batches, and the bytes of its entries, read once.
//!
//! A file must be the same thing with the same size and times when it was listed, when it is opened and
//! after each chunk, else it is [`SourceFault::Changed`]. One of the times is that of the last change of
//! anything (`ctime`), which nobody can put back. Bytes go from the disk into
//! the frames that the network sends. Numbers are known only from [`Source::next_batch`] to
//! [`Source::forget`], so memory follows the entries under way and not the size of the tree.

mod shelf;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::BytesMut;

use crate::fs::SourceError;
use crate::fs::chunk::{fault, read_frames};
use crate::fs::dir::Cursor;
use crate::fs::os::{self, File, FileId, Folder, Form, Stat};
use crate::fs::pipe::DASH;
use crate::fs::root::Root;
use crate::fs::selection::{Links, Selection};
use crate::fs::skip::{SkipReason, Skipped};
use crate::fs::source::shelf::Shelf;
use crate::fs::survey::Survey;
use crate::fs::walk::{Found, Pass, Step, Walk};
use crate::wire::path::RelPath;
use crate::wire::peer::{BATCH_BYTES, Entry, EntryKind, Mtime, Offer, OfferItem, SourceFault};
use crate::wire::{CHUNK_BYTES, MAX_ENTRIES, chunk_length};

/// Some of the manifest.
#[derive(Debug, Default)]
pub struct Batch {
    /// Number of the first entry; the others follow.
    pub first: u32,
    /// The entries.
    pub entries: Vec<Entry>,
    /// What was met on the way and is not sent.
    pub skipped: Vec<Skipped>,
    /// Whether the manifest ends here.
    pub done: bool,
}

/// The paths to send, and the walk over them.
#[derive(Debug)]
pub struct Source {
    roots: Arc<[Root]>,
    selection: Arc<Selection>,
    walk: Walk,
    pass: Pass,
    done: bool,
    next_number: u32,
    announced: HashMap<u32, Announced>,
    open: Option<(u32, File)>,
    /// The root whose files were read last, and the way to their folder.
    near: Option<(usize, Cursor)>,
    /// What is read from a pipe, if it is not announced yet: its name and time.
    stream: Option<(RelPath, Mtime)>,
    streams: u64,
    /// The characters of the stream, where it is a text.
    text: Option<u64>,
    /// What other sources of the same paths have read.
    shelf: Option<Arc<Shelf>>,
}

/// What is remembered of an entry while it is under way.
#[derive(Debug)]
struct Announced {
    root: usize,
    path: RelPath,
    id: FileId,
    /// Size, time of the bytes and time of anything. Absent for folders and links, which have no bytes.
    file: Option<(u64, Mtime, Mtime)>,
}

impl Source {
    /// Checks that each path can be sent and derives its top-level name.
    ///
    /// Links are followed here, and elsewhere only with [`Links::Follow`]. A path that `selection` excludes is left out.
    ///
    /// # Errors
    /// [`SourceError`] for the first path that cannot be sent, and for two of the same name.
    pub fn open(paths: &[PathBuf], selection: Selection) -> Result<Self, SourceError> {
        Self::open_beside(paths, selection, None)
    }

    /// The same, and a stream beside them, of which only the name and time are known here. It is announced
    /// after all files and folders.
    ///
    /// # Errors
    /// As [`Source::open`]; there may be no paths at all.
    pub fn open_beside(
        paths: &[PathBuf],
        selection: Selection,
        stream: Option<(RelPath, Mtime)>,
    ) -> Result<Self, SourceError> {
        let mut roots = Vec::with_capacity(paths.len());
        for path in paths {
            let root = Root::open(path, &selection)?;
            if !selection.exclude.match_path(&root.name, root.named()) {
                roots.push(root);
            }
        }
        if stream.is_none() && roots.iter().all(|it| it.is_large(&selection)) {
            return Err(if paths.is_empty() { SourceError::Nothing } else { SourceError::AllExcluded });
        }
        let (roots, selection): (Arc<[Root]>, _) = (roots.into(), Arc::new(selection));
        let mut names = HashMap::new();
        for root in roots.iter() {
            if let Some(first) = names.insert(&root.name, &root.path) {
                let (first, second) = (first.clone(), root.path.clone());
                return Err(SourceError::SameName { name: root.name.clone(), first, second });
            }
        }
        if let Some((name, _)) = &stream
            && let Some(first) = names.get(name)
        {
            let (first, second) = ((*first).clone(), PathBuf::from(DASH));
            return Err(SourceError::SameName { name: name.clone(), first, second });
        }
        Ok(Self::over(roots, selection, stream))
    }

    fn over(roots: Arc<[Root]>, selection: Arc<Selection>, stream: Option<(RelPath, Mtime)>) -> Self {
        Self {
            streams: u64::from(stream.is_some()),
            stream,
            text: None,
            walk: Walk::new(Arc::clone(&roots), Arc::clone(&selection), Pass::Bodies),
            roots,
            selection,
            pass: Pass::Bodies,
            done: false,
            next_number: 0,
            announced: HashMap::new(),
            open: None,
            near: None,
            shelf: None,
        }
    }

    /// The same, with a text of so many characters as the stream.
    pub fn with_text(self, characters: u64) -> Self {
        Self { text: Some(characters), ..self }
    }

    /// A second walk that only counts, on its own and at its own pace; clones of it count together.
    pub fn survey(&self) -> Survey {
        let walk = Walk::new(Arc::clone(&self.roots), Arc::clone(&self.selection), Pass::Survey);
        Survey::new(walk, self.streams)
    }

    /// The first top-level names, at most [`Offer::MAX_ITEMS`], and how many more there are.
    pub fn offer_items(&self) -> (Vec<OfferItem>, u32) {
        let item = |root: &Root| {
            let folder = root.stat.form == Form::Folder;
            OfferItem { name: root.name.clone(), folder, size: if folder { 0 } else { root.stat.size } }
        };
        let sent = || self.roots.iter().filter(|it| !it.is_large(&self.selection));
        let stream = self.stream.iter().map(|(name, _)| match self.text {
            Some(characters) => OfferItem::of_text(name.clone(), characters),
            None => OfferItem { name: name.clone(), folder: false, size: OfferItem::UNKNOWN_SIZE },
        });
        // It must be listed: nobody agrees to an unknown amount by a number.
        let count = stream.clone().count() + sent().count();
        let items: Vec<_> = stream.chain(sent().map(item)).take(Offer::MAX_ITEMS).collect();
        let more = u32::try_from(count - items.len()).unwrap_or(u32::MAX);
        (items, more)
    }

    /// The next entries of the manifest, numbered 0, 1, 2, … over all batches.
    ///
    /// Files and folders come first, a folder after all that it holds; then all links, in a walk of
    /// their own. A batch ends with `max_entries` entries and skips together, at
    /// [`BATCH_BYTES`], or with the manifest.
    pub fn next_batch(&mut self, max_entries: usize) -> Batch {
        let mut batch = Batch { first: self.next_number, ..Batch::default() };
        let mut encoded_bytes = 0;
        while batch.entries.len() + batch.skipped.len() < max_entries && encoded_bytes < BATCH_BYTES {
            match self.next_step() {
                Some(Step::Skipped(skipped)) => batch.skipped.push(skipped),
                Some(Step::Found(found)) if self.next_number == MAX_ENTRIES => {
                    let path = self.roots[found.root].local(&found.path);
                    batch.skipped.push(Skipped { path, why: SkipReason::TooMany });
                    self.done = true;
                }
                Some(Step::Found(found)) => {
                    let entry = self.announce(found);
                    encoded_bytes += entry.encoded_bytes();
                    batch.entries.push(entry);
                }
                None => {
                    let Some((path, mtime)) = self.stream.take().filter(|_| !self.done) else { break };
                    self.next_number += 1;
                    batch.entries.push(Entry { path, kind: EntryKind::Stream { mtime } });
                }
            }
        }
        batch.done = self.done;
        batch
    }

    /// The next step of the walks; `None` at their end, and where the stream comes.
    fn next_step(&mut self) -> Option<Step> {
        while !self.done {
            if let Some(step) = self.walk.next() {
                return Some(step);
            }
            if self.stream.is_some() {
                return None;
            }
            let links_remain = self.pass == Pass::Bodies && self.walk.met_links();
            self.pass = Pass::Links;
            match links_remain {
                true => {
                    let (roots, selection) = (Arc::clone(&self.roots), Arc::clone(&self.selection));
                    self.walk = Walk::new(roots, selection, Pass::Links);
                }
                false => self.done = true,
            }
        }
        None
    }

    fn announce(&mut self, found: Found) -> Entry {
        let file = match found.kind {
            EntryKind::File { size, mtime, .. } => Some((size, mtime, found.ctime)),
            EntryKind::Stream { .. } | EntryKind::Folder { .. } | EntryKind::Link { .. } => None,
        };
        let announced = Announced { root: found.root, path: found.path.clone(), id: found.id, file };
        self.announced.insert(self.next_number, announced);
        self.next_number += 1;
        Entry { path: found.path, kind: found.kind }
    }

    /// The frames of a chunk, which is not hashed.
    fn read_from_disk(&mut self, entry: u32, index: u32) -> Result<Vec<BytesMut>, SourceFault> {
        let (size, ..) = self.announced.get(&entry).and_then(|it| it.file).ok_or(SourceFault::Io)?;
        let start = u64::from(index) * u64::from(CHUNK_BYTES);
        let end = size.min(start + u64::from(CHUNK_BYTES));
        if start >= end {
            return Err(SourceFault::Io);
        }
        if self.open.as_ref().is_none_or(|(number, _)| *number != entry) {
            self.open = None;
            self.open = Some((entry, self.open_file(entry)?));
        }
        let (_, file) = self.open.as_ref().expect("it was opened just now");
        let chunk = read_frames(file, entry, start, end);
        // What changed before or while it was read shows afterwards: no time can be put back.
        let checked = self.announced.get(&entry).map_or(Ok(()), |it| it.check(file));
        if end == size || chunk.is_err() || checked.is_err() {
            self.open = None;
        }
        match checked {
            Ok(()) => chunk,
            // A deleted file changes with its last name.
            Err(SourceFault::Changed) => Err(match self.open_file(entry) {
                Err(SourceFault::Gone) => SourceFault::Gone,
                Ok(_) | Err(_) => SourceFault::Changed,
            }),
            Err(fault) => Err(fault),
        }
    }

    /// Checks an announced file that has no bytes as [`Source::read_chunk`] would.
    ///
    /// # Errors
    /// As [`Source::read_chunk`].
    pub fn check(&mut self, entry: u32) -> Result<(), SourceFault> {
        self.open_file(entry).map(drop)
    }

    /// Forgets an entry that is settled; its number means nothing from here on.
    pub fn forget(&mut self, entry: u32) {
        self.announced.remove(&entry);
        self.open.take_if(|(number, _)| *number == entry);
    }

    /// Where an announced entry is on this machine, for messages.
    pub fn path_of(&self, entry: u32) -> Option<PathBuf> {
        let announced = self.announced.get(&entry)?;
        Some(self.roots[announced.root].local(&announced.path))
    }

    /// What tells of which kind it is: what its name ends with behind a dot, or else the folder that it lies in.
    pub fn kind_of(&self, entry: u32) -> Option<&str> {
        let path = self.announced.get(&entry)?.path.as_str();
        let (folder, name) =
            path.rsplit_once('/').map_or((None, path), |(folder, name)| (Some(folder), name));
        name.rsplit_once('.').map(|(_, extension)| extension).or(folder)
    }

    /// Whether an announced file has all of chunk `index`, as long as chunks can be.
    pub fn has_whole(&self, entry: u32, index: u32) -> bool {
        let file = self.announced.get(&entry).and_then(|it| it.file);
        file.is_some_and(|(size, ..)| chunk_length(size, index) == u64::from(CHUNK_BYTES))
    }

    fn open_file(&mut self, entry: u32) -> Result<File, SourceFault> {
        let announced = self.announced.get(&entry).filter(|it| it.file.is_some()).ok_or(SourceFault::Io)?;
        let root = &self.roots[announced.root];
        let file = match root.below(&announced.path) {
            None => File::open(&root.path),
            Some(below) => {
                let (parent, name) = match below.rsplit_once('/') {
                    Some((parent, name)) => (Some(parent), name),
                    None => (None, below),
                };
                let near = self.near.take_if(|(root, _)| *root == announced.root);
                let near = match near {
                    Some(near) => Ok(near),
                    None => {
                        Folder::open(&root.path).map(|folder| (announced.root, Cursor::new(Arc::new(folder))))
                    }
                };
                near.and_then(|near| {
                    let (_, cursor) = self.near.insert(near);
                    match self.selection.links {
                        Links::Send => cursor.find(parent)?.open_file(name),
                        Links::Follow => cursor.find_following(parent)?.open_file_following(name),
                    }
                })
            }
        };
        let file = file.map_err(fault)?;
        announced.check(&file)?;
        Ok(file)
    }
}

impl Announced {
    fn check(&self, file: &File) -> Result<(), SourceFault> {
        let Stat { form, id, size, mtime, ctime, links, .. } = os::stat(file).map_err(fault)?;
        let same = id == self.id && self.file == Some((size, mtime, ctime));
        match form == Form::File && links > 0 && same {
            true => Ok(()),
            false => Err(SourceFault::Changed),
        }
    }
}

//! What a simulated sender has on its disk, and what is to become of each entry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use p2pcp::session::Summary;
use p2pcp::session::receiver::{Otherwise, Plan};
use p2pcp::wire::path::{LinkTarget, RelPath};
use p2pcp::wire::peer::{Entry, EntryKind, Mtime, Offer, OfferItem, Outcome, SourceFault, Totals};
use p2pcp::wire::{CHUNK_BYTES, chunk_count};

use crate::session::disk::{Disk, Policy, bytes_of};
use crate::support::rng::Rng;

const CHUNK: u64 = CHUNK_BYTES as u64;

/// Bytes of the pool; no file is larger.
const POOL_BYTES: u64 = 32 * CHUNK;

/// Random bytes that all contents are cut from.
fn pool() -> &'static [u8] {
    static POOL: OnceLock<Vec<u8>> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut rng = Rng::new(0);
        (0..POOL_BYTES / 8).flat_map(|_| rng.any().to_le_bytes()).collect()
    })
}

/// Something that goes wrong while an entry is read.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// The chunk whose reading fails.
    pub chunk: u32,
    /// How.
    pub fault: SourceFault,
    /// Whether the chunks read before have other bytes than the entry is to have.
    pub rewritten: bool,
}

/// An entry and its fate.
#[derive(Clone)]
pub struct Item {
    /// As announced.
    pub entry: Entry,
    /// Where its bytes lie in the pool.
    at: usize,
    /// At the sender.
    pub trouble: Option<Trouble>,
    /// At the sender, when this chunk is asked for again.
    pub late_trouble: Option<(u32, SourceFault)>,
    /// At the receiver, before its bytes are asked for.
    pub refused: Option<Outcome>,
    /// At the receiver, when all bytes are there.
    pub too_late: Option<Outcome>,
}

impl Item {
    /// Its bytes.
    pub fn content(&self) -> &'static [u8] {
        &pool()[self.at..self.at + self.entry.kind.size() as usize]
    }

    /// The bytes of one of its chunks.
    pub fn chunk(&self, index: u32) -> &'static [u8] {
        self.content().chunks(CHUNK as usize).nth(index as usize).unwrap_or_default()
    }

    /// What the receiver does about it first, given what is on its disk.
    pub fn plan(&self, disk: &Disk, policy: Policy) -> Plan {
        self.refused.map_or_else(|| disk.plan(&self.entry, policy), Plan::Settled)
    }

    /// Whether it is to have its name in the end.
    pub fn expects(&self, disk: &Disk, policy: Policy) -> bool {
        matches!(self.expected(disk, policy).0, Outcome::Kept { .. })
    }

    /// Its end, its bytes that travel, and those that are spared; see [`Tree::expected`].
    fn expected(&self, disk: &Disk, policy: Policy) -> (Outcome, u64, u64) {
        let size = self.entry.kind.size();
        let all = chunk_count(size) as u32;
        let plan = self.plan(disk, policy);
        let (held, otherwise) = match plan {
            Plan::Settled(outcome) => return (outcome, 0, 0),
            Plan::All => (0, Otherwise::Fetch),
            Plan::Here { chunks, otherwise } => (chunks, otherwise),
        };
        let differing = disk.differing(self, held, otherwise);
        let spared = bytes_of(size, (0..held).filter(|it| !differing.contains(it)));
        if let Some(trouble) = self.trouble {
            return (Outcome::SourceFailed(trouble.fault), bytes_of(size, held..trouble.chunk), 0);
        }
        let first = bytes_of(size, held..all);
        let kept = self.too_late.unwrap_or(Outcome::Kept { digest: [0; 32] });
        let (again, spared): (Vec<u32>, u64) = match otherwise {
            _ if differing.is_empty() => (Vec::new(), spared),
            Otherwise::Settle(outcome) => return (outcome, first, 0),
            Otherwise::Fetch => (differing, spared),
            Otherwise::Restart => ((0..all).collect(), 0),
        };
        let fails = self.late_trouble.and_then(|(chunk, fault)| {
            let before = again.iter().take_while(|it| **it != chunk).copied().collect::<Vec<_>>();
            (before.len() < again.len()).then_some((before, fault))
        });
        match fails {
            Some((before, fault)) => (Outcome::SourceFailed(fault), first + bytes_of(size, before), 0),
            None if self.too_late.is_some() => (kept, first + bytes_of(size, again), 0),
            None => (kept, first + bytes_of(size, again), spared),
        }
    }
}

/// All that is sent.
#[derive(Default)]
pub struct Tree {
    /// In the order in which they are announced.
    pub items: Vec<Item>,
    /// Paths that cannot be announced.
    pub skipped: u64,
}

/// Kinds of tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing at all.
    Empty,
    /// One file of so many bytes.
    One(u64),
    /// Only files without bytes.
    EmptyFiles,
    /// A little of everything.
    Mixed,
    /// Several files of several chunks.
    Large,
    /// More entries than may be outstanding.
    Many,
    /// More in names than may be outstanding.
    LongNames,
    /// More bytes than the window.
    Wide,
}

impl Shape {
    /// Mostly small ones; those that take long only now and then.
    pub fn draw(rng: &mut Rng) -> Self {
        match rng.below(1000) {
            0..3 => Self::Many,
            3..6 => Self::Wide,
            6..9 => Self::LongNames,
            9..60 => Self::Large,
            60..110 => Self::One(CHUNK),
            110..160 => Self::One(CHUNK + 1),
            160..250 => Self::One(1),
            250..350 => Self::Empty,
            350..450 => Self::EmptyFiles,
            _ => Self::Mixed,
        }
    }
}

impl Tree {
    /// A tree of this kind.
    pub fn grow(shape: Shape, rng: &mut Rng) -> Self {
        let mut tree = Self::default();
        match shape {
            Shape::Empty => (),
            Shape::One(size) => tree.file("only", size, rng),
            Shape::EmptyFiles => (0..1 + rng.below(40)).for_each(|it| tree.file(&format!("e{it}"), 0, rng)),
            Shape::Large => {
                for it in 0..1 + rng.below(3) {
                    let size = rng.below(4 * CHUNK) + CHUNK;
                    tree.file(&format!("large{it}"), size, rng);
                }
                tree.file("whole", 2 * CHUNK, rng);
            }
            Shape::Wide => (0..22).for_each(|it| tree.file(&format!("w{it}"), CHUNK + rng.below(CHUNK), rng)),
            Shape::Many => {
                for it in 0..4500 {
                    let size = if it % 50 == 0 { 1 + rng.below(100) } else { 0 };
                    tree.file(&format!("many/{it:04}"), size, rng);
                }
                tree.folder("many");
            }
            Shape::LongNames => {
                let folder = format!("{}/", "n".repeat(255)).repeat(15);
                (0..2500).for_each(|it| tree.file(&format!("{folder}{it:0255}"), it % 2, rng));
            }
            Shape::Mixed => tree.grow_mixed(rng),
        }
        tree
    }

    fn grow_mixed(&mut self, rng: &mut Rng) {
        for it in 0..rng.below(4) {
            let size = rng.one_of(&[0, 1, 4095, 16384, 140_000]);
            self.file(&format!("top{it}"), size, rng);
        }
        for folder in 0..rng.below(3) {
            for it in 0..rng.below(5) {
                let size = rng.below(3000);
                self.file(&format!("d{folder}/{it}"), size, rng);
            }
            if rng.once_in(2) {
                self.file(&format!("d{folder}/sub/x"), 7, rng);
                self.folder(&format!("d{folder}/sub"));
            }
            self.folder(&format!("d{folder}"));
            self.skipped += u64::from(rng.once_in(8));
        }
        (0..rng.below(3)).for_each(|it| self.link(&format!("d0/link{it}"), "0"));
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, size: u64, rng: &mut Rng) {
        let mtime = Mtime::new(1_700_000_000, 5).expect("a legal time");
        let at = rng.place(pool().len() - size as usize + 1);
        self.add(path, EntryKind::File { size, mtime, executable: size % 2 == 1 }, at);
    }

    /// Adds a folder.
    pub fn folder(&mut self, path: &str) {
        self.add(path, EntryKind::Folder { mtime: Mtime::default() }, 0);
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.add(path, EntryKind::Link { target: LinkTarget::parse(target).expect("a legal target") }, 0);
    }

    fn add(&mut self, path: &str, kind: EntryKind, at: usize) {
        let path = RelPath::parse(path).expect("a legal path");
        let entry = Entry { path, kind };
        self.items.push(Item { entry, at, trouble: None, late_trouble: None, refused: None, too_late: None });
    }

    /// Lets about one in `times` entries come to grief at the sender.
    pub fn trouble_sender(&mut self, times: u64, rng: &mut Rng) {
        for item in self.items.iter_mut().filter(|it| it.entry.kind.is_file()) {
            if rng.once_in(times) {
                let faults = [SourceFault::Gone, SourceFault::Changed, SourceFault::Denied, SourceFault::Io];
                let chunk = rng.below(chunk_count(item.entry.kind.size()).max(1)) as u32;
                let fault = rng.one_of(&faults);
                item.trouble = Some(Trouble { chunk, fault, rewritten: rng.once_in(2) });
            }
        }
    }

    /// Lets about one in `times` entries find its name taken, early or late.
    pub fn trouble_receiver(&mut self, times: u64, rng: &mut Rng) {
        for item in &mut self.items {
            if !rng.once_in(times) {
                continue;
            }
            let outcome = rng.one_of(&[Outcome::Exists, Outcome::Skipped, Outcome::Refused]);
            match rng.once_in(2) {
                true => item.refused = Some(outcome),
                false => item.too_late = Some(outcome),
            }
        }
    }

    /// What is counted.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { complete: true, ..Totals::default() };
        for item in &self.items {
            totals.bytes += item.entry.kind.size();
            match item.entry.kind {
                EntryKind::File { .. } | EntryKind::Stream { .. } => totals.files += 1,
                EntryKind::Folder { .. } => totals.folders += 1,
                EntryKind::Link { .. } => totals.links += 1,
            }
        }
        totals
    }

    /// The first top-level names, as an offer lists them, and how many more there are.
    pub fn offer_items(&self) -> (Vec<OfferItem>, u32) {
        let mut items: Vec<OfferItem> = Vec::new();
        let mut names = BTreeSet::new();
        for Item { entry, .. } in &self.items {
            let top = entry.path.parts().next().expect("a path has parts");
            if names.insert(top) && items.len() < Offer::MAX_ITEMS {
                let name = RelPath::parse(top).expect("a legal name");
                let folder = !entry.kind.is_file() || entry.path.depth() > 0;
                items.push(OfferItem { name, folder, size: if folder { 0 } else { entry.kind.size() } });
            }
        }
        let more = names.len() - items.len();
        (items, more as u32)
    }

    /// What both sides say in the end, into an empty folder, when only the entries' own fates meddle.
    pub fn expected(&self) -> Summary {
        self.expected_on(&Disk::default(), Policy::Refuse)
    }

    /// The same, given what is on the receiver's disk. `bytes` are those that travel, `spared` those of files
    /// it keeps that need not.
    pub fn expected_on(&self, disk: &Disk, policy: Policy) -> Summary {
        let mut summary = Summary { unsent: self.skipped, ..Summary::default() };
        for item in &self.items {
            let (outcome, bytes, spared) = item.expected(disk, policy);
            summary.bytes += bytes;
            summary.spared += spared;
            let counter = match (outcome, &item.entry.kind) {
                (Outcome::SourceFailed(SourceFault::Gone | SourceFault::Changed), _) => {
                    &mut summary.source_changed
                }
                (Outcome::SourceFailed(_), _) => &mut summary.source_failed,
                (Outcome::Exists, _) => &mut summary.exists,
                (Outcome::Skipped, _) => &mut summary.skipped,
                (Outcome::Unwanted, _) => &mut summary.unwanted,
                (Outcome::Refused, _) => &mut summary.refused,
                (Outcome::Kept { .. }, EntryKind::File { .. } | EntryKind::Stream { .. }) => {
                    &mut summary.files
                }
                (Outcome::Kept { .. }, EntryKind::Folder { .. }) => &mut summary.folders,
                (Outcome::Kept { .. }, EntryKind::Link { .. }) => &mut summary.links,
            };
            *counter += 1;
        }
        // Nothing of it is packed.
        summary.wire = summary.bytes;
        summary
    }

    /// The same things for a later session: some are gone, some have changed, files come in another order.
    pub fn later(&self, rng: &mut Rng) -> Self {
        let whole = |it: &&Item| it.entry.kind.is_file();
        let mut files: Vec<Item> = self.items.iter().filter(whole).cloned().collect();
        let rest = self.items.iter().filter(|it| !whole(it)).cloned();
        if rng.once_in(3) {
            files.retain(|_| !rng.once_in(4));
            (1..files.len()).rev().for_each(|it| files.swap(it, rng.place(it + 1)));
        }
        let mut later = Self { items: files.into_iter().chain(rest).collect(), skipped: self.skipped };
        for item in &mut later.items {
            (item.trouble, item.late_trouble, item.refused, item.too_late) = (None, None, None, None);
            if let EntryKind::File { size, mtime, .. } = &mut item.entry.kind
                && rng.once_in(12)
            {
                item.at = rng.place(pool().len() - *size as usize + 1);
                if rng.once_in(2) {
                    *mtime = Mtime::new(mtime.seconds() + 1, 5).expect("a legal time");
                }
            }
        }
        later
    }

    /// Lets about one in `times` files come to grief at the sender when it is read again.
    pub fn trouble_second_round(&mut self, times: u64, rng: &mut Rng) {
        for item in self.items.iter_mut().filter(|it| it.entry.kind.size() > 0) {
            if rng.once_in(times) {
                let chunk = rng.below(chunk_count(item.entry.kind.size())) as u32;
                item.late_trouble = Some((chunk, rng.one_of(&[SourceFault::Changed, SourceFault::Io])));
            }
        }
    }

    /// The number of each path.
    pub fn numbers(&self) -> BTreeMap<&str, u32> {
        (0..).zip(&self.items).map(|(number, it)| (it.entry.path.as_str(), number)).collect()
    }

    /// Chunks of all entries; one for what has none.
    pub fn weight(&self) -> usize {
        self.items.iter().map(|it| 1 + chunk_count(it.entry.kind.size()) as usize).sum()
    }
}

//! A disk in memory behind the calls of `os`, which knows at every moment what a power loss may leave.
//!
//! # The model
//! A call changes what the running system sees at once, and adds [`Change`]s to those that are *pending*.
//! A crash keeps what is durable and any subset of what is pending. Durable become
//!
//! - by fsync of a file or folder: the pending changes of that node: bytes, size, times, permissions, or
//!   the names in it. Not its own name, which is its folder's, and not what is below it;
//! - by fdatasync: bytes and size;
//! - by syncfs: everything.
//!
//! This is what POSIX lets one count on, and less than what file systems with a journal give: there metadata
//! reach the disk in order, a size never without its bytes, and fsync of a new file brings its name
//! along. Here
//!
//! - bytes are torn at any page of a write, or cut at any byte;
//! - a size may be durable without its bytes, which then read as zeros or as what stood there before;
//! - a rename inside a folder is one change, with both names or neither; a rename into another folder
//!   is two changes, so that a crash leaves the old name, the new one, both or none;
//! - a failed sync leaves pending what was pending (that Linux may then drop bytes of which a later sync
//!   knows nothing is not in the model: a failed sync ends the session).
//!
//! Locks end with their handle. Nothing else is modelled: no permissions, no second file system.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::io::Errno;

use crate::fs::crash_tests::handle::Open;
use crate::fs::crash_tests::image::{Body, Change, Fate, Image, Inode, ROOT};
use crate::fs::os::{Folder, Result};
use crate::wire::peer::Mtime;

/// A failure to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// Which call fails, from 0 on; the numbers are those of [`Disk::calls`].
    pub at: u64,
    pub errno: Errno,
    /// Whether all later calls that write fail too, as on a full disk.
    pub lasting: bool,
}

/// What a call wants of the disk, which decides how it can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// Opening, looking, listing.
    Names,
    /// Bytes of a file.
    Read,
    /// Making, giving, or removing a name.
    Change,
    /// Times and permissions.
    Times,
    /// Bytes into a file, or its size.
    Write,
    /// Durability.
    Sync,
}

impl Wants {
    /// Whether a system answers such a call with this number.
    fn may_fail_with(self, errno: Errno) -> bool {
        match errno {
            Errno::NOSPC | Errno::DQUOT => {
                matches!(self, Self::Change | Self::Times | Self::Write | Self::Sync)
            }
            Errno::ROFS => matches!(self, Self::Change | Self::Times | Self::Write),
            // The sink lets pass that a file system keeps no times.
            Errno::ACCESS => matches!(self, Self::Names | Self::Change),
            _ => true,
        }
    }
}

/// What a receiver may count on from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Promise {
    /// A checkpoint with this chunk of the item returned.
    Chunk { item: usize, index: u32 },
    /// A commit with the item began: its bytes may be on the way from one name to the other.
    Named { item: usize },
    /// A commit with the item returned.
    Kept { item: usize },
}

/// What the disk was when a call was about to change it.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub sure: Image,
    pub pending: Vec<Arc<Change>>,
    /// What had been promised by then.
    pub promises: Vec<Promise>,
}

impl Moment {
    /// The disk that a crash leaves if nothing is lost.
    pub fn with_all(&self) -> Image {
        self.sure.after_crash(self.pending.iter().map(|change| (&**change, Fate::Kept)), 0)
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub live: Image,
    sure: Image,
    pending: Vec<Arc<Change>>,
    promises: Vec<Promise>,
    moments: Vec<Moment>,
    changed: bool,
    calls: u64,
    fault: Option<Fault>,
    failed: bool,
    /// Whether only a second hard link gives a name without replacing, as on some network file systems.
    pub links_only: bool,
    /// A kind of sync that does nothing.
    pub missing: Option<&'static str>,
    ticks: i64,
    pub locks: BTreeMap<Inode, u64>,
    pub handles: u64,
}

/// The disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk(pub Arc<Mutex<State>>);

impl Disk {
    /// A running system over what a crash has left.
    pub fn new(image: Image) -> Self {
        Self(Arc::new(Mutex::new(State {
            live: image.clone(),
            sure: image,
            pending: Vec::new(),
            promises: Vec::new(),
            moments: Vec::new(),
            changed: true,
            calls: 0,
            fault: None,
            failed: false,
            links_only: false,
            missing: None,
            // Later than what a test gives to files, so that no new time is an old one by chance.
            ticks: 2_000_000_000,
            locks: BTreeMap::new(),
            handles: 0,
        })))
    }

    /// A running system over what a crash has left, of which this was promised before.
    pub fn after(image: Image, promises: Vec<Promise>) -> Self {
        let disk = Self::new(image);
        disk.state().promises = promises;
        disk
    }

    /// The system goes on without failures; the program has ended.
    pub fn heal(&self) {
        self.state().fault = None;
    }

    pub fn fail(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Whether the fault has come to pass.
    pub fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// The calls so far.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The receive folder.
    pub fn root(&self) -> Folder {
        Folder::behind(Box::new(Open::new(self.clone(), ROOT)))
    }

    pub fn promise(&self, promise: Promise) {
        let mut state = self.state();
        state.remember();
        state.promises.push(promise);
        state.changed = true;
    }

    /// Every moment so far that differs from the one before, the present one included.
    pub fn moments(&self) -> Vec<Moment> {
        let mut state = self.state();
        state.remember();
        state.moments.clone()
    }

    /// What the running system sees.
    pub fn live(&self) -> Image {
        self.state().live.clone()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn remember(&mut self) {
        if self.changed {
            self.moments.push(Moment {
                sure: self.sure.clone(),
                pending: self.pending.clone(),
                promises: self.promises.clone(),
            });
            self.changed = false;
        }
    }

    /// Counts a call, and fails it if it is its turn.
    pub fn call(&mut self, wants: Wants) -> Result<()> {
        if !matches!(wants, Wants::Names | Wants::Read) {
            self.remember();
        }
        let number = self.calls;
        self.calls += 1;
        if let Some(fault) = self.fault
            && wants.may_fail_with(fault.errno)
            && (number == fault.at || (fault.lasting && number > fault.at))
        {
            self.failed = true;
            return Err(fault.errno.into());
        }
        Ok(())
    }

    pub fn tick(&mut self) -> Mtime {
        self.ticks += 1;
        Mtime::new(self.ticks, 0).unwrap()
    }

    /// Does a change, which is now pending.
    pub fn change(&mut self, change: Change) {
        self.live.apply(&change, Fate::Kept);
        let now = self.tick();
        let node = self.live.node_mut(change.node());
        node.ctime = now;
        if !matches!(change, Change::Mtime { .. } | Change::Mode { .. }) {
            node.mtime = now;
        }
        self.pending.push(Arc::new(change));
        self.changed = true;
    }

    /// Adds a node; it is nowhere on the disk until a name is.
    pub fn add(&mut self, body: Body, mode: u32) -> Inode {
        self.sure.add(body.clone(), mode);
        let inode = self.live.add(body, mode);
        let now = self.tick();
        let node = self.live.node_mut(inode);
        (node.mtime, node.ctime) = (now, now);
        inode
    }

    /// Syncs `node` with `call`, unless this kind of sync is [`State::missing`].
    pub fn sync_node(&mut self, call: &str, node: Inode, which: impl Fn(&Change) -> bool) {
        let kind = format!("{call} of {}", self.live.kind(node));
        if self.missing != Some(kind.as_str()) {
            self.sync(|change| change.node() == node && which(change));
        }
    }

    /// Syncs everything.
    pub fn sync_all(&mut self) {
        if self.missing != Some("syncfs") {
            self.sync(|_| true);
        }
    }

    fn sync(&mut self, which: impl Fn(&Change) -> bool) {
        let (now, later) = self.pending.drain(..).partition::<Vec<_>, _>(|change| which(change));
        self.pending = later;
        now.iter().for_each(|change| self.sure.apply(change, Fate::Kept));
        self.changed |= !now.is_empty();
    }
}

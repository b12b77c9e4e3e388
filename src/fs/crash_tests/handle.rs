//! The calls of `os` on a [`Disk`].

use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use bytes::Bytes;
use rustix::io::Errno;

use crate::fs::crash_tests::content::Content;
use crate::fs::crash_tests::disk::{Disk, State, Wants};
use crate::fs::crash_tests::image::{Body, Change, Inode, Node};
use crate::fs::os::{
    self, FileCalls, FileId, FolderCalls, Form, HandleCalls, Lock, OsError, Result, Stat, Waiting,
};
use crate::wire::peer::Mtime;

/// An open file or folder.
#[derive(Debug)]
pub(crate) struct Open {
    disk: Disk,
    inode: Inode,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        let number = self.number;
        if let Ok(mut state) = self.disk.0.lock() {
            state.locks.retain(|_, holder| *holder != number);
        }
    }
}

fn error<T>(errno: Errno) -> Result<T> {
    Err(errno.into())
}

fn text(name: &OsStr) -> &str {
    name.to_str().unwrap()
}

fn stat_of(state: &State, inode: Inode) -> Stat {
    let node = state.live.node(inode);
    let (form, size) = match &node.body {
        Body::File(content) => (Form::File, content.size),
        Body::Folder(_) => (Form::Folder, 0),
        Body::Link(target) => (Form::Link, target.len() as u64),
    };
    let id = FileId { device: 1, inode: inode as u64 };
    let names_it = |other: &Node| match &other.body {
        Body::Folder(names) => names.values().filter(|&&it| it == inode).count() as u64,
        Body::File(_) | Body::Link(_) => 0,
    };
    let links = state.live.nodes().map(names_it).sum();
    let (mtime, ctime, mode, owner) = (node.mtime, node.ctime, node.mode, os::user());
    Stat { form, id, size, mtime, ctime, mode, owner, links }
}

impl Open {
    pub fn new(disk: Disk, inode: Inode) -> Self {
        let number = {
            let mut state = disk.state();
            state.handles += 1;
            state.handles
        };
        Self { disk, inode, number }
    }

    fn open(&self, inode: Inode) -> Box<Self> {
        Box::new(Self::new(self.disk.clone(), inode))
    }

    fn there(&self, state: &State, name: &OsStr) -> Option<Inode> {
        state.live.names(self.inode).get(text(name)).copied()
    }

    fn find(&self, name: &OsStr) -> Result<(Inode, Form)> {
        let mut state = self.disk.state();
        state.call(Wants::Names)?;
        let inode = self.there(&state, name).ok_or(Errno::NOENT)?;
        Ok((inode, stat_of(&state, inode).form))
    }

    /// Gives `node` a name in this folder.
    fn give(&self, state: &mut State, name: &str, node: Option<Inode>, instead_of: Option<String>) {
        state.change(Change::Name { folder: self.inode, name: name.to_owned(), node, instead_of });
    }

    /// Makes something new with a name that nothing has.
    fn make(&self, name: &OsStr, body: Body, mode: u32) -> Result<Inode> {
        let mut state = self.disk.state();
        state.call(Wants::Change)?;
        if self.there(&state, name).is_some() {
            return error(Errno::EXIST);
        }
        let inode = state.add(body, mode);
        self.give(&mut state, text(name), Some(inode), None);
        Ok(inode)
    }

    fn rename(&self, name: &str, to: &dyn FolderCalls, to_name: &str, over: bool) -> Result<()> {
        let to = Self::same_disk(to)?;
        let mut state = self.disk.state();
        state.call(Wants::Change)?;
        let node = self.there(&state, name.as_ref()).ok_or(Errno::NOENT)?;
        if let Some(old) = to.there(&state, to_name.as_ref()) {
            match (over, stat_of(&state, old).form) {
                (false, _) => return error(Errno::EXIST),
                (true, Form::Folder) => return error(Errno::ISDIR),
                (true, _) => (),
            }
        }
        if to.inode == self.inode {
            self.give(&mut state, to_name, Some(node), Some(name.to_owned()));
        } else {
            to.give(&mut state, to_name, Some(node), None);
            self.give(&mut state, name, None, None);
        }
        Ok(())
    }

    fn same_disk(to: &dyn FolderCalls) -> Result<&Self> {
        let any: &dyn Any = to;
        Ok(any.downcast_ref::<Self>().ok_or(Errno::XDEV)?)
    }

    fn remove(&self, name: &OsStr, folder: bool) -> Result<()> {
        let mut state = self.disk.state();
        state.call(Wants::Change)?;
        let inode = self.there(&state, name).ok_or(Errno::NOENT)?;
        match (folder, &state.live.node(inode).body) {
            (true, Body::Folder(names)) if !names.is_empty() => return error(Errno::NOTEMPTY),
            (true, Body::Folder(_)) | (false, Body::File(_) | Body::Link(_)) => (),
            (true, Body::File(_) | Body::Link(_)) => return error(Errno::NOTDIR),
            (false, Body::Folder(_)) => return error(Errno::ISDIR),
        }
        self.give(&mut state, text(name), None, None);
        Ok(())
    }
}

impl HandleCalls for Open {
    fn stat(&self) -> Result<Stat> {
        Ok(stat_of(&self.disk.state(), self.inode))
    }

    fn set_mtime(&self, mtime: Mtime) -> Result<()> {
        let mut state = self.disk.state();
        state.call(Wants::Times)?;
        state.change(Change::Mtime { node: self.inode, mtime });
        Ok(())
    }

    fn set_mode(&self, mode: u32) -> Result<()> {
        let mut state = self.disk.state();
        state.call(Wants::Times)?;
        state.change(Change::Mode { node: self.inode, mode });
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut state = self.disk.state();
        state.call(Wants::Sync)?;
        state.sync_node("fsync", self.inode, |_| true);
        Ok(())
    }

    fn sync_file_system(&self) -> Result<()> {
        let mut state = self.disk.state();
        state.call(Wants::Sync)?;
        state.sync_all();
        Ok(())
    }
}

impl FolderCalls for Open {
    fn duplicate(&self) -> Result<Box<dyn FolderCalls>> {
        Ok(self.open(self.inode))
    }

    fn open_folder(&self, name: &OsStr) -> Result<Box<dyn FolderCalls>> {
        match self.find(name)? {
            (inode, Form::Folder) => Ok(self.open(inode)),
            (_, Form::Link) => error(Errno::LOOP),
            _ => error(Errno::NOTDIR),
        }
    }

    fn open_folder_following(&self, name: &OsStr) -> Result<Box<dyn FolderCalls>> {
        self.open_folder(name)
    }

    fn make_folder(&self, name: &OsStr, mode: u32) -> Result<()> {
        self.make(name, Body::Folder(BTreeMap::new()), mode & !0o022).map(drop)
    }

    fn open_file(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        match self.find(name)? {
            (_, Form::Link) => error(Errno::LOOP),
            (inode, _) => Ok(self.open(inode)),
        }
    }

    fn open_file_following(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        self.open_file(name)
    }

    fn create_file(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        match self.find(name) {
            Ok((inode, Form::File)) => return Ok(self.open(inode)),
            Ok((_, Form::Link)) => return error(Errno::LOOP),
            Ok(_) => return error(Errno::ISDIR),
            Err(error) if error == OsError::from(Errno::NOENT) => (),
            Err(error) => return Err(error),
        }
        Ok(self.open(self.make(name, Body::File(Content::default()), 0o644)?))
    }

    fn open_to_write(&self, name: &OsStr) -> Result<Box<dyn FileCalls>> {
        match self.find(name)? {
            (inode, Form::File) => Ok(self.open(inode)),
            (_, Form::Link) => error(Errno::LOOP),
            _ => error(Errno::ISDIR),
        }
    }

    fn lock(&self, waiting: Waiting) -> Lock {
        let mut state = self.disk.state();
        match state.locks.get(&self.inode) {
            Some(holder) if *holder != self.number => {
                assert_eq!(waiting, Waiting::No, "nobody else is there who would unlock it");
                Lock::Busy
            }
            Some(_) => Lock::Taken,
            None => {
                state.locks.insert(self.inode, self.number);
                Lock::Taken
            }
        }
    }

    fn inspect(&self, name: &OsStr) -> Result<Stat> {
        let (inode, _) = self.find(name)?;
        Ok(stat_of(&self.disk.state(), inode))
    }

    fn inspect_following(&self, name: &OsStr) -> Result<Stat> {
        self.inspect(name)
    }

    fn read_link(&self, name: &OsStr) -> Result<OsString> {
        let (inode, _) = self.find(name)?;
        match &self.disk.state().live.node(inode).body {
            Body::Link(target) => Ok(target.into()),
            Body::File(_) | Body::Folder(_) => error(Errno::INVAL),
        }
    }

    fn make_link(&self, target: &str, name: &OsStr) -> Result<()> {
        self.make(name, Body::Link(target.to_owned()), 0o777).map(drop)
    }

    fn rename_new(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()> {
        if self.disk.state().links_only {
            return error(Errno::INVAL);
        }
        self.rename(name, to, to_name, false)
    }

    fn rename_over(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()> {
        self.rename(name, to, to_name, true)
    }

    fn hard_link(&self, name: &str, to: &dyn FolderCalls, to_name: &str) -> Result<()> {
        let to = Self::same_disk(to)?;
        let mut state = self.disk.state();
        state.call(Wants::Change)?;
        let node = self.there(&state, name.as_ref()).ok_or(Errno::NOENT)?;
        if to.there(&state, to_name.as_ref()).is_some() {
            return error(Errno::EXIST);
        }
        to.give(&mut state, to_name, Some(node), None);
        Ok(())
    }

    fn remove_file(&self, name: &OsStr) -> Result<()> {
        self.remove(name, false)
    }

    fn remove_folder(&self, name: &OsStr) -> Result<()> {
        self.remove(name, true)
    }

    fn names(&self) -> Result<Box<dyn Iterator<Item = Result<OsString>>>> {
        let mut state = self.disk.state();
        state.call(Wants::Names)?;
        let names: Vec<_> = state.live.names(self.inode).keys().map(|it| Ok(it.into())).collect();
        Ok(Box::new(names.into_iter()))
    }

    fn free_bytes(&self) -> Result<u64> {
        Ok(1 << 40)
    }
}

impl FileCalls for Open {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut state = self.disk.state();
        state.call(Wants::Read)?;
        match &state.live.node(self.inode).body {
            Body::File(content) => Ok(content.read(buffer, offset)),
            Body::Folder(_) | Body::Link(_) => error(Errno::ISDIR),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut state = self.disk.state();
        let called = state.call(Wants::Write);
        // A full disk takes what fits.
        let bytes = if called.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        if !bytes.is_empty() {
            let end = offset + bytes.len() as u64;
            let file = self.inode;
            state.change(Change::Bytes { file, offset, bytes: Bytes::copy_from_slice(bytes) });
            if end > stat_of(&state, file).size {
                state.change(Change::Size { file, size: end });
            }
        }
        called
    }

    fn sync_data(&self) -> Result<()> {
        let mut state = self.disk.state();
        state.call(Wants::Sync)?;
        state.sync_node("fdatasync", self.inode, Change::is_data);
        Ok(())
    }

    fn truncate(&self, size: u64) -> Result<()> {
        let mut state = self.disk.state();
        state.call(Wants::Write)?;
        if stat_of(&state, self.inode).size != size {
            state.change(Change::Size { file: self.inode, size });
        }
        Ok(())
    }
}

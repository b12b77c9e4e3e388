//! A tree on disk as a stream of entries: depth first, names sorted bytewise, a folder after its contents.
//!
//! Memory: the names that are left in the folder being walked and in those above it (a folder of a
//! million names takes about 60 MB while it is walked), and at most [`KEPT_OPEN`] folder handles. No
//! link is followed below the named paths.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fs::SourceError;
use crate::fs::leftover::is_stage;
use crate::fs::os::{self, FileId, Folder, Form, Kind, OsError, Stat};
use crate::wire::path::{LinkTarget, NameError, RelPath};
use crate::wire::peer::{EntryKind, Mtime};

/// Folders that a walk keeps open; those further up are opened again on the way back.
const KEPT_OPEN: usize = 64;

/// A path that the person named.
#[derive(Debug)]
pub(crate) struct Root {
    /// The name it is sent under.
    pub name: RelPath,
    /// As it was named.
    pub path: PathBuf,
    /// What it was when it was named, links followed: a file or a folder.
    pub stat: Stat,
}

impl Root {
    /// Looks at what the person named.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be sent.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let fault = |error| SourceError::new(error, path);
        let stat = os::inspect_path(path).map_err(fault)?;
        if !matches!(stat.form, Form::File | Form::Folder) {
            return Err(SourceError::NotSendable { path: path.into() });
        }
        // `.`, `..` and `/` have no last part as written; the folder they mean may have one.
        let name = match path.file_name() {
            Some(name) => name.to_owned(),
            None => match os::real_path(path).map_err(fault)?.file_name() {
                Some(name) => name.to_owned(),
                None => return Err(SourceError::Nameless { path: path.into() }),
            },
        };
        let name = name.to_str().ok_or(NameError::NotUtf8).and_then(RelPath::parse);
        let name = name.map_err(|why| SourceError::BadName { path: path.into(), why })?;
        Ok(Self { name, path: path.into(), stat })
    }

    /// Where the entry called `path`, which is this root or lies below it, is on this machine.
    pub fn local(&self, path: &RelPath) -> PathBuf {
        match self.below(path) {
            Some(rest) => self.path.join(rest),
            None => self.path.clone(),
        }
    }

    /// The part of `path` below this root; `None` for the root itself.
    pub fn below<'a>(&self, path: &'a RelPath) -> Option<&'a str> {
        path.as_str().split_once('/').map(|(_, rest)| rest)
    }
}

/// Which entries a walk tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Files and folders, and all that must be skipped except links.
    Bodies,
    /// Links, and those that must be skipped.
    Links,
    /// Everything.
    Survey,
}

/// Something that can be sent.
#[derive(Debug)]
pub(crate) struct Found {
    /// Index of its root.
    pub root: usize,
    /// Its path, the root's name first.
    pub path: RelPath,
    /// What to say of it.
    pub kind: EntryKind,
    /// Which thing on disk it is.
    pub id: FileId,
    /// When anything of it last changed.
    pub ctime: Mtime,
}

/// Something on disk that is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where it is on this machine. Names in it may hold anything: clean it before showing it.
    pub path: PathBuf,
    /// Why it is not sent.
    pub why: SkipReason,
}

/// Why something on disk is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// A block or character device.
    #[error("it is a device")]
    Device,
    /// A named pipe.
    #[error("it is a named pipe")]
    Fifo,
    /// A socket.
    #[error("it is a socket")]
    Socket,
    /// Its name cannot travel.
    #[error("its name cannot be sent: {0}")]
    Name(NameError),
    /// A symbolic link that could lead out of what is sent.
    #[error("it is a link that cannot be sent: {0}")]
    Link(NameError),
    /// The stage of an unfinished transfer; not a loss.
    #[error("it belongs to an unfinished transfer")]
    Stage,
    /// No permission to list it.
    #[error("no permission to read it")]
    Denied,
    /// The disk failed, or it changed into something else meanwhile.
    #[error("it could not be read")]
    Failed,
    /// The manifest is full ([`crate::wire::MAX_ENTRIES`]); nothing from here on is sent.
    #[error("one transfer cannot hold more entries")]
    TooMany,
}

impl From<OsError> for SkipReason {
    fn from(error: OsError) -> Self {
        if error.kind == Kind::Denied { Self::Denied } else { Self::Failed }
    }
}

/// One step of a walk.
#[derive(Debug)]
pub(crate) enum Step {
    /// An entry.
    Found(Found),
    /// Not an entry.
    Skipped(Skipped),
}

/// A walk over all roots.
#[derive(Debug)]
pub(crate) struct Walk {
    roots: Arc<[Root]>,
    pass: Pass,
    next_root: usize,
    stack: Vec<Frame>,
    met_links: bool,
}

/// A folder being walked.
#[derive(Debug)]
struct Frame {
    path: RelPath,
    stat: Stat,
    /// Absent while the walk is more than [`KEPT_OPEN`] folders below; never absent for a root.
    folder: Option<Folder>,
    /// Sorted, the next one last.
    names: Vec<OsString>,
}

impl Frame {
    fn open(path: RelPath, folder: Folder) -> os::Result<Self> {
        let stat = os::stat(&folder)?;
        let mut names = folder.names()?.collect::<os::Result<Vec<_>>>()?;
        names.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Self { path, stat, folder: Some(folder), names })
    }
}

impl Walk {
    /// A walk over `roots`, from the start.
    pub fn new(roots: Arc<[Root]>, pass: Pass) -> Self {
        Self { roots, pass, next_root: 0, stack: Vec::new(), met_links: false }
    }

    /// Whether there were links so far, sendable or not.
    pub fn met_links(&self) -> bool {
        self.met_links
    }

    fn enter_root(&mut self, index: usize) -> Option<Step> {
        let root = &self.roots[index];
        if root.stat.form == Form::File {
            let kind = file_kind(&root.stat);
            let found = Found {
                root: index,
                path: root.name.clone(),
                kind,
                id: root.stat.id,
                ctime: root.stat.ctime,
            };
            return (self.pass != Pass::Links).then_some(Step::Found(found));
        }
        match Folder::open(&root.path).and_then(|folder| Frame::open(root.name.clone(), folder)) {
            Ok(frame) => {
                self.stack.push(frame);
                None
            }
            Err(error) => self.passed_over(root.path.clone(), error.into()),
        }
    }

    /// Leaves the innermost folder, which holds nothing more.
    fn leave(&mut self) -> Option<Step> {
        let frame = self.stack.pop()?;
        let kind = EntryKind::Folder { mtime: frame.stat.mtime };
        let Frame { path, stat: Stat { id, ctime, .. }, .. } = frame;
        let found = Found { root: self.next_root - 1, path, kind, id, ctime };
        (self.pass != Pass::Links).then_some(Step::Found(found))
    }

    /// Opens the innermost folder again if its handle was given up.
    fn reopen(&mut self) -> os::Result<()> {
        let Some((last, above)) = self.stack.split_last_mut() else {
            return Ok(());
        };
        if last.folder.is_some() {
            return Ok(());
        }
        let top = above.first().and_then(|frame| frame.folder.as_ref()).expect("a root's handle is kept");
        let mut parts = last.path.parts().skip(1);
        let first = top.open_folder(parts.next().unwrap_or_default())?;
        let folder = parts.try_fold(first, |folder, part| folder.open_folder(part))?;
        if os::stat(&folder)?.id != last.stat.id {
            return Err(OsError { kind: Kind::Missing, code: 0 });
        }
        last.folder = Some(folder);
        Ok(())
    }

    /// Looks at the child `name` of the innermost folder.
    fn visit(&mut self, name: &OsString) -> Option<Step> {
        let root = self.next_root - 1;
        if let Err(error) = self.reopen() {
            let lost = self.stack.pop()?;
            return self.passed_over(self.roots[root].local(&lost.path), error.into());
        }
        let frame = self.stack.last()?;
        let folder = frame.folder.as_ref().expect("the innermost folder is open");
        let local = || self.roots[root].local(&frame.path).join(name);
        let stat = match folder.inspect(name) {
            Ok(stat) => stat,
            // Deleted since the folder was listed: then there is nothing to send.
            Err(OsError { kind: Kind::Missing, .. }) => return None,
            Err(error) => return self.passed_over(local(), error.into()),
        };
        if stat.form == Form::Folder && is_stage(name) {
            return self.passed_over(local(), SkipReason::Stage);
        }
        let path = match name.to_str().ok_or(NameError::NotUtf8).and_then(|name| frame.path.join(name)) {
            Ok(path) => path,
            Err(why) => return self.passed_over(local(), SkipReason::Name(why)),
        };
        match stat.form {
            Form::Folder => {
                match folder.open_folder(name).and_then(|folder| Frame::open(path, folder)) {
                    Ok(child) => self.enter(child),
                    Err(error) => return self.passed_over(local(), error.into()),
                }
                None
            }
            Form::File if self.pass == Pass::Links => None,
            Form::File => {
                let (kind, Stat { id, ctime, .. }) = (file_kind(&stat), stat);
                Some(Step::Found(Found { root, path, kind, id, ctime }))
            }
            Form::Link if self.pass == Pass::Bodies => {
                self.met_links = true;
                None
            }
            Form::Link => match link_kind(folder, name, &path) {
                Ok(kind) => {
                    let Stat { id, ctime, .. } = stat;
                    Some(Step::Found(Found { root, path, kind, id, ctime }))
                }
                Err(why) => Some(Step::Skipped(Skipped { path: local(), why })),
            },
            Form::Fifo => self.passed_over(local(), SkipReason::Fifo),
            Form::Socket => self.passed_over(local(), SkipReason::Socket),
            Form::Device => self.passed_over(local(), SkipReason::Device),
        }
    }

    fn enter(&mut self, child: Frame) {
        if let Some(far) = self.stack.len().checked_sub(KEPT_OPEN).filter(|&far| far > 0) {
            self.stack[far].folder = None;
        }
        self.stack.push(child);
    }

    /// What is no link is told of once, in the pass over bodies.
    fn passed_over(&self, path: PathBuf, why: SkipReason) -> Option<Step> {
        (self.pass != Pass::Links).then_some(Step::Skipped(Skipped { path, why }))
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            let step = match self.stack.last_mut().map(|frame| frame.names.pop()) {
                Some(Some(name)) => self.visit(&name),
                Some(None) => self.leave(),
                None if self.next_root == self.roots.len() => return None,
                None => {
                    self.next_root += 1;
                    self.enter_root(self.next_root - 1)
                }
            };
            if step.is_some() {
                return step;
            }
        }
    }
}

fn file_kind(stat: &Stat) -> EntryKind {
    EntryKind::File { size: stat.size, mtime: stat.mtime, executable: stat.mode & 0o100 != 0 }
}

fn link_kind(folder: &Folder, name: &OsString, path: &RelPath) -> Result<EntryKind, SkipReason> {
    let target = folder.read_link(name)?;
    let target = target.to_str().ok_or(NameError::NotUtf8).and_then(LinkTarget::parse);
    let target = target.and_then(|it| it.check_inside(path).map(|()| it)).map_err(SkipReason::Link)?;
    Ok(EntryKind::Link { target })
}

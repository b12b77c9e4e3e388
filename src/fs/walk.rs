//! A tree on disk as a stream of entries: depth first, names sorted bytewise, a folder after its contents.
//!
//! Memory: the names that are left in the folder being walked and in those above it (a folder of a
//! million names takes about 60 MB while it is walked), and at most [`KEPT_OPEN`] folder handles. No
//! link is followed below the named paths, unless the person asked for it ([`Links::Follow`]); then none that leads to a
//! folder in which the walk is, so that every walk ends. What the person left out ([`Selection`]) is not told of.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fs::gitignore::{Rules, Verdict};
use crate::fs::globs::Named;
use crate::fs::leftover::is_stage;
use crate::fs::os::{self, FileId, Folder, Form, Kind, OsError, Stat};
use crate::fs::root::Root;
use crate::fs::selection::{Ignores, Links, Selection};
use crate::fs::skip::{SkipReason, Skipped};
use crate::wire::path::{LinkTarget, NameError, RelPath};
use crate::wire::peer::{EntryKind, Mtime};

/// Folders that a walk keeps open; those further up are opened again on the way back.
const KEPT_OPEN: usize = 64;

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
    selection: Arc<Selection>,
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
    /// Its `.gitignore`, where those are heeded.
    rules: Rules,
}

impl Frame {
    fn open(path: RelPath, folder: Folder, ignores: Ignores) -> Result<Self, SkipReason> {
        let stat = os::stat(&folder)?;
        let mut names = folder.names()?.collect::<os::Result<Vec<_>>>()?;
        let rules = match ignores {
            Ignores::Git => Rules::of(&folder, &names)?,
            Ignores::Nothing => Rules::default(),
        };
        names.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Self { path, stat, folder: Some(folder), names, rules })
    }
}

impl Walk {
    /// A walk over `roots`, from the start.
    pub fn new(roots: Arc<[Root]>, selection: Arc<Selection>, pass: Pass) -> Self {
        Self { roots, selection, pass, next_root: 0, stack: Vec::new(), met_links: false }
    }

    /// Whether there were links so far, sendable or not.
    pub fn met_links(&self) -> bool {
        self.met_links
    }

    fn enter_root(&mut self, index: usize) -> Option<Step> {
        let root = &self.roots[index];
        if root.stat.form == Form::File {
            if root.is_large(&self.selection) {
                return self.passed_over(root.path.clone(), SkipReason::Large);
            }
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
        let ignores = self.selection.ignores;
        let folder = Folder::open(&root.path).map_err(SkipReason::from);
        match folder.and_then(|folder| Frame::open(root.name.clone(), folder, ignores)) {
            Ok(frame) => {
                self.stack.push(frame);
                None
            }
            Err(why) => self.passed_over(root.path.clone(), why),
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
        let links = self.selection.links;
        let first = open_below(top, OsStr::new(parts.next().unwrap_or_default()), links)?;
        let folder = parts.try_fold(first, |folder, part| open_below(&folder, OsStr::new(part), links))?;
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
        let links = self.selection.links;
        let stat = match look(folder, name, links) {
            Ok(stat) => stat,
            // Deleted since the folder was listed: then there is nothing to send.
            Err(None) => return None,
            Err(Some(why)) => return self.passed_over(local(), why),
        };
        if stat.form == Form::Folder && is_stage(name) {
            return self.passed_over(local(), SkipReason::Stage);
        }
        let path = match name.to_str().ok_or(NameError::NotUtf8).and_then(|name| frame.path.join(name)) {
            Ok(path) => path,
            Err(why) => return self.passed_over(local(), SkipReason::Name(why)),
        };
        if self.is_left_out(&path, if stat.form == Form::Folder { Named::Folder } else { Named::Other }) {
            return None;
        }
        match stat.form {
            Form::Folder => {
                if links == Links::Follow && self.stack.iter().any(|it| it.stat.id == stat.id) {
                    return self.passed_over(local(), SkipReason::Cycle);
                }
                let opened = open_below(folder, name, links).map_err(SkipReason::from);
                match opened.and_then(|folder| Frame::open(path, folder, self.selection.ignores)) {
                    Ok(child) => self.enter(child),
                    Err(why) => return self.passed_over(local(), why),
                }
                None
            }
            Form::File if self.selection.is_large(stat.size) => self.passed_over(local(), SkipReason::Large),
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

    /// Whether the person does not want to send what is at `path`, in the innermost folder.
    fn is_left_out(&self, path: &RelPath, named: Named) -> bool {
        if self.selection.exclude.match_path(path, named) {
            return true;
        }
        if self.selection.ignores == Ignores::Nothing {
            return false;
        }
        let below = |folder: &RelPath| Path::new(path.as_str()).strip_prefix(folder.as_str()).ok();
        let mut within = self.stack.iter().rev();
        let judged = within.find_map(|frame| frame.rules.judge(below(&frame.path)?, named));
        let root = &self.roots[self.next_root - 1];
        let judged = judged.or_else(|| root.above.judge(below(&root.name)?, named));
        judged == Some(Verdict::Ignored)
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

/// Says what `name` is, or why it cannot be said; `None` when it is gone.
fn look(folder: &Folder, name: &OsStr, links: Links) -> Result<Stat, Option<SkipReason>> {
    let missing = |error: OsError| error.kind == Kind::Missing;
    let stat = folder.inspect(name).map_err(|error| (!missing(error)).then(|| error.into()))?;
    if stat.form != Form::Link || links == Links::Send {
        return Ok(stat);
    }
    folder.inspect_following(name).map_err(|error| {
        Some(match error.kind {
            // The last is what the system says of links that lead to each other.
            Kind::Missing | Kind::NotAFolder => SkipReason::Dangling,
            _ => error.into(),
        })
    })
}

/// Opens the folder called `name`; where links are followed, that which it leads to.
fn open_below(folder: &Folder, name: &OsStr, links: Links) -> os::Result<Folder> {
    match links {
        Links::Send => folder.open_folder(name),
        Links::Follow => folder.open_folder_following(name),
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

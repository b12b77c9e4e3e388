//! Finding folders below a root, one component at a time, without ever following a link.
//!
//! The kernel resolves no path that a peer wrote: each part is opened by itself, from the handle of
//! the part before it, and must be a real folder. Swapping a folder for a link while p2pcp works
//! therefore leads nowhere. The last answer is kept, because neighbours come together.

use std::sync::Arc;

use crate::fs::os::{Folder, Kind, OsError, Result};

/// Mode of a folder that p2pcp makes; the umask cuts it.
const FOLDER_MODE: u32 = 0o777;

/// A root, and the folder below it that was asked for last.
///
/// Where it writes, it lives for one batch: a longer life would go on writing into a folder that was
/// moved away.
#[derive(Debug)]
pub(crate) struct Cursor {
    root: Arc<Folder>,
    path: String,
    found: Option<Result<Folder>>,
}

/// A folder on the way to another.
#[derive(Debug)]
pub(crate) struct Met<'a> {
    /// The path of its parent; `None` for the root.
    pub parent_path: Option<&'a str>,
    pub parent: &'a Folder,
    pub folder: &'a Folder,
    pub origin: Origin,
}

/// Where a folder on the way came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was there.
    Found,
    /// It was missing and has been made.
    Made,
}

impl Cursor {
    /// A cursor at `root`.
    pub fn new(root: Arc<Folder>) -> Self {
        Self { root, path: String::new(), found: None }
    }

    /// The folder at `path`; the root itself for `None`.
    ///
    /// # Errors
    /// `Missing`, `NotAFolder` (which a link is not), `BadName`, or what the system says.
    pub fn find(&mut self, path: Option<&str>) -> Result<&Folder> {
        self.reach(path, |folder, part| folder.open_folder(part))
    }

    /// As [`Cursor::find`], but links are ways, too: below a path that the person named, and wants followed.
    pub fn find_following(&mut self, path: Option<&str>) -> Result<&Folder> {
        self.reach(path, |folder, part| folder.open_folder_following(part))
    }

    /// The folder at `path`, made with all missing folders above it. `met` hears of each folder on the
    /// way, unless the same path was asked for last.
    ///
    /// # Errors
    /// As [`Cursor::find`], and what `met` says.
    pub fn make(&mut self, path: Option<&str>, met: impl FnMut(Met<'_>) -> Result<()>) -> Result<&Folder> {
        self.walk(path, met, open_or_make)
    }

    /// Like [`Cursor::make`], but makes nothing.
    pub fn meet(&mut self, path: Option<&str>, met: impl FnMut(Met<'_>) -> Result<()>) -> Result<&Folder> {
        self.walk(path, met, |parent, name| Ok((parent.open_folder(name)?, Origin::Found)))
    }

    fn walk(
        &mut self,
        path: Option<&str>,
        mut met: impl FnMut(Met<'_>) -> Result<()>,
        open: impl Fn(&Folder, &str) -> Result<(Folder, Origin)>,
    ) -> Result<&Folder> {
        let whole = path.unwrap_or_default();
        let mut end_of_parent = None;
        self.reach(path, |parent, part| {
            let parent_path = end_of_parent.and_then(|end| whole.get(..end));
            end_of_parent = Some(end_of_parent.map_or(0, |end| end + 1) + part.len());
            let (folder, origin) = open(parent, part)?;
            met(Met { parent_path, parent, folder: &folder, origin })?;
            Ok(folder)
        })
    }

    fn reach(
        &mut self,
        path: Option<&str>,
        mut open: impl FnMut(&Folder, &str) -> Result<Folder>,
    ) -> Result<&Folder> {
        let Some(path) = path else {
            return Ok(&self.root);
        };
        // A failure is not remembered: the next try may find more free descriptors, or the folder.
        if !matches!(self.found, Some(Ok(_))) || self.path != path {
            let mut parts = path.split('/');
            let first = parts.next().unwrap_or_default();
            let found = open(&self.root, first)
                .and_then(|top| parts.try_fold(top, |folder, part| open(&folder, part)));
            path.clone_into(&mut self.path);
            self.found = Some(found);
        }
        match self.found.as_ref().expect("it was filled just now") {
            Ok(folder) => Ok(folder),
            Err(error) => Err(*error),
        }
    }
}

fn open_or_make(parent: &Folder, name: &str) -> Result<(Folder, Origin)> {
    match parent.open_folder(name) {
        Err(OsError { kind: Kind::Missing, .. }) => (),
        opened => return Ok((opened?, Origin::Found)),
    }
    let origin = match parent.make_folder(name, FOLDER_MODE) {
        // Somebody else was faster; then it is theirs.
        Err(OsError { kind: Kind::Exists, .. }) => Origin::Found,
        done => done.map(|()| Origin::Made)?,
    };
    Ok((parent.open_folder(name)?, origin))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use crate::fs::dir::{Cursor, Met, Origin};
    use crate::fs::os::{Folder, Kind};

    fn cursor(root: &Path) -> Cursor {
        Cursor::new(Arc::new(Folder::open(root).unwrap()))
    }

    #[test]
    fn make_reports_each_new_folder_with_its_parent_once() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("a")).unwrap();
        let mut cursor = cursor(root.path());
        for expected in [&[Some("a"), Some("a/bb")][..], &[]] {
            let mut parents = Vec::new();
            let note = |met: Met<'_>| {
                if met.origin == Origin::Made {
                    parents.push(met.parent_path.map(str::to_owned));
                }
                Ok(())
            };
            cursor.make(Some("a/bb/ccc"), note).unwrap();
            assert_eq!(parents.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
        }
        assert!(root.path().join("a/bb/ccc").is_dir());
    }

    #[test]
    fn a_link_is_no_way_even_to_a_folder_inside() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", root.path().join("link")).unwrap();
        let mut cursor = cursor(root.path());
        assert_eq!(cursor.find(Some("link")).unwrap_err().kind, Kind::NotAFolder);
        assert_eq!(cursor.find(Some("link/sub")).unwrap_err().kind, Kind::NotAFolder);
        let made = cursor.make(Some("link/new"), |_| Ok(())).unwrap_err();
        assert_eq!(made.kind, Kind::NotAFolder);
        assert!(!root.path().join("real/new").exists());
    }
}

//! From the stage to the final name: the one place where something appears in the receive folder.
//!
//! By now every byte is verified and durable. A name is given by one atomic call that never replaces
//! ([`OnConflict::Overwrite`] alone replaces, and only what is no folder); then each folder that was
//! touched is made durable, once for the batch.

use std::path::Path;
use std::sync::Arc;

use crate::fs::DiskFault;
use crate::fs::conflict::OnConflict;
use crate::fs::dir::{Cursor, Met, Origin};
use crate::fs::finish::tolerate;
use crate::fs::intake::{SinkOptions, Times};
use crate::fs::met::MetFolders;
use crate::fs::os::{self, FileId, Folder, Kind, OsError, SYNCS_FILE_SYSTEMS, Stat};
use crate::fs::plan::{Place, Staged};
use crate::fs::stage::{FEW, Stage};
use crate::wire::path::{LinkTarget, MAX_NAME_BYTES, RelPath};
use crate::wire::peer::{Entry, EntryKind, Hash, Mtime, Outcome};

/// Highest number that [`OnConflict::Rename`] tries.
const MAX_RENAMES: u32 = 999;

/// An entry that is verified and may have its name.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its number.
    pub entry: u32,
    /// The entry.
    pub item: Entry,
    /// The digest to report; zero for folders and links.
    pub digest: Hash,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The outcome.
    pub outcome: Outcome,
    /// The path it was kept under, where that is not its own ([`OnConflict::Rename`]).
    pub renamed: Option<RelPath>,
}

/// Folders whose names changed in a batch.
#[derive(Debug, Default)]
struct Touched {
    folders: Vec<(Option<String>, Folder)>,
    /// A folder of each file system that is synced as a whole, because it has many.
    whole: Vec<(u64, Folder)>,
    /// Folders whose names are durable after the sync.
    way: Vec<FileId>,
}

impl Touched {
    /// Most handles that are held where file systems cannot be synced as a whole.
    const MOST: usize = 64;

    fn add(&mut self, path: Option<&str>, folder: &Folder) -> os::Result<()> {
        if self.folders.iter().rev().any(|(known, _)| known.as_deref() == path) {
            return Ok(());
        }
        if !self.whole.is_empty() {
            let device = os::stat(folder)?.id.device;
            if self.whole.iter().any(|(known, _)| *known == device) {
                return Ok(());
            }
        }
        self.folders.push((path.map(str::to_owned), folder.duplicate()?));
        if SYNCS_FILE_SYSTEMS && self.folders.len() > FEW {
            for (_, folder) in self.folders.drain(..) {
                let device = os::stat(&folder)?.id.device;
                if self.whole.iter().all(|(known, _)| *known != device) {
                    self.whole.push((device, folder));
                }
            }
        } else if self.folders.len() > Self::MOST {
            self.sync()?;
        }
        Ok(())
    }

    /// Takes in a folder on the way to a name: without it the name could not be found.
    fn add_way(&mut self, met: Met<'_>, known: &mut MetFolders) -> os::Result<()> {
        let id = os::stat(met.folder)?.id;
        match met.origin {
            Origin::Made => known.made.add(id),
            Origin::Found if known.is_durable(id) => return Ok(()),
            Origin::Found => (),
        }
        self.way.push(id);
        self.add(met.parent_path, met.parent)
    }

    fn sync(&mut self) -> os::Result<()> {
        for (_, folder) in self.folders.drain(..) {
            // Some file systems have no fsync for folders; there is nothing better to ask of them.
            tolerate(os::sync(&folder))?;
        }
        self.whole.drain(..).try_for_each(|(_, folder)| os::sync_file_system(&folder))
    }
}

/// Who made a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// This session.
    Here,
    /// Somebody else, or nobody.
    Elsewhere,
}

/// Gives names to one batch.
pub(crate) struct Committer<'a> {
    path: &'a Path,
    options: &'a SinkOptions,
    met: &'a mut MetFolders,
    cursor: Cursor,
    touched: Touched,
}

impl<'a> Committer<'a> {
    /// A committer into the receive folder `root` at `path`.
    pub fn new(root: Arc<Folder>, path: &'a Path, options: &'a SinkOptions, met: &'a mut MetFolders) -> Self {
        Self { path, options, met, cursor: Cursor::new(root), touched: Touched::default() }
    }

    /// Commits a batch whose files are finished, in order. `places` says where the files are.
    pub fn commit(mut self, batch: &[Commit], places: &[Place]) -> Result<Vec<Committed>, DiskFault> {
        let outcomes = batch.iter().zip(places).map(|(commit, place)| self.commit_one(commit, place));
        let outcomes = outcomes.collect::<Result<_, _>>()?;
        self.touched.sync().map_err(|error| DiskFault::new(error, self.path))?;
        self.met.add_durable(self.touched.way);
        Ok(outcomes)
    }

    fn commit_one(&mut self, commit: &Commit, place: &Place) -> Result<Committed, DiskFault> {
        let path = &commit.item.path;
        let done = match (&commit.item.kind, place) {
            (EntryKind::File { .. }, Place::Staged(staged)) => self.place_file(staged, &commit.item),
            (EntryKind::File { .. }, Place::Named(stat)) => self.keep_file(stat, path).map(|()| None),
            (EntryKind::File { .. }, Place::Nowhere) => {
                return Err(DiskFault::Damaged { path: self.path.join(path.as_str()) });
            }
            // Once it has ended it is a file.
            (EntryKind::Stream { .. }, _) => {
                return Err(DiskFault::Damaged { path: self.path.join(path.as_str()) });
            }
            (EntryKind::Folder { mtime }, _) if self.options.wants(&commit.item) => {
                self.finish_folder(path, *mtime).map(|()| None)
            }
            (EntryKind::Folder { mtime }, _) => match self.finish_made_folder(path, *mtime) {
                Ok(Made::Here) => Ok(None),
                Ok(Made::Elsewhere) => return Ok(Committed { outcome: Outcome::Unwanted, renamed: None }),
                Err(error) => Err(error),
            },
            (EntryKind::Link { target }, _) => self.make_link(path, target),
        };
        let (outcome, renamed) = match done {
            Ok(renamed) => (Outcome::Kept { digest: commit.digest }, renamed),
            Err(error) => {
                let fault = || DiskFault::new(error, self.path.join(path.as_str()));
                let outcome = self.options.on_conflict.settle(error).ok_or_else(fault)?;
                if let Place::Staged(Staged { stage, file, .. }) = place {
                    stage.discard(*file);
                }
                (outcome, None)
            }
        };
        Ok(Committed { outcome, renamed })
    }

    fn place_file(&mut self, staged: &Staged, item: &Entry) -> os::Result<Option<RelPath>> {
        let stage = &staged.stage;
        let file = Stage::file_name(staged.file);
        let on_conflict = self.options.on_conflict;
        self.give_name(&item.path, |folder, name| {
            let replaces = match on_conflict {
                OnConflict::Overwrite => true,
                // It may have changed since it was looked at first.
                OnConflict::Update => {
                    folder.inspect(name).is_ok_and(|there| on_conflict.meets(&item.kind, &there).is_none())
                }
                OnConflict::Refuse | OnConflict::Rename | OnConflict::Skip => false,
            };
            match replaces {
                true => stage.data().move_over(&file, folder, name),
                false => stage.data().move_new(&file, folder, name, stage.placing()),
            }
        })
    }

    /// Keeps a file that was under its name already, if it is still as it was when it was compared.
    fn keep_file(&mut self, compared: &Stat, path: &RelPath) -> os::Result<()> {
        const CHANGED: OsError = OsError { kind: Kind::Exists, code: 0 };
        let (parent, name) = path.split();
        let (known, touched) = (&mut *self.met, &mut self.touched);
        let found = self.cursor.meet(parent, |met| touched.add_way(met, known));
        let Ok((file, folder)) = found.and_then(|folder| Ok((folder.open_file(name)?, folder))) else {
            return Err(CHANGED);
        };
        if os::stat(&file)? != *compared {
            return Err(CHANGED);
        }
        os::sync(&file)?;
        touched.add(parent, folder)
    }

    fn make_link(&mut self, path: &RelPath, target: &LinkTarget) -> os::Result<Option<RelPath>> {
        let skip = self.options.on_conflict == OnConflict::Skip;
        self.give_name(path, |folder, name| {
            // Links come after the entry of their folder, whose time they must not change.
            let mtime = os::stat(folder)?.mtime;
            match folder.make_link(target.as_str(), name) {
                Err(OsError { kind: Kind::Exists, .. }) if !skip && points_to(folder, name, target) => {
                    return Ok(());
                }
                made => made?,
            }
            tolerate(os::set_mtime(folder, mtime))
        })
    }

    fn finish_folder(&mut self, path: &RelPath, mtime: Mtime) -> os::Result<()> {
        let (known, touched) = (&mut *self.met, &mut self.touched);
        let folder = self.cursor.make(Some(path.as_str()), |met| touched.add_way(met, known))?;
        if known.made.remove(os::stat(folder)?.id) && self.options.times == Times::Keep {
            tolerate(os::set_mtime(folder, mtime))?;
            touched.add(Some(path.as_str()), folder)?;
        }
        Ok(())
    }

    /// Finishes a folder if this session made it, for what lies in it; makes none.
    fn finish_made_folder(&mut self, path: &RelPath, mtime: Mtime) -> os::Result<Made> {
        let found = self.cursor.find(Some(path.as_str())).and_then(os::stat);
        match found {
            Ok(stat) if self.met.made.has(stat.id) => self.finish_folder(path, mtime).map(|()| Made::Here),
            Ok(_) | Err(OsError { kind: Kind::Missing | Kind::NotAFolder, .. }) => Ok(Made::Elsewhere),
            Err(error) => Err(error),
        }
    }

    /// Has `give` take the name of `path` in its folder, or a free one like it.
    fn give_name(
        &mut self,
        path: &RelPath,
        give: impl Fn(&Folder, &str) -> os::Result<()>,
    ) -> os::Result<Option<RelPath>> {
        let (parent, name) = path.split();
        let (known, touched) = (&mut *self.met, &mut self.touched);
        let folder = self.cursor.make(parent, |met| touched.add_way(met, known))?;
        let mut given = give(folder, name);
        let mut renamed = None;
        let renames = self.options.on_conflict == OnConflict::Rename;
        for number in 1..=MAX_RENAMES {
            match given {
                Err(OsError { kind: Kind::Exists, .. }) if renames => (),
                _ => break,
            }
            let other = numbered(name, number);
            let Ok(whole) = RelPath::parse(&parent.map_or(other.clone(), |it| format!("{it}/{other}")))
            else {
                break;
            };
            given = give(folder, &other);
            renamed = Some(whole);
        }
        given?;
        touched.add(parent, folder)?;
        Ok(renamed)
    }
}

/// Whether this is a link with this target.
pub(crate) fn points_to(folder: &Folder, name: &str, target: &LinkTarget) -> bool {
    folder.read_link(name).is_ok_and(|it| it == target.as_str())
}

/// `name.ext` as `name (1).ext`, cut to what a name may be long.
fn numbered(name: &str, number: u32) -> String {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.len() < 32 => {
            (stem, format!(".{extension}"))
        }
        Some(_) | None => (name, String::new()),
    };
    let tail = format!(" ({number}){extension}");
    let mut end = stem.len().min(MAX_NAME_BYTES - tail.len());
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", stem.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::fs::commit::numbered;
    use crate::wire::path::MAX_NAME_BYTES;

    #[test]
    fn numbers_go_before_the_extension() {
        for (name, expected) in [
            ("a.jpg", "a (1).jpg"),
            ("a.tar.gz", "a.tar (1).gz"),
            ("noext", "noext (1)"),
            (".bashrc", ".bashrc (1)"),
            ("a (1).jpg", "a (1) (1).jpg"),
            ("dot.", "dot (1)."),
        ] {
            assert_eq!(numbered(name, 1), expected);
        }
    }

    #[test]
    fn numbered_names_stay_legal_at_full_length() {
        for name in ["x".repeat(255), "ü".repeat(127), format!("{}.jpg", "文".repeat(83))] {
            let other = numbered(&name, 999);
            assert!(other.len() <= MAX_NAME_BYTES && other.contains(" (999)"), "{other}");
        }
    }
}

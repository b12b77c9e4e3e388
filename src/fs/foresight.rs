//! What in a receive folder has the names of what is offered: looked at before anything is decided, and never trusted.

use std::path::Path;
use std::sync::Arc;

use crate::fs::conflict::OnConflict;
use crate::fs::dir::Cursor;
use crate::fs::intake::Alike;
use crate::fs::leftover::or_here;
use crate::fs::os::{Folder, Kind, OsError};
use crate::fs::plan::Announced;
use crate::wire::path::RelPath;
use crate::wire::peer::{Entry, EntryKind};

/// Names that are told one by one.
const MOST_NAMED: usize = 20;

/// What was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Met {
    /// The first entries whose names something else has.
    pub taken: Vec<RelPath>,
    /// How many there are.
    pub taken_count: u64,
    /// Files that are here with the same sizes and times.
    pub alike: u64,
}

/// Looks for the names of `entries` in the folder at `path`, and makes nothing; names that [`OnConflict::Rename`] leaves
/// alone are not taken.
pub fn met_here(path: &Path, entries: &[Entry], on_conflict: OnConflict) -> Met {
    let mut met = Met::default();
    let Ok(root) = Folder::open(or_here(path)) else { return met };
    let mut cursor = Cursor::new(Arc::new(root));
    for entry in entries {
        let (parent, name) = entry.path.split();
        let there = match cursor.find(parent).and_then(|folder| folder.inspect(name)) {
            Ok(there) => there,
            Err(OsError { kind: Kind::NotAFolder, .. }) => {
                note(&mut met, entry);
                continue;
            }
            Err(_) => continue,
        };
        let alike = match entry.kind {
            // What is skipped for its name is compared with nothing.
            EntryKind::File { size, mtime, .. } if on_conflict != OnConflict::Skip => {
                let announced = Announced { path: entry.path.clone(), size, mtime };
                announced.resembles(&there, Alike::SizeAndTime)
            }
            EntryKind::File { .. }
            | EntryKind::Folder { .. }
            | EntryKind::Link { .. }
            | EntryKind::Stream { .. } => false,
        };
        let refused = OnConflict::Refuse.meets(&entry.kind, &there).is_some();
        match alike {
            true => met.alike += 1,
            false if refused && on_conflict != OnConflict::Rename => note(&mut met, entry),
            false => (),
        }
    }
    met
}

fn note(met: &mut Met, entry: &Entry) {
    met.taken_count += 1;
    if met.taken.len() < MOST_NAMED {
        met.taken.push(entry.path.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::fs::OnConflict;
    use crate::fs::foresight::{Met, met_here};
    use crate::fs::sink_tests::{file, folder, link, names};
    use crate::wire::path::RelPath;

    #[test]
    fn what_has_an_offered_name_is_met_and_nothing_is_made() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("t/sub")).unwrap();
        fs::write(at("t/mine"), "mine").unwrap();
        fs::write(at("t/same"), "same").unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
        fs::File::options().write(true).open(at("t/same")).unwrap().set_modified(time).unwrap();
        let entries = [
            file("t/new", "new"),
            file("t/mine", "theirs"),
            file("t/same", "same"),
            file("t/sub", "a file"),
            file("t/mine/below", "x"),
            folder("t/sub", 1),
            link("t/l", "new"),
            file("other/x", "x"),
        ];
        let taken: Vec<_> = ["t/mine", "t/sub", "t/mine/below"].map(|it| RelPath::parse(it).unwrap()).into();
        let met = Met { taken_count: 3, taken, alike: 1 };
        assert_eq!(met_here(root.path(), &entries, OnConflict::Refuse), met);
        let taken = ["t/mine", "t/same", "t/sub", "t/mine/below"].map(|it| RelPath::parse(it).unwrap());
        let skipped = Met { taken_count: 4, taken: taken.into(), alike: 0 };
        assert_eq!(met_here(root.path(), &entries, OnConflict::Skip), skipped);
        assert_eq!(names(root.path()), ["t"]);
        assert_eq!(met_here(&at("nowhere"), &entries, OnConflict::Refuse), Met::default());
        assert!(!at("nowhere").exists());
    }
}

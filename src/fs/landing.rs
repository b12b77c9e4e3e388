//! Where what is offered lands: in a folder, or, where it is one file, under the name that the person gave it.

use std::path::{Path, PathBuf};

use crate::fs::leftover::or_here;
use crate::fs::os::{self, Form};
use crate::wire::path::{NameError, RelPath};
use crate::wire::peer::{Entry, Offer};

/// A receive folder, and what is renamed on the way into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// The receive folder.
    pub folder: PathBuf,
    /// The one file that is taken, and its name there; with `None` everything is taken as it is named.
    pub name: Option<Naming>,
}

/// Another name for the one file of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// As it is offered.
    pub from: RelPath,
    /// As it is kept.
    pub to: RelPath,
}

impl Landing {
    /// In the folder `folder`, under the names that the sender gives.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), name: None }
    }

    /// As `cp` does it: what is one file gets the name `path`, unless a folder is there or `path` ends as only a folder's
    /// can; anything else goes into the folder `path`. Looks at the disk, and makes nothing.
    pub fn at(path: &Path, offer: &Offer) -> Self {
        let one = match &offer.items[..] {
            [item] if !item.folder && offer.more == 0 => Some(item),
            _ => None,
        };
        match (one, file_name(path)) {
            (Some(item), Ok(Some(to))) => {
                let folder = path.parent().map(|it| or_here(it).to_owned()).unwrap_or_default();
                Self { folder, name: Some(Naming { from: item.name.clone(), to }) }
            }
            _ => Self::in_folder(path),
        }
    }

    /// An entry as it is kept; `None` for one that has no place here, as only one file was offered.
    pub fn kept(&self, entry: &Entry) -> Option<Entry> {
        match &self.name {
            None => Some(entry.clone()),
            Some(naming) if entry.kind.is_file() && entry.path == naming.from => {
                Some(Entry { path: naming.to.clone(), kind: entry.kind.clone() })
            }
            Some(_) => None,
        }
    }

    /// A path as it is kept.
    pub fn path(&self, path: RelPath) -> RelPath {
        match &self.name {
            Some(naming) if path == naming.from => naming.to.clone(),
            Some(_) | None => path,
        }
    }
}

/// The name that a file would get at `path`; `None` where that is, or can only be, a folder. Looks at the disk.
///
/// # Errors
/// [`NameError`] when a received file cannot have the name.
pub fn file_name(path: &Path) -> Result<Option<RelPath>, NameError> {
    let bytes = path.as_os_str().as_encoded_bytes();
    // `Path` passes over both.
    if bytes.ends_with(b"/") || bytes.ends_with(b"/.") {
        return Ok(None);
    }
    let is_folder = os::inspect_path(path).is_ok_and(|it| it.form == Form::Folder);
    match path.file_name() {
        Some(name) if !is_folder => {
            name.to_str().ok_or(NameError::NotUtf8).and_then(RelPath::parse).map(Some)
        }
        Some(_) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::fs::landing::{Landing, file_name};
    use crate::fs::sink_tests::{file, folder, link};
    use crate::wire::path::RelPath;
    use crate::wire::peer::{Offer, OfferItem, Totals};

    fn offer(items: &[&str], more: u32) -> Offer {
        let item = |name: &&str| OfferItem {
            name: RelPath::parse(name.trim_end_matches('/')).unwrap(),
            folder: name.ends_with('/'),
            size: 1,
        };
        Offer { items: items.iter().map(item).collect(), more, totals: Totals::default() }
    }

    #[test]
    fn one_file_gets_the_name_and_everything_else_goes_into_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("there")).unwrap();
        fs::write(at("taken"), "").unwrap();
        std::os::unix::fs::symlink("there", at("link")).unwrap();
        for (path, items, more, name) in [
            ("new", &["a"][..], 0, Some("new")),
            ("taken", &["a"], 0, Some("taken")),
            ("no/such/place", &["a"], 0, Some("place")),
            ("there", &["a"], 0, None),
            ("link", &["a"], 0, None),
            ("new/", &["a"], 0, None),
            ("new/.", &["a"], 0, None),
            ("new/..", &["a"], 0, None),
            ("new", &["a/"], 0, None),
            ("new", &["a", "b"], 0, None),
            ("new", &["a"], 1, None),
            ("new", &[], 0, None),
        ] {
            let landing = Landing::at(&at(path), &offer(items, more));
            assert_eq!(landing.name.as_ref().map(|it| it.to.as_str()), name, "{path} {items:?}");
            let folder = if name.is_some() { at(path).parent().unwrap().to_owned() } else { at(path) };
            assert_eq!(landing.folder, folder, "{path} {items:?}");
        }
        assert!(!at("new").exists() && !at("no").exists());
    }

    #[test]
    fn a_name_in_the_working_folder_has_a_folder() {
        let landing = Landing::at(Path::new("p2pcp-no-such-file"), &offer(&["a"], 0));
        assert_eq!(landing.folder, Path::new("."));
        assert_eq!(Landing::at(Path::new("."), &offer(&["a"], 0)), Landing::in_folder("."));
    }

    #[test]
    fn names_that_no_file_can_have_are_told() {
        for name in ["a\u{1b}b", ".p2pcp-x"] {
            assert!(file_name(Path::new(name)).is_err(), "{name:?}");
        }
        assert_eq!(file_name(Path::new("a\u{1b}b/")), Ok(None));
    }

    /// A sender that offers one file and announces others.
    #[test]
    fn nothing_but_the_offered_file_is_kept_under_the_name() {
        let landing = Landing::at(Path::new("p2pcp-no-such-file"), &offer(&["a"], 0));
        let kept = landing.kept(&file("a", "x")).unwrap();
        assert_eq!(kept.path.as_str(), "p2pcp-no-such-file");
        for entry in [
            file("b", "x"),
            file("a/b", "x"),
            folder("a", 1),
            link("a", "b"),
            link("p2pcp-no-such-file", "b"),
        ] {
            assert_eq!(landing.kept(&entry), None, "{entry:?}");
        }
        assert_eq!(landing.path(RelPath::parse("b").unwrap()).as_str(), "b");
    }
}

//! A path that the person named, looked at once.

use std::path::{Path, PathBuf};

use crate::fs::SourceError;
use crate::fs::gitignore::Above;
use crate::fs::globs::Named;
use crate::fs::os::{self, Form, Stat};
use crate::fs::selection::{Ignores, Selection};
use crate::wire::path::{NameError, RelPath};

/// A path that the person named.
#[derive(Debug)]
pub(crate) struct Root {
    /// The name it is sent under.
    pub name: RelPath,
    /// As it was named.
    pub path: PathBuf,
    /// What it was when it was named, links followed: a file or a folder.
    pub stat: Stat,
    /// The rules of the folders above it, where `.gitignore` files are heeded.
    pub above: Above,
}

impl Root {
    /// Looks at what the person named.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be sent.
    pub fn open(path: &Path, selection: &Selection) -> Result<Self, SourceError> {
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
        let above = match (selection.ignores, stat.form) {
            (Ignores::Git, Form::Folder) => {
                Above::find(path).map_err(|_| SourceError::Rules { path: path.into() })?
            }
            (Ignores::Git | Ignores::Nothing, _) => Above::default(),
        };
        Ok(Self { name, path: path.into(), stat, above })
    }

    /// Whether its name is that of a folder.
    pub fn named(&self) -> Named {
        if self.stat.form == Form::Folder { Named::Folder } else { Named::Other }
    }

    /// Whether it is a file that is larger than what the person wants to send.
    pub fn is_large(&self, selection: &Selection) -> bool {
        self.stat.form == Form::File && selection.is_large(self.stat.size)
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

//! `.gitignore` files: those in the folders that are walked, and those above a named path, up to the top of its repository.
//!
//! Rules further in win over those further out, the last line of a file over those before it, and a repository inside another
//! heeds its own rules only, as gitignore(5) has it. Not read are the rules of a person (`core.excludesFile`) and of one clone
//! (`.git/info/exclude`). A file that cannot be read ends what it governs: rather too little is sent than a secret.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::fs::globs::Named;
use crate::fs::os::{self, File, Folder, Form, Kind, OsError};
use crate::fs::skip::SkipReason;

const NAME: &str = ".gitignore";
const REPOSITORY: &str = ".git";

/// Largest `.gitignore` that is read; more than any that was written by hand.
const MOST_BYTES: u64 = 256 << 10;

/// Folders above a named path that are looked at.
const MOST_ABOVE: usize = 64;

/// The rules of one folder, and whether those further out hold in it.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    matcher: Option<Gitignore>,
    /// Whether the folder is the top of a repository.
    top: bool,
}

impl Rules {
    /// Those of an open folder with these names in it.
    ///
    /// # Errors
    /// [`SkipReason::Rules`] when they are there and cannot be read.
    pub fn of(folder: &Folder, names: &[OsString]) -> Result<Self, SkipReason> {
        let top = names.iter().any(|it| it == REPOSITORY);
        if !names.iter().any(|it| it == NAME) {
            return Ok(Self { matcher: None, top });
        }
        // As for git, a link is no such file.
        match folder.inspect(NAME) {
            Ok(stat) if stat.form == Form::File => (),
            Ok(_) | Err(OsError { kind: Kind::Missing, .. }) => return Ok(Self { matcher: None, top }),
            Err(_) => return Err(SkipReason::Rules),
        }
        let file = folder.open_file(NAME).map_err(|_| SkipReason::Rules)?;
        Ok(Self { matcher: Some(read(&file)?), top })
    }

    /// What they say of a path below their folder; `None` to ask those further out.
    pub fn judge(&self, below: &Path, named: Named) -> Option<Verdict> {
        let judged = self.matcher.as_ref().map(|it| it.matched(below, named == Named::Folder));
        match judged {
            Some(Match::Ignore(_)) => Some(Verdict::Ignored),
            Some(Match::Whitelist(_)) => Some(Verdict::Sent),
            Some(Match::None) | None => self.top.then_some(Verdict::Sent),
        }
    }
}

/// What rules say of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is left out.
    Ignored,
    /// It is sent.
    Sent,
}

/// The rules of the folders above a named one, the innermost first.
#[derive(Debug, Default)]
pub(crate) struct Above(Vec<(Rules, PathBuf)>);

impl Above {
    /// Those from the folder at `path`, which is not asked itself, to the top of its repository; none outside of one.
    ///
    /// # Errors
    /// [`SkipReason`] when some are there and cannot be read.
    pub fn find(path: &Path) -> Result<Self, SkipReason> {
        let path = os::real_path(path)?;
        let is_top = |folder: &Path| os::inspect_path(&folder.join(REPOSITORY)).is_ok();
        if is_top(&path) {
            return Ok(Self::default());
        }
        let mut found = Vec::new();
        for folder in path.ancestors().skip(1).take(MOST_ABOVE) {
            let matcher = match os::inspect_path(&folder.join(NAME)) {
                Ok(stat) if stat.form == Form::File => {
                    let file = File::open(&folder.join(NAME)).map_err(|_| SkipReason::Rules)?;
                    Some(read(&file)?)
                }
                Ok(_) | Err(OsError { kind: Kind::Missing | Kind::NotAFolder, .. }) => None,
                Err(_) => return Err(SkipReason::Rules),
            };
            let below = path.strip_prefix(folder).map_err(|_| SkipReason::Rules)?;
            found.push((Rules { matcher, top: is_top(folder) }, below.to_owned()));
            if found.last().is_some_and(|(rules, _)| rules.top) {
                return Ok(Self(found));
            }
        }
        Ok(Self::default())
    }

    /// What they say of a path below the named folder.
    pub fn judge(&self, below: &Path, named: Named) -> Option<Verdict> {
        self.0.iter().find_map(|(rules, way)| rules.judge(&way.join(below), named))
    }
}

fn read(file: &File) -> Result<Gitignore, SkipReason> {
    let size = os::stat(file)?.size;
    if size > MOST_BYTES {
        return Err(SkipReason::Rules);
    }
    let mut bytes = vec![0; size as usize];
    let read = file.read_at(&mut bytes, 0).map_err(|_| SkipReason::Rules)?;
    bytes.truncate(read);
    let text = String::from_utf8_lossy(&bytes);
    let mut builder = GitignoreBuilder::new("");
    for line in text.trim_start_matches('\u{feff}').lines() {
        if let Err(error) = builder.add_line(None, line) {
            // git passes over such a line, too.
            log::debug!("a line of a .gitignore is no glob: {error}");
        }
    }
    builder.build().map_err(|_| SkipReason::Rules)
}

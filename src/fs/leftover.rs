//! What unfinished transfers left in a receive folder, told to the person, and removed when they say so.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::fs::DiskFault;
use crate::fs::earlier::{Opened, stages};
use crate::fs::journal::FILE_NAME;
use crate::fs::os::{self, Folder, Form, Kind, Lock, OsError, Waiting};
use crate::fs::stage::{DATA, PROBE};
use crate::wire::path::STAGE_PREFIX;
use crate::wire::peer::Mtime;

/// The stage of a transfer that did not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of the files in it.
    pub bytes: u64,
    /// How many files are in it.
    pub files: u64,
    /// When it was last used.
    pub modified: Option<Mtime>,
    /// What can be done with it.
    pub state: LeftoverState,
}

/// What can be done with a leftover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftoverState {
    /// The next `recv` into this folder goes on with it, if the same files are sent.
    Resumable,
    /// A p2pcp that runs uses it.
    InUse,
    /// Nothing goes on with it.
    Unusable(Unusable),
}

/// Why nothing goes on with a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// Its parts are not what p2pcp makes.
    #[error("it is not as p2pcp makes it")]
    NotAStage,
    /// It belongs to another user.
    #[error("it belongs to another user")]
    NotYours,
    /// Its permissions let others in.
    #[error("other users may change it")]
    Open,
    /// There is no journal.
    #[error("it has no journal that says what its files are")]
    NoJournal,
    /// The journal's start is damaged.
    #[error("its journal is damaged")]
    Damaged,
    /// Another version of p2pcp made it.
    #[error("another version of p2pcp made it")]
    OtherVersion,
    /// Only small files, which are sent again in any case, or none.
    #[error("it holds no file that is worth going on with")]
    Empty,
    /// It cannot be opened.
    #[error("there is no permission to read it")]
    Denied,
}

impl Unusable {
    /// What a failed look into a stage means.
    pub(crate) fn not_a_stage(error: OsError) -> Self {
        if error.kind == Kind::Denied { Self::Denied } else { Self::NotAStage }
    }
}

/// Whether there is a folder that can be opened.
pub fn is_folder(path: &Path) -> bool {
    Folder::open(or_here(path)).is_ok()
}

/// Lists what unfinished transfers left in the receive folder `folder`, the newest first.
///
/// # Errors
/// [`DiskFault`] when the folder cannot be listed. One that does not exist holds nothing.
pub fn leftovers(folder: &Path) -> Result<Vec<Leftover>, DiskFault> {
    let path = or_here(folder);
    let listed = match Folder::open(path) {
        Err(OsError { kind: Kind::Missing, .. }) => return Ok(Vec::new()),
        opened => opened.and_then(|root| Ok((stages(&root)?, root))),
    };
    let (names, root) = listed.map_err(|error| DiskFault::new(error, path))?;
    Ok(names.into_iter().map(|name| look(&root, path, &name)).collect())
}

fn look(root: &Folder, path: &Path, name: &str) -> Leftover {
    // The lock is held until this handle goes, at the end of the look.
    let folder = root.open_folder(name);
    let state = match Opened::open(root, name) {
        _ if folder.as_ref().is_ok_and(|it| it.lock(Waiting::No) == Lock::Busy) => LeftoverState::InUse,
        Ok(opened) if opened.is_unfinished() => LeftoverState::Resumable,
        Ok(opened) if opened.holds_unnamed().unwrap_or(true) => LeftoverState::Unusable(Unusable::Damaged),
        Ok(_) => LeftoverState::Unusable(Unusable::Empty),
        Err(why) => LeftoverState::Unusable(why),
    };
    let (mut bytes, mut files, mut modified) = (0_u64, 0, root.inspect(name).map(|stat| stat.mtime).ok());
    if let Ok(folder) = folder {
        modified = modified.max(folder.inspect(FILE_NAME).map(|stat| stat.mtime).ok());
        if let Ok(data) = folder.open_folder(DATA) {
            modified = modified.max(os::stat(&data).map(|stat| stat.mtime).ok());
            for staged in data.names().into_iter().flatten().flatten() {
                if let Ok(stat) = data.inspect(staged)
                    && stat.form == Form::File
                {
                    bytes = bytes.saturating_add(stat.size);
                    files += 1;
                }
            }
        }
    }
    Leftover { path: path.join(name), bytes, files, modified, state }
}

impl Leftover {
    /// Removes it with all that is in it. Returns whether it did: one that is in use stays.
    ///
    /// # Errors
    /// [`DiskFault::Damaged`] when it holds what no stage holds, and then nothing is removed; any other
    /// when something of it stays.
    pub fn remove(&self) -> Result<bool, DiskFault> {
        let fault = |error| DiskFault::new(error, &self.path);
        let damaged = || DiskFault::Damaged { path: self.path.clone() };
        let name = self.path.file_name().filter(|name| is_stage(name)).and_then(OsStr::to_str);
        let (name, parent) = name.zip(self.path.parent()).ok_or_else(damaged)?;
        let root = Folder::open(or_here(parent)).map_err(fault)?;
        let folder = root.open_folder(name).map_err(fault)?;
        if folder.lock(Waiting::No) == Lock::Busy {
            return Ok(false);
        }
        if !holds_only_a_stage(&folder).map_err(fault)? {
            return Err(damaged());
        }
        remove(&root, name, &folder).map_err(fault)?;
        Ok(true)
    }
}

/// Whether all that is in this folder is what p2pcp puts there.
fn holds_only_a_stage(folder: &Folder) -> os::Result<bool> {
    for name in folder.names()? {
        let name = name?;
        let form = folder.inspect(&name)?.form;
        let known = match name.to_str() {
            Some(DATA | PROBE) => form == Form::Folder,
            Some(FILE_NAME) => form == Form::File,
            Some(_) | None => false,
        };
        if !known {
            return Ok(false);
        }
        if name == DATA {
            let data = folder.open_folder(DATA)?;
            for name in data.names()? {
                if data.inspect(name?)?.form == Form::Folder {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

/// Removes the stage of a run that was cut off before it had staged a byte, whatever its journal says:
/// there is nothing in it to go on with.
pub(crate) fn remove_if_hollow(root: &Folder, name: &str) -> os::Result<bool> {
    let folder = root.open_folder(name)?;
    let ours = os::stat(&folder)?.owner == os::user() && folder.lock(Waiting::No) == Lock::Taken;
    let hollow = ours && holds_only_a_stage(&folder)? && holds_no_byte(&folder)?;
    if hollow {
        remove(root, name, &folder)?;
    }
    Ok(hollow)
}

fn holds_no_byte(folder: &Folder) -> os::Result<bool> {
    let data = match folder.open_folder(DATA) {
        Err(OsError { kind: Kind::Missing, .. }) => return Ok(true),
        data => data?,
    };
    for name in data.names()? {
        if data.inspect(name?)?.size > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether this is the name of a stage: the prefix and sixteen hexadecimal digits.
pub(crate) fn is_stage(name: &OsStr) -> bool {
    name.to_str()
        .and_then(|name| name.strip_prefix(STAGE_PREFIX))
        .is_some_and(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Removes the stage called `name` with all that is staged, if it holds nothing else.
pub(crate) fn remove(root: &Folder, name: &str, folder: &Folder) -> os::Result<()> {
    match folder.open_folder(DATA) {
        Ok(data) => {
            for name in data.names()? {
                data.remove_file(name?)?;
            }
            folder.remove_folder(DATA)?;
        }
        Err(OsError { kind: Kind::Missing, .. }) => (),
        Err(error) => return Err(error),
    }
    folder.remove_folder(PROBE).ok();
    match folder.remove_file(FILE_NAME) {
        Ok(()) | Err(OsError { kind: Kind::Missing, .. }) => root.remove_folder(name),
        failed => failed,
    }
}

/// The folder that an empty path means.
pub(crate) fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

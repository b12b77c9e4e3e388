//! The last step in a stage: a whole file gets its time and permissions, and is made durable.

use crate::fs::DiskFault;
use crate::fs::journal::check_ordinary;
use crate::fs::os::{self, Kind, OsError, SYNCS_FILE_SYSTEMS};
use crate::fs::stage::{FEW, Stage};
use crate::wire::peer::Mtime;

/// A staged file that becomes an entry.
#[derive(Debug)]
pub(crate) struct Finishing<'a> {
    pub stage: &'a Stage,
    pub file: u32,
    pub size: u64,
    /// That of the arrival, when not said.
    pub mtime: Option<Mtime>,
    pub executable: bool,
    /// The ordinary one, when not said.
    pub mode: Option<u32>,
}

/// Gives files their times and permissions, and makes them durable.
pub(crate) fn finish_files(files: &[Finishing<'_>]) -> Result<(), DiskFault> {
    let together = SYNCS_FILE_SYSTEMS && files.len() > FEW;
    for it in files {
        let finished = finish_file(it, !together);
        if finished.map_err(|error| it.stage.fault(error, it.file))? != it.size {
            return Err(it.stage.damaged(it.file));
        }
    }
    // All stages of a session lie in one folder, and so on one file system.
    if together { files.first().map_or(Ok(()), |it| it.stage.sync_all()) } else { Ok(()) }
}

/// Gives a file its times and permissions. Returns its size.
fn finish_file(it: &Finishing<'_>, sync: bool) -> os::Result<u64> {
    let file = it.stage.data().open_to_write(Stage::file_name(it.file))?;
    let mut size = check_ordinary(&file)?;
    if it.stage.is_earlier() && size > it.size {
        // The entry was longer when that session ran; what follows is not hashed by anybody.
        file.truncate(it.size)?;
        size = it.size;
    }
    match (it.mode, it.executable, it.stage.is_earlier()) {
        // Never setuid and the like.
        (Some(mode), _, _) => tolerate(os::set_mode(&file, mode & 0o777))?,
        (None, true, _) => tolerate(os::set_mode(&file, it.stage.full_mode()))?,
        (None, false, true) => tolerate(os::set_mode(&file, it.stage.full_mode() & 0o666))?,
        (None, false, false) => (),
    }
    if let Some(mtime) = it.mtime {
        tolerate(os::set_mtime(&file, mtime))?;
    }
    if sync {
        os::sync(&file)?;
    }
    Ok(size)
}

/// Lets pass that a file system keeps no times or permissions: the bytes are what matters.
pub(crate) fn tolerate(done: os::Result<()>) -> os::Result<()> {
    match done {
        Err(OsError { kind: Kind::Denied | Kind::Unsupported | Kind::BadName, code }) => {
            log::debug!("a time or permission was not kept: error {code}");
            Ok(())
        }
        done => done,
    }
}

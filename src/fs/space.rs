//! How much space there is for a transfer, and how much of it is here already, before anything is made.

use std::path::Path;
use std::sync::Arc;

use crate::fs::DiskFault;
use crate::fs::dir::Cursor;
use crate::fs::earlier::{Opened, stages};
use crate::fs::leftover::or_here;
use crate::fs::os::{Folder, Form, Kind, OsError};
use crate::fs::stage::Stage;
use crate::wire::path::RelPath;

/// Files and folders that [`bytes_here`] looks at, most of all.
const MAX_LOOKED_AT: usize = 1 << 18;

/// Bytes that may still be written where `folder` is or would be made. Makes nothing.
///
/// # Errors
/// [`DiskFault`] when the file system does not say.
pub fn free_bytes(folder: &Path) -> Result<u64, DiskFault> {
    let path = or_here(folder);
    let free = match Folder::open(path) {
        Err(OsError { kind: Kind::Missing, .. }) => {
            return free_bytes(path.parent().unwrap_or(Path::new("/")));
        }
        opened => opened.and_then(|folder| folder.free_bytes()),
    };
    free.map_err(|error| DiskFault::new(error, path))
}

/// Bytes that a transfer of these top-level names into `folder` may find there: in files below the
/// names, and in stages that can be resumed. An estimate, from a walk that gives up in a huge tree.
pub fn bytes_here(folder: &Path, names: &[RelPath]) -> u64 {
    let Ok(root) = Folder::open(or_here(folder)) else { return 0 };
    let staged = stages(&root).unwrap_or_default().into_iter().map(|name| staged_bytes(&root, &name));
    let staged = staged.fold(0, u64::saturating_add);
    let mut looked_at = 0;
    let mut bytes = staged;
    let mut folders = Vec::new();
    for name in names {
        match root.inspect(name.as_str()) {
            Ok(stat) if stat.form == Form::File => bytes = bytes.saturating_add(stat.size),
            Ok(stat) if stat.form == Form::Folder => folders.push(name.clone()),
            Ok(_) | Err(_) => (),
        }
    }
    let mut cursor = Cursor::new(Arc::new(root));
    while let Some(path) = folders.pop() {
        let Ok(folder) = cursor.find(Some(path.as_str())) else { continue };
        for name in folder.names().into_iter().flatten().flatten() {
            looked_at += 1;
            if looked_at == MAX_LOOKED_AT {
                return bytes;
            }
            match folder.inspect(&name) {
                Ok(stat) if stat.form == Form::File => bytes = bytes.saturating_add(stat.size),
                Ok(stat) if stat.form == Form::Folder => {
                    folders.extend(name.to_str().and_then(|name| path.join(name).ok()));
                }
                Ok(_) | Err(_) => (),
            }
        }
    }
    bytes
}

/// Bytes in a stage that can be resumed.
fn staged_bytes(root: &Folder, name: &str) -> u64 {
    let Ok(opened) = Opened::open(root, name) else { return 0 };
    let sizes = opened.files.iter().map(|file| opened.data.inspect(Stage::file_name(file.id)));
    sizes.flatten().filter(|stat| stat.form == Form::File).map(|stat| stat.size).fold(0, u64::saturating_add)
}

//! What must be true of a disk after a crash, and of every run that goes on from there.

use crate::fs::OnConflict;
use crate::fs::crash_tests::disk::{Disk, Promise};
use crate::fs::crash_tests::image::{Body, Image, Inode, Node, ROOT};
use crate::fs::crash_tests::transfer::{Item, Report, Transfer};
use crate::fs::leftover::is_stage;
use crate::wire::peer::{EntryKind, Outcome};

/// Whether a node is what an item says, bytes and all.
fn is(node: &Node, item: &Item) -> bool {
    match (&item.entry.kind, &node.body) {
        (EntryKind::File { .. }, Body::File(content)) => content.is(&item.bytes),
        (EntryKind::Folder { .. }, Body::Folder(_)) => true,
        (EntryKind::Link { target }, Body::Link(there)) => target.as_str() == there,
        _ => false,
    }
}

/// Whether a file also has the time and the permissions of its item.
fn is_finished(node: &Node, item: &Item) -> bool {
    match item.entry.kind {
        EntryKind::File { mtime, executable, .. } => {
            node.mtime == mtime && (node.mode & 0o100 != 0) == executable
        }
        EntryKind::Stream { .. } | EntryKind::Folder { .. } | EntryKind::Link { .. } => true,
    }
}

/// Under every final name is nothing, what was there, or the whole; and all that was promised.
pub(crate) fn judge(transfer: &Transfer, image: &Image, promises: &[Promise]) -> Result<(), String> {
    walk(transfer, image, ROOT, "")?;
    for old in &transfer.before {
        let there = image.find(old.path()).map(|inode| image.node(inode));
        let replaced = transfer.items.iter().any(|it| it.path() == old.path())
            && transfer.on_conflict == OnConflict::Overwrite;
        if !there.is_some_and(|node| replaced || is(node, old)) {
            return Err(format!("`{}` was there before and is lost", old.path()));
        }
    }
    for promise in promises {
        let Promise::Kept { item } = promise else { continue };
        let item = &transfer.items[*item];
        match image.find(item.path()).map(|inode| image.node(inode)) {
            Some(node) if is(node, item) && is_finished(node, item) => (),
            Some(node) if is(node, item) => return Err(format!("`{}` lost its time or mode", item.path())),
            _ => return Err(format!("`{}` was kept and is lost", item.path())),
        }
    }
    Ok(())
}

/// Folders that were promised have their times, where no earlier run was cut off: a folder that a run finds
/// keeps its own.
pub(crate) fn judge_folder_times(
    transfer: &Transfer,
    image: &Image,
    promises: &[Promise],
) -> Result<(), String> {
    for promise in promises {
        let Promise::Kept { item } = promise else { continue };
        let Item { entry, .. } = &transfer.items[*item];
        if let EntryKind::Folder { mtime } = entry.kind
            && image.find(entry.path.as_str()).is_none_or(|inode| image.node(inode).mtime != mtime)
        {
            return Err(format!("the folder `{}` lost its time", entry.path));
        }
    }
    Ok(())
}

fn walk(transfer: &Transfer, image: &Image, folder: Inode, path: &str) -> Result<(), String> {
    for (name, &inode) in image.names(folder) {
        if path.is_empty() && is_stage(name.as_ref()) {
            continue;
        }
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let node = image.node(inode);
        if matches!(node.body, Body::Folder(_)) {
            let below = format!("{path}/");
            let mut known = transfer.items.iter().chain(&transfer.before).map(Item::path);
            if !known.any(|it| it == path || it.starts_with(&below)) {
                return Err(format!("a folder `{path}` from nowhere"));
            }
            walk(transfer, image, inode, &path)?;
        } else {
            let mut known = transfer.items.iter().chain(&transfer.before).filter(|it| it.path() == path);
            if !known.any(|it| is(node, it)) {
                return Err(format!("`{path}` is neither absent nor untouched nor whole"));
            }
        }
    }
    Ok(())
}

/// A run over what is there completes, finds what was promised, and what it keeps is durable.
pub(crate) fn recover(
    transfer: &Transfer,
    disk: &Disk,
    id: u8,
    promises: &[Promise],
) -> Result<Report, String> {
    let report = transfer.run(disk, id).map_err(|fault| format!("the next run failed: {fault}"))?;
    for (number, item) in transfer.items.iter().enumerate() {
        let outcome = report.outcomes.get(&number);
        let taken = transfer.on_conflict == OnConflict::Refuse
            && transfer.before.iter().any(|it| it.path() == item.path() && it.bytes != item.bytes);
        let right = match outcome {
            Some(Outcome::Kept { .. }) => !taken,
            Some(Outcome::Exists) => taken,
            Some(_) | None => false,
        };
        if !right {
            return Err(format!("`{}` ended as {outcome:?}", item.path()));
        }
    }
    for promise in promises {
        let &Promise::Chunk { item, index } = promise else { continue };
        // While a file is on the way from one name to the other, a crash may leave it neither.
        if !promises.contains(&Promise::Named { item }) && !report.here.contains(&(item, index)) {
            let path = transfer.items[item].path();
            return Err(format!("chunk {index} of `{path}` was promised and is not found"));
        }
    }
    let end = disk.moments().pop().ok_or("no moment")?;
    for image in [disk.live(), end.sure.clone()] {
        judge(transfer, &image, &end.promises)
            .map_err(|why| format!("after the next run: {why}\npending then: {:#?}", end.pending))?;
    }
    Ok(report)
}

/// The stages that are left.
pub(crate) fn stages(image: &Image) -> usize {
    image.names(ROOT).keys().filter(|name| is_stage(name.as_ref())).count()
}

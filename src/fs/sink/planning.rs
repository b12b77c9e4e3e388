//! What a [`Sink`] says of an entry before any byte of it comes, and of the bytes that are here already.

use std::sync::{Arc, MutexGuard};

use crate::fs::DiskFault;
use crate::fs::commit::points_to;
use crate::fs::conflict::OnConflict;
use crate::fs::dir::Cursor;
use crate::fs::earlier::{Claim, Earlier};
use crate::fs::hash::hash_chunk;
use crate::fs::intake::{Alike, Stages};
use crate::fs::os::{self, Folder, Kind, OsError, Stat};
use crate::fs::plan::{Announced, Belongs, Otherwise, Place, Plan, Staged, UnderWay};
use crate::fs::sink::{Sink, lock};
use crate::fs::stage::Stage;
use crate::wire::chunk_count;
use crate::wire::peer::{Entry, EntryKind, Hash, Outcome};

impl Sink {
    /// Looks at where each entry would go and what is here of it already. `first` is the number of the
    /// first; the others follow. Files that are not settled are remembered until they are committed or
    /// discarded.
    ///
    /// # Errors
    /// [`DiskFault`] when a place cannot be looked at.
    pub fn plan(&self, first: u32, entries: &[Entry]) -> Result<Vec<Plan>, DiskFault> {
        let mut cursor = Cursor::new(Arc::clone(&self.root));
        (first..).zip(entries).map(|(number, entry)| self.plan_one(number, entry, &mut cursor)).collect()
    }

    fn plan_one(&self, number: u32, entry: &Entry, cursor: &mut Cursor) -> Result<Plan, DiskFault> {
        let on_conflict = self.options.on_conflict;
        if !self.options.wants(entry) {
            // A folder is made for what is wanted in it, which comes before it.
            let folder = matches!(entry.kind, EntryKind::Folder { .. });
            return Ok(if folder { Plan::All } else { Plan::Settled(Outcome::Unwanted) });
        }
        let (parent, name) = entry.path.split();
        let found = cursor.find(parent).and_then(|folder| Ok((folder.inspect(name)?, folder)));
        let (there, folder) = match found {
            Ok((there, folder)) => (Some(there), Some(folder)),
            Err(OsError { kind: Kind::Missing, .. }) => (None, None),
            Err(error) => match on_conflict.settle(error) {
                Some(outcome) => return Ok(Plan::Settled(outcome)),
                None => return Err(DiskFault::new(error, self.path.join(entry.path.as_str()))),
            },
        };
        let settled = there.and_then(|there| on_conflict.meets(&entry.kind, &there));
        let skip = on_conflict == OnConflict::Skip;
        match &entry.kind {
            EntryKind::Link { target } if !skip && folder.is_some_and(|it| points_to(it, name, target)) => {
                Ok(Plan::All)
            }
            EntryKind::Link { .. } | EntryKind::Folder { .. } => Ok(settled.map_or(Plan::All, Plan::Settled)),
            // Nothing that is here can be it: nobody knows its size, and it cannot be read twice.
            &EntryKind::Stream { mtime } => match settled {
                Some(outcome) => Ok(Plan::Settled(outcome)),
                None => {
                    let announced = Some(Announced { path: entry.path.clone(), size: 0, mtime });
                    lock(&self.under_way).insert(number, UnderWay { announced, place: Place::Nowhere });
                    Ok(Plan::All)
                }
            },
            &EntryKind::File { size, mtime, .. } => {
                let announced = Announced { path: entry.path.clone(), size, mtime };
                let alike = |there: &Stat| !skip && announced.resembles(there, self.options.alike);
                let (plan, place) = match there.filter(alike) {
                    Some(_) if self.options.alike == Alike::Unread => {
                        return Ok(Plan::Settled(Outcome::Unwanted));
                    }
                    Some(there) => (compare_with(&there, settled), Place::Named(there)),
                    None => match settled {
                        Some(outcome) => return Ok(Plan::Settled(outcome)),
                        None => self.look_in_stages(&announced)?,
                    },
                };
                lock(&self.under_way).insert(number, UnderWay { announced: Some(announced), place });
                Ok(plan)
            }
        }
    }

    fn look_in_stages(&self, announced: &Announced) -> Result<(Plan, Place), DiskFault> {
        if !announced.is_journaled() || self.options.stages == Stages::Fresh {
            return Ok((Plan::All, Place::Nowhere));
        }
        let mut earlier = self.find_earlier()?;
        let claim = earlier
            .as_mut()
            .and_then(|it| it.claim(announced, |name, folder, data| self.adopt(name, folder, data)));
        Ok(match claim {
            Some(Claim { staged, chunks }) => {
                let otherwise = match staged.belongs {
                    Belongs::Surely => Otherwise::Fetch,
                    Belongs::Perhaps => Otherwise::Restart,
                };
                (Plan::Here { chunks, otherwise }, Place::Staged(staged))
            }
            None => (Plan::All, Place::Nowhere),
        })
    }

    pub(super) fn find_earlier(&self) -> Result<MutexGuard<'_, Option<Earlier>>, DiskFault> {
        let mut earlier = lock(&self.earlier);
        if earlier.is_none() {
            let own = self.stage();
            let own = own.as_ref().and_then(|path| path.file_name()?.to_str());
            let found = Earlier::find(&self.root, own).map_err(|error| DiskFault::new(error, &self.path))?;
            *earlier = Some(found);
        }
        Ok(earlier)
    }

    fn adopt(&self, name: &str, folder: Folder, data: Folder) -> Result<Stage, DiskFault> {
        let path = self.path.join(name);
        let fault = |error| DiskFault::new(error, self.path.join(name));
        let root = &self.root;
        let stage =
            Stage::adopt(root, path, name.to_owned(), folder, data, self.options.journal).map_err(fault)?;
        self.check_placing(&stage)?;
        Ok(stage)
    }

    /// The hash of what is here of a chunk; `None` when not all of it is here, or it cannot be read.
    ///
    /// # Errors
    /// [`DiskFault::Damaged`] when a staged file is gone.
    pub fn check_chunk(&self, entry: u32, index: u32) -> Result<Option<Hash>, DiskFault> {
        let under_way = lock(&self.under_way).get(&entry).cloned();
        let Some(UnderWay { announced: Some(announced), place }) = under_way else { return Ok(None) };
        match place {
            Place::Nowhere => Ok(None),
            Place::Staged(Staged { stage, file, .. }) => stage.hash_chunk(file, announced.size, index),
            Place::Named(stat) => {
                let (parent, name) = announced.path.split();
                let mut cursor = Cursor::new(Arc::clone(&self.root));
                let file = cursor.find(parent).and_then(|folder| folder.open_file(name));
                let file = file.ok().filter(|file| os::stat(file) == Ok(stat));
                Ok(file.and_then(|file| hash_chunk(&file, announced.size, index)))
            }
        }
    }

    /// Forgets what is here of an entry: the next chunk that is written is the first.
    ///
    /// # Errors
    /// [`DiskFault`] when a staged file cannot be emptied.
    pub fn restart(&self, entry: u32) -> Result<(), DiskFault> {
        let place = lock(&self.under_way).get(&entry).map(|it| it.place.clone());
        match place {
            Some(Place::Staged(staged)) if staged.belongs == Belongs::Perhaps => {
                if let Some(earlier) = lock(&self.earlier).as_mut() {
                    earlier.give_back(&staged);
                }
                self.put(entry, Place::Nowhere);
                Ok(())
            }
            Some(Place::Staged(Staged { stage, file, .. })) => stage.empty(file),
            Some(Place::Named(_)) => {
                self.put(entry, Place::Nowhere);
                Ok(())
            }
            Some(Place::Nowhere) | None => Ok(()),
        }
    }
}

/// What to do with an entry that `there`, which has its name, may be; `settled` is what it would come to if it is not.
fn compare_with(there: &Stat, settled: Option<Outcome>) -> Plan {
    let otherwise = settled.map_or(Otherwise::Restart, Otherwise::Settle);
    match u32::try_from(chunk_count(there.size)).unwrap_or(u32::MAX) {
        0 => Plan::All,
        chunks => Plan::Here { chunks, otherwise },
    }
}

//! From the walk to announced entries, as many as may be outstanding, and which of them are wanted.

use crate::crypto::digest::EntryDigest;
use crate::session::sender::reading::{Outgoing, Reading};
use crate::session::sender::{Job, Sender, Walked};
use crate::session::{Event, Violation};
use crate::wire::peer::{self, EntryKind, PeerMessage, Want};
use crate::wire::{MANY_OUTSTANDING_ENTRIES, MAX_OUTSTANDING_ENTRIES, MAX_OUTSTANDING_MANIFEST, chunk_count};

/// Entries asked of the walk at once.
const WALK_BATCH: usize = 512;

impl Sender {
    /// The same, with [`MANY_OUTSTANDING_ENTRIES`] if both sides have said so.
    pub fn with_many_entries(mut self, agreed: bool) -> Self {
        if agreed {
            self.most_entries = MANY_OUTSTANDING_ENTRIES;
        }
        self
    }

    pub(super) fn walk_on(&mut self) {
        // What is not read yet need not be announced further ahead: blocks would wait behind it.
        let unread = self.to_read.len() + (self.announced - self.wants_seen) as usize;
        let unread_room = MAX_OUTSTANDING_ENTRIES.saturating_sub(unread);
        let room = self.most_entries.saturating_sub(self.outstanding.len()).min(unread_room);
        let fits = self.manifest_bytes + peer::BATCH_BYTES + peer::MAX_ITEM_BYTES <= MAX_OUTSTANDING_MANIFEST;
        if !self.walking && !self.walked && fits && room >= WALK_BATCH {
            self.walking = true;
            self.out.disk(Job::Walk { max: WALK_BATCH });
        }
    }

    pub(super) fn handle_walked(&mut self, walked: Walked) {
        self.walking = false;
        self.walked = walked.done;
        self.summary.unsent += walked.skipped.len() as u64;
        for (path, why) in walked.skipped.into_iter().chain(walked.passed) {
            self.out.emit(Event::Skipped { path, why });
        }
        let first = self.announced;
        for entry in &walked.entries {
            let outgoing = Outgoing {
                path: entry.path.clone(),
                manifest_bytes: entry.encoded_bytes(),
                digest: match &entry.kind {
                    EntryKind::Stream { .. } => EntryDigest::of_stream(),
                    kind => EntryDigest::new(kind.size()),
                },
                kind: entry.kind.clone(),
                reading: Reading::Announced,
                held_back: 0,
                sent: 0,
                spared: 0,
                again: 0,
                resent: 0,
            };
            self.manifest_bytes += outgoing.manifest_bytes;
            self.outstanding.insert(self.announced, outgoing);
            self.announced += 1;
        }
        if !walked.entries.is_empty() {
            self.out.send(&PeerMessage::Entries { first, entries: walked.entries });
        }
        if self.walked {
            self.out.send(&PeerMessage::End { entries: self.announced, skipped: self.summary.unsent });
        }
        self.walk_on();
    }

    pub(super) fn handle_wants(&mut self, first: u32, wants: &[Want]) -> Result<(), Violation> {
        if first != self.wants_seen {
            return Err(Violation::Numbering { expected: self.wants_seen, got: first });
        }
        for want in wants {
            let number = self.wants_seen;
            if number >= self.announced {
                return Err(Violation::UnknownEntry(number));
            }
            self.wants_seen += 1;
            match (want, self.outstanding.get_mut(&number)) {
                (Want::Nothing, None) => (),
                (Want::From { chunk }, Some(outgoing))
                    if outgoing.kind.is_file()
                        && (1..=chunk_count(outgoing.kind.size())).contains(&u64::from(*chunk)) =>
                {
                    outgoing.held_back = *chunk;
                    outgoing.reading = Reading::Next(0);
                    self.to_read.push_back(number);
                }
                (Want::All, Some(outgoing)) => match outgoing.kind {
                    EntryKind::File { .. } => {
                        outgoing.reading = Reading::Next(0);
                        self.to_read.push_back(number);
                    }
                    EntryKind::Stream { .. } => {
                        outgoing.reading = Reading::Next(0);
                        self.streams.wanted(number);
                    }
                    EntryKind::Folder { .. } | EntryKind::Link { .. } => {
                        outgoing.reading = Reading::Proven([0; 32]);
                    }
                },
                _ => return Err(Violation::FalseClaim(number)),
            }
        }
        Ok(())
    }
}

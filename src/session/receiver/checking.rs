//! What seems to be here already: hashed again, held against the sender's proofs, mended or let go.

use std::time::Instant;

use crate::session::incoming::{Incoming, Progress};
use crate::session::receiver::{Job, Otherwise, Plan, Receiver};
use crate::session::{Event, Failure};
use crate::wire::peer::{Hash, Outcome, PeerMessage, Settled, Want};
use crate::wire::{CHUNK_BYTES, chunk_count};

/// Checks asked for that wait for their proofs; enough to keep a disk thread busy with small files.
const MAX_CHECKS: usize = 64;

impl Receiver {
    pub(super) fn handle_planned(&mut self, first: u32, plans: &[Plan]) {
        let mut settled = Vec::new();
        let mut wants = Vec::with_capacity(plans.len());
        let mut found = 0;
        for (number, plan) in (first..).zip(plans) {
            let incoming = self.outstanding.get_mut(&number).filter(|it| !it.planned());
            let size = incoming.as_ref().map_or(0, |it| it.size());
            wants.push(match *plan {
                Plan::Settled(outcome) => {
                    settled.push(Settled { entry: number, outcome });
                    Want::Nothing
                }
                Plan::Here { chunks, .. } if chunks > 0 && u64::from(chunks) <= chunk_count(size) => {
                    found += (u64::from(chunks) * u64::from(CHUNK_BYTES)).min(size);
                    self.to_check.push_back(number);
                    Want::From { chunk: chunks }
                }
                // An empty file that is here needs nothing but the sender's proof.
                Plan::Here { .. } | Plan::All => Want::All,
            });
            if let (Some(incoming), Plan::All | Plan::Here { .. }) = (incoming, plan) {
                incoming.plan(*plan);
            }
        }
        self.settle(settled);
        self.out.send(&PeerMessage::Wants { first, wants });
        if found > 0 {
            self.found += found;
            self.out.emit(Event::Found(self.found));
        }
    }

    /// Asks for checks in the order in which entries are wanted, which is that of the proofs.
    pub(super) fn check_on(&mut self) {
        while self.checks < MAX_CHECKS
            && let Some(&entry) = self.to_check.front()
        {
            match self.outstanding.get_mut(&entry).and_then(Incoming::ask_check) {
                Some(index) => {
                    self.checks += 1;
                    self.out.disk(Job::Check { entry, index });
                }
                None => {
                    self.to_check.pop_front();
                }
            }
        }
    }

    pub(super) fn handle_checked(
        &mut self,
        now: Instant,
        entry: u32,
        index: u32,
        hash: Option<Hash>,
    ) -> Result<(), Failure> {
        let Some(incoming) = self.outstanding.get_mut(&entry).filter(|it| it.checks_next(index)) else {
            return Ok(());
        };
        let claim = incoming.checked(index, hash);
        self.judge(now, entry, claim)
    }

    /// Counts what was compared as come in and written: the sender's window covers it too.
    pub(super) fn note(&mut self, now: Instant, progress: Progress) {
        self.loose_hashes -= progress.matched;
        self.checks -= progress.checks;
        if progress.held_back > 0 {
            self.received += progress.held_back;
            self.written += progress.held_back;
            self.held_back += progress.held_back;
            self.summary.spared += progress.here;
            self.out.emit(Event::Spared(self.summary.spared));
            self.acknowledge_soon(now);
        }
    }

    /// All of an entry is compared, and some of what is here is not what the sender has.
    pub(super) fn mend(&mut self, entry: u32) {
        let Some(incoming) = self.outstanding.get_mut(&entry) else { return };
        match incoming.otherwise() {
            Otherwise::Fetch if !incoming.hopeless() => {
                let chunks = incoming.fetch();
                self.out.send(&PeerMessage::Again { entry, chunks });
            }
            Otherwise::Fetch | Otherwise::Restart => {
                self.summary.spared -= incoming.here();
                let mut anew = Incoming::new(incoming.item.clone());
                anew.plan(Plan::All);
                *incoming = anew;
                self.unjournaled.retain(|it| it.entry != entry);
                self.out.disk(Job::Restart { entry });
                self.out.send(&PeerMessage::Restart { entry });
            }
            Otherwise::Settle(outcome) => self.let_go(entry, outcome),
        }
    }

    /// An entry ends without its bytes.
    pub(super) fn let_go(&mut self, entry: u32, outcome: Outcome) {
        if let Some(incoming) = self.outstanding.get(&entry) {
            self.checks -= incoming.unproven_checks();
        }
        self.unjournaled.retain(|it| it.entry != entry);
        self.out.disk(Job::Discard { entry });
        self.settle(vec![Settled { entry, outcome }]);
    }
}

//! Hands that are chosen when there is something to do: where an offer goes is known after consent.

use crate::drive::Hands;
use crate::drive::piping::PipingHands;
use crate::drive::receiving::{ReceivingHands, Rest};
use crate::session::receiver::{Done, Job};

/// A receiver's hands, by where it goes.
pub enum Landed {
    /// Into a folder.
    Folder(ReceivingHands),
    /// Into a pipe, or into memory.
    Pipe(PipingHands),
}

/// Hands that `choose` gives when the first job comes, which is after consent.
pub struct LateHands<F> {
    choose: Option<F>,
    hands: Option<Landed>,
}

impl<F: FnOnce() -> Landed> LateHands<F> {
    /// Nothing is chosen yet.
    pub fn new(choose: F) -> Self {
        Self { choose: Some(choose), hands: None }
    }
}

impl<F: FnOnce() -> Landed> Hands for LateHands<F> {
    type Job = Job;
    type Done = Done;
    type Rest = Rest;

    fn submit(&mut self, job: Job) {
        if let Some(choose) = self.choose.take() {
            self.hands = Some(choose());
        }
        match &mut self.hands {
            Some(Landed::Folder(hands)) => hands.submit(job),
            Some(Landed::Pipe(hands)) => hands.submit(job),
            None => (),
        }
    }

    async fn done(&mut self) -> Done {
        match &mut self.hands {
            Some(Landed::Folder(hands)) => hands.done().await,
            Some(Landed::Pipe(hands)) => hands.done().await,
            None => std::future::pending().await,
        }
    }

    async fn stop(self) -> Rest {
        match self.hands {
            Some(Landed::Folder(hands)) => hands.stop().await,
            Some(Landed::Pipe(hands)) => hands.stop().await,
            None => Rest::default(),
        }
    }
}

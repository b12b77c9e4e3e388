//! The person at a sender: sees what happens, and says how fast it may be.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use crate::drive::Person;
use crate::session::{self, Answer, Wish};
use crate::transfer::{Teller, Wishes};
use crate::wire::peer::Offer;

/// A sender's person only watches.
pub(super) struct Watcher {
    teller: Teller,
    wishes: Wishes,
    pub(super) begun: Instant,
    pub(super) accepted: bool,
}

impl Watcher {
    pub(super) fn new(teller: Teller, wishes: Wishes) -> Self {
        Self { teller, wishes, begun: Instant::now(), accepted: false }
    }
}

impl Person for Watcher {
    fn see(&mut self, event: session::Event) {
        if event == session::Event::Accepted {
            self.begun = Instant::now();
            self.accepted = true;
        }
        self.teller.session(event);
    }

    async fn room(&mut self) {
        self.teller.room().await;
    }

    async fn wish(&mut self) -> Wish {
        self.wishes.next().await
    }

    fn answer(&mut self, _: Offer) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(std::future::ready(Answer::No))
    }
}

//! When a link whose first lane goes through a relay tries to do without.

use std::time::Duration;

use tokio::time::Instant;

use crate::wire::lanes::MAX_LANES;

/// When a path without a relay is tried, counted from the first time: at once, as the first lane may only have been quicker;
/// and later, as a firewall may forget, a laptop may come to another network. One number of a lane for each.
const TRIES: [Duration; MAX_LANES as usize - 1] = [
    Duration::ZERO,
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
];

/// How long such a try lasts: it is over before the next begins.
pub(super) const TRY_FOR: Duration = Duration::from_secs(8);

/// The tries to do without a relay that are still to come.
#[derive(Debug, Default)]
pub(super) struct Tries {
    begun: Option<Instant>,
    made: u8,
    most: u8,
}

impl Tries {
    pub(super) fn begin(most: u8) -> Self {
        Self { begun: Some(Instant::now()), made: 0, most }
    }

    /// The number of the next one, when it is due; pends when there is none to come. Cancel safe.
    pub(super) async fn next(&mut self) -> u8 {
        let after = TRIES.get(usize::from(self.made)).filter(|_| self.made < self.most);
        let (Some(begun), Some(after)) = (self.begun, after) else { return std::future::pending().await };
        tokio::time::sleep_until(begun + *after).await;
        self.made += 1;
        self.made
    }

    /// One lane is enough.
    pub(super) fn end(&mut self) {
        self.most = 0;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::Tries;

    #[tokio::test]
    async fn the_first_try_is_made_at_once_and_the_next_is_not() {
        let mut tries = Tries::begin(7);
        assert_eq!(tries.next().await, 1);
        assert_eq!(tries.next().now_or_never(), None);
    }

    #[tokio::test]
    async fn there_is_none_without_a_question_nor_past_their_number_nor_after_a_success() {
        assert_eq!(Tries::default().next().now_or_never(), None);
        assert_eq!(Tries::begin(0).next().now_or_never(), None);
        let mut tries = Tries::begin(7);
        tries.end();
        assert_eq!(tries.next().now_or_never(), None);
    }
}

//! How fast it may be: `--limit`, and the keys that change it while a transfer runs.

use clap::Args;

use crate::cli::arguments::parse_bytes;
use crate::event::Event;
use crate::transfer::Transfer;
use crate::ui::Key;

/// The lowest limit that keys lead to.
const LEAST_LIMIT: u64 = 10_000;

#[derive(Debug, Args)]
pub(super) struct PaceArgs {
    /// Most bytes a second, like 500K or 5M; the lower of both sides' limits counts
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(super) limit: Option<u64>,
}

/// What the person here wants by now, and from where `+` and `-` go on.
#[derive(Debug, Default)]
pub(super) struct Pace {
    paused: bool,
    /// The limit that counts, whoever wants it.
    limit: Option<u64>,
    /// The speed of the last seconds.
    speed: Option<u64>,
}

/// What a key asks of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Pause,
    Resume,
    Limit(Option<u64>),
}

impl Pace {
    /// Takes what an event says of it.
    pub(super) fn see(&mut self, event: &Event) {
        match event {
            Event::Progress(progress) => self.speed = progress.bytes_per_second,
            Event::Limited { bytes_per_second } => self.limit = *bytes_per_second,
            _ => (),
        }
    }

    /// Has `transfer` do what a key asks.
    pub(super) fn press(&mut self, key: Key, transfer: &mut Transfer) {
        match self.order(key) {
            Some(Order::Pause) => transfer.pause(),
            Some(Order::Resume) => transfer.resume(),
            Some(Order::Limit(limit)) => transfer.limit(limit),
            None => (),
        }
    }

    fn order(&mut self, key: Key) -> Option<Order> {
        let from = self.limit.or(self.speed);
        match key {
            Key::Pause => {
                self.paused = !self.paused;
                return Some(if self.paused { Order::Pause } else { Order::Resume });
            }
            Key::Unlimited => self.limit = None,
            Key::Faster => self.limit = Some(rounded(from? as f64 * 1.25)),
            Key::Slower => self.limit = Some(rounded(from? as f64 / 1.25)),
        }
        Some(Order::Limit(self.limit))
    }
}

/// To two digits, so that a person can read it.
fn rounded(limit: f64) -> u64 {
    let digit = 10_f64.powi(limit.max(1.0).log10().floor() as i32 - 1);
    ((limit / digit).round() * digit).max(LEAST_LIMIT as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_and_minus_are_steps_of_a_quarter_to_two_digits() {
        let mut pace = Pace { limit: Some(5_000_000), ..Pace::default() };
        let mut limits = |keys: &[Key]| {
            let order = |key: &Key| match pace.order(*key) {
                Some(Order::Limit(limit)) => limit,
                other => panic!("{other:?}"),
            };
            keys.iter().map(order).collect::<Vec<_>>()
        };
        let (up, down) = (Key::Faster, Key::Slower);
        assert_eq!(limits(&[up, up, down, down]), [6_300_000, 7_900_000, 6_300_000, 5_000_000].map(Some));
        assert_eq!(limits(&[Key::Unlimited]), [None]);
    }

    #[test]
    fn without_a_limit_they_go_on_from_the_speed_if_there_is_one() {
        let mut pace = Pace::default();
        assert_eq!((pace.order(Key::Faster), pace.order(Key::Slower)), (None, None));
        pace.speed = Some(1_000_000);
        assert_eq!(pace.order(Key::Slower), Some(Order::Limit(Some(800_000))));
        assert_eq!(pace.order(Key::Unlimited), Some(Order::Limit(None)));
        pace.speed = Some(0);
        assert_eq!(pace.order(Key::Faster), Some(Order::Limit(Some(LEAST_LIMIT))));
        pace.limit = Some(u64::MAX);
        assert!(matches!(pace.order(Key::Faster), Some(Order::Limit(Some(u64::MAX)))));
    }

    #[test]
    fn the_same_key_pauses_and_goes_on() {
        let mut pace = Pace::default();
        let orders = [Order::Pause, Order::Resume, Order::Pause].map(Some);
        assert_eq!([(); 3].map(|()| pace.order(Key::Pause)), orders);
    }
}

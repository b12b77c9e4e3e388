//! The best value of a sliding window, in constant space.
//!
//! Three candidates are kept, each newer than the one before and not better: the method of Kathleen Nichols that Linux and
//! the BBR draft use. The answer may be a little young, never too old.

/// The greatest value of a window of rounds, cycles or milliseconds. `Reverse` makes it the least.
#[derive(Debug, Clone)]
pub(crate) struct Windowed<V> {
    /// From the best to the newest, each with when it came.
    candidates: Option<[(u64, V); 3]>,
}

impl<V: Copy + PartialOrd> Windowed<V> {
    pub(crate) fn new() -> Self {
        Self { candidates: None }
    }

    /// Takes a value that came at `at`; what came more than `window` before it counts no longer.
    pub(crate) fn update(&mut self, at: u64, value: V, window: u64) {
        let new = (at, value);
        let Some([best, second, third]) = self.candidates else {
            self.candidates = Some([new; 3]);
            return;
        };
        if value >= best.1 || at.saturating_sub(third.0) > window {
            self.candidates = Some([new; 3]);
            return;
        }
        let mut kept = if value >= second.1 {
            [best, new, new]
        } else if value >= third.1 {
            [best, second, new]
        } else {
            [best, second, third]
        };
        let age = at.saturating_sub(best.0);
        if age > window {
            kept = [kept[1], kept[2], new];
            if at.saturating_sub(kept[0].0) > window {
                kept = [kept[1], kept[2], new];
            }
        } else if kept[1].0 == best.0 && age > window / 4 {
            // No runner-up from a later quarter of the window yet: any value serves better than the same one again.
            kept = [best, new, new];
        } else if kept[2].0 == kept[1].0 && age > window / 2 {
            kept[2] = new;
        }
        self.candidates = Some(kept);
    }

    /// The best value of the window as it was at the last update.
    pub(crate) fn best(&self) -> Option<V> {
        self.candidates.map(|[best, ..]| best.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against an exact search of the window, for a sequence that rises and falls.
    #[test]
    fn best_is_of_the_window_and_no_less_than_its_later_half() {
        let mut filter = Windowed::new();
        let mut values = Vec::new();
        let mut state = 1_u64;
        for at in 0..2_000_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = (state >> 40) % 1_000 + (at % 700);
            values.push(value);
            filter.update(at, value, 100);
            let exact = values.iter().rev().take(101).max().unwrap();
            let later = values.iter().rev().take(50).max().unwrap();
            let best = filter.best().unwrap();
            assert!(best <= *exact && best >= *later, "at {at}: {later} <= {best} <= {exact}");
        }
    }

    #[test]
    fn reverse_gives_the_least() {
        let mut filter = Windowed::new();
        for value in [5, 3, 8] {
            filter.update(0, std::cmp::Reverse(value), 10);
        }
        assert_eq!(filter.best().unwrap().0, 3);
    }

    #[test]
    fn silence_longer_than_the_window_forgets_everything() {
        let mut filter = Windowed::new();
        filter.update(0, 9, 10);
        filter.update(5, 7, 10);
        filter.update(16, 1, 10);
        assert_eq!(filter.best(), Some(1));
    }
}

//! What the person agreed to, held against what then comes.
//!
//! Whoever accepts `cat.jpg` must not find `.profile` in their home. So every entry lies under a name
//! of the offer, and if the offer's totals were final, what comes may exceed them only as far as a
//! living tree grows while it is sent.

use std::collections::BTreeSet;

use crate::wire::path::RelPath;
use crate::wire::peer::{Entry, Offer};

/// Entries that may come beyond the offered, besides a tenth.
const SPARE_ENTRIES: u64 = 100;

/// Bytes that may come beyond the offered, besides a tenth.
const SPARE_BYTES: u64 = 64 << 20;

/// An offer, used up entry by entry.
#[derive(Debug, Default)]
pub struct Consent {
    names: BTreeSet<String>,
    /// Those of streams, of which nobody knows how much comes.
    streams: BTreeSet<String>,
    /// How often a name that the offer only counted may begin: each once for what it holds and once
    /// more for its links, which come last.
    unnamed: u64,
    last_unnamed: Option<String>,
    entries: Option<u64>,
    /// Folders that paths may imply: each is announced too, and is met again on the way to its links.
    folders: Option<u64>,
    last_path: String,
    bytes: Option<u64>,
}

impl Consent {
    /// What `offer` asks for; `None` if no honest sender makes it.
    pub fn to(offer: &Offer) -> Option<Self> {
        let listed = offer.items.len();
        // Who lists few names and only counts others hides something.
        let full = listed == Offer::MAX_ITEMS || (listed < Offer::MAX_ITEMS && offer.more == 0);
        let sane = full && offer.items.iter().all(|it| it.name.depth() == 0);
        let totals = offer.totals;
        let entries = totals.files.checked_add(totals.folders)?.checked_add(totals.links)?;
        let with_spare =
            |offered: u64, spare: u64| offered.saturating_add(offered / 10).saturating_add(spare);
        sane.then(|| Self {
            streams: offer
                .items
                .iter()
                .filter(|it| it.is_stream())
                .map(|it| it.name.as_str().to_owned())
                .collect(),
            names: offer.items.iter().map(|it| it.name.as_str().to_owned()).collect(),
            unnamed: 2 * u64::from(offer.more),
            last_unnamed: None,
            entries: totals.complete.then(|| with_spare(entries, SPARE_ENTRIES)),
            folders: totals.complete.then(|| 2 * with_spare(totals.folders, SPARE_ENTRIES)),
            last_path: String::new(),
            bytes: totals.complete.then(|| with_spare(totals.bytes, SPARE_BYTES)),
        })
    }

    /// Takes an entry out of what is left; whether it was in it.
    pub fn cover(&mut self, entry: &Entry) -> bool {
        // Each once, and under its own name.
        if entry.kind.is_stream() && !self.streams.remove(entry.path.as_str()) {
            return false;
        }
        let Some(top) = entry.path.parts().next() else { return false };
        if !self.names.contains(top) && self.last_unnamed.as_deref() != Some(top) {
            let Some(left) = self.unnamed.checked_sub(1) else { return false };
            self.unnamed = left;
            self.last_unnamed = Some(top.to_owned());
        }
        let take = |left: &mut Option<u64>, amount: u64| match left {
            None => true,
            Some(left) => left.checked_sub(amount).map(|it| *left = it).is_some(),
        };
        let implied = new_parents(&self.last_path, &entry.path);
        entry.path.as_str().clone_into(&mut self.last_path);
        take(&mut self.entries, 1)
            && take(&mut self.folders, implied)
            && take(&mut self.bytes, entry.kind.size())
    }
}

/// Folders on the way to `path` that are not on the way to `last`.
fn new_parents(last: &str, path: &RelPath) -> u64 {
    let shared = path.parts().zip(last.split('/')).take_while(|(ours, theirs)| ours == theirs).count();
    path.depth().saturating_sub(shared) as u64
}

#[cfg(test)]
mod tests {
    use crate::session::receiver::consent::Consent;
    use crate::wire::path::RelPath;
    use crate::wire::peer::{Entry, EntryKind, Mtime, Offer, OfferItem, Totals};

    fn offer(names: &[&str], more: u32, complete: bool) -> Offer {
        let item = |name: &&str| OfferItem { name: RelPath::parse(name).unwrap(), folder: false, size: 3 };
        let totals = Totals { files: 1, bytes: 3, complete, ..Totals::default() };
        Offer { items: names.iter().map(item).collect(), more, totals }
    }

    fn file(path: &str, size: u64) -> Entry {
        let kind = EntryKind::File { size, mtime: Mtime::default(), executable: false };
        Entry { path: RelPath::parse(path).unwrap(), kind }
    }

    #[test]
    fn only_offered_names_come() {
        let mut consent = Consent::to(&offer(&["cat.jpg"], 0, true)).unwrap();
        assert!(consent.cover(&file("cat.jpg", 3)));
        assert!(!consent.cover(&file(".profile", 3)));
        assert!(!consent.cover(&file(".config/autostart/x", 3)));
    }

    #[test]
    fn counted_names_are_bounded_by_their_count() {
        let listed = ["a", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];
        let mut consent = Consent::to(&offer(&listed, 1, true)).unwrap();
        assert!(consent.cover(&file("b/1", 1)) && consent.cover(&file("b/2", 1)));
        assert!(consent.cover(&file("a", 1)) && consent.cover(&file("b/link", 0)));
        assert!(consent.cover(&file("c", 1)), "the second pass is not told from a second name");
        assert!(!consent.cover(&file("d", 1)));
    }

    #[test]
    fn final_totals_bind_and_growing_ones_do_not() {
        let mut consent = Consent::to(&offer(&["a"], 0, true)).unwrap();
        assert!(consent.cover(&file("a", 64 << 20)), "a log may grow while it is sent");
        assert!(!consent.cover(&file("a", 64 << 20)));
        let mut consent = Consent::to(&offer(&["a"], 0, true)).unwrap();
        assert_eq!((0..200).filter(|_| consent.cover(&file("a/x", 0))).count(), 101);
        let mut consent = Consent::to(&offer(&["a"], 0, false)).unwrap();
        assert!(consent.cover(&file("a", 1 << 40)));
    }

    #[test]
    fn folders_that_paths_imply_are_counted() {
        let mut consent = Consent::to(&offer(&["a"], 0, true)).unwrap();
        let deep = |number: u32| file(&format!("a/{number}{}", "/x".repeat(50)), 0);
        assert!(consent.cover(&deep(1)) && consent.cover(&deep(2)));
        assert!((3..6).any(|number| !consent.cover(&deep(number))), "2 x 100 folders are spare");
        let mut consent = Consent::to(&offer(&["a"], 0, true)).unwrap();
        assert!((0..100).all(|number| consent.cover(&file(&format!("a/b/c/{number}"), 0))));
    }

    #[test]
    fn names_are_not_hidden_behind_a_number() {
        assert!(Consent::to(&offer(&["cat.jpg"], 1, true)).is_none());
    }

    #[test]
    fn an_offer_names_the_top_only() {
        assert!(Consent::to(&offer(&["a/b"], 0, true)).is_none());
        let mut lying = offer(&["a"], 0, true);
        lying.totals.files = u64::MAX;
        lying.totals.folders = 1;
        assert!(Consent::to(&lying).is_none());
    }
}

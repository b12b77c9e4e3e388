//! An offer as a tree, as far as its entries are known before the answer, cut to a screen.

use crate::event::Preview;
use crate::ui::line::{Line, Paint};
use crate::ui::text;
use crate::wire::path::RelPath;
use crate::wire::peer::{Entry, EntryKind, Offer};

/// Lines of a tree; what is more becomes a number.
const MOST_LINES: usize = 20;

/// Levels of a tree; what is deeper is counted in its folder.
const MOST_LEVELS: usize = 8;

/// Columns of a name.
const WIDEST_NAME: usize = 60;

/// Columns beside a name and its indent: a gap and a size.
const BESIDE_A_NAME: usize = 12;

#[derive(Debug, Default)]
struct Node {
    name: String,
    folder: bool,
    bytes: u64,
    files: u64,
    children: Vec<Node>,
}

impl Node {
    fn child(&mut self, name: &str) -> &mut Self {
        // Neighbours come together; links come last and are few.
        match self.children.iter().rposition(|it| it.name == name) {
            Some(at) => &mut self.children[at],
            None => {
                self.children.push(Self { name: name.to_owned(), ..Self::default() });
                self.children.last_mut().expect("it was pushed just now")
            }
        }
    }

    fn add(&mut self, entry: &Entry) {
        let mut node = self;
        let parts: Vec<&str> = entry.path.parts().collect();
        for (at, part) in parts.iter().enumerate() {
            node.bytes = node.bytes.saturating_add(entry.kind.size());
            node.files += u64::from(entry.kind.is_file());
            node = node.child(part);
            node.folder |= at + 1 < parts.len() || matches!(entry.kind, EntryKind::Folder { .. });
        }
        node.bytes = node.bytes.saturating_add(entry.kind.size());
        node.files += u64::from(entry.kind.is_file());
    }

    /// Nodes down to a level; the children are the first.
    fn count(&self, levels: usize) -> usize {
        match levels {
            0 => 0,
            _ => self.children.len() + self.children.iter().map(|it| it.count(levels - 1)).sum::<usize>(),
        }
    }
}

/// The lines of a tree; none when no entry is known.
pub(crate) fn lines(offer: &Offer, preview: &Preview, columns: usize) -> Vec<Line> {
    if preview.entries.is_empty() {
        return Vec::new();
    }
    let mut root = Node::default();
    for item in &offer.items {
        let node = root.child(item.name.as_str());
        node.folder = item.folder;
    }
    preview.entries.iter().for_each(|it| root.add(it));
    for item in offer.items.iter().filter(|it| !it.folder) {
        root.child(item.name.as_str()).bytes = item.size;
    }
    let levels = (2..=MOST_LEVELS).rev().find(|levels| root.count(*levels) <= MOST_LINES);
    // Where two levels are too many, each folder shows its first names.
    let folders = root.children.iter().filter(|it| !it.children.is_empty()).count();
    let room = MOST_LINES.saturating_sub(root.children.len()) / folders.max(1);
    let most = if levels.is_some() { usize::MAX } else { room.max(2) };
    let mut tree = Tree { lines: Vec::new(), most, complete: preview.complete, columns };
    let shown = offer.items.len().min(root.children.len());
    for node in root.children.iter().take(shown) {
        tree.add(node, 1, levels.unwrap_or(2));
    }
    if offer.more > 0 {
        tree.lines.push(Line::plain(format_args!("  and {} more", text::count(u64::from(offer.more)))));
    }
    tree.lines
}

struct Tree {
    lines: Vec<Line>,
    /// Children of one folder that are shown.
    most: usize,
    complete: bool,
    columns: usize,
}

impl Tree {
    fn add(&mut self, node: &Node, level: usize, levels: usize) {
        let indent = "  ".repeat(level);
        let room = self.columns.saturating_sub(indent.len() + BESIDE_A_NAME).min(WIDEST_NAME);
        let slash = if node.folder { "/" } else { "" };
        let name = format!("{}{slash}", text::shorten(&text::sanitise(&node.name), room));
        let line = Line::plain(&indent).with(Paint::Bold, name);
        let hidden = level == levels && !node.children.is_empty();
        self.lines.push(match (node.folder, hidden) {
            (false, _) => line.with(Paint::Plain, format_args!("  {}", text::bytes(node.bytes))),
            (true, true) => {
                let least = if self.complete { "" } else { "at least " };
                let (files, bytes) = (text::counted(node.files, "file"), text::bytes(node.bytes));
                line.with(Paint::Plain, format_args!("  {least}{files}, {bytes}"))
            }
            (true, false) => line,
        });
        if level == levels {
            return;
        }
        node.children.iter().take(self.most).for_each(|it| self.add(it, level + 1, levels));
        let more = node.children.len().saturating_sub(self.most);
        if more > 0 {
            let least = if self.complete { "" } else { "at least " };
            self.lines
                .push(Line::plain(format_args!("{indent}  and {least}{} more", text::count(more as u64))));
        }
    }
}

/// What of an offer meets something here, or may surprise: one line each.
pub(crate) fn surprises(preview: &Preview) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut tell = |paths: &[RelPath], number: u64, one: &str, many: &str| {
        if number > 0 {
            let what =
                if number == 1 { format!("1 {one}") } else { format!("{} {many}", text::count(number)) };
            let names = named(paths, number);
            lines.push(
                Line::default().with(Paint::Yellow, what).with(Paint::Plain, format_args!(": {names}")),
            );
        }
    };
    tell(&preview.taken, preview.taken_count, "name is taken here", "names are taken here");
    let hidden = preview.hidden();
    tell(&hidden, hidden.len() as u64, "hidden name", "hidden names");
    if preview.alike > 0 {
        let files = text::counted(preview.alike, "file");
        lines.push(Line::plain(format_args!("{files} of this size and time here already, to be compared")));
    }
    if let (Some(needed), Some(free), 1..) = (preview.needed_bytes, preview.free_bytes, preview.lacking_bytes)
    {
        let (needed, free) = (text::bytes(needed), text::bytes(free));
        lines.push(
            Line::default()
                .with(Paint::Yellow, "it does not fit")
                .with(Paint::Plain, format_args!(": {needed} are needed, {free} are free here")),
        );
    }
    lines
}

/// The first names, and how many more.
fn named(paths: &[RelPath], number: u64) -> String {
    let shown = paths.iter().take(3).map(|it| text::shorten(it.as_str(), 40).into_owned());
    let mut names = shown.collect::<Vec<_>>().join(", ");
    let more = number.saturating_sub(3);
    if more > 0 {
        names.push_str(&format!(" and {} more", text::count(more)));
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::event::Preview;
    use crate::ui::tree::{lines, surprises};
    use crate::wire::path::RelPath;
    use crate::wire::peer::{Entry, EntryKind, Mtime, Offer, OfferItem, Totals};

    fn entry(path: &str) -> Entry {
        let mtime = Mtime::default();
        let kind = match path.strip_suffix('/') {
            Some(_) => EntryKind::Folder { mtime },
            None => EntryKind::File { size: 1024, mtime, executable: false },
        };
        Entry { path: RelPath::parse(path.trim_end_matches('/')).unwrap(), kind }
    }

    fn shown(tops: &[&str], paths: &[String], complete: bool) -> Vec<String> {
        let item = |name: &&str| OfferItem {
            name: RelPath::parse(name.trim_end_matches('/')).unwrap(),
            folder: name.ends_with('/'),
            size: 1024,
        };
        let items = tops.iter().map(item).collect();
        let offer = Offer { items, more: 0, totals: Totals::default() };
        let entries = paths.iter().map(|it| entry(it)).collect();
        let preview = Preview { entries, complete, ..Preview::default() };
        let render = |line: &crate::ui::line::Line| {
            let mut out = String::new();
            line.render(false, &mut out);
            out
        };
        lines(&offer, &preview, 80).iter().map(render).collect()
    }

    #[test]
    fn a_small_tree_is_shown_whole() {
        let paths = ["t/a", "t/b/c", "t/b/", "t/e/", "t/", "x"].map(str::to_owned);
        assert_eq!(
            shown(&["t/", "x"], &paths, true),
            ["  t/", "    a  1.0 KiB", "    b/", "      c  1.0 KiB", "    e/", "  x  1.0 KiB"]
        );
    }

    #[test]
    fn a_deep_tree_is_cut_and_counted() {
        let paths: Vec<_> =
            (0..30).map(|it| format!("t/b/{it}")).chain(["t/b/".into(), "t/".into()]).collect();
        assert_eq!(shown(&["t/"], &paths, true), ["  t/", "    b/  30 files, 30.0 KiB"]);
        let few = shown(&["t/"], &paths[..2], false);
        assert_eq!(few, ["  t/", "    b/", "      0  1.0 KiB", "      1  1.0 KiB"]);
    }

    #[test]
    fn a_wide_tree_shows_its_first_names() {
        let paths: Vec<_> = (0..300).map(|it| format!("t/{it:03}")).collect();
        let lines = shown(&["t/"], &paths, false);
        assert_eq!((lines.len(), lines[1].as_str()), (21, "    000  1.0 KiB"));
        assert_eq!(lines[20], "    and at least 281 more");
    }

    #[test]
    fn what_is_in_the_way_and_what_hides_is_told() {
        let taken: Vec<_> = ["a", "b", "c"].map(|it| RelPath::parse(it).unwrap()).into();
        let entries = vec![entry(".profile"), entry("t/.x")];
        let (needed_bytes, free_bytes) = (Some(4 << 20), Some(1 << 20));
        let lack = Preview { needed_bytes, free_bytes, lacking_bytes: 3 << 20, ..Preview::default() };
        let preview = Preview { entries, taken, taken_count: 5, alike: 2, ..lack };
        let told: Vec<_> = surprises(&preview)
            .iter()
            .map(|line| {
                let mut out = String::new();
                line.render(false, &mut out);
                out
            })
            .collect();
        assert_eq!(
            told,
            [
                "5 names are taken here: a, b, c and 2 more",
                "1 hidden name: .profile",
                "2 files of this size and time here already, to be compared",
                "it does not fit: 4.0 MiB are needed, 1.0 MiB are free here"
            ]
        );
    }
}

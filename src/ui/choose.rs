//! Choosing from an offer: its entries by number, page by page, and an answer such as `1 3-5` or a glob.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::event::Preview;
use crate::fs::{Glob, Globs};
use crate::ui::line::{Line, Paint};
use crate::ui::screen::Screen;
use crate::ui::{prompt, text};
use crate::wire::peer::EntryKind;

/// Rows of a list: an offer whose paths have many folders makes no more of them.
const MOST_ROWS: usize = 2000;

/// Stands between the parts of a path: less than whatever a name has, so that what a folder holds comes right after it.
const BETWEEN: &str = "\0";

/// Lines of a page where nobody knows the terminal's.
const LEAST_PAGE: usize = 5;

/// Lines of a page that the question and its answer take.
const BESIDE_A_PAGE: usize = 3;

/// What can be chosen by its number.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    folder: bool,
    files: u64,
    bytes: u64,
}

/// The list, sorted by path: what a folder holds comes after it.
struct List {
    /// Paths with [`BETWEEN`] for `/`.
    rows: Vec<(String, Row)>,
    complete: bool,
}

/// Whether there is something to choose from.
pub(super) fn is_worth_it(preview: &Preview) -> bool {
    let folder = |kind: &EntryKind| matches!(kind, EntryKind::Folder { .. });
    preview.choosable && preview.entries.iter().filter(|it| !folder(&it.kind)).nth(1).is_some()
}

/// Has the person choose. `None` when they choose nothing.
pub(super) fn choose(screen: &Screen, preview: &Preview, input: &mut dyn BufRead) -> Option<Globs> {
    let list = List::of(preview);
    let page = screen.rows().saturating_sub(BESIDE_A_PAGE).max(LEAST_PAGE);
    let mut shown = 0;
    loop {
        let lines: Vec<Line> = (shown..list.rows.len()).take(page).filter_map(|at| list.line(at)).collect();
        shown += lines.len();
        screen.print(&lines);
        let more = list.rows.len() - shown;
        if more == 0 && !list.complete {
            screen.print(&[Line::plain("more is to come that is not listed; globs choose from all of it")]);
        }
        let question = match more {
            0 => "which? (like 1 3-5, or globs) ".to_owned(),
            more => {
                format!("which? (like 1 3-5, or globs; Enter shows more of {}) ", text::count(more as u64))
            }
        };
        loop {
            let typed = prompt::line(screen, &question, input)?;
            if typed.is_empty() && more > 0 {
                break;
            }
            if typed.is_empty() {
                return None;
            }
            match list.chosen(&typed) {
                Ok(chosen) => return Some(chosen),
                Err(sentence) => screen.print(&[Line::warning(sentence)]),
            }
        }
    }
}

impl List {
    fn of(preview: &Preview) -> Self {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        let mut complete = preview.complete;
        for entry in &preview.entries {
            let path = entry.path.as_str().replace('/', BETWEEN);
            let folder = matches!(entry.kind, EntryKind::Folder { .. });
            let ends = path.match_indices(BETWEEN).map(|(end, _)| end).chain([path.len()]);
            for end in ends {
                let Some(part) = path.get(..end) else { continue };
                let full = rows.len() >= MOST_ROWS;
                let row = match rows.get_mut(part) {
                    Some(row) => row,
                    None if full => {
                        complete = false;
                        break;
                    }
                    None => rows.entry(part.to_owned()).or_default(),
                };
                row.folder |= folder || end < path.len();
                row.files += u64::from(entry.kind.is_file());
                row.bytes = row.bytes.saturating_add(entry.kind.size());
            }
        }
        Self { rows: rows.into_iter().collect(), complete }
    }

    fn line(&self, at: usize) -> Option<Line> {
        let (path, row) = self.rows.get(at)?;
        let width = self.rows.len().to_string().len();
        let (slash, amount) = match row.folder {
            true => {
                let least = if self.complete { "" } else { "at least " };
                let files = text::counted(row.files, "file");
                ("/", format!("{least}{files}, {}", text::bytes(row.bytes)))
            }
            false => ("", text::bytes(row.bytes)),
        };
        let name = text::shorten(&text::sanitise(&path.replace(BETWEEN, "/")), 60).into_owned();
        let line = Line::plain(format_args!("{:>width$}  ", at + 1));
        Some(
            line.with(Paint::Bold, format_args!("{name}{slash}"))
                .with(Paint::Plain, format_args!("  {amount}")),
        )
    }

    /// What was typed, as globs; or what is wrong with it.
    fn chosen(&self, typed: &str) -> Result<Globs, String> {
        let mut globs = Vec::new();
        for part in typed.split([' ', '\t', ',']).filter(|it| !it.is_empty()) {
            match numbers(part) {
                Some((first, last)) => {
                    let there = first >= 1 && first <= last;
                    let chosen = there.then(|| self.rows.get(first - 1..last)).flatten();
                    let chosen = chosen.ok_or_else(|| format!("the numbers are 1 to {}", self.rows.len()))?;
                    for (path, row) in chosen {
                        globs.push(exactly(path, row.folder)?);
                    }
                }
                None => globs.push(part.parse::<Glob>().map_err(|error| format!("`{part}`: {error}"))?),
            }
        }
        match globs.is_empty() {
            true => Err("there is no number and no glob in that".to_owned()),
            false => Globs::new(&globs).map_err(|error| error.to_string()),
        }
    }
}

/// `3` or `3-5`.
fn numbers(part: &str) -> Option<(usize, usize)> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// A glob that matches this path, and what lies in it, and nothing else.
fn exactly(path: &str, folder: bool) -> Result<Glob, String> {
    let mut glob = String::new();
    for part in path.split(BETWEEN) {
        glob.push('/');
        for c in part.chars() {
            match c {
                '\\' | '*' | '?' | '[' | ']' | '{' | '}' => glob.extend(['\\', c]),
                // At the end it would not count.
                c if c.is_whitespace() => glob.extend(['{', c, '}']),
                c => glob.push(c),
            }
        }
    }
    glob.push_str(if folder { "/" } else { "" });
    glob.parse().map_err(|error| format!("`{}` cannot be chosen: {error}", path.replace(BETWEEN, "/")))
}

/// How much of what is known was chosen: `3 files, 1.2 MiB`.
pub(super) fn amount(preview: &Preview, chosen: &Globs) -> Line {
    let (mut files, mut bytes) = (0, 0_u64);
    for entry in preview.entries.iter().filter(|it| it.kind.is_file() && chosen.choose(&it.path)) {
        files += 1;
        bytes = bytes.saturating_add(entry.kind.size());
    }
    let least = if preview.complete { "" } else { "at least " };
    Line::plain(format_args!("chosen: {least}{}, {}", text::counted(files, "file"), text::bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use crate::event::Preview;
    use crate::ui::choose::{List, amount, choose, is_worth_it};
    use crate::ui::testing::Captured;
    use crate::wire::path::RelPath;
    use crate::wire::peer::{Entry, EntryKind, Mtime};

    fn preview(paths: &[&str]) -> Preview {
        let mtime = Mtime::default();
        let entry = |path: &&str| Entry {
            path: RelPath::parse(path.trim_end_matches('/')).unwrap(),
            kind: match path.ends_with('/') {
                true => EntryKind::Folder { mtime },
                false => EntryKind::File { size: 1024, mtime, executable: false },
            },
        };
        let entries = paths.iter().map(entry).collect();
        Preview { entries, complete: true, choosable: true, ..Preview::default() }
    }

    fn kept(paths: &[&str], typed: &str) -> Result<Vec<String>, String> {
        let preview = preview(paths);
        let chosen = List::of(&preview).chosen(typed)?;
        let kept = preview.entries.iter().filter(|it| it.kind.is_file() && chosen.choose(&it.path));
        Ok(kept.map(|it| it.path.to_string()).collect())
    }

    const PATHS: [&str; 6] = ["t/b/c", "t/b/d", "t/b/", "t/a", "t/", "x"];

    #[test]
    fn numbers_ranges_and_globs_choose() {
        // 1 t/  2 t/a  3 t/b/  4 t/b/c  5 t/b/d  6 x
        for (typed, expected) in [
            ("6", &["x"][..]),
            ("3", &["t/b/c", "t/b/d"]),
            ("1", &["t/b/c", "t/b/d", "t/a"]),
            ("2 4-5", &["t/b/c", "t/b/d", "t/a"]),
            ("5,6", &["t/b/d", "x"]),
            ("c x", &["t/b/c", "x"]),
            ("b/", &["t/b/c", "t/b/d"]),
        ] {
            assert_eq!(kept(&PATHS, typed).unwrap(), expected, "{typed}");
        }
        for bad in ["0", "7", "3-9", "5-4", " , ", "[a", "18446744073709551615"] {
            assert!(kept(&PATHS, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_means_its_entry_whatever_that_is_called() {
        for name in ["a*", "[x]", "{a,b}", "!n", "#n", "b\\c", "end ", "nb\u{a0}", "a?", "~", "-1", " s"] {
            let paths = [name, "ab", "x", "n", "a", "end", "nb", "bc"];
            let number = 1 + List::of(&preview(&paths)).rows.iter().position(|(it, _)| it == name).unwrap();
            assert_eq!(kept(&paths, &number.to_string()).unwrap(), [name], "{name:?}");
        }
        assert_eq!(kept(&["d/x", "e/d/x"], "1").unwrap(), ["d/x"], "a name deeper down is another one");
    }

    #[test]
    fn a_long_list_is_paged_and_an_answer_ends_it() {
        let paths: Vec<_> = (100..400).map(|it| format!("t/{it}")).collect();
        let preview = preview(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        let (screen, captured) = Captured::screen();
        let chosen = choose(&screen, &preview, &mut "\nnonsense[\n2\n".as_bytes()).unwrap();
        let mut amount_shown = String::new();
        amount(&preview, &chosen).render(false, &mut amount_shown);
        assert_eq!(amount_shown, "chosen: 1 file, 1.0 KiB");
        let shown = captured.text();
        assert!(shown.starts_with("  1  t/  300 files, 300.0 KiB\n  2  t/100  1.0 KiB\n"), "{shown}");
        assert_eq!(shown.matches("Enter shows more").count(), 3, "{shown}");
        assert!(shown.contains("warning: `nonsense[`") && !shown.contains("t/399"), "{shown}");
        assert!(choose(&screen, &preview, &mut std::io::empty()).is_none());
    }

    #[test]
    fn one_file_is_no_choice() {
        assert!(!is_worth_it(&preview(&["t/a", "t/"])) && is_worth_it(&preview(&PATHS)));
        assert!(!is_worth_it(&Preview { choosable: false, ..preview(&PATHS) }));
    }

    /// Paths of a thousand folders each.
    #[test]
    fn a_hostile_offer_makes_no_endless_list() {
        let deep: Vec<_> = (0..100).map(|it| format!("{it}/{}", "d/".repeat(1000))).collect();
        let paths: Vec<_> = deep.iter().map(String::as_str).collect();
        let list = List::of(&preview(&paths));
        assert!(list.rows.len() == super::MOST_ROWS && !list.complete);
    }

    /// They share all their folders, each of which is looked up for each of them.
    #[test]
    fn a_hostile_offer_is_listed_at_once() {
        let deep: Vec<_> = (0..500).map(|it| format!("{}{it}", "d/".repeat(2040))).collect();
        let paths: Vec<_> = deep.iter().map(String::as_str).collect();
        let list = List::of(&preview(&paths));
        assert!(list.rows.len() == super::MOST_ROWS && !list.complete);
        assert_eq!(list.rows[0].1.files, 500);
    }
}

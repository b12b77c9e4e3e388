//! What would be sent, for people and for programs: on stdout a line for each entry, its bytes, a tab and its name.

use std::io::{self, Write};

use crate::ui::{Reporter, Verbosity, report, text};
use crate::wire::peer::{Entry, EntryKind, OfferItem, Totals};

impl Reporter {
    /// Prints entries on stdout: `1234⇥photos/a.jpg`; a folder has `-` for a size and ends in a slash, a link has its target
    /// behind an arrow.
    ///
    /// # Errors
    /// When stdout cannot be written to.
    pub fn print_entries(&self, entries: &[Entry]) -> io::Result<()> {
        let mut lines = String::new();
        entries.iter().for_each(|it| line(it, &mut lines));
        let mut stdout = io::stdout().lock();
        stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush())
    }

    /// What all of it comes to: `would send photos/ (1,234 files, 1.2 GiB)`.
    pub fn would_send(&self, items: &[OfferItem], more: u32, totals: &Totals) {
        self.say(Verbosity::Normal, report::sending("would send", items, more, totals));
    }
}

fn line(entry: &Entry, lines: &mut String) {
    let path = text::sanitise(entry.path.as_str());
    let line = match &entry.kind {
        EntryKind::File { size, .. } => format!("{size}\t{path}\n"),
        EntryKind::Stream { .. } => format!("?\t{path}\n"),
        EntryKind::Folder { .. } => format!("-\t{path}/\n"),
        EntryKind::Link { target } => format!("-\t{path} -> {}\n", text::sanitise(target.as_str())),
    };
    lines.push_str(&line);
}

#[cfg(test)]
mod tests {
    use crate::ui::listing::line;
    use crate::wire::path::{LinkTarget, RelPath};
    use crate::wire::peer::{Entry, EntryKind, Mtime};

    #[test]
    fn each_kind_of_entry_has_its_line() {
        let path = || RelPath::parse("t/ü b").unwrap();
        let mtime = Mtime::default();
        let mut lines = String::new();
        for kind in [
            EntryKind::File { size: 1234, mtime, executable: false },
            EntryKind::Folder { mtime },
            EntryKind::Link { target: LinkTarget::parse("c").unwrap() },
        ] {
            line(&Entry { path: path(), kind }, &mut lines);
        }
        assert_eq!(lines, "1234\tt/ü b\n-\tt/ü b/\n-\tt/ü b -> c\n");
    }
}

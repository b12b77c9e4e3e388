//! A text that was received: as it is where stdout is a pipe or a file, harmless where it is a terminal.

use std::io::{self, IsTerminal};

use crate::ui::{Reporter, text};
use crate::wire::peer::OfferItem;

impl Reporter {
    /// Remembers that it is about a text, and nothing else.
    pub(super) fn note_text(&self, items: &[OfferItem], more: u32) {
        if let (Some(characters), 0) = (only_text(items), more) {
            self.inner.text.set(characters).ok();
        }
    }

    /// Shows a text.
    pub(super) fn show_text(&self, shown: &str) {
        self.inner.screen.clear();
        let written = match io::stdout().is_terminal() {
            true => self.data(for_a_terminal(shown).as_bytes()),
            false => self.data(shown.as_bytes()),
        };
        if let Err(error) = written {
            self.warning(&format!("the text could not be written: {error}"));
        }
    }
}

/// The characters of the text that is all there is.
pub(super) fn only_text(items: &[OfferItem]) -> Option<u64> {
    match items {
        [item] => item.text(),
        _ => None,
    }
}

/// With its lines and tabs, and nothing else that could change a terminal.
fn for_a_terminal(shown: &str) -> String {
    let mut safe = String::with_capacity(shown.len() + 1);
    for line in shown.lines() {
        let mut first = true;
        for part in line.split('\t') {
            if !std::mem::take(&mut first) {
                safe.push('\t');
            }
            safe.push_str(&text::sanitise(part));
        }
        safe.push('\n');
    }
    safe
}

#[cfg(test)]
mod tests {
    use crate::ui::note::for_a_terminal;

    #[test]
    fn lines_and_tabs_stay_and_nothing_else_reaches_a_terminal() {
        for (text, expected) in [
            ("hello", "hello\n"),
            ("a\r\n\tb\t\n", "a\n\tb\t\n"),
            (
                "\u{1b}[2Jx\u{9b}\u{202e}y\rz\u{7f}\u{2028}",
                "\\u{1b}[2Jx\\u{9b}\\u{202e}y\\rz\\u{7f}\\u{2028}\n",
            ),
        ] {
            assert_eq!(for_a_terminal(text), expected);
        }
        assert_eq!(for_a_terminal(&"x".repeat(5000)).len(), 5001, "a long line is not cut");
    }
}

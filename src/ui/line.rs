//! One line of output, safe by construction.
//!
//! A [`Line`] sanitises everything that is put into it, and [`crate::ui::screen::Screen`] shows
//! nothing but lines: no name from a peer, a server or a disk can reach the terminal raw.

use std::fmt::Display;

use crate::ui::text;

/// Most columns of one piece of text; what is longer loses its middle.
///
/// A server or peer may send up to 64 KiB in one frame, which would flood the screen.
const LONGEST_PIECE: usize = 1000;

/// How a piece of text looks where colour is allowed. Nothing is said by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Yellow,
    Green,
    Cyan,
    /// Bright white on black, whatever the terminal's own colours are: a QR code's light parts are drawn.
    Code,
}

impl Paint {
    /// Parameters of the SGR sequence (ECMA-48 §8.3.117); empty for none.
    fn parameters(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "1;31",
            Self::Yellow => "33",
            Self::Green => "32",
            Self::Cyan => "36",
            Self::Code => "97;40",
        }
    }
}

/// A line of painted pieces without line end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pieces: Vec<(Paint, String)>,
}

impl Line {
    /// A line of plain text.
    pub(crate) fn plain(text: impl Display) -> Self {
        Self::default().with(Paint::Plain, text)
    }

    /// `warning: ` and a text.
    pub(crate) fn warning(text: impl Display) -> Self {
        Self::default().with(Paint::Yellow, "warning:").with(Paint::Plain, format_args!(" {text}"))
    }

    /// This line and one more piece.
    pub(crate) fn with(mut self, paint: Paint, text: impl Display) -> Self {
        let raw = text.to_string();
        let safe = text::sanitise(&raw);
        self.pieces.push((paint, text::shorten(&safe, LONGEST_PIECE).into_owned()));
        self
    }

    /// Puts another line's pieces behind this one's.
    pub(crate) fn append(&mut self, line: Self) {
        self.pieces.extend(line.pieces);
    }

    /// Columns it takes.
    #[cfg(test)]
    pub(crate) fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text::width(text)).sum()
    }

    /// Appends it to `out`, with escape sequences only when `colour` says so.
    pub(crate) fn render(&self, colour: bool, out: &mut String) {
        for (paint, text) in &self.pieces {
            match paint.parameters() {
                "" => out.push_str(text),
                _ if !colour => out.push_str(text),
                parameters => {
                    out.push_str("\x1b[");
                    out.push_str(parameters);
                    out.push('m');
                    out.push_str(text);
                    out.push_str("\x1b[0m");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(line: &Line, colour: bool) -> String {
        let mut out = String::new();
        line.render(colour, &mut out);
        out
    }

    #[test]
    fn colour_is_added_around_text_only_where_allowed() {
        let line = Line::default().with(Paint::Red, "error:").with(Paint::Plain, " no");
        assert_eq!(rendered(&line, false), "error: no");
        assert_eq!(rendered(&line, true), "\x1b[1;31merror:\x1b[0m no");
        assert_eq!(line.width(), 9);
    }

    #[test]
    fn no_piece_brings_its_own_escapes_or_line_ends() {
        let line = Line::plain("a\x1b[31m\r\n\u{202e}b").with(Paint::Bold, "\u{9b}2J");
        assert_eq!(rendered(&line, false), "a\\u{1b}[31m\\r\\n\\u{202e}b\\u{9b}2J");
    }

    #[test]
    fn a_flood_is_cut() {
        assert_eq!(Line::plain("x".repeat(70_000)).width(), LONGEST_PIECE);
    }
}

//! A code beside its text: for a camera, as a QR code, and for the clipboard.

use qrcode::{Color, EcLevel, QrCode};

use crate::ui::clipboard::{self, Tool};
use crate::ui::line::{Line, Paint};
use crate::ui::screen::{Mode, Screen};
use crate::ui::text;

/// Light modules around a QR code, without which cameras do not find it (ISO/IEC 18004 asks for four).
const QUIET: usize = 4;

/// How codes are shown beside their text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// The line for the other side as a QR code.
    pub qr: bool,
    /// The same line on the clipboard, if the desktop or the terminal does such things.
    pub copy: bool,
    /// Whether the locale has the characters of which a QR code is drawn.
    pub utf8: bool,
}

impl Extras {
    /// Shows what was asked for, or says why not.
    pub(super) fn show(self, screen: &Screen, receive_line: &str) {
        self.show_with(screen, receive_line, clipboard::TOOLS);
    }

    fn show_with(self, screen: &Screen, receive_line: &str, tools: &'static [Tool]) {
        let terminal = screen.mode() == Mode::Live;
        if self.qr {
            screen.print(&match terminal && self.utf8 {
                true => qr_lines(receive_line, screen.columns()),
                false => vec![Line::warning("no QR code: that needs a terminal that shows UTF-8")],
            });
        }
        if self.copy {
            // Both: the terminal may be on another machine than the desktop that is found here.
            screen.put_on_clipboard(receive_line);
            let putting = clipboard::put(receive_line, tools);
            screen.print(&[match (putting.succeeds(), terminal) {
                (true, _) => Line::plain("that line is on the clipboard too"),
                (false, true) => Line::plain(
                    "the terminal was asked to put that line on the clipboard; not every one does",
                ),
                (false, false) => Line::warning("not on the clipboard: that needs a terminal or a desktop"),
            }]);
        }
    }
}

/// A QR code in lines of half blocks, two modules in a character; or why there is none.
fn qr_lines(content: &str, columns: usize) -> Vec<Line> {
    let Ok(qr) = QrCode::with_error_correction_level(content, EcLevel::L) else {
        return vec![Line::warning("no QR code: the line is too long for one")];
    };
    let rows = half_blocks(&qr);
    let needed = rows.first().map_or(0, |row| text::width(row));
    if needed > columns {
        return vec![Line::warning(format_args!("no QR code: that needs a terminal of {needed} columns"))];
    }
    rows.iter().map(|row| Line::default().with(Paint::Code, row)).collect()
}

/// Light modules are drawn and dark ones are left out, as terminals are dark more often than not; where there is
/// colour, [`Paint::Code`] makes it so.
fn half_blocks(qr: &QrCode) -> Vec<String> {
    let width = qr.width();
    let modules = qr.to_colors();
    let is_light = |x: usize, y: usize| {
        let (x, y) = (x.wrapping_sub(QUIET), y.wrapping_sub(QUIET));
        x >= width || y >= width || modules.get(y * width + x) != Some(&Color::Dark)
    };
    let side = width + 2 * QUIET;
    let block = |x, y| match (is_light(x, y), y + 1 < side && is_light(x, y + 1)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    (0..side).step_by(2).map(|y| (0..side).map(|x| block(x, y)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::testing::Captured;

    const LINE: &str = "p2pcp recv 417-aloe-tuba";

    fn rendered(lines: &[Line]) -> Vec<String> {
        let render = |line: &Line| {
            let mut out = String::new();
            line.render(false, &mut out);
            out
        };
        lines.iter().map(render).collect()
    }

    /// The corners of a QR code's finder patterns, and the light margin around it, are where they belong.
    #[test]
    fn a_qr_code_has_a_margin_and_its_three_corners() {
        let qr = QrCode::with_error_correction_level(LINE, EcLevel::L).unwrap();
        let rows: Vec<Vec<char>> = half_blocks(&qr).iter().map(|row| row.chars().collect()).collect();
        let side = qr.width() + 2 * QUIET;
        assert!(rows.iter().all(|row| row.len() == side));
        assert_eq!(rows.len(), side.div_ceil(2));
        let light = |x: usize, y: usize| match y % 2 {
            0 => "█▀".contains(rows[y / 2][x]),
            _ => "█▄".contains(rows[y / 2][x]),
        };
        for at in 0..side {
            for edge in [0, 1, 2, 3, side - 4, side - 1] {
                assert!(light(at, edge) && light(edge, at), "{at} {edge}");
            }
        }
        for (x, y) in [(0, 0), (qr.width() - 7, 0), (0, qr.width() - 7)] {
            for at in 0..7 {
                assert!(!light(QUIET + x + at, QUIET + y) && !light(QUIET + x, QUIET + y + at));
            }
            assert!(light(QUIET + x + 1, QUIET + y + 1) && !light(QUIET + x + 3, QUIET + y + 3));
        }
    }

    #[test]
    fn a_narrow_terminal_and_a_long_line_have_no_qr_code() {
        assert_eq!(
            rendered(&qr_lines(LINE, 32)),
            ["warning: no QR code: that needs a terminal of 33 columns"]
        );
        assert!(qr_lines(LINE, 33).len() > 10);
        let long = rendered(&qr_lines(&"x".repeat(5000), 300));
        assert_eq!(long, ["warning: no QR code: the line is too long for one"]);
    }

    #[test]
    fn what_is_no_terminal_gets_sentences_and_no_escapes() {
        let (screen, captured) = Captured::screen();
        Extras { qr: true, copy: true, utf8: true }.show_with(&screen, LINE, &[]);
        assert_eq!(
            captured.text(),
            "warning: no QR code: that needs a terminal that shows UTF-8\n\
             warning: not on the clipboard: that needs a terminal or a desktop\n"
        );
        let (screen, captured) = Captured::screen();
        Extras { copy: true, ..Extras::default() }.show_with(&screen, LINE, &[&["cat"]]);
        assert_eq!(captured.text(), "that line is on the clipboard too\n");
    }

    #[test]
    fn the_clipboard_gets_the_line_in_base64() {
        let captured = Captured::default();
        let screen = Screen::new(Mode::Live, false, Box::new(captured.clone()));
        Extras { copy: true, ..Extras::default() }.show_with(&screen, "p2pcp recv 417-a\x07", &[]);
        assert!(captured.text().starts_with("\x1b]52;c;cDJwY3AgcmVjdiA0MTctYQc=\x07the terminal was asked"));
        Extras { qr: true, utf8: false, copy: false }.show_with(&screen, LINE, &[]);
        assert!(captured.text().ends_with("a terminal that shows UTF-8\n"));
    }
}

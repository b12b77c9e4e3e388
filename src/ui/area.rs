//! The live area as a terminal holds it: rows that each end by themselves.
//!
//! indicatif fills each row up to the right edge, and to a terminal that reflows all rows are one long line then: when it
//! is resized, what stands there is spread over other rows than indicatif goes back over. Here each row ends where its text does, so
//! a wider terminal leaves all as it is, and a narrower one breaks each row by itself, which can be counted.

use std::io;
use std::sync::{Mutex, PoisonError};

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// Where indicatif draws on stderr, if that is a terminal.
pub(super) fn on_stderr(frames_per_second: u8) -> ProgressDrawTarget {
    let term = Term::buffered_stderr();
    // Asked also because on Windows this has the terminal understand escape sequences.
    if !term.is_term() || (!term.features().colors_supported() && cfg!(windows)) {
        return ProgressDrawTarget::stderr_with_hz(frames_per_second);
    }
    let area = Area { term, rows: Mutex::default() };
    ProgressDrawTarget::term_like_with_hz(Box::new(area), frames_per_second)
}

#[derive(Debug)]
struct Area {
    term: Term,
    rows: Mutex<Rows>,
}

/// What is shown, and what comes in its place.
#[derive(Debug, Default)]
struct Rows {
    /// Widths of the rows that are shown; the cursor is at the beginning of the last.
    shown: Vec<usize>,
    /// What the terminal was as wide as then.
    columns: usize,
    next: Vec<String>,
    /// The row was written, and its filling is to come.
    filling: bool,
}

impl Rows {
    /// Takes what indicatif writes: by turns a row, and what fills it up.
    fn write(&mut self, text: &str) {
        if !self.filling {
            self.next.push(text.to_owned());
        }
        self.filling = !self.filling;
    }

    /// What puts the rows that were written in the place of those that are shown, on a terminal that has
    /// broken these into `columns` by now.
    fn frame(&mut self, columns: usize) -> String {
        let height = |width: &usize| width.div_ceil(columns.max(1)).max(1);
        let above: usize = self.shown.iter().rev().skip(1).map(height).sum();
        let next = std::mem::take(&mut self.next);
        self.filling = false;
        self.shown = next.iter().map(|it| console::measure_text_width(it)).collect();
        let up = if above > 0 { format!("\x1b[{above}A") } else { String::new() };
        let rows: Vec<String> = next.into_iter().map(|row| row + "\x1b[K").collect();
        // Rows that were one must be erased: tmux takes them for one still, whatever is written over them.
        let erase = if std::mem::replace(&mut self.columns, columns) == columns { "" } else { "\x1b[J" };
        let back = if rows.is_empty() { "" } else { "\r" };
        format!("\r{up}{erase}{}\x1b[J{back}", rows.join("\r\n"))
    }
}

/// Of the cursor it keeps account itself.
impl TermLike for Area {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).write(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let columns = usize::from(self.width());
        let frame = self.rows.lock().unwrap_or_else(PoisonError::into_inner).frame(columns);
        self.term.write_str(&frame)?;
        self.term.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    fn drawn(rows: &mut Rows, lines: &[&str], columns: usize) -> String {
        for line in lines {
            rows.write(line);
            rows.write(&" ".repeat(columns.saturating_sub(line.len())));
        }
        rows.frame(columns)
    }

    #[test]
    fn a_row_ends_where_its_text_does_and_takes_the_place_of_the_last() {
        let mut rows = Rows { columns: 10, ..Rows::default() };
        assert_eq!(drawn(&mut rows, &["one", "two"], 10), "\rone\x1b[K\r\ntwo\x1b[K\x1b[J\r");
        assert_eq!(drawn(&mut rows, &["1"], 10), "\r\x1b[1A1\x1b[K\x1b[J\r");
        assert_eq!(drawn(&mut rows, &["1", "", "3"], 10), "\r1\x1b[K\r\n\x1b[K\r\n3\x1b[K\x1b[J\r");
        assert_eq!(drawn(&mut rows, &[], 10), "\r\x1b[2A\x1b[J");
        assert_eq!(drawn(&mut rows, &[], 10), "\r\x1b[J", "nothing is left to go back over");
    }

    #[test]
    fn rows_that_a_narrower_terminal_broke_are_counted_each() {
        let mut rows = Rows::default();
        drawn(&mut rows, &["\x1b[1m0123456789\x1b[0m", "012345", "0123456789"], 20);
        // 4 + 2 rows above the last, where the cursor is.
        assert_eq!(drawn(&mut rows, &["x"], 3), "\r\x1b[6A\x1b[Jx\x1b[K\x1b[J\r");
        drawn(&mut rows, &["012", "3"], 10);
        assert_eq!(
            drawn(&mut rows, &["x"], 80),
            "\r\x1b[1A\x1b[Jx\x1b[K\x1b[J\r",
            "a wider one joins nothing"
        );
        drawn(&mut rows, &["012", "3"], 10);
        assert_eq!(drawn(&mut rows, &[], 0), "\r\x1b[3A\x1b[J\x1b[J", "no width at all");
    }
}

//! Questions to the person at the terminal.
//!
//! Both ends of a question must be terminals: one that nobody sees, or whose answer comes from a
//! pipe, is not asked. Reading blocks and cannot be called off, so callers in an async program ask
//! on a `std::thread` of their own and let it die with the process.

use std::io::{self, BufRead, IsTerminal, Read};

use crate::ui::line::{Line, Paint};
use crate::ui::screen::Screen;

/// Longest answer in bytes; what comes after it is left unread.
const LONGEST_ANSWER: u64 = 4096;

/// Whether somebody can be asked: stdin and stderr are both terminals.
pub(crate) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Drops what was typed before the question was there: it cannot be an answer to it.
pub(crate) fn forget_type_ahead() {
    #[cfg(unix)]
    rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush).ok();
}

/// Asks a question that only `y` and `yes` answer with yes; a bare Enter and the end of input mean no.
pub(crate) fn agreed(screen: &Screen, question: &str, input: &mut dyn BufRead) -> bool {
    screen.question(&Line::default().with(Paint::Bold, question).with(Paint::Plain, " [y/N] "));
    matches!(answer(screen, input).map(|it| it.to_lowercase()).as_deref(), Some("y" | "yes"))
}

/// What a person says to an offer of which some can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Yes,
    No,
    Choose,
}

/// Asks as [`agreed`] does; `c` means that the person wants to choose.
pub(crate) fn agreed_or_choosing(screen: &Screen, question: &str, input: &mut dyn BufRead) -> Said {
    screen.question(&Line::default().with(Paint::Bold, question).with(Paint::Plain, " [y/N, c to choose] "));
    match answer(screen, input).map(|it| it.to_lowercase()).as_deref() {
        Some("y" | "yes") => Said::Yes,
        Some("c" | "choose") => Said::Choose,
        Some(_) | None => Said::No,
    }
}

/// Asks for a line. `None` at the end of input.
pub(crate) fn line(screen: &Screen, question: &str, input: &mut dyn BufRead) -> Option<String> {
    screen.question(&Line::default().with(Paint::Bold, question));
    answer(screen, input)
}

/// Asks for the code. `None` when nothing was typed.
pub(crate) fn code(screen: &Screen, input: &mut dyn BufRead) -> Option<String> {
    screen.question(&Line::default().with(Paint::Bold, "code:").with(Paint::Plain, " "));
    answer(screen, input).filter(|it| !it.is_empty())
}

/// One line without the space around it; `None` at the end of input, on a read error, or when it is
/// not UTF-8.
fn answer(screen: &Screen, input: &mut dyn BufRead) -> Option<String> {
    let mut line = String::new();
    let read = input.take(LONGEST_ANSWER).read_line(&mut line);
    screen.answered(line.ends_with('\n'));
    match read {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::testing::Captured;

    #[test]
    fn only_yes_means_yes() {
        for (typed, expected) in
            [("y\n", true), (" YES \r\n", true), ("\n", false), ("n\n", false), ("yep\n", false), ("", false)]
        {
            let (screen, _) = Captured::screen();
            assert_eq!(agreed(&screen, "receive this?", &mut typed.as_bytes()), expected, "{typed:?}");
        }
    }

    #[test]
    fn a_question_that_ends_without_enter_gets_its_line_end() {
        let (screen, captured) = Captured::screen();
        agreed(&screen, "receive this?", &mut io::empty());
        screen.print(&[Line::plain("next")]);
        assert_eq!(captured.text(), "receive this? [y/N] \nnext\n");
    }

    #[test]
    fn a_line_that_breaks_into_a_question_starts_on_its_own() {
        let (screen, captured) = Captured::screen();
        screen.question(&Line::plain("well? "));
        screen.print(&[Line::plain("error: gone")]);
        screen.answered(false);
        assert_eq!(captured.text(), "well? \nerror: gone\n");
    }

    #[test]
    fn a_code_is_trimmed_and_may_be_left_out() {
        let (screen, captured) = Captured::screen();
        assert_eq!(code(&screen, &mut " 417 aloe tuba\n".as_bytes()).as_deref(), Some("417 aloe tuba"));
        assert_eq!(code(&screen, &mut "  \n".as_bytes()), None);
        assert_eq!(code(&screen, &mut &b"\xff\n"[..]), None);
        assert!(captured.text().starts_with("code: "));
    }

    #[test]
    fn an_endless_line_is_not_read_to_its_end() {
        let (screen, _) = Captured::screen();
        let typed = code(&screen, &mut io::BufReader::new(io::repeat(b'x'))).unwrap();
        assert_eq!(typed.len() as u64, LONGEST_ANSWER);
    }
}

//! The question for a code at a terminal that can move its cursor: Tab completes what a code is made of.
//!
//! The line editor is `rustyline`, on the terminal itself. It keeps no history: a code is a secret.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::completion::Completer;
use rustyline::config::{Behavior, BellStyle, ColorMode, Config};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Context, Editor, Helper};

use crate::code::words;
use crate::wire::signaling::Nameplate;

/// The question.
const QUESTION: &str = "code: ";

/// Letters from which on a word is shown ahead of its writer: fewer are no word's alone.
const LEAST_LETTERS: usize = words::PREFIX_LETTERS;

/// What came of asking for a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// This was typed.
    Typed(String),
    /// Nothing was, or nobody is there to ask.
    Nothing,
    /// The person pressed Ctrl-C.
    Interrupted,
}

/// Nameplates of senders on this network, as far as they are heard. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    nameplates: Arc<Mutex<Vec<Nameplate>>>,
}

impl Heard {
    /// Those that are heard now.
    pub fn set(&self, nameplates: impl IntoIterator<Item = Nameplate>) {
        let mut sorted: Vec<_> = nameplates.into_iter().collect();
        sorted.sort_unstable_by_key(|it| it.number());
        *self.nameplates.lock().unwrap_or_else(PoisonError::into_inner) = sorted;
    }

    fn beginning_with(&self, digits: &str) -> Vec<String> {
        let nameplates = self.nameplates.lock().unwrap_or_else(PoisonError::into_inner);
        nameplates.iter().map(ToString::to_string).filter(|it| it.starts_with(digits)).collect()
    }
}

/// Asks at the terminal of this process. Blocks.
pub(super) fn ask(heard: Heard, colour: bool) -> Asked {
    let configured = Config::builder()
        .behavior(Behavior::PreferTerm)
        .completion_type(CompletionType::List)
        .completion_prompt_limit(50)
        .auto_add_history(false)
        .bell_style(BellStyle::None)
        .bracketed_paste(false)
        .color_mode(if colour { ColorMode::Forced } else { ColorMode::Disabled })
        .build();
    let Ok(mut editor) = Editor::with_history(configured, MemHistory::new()) else { return Asked::Nothing };
    editor.set_helper(Some(CodeHelper { heard, colour }));
    match editor.readline(QUESTION) {
        Ok(line) if line.trim().is_empty() => Asked::Nothing,
        Ok(line) => Asked::Typed(line.trim().to_owned()),
        Err(ReadlineError::Interrupted) => Asked::Interrupted,
        Err(error) => {
            log::debug!("no code was typed: {error}");
            Asked::Nothing
        }
    }
}

struct CodeHelper {
    heard: Heard,
    colour: bool,
}

/// The part of a code that is being written: where it starts, and how many parts are before it. `None` in a link, or
/// where there is something else behind.
fn part(line: &str, position: usize) -> Option<(usize, usize, &str)> {
    let typed = line.get(..position).filter(|_| line.len() == position)?;
    let typed_code = typed.trim_start_matches("p2pcp:");
    if typed_code.contains(['#', '/', ':']) {
        return None;
    }
    let separator = |c: char| !c.is_alphanumeric();
    let start = typed_code
        .rfind(separator)
        .map_or(0, |at| at + typed_code.get(at..).and_then(|it| it.chars().next()).map_or(1, char::len_utf8));
    let (before, part) = typed_code.split_at(start);
    let parts = before.split(separator).filter(|it| !it.is_empty()).count();
    Some((typed.len() - part.len(), parts, part))
}

/// What the part that is being written may become: where it starts, and all there is for it.
fn candidates(line: &str, position: usize, heard: &Heard) -> (usize, Vec<String>) {
    let Some((start, parts, part)) = part(line, position) else { return (position, Vec::new()) };
    let found = match parts {
        0 => heard.beginning_with(part).into_iter().map(|it| format!("{it}-")).collect(),
        // A thousand words say nothing.
        _ if part.is_empty() => Vec::new(),
        // Most codes have two words; who has more goes on.
        1 => words::completions(&part.to_lowercase()).iter().map(|it| format!("{it}-")).collect(),
        _ => words::completions(&part.to_lowercase()).iter().map(|it| (*it).to_owned()).collect(),
    };
    (start, found)
}

/// The rest of the part that is being written, where there is only one way to go on.
fn rest(line: &str, position: usize, heard: &Heard) -> Option<String> {
    let (start, found) = candidates(line, position, heard);
    let part = line.get(start..position)?;
    let [only] = &found[..] else { return None };
    let numbers = part.is_empty() || part.bytes().all(|it| it.is_ascii_digit());
    let enough = numbers || part.len() >= LEAST_LETTERS;
    only.get(part.len()..).filter(|it| enough && !it.is_empty()).map(str::to_owned)
}

impl Completer for CodeHelper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(candidates(line, position, &self.heard))
    }
}

impl Hinter for CodeHelper {
    type Hint = String;

    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<String> {
        // Without colour it could not be told from what was typed.
        rest(line, position, &self.heard).filter(|_| self.colour)
    }
}

impl Highlighter for CodeHelper {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(format!("\x1b[1m{prompt}\x1b[0m"))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }
}

impl Validator for CodeHelper {}

impl Helper for CodeHelper {}

#[cfg(test)]
mod tests {
    use crate::code::words;
    use crate::ui::code_prompt::{Heard, candidates, rest};
    use crate::wire::signaling::Nameplate;

    fn heard(numbers: &[u32]) -> Heard {
        let heard = Heard::default();
        heard.set(numbers.iter().filter_map(|it| Nameplate::new(*it)));
        heard
    }

    fn completed(line: &str) -> Vec<String> {
        let (start, found) = candidates(line, line.len(), &heard(&[423, 417, 520]));
        found.iter().map(|it| format!("{}{it}", &line[..start])).collect()
    }

    #[test]
    fn numbers_are_those_that_are_heard() {
        assert_eq!(completed(""), ["417-", "423-", "520-"]);
        assert_eq!(completed("42"), ["423-"]);
        assert_eq!(completed("p2pcp:5"), ["p2pcp:520-"]);
        assert!(completed("9").is_empty());
    }

    #[test]
    fn words_are_completed_however_they_are_parted() {
        assert_eq!(completed("417-alo"), ["417-aloe-"]);
        assert_eq!(completed("417 ALO"), ["417 aloe-"]);
        assert_eq!(completed("417.aloe.tub"), ["417.aloe.tuba"]);
        assert_eq!(completed("417–aloe–tub"), ["417–aloe–tuba"]);
        assert!(completed("417-aloe-").is_empty() && completed("417-zzz").is_empty());
        assert!(completed("417-t").len() > 1);
    }

    #[test]
    fn links_and_what_is_no_code_are_left_alone() {
        for line in ["https://host/#417-alo", "alo", "../al", "$(x)"] {
            assert!(completed(line).is_empty(), "{line}");
        }
        assert!(candidates("417-alo-tuba", 7, &heard(&[])).1.is_empty(), "in the middle");
    }

    #[test]
    fn what_can_go_on_in_one_way_is_shown_ahead() {
        let heard = heard(&[417]);
        let rest = |line: &str| rest(line, line.len(), &heard);
        assert_eq!(rest("").as_deref(), Some("417-"));
        assert_eq!(rest("4").as_deref(), Some("17-"));
        assert_eq!(rest("417-alo").as_deref(), Some("e-"));
        assert_eq!(rest("417-aloe-tub").as_deref(), Some("a"));
        assert_eq!(rest("417-aloe-tuba"), None);
        assert_eq!(rest("417-al"), None);
        for word in words::all() {
            assert!(rest(&format!("417-{}", &word[..3])).is_some(), "{word}");
        }
    }
}

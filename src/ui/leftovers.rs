//! What interrupted transfers left, told and asked about.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::event::leftover_state;
use crate::fs;
use crate::ui::line::Line;
use crate::ui::{Reporter, Verbosity, prompt, text};
use crate::wire::peer::Mtime;

impl Reporter {
    /// Lists a leftover, as a warning if it may need attention.
    pub fn leftover(&self, leftover: &fs::Leftover, attention: bool) {
        let line = line(leftover, SystemTime::now());
        match attention {
            true => self.say(Verbosity::Quiet, Line::warning(line)),
            false => self.say(Verbosity::Normal, Line::plain(line)),
        }
    }

    /// Says what interrupted transfers left, and how to be rid of it.
    pub(super) fn leftovers(&self, folder: &Path, found: &[fs::Leftover], attention: bool) {
        for leftover in found {
            self.leftover(leftover, attention);
        }
        let folder = text::quoted(&folder.to_string_lossy());
        self.say_note(&format!("hint: `p2pcp clean {folder}` removes what is not needed"));
    }

    /// Asks whether to go ahead; `None` when nobody is there. Blocks as [`Reporter::ask_consent`] does.
    pub fn ask(&self, question: &str) -> Option<bool> {
        prompt::somebody_is_there().then(|| {
            prompt::forget_type_ahead();
            prompt::agreed(&self.inner.screen, question, &mut std::io::stdin().lock())
        })
    }
}

/// `.p2pcp-0123456789abcdef: 3 files, 412 MiB, 2 h old; the same files sent again go on with it`.
fn line(leftover: &fs::Leftover, now: SystemTime) -> String {
    let fs::Leftover { path, bytes, files, modified, state } = leftover;
    let state = leftover_state(*state);
    let age = modified.and_then(|it| age(it, now)).map_or(String::new(), |it| format!(", {it} old"));
    let (files, bytes) = (text::counted(*files, "file"), text::bytes(*bytes));
    format!("{}: {files}, {bytes}{age}; {state}", path.display())
}

fn age(modified: Mtime, now: SystemTime) -> Option<String> {
    let since = u64::try_from(modified.seconds()).ok().map(Duration::from_secs)?;
    let age = now.duration_since(SystemTime::UNIX_EPOCH.checked_add(since)?).ok()?;
    Some(text::age(age))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::line;
    use crate::fs::{Leftover, LeftoverState, Unusable};
    use crate::wire::peer::Mtime;

    #[test]
    fn size_and_age_are_told() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let leftover = |seconds: i64| Leftover {
            path: "here/.p2pcp-1".into(),
            bytes: 5 << 20,
            files: 1,
            modified: Mtime::new(seconds, 0),
            state: LeftoverState::Unusable(Unusable::Empty),
        };
        for (seconds, age) in [
            (1_000_000 - 59, ", 59 s old"),
            (1_000_000 - 7300, ", 2 h old"),
            (1_000_000 - 260_000, ", 3 d old"),
            (1_000_001, ""),
        ] {
            let told = line(&leftover(seconds), now);
            assert_eq!(
                told,
                format!(
                    "here/.p2pcp-1: 1 file, 5.0 MiB{age}; it cannot be used: it holds no file that is worth going on with"
                )
            );
        }
    }
}

//! What interrupted transfers left, told and asked about.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::ui::line::Line;
use crate::ui::{Reporter, Verbosity, prompt, text};
use crate::wire::peer::Mtime;

/// Something that an interrupted transfer left.
#[derive(Debug, Clone, Copy)]
pub struct Leftover<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// Bytes in it.
    pub bytes: u64,
    /// Files in it.
    pub files: u64,
    /// When it was last used.
    pub modified: Option<Mtime>,
    /// What becomes of it, in one sentence.
    pub state: &'a str,
}

impl Reporter {
    /// Lists a leftover, as a warning if it may need attention.
    pub fn leftover(&self, leftover: &Leftover<'_>, attention: bool) {
        let line = line(leftover, SystemTime::now());
        match attention {
            true => self.say(Verbosity::Quiet, Line::warning(line)),
            false => self.say(Verbosity::Normal, Line::plain(line)),
        }
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
fn line(leftover: &Leftover<'_>, now: SystemTime) -> String {
    let Leftover { path, bytes, files, modified, state } = leftover;
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
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::{Leftover, line};
    use crate::wire::peer::Mtime;

    #[test]
    fn size_and_age_are_told() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let leftover = |seconds: i64| Leftover {
            path: Path::new("here/.p2pcp-1"),
            bytes: 5 << 20,
            files: 1,
            modified: Mtime::new(seconds, 0),
            state: "it has no journal",
        };
        for (seconds, age) in [
            (1_000_000 - 59, ", 59 s old"),
            (1_000_000 - 7300, ", 2 h old"),
            (1_000_000 - 260_000, ", 3 d old"),
            (1_000_001, ""),
        ] {
            let told = line(&leftover(seconds), now);
            assert_eq!(told, format!("here/.p2pcp-1: 1 file, 5.0 MiB{age}; it has no journal"));
        }
    }
}

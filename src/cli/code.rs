//! Flags about the code of a sender: which one, for how long, and how it is shown.

use std::time::Duration;

use clap::Args;

use crate::code::{Code, WordCount};
use crate::error::Error;
use crate::ui::{Extras, Reporter};

/// As long as a server keeps a room at most, and so as a client waits.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// The code, and how it is shown.
#[derive(Debug, Args)]
pub(super) struct CodeArgs {
    /// Words in the code; each makes it 1,024 times harder to guess
    #[arg(long, value_name = "N", default_value = "2", value_parser = parse_words)]
    pub(super) words: WordCount,
    /// Use this code, like 417-aloe-tuba, in place of a random one: a number, and words as they come in codes
    #[arg(long, value_name = "CODE", conflicts_with = "words")]
    code: Option<String>,
    /// How long the code can be used, like 90s, 30m or 2h [default: as long as the rendezvous keeps it, an hour]
    #[arg(long, value_name = "TIME", value_parser = parse_life)]
    pub(super) ttl: Option<Duration>,
    /// Show the line for the other side as a QR code too
    #[arg(long)]
    qr: bool,
    /// Put the line for the other side on the clipboard, of the desktop and by the terminal
    #[arg(long)]
    copy: bool,
}

impl CodeArgs {
    /// The code that was chosen, if one was, with what has to be said about it.
    pub(super) fn own(&self, reporter: &Reporter) -> Result<Option<Code>, Error> {
        let Some(typed) = &self.code else { return Ok(None) };
        let parsed = Code::parse(typed).map_err(Error::OwnCode)?;
        for mended in &parsed.mended {
            reporter.note(&format!("took `{}` for `{}`", mended.typed, mended.meant));
        }
        reporter.warning(match parsed.code.is_easily_guessed() {
            true => "these words are among the first that somebody would try; a random code protects more",
            false => "a code that is used twice or easily guessed protects less than a random one",
        });
        Ok(Some(parsed.code))
    }

    /// How the code is shown beside its text.
    pub(super) fn extras(&self, utf8: bool) -> Extras {
        Extras { qr: self.qr, copy: self.copy, utf8 }
    }
}

fn parse_words(text: &str) -> Result<WordCount, String> {
    let count = text.parse().ok().and_then(WordCount::new);
    count.ok_or_else(|| format!("a number from {} to {}", WordCount::MIN, WordCount::MAX))
}

/// `90s`, `30m`, `2h`; a number alone is of seconds.
pub(super) fn parse_life(text: &str) -> Result<Duration, String> {
    let (number, factor) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => (text, 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|it| it.checked_mul(factor));
    let life = seconds.map(Duration::from_secs).filter(|it| !it.is_zero() && *it <= LONGEST_LIFE);
    life.ok_or_else(|| "a time up to 24h, like 90s, 30m or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::cli::code::parse_life;

    #[test]
    fn a_life_is_of_seconds_minutes_or_hours_up_to_a_day() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("30m", 1800), ("24h", 86_400)] {
            assert_eq!(parse_life(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "0", "0m", "25h", "-1s", "1.5h", "9999999999999999999h", "30 m", "1d", "3é"] {
            assert!(parse_life(text).is_err(), "{text}");
        }
    }
}

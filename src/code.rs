//! Codes: what people say to each other, `417-aloe-tuba`.
//!
//! A code is a nameplate, the public number of a room on the server, and a secret, the words, which
//! only the two peers know. Each word is one of 1,024 and adds 10 bits; two words are enough, because
//! a nameplate admits a single guess.
//!
//! Invariants: a [`Code`] holds words of the list only, in canonical form, so both sides feed the
//! same bytes to the PAKE. Its words reach a log neither by `Debug` nor by an error, and are
//! overwritten when dropped. Nothing here draws random bytes; they are an argument.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::fmt;

use zeroize::Zeroizing;

use crate::code::words::Meaning;
use crate::wire::signaling::Nameplate;

pub mod words;

/// Longest text that is looked at, in bytes: a link with a long host name and eight words.
pub const MAX_TYPED_BYTES: usize = 256;

/// How many words a code has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WordCount(usize);

impl WordCount {
    /// Fewest words: 20 bits.
    pub const MIN: usize = 2;
    /// Most words: 80 bits.
    pub const MAX: usize = 8;

    /// This many words, if a code can have them.
    pub fn new(count: usize) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&count).then_some(Self(count))
    }

    /// The number.
    pub fn get(self) -> usize {
        self.0
    }

    /// What a guesser has to guess, in bits.
    pub fn entropy_bits(self) -> u32 {
        self.0 as u32 * words::COUNT.ilog2()
    }
}

impl Default for WordCount {
    fn default() -> Self {
        Self(Self::MIN)
    }
}

/// What one peer says to the other to meet.
#[derive(Clone)]
pub struct Code {
    nameplate: Nameplate,
    secret: Zeroizing<String>,
}

impl Code {
    /// Random bytes that [`Code::generate`] takes: two for each of the most words.
    pub const RANDOM_BYTES: usize = 2 * WordCount::MAX;

    /// Makes a code of `count` words for a nameplate.
    ///
    /// `random` must be new and uniform. Each word takes two bytes, of which the low ten bits of the
    /// big-endian number choose it: 1,024 divides 65,536, so every word is as likely as the others.
    pub fn generate(nameplate: Nameplate, count: WordCount, random: &[u8; Self::RANDOM_BYTES]) -> Self {
        let (pairs, _) = random.as_chunks::<2>();
        let draw = pairs.iter().map(|&pair| words::at(u16::from_be_bytes(pair)));
        Self::of_words(nameplate, draw.take(count.get()))
    }

    /// Reads what a person typed or pasted.
    ///
    /// Takes any capitals; anything that is neither letter nor digit between the parts; the forms
    /// `p2pcp:417-aloe-tuba`, `p2pcp recv 417-aloe-tuba` and `https://host/#417-aloe-tuba`; and a
    /// word's first letters, from three on. A word with one slip (a letter wrong, missing, too many,
    /// or two swapped) is mended, which the result tells.
    ///
    /// # Errors
    /// What is wrong with the first part that cannot be understood.
    pub fn parse(typed: &str) -> Result<Parsed, CodeError> {
        if typed.len() > MAX_TYPED_BYTES {
            return Err(CodeError::TooLong { got: typed.len(), max: MAX_TYPED_BYTES });
        }
        let text = Zeroizing::new(typed.to_lowercase());
        let (link, code) = text.rsplit_once('#').unwrap_or(("", &text));
        let mut parts = code.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).peekable();
        if parts.next_if_eq(&"p2pcp").is_some() {
            parts.next_if_eq(&"recv");
        }

        let nameplate = parse_nameplate(parts.next().ok_or(CodeError::Empty)?)?;
        let typed_words: Vec<&str> = parts.collect();
        if WordCount::new(typed_words.len()).is_none() {
            return Err(CodeError::WordCount { got: typed_words.len() });
        }

        let mut meant_words = Vec::with_capacity(typed_words.len());
        let mut mended = Vec::new();
        for typed in typed_words {
            let meant = match words::look_up(typed) {
                Meaning::Word(meant) => meant,
                Meaning::Slip(meant) => {
                    mended.push(Mended { typed: printable(typed), meant });
                    meant
                }
                Meaning::None => return Err(unknown_word(typed)),
            };
            meant_words.push(meant);
        }
        let code = Self::of_words(nameplate, meant_words.into_iter());
        Ok(Parsed { code, mended, server: parse_server(link) })
    }

    /// The public half: it may go to the server.
    pub fn nameplate(&self) -> Nameplate {
        self.nameplate
    }

    /// The secret half in canonical form, lower-case words joined by `-`: the PAKE's password, which
    /// goes nowhere else.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// How many words it has.
    pub fn words(&self) -> WordCount {
        WordCount(self.secret.split('-').count())
    }

    /// Whether its words are among the first that somebody would try: one of them twice, or those of the manuals.
    ///
    /// Words that a person chose are weaker than random ones in ways that nothing here can see.
    pub fn is_easily_guessed(&self) -> bool {
        let mut seen = std::collections::HashSet::new();
        self.secret() == "aloe-tuba" || !self.secret.split('-').all(|word| seen.insert(word))
    }

    fn of_words(nameplate: Nameplate, chosen: impl Iterator<Item = &'static str>) -> Self {
        // With room for all words the string never moves and leaves no copy behind.
        let capacity = WordCount::MAX * (words::MAX_LETTERS + 1);
        let mut secret = Zeroizing::new(String::with_capacity(capacity));
        for word in chosen {
            if !secret.is_empty() {
                secret.push('-');
            }
            secret.push_str(word);
        }
        Self { nameplate, secret }
    }
}

/// The whole code, words included: for the screen of the one who made it.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.nameplate, self.secret())
    }
}

/// The nameplate alone.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({}-…)", self.nameplate)
    }
}

/// A code that was understood.
#[derive(Debug)]
pub struct Parsed {
    /// The code.
    pub code: Code,
    /// The words that were taken for others than were typed; to be told to the user.
    pub mended: Vec<Mended>,
    /// Where the code was a link: the server it names, as `scheme://host` or `scheme://host:port`, of
    /// http, https, ws or wss. Printable ASCII, but otherwise unchecked.
    pub server: Option<String>,
}

/// A slip that was understood.
#[derive(Clone, PartialEq, Eq)]
pub struct Mended {
    /// What was typed, fit for a terminal.
    pub typed: String,
    /// The word it was taken for.
    pub meant: &'static str,
}

/// Nothing: both fields give a word of the code away.
impl fmt::Debug for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mended(…)")
    }
}

/// Why a text is not a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// Over [`MAX_TYPED_BYTES`].
    #[error("it has {got} bytes, and a code at most {max}")]
    TooLong {
        /// Its length in bytes.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// It does not begin with a number of three to nine digits.
    #[error("it does not begin with a number of three to nine digits")]
    NoNameplate,
    /// It has fewer words than [`WordCount::MIN`] or more than [`WordCount::MAX`].
    #[error("it has {got} of the {} to {} words of a code", WordCount::MIN, WordCount::MAX)]
    WordCount {
        /// How many it has.
        got: usize,
    },
    /// A word is not in the list, nor one slip away from a word that is. For the screen of the one
    /// who typed it, not for a log: it may be close to a word of the code.
    #[error("`{typed}` is not a word of a code")]
    UnknownWord {
        /// What was typed, fit for a terminal: letters and digits only, of limited length.
        typed: String,
        /// Up to three words that look like it, the nearest first.
        suggestions: Vec<&'static str>,
    },
}

/// No leading zero: it says that digits are missing before it, or that a word was meant.
fn parse_nameplate(part: &str) -> Result<Nameplate, CodeError> {
    if part.starts_with('0') || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CodeError::NoNameplate);
    }
    part.parse().ok().and_then(Nameplate::new).ok_or(CodeError::NoNameplate)
}

fn unknown_word(typed: &str) -> CodeError {
    CodeError::UnknownWord { typed: printable(typed), suggestions: words::suggestions(typed) }
}

/// The server of a link, if `link` is one; path and query are left out.
fn parse_server(link: &str) -> Option<String> {
    let (scheme, rest) = link.trim_start().split_once("://")?;
    let host = rest.split(['/', '?']).next()?;
    let legal = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let known = ["http", "https", "ws", "wss"].contains(&scheme);
    (known && !host.is_empty() && host.chars().all(legal)).then(|| format!("{scheme}://{host}"))
}

/// What is shown of a part that a user or a web page has made up.
///
/// Parts hold letters and digits only, so no control character gets here. Scripts that run from right
/// to left could still reorder a line; they begin at U+0590.
fn printable(part: &str) -> String {
    const MAX_SHOWN: usize = 24;
    let shown = part.chars().map(|c| if c < '\u{590}' { c } else { '?' });
    let cut = part.chars().nth(MAX_SHOWN).map(|_| '…');
    shown.take(MAX_SHOWN).chain(cut).collect()
}

#[cfg(test)]
mod tests;

//! Names that cannot escape: [`RelPath`] for entries, [`LinkTarget`] for symbolic links.
//!
//! The only way to either is `parse`, so a value that exists has been checked. The receiver still
//! opens every component without following links; these types keep a hostile name from ever
//! reaching the file system, a terminal or the stage.

use serde::{Deserialize, Serialize};

/// Longest path in bytes: `PATH_MAX` less the final NUL.
pub const MAX_PATH_BYTES: usize = 4095;

/// Longest component in bytes: `NAME_MAX` of every file system in use.
pub const MAX_NAME_BYTES: usize = 255;

/// First bytes of a stage's name, which no entry may take at the top.
pub const STAGE_PREFIX: &str = ".p2pcp-";

/// Why a name cannot travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum NameError {
    /// Nothing at all, or nothing between two slashes.
    #[error("it is empty or has an empty part")]
    Empty,
    /// Over [`MAX_PATH_BYTES`], or a part over [`MAX_NAME_BYTES`].
    #[error("it is too long")]
    TooLong,
    /// Starts at the root.
    #[error("it is absolute")]
    Absolute,
    /// `.` or `..` as a part.
    #[error("it has a `.` or `..` part")]
    Dots,
    /// A control character (with NUL, escape and line breaks) or one that reorders text.
    #[error("it has a control or text-direction character")]
    Control,
    /// Starts with [`STAGE_PREFIX`], where unfinished transfers live.
    #[error("it starts with `.p2pcp-`, which is kept for unfinished transfers")]
    Reserved,
    /// Not UTF-8.
    #[error("it is not valid UTF-8")]
    NotUtf8,
    /// A link that leaves the folder it was sent in.
    #[error("it points outside the folder that is sent")]
    Outside,
}

/// A path below the receive folder, `/` between its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

impl RelPath {
    /// Parses an untrusted path.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_whole(text)?;
        if text.starts_with(STAGE_PREFIX) {
            return Err(NameError::Reserved);
        }
        for part in text.split('/') {
            check_part(part)?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The path below this one called `name`.
    ///
    /// # Errors
    /// [`NameError`] when `name` is not one legal part, or the whole grows too long.
    pub fn join(&self, name: &str) -> Result<Self, NameError> {
        check_part(name)?;
        if self.0.len() + 1 + name.len() > MAX_PATH_BYTES {
            return Err(NameError::TooLong);
        }
        Ok(Self(format!("{}/{name}", self.0)))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts, outermost first; never empty.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The folder part (absent at the top) and the last part.
    pub fn split(&self) -> (Option<&str>, &str) {
        match self.0.rsplit_once('/') {
            Some((parent, name)) => (Some(parent), name),
            None => (None, &self.0),
        }
    }

    /// How many folders lie between the receive folder and this entry.
    pub fn depth(&self) -> usize {
        self.0.bytes().filter(|&byte| byte == b'/').count()
    }
}

impl TryFrom<String> for RelPath {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> String {
        path.0
    }
}

impl std::fmt::Display for RelPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a symbolic link points: relative, and `..` only in front.
///
/// A link's own folder is real (no link is followed to reach it), so leading `..` climb real folders;
/// a `..` behind a name could climb out through another link and is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkTarget(String);

impl LinkTarget {
    /// Parses an untrusted target.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_whole(text)?;
        let mut climbing = true;
        for part in text.strip_suffix('/').unwrap_or(text).split('/') {
            match part {
                "." => (),
                ".." if climbing => (),
                ".." => return Err(NameError::Outside),
                name => {
                    climbing = false;
                    check_part(name)?;
                }
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The target as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks that a link called `link` stays inside the top-level folder that it lies in.
    ///
    /// # Errors
    /// [`NameError::Outside`] when it does not, or when the link itself lies at the top.
    pub fn check_inside(&self, link: &RelPath) -> Result<(), NameError> {
        let climbs = self.0.split('/').filter(|&part| part == "..").count();
        match climbs < link.depth() {
            true => Ok(()),
            false => Err(NameError::Outside),
        }
    }
}

impl TryFrom<String> for LinkTarget {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<LinkTarget> for String {
    fn from(target: LinkTarget) -> String {
        target.0
    }
}

/// Whether a character could change what a terminal shows elsewhere: C0, DEL, C1, and the Unicode
/// characters that reorder or separate lines of text.
pub fn is_unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check_whole(text: &str) -> Result<(), NameError> {
    match text {
        "" => Err(NameError::Empty),
        _ if text.len() > MAX_PATH_BYTES => Err(NameError::TooLong),
        _ if text.starts_with('/') => Err(NameError::Absolute),
        _ => Ok(()),
    }
}

fn check_part(part: &str) -> Result<(), NameError> {
    match part {
        "" => Err(NameError::Empty),
        "." | ".." => Err(NameError::Dots),
        _ if part.len() > MAX_NAME_BYTES => Err(NameError::TooLong),
        _ if part.contains('/') => Err(NameError::Absolute),
        _ if part.chars().any(is_unsafe_to_show) => Err(NameError::Control),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_and_odd_names_pass() {
        let long = "x".repeat(MAX_NAME_BYTES);
        for name in ["a", "a/b", ".hidden", "...", "a b", "ünï/文件", "C:", "nul", "-rf", "a\\b", "~", &long]
        {
            assert_eq!(RelPath::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_could_escape_or_deceive_do_not_exist() {
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        let deep = "a/".repeat(3000) + "a";
        for (name, why) in [
            ("", NameError::Empty),
            ("a//b", NameError::Empty),
            ("a/", NameError::Empty),
            ("/etc/passwd", NameError::Absolute),
            ("..", NameError::Dots),
            ("a/../b", NameError::Dots),
            (".", NameError::Dots),
            ("a\0b", NameError::Control),
            ("a\x1b[2J", NameError::Control),
            ("a\nb", NameError::Control),
            ("a\u{9b}b", NameError::Control),
            ("a\u{202e}gpj.exe", NameError::Control),
            (".p2pcp-abc/journal", NameError::Reserved),
            (long.as_str(), NameError::TooLong),
            (deep.as_str(), NameError::TooLong),
        ] {
            assert_eq!(RelPath::parse(name), Err(why), "{name:?}");
        }
    }

    #[test]
    fn a_link_stays_in_its_top_folder() {
        let inside = |link: &str, target: &str| {
            LinkTarget::parse(target).and_then(|it| it.check_inside(&RelPath::parse(link)?))
        };
        assert_eq!(inside("top/link", "file"), Ok(()));
        assert_eq!(inside("top/link", "./a/b/"), Ok(()));
        assert_eq!(inside("top/sub/link", "../file"), Ok(()));
        assert_eq!(inside("top/link", ".."), Err(NameError::Outside));
        assert_eq!(inside("top/sub/link", "../../other"), Err(NameError::Outside));
        assert_eq!(inside("link", "file"), Err(NameError::Outside));
        assert_eq!(inside("top/link", "sub/../../.."), Err(NameError::Outside));
        assert_eq!(inside("top/link", "/etc"), Err(NameError::Absolute));
        assert_eq!(inside("top/link", "a\x1bb"), Err(NameError::Control));
    }

    #[test]
    fn decoding_is_parsing() {
        assert!(serde_json::from_str::<RelPath>("\"a/../b\"").is_err());
        assert!(serde_json::from_str::<LinkTarget>("\"/etc\"").is_err());
    }
}

//! Globs that a person types: which names are left out, or asked for.
//!
//! They mean what they mean in a `.gitignore`: `*` and `?` stay inside a name, `**` does not, a slash at the end asks for a
//! folder, and one at the start for the top of what is sent. Two things are simpler here. A glob with a slash in
//! its middle may begin at any folder, as with rsync; and `!` and `#` are letters like others.

use std::fmt;
use std::str::FromStr;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::wire::path::RelPath;

/// A glob that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

/// Why a glob cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// It matches nothing.
    #[error("there is nothing in it that could match")]
    Empty,
    /// It has more bytes than a path.
    #[error("it is longer than {} bytes", Glob::MAX_BYTES)]
    TooLong,
    /// It is no glob.
    #[error("{0}")]
    Syntax(String),
}

impl Glob {
    /// Longest glob, in bytes: as long as a path may be.
    pub const MAX_BYTES: usize = crate::wire::path::MAX_PATH_BYTES;

    /// The same as a line of a `.gitignore`.
    fn line(&self) -> String {
        let glob = self.0.strip_prefix("./").unwrap_or(&self.0);
        let inner = glob.strip_suffix('/').unwrap_or(glob);
        match glob.chars().next() {
            Some('!' | '#') if inner.contains('/') => format!("**/{glob}"),
            Some('!' | '#') => format!("\\{glob}"),
            Some('/') | None => glob.to_owned(),
            Some(_) if inner.contains('/') => format!("**/{glob}"),
            Some(_) => glob.to_owned(),
        }
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        if text.len() > Self::MAX_BYTES {
            return Err(GlobError::TooLong);
        }
        let glob = Self(text.to_owned());
        match text.chars().any(|it| it != '/' && it != '.' && !it.is_whitespace()) {
            true => matcher(&[glob.line()]).map(|_| glob),
            false => Err(GlobError::Empty),
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn matcher(lines: &[String]) -> Result<Gitignore, GlobError> {
    let mut builder = GitignoreBuilder::new("");
    builder.allow_unclosed_class(false);
    let fault = |error| match error {
        ignore::Error::Glob { err, .. } => GlobError::Syntax(err),
        other => GlobError::Syntax(other.to_string()),
    };
    for line in lines {
        builder.add_line(None, line).map_err(fault)?;
    }
    builder.build().map_err(fault)
}

/// Whether a name is that of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// A folder.
    Folder,
    /// Anything else.
    Other,
}

/// Any number of globs, matched together in one go.
#[derive(Debug, Clone)]
pub struct Globs(Gitignore);

impl Default for Globs {
    fn default() -> Self {
        Self(Gitignore::empty())
    }
}

impl Globs {
    /// All of `globs`.
    ///
    /// # Errors
    /// [`GlobError::Syntax`] when they are too much together; each by itself was found to be one.
    pub fn new(globs: &[Glob]) -> Result<Self, GlobError> {
        matcher(&globs.iter().map(Glob::line).collect::<Vec<_>>()).map(Self)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them matches `path` itself.
    pub(crate) fn match_path(&self, path: &RelPath, named: Named) -> bool {
        self.0.matched(path.as_str(), named == Named::Folder).is_ignore()
    }

    /// Whether one of them matches the file `path` or a folder that it lies in.
    pub fn choose(&self, path: &RelPath) -> bool {
        self.cover(path, Named::Other)
    }

    /// Whether one of them matches `path` or a folder that it lies in.
    pub(crate) fn cover(&self, path: &RelPath, named: Named) -> bool {
        // A name that is rooted for this system is none that it can hold; the crate would panic at it.
        let rooted = std::path::Path::new(path.as_str()).has_root();
        !rooted && self.0.matched_path_or_any_parents(path.as_str(), named == Named::Folder).is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use crate::fs::globs::{Glob, GlobError, Globs, Named};
    use crate::wire::path::RelPath;

    fn globs(text: &str) -> Globs {
        Globs::new(&[text.parse().unwrap()]).unwrap()
    }

    #[test]
    fn globs_mean_what_they_mean_in_a_gitignore() {
        for (glob, yes, no) in [
            ("*.o", &["a.o", "t/b/c.o"][..], &["a.oo", "t.o/x"][..]),
            ("/t/b", &["t/b"], &["u/t/b", "t/b/c"]),
            ("t/b", &["t/b", "u/t/b"], &["tt/b"]),
            ("./t/b", &["t/b"], &["b"]),
            ("b/*.jpg", &["t/b/x.jpg", "b/x.jpg"], &["b/c/x.jpg"]),
            ("b/**/x", &["b/x", "b/c/d/x", "t/b/x"], &["x"]),
            ("?", &["a", "t/b"], &["ab"]),
            ("[a-c]1", &["a1", "t/c1"], &["d1"]),
            ("!x", &["!x", "t/!x"], &["x"]),
            ("#x", &["#x"], &["x"]),
            ("#t/x", &["#t/x", "u/#t/x"], &["x"]),
            ("{a,b}.c", &["a.c", "t/b.c"], &["c.c"]),
        ] {
            for path in yes {
                assert!(
                    globs(glob).match_path(&RelPath::parse(path).unwrap(), Named::Other),
                    "{glob} {path}"
                );
            }
            for path in no {
                assert!(
                    !globs(glob).match_path(&RelPath::parse(path).unwrap(), Named::Other),
                    "{glob} {path}"
                );
            }
        }
    }

    #[test]
    fn a_slash_at_the_end_asks_for_a_folder() {
        let path = RelPath::parse("t/target").unwrap();
        for glob in ["target/", "t/target/", "/t/target/"] {
            assert!(globs(glob).match_path(&path, Named::Folder), "{glob}");
            assert!(!globs(glob).match_path(&path, Named::Other), "{glob}");
        }
    }

    #[test]
    fn what_lies_in_a_matching_folder_is_covered() {
        let covers = |glob: &str, path: &str| globs(glob).cover(&RelPath::parse(path).unwrap(), Named::Other);
        assert!(
            covers("best", "t/best/a.jpg") && covers("best/", "t/best/deep/a.jpg") && covers("/t", "t/x")
        );
        assert!(!covers("best", "t/a.jpg") && !covers("best/", "t/best") && !covers("/best", "t/best/a"));
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        for text in ["", "/", " ", ".", "./"] {
            assert_eq!(text.parse::<Glob>(), Err(GlobError::Empty), "{text:?}");
        }
        for text in ["[a", "{a", "a\\"] {
            assert!(matches!(text.parse::<Glob>(), Err(GlobError::Syntax(_))), "{text:?}");
        }
        assert_eq!("a".repeat(4096).parse::<Glob>(), Err(GlobError::TooLong));
    }
}

//! Which of the things below the named paths are sent.

use crate::fs::globs::Globs;

/// What a person chose; without a choice everything is sent.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names that are left out, with all that lies in them.
    pub exclude: Globs,
    /// Whether `.gitignore` files are heeded.
    pub ignores: Ignores,
    /// What becomes of symbolic links below the named paths.
    pub links: Links,
    /// Files of more bytes are passed over.
    pub max_size: Option<u64>,
}

impl Selection {
    /// Whether a file of so many bytes is passed over.
    pub(crate) fn is_large(&self, bytes: u64) -> bool {
        self.max_size.is_some_and(|most| bytes > most)
    }
}

/// What is done with `.gitignore` files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ignores {
    /// They are files like others.
    #[default]
    Nothing,
    /// What git ignores by them is left out, but for what the person named.
    Git,
}

/// What becomes of a symbolic link below a named path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Links {
    /// It is sent as a link.
    #[default]
    Send,
    /// What it leads to is sent, under the link's name.
    Follow,
}

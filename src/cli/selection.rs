//! Flags that choose what is sent, and what of an offer is received.

use clap::Args;

use crate::cli::arguments::parse_bytes;
use crate::fs::{Glob, GlobError, Globs, Ignores, Links, Selection};

/// What is sent of the named paths.
#[derive(Debug, Args)]
pub(super) struct SendSelection {
    /// Leave out what this matches, as in a .gitignore; may be given several times
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<Glob>,
    /// Leave out what .gitignore files say
    #[arg(long)]
    gitignore: bool,
    /// Send what symbolic links lead to, in place of the links
    #[arg(long)]
    follow_symlinks: bool,
    /// Pass over files that are larger: a number of bytes, or with K, M, G or T behind it
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    max_size: Option<u64>,
    /// Print what would be sent, with sizes in bytes, and send nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl SendSelection {
    /// The same in the words of `fs`.
    pub(super) fn selection(&self) -> Result<Selection, GlobError> {
        Ok(Selection {
            exclude: Globs::new(&self.exclude)?,
            ignores: if self.gitignore { Ignores::Git } else { Ignores::Nothing },
            links: if self.follow_symlinks { Links::Follow } else { Links::Send },
            max_size: self.max_size,
        })
    }
}

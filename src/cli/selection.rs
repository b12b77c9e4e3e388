//! Flags that choose what is sent, and what of an offer is received.

use clap::Args;

use crate::cli::arguments::parse_bytes;
use crate::fs::{Alike, Glob, GlobError, Globs, Ignores, Links, Selection, SinkOptions, Times};

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

/// What of an offer is received, and how it is kept.
#[derive(Debug, Args)]
pub(super) struct RecvSelection {
    /// Receive only what this matches, as in a .gitignore, or what lies in a folder that it matches; may be given several times
    #[arg(long, value_name = "GLOB")]
    only: Vec<Glob>,
    /// Compare also files whose times differ with what is here, by their hashes
    #[arg(long)]
    checksum: bool,
    /// Take a file that is here for the same if size and time are, without reading it
    #[arg(long, conflicts_with_all = ["checksum", "no_mtime"])]
    quick: bool,
    /// Do not set modification times
    #[arg(long)]
    no_mtime: bool,
    /// Permissions of received files, like 640 [default: the usual ones]
    #[arg(long, value_name = "OCTAL", value_parser = parse_mode)]
    mode: Option<u32>,
}

impl RecvSelection {
    /// `options` with what was chosen here.
    pub(super) fn complete(&self, options: SinkOptions) -> Result<SinkOptions, GlobError> {
        let only = Globs::new(&self.only)?;
        let alike = match (self.quick, self.checksum || self.no_mtime) {
            (true, _) => Alike::Unread,
            // What was received without its time is found again by its bytes.
            (false, true) => Alike::Size,
            (false, false) => Alike::SizeAndTime,
        };
        let times = if self.no_mtime { Times::Arrival } else { Times::Keep };
        Ok(SinkOptions { only, alike, times, mode: self.mode, ..options })
    }
}

fn parse_mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|it| *it <= 0o777 && !text.starts_with('+'));
    mode.ok_or_else(|| "an octal number up to 777, like 640".to_owned())
}

//! `--compress`.

use clap::ValueEnum;

use crate::send::Compress;

/// When what is sent is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CompressWhen {
    /// Where the network is slower than compressing, and it pays
    Auto,
    /// Not at all
    Never,
    /// Whatever becomes shorter, however fast the network is
    Always,
}

impl From<CompressWhen> for Compress {
    fn from(when: CompressWhen) -> Self {
        match when {
            CompressWhen::Auto => Self::Auto,
            CompressWhen::Never => Self::Never,
            CompressWhen::Always => Self::Always,
        }
    }
}

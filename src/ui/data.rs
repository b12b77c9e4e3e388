//! What goes to stdout because it is what was asked for: scripts, manual pages, settings.

use std::io::{self, Write};

use crate::ui::Reporter;

impl Reporter {
    /// Writes `bytes` to stdout as they are. They must be of our own making.
    ///
    /// # Errors
    /// When stdout cannot be written to.
    pub fn data(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    }
}

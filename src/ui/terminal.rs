//! The modes of the terminal, which a line editor changes, and has no chance to set right when a signal ends the process.

#[cfg(unix)]
use std::sync::Mutex;

#[cfg(unix)]
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// How the terminal at stdin was.
#[derive(Default)]
pub(super) struct Terminal {
    #[cfg(unix)]
    before: Mutex<Option<Termios>>,
}

impl Terminal {
    /// Looks how it is.
    pub(super) fn remember(&self) {
        #[cfg(unix)]
        if let (Ok(mut before), Ok(now)) = (self.before.lock(), tcgetattr(std::io::stdin())) {
            *before = Some(now);
        }
    }

    /// Makes it so again. Whether it was remembered.
    pub(super) fn restore(&self) -> bool {
        #[cfg(unix)]
        if let Some(before) = self.before.lock().ok().and_then(|mut it| it.take()) {
            tcsetattr(std::io::stdin(), OptionalActions::Now, &before).ok();
            return true;
        }
        false
    }
}

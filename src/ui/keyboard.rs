//! Who reads from the terminal when.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::ui::screen::Mode;
use crate::ui::{Key, Keys, Reporter, Verbosity};

impl Reporter {
    /// Leaves the terminal as it was before a question that nobody has answered.
    pub fn stop_asking(&self) {
        if self.inner.terminal.restore() {
            self.inner.screen.broken_off();
        }
    }

    /// stdin is what is sent: no keys are read from it.
    pub fn stdin_is_sent(&self) {
        self.inner.stdin_is_sent.store(true, Ordering::Relaxed);
    }

    /// Reads keys from now on, and says which there are; `None` where there is nobody to press any, or no live area. Nothing
    /// may be asked while they are read.
    pub fn read_keys(&self, press: impl FnMut(Key) + Send + 'static) -> Option<Keys> {
        let live = self.inner.screen.mode() == Mode::Live && self.verbosity() > Verbosity::Quiet;
        // Beside others it would not be clear whom a key is about.
        let alone = self.inner.receiver.is_none();
        let free = alone && self.somebody_is_there() && !self.inner.stdin_is_sent.load(Ordering::Relaxed);
        let keys = if live && free { Keys::open(press) } else { None };
        self.inner.meter.lock().unwrap_or_else(PoisonError::into_inner).tells_keys(keys.is_some());
        keys
    }
}

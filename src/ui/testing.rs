//! A stand-in for stderr that tests can read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::ui::screen::{Mode, Screen};

/// What was written, shared between the screen and the test.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// A plain screen without colour, and what it will show.
    pub(crate) fn screen() -> (Screen, Self) {
        let captured = Self::default();
        (Screen::new(Mode::Plain, false, Box::new(captured.clone())), captured)
    }

    /// All text so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

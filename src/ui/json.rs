//! Events for programs: one line of JSON each on stdout, of the schema in `docs/json-events.md`.

use std::io::{self, Write};
use std::time::Duration;

use crate::event::Event;

/// Least time between two lines about progress: four a second.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Prints one event; of which receiver, where there are several.
///
/// A write error is ignored: a reader that has gone must not stop a transfer, whose exit code tells how it went.
pub(super) fn print(event: &Event, receiver: Option<u32>) {
    let mut line = receiver.map_or_else(|| event.line(), |it| event.line_of(it));
    line.push('\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).ok();
}

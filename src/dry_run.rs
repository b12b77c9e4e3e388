//! `p2pcp send --dry-run`: what would be sent, without a code, a network or a byte.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Finish};
use crate::fs::{Listed, Selection, Source, Survey};
use crate::interrupt::Interrupts;
use crate::ui::Reporter;
use crate::wire::peer::{Entry, Totals};

/// Entries between two looks at whether the person wants to stop.
const STEP: usize = 1000;

/// Lists on stdout what a [`Sender`](crate::Sender) would send of `paths`, and the totals on stderr.
///
/// # Errors
/// [`Error`] when a path cannot be sent, stdout cannot be written, or the person stops it. Whoever reads stdout may
/// stop reading: that is no error.
pub async fn run(paths: Vec<PathBuf>, selection: Selection, reporter: &Reporter) -> Result<Finish, Error> {
    let mut interrupts = Interrupts::listen();
    let source = Source::open(&paths, selection)?;
    let (items, more) = source.offer_items();
    let mut survey = source.survey();
    let (stop, stopped) = (Arc::new(AtomicBool::new(false)), reporter.clone());
    let (sender, listed) = tokio::sync::oneshot::channel();
    let wanted = stop.clone();
    // A thread of its own: stdout may be a pipe that nobody empties.
    std::thread::spawn(move || sender.send(list(&mut survey, &stopped, &wanted)).ok());
    let totals = tokio::select! {
        listed = listed => match listed.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())) {
            Ok(totals) => totals,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Finish::Done),
            Err(error) => return Err(Error::Document(error)),
        },
        interrupt = interrupts.wait() => {
            stop.store(true, Ordering::Relaxed);
            return Err(Error::Interrupted { interrupt, again: None });
        }
    };
    reporter.would_send(&items, more, &totals);
    Ok(Finish::Done)
}

fn list(survey: &mut Survey, reporter: &Reporter, stop: &AtomicBool) -> io::Result<Totals> {
    let mut totals = Totals::default();
    while !totals.complete && !stop.load(Ordering::Relaxed) {
        let mut entries: Vec<Entry> = Vec::new();
        totals = survey.list(STEP, |listed| match listed {
            Listed::Entry(entry) => entries.push(entry),
            Listed::Skipped(it) if it.why.is_silent() => (),
            Listed::Skipped(it) => reporter.warning(&format!("skipped {}: {}", it.path.display(), it.why)),
        });
        reporter.print_entries(&entries)?;
    }
    Ok(totals)
}

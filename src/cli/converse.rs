//! The conversation between a transfer and the person: events to the screen, answers, keys and Ctrl-C back.

use tokio::sync::{mpsc, oneshot};

use crate::cli::pace::Pace;
use crate::error::{Error, ExitCode, Finish};
use crate::event::{Consent, Event};
use crate::fs::Globs;
use crate::interrupt::{Interrupts, Stops};
use crate::transfer::Transfer;
use crate::ui::{Key, Keys, Reporter};

/// Starts a transfer and shows it to its end.
pub(super) async fn converse(start: impl FnOnce() -> Transfer, reporter: &Reporter) -> ExitCode {
    // Before anything happens that a signal must not tear.
    let interrupts = Interrupts::listen();
    match watch(start(), reporter, interrupts, |_| true).await {
        Ok(finish) => finish.exit_code(),
        Err(error) => error.exit_code(),
    }
}

/// Shows a transfer to its end, but for events that `is_shown` keeps back.
pub(super) async fn watch(
    mut transfer: Transfer,
    reporter: &Reporter,
    mut interrupts: Interrupts,
    mut is_shown: impl FnMut(&Event) -> bool,
) -> Result<Finish, Error> {
    let mut interrupted = false;
    let mut asked: Option<oneshot::Receiver<(Consent, Option<Globs>)>> = None;
    let (presser, mut pressed) = mpsc::channel(MOST_KEYS);
    let (mut keys, mut pace) = (None, Pace::default());
    let mut stops = Stops::none();
    if let Some(least) = reporter.progress_every() {
        transfer.progress_every(least);
    }
    loop {
        tokio::select! {
            event = transfer.next_event() => match event {
                Some(event) => {
                    if is_shown(&event) {
                        reporter.event(&event);
                    }
                    pace.see(&event);
                    match event {
                        Event::Offered { asks: true, preview, .. } => {
                            asked = Some(ask(reporter, move |reporter| reporter.ask_consent(&preview)));
                        }
                        Event::Verify { words } => {
                            asked = Some(ask(reporter, move |reporter| (reporter.ask_verified(&words), None)));
                        }
                        // Nothing is asked from here on.
                        Event::Consent { answer: Consent::Accepted } => {
                            keys = read_keys(reporter, &presser);
                            if keys.is_some() {
                                stops = Stops::listen();
                            }
                        }
                        _ => (),
                    }
                }
                None => break,
            },
            Some(key) = pressed.recv() => pace.press(key, &mut transfer),
            () = stops.asked() => {
                if let Some(keys) = &keys {
                    keys.rest();
                }
                stops.stop();
            }
            interrupt = interrupts.wait(), if !interrupted => {
                interrupted = true;
                transfer.interrupt(interrupt);
            }
            answer = async { asked.as_mut().expect("guarded").await }, if asked.is_some() => {
                asked = None;
                match answer {
                    Ok((Consent::Accepted, Some(chosen))) => transfer.accept_only(chosen),
                    Ok((Consent::Accepted, None)) => transfer.accept(),
                    Ok((Consent::Declined, _)) => transfer.decline(),
                    Ok(_) | Err(_) => transfer.decline_unattended(),
                };
            }
        }
    }
    drop(keys);
    transfer.finish().await
}

/// Keys that nobody has looked at: more are lost, as from somebody who leans on one.
const MOST_KEYS: usize = 16;

fn read_keys(reporter: &Reporter, presser: &mpsc::Sender<Key>) -> Option<Keys> {
    let presser = presser.clone();
    reporter.read_keys(move |key| {
        presser.try_send(key).ok();
    })
}

/// Asks on a thread of its own, which nobody waits for if the process ends first.
fn ask(
    reporter: &Reporter,
    question: impl FnOnce(&Reporter) -> (Consent, Option<Globs>) + Send + 'static,
) -> oneshot::Receiver<(Consent, Option<Globs>)> {
    let (sender, answer) = oneshot::channel();
    let reporter = reporter.clone();
    std::thread::spawn(move || sender.send(question(&reporter)).ok());
    answer
}

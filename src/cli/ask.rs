//! Asking for the code, while senders on the network are listened for.

use tokio::sync::oneshot;

use crate::cli::arguments::MeetingArgs;
use crate::error::Error;
use crate::interrupt::{Interrupt, Interrupts};
use crate::lan::{Neighbours, Scope};
use crate::ui::{Asked, Heard, Reporter};

/// What the person types for a code.
pub(super) async fn code(meeting: &MeetingArgs, reporter: &Reporter) -> Result<String, Error> {
    if !reporter.somebody_is_there() {
        return Err(Error::NoCode);
    }
    let mut interrupts = Interrupts::listen();
    // Before the terminal is another one, signals must be heard; those who hear them are started here.
    tokio::task::yield_now().await;
    let heard = Heard::default();
    let interrupted = |interrupt| Error::Interrupted { interrupt, again: None };
    tokio::select! {
        asked = ask(reporter, heard.clone()) => match asked {
            Asked::Typed(typed) => Ok(typed),
            Asked::Nothing => Err(Error::NoCode),
            Asked::Interrupted => Err(interrupted(Interrupt::Interrupted)),
        },
        interrupt = interrupts.wait() => {
            reporter.stop_asking();
            Err(interrupted(interrupt))
        }
        () = listen(&heard), if !meeting.loopback => Err(Error::NoCode),
    }
}

/// Hears who is there, who comes and who goes.
async fn listen(heard: &Heard) {
    // Asking anew would not do: who has just answered is silent for a second, and would be forgotten.
    Neighbours::listen(Scope::Lan).follow(|nameplates| heard.set(nameplates.iter().copied())).await;
}

/// Asks on a thread of its own, which nobody waits for if the process ends first.
async fn ask(reporter: &Reporter, heard: Heard) -> Asked {
    let (sender, answer) = oneshot::channel();
    let reporter = reporter.clone();
    std::thread::spawn(move || sender.send(reporter.ask_code(heard)).ok());
    answer.await.unwrap_or(Asked::Nothing)
}

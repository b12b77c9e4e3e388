//! Asking for the code, while senders on the network are listened for.

use tokio::sync::oneshot;

use crate::cli::arguments::MeetingArgs;
use crate::code::{Code, Parsed};
use crate::error::Error;
use crate::interrupt::{Interrupt, Interrupts};
use crate::lan::{Neighbours, Scope};
use crate::ui::{Asked, Heard, Reporter};

/// How often a person may type what is no code.
const TRIES: usize = 5;

/// The code that the person types. What is none is told, and asked about again.
pub(super) async fn code(meeting: &MeetingArgs, reporter: &Reporter) -> Result<Parsed, Error> {
    if !reporter.somebody_is_there() {
        return Err(Error::NoCode);
    }
    let mut interrupts = Interrupts::listen();
    // Before the terminal is another one, signals must be heard; those who hear them are started here.
    tokio::task::yield_now().await;
    let heard = Heard::default();
    let interrupted = |interrupt| Error::Interrupted { interrupt, again: None };
    tokio::select! {
        parsed = typed(reporter, &heard) => parsed,
        interrupt = interrupts.wait() => {
            reporter.stop_asking();
            Err(interrupted(interrupt))
        }
        () = listen(&heard), if !meeting.loopback => Err(Error::NoCode),
    }
}

async fn typed(reporter: &Reporter, heard: &Heard) -> Result<Parsed, Error> {
    for left in (0..TRIES).rev() {
        let typed = match ask(reporter, heard.clone()).await {
            Asked::Typed(typed) => typed,
            Asked::Nothing => break,
            Asked::Interrupted => {
                return Err(Error::Interrupted { interrupt: Interrupt::Interrupted, again: None });
            }
        };
        match Code::parse(&typed).map_err(Error::from) {
            Err(slip) if left > 0 => {
                let why = [slip.cause(), slip.hint()].into_iter().flatten().collect::<Vec<_>>().join("; ");
                reporter.warning(&format!("that is no code: {why}"));
            }
            parsed => return parsed,
        }
    }
    Err(Error::NoCode)
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

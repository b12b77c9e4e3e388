//! `p2pcp clean`: lists what interrupted transfers left in a receive folder, and removes it.

use std::path::PathBuf;

use crate::error::{Error, Finish};
use crate::fs::{self, Leftover, LeftoverState, Unusable};
use crate::interrupt::Interrupts;
use crate::ui::Reporter;

/// Runs the command.
///
/// # Errors
/// [`Error::Clean`].
pub async fn run(folder: PathBuf, assume_yes: bool, reporter: &Reporter) -> Result<Finish, Error> {
    let found = fs::leftovers(&folder).map_err(Error::Clean)?;
    for leftover in &found {
        reporter.leftover(leftover, false);
    }
    let removable: Vec<Leftover> = found.into_iter().filter(|it| is_removable(it.state)).collect();
    if removable.is_empty() {
        reporter.note(&match fs::is_folder(&folder) {
            true => "there is nothing to remove".to_owned(),
            false => format!("there is no folder {}, so there is nothing to remove", folder.display()),
        });
        return Ok(Finish::Done);
    }
    let mut interrupts = Interrupts::listen();
    let agreed = async { assume_yes || ask(reporter).await };
    let agreed = tokio::select! {
        agreed = agreed => agreed,
        interrupt = interrupts.wait() => return Err(Error::Interrupted { interrupt, again: None }),
    };
    if !agreed {
        return Ok(Finish::Done);
    }
    let mut failed = None;
    for leftover in removable {
        match leftover.remove() {
            Ok(true) => reporter.note(&format!("removed {}", leftover.path.display())),
            Ok(false) => reporter.note(&format!("{} is in use now and stays", leftover.path.display())),
            Err(fault) => {
                reporter.warning(&fault.to_string());
                failed.get_or_insert(fault);
            }
        }
    }
    failed.map_or(Ok(Finish::Done), |fault| Err(Error::Clean(fault)))
}

/// What is in use, or somebody else's, is left alone.
fn is_removable(state: LeftoverState) -> bool {
    match state {
        LeftoverState::InUse => false,
        LeftoverState::Unusable(why) => !matches!(why, Unusable::NotYours | Unusable::Denied),
        LeftoverState::Resumable => true,
    }
}

/// On a thread of its own, which nobody waits for if the process ends first.
async fn ask(reporter: &Reporter) -> bool {
    let (sender, answer) = tokio::sync::oneshot::channel();
    let asking = reporter.clone();
    std::thread::spawn(move || sender.send(asking.ask("remove all of these?")).ok());
    match answer.await {
        Ok(Some(answer)) => answer,
        Ok(None) | Err(_) => {
            reporter.note("nothing was removed: give `--yes` where nobody can be asked");
            false
        }
    }
}

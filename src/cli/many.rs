//! Sending to several: to so many at once, or to one after the other.

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;

use crate::cli::converse::watch;
use crate::connect::ConnectError;
use crate::error::{Error, ExitCode, Finish};
use crate::event::{Event, Tally};
use crate::interrupt::Interrupts;
use crate::send::Sender;
use crate::signaling::SignalingClientError;
use crate::ui::Reporter;
use crate::wire::signaling::CloseCode;

/// As many as are served at once: each costs memory, at most some 90 MiB, and a port of this machine.
const MOST_RECEIVERS: i64 = 32;

/// Between two attempts to get a code, where the server that gave the last one is not there.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What a failed receiver can do while `--keep` goes on.
pub(super) const KEPT_AGAIN: &str = "use the next code";

/// To whom.
#[derive(Debug, Args)]
pub(super) struct ManyArgs {
    /// Send to N receivers at once, each with its own code
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=MOST_RECEIVERS))]
    #[arg(conflicts_with_all = ["keep", "code", "qr", "copy", "text"])]
    to: Option<u8>,
    /// Send to one receiver after the other, each with its own code, until Ctrl-C
    #[arg(long, conflicts_with = "code")]
    pub(super) keep: bool,
}

impl ManyArgs {
    /// Sends to whom it is to be sent; `None` if that is one receiver.
    pub(super) async fn send(&self, sender: &Sender, reporter: &Reporter) -> Option<Result<ExitCode, Error>> {
        match (self.to, self.keep) {
            (Some(count), _) => Some(send_at_once(sender, usize::from(count), reporter).await),
            (None, true) => Some(Ok(keep_sending(sender, reporter).await)),
            (None, false) => None,
        }
    }

    /// Whether more than one receiver may come.
    pub(super) fn is_many(&self) -> bool {
        self.keep || self.to.is_some()
    }
}

type Ended = Result<Finish, Error>;

async fn send_at_once(sender: &Sender, count: usize, reporter: &Reporter) -> Result<ExitCode, Error> {
    let interrupts = Interrupts::listen();
    let transfers = sender.clone().start_for(count)?;
    let voices = reporter.for_receivers(count);
    let served = std::sync::Mutex::new(Served::default());
    let serve = async |(transfer, voice): (_, Reporter)| {
        let ended = watch(transfer, &voice, interrupts.clone(), |_| true).await;
        served.lock().unwrap_or_else(std::sync::PoisonError::into_inner).count(&ended);
    };
    join_all(transfers.into_iter().zip(voices).map(serve)).await;
    let served = served.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let code = match interrupts.seen() {
        Some(interrupt) if served.tally.interrupted > 0 => ExitCode::of_signal(Some(interrupt)),
        _ => served.failure.unwrap_or(ExitCode::Done),
    };
    Ok(served.tell(code, reporter))
}

async fn keep_sending(sender: &Sender, reporter: &Reporter) -> ExitCode {
    let mut interrupts = Interrupts::listen();
    let mut served = Served::default();
    let mut shown = false;
    for receiver in 1.. {
        let voice = reporter.for_next_receiver(receiver);
        let mut round = Round::default();
        let show = |event: &Event| round.take(event);
        let ended = watch(sender.clone().start(), &voice, interrupts.clone(), show).await;
        shown |= round.shown;
        if round.met {
            served.count(&ended);
        }
        let interrupted = interrupts.seen();
        let code = match (ended, interrupted) {
            // It is the way to end this, once it has done something.
            (Err(Error::Interrupted { .. }), Some(_)) if !round.met && served.tally.complete > 0 => {
                ExitCode::Done
            }
            (_, Some(interrupt)) => {
                round.last.iter().for_each(|it| voice.event(it));
                ExitCode::of_signal(Some(interrupt))
            }
            (_, None) if round.met => continue,
            (Err(error), None) if is_expiry(&error) => {
                voice.note("that code has expired, here is a new one");
                continue;
            }
            (Err(error), None) if shown && is_outage(&error) => {
                let seconds = TRY_AGAIN_AFTER.as_secs();
                voice.warning(&format!("{error}; trying again every {seconds} s"));
                tokio::select! {
                    () = tokio::time::sleep(TRY_AGAIN_AFTER) => continue,
                    interrupt = interrupts.wait() => match served.tally.complete {
                        0 => ExitCode::of_signal(Some(interrupt)),
                        _ => ExitCode::Done,
                    },
                }
            }
            (ended, None) => {
                round.last.iter().for_each(|it| voice.event(it));
                ended.map_or_else(|error| error.exit_code(), Finish::exit_code)
            }
        };
        return served.tell(code, reporter);
    }
    ExitCode::Done
}

/// One receiver of `--keep`.
#[derive(Default)]
struct Round {
    /// There was a code.
    shown: bool,
    /// Somebody came with it.
    met: bool,
    /// Why nobody came. Whether it is to be shown depends.
    last: Option<Event>,
}

impl Round {
    /// Takes in what happens. Whether it is shown now.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Code { .. } => self.shown = true,
            Event::Path { .. } => self.met = true,
            Event::Failed { .. } if !self.met => {
                self.last = Some(event.clone());
                return false;
            }
            _ => (),
        }
        true
    }
}

/// How it went for all receivers so far.
#[derive(Default)]
struct Served {
    tally: Tally,
    /// The first that did not receive everything.
    failure: Option<ExitCode>,
}

impl Served {
    fn count(&mut self, ended: &Ended) {
        let code = match ended {
            Ok(finish) => finish.exit_code(),
            Err(error) => error.exit_code(),
        };
        if code != ExitCode::Done {
            self.failure.get_or_insert(code);
        }
        let tally = &mut self.tally;
        tally.receivers += 1;
        *match (ended, code) {
            (Ok(Finish::Done), _) => &mut tally.complete,
            (Ok(Finish::Partly(_)), _) => &mut tally.partly,
            (Err(_), ExitCode::Declined) => &mut tally.declined,
            (Err(_), ExitCode::Code) => &mut tally.unmet,
            (Err(_), ExitCode::Lost) => &mut tally.lost,
            (Err(_), ExitCode::Interrupted | ExitCode::Terminated) => &mut tally.interrupted,
            (Err(_), _) => &mut tally.failed,
        } += 1;
    }

    fn tell(&self, code: ExitCode, reporter: &Reporter) -> ExitCode {
        reporter.event(&Event::Served { tally: self.tally, exit_code: code.number() });
        code
    }
}

/// Whether nobody used the code in time.
fn is_expiry(error: &Error) -> bool {
    let closed = |error: &ConnectError| {
        matches!(error, ConnectError::Signaling(SignalingClientError::Closed(CloseCode::Expired)))
    };
    match error {
        Error::CodeUnused { .. } => true,
        Error::Meeting(error) => closed(error),
        _ => false,
    }
}

/// Whether it is the server that is not there.
fn is_outage(error: &Error) -> bool {
    matches!(error, Error::Server { .. } | Error::Meeting(ConnectError::Signaling(_)))
}

//! All that a person sees and is asked: the only part of p2pcp that prints.
//!
//! Invariants: everything goes to stderr; stdout stays empty but for what `--json` or `--dry-run` asked for; every text is sanitised on its way
//! (`ui/line.rs`), whoever it came from; nothing is said by colour alone; no environment variable
//! is read here ([`Style`] brings those facts along). The clock is read for drawing and nothing else.
//!
//! ```text
//! caller ─► Reporter ─► report (wording) ──► line ─► screen ─► stderr
//!              └──────► progress (numbers) ───┘        ▲
//!              └──────► prompt (questions) ────────────┘
//! ```

mod doctor;
mod leftovers;
mod line;
mod listing;
mod logging;
mod progress;
mod prompt;
mod report;
mod screen;
mod style;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod text;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::code::Code;
use crate::event::{Consent, Event};
use crate::session::Summary;
use crate::transport;
pub use crate::ui::doctor::{Check, Grade, Reach, Report, VERSION as DOCTOR_VERSION};
use crate::ui::line::{Line, Paint};
use crate::ui::progress::{Change, Meter};
use crate::ui::screen::{Mode, Screen};
pub use crate::ui::style::{Allowed, Role, Style, Verbosity};
use crate::wire::peer::{Offer, OfferItem, Outcome, Totals};

/// Passed-over entries that are listed one by one; the rest is a number at the end.
const MOST_LISTED: u64 = 20;

/// A failure in words: lower case, no final full stop, values in backticks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Problem<'a> {
    /// What went wrong, in one sentence.
    pub sentence: &'a str,
    /// Why, where it is known.
    pub cause: Option<&'a str>,
    /// What the person can do now.
    pub hint: Option<&'a str>,
}

/// The voice of one command. A cheap handle: clones speak on the same screen.
///
/// Methods may be called from any thread. They write to stderr at once and wait for it, but
/// [`Reporter::event`] writes only when there is a line to say, so a transfer runs on while a terminal
/// is stopped with Ctrl-S.
///
/// The live area goes away with [`Reporter::finished`], [`Reporter::failed`], [`Reporter::clear`] or the
/// last clone. The cursor is never hidden and no terminal mode is changed, so even a killed process
/// leaves a usable terminal.
#[derive(Clone)]
pub struct Reporter {
    inner: Arc<Inner>,
}

struct Inner {
    style: Style,
    screen: Screen,
    /// Shared with the drawing thread; not held while printing, see [`screen`].
    meter: Arc<Mutex<Meter>>,
    /// How many entries there were to list as not kept, and as skipped.
    unkept: AtomicU64,
    skipped: AtomicU64,
}

impl Reporter {
    /// A reporter on stderr; bars and colour only if that is a terminal.
    pub fn new(style: Style) -> Self {
        let terminal = io::stderr().is_terminal();
        let can = |allowed| terminal && allowed == Allowed::OnTerminal;
        let mode = if can(style.motion) { Mode::Live } else { Mode::Plain };
        Self::on(style, Screen::new(mode, can(style.colour), Box::new(io::stderr())))
    }

    /// A reporter that writes plain lines to `sink` in place of stderr.
    pub fn with_sink(style: Style, sink: Box<dyn Write + Send>) -> Self {
        Self::on(style, Screen::new(Mode::Plain, false, sink))
    }

    fn on(style: Style, screen: Screen) -> Self {
        let (unkept, skipped) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { inner: Arc::new(Inner { style, screen, meter: Arc::default(), unkept, skipped }) }
    }

    /// What is about to be sent: `sending photos/ (1,234 files, 1.2 GiB)`.
    fn sending(&self, items: &[OfferItem], more: u32, totals: &Totals) {
        self.say(Verbosity::Normal, report::sending("sending", items, more, totals));
    }

    /// The code, and the line to type on the other side. [`Verbosity::Quiet`] prints the bare code.
    fn code(&self, code: &Code, receive_line: &str) {
        let code = Line::default().with(Paint::Bold, code);
        if self.inner.style.verbosity == Verbosity::Quiet {
            return self.inner.screen.print(&[code]);
        }
        let mut line = Line::plain("code: ");
        line.append(code);
        let other = Line::plain("on the other side, type: ").with(Paint::Bold, receive_line);
        self.inner.screen.print(&[line, other]);
    }

    /// Somebody guessed, and a new code follows ([`Reporter::code`]). `remaining_codes` may still be
    /// made after that one.
    fn wrong_guess(&self, remaining_codes: u32) {
        let last = if remaining_codes == 0 { " (the last one)" } else { "" };
        self.warning(&format!("someone tried a wrong code; that code is burnt, here is a new one{last}"));
    }

    /// The peers found a path: `connected: direct over LAN, 192.168.1.7`, for instance.
    fn connected(&self, path: &transport::Path) {
        self.say(Verbosity::Normal, report::connected("connected", path));
    }

    /// A path that is better than the first one is in use from now on.
    fn connected_better(&self, path: &transport::Path) {
        self.say(Verbosity::Normal, report::connected("now connected", path));
    }

    /// The peers found a path again after a lost link: `connected again: direct over LAN, 192.168.1.7`.
    fn connected_again(&self, path: &transport::Path) {
        self.say(Verbosity::Quiet, report::connected("connected again", path));
    }

    /// `.env` decided which server is used.
    pub fn server_from_env_file(&self, server: &str) {
        self.note(&format!("using server {server} (from .env)"));
    }

    /// Something worth knowing, in one lower-case sentence.
    pub fn note(&self, sentence: &str) {
        self.say(Verbosity::Normal, Line::plain(sentence));
    }

    /// Something that only [`Verbosity::Verbose`] tells.
    pub fn detail(&self, sentence: &str) {
        self.say(Verbosity::Verbose, Line::default().with(Paint::Dim, sentence));
    }

    /// Something that may need attention, also told when quiet.
    pub fn warning(&self, sentence: &str) {
        self.say(Verbosity::Quiet, Line::warning(sentence));
    }

    /// Shows what happened. Costs about 0.1 µs, unless there is a line to print.
    pub fn event(&self, event: &Event) {
        self.event_at(Instant::now(), event);
    }

    fn event_at(&self, now: Instant, event: &Event) {
        let (change, plain) = {
            let mut meter = self.inner.meter.lock().unwrap_or_else(PoisonError::into_inner);
            let change = meter.take(now, event);
            let plain = match self.inner.screen.mode() {
                Mode::Plain => meter.plain(now, event),
                Mode::Live => None,
            };
            (change, plain)
        };
        if change == Change::Begun && self.inner.style.verbosity > Verbosity::Quiet {
            self.open_live_area();
        }
        if let Some(line) = plain {
            self.say(Verbosity::Normal, line);
        }
        self.tell(event);
    }

    /// Says what an event says in words.
    fn tell(&self, event: &Event) {
        let style = &self.inner.style;
        let live = self.inner.screen.mode() == Mode::Live && style.verbosity > Verbosity::Quiet;
        match event {
            Event::Sending { items, more, totals } => self.sending(items, *more, totals),
            Event::Rendezvous { url } => self.detail(&format!("the rendezvous is {url}")),
            Event::Code { code, command } => self.code(code, command),
            Event::Waiting => self.note("waiting for the other side…"),
            Event::CodeBurnt { guessed: true, codes_left, .. } => self.wrong_guess(*codes_left),
            Event::CodeBurnt { reason, .. } => {
                self.warning(&format!("{reason}; that code is used up, here is a new one"));
            }
            Event::Searching { after_server: false } => self.note("looking for the sender…"),
            Event::Searching { after_server: true } => {
                self.note("the server has no such sender; looking on the local network…");
            }
            Event::Path { path, better: false } => self.connected(path),
            Event::Path { path, better: true } => self.connected_better(path),
            Event::Leftovers { folder, found, attention } => self.leftovers(folder, found, *attention),
            Event::Offered { offer, folder, asks: false } => self.offer(offer, folder),
            Event::Offered { offer, folder, asks: true } => self.show_offer(offer, folder),
            Event::Consent { answer: Consent::Accepted } if style.role == Role::Send => {
                self.note("the other side accepted");
            }
            Event::Found { bytes, totals } => self.say(Verbosity::Normal, report::found(*bytes, totals)),
            Event::Entry { path, outcome: Outcome::Unwanted, .. } => {
                self.detail(&format!("{path}: not wanted"));
            }
            Event::Entry { path, outcome, .. } => {
                if let Some(line) = report::unkept(path, *outcome, style.role) {
                    self.list(&self.inner.unkept, line);
                }
            }
            Event::Skipped { path, reason } => {
                self.list(&self.inner.skipped, Line::warning(format_args!("skipped {path}: {reason}")));
            }
            Event::Renamed { from, to } => {
                self.note(&format!("`{from}` was there already; received as `{to}`"));
            }
            // The live area says these two, and takes them back by itself.
            Event::Stalled { silence } if !live => self.warning(&progress::stalled(*silence)),
            Event::Moving if !live => self.note("it moves again"),
            Event::Disconnected { loss } => self.warning(&progress::disconnected(*loss)),
            Event::Retrying { reason } => self.note(&format!("not connected yet: {reason}")),
            Event::Reconnected { path } => self.connected_again(path),
            Event::Note { text } => self.note(text),
            Event::Warning { text } => self.warning(text),
            Event::Finished { summary, elapsed, .. } => self.finished(summary, *elapsed),
            Event::Failed { error, cause, hint, .. } => {
                let problem = Problem { sentence: error, cause: cause.as_deref(), hint: hint.as_deref() };
                self.failed(&problem);
            }
            Event::Stalled { .. } | Event::Moving | Event::Consent { .. } => (),
            Event::Progress(_) | Event::Finishing(_) => (),
        }
    }

    /// Shows an offer: how much, the names, and where they will land.
    fn offer(&self, offer: &Offer, destination: &Path) {
        if self.inner.style.verbosity > Verbosity::Quiet {
            self.show_offer(offer, destination);
        }
    }

    /// Asks whether to receive what was offered.
    ///
    /// [`Consent::Unattended`] when stdin or stderr is not a terminal. Blocks until the person answers
    /// and cannot be called off: run it on a `std::thread` with a clone, not on tokio's blocking pool,
    /// which a runtime waits for when it shuts down.
    pub fn ask_consent(&self) -> Consent {
        if !prompt::somebody_is_there() {
            return Consent::Unattended;
        }
        prompt::forget_type_ahead();
        match prompt::agreed(&self.inner.screen, "receive this?", &mut io::stdin().lock()) {
            true => Consent::Accepted,
            false => Consent::Declined,
        }
    }

    /// Asks for the code; `None` when there is nobody to ask or nothing was typed. Blocks as
    /// [`Reporter::ask_consent`] does.
    pub fn ask_code(&self) -> Option<String> {
        match prompt::somebody_is_there() {
            true => prompt::code(&self.inner.screen, &mut io::stdin().lock()),
            false => None,
        }
    }

    /// The transfer is done, perhaps with entries left out. `elapsed` is the time since it was accepted.
    fn finished(&self, summary: &Summary, elapsed: Duration) {
        self.inner.screen.close();
        self.tell_unlisted();
        let (done, warnings) = report::finished(summary, elapsed, self.inner.style.role);
        self.inner.screen.print(&warnings);
        self.say(Verbosity::Normal, done);
        if self.inner.style.role == Role::Recv {
            let Summary { bytes, spared, .. } = summary;
            self.detail(&format!("bytes: {bytes} came over the network, {spared} were here already"));
        }
    }

    /// It failed. Takes the live area away and says why and what to do.
    pub fn failed(&self, problem: &Problem<'_>) {
        self.inner.screen.close();
        self.tell_unlisted();
        self.inner.screen.print(&report::failed(problem));
    }

    /// Takes the live area away, as before a process exits without words. The next event of a transfer
    /// that has begun does not bring it back; a new session's does.
    pub fn clear(&self) {
        self.inner.screen.clear();
    }

    fn show_offer(&self, offer: &Offer, destination: &Path) {
        let screen = &self.inner.screen;
        screen.print(&report::offer(offer, destination, screen.columns()));
    }

    fn open_live_area(&self) {
        let meter = Arc::clone(&self.inner.meter);
        self.inner.screen.open(move |columns| {
            let now = Instant::now();
            let meter = meter.lock().unwrap_or_else(PoisonError::into_inner);
            [meter.upper(now, columns), meter.lower(now, columns)]
        });
    }

    /// Prints one of many, as long as there are not too many.
    fn list(&self, listed: &AtomicU64, line: Line) {
        let before = listed.fetch_add(1, Ordering::Relaxed);
        if before < MOST_LISTED || self.inner.style.verbosity == Verbosity::Verbose {
            self.inner.screen.print(&[line]);
        }
    }

    fn tell_unlisted(&self) {
        for (listed, what) in [(&self.inner.skipped, "skipped"), (&self.inner.unkept, "not received")] {
            let unlisted = listed.swap(0, Ordering::Relaxed).saturating_sub(MOST_LISTED);
            if unlisted > 0 && self.inner.style.verbosity < Verbosity::Verbose {
                let things = text::counted(unlisted, "more item");
                self.warning(&format!("{things} {what} (--verbose lists all)"));
            }
        }
    }

    fn verbosity(&self) -> Verbosity {
        self.inner.style.verbosity
    }

    fn say(&self, least: Verbosity, line: Line) {
        if self.inner.style.verbosity >= least {
            self.inner.screen.print(&[line]);
        }
    }
}

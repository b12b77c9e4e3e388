//! What events say in words, on the screen.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::code::Code;
use crate::event::{Consent, Event, Preview};
use crate::session::Summary;
use crate::transport;
use crate::ui::line::{Line, Paint};
use crate::ui::screen::Mode;
use crate::ui::{Problem, Reporter, Role, Verbosity, progress, report, text};
use crate::wire::path::RelPath;
use crate::wire::peer::{Offer, OfferItem, Outcome, Totals};

/// Passed-over entries that are listed one by one; the rest is a number at the end.
const MOST_LISTED: u64 = 20;

impl Reporter {
    /// Says what an event says in words.
    pub(super) fn tell(&self, event: &Event) {
        let style = &self.inner.style;
        let live = self.inner.screen.mode() == Mode::Live && style.verbosity > Verbosity::Quiet;
        match event {
            Event::Sending { items, more, totals } => self.sending(items, *more, totals),
            Event::Rendezvous { url } => self.detail(&format!("the rendezvous is {url}")),
            Event::Code { code, command } => self.code(code, command),
            Event::Waiting => self.say_note("waiting for the other side…"),
            Event::CodeBurnt { guessed: true, codes_left, .. } => self.wrong_guess(*codes_left),
            Event::CodeBurnt { reason, .. } => {
                self.say_warning(&format!("{reason}; that code is used up, here is a new one"));
            }
            Event::Searching { after_server: false } => self.say_note("looking for the sender…"),
            Event::Searching { after_server: true } => {
                self.say_note("not found by way of the server; looking on the local network…");
            }
            Event::Path { path, better: false } => self.connected(path),
            Event::Path { path, better: true } => self.connected_better(path),
            Event::Verify { words } => {
                self.say(Verbosity::Quiet, Line::plain("words to compare: ").with(Paint::Bold, words));
            }
            Event::Leftovers { folder, found, attention } => self.leftovers(folder, found, *attention),
            // Whoever is asked must know about what.
            Event::Offered { asks: false, .. } if style.verbosity <= Verbosity::Quiet => (),
            Event::Offered { offer, folder, name, preview, .. } => {
                self.show_offer(offer, preview, folder, name.as_ref());
            }
            Event::Consent { answer: Consent::Accepted } if style.role == Role::Send => {
                self.say_note("the other side accepted");
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
                self.say_note(&format!("`{from}` was there already; received as `{to}`"));
            }
            // The live area says these two, and takes them back by itself.
            Event::Stalled { silence } if !live && !self.is_writing() => {
                self.say_warning(&progress::stalled(*silence))
            }
            Event::Moving if !live && !self.is_writing() => self.say_note("it moves again"),
            Event::Disconnected { loss } => self.say_warning(&progress::disconnected(*loss)),
            Event::Retrying { reason } => self.say_note(&format!("not connected yet: {reason}")),
            Event::Reconnected { path } => self.connected_again(path),
            Event::Note { text } => self.say_note(text),
            Event::Warning { text } => self.say_warning(text),
            Event::Finished { summary, elapsed, .. } => self.finished(summary, *elapsed),
            Event::Failed { error, cause, hint, .. } => {
                let problem = Problem { sentence: error, cause: cause.as_deref(), hint: hint.as_deref() };
                self.failed(&problem);
            }
            Event::Served { tally, .. } => self.served(tally),
            Event::Stalled { .. } | Event::Moving | Event::Consent { .. } => (),
            Event::Text { text } => self.show_text(text),
            // The live area says these, too.
            Event::Paused { here, there } if !live => self.say_note(progress::paused(*here, *there)),
            Event::Resumed if !live => self.say_note("it goes on"),
            Event::Paused { .. } | Event::Resumed | Event::Limited { .. } => (),
            Event::Progress(_) | Event::Finishing(_) => (),
        }
    }

    /// What is about to be sent: `sending photos/ (1,234 files, 1.2 GiB)`.
    pub(super) fn sending(&self, items: &[OfferItem], more: u32, totals: &Totals) {
        self.say(Verbosity::Normal, report::sending("sending", items, more, totals));
    }

    /// The code, and the line to type on the other side. [`Verbosity::Quiet`] prints the bare code.
    pub(super) fn code(&self, code: &Code, receive_line: &str) {
        self.code_in_words(code, receive_line);
        if let Some(extras) = self.inner.extras.get() {
            extras.show(&self.inner.screen, receive_line);
        }
    }

    fn code_in_words(&self, code: &Code, receive_line: &str) {
        let code = Line::default().with(Paint::Bold, code);
        if self.inner.style.verbosity == Verbosity::Quiet {
            return self.inner.screen.print(&[code]);
        }
        let mut line = Line::plain("code: ");
        line.append(code);
        let other = Line::plain("on the other side, type: ").with(Paint::Bold, receive_line);
        match self.is_one_of_many() {
            true => self.inner.screen.print(&[other]),
            false => self.inner.screen.print(&[line, other]),
        }
    }

    /// Somebody guessed, and a new code follows ([`Reporter::code`]). `remaining_codes` may still be
    /// made after that one.
    pub(super) fn wrong_guess(&self, remaining_codes: u32) {
        let last = if remaining_codes == 0 { " (the last one)" } else { "" };
        self.say_warning(&format!("someone tried a wrong code; that code is burnt, here is a new one{last}"));
    }

    /// The peers found a path: `connected: direct over LAN, 192.168.1.7`, for instance.
    pub(super) fn connected(&self, path: &transport::Path) {
        self.say(Verbosity::Normal, report::connected("connected", path));
    }

    /// A path that is better than the first one is in use from now on.
    pub(super) fn connected_better(&self, path: &transport::Path) {
        self.say(Verbosity::Normal, report::connected("now connected", path));
    }

    /// The peers found a path again after a lost link: `connected again: direct over LAN, 192.168.1.7`.
    pub(super) fn connected_again(&self, path: &transport::Path) {
        self.say(Verbosity::Quiet, report::connected("connected again", path));
    }

    /// The transfer is done, perhaps with entries left out. `elapsed` is the time since it was accepted.
    pub(super) fn finished(&self, summary: &Summary, elapsed: Duration) {
        self.inner.screen.close();
        self.tell_unlisted();
        let (done, warnings) = match (self.inner.text.get(), summary.files) {
            (Some(characters), 1) => (report::finished_text(*characters, self.inner.style.role), Vec::new()),
            _ => report::finished(summary, elapsed, self.inner.style.role),
        };
        self.inner.screen.print(&warnings);
        self.say(Verbosity::Normal, done);
        let Summary { bytes, wire, spared, .. } = summary;
        let packed = if wire < bytes { format!("; compressed to {wire}") } else { String::new() };
        self.detail(&match self.inner.style.role {
            Role::Recv => {
                format!("bytes: {bytes} came over the network, {spared} were here already{packed}")
            }
            _ => format!("bytes: {bytes} went over the network, {spared} were there already{packed}"),
        });
    }

    /// It failed. Takes the live area away and says why and what to do.
    pub(super) fn failed(&self, problem: &Problem<'_>) {
        self.inner.screen.close();
        self.tell_unlisted();
        self.inner.screen.print(&report::failed(problem));
    }

    /// Shows an offer: how much, the names, and where they will land.
    fn show_offer(&self, offer: &Offer, preview: &Preview, folder: &Path, name: Option<&RelPath>) {
        let screen = &self.inner.screen;
        let mut lines = report::offer(offer, preview, screen.columns());
        lines.push(match self.shows(offer, folder) {
            true => Line::plain("to be shown here, and not kept"),
            false => report::destination(folder, name),
        });
        screen.print(&lines);
    }

    /// Whether it is a text that goes to this terminal.
    fn shows(&self, offer: &Offer, folder: &Path) -> bool {
        offer.is_text() && folder.as_os_str() == "-" && io::stdout().is_terminal()
    }

    /// Prints one of many, as long as there are not too many.
    pub(super) fn list(&self, listed: &AtomicU64, line: Line) {
        let before = listed.fetch_add(1, Ordering::Relaxed);
        if before < MOST_LISTED || self.inner.style.verbosity >= Verbosity::Verbose {
            self.inner.screen.print(&[line]);
        }
    }

    pub(super) fn tell_unlisted(&self) {
        for (listed, what) in [(&self.inner.skipped, "skipped"), (&self.inner.unkept, "not received")] {
            let unlisted = listed.swap(0, Ordering::Relaxed).saturating_sub(MOST_LISTED);
            if unlisted > 0 && self.inner.style.verbosity < Verbosity::Verbose {
                let things = text::counted(unlisted, "more item");
                self.say_warning(&format!("{things} {what} (--verbose lists all)"));
            }
        }
    }
}

//! All that a person sees and is asked: the only part of p2pcp that prints.
//!
//! Invariants: everything goes to stderr; stdout stays empty but for what `--json` (a document, or a line an event) or `--dry-run` asked for, and a text that was received; every text is sanitised on its way
//! (`ui/line.rs`), whoever it came from; nothing is said by colour alone; no environment variable
//! is read here ([`Style`] brings those facts along). The clock is read for drawing and nothing else. While a question stands
//! open no keys are read.
//!
//! ```text
//! caller ─► Reporter ─► report (wording) ──► line ─► screen ─► stderr
//!              └──────► progress (numbers) ───┘        ▲
//!              └──────► prompt (questions) ────────────┘
//! ```

mod area;
mod choose;
mod clipboard;
mod code_prompt;
mod data;
mod doctor;
mod extras;
mod json;
mod keyboard;
mod keys;
mod leftovers;
mod line;
mod listing;
mod logging;
mod many;
mod note;
mod progress;
mod prompt;
mod report;
mod screen;
mod style;
mod tell;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod text;
mod tree;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Consent, Event, Preview};
use crate::fs::Globs;
pub use crate::ui::code_prompt::{Asked, Heard};
pub use crate::ui::doctor::{Check, Grade, Reach, Report, VERSION as DOCTOR_VERSION};
pub use crate::ui::extras::Extras;
pub use crate::ui::keys::{Key, Keys};
use crate::ui::line::{Line, Paint};
use crate::ui::progress::{Change, Meter};
use crate::ui::screen::{Mode, Screen};
pub use crate::ui::style::{Allowed, Role, Style, Verbosity};
use crate::ui::terminal::Terminal;

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
/// The live area goes away with the last event of a transfer ([`Event::is_last`]), [`Reporter::clear`] or the
/// last clone. The cursor is never hidden, and no terminal mode is changed but by [`Keys`] and the question for a code, which put
/// it back.
#[derive(Clone)]
pub struct Reporter {
    inner: Arc<Inner>,
}

struct Inner {
    style: Style,
    /// Whether events go to stdout as JSON lines.
    json: bool,
    screen: Screen,
    /// Shared with the drawing thread; not held while printing, see [`screen`].
    meter: Arc<Mutex<Meter>>,
    /// How codes are shown beside their text.
    extras: OnceLock<Extras>,
    /// The terminal before a line was edited on it.
    terminal: Terminal,
    /// The characters of the text that it is about, if it is.
    text: OnceLock<u64>,
    /// How many entries there were to list as not kept, and as skipped.
    unkept: AtomicU64,
    skipped: AtomicU64,
    /// stdin is what is sent.
    stdin_is_sent: AtomicBool,
    /// Whom it is about, where there are several receivers.
    receiver: Option<many::Receiver>,
}

impl Inner {
    fn new(style: Style, json: bool, screen: Screen) -> Self {
        Self {
            style,
            json,
            screen,
            meter: Arc::default(),
            extras: OnceLock::new(),
            terminal: Terminal::default(),
            text: OnceLock::new(),
            unkept: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            stdin_is_sent: AtomicBool::new(false),
            receiver: None,
        }
    }
}

impl Reporter {
    /// A reporter on stderr; bars and colour only if that is a terminal.
    pub fn new(style: Style) -> Self {
        let terminal = io::stderr().is_terminal();
        let mode = if terminal && style.motion != Allowed::Never { Mode::Live } else { Mode::Plain };
        let colour = match style.colour {
            Allowed::OnTerminal => terminal,
            Allowed::Never => false,
            Allowed::Always => true,
        };
        Self::on(style, false, Screen::new(mode, colour, Box::new(io::stderr())))
    }

    /// A reporter that prints each event as a line of JSON on stdout too, and asks nobody.
    pub fn for_programs(style: Style) -> Self {
        Self::on(style, true, Screen::new(Mode::Plain, false, Box::new(io::stderr())))
    }

    /// A reporter that writes plain lines to `sink` in place of stderr.
    pub fn with_sink(style: Style, sink: Box<dyn Write + Send>) -> Self {
        Self::on(style, false, Screen::new(Mode::Plain, false, sink))
    }

    fn on(style: Style, json: bool, screen: Screen) -> Self {
        Self { inner: Arc::new(Inner::new(style, json, screen)) }
    }

    /// Has codes shown in these ways too. The first call counts.
    pub fn show_codes_with(&self, extras: Extras) {
        self.inner.extras.set(extras).ok();
    }

    /// `.env` decided which server is used.
    pub fn server_from_env_file(&self, server: &str) {
        self.note(&format!("using server {server} (from .env)"));
    }

    /// Something worth knowing, in one lower-case sentence.
    pub fn note(&self, sentence: &str) {
        self.event(&Event::Note { text: sentence.to_owned() });
    }

    /// Something that only [`Verbosity::Verbose`] tells.
    pub fn detail(&self, sentence: &str) {
        self.say(Verbosity::Verbose, Line::default().with(Paint::Dim, sentence));
    }

    /// Something that may need attention, also told when quiet.
    pub fn warning(&self, sentence: &str) {
        self.event(&Event::Warning { text: sentence.to_owned() });
    }

    /// Shows what happened. Costs about 0.1 µs, unless there is a line to print.
    pub fn event(&self, event: &Event) {
        self.event_at(Instant::now(), event);
    }

    fn event_at(&self, now: Instant, event: &Event) {
        if self.inner.json {
            json::print(event, self.receiver());
        }
        if self.inner.style.verbosity == Verbosity::Silent {
            return;
        }
        if let Event::Sending { items, more, .. } = event {
            self.note_text(items, *more);
        }
        if let Event::Offered { offer, .. } = event {
            self.note_text(&offer.items, offer.more);
        }
        if self.inner.text.get().is_some() {
            // It is too short for numbers.
            return self.tell(event);
        }
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
        if self.is_for_one(event) {
            self.tell(event);
        }
    }

    /// Asks whether to receive what was offered, and where it can be chosen from, what of it: `None` is all.
    ///
    /// [`Consent::Unattended`] when stdin or stderr is not a terminal. Blocks until the person answers
    /// and cannot be called off: run it on a `std::thread` with a clone, not on tokio's blocking pool,
    /// which a runtime waits for when it shuts down.
    pub fn ask_consent(&self, preview: &Preview) -> (Consent, Option<Globs>) {
        if !self.somebody_is_there() || !choose::is_worth_it(preview) {
            return (self.ask_for_consent("receive this?"), None);
        }
        prompt::forget_type_ahead();
        let (screen, mut input) = (&self.inner.screen, io::stdin().lock());
        let mut chosen = None;
        loop {
            let question = if chosen.is_some() { "receive these?" } else { "receive this?" };
            match prompt::agreed_or_choosing(screen, question, &mut input) {
                prompt::Said::Yes if chosen.is_none() && preview.lacking_bytes > 0 => {
                    screen.print(&[Line::warning("it does not fit; `c` chooses less of it")]);
                }
                prompt::Said::Yes => return (Consent::Accepted, chosen),
                prompt::Said::No => return (Consent::Declined, None),
                prompt::Said::Choose => {
                    chosen = choose::choose(screen, preview, &mut input);
                    if let Some(chosen) = &chosen {
                        screen.print(&[choose::amount(preview, chosen)]);
                    }
                }
            }
        }
    }

    fn ask_for_consent(&self, question: &str) -> Consent {
        if !self.somebody_is_there() {
            return Consent::Unattended;
        }
        let Some(_turn) = self.turn_to_ask() else { return Consent::Unattended };
        prompt::forget_type_ahead();
        let agreed = prompt::agreed(&self.inner.screen, question, &mut io::stdin().lock());
        self.reopen_crowded_area();
        if agreed { Consent::Accepted } else { Consent::Declined }
    }

    /// Asks whether the other side shows the same words, as [`Reporter::ask_consent`] asks.
    pub fn ask_verified(&self, words: &str) -> Consent {
        self.ask_for_consent(&format!("do both sides show {words}?"))
    }

    /// Asks for the code. Blocks as [`Reporter::ask_consent`] does; [`Reporter::stop_asking`] goes before an end in between.
    pub fn ask_code(&self, heard: Heard) -> Asked {
        if !self.somebody_is_there() {
            return Asked::Nothing;
        }
        let screen = &self.inner.screen;
        if screen.mode() == Mode::Plain {
            return prompt::code(screen, &mut io::stdin().lock()).map_or(Asked::Nothing, Asked::Typed);
        }
        self.inner.terminal.remember();
        code_prompt::ask(heard, screen.colour())
    }

    /// Takes the live area away, as before a process exits without words. The next event of a transfer
    /// that has begun does not bring it back; a new session's does.
    pub fn clear(&self) {
        self.inner.screen.clear();
    }

    /// Whether all bytes are there, and what takes its time is a disk.
    fn is_writing(&self) -> bool {
        self.inner.meter.lock().unwrap_or_else(PoisonError::into_inner).is_writing()
    }

    fn open_live_area(&self) {
        if self.open_crowded_area() {
            return;
        }
        let meter = Arc::clone(&self.inner.meter);
        self.inner.screen.open(move |columns| {
            let now = Instant::now();
            let meter = meter.lock().unwrap_or_else(PoisonError::into_inner);
            meter.lines(now, columns)
        });
    }

    /// Whether there is a person who can be asked.
    pub fn somebody_is_there(&self) -> bool {
        !self.inner.json && prompt::somebody_is_there()
    }

    /// How often progress is wanted, where it matters.
    pub fn progress_every(&self) -> Option<Duration> {
        self.inner.json.then_some(json::PROGRESS_EVERY)
    }

    fn say_note(&self, sentence: &str) {
        self.say(Verbosity::Normal, Line::plain(sentence));
    }

    fn say_plainly(&self, line: Line) {
        self.say(Verbosity::Normal, line);
    }

    fn say_warning(&self, sentence: &str) {
        self.say(Verbosity::Quiet, Line::warning(sentence));
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

//! The one door to stderr: whole lines, and a live area of a few lines below them.
//!
//! Invariants: lines never tear the live area or each other; nothing but [`Line`]s is shown, and what goes to the clipboard is base64; nothing
//! reaches stdout. The lock of the screen is taken before any lock of whoever draws the live area,
//! so never call in here while holding a lock that `draw` takes.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::ui::area;
use crate::ui::line::Line;

/// Frames a second: more is not seen and costs the transfer's CPU.
const FRAMES_PER_SECOND: u8 = 10;

/// Columns assumed where there is no terminal.
const DEFAULT_COLUMNS: usize = 80;

/// What the screen can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A terminal with a cursor: the live area works.
    Live,
    /// A pipe, a log, or a terminal that cannot move its cursor: lines only.
    Plain,
}

/// What a handle of the screen is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All there is to say.
    Whole,
    /// One transfer, after which others come: it leaves the live area to them.
    OneAfterTheOther,
    /// One transfer beside others: each of its lines begins with this, and the live area is not its own.
    OneOfMany(String),
}

/// Stderr, or what stands in for it in tests.
pub(crate) struct Screen {
    mode: Mode,
    colour: bool,
    part: Part,
    shown: Arc<Mutex<Shown>>,
}

struct Shown {
    sink: Box<dyn Write + Send>,
    live: Live,
    /// A question stands on the last line, without a line end.
    asking: bool,
}

/// The live area.
enum Live {
    Off,
    On(ProgressBar),
    /// It has been taken away for good: a late event must not bring it back.
    Over,
}

impl Screen {
    /// A screen that writes to `sink`; [`Mode::Live`] draws its live area on stderr.
    pub(crate) fn new(mode: Mode, colour: bool, sink: Box<dyn Write + Send>) -> Self {
        let shown = Arc::new(Mutex::new(Shown { sink, live: Live::Off, asking: false }));
        Self { mode, colour, part: Part::Whole, shown }
    }

    /// Another handle of the same screen.
    pub(crate) fn part(&self, part: Part) -> Self {
        let Self { mode, colour, shown, .. } = self;
        Self { mode: *mode, colour: *colour, part, shown: Arc::clone(shown) }
    }

    /// What it can do.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Lines of the terminal, or of one where there is none.
    pub(crate) fn rows(&self) -> usize {
        const USUAL: usize = 24;
        let size = Term::stderr().size_checked();
        size.map_or(USUAL, |(rows, _)| usize::from(rows))
    }

    /// Whether colour is allowed.
    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// Columns of a line.
    pub(crate) fn columns(&self) -> usize {
        match self.mode {
            Mode::Live => live_columns(),
            Mode::Plain => DEFAULT_COLUMNS,
        }
    }

    /// Writes whole lines, above the live area.
    ///
    /// A write error is ignored: a closed stderr must not stop a transfer.
    pub(crate) fn print(&self, lines: &[Line]) {
        if lines.is_empty() {
            return;
        }
        let mut shown = self.lock();
        let mut out = String::new();
        if std::mem::take(&mut shown.asking) {
            out.push('\n');
        }
        for line in lines {
            if let Part::OneOfMany(label) = &self.part {
                // An empty line keeps apart what the label keeps together.
                if *line == Line::default() {
                    continue;
                }
                Line::plain(label).render(self.colour, &mut out);
            }
            line.render(self.colour, &mut out);
            out.push('\n');
        }
        shown.write(&out);
    }

    /// Has the terminal put `text` on its clipboard: OSC 52 (xterm, "Operating System Commands"), as base64, so that
    /// nothing in it can end the sequence. A terminal that does not know or allow it shows nothing. Only in [`Mode::Live`].
    pub(crate) fn put_on_clipboard(&self, text: &str) {
        if self.mode == Mode::Live {
            let encoded = data_encoding::BASE64.encode(text.as_bytes());
            self.lock().write(&format!("\x1b]52;c;{encoded}\x07"));
        }
    }

    /// Writes a question and leaves the cursor behind it; the answer's line end closes it.
    pub(crate) fn question(&self, question: &Line) {
        let mut shown = self.lock();
        // It would be drawn over the question.
        shown.take_away(Live::Off);
        let mut out = String::new();
        if let Part::OneOfMany(label) = &self.part {
            Line::plain(label).render(self.colour, &mut out);
        }
        question.render(self.colour, &mut out);
        shown.write(&out);
        shown.asking = true;
    }

    /// Something else asks, and leaves the cursor behind its question: what is said next begins a line.
    pub(crate) fn broken_off(&self) {
        self.lock().asking = true;
    }

    /// The question has its answer. `line_ended` says whether the person pressed Enter.
    pub(crate) fn answered(&self, line_ended: bool) {
        let mut shown = self.lock();
        if std::mem::take(&mut shown.asking) && !line_ended {
            shown.write("\n");
        }
    }

    /// Shows the live area: `draw(columns)` gives its lines, ten times a second, on a thread of
    /// its own. Does nothing in [`Mode::Plain`], when it is shown, or after [`Screen::close`].
    pub(crate) fn open(&self, draw: impl Fn(usize) -> Vec<Line> + Clone + Send + Sync + 'static) {
        let mut shown = self.lock();
        let own = !matches!(self.part, Part::OneOfMany(_));
        if self.mode == Mode::Plain || !own || shown.asking || !matches!(shown.live, Live::Off) {
            return;
        }
        let colour = self.colour;
        let frame = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let mut text = String::new();
            for (number, line) in draw(live_columns()).iter().enumerate() {
                if number > 0 {
                    text.push('\n');
                }
                line.render(colour, &mut text);
            }
            // indicatif collects into a `String`, which takes everything.
            let _ = out.write_str(&text);
        };
        let style = ProgressStyle::with_template("{frame}")
            .expect("the template is constant and well formed")
            .with_key("frame", frame);
        let target = area::on_stderr(FRAMES_PER_SECOND);
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        bar.enable_steady_tick(Duration::from_secs(1) / u32::from(FRAMES_PER_SECOND));
        shown.live = Live::On(bar);
    }

    /// Takes the live area away and leaves no trace of it; [`Screen::open`] may bring it back.
    pub(crate) fn clear(&self) {
        if !matches!(self.part, Part::OneOfMany(_)) {
            self.lock().take_away(Live::Off);
        }
    }

    /// Takes the live area away for good, as far as it is this one's.
    pub(crate) fn close(&self) {
        match self.part {
            Part::Whole => self.lock().take_away(Live::Over),
            Part::OneAfterTheOther => self.lock().take_away(Live::Off),
            Part::OneOfMany(_) => (),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // A panic elsewhere is no reason to lose the error message that follows it.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.take_away(Live::Over);
    }
}

impl Shown {
    fn write(&mut self, text: &str) {
        let sink = &mut self.sink;
        let mut write = || -> io::Result<()> {
            sink.write_all(text.as_bytes())?;
            sink.flush()
        };
        let _ = match &self.live {
            Live::On(bar) => bar.suspend(write),
            Live::Off | Live::Over => write(),
        };
    }

    fn take_away(&mut self, next: Live) {
        let before = std::mem::replace(&mut self.live, next);
        match before {
            Live::On(bar) => {
                bar.disable_steady_tick();
                bar.finish_and_clear();
            }
            Live::Over => self.live = Live::Over,
            Live::Off => (),
        }
    }
}

/// Columns that may be used: the last one stays free, as many terminals wrap when it is written.
fn live_columns() -> usize {
    let (_, columns) = Term::stderr().size();
    usize::from(columns).saturating_sub(1)
}

//! What p2pcp's own modules log, shown by the reporter. Other crates' lines stay out: the WebSocket
//! library, for one, prints whole messages.

use crate::ui::{Reporter, Verbosity};

/// Target of the lines that are shown.
const OURS: &str = "p2pcp";

impl Reporter {
    /// Makes this reporter the place where warnings of the process go, and with
    /// [`Verbosity::Verbose`] details too. The first call of a process counts.
    pub fn log_here(&self) {
        let level = match self.verbosity() {
            Verbosity::Trace => log::LevelFilter::Trace,
            Verbosity::Verbose => log::LevelFilter::Debug,
            Verbosity::Normal | Verbosity::Quiet | Verbosity::Silent => log::LevelFilter::Warn,
        };
        if log::set_boxed_logger(Box::new(Logger(self.clone()))).is_ok() {
            log::set_max_level(level);
        }
    }
}

struct Logger(Reporter);

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with(OURS)
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        match record.level() {
            log::Level::Error | log::Level::Warn => self.0.warning(&text),
            log::Level::Info | log::Level::Debug | log::Level::Trace => self.0.detail(&text),
        }
    }

    fn flush(&self) {}
}

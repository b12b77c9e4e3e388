//! How to talk to the person.

/// Which side of the transfer the person is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The side that has the files.
    Send,
    /// The side that gets them.
    Recv,
}

/// How much is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing: the events are read by a program.
    Silent,
    /// The bare code, questions, warnings and errors.
    Quiet,
    /// Also what happens, and progress.
    #[default]
    Normal,
    /// Also details, and every passed-over entry.
    Verbose,
    /// Also what only helps to find a fault.
    Trace,
}

/// Whether something that only a terminal can show is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Allowed {
    /// When stderr is a terminal.
    #[default]
    OnTerminal,
    /// Never.
    Never,
    /// Everywhere.
    Always,
}

/// How to talk to the person: what the command line and the environment said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Which side this is.
    pub role: Role,
    /// How much is said.
    pub verbosity: Verbosity,
    /// Without a word from the person: [`Allowed::Never`] when `NO_COLOR` is set and not empty (no-color.org) or
    /// `TERM=dumb`, [`Allowed::Always`] with `CLICOLOR_FORCE` (bixense.com/clicolors).
    pub colour: Allowed,
    /// Bars; [`Allowed::Never`] with `--plain` or `TERM=dumb`: plain lines come instead. [`Allowed::Always`] is as on a terminal.
    pub motion: Allowed,
}

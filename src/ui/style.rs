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
}

/// Whether something that only a terminal can show is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Allowed {
    /// When stderr is a terminal.
    #[default]
    OnTerminal,
    /// Never.
    Never,
}

/// How to talk to the person: what the command line and the environment said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Which side this is.
    pub role: Role,
    /// How much is said.
    pub verbosity: Verbosity,
    /// [`Allowed::Never`] when `NO_COLOR` is set and not empty (no-color.org) or `TERM=dumb`.
    pub colour: Allowed,
    /// Bars; [`Allowed::Never`] when `TERM=dumb`: plain lines come instead.
    pub motion: Allowed,
}

//! Why the comparison of words ended a transfer.

/// Why a transfer was not begun after words were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unverified {
    /// The person here says that they differ.
    Here,
    /// The one there does.
    There,
    /// Nobody here could be asked.
    NobodyHere,
    /// Nobody there could be.
    NobodyThere,
}

impl Unverified {
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Here => "not begun: the words are not the same on both sides",
            Self::There => "the other side says that the words are not the same",
            Self::NobodyHere => "the other side wants words compared, and nobody is here to do it",
            Self::NobodyThere => "nobody is on the other side to compare the words",
        }
    }
}

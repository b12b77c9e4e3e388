//! Why a signaling server closes a socket: numbers for programs, sentences for people.

macro_rules! close_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $sentence:literal,)*) => {
        /// Why the server closed a socket. The number travels as the WebSocket close code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CloseCode {
            $($(#[$doc])* $name,)*
        }

        impl CloseCode {
            /// Every code, in order of number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number on the wire, in the private range 4000 to 4999 (RFC 6455 §7.4.2).
            pub fn number(self) -> u16 {
                match self { $(Self::$name => $code,)* }
            }

            /// The code with this number.
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($code => Some(Self::$name),)* _ => None }
            }

            /// One sentence for the user, sent as the close reason.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

close_codes! {
    /// The frame was not a message, or not one that fits here.
    Malformed = 4000 "the server did not understand this client; update p2pcp on both sides",
    /// The client's `v` is not spoken here.
    Version = 4001 "the server speaks another version of the protocol; update p2pcp",
    /// No such room, or it was joined already: a nameplate admits one join.
    NoRoom = 4002 "this code is not known here: it was used, has expired, or has a typo; ask the sender for a new one",
    /// The room's time is over.
    Expired = 4003 "the code has expired; send again for a new one",
    /// Too many requests from one address.
    Limited = 4004 "too many attempts from this address; wait a minute and try again",
    /// The server is full.
    Full = 4005 "the server has no free rooms now; try again later",
    /// Frames over the size or number that a room may use.
    TooMuch = 4006 "the server stopped this attempt because it sent too much",
    /// The client said nothing for too long.
    Idle = 4007 "the server closed a silent connection; try again",
    /// The server is stopping.
    Stopping = 4008 "the server is shutting down; try again in a moment",
    /// The number that a sender asked for is in use, or was until lately.
    Taken = 4009 "the number of this code is in use here, or was until lately; choose another",
}

#[cfg(test)]
mod tests {
    use crate::wire::close::CloseCode;

    #[test]
    fn close_codes_are_unique_and_fit_a_close_frame() {
        for (index, code) in CloseCode::ALL.iter().enumerate() {
            assert_eq!(usize::from(code.number()), 4000 + index);
            assert_eq!(CloseCode::from_number(code.number()), Some(*code));
            assert!(code.sentence().len() <= 123, "RFC 6455 §5.5");
        }
    }
}

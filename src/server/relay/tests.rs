//! Claims about the relay.

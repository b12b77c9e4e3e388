//! Any bytes as a sequence of operations on an association, and of what its peer says.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rtc_sctp::fuzzing::operations(bytes));

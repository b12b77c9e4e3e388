//! Any bytes as a datagram: parsed, written, parsed again.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rtc_sctp::fuzzing::packet(bytes));

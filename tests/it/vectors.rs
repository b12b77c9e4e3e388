//! What a second implementation checks itself against: every figure of `fixtures/vectors/wire.json` and
//! `signaling.json`, made again by the code.
//!
//! The descriptions in the files are for readers; kinds, texts and bytes are compared. A wire change
//! fails here and prints what the code makes now.

mod signaling;
mod wire;

use data_encoding::HEXLOWER;
use serde_json::Value;

fn figures(text: &str) -> Value {
    serde_json::from_str(text).expect("vector files are JSON")
}

/// The list at `section`; an absent or empty one would make its test say nothing.
fn list<'a>(figures: &'a Value, section: &str) -> &'a [Value] {
    let list = figures[section].as_array().unwrap_or_else(|| panic!("no list `{section}`"));
    assert!(!list.is_empty(), "`{section}` is empty");
    list
}

fn text<'a>(figure: &'a Value, field: &str) -> &'a str {
    figure[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {figure}"))
}

fn bytes(figure: &Value, field: &str) -> Vec<u8> {
    HEXLOWER.decode(text(figure, field).as_bytes()).unwrap_or_else(|error| panic!("{field}: {error}"))
}

fn array<const N: usize>(figure: &Value, field: &str) -> [u8; N] {
    bytes(figure, field).try_into().unwrap_or_else(|_| panic!("`{field}` is not {N} bytes"))
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Each figure is described.
fn described(figures: &[Value]) {
    for figure in figures {
        assert!(text(figure, "what").len() > 3, "{figure} needs a description");
    }
}

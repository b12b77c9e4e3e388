//! `docs/errors.md` says what p2pcp says.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use p2pcp::error::{Error, ExitCode, catalogue};

const HEAD: &str = "\
# What can go wrong

Every failure that ends a command, as p2pcp says it on stderr and in the `failed` event of `--json`: the sentence, what lies behind it,
what to do, and the exit code. Names, addresses and numbers are examples. This page is made from the code by a test; `BLESS=1 cargo test --test it errors`
writes it anew.
";

/// Text of a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn row(error: &Error) -> String {
    let cause = error.cause().map_or(String::new(), |it| cell(&it));
    let hint = error.hint().map_or(String::new(), |it| cell(&it));
    format!("| {} | {cause} | {hint} | {} |", cell(&error.to_string()), error.exit_code().number())
}

fn rendered() -> String {
    let mut text = HEAD.to_owned();
    for group in catalogue() {
        let head = "| error | cause | hint | code |\n|---|---|---|---|";
        write!(text, "\n## {}\n\n{head}\n", group.title).unwrap();
        let mut rows: Vec<_> = group.errors.iter().map(row).collect();
        rows.dedup();
        rows.iter().for_each(|row| writeln!(text, "{row}").unwrap());
    }
    text.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in ExitCode::ALL {
        writeln!(text, "| {} | {meaning} |", code.number()).unwrap();
    }
    text
}

#[test]
fn the_page_of_errors_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let expected = rendered();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(expected.lines()).find(|(is, should)| is != should);
    assert!(page == expected, "docs/errors.md is old ({differs:?}): BLESS=1 cargo test --test it errors");
}

/// One sentence each: lower case, no full stop, nothing that a screen must not show.
#[test]
fn errors_and_hints_read_alike() {
    for error in catalogue().iter().flat_map(|group| &group.errors) {
        let texts = [Some(error.to_string()), error.cause(), error.hint()];
        for text in texts.into_iter().flatten() {
            assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
            assert!(!text.contains(p2pcp::wire::path::is_unsafe_to_show), "{text}");
        }
    }
}

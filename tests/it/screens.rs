//! What a person sees of the command line, letter by letter: each help, each usage error, the main hints.
//!
//! The screens are files in `tests/screens`; `SNAPSHOTS=overwrite cargo test --test it screens` writes them anew. The
//! temporary folder stands there as `[FOLDER]`.

use std::path::{Path, PathBuf};

use crate::support::{Start, Work};

/// Exit code, stdout and stderr of a command, as they stand in the file.
fn screen(work: &Work, start: Start) -> String {
    let end = start.variable("COLUMNS", "80").run();
    let number = end.number().map_or_else(|| "none".to_owned(), |it| it.to_string());
    let mut text = format!("exit code: {number}\n");
    for (name, part) in [("stdout", &end.stdout), ("stderr", &end.stderr)] {
        if !part.is_empty() {
            text += &format!("---- {name}\n{part}");
        }
    }
    let folder = work.path("");
    text.replace(folder.to_str().unwrap().trim_end_matches('/'), "[FOLDER]")
}

/// Compares what `arguments` show with the screen of this name.
fn shows(name: &str, arguments: &[&str]) {
    let work = Work::new();
    work.tree("").file("a.txt", "a").file("other/a.txt", "b");
    work.tree("config")
        .file("p2pcp/config.toml", if name.starts_with("config-") { "wrods = 4\n" } else { "" });
    let shown = screen(&work, work.p2pcp(arguments));
    snapbox::assert_data_eq!(shown, snapbox::Data::read_from(&file(name), None).raw());
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(name).with_extension("txt")
}

#[test]
fn help() {
    shows("help", &["--help"]);
    shows("help-all", &["--help-all"]);
    for command in ["send", "recv", "signal", "doctor", "clean", "config", "completions", "man"] {
        shows(&format!("help-{command}"), &[command, "--help"]);
        shows(&format!("help-all-{command}"), &[command, "--help-all"]);
    }
}

#[test]
fn usage_errors() {
    for (name, arguments) in [
        ("usage-nothing", &[][..]),
        ("usage-slip", &["sned"]),
        ("usage-option", &["send", "--relay-onyl", "a.txt"]),
        ("usage-no-path", &["send"]),
        ("usage-name", &["send", "--name", "b.txt", "a.txt"]),
        ("clean-nowhere", &["clean", "nowhere"]),
        ("usage-words", &["send", "--words", "9", "a.txt"]),
        ("usage-conflict", &["send", "--loopback", "--server", "h", "a.txt"]),
        ("usage-two-answers", &["recv", "--overwrite", "--skip", "417-aloe-tuba"]),
        ("usage-color", &["send", "--color", "blue", "a.txt"]),
        ("usage-port", &["signal", "--port", "65536"]),
        ("usage-bytes", &["signal", "--relay-bytes", "much"]),
        ("usage-shell", &["completions", "tcsh"]),
    ] {
        shows(name, arguments);
    }
}

#[test]
fn hints() {
    for (name, arguments) in [
        ("hint-no-code", &["recv"][..]),
        ("hint-no-number", &["recv", "--loopback", "aloe-tuba"]),
        ("hint-words", &["recv", "--loopback", "417-aloe"]),
        ("hint-unknown-word", &["recv", "--loopback", "417-aloe-tubxyz"]),
        ("hint-missing", &["send", "--loopback", "missing"]),
        ("hint-same-name", &["send", "--loopback", "a.txt", "other/a.txt"]),
        ("hint-server", &["send", "--server", "ftp://h", "a.txt"]),
        ("hint-relay-only", &["send", "--relay-only", "a.txt"]),
        ("hint-proxy", &["send", "--server", "h", "--proxy", "ftp://h", "a.txt"]),
        ("hint-half-tls", &["signal", "--tls-cert", "a.txt"]),
        ("hint-tls-ca", &["send", "--server", "h", "--tls-ca", "a.txt", "a.txt"]),
        ("config-slip", &["send", "--loopback", "a.txt"]),
        ("config-show-slip", &["config", "show"]),
    ] {
        shows(name, arguments);
    }
}

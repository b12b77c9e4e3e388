//! The line to type to go on after a failure: what was typed, for a shell, with a new code.

use std::ffi::OsString;

/// Flags that would throw away what is to be gone on with.
const STARTING_OVER: [&str; 2] = ["--fresh", "--no-resume"];

/// What was typed without the code, and `code` in its place; and without flags that start over.
pub(super) fn line(typed: &[OsString], codes: &[String], code: &[&str]) -> String {
    let arguments = typed.iter().skip(1).map(|it| it.to_string_lossy());
    let kept = arguments
        .filter(|it| !codes.iter().any(|code| code.as_str() == it) && !STARTING_OVER.contains(&it.as_ref()));
    let words = kept.map(|it| quoted(&it)).chain(code.iter().map(|it| quoted(it)));
    std::iter::once("p2pcp".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// As a POSIX shell takes it.
fn quoted(argument: &str) -> String {
    let plain = |it: char| it.is_alphanumeric() || "_@%+=:,./-".contains(it);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use crate::cli::again::line;

    fn typed(text: &[&str]) -> Vec<OsString> {
        text.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_sender_types_the_same_again_as_a_shell_takes_it() {
        let line = line(&typed(&["/usr/bin/p2pcp", "send", "my photos", "it's", "a.txt", ""]), &[], &[]);
        assert_eq!(line, r"p2pcp send 'my photos' 'it'\''s' a.txt ''");
    }

    #[test]
    fn a_receiver_needs_a_new_code() {
        for typed_code in [&["417-aloe-tuba"][..], &["417", "aloe", "tuba"]] {
            let codes: Vec<String> = typed_code.iter().map(|it| (*it).to_owned()).collect();
            let typed =
                typed(&[&["p2pcp", "recv", "-o", "there"][..], typed_code, &["--yes", "--fresh"]].concat());
            assert_eq!(line(&typed, &codes, &["CODE"]), "p2pcp recv -o there --yes CODE");
        }
    }
}

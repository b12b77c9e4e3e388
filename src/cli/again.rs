//! The line to type to go on after a failure: what was typed, for a shell, with a new code.

use std::ffi::OsString;

/// What was typed without the code, and `code` in its place.
pub(super) fn line(typed: &[OsString], codes: &[String], code: Option<&str>) -> String {
    let arguments = typed.iter().skip(1).map(|it| it.to_string_lossy());
    let kept = arguments.filter(|it| !codes.iter().any(|code| code.as_str() == it)).map(|it| quoted(&it));
    let words = std::iter::once("p2pcp".to_owned()).chain(kept).chain(code.map(str::to_owned));
    words.collect::<Vec<_>>().join(" ")
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
        let line = line(&typed(&["/usr/bin/p2pcp", "send", "my photos", "it's", "a.txt", ""]), &[], None);
        assert_eq!(line, r"p2pcp send 'my photos' 'it'\''s' a.txt ''");
    }

    #[test]
    fn a_receiver_needs_a_new_code() {
        for typed_code in [&["417-aloe-tuba"][..], &["417", "aloe", "tuba"]] {
            let codes: Vec<String> = typed_code.iter().map(|it| (*it).to_owned()).collect();
            let typed = typed(&[&["p2pcp", "recv", "-o", "there"][..], typed_code, &["--yes"]].concat());
            assert_eq!(line(&typed, &codes, Some("CODE")), "p2pcp recv -o there --yes CODE");
        }
    }
}

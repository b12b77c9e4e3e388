//! The line to type to go on after a failure: what was typed, for a shell, with a new code.

use std::borrow::Cow;
use std::ffi::OsString;

use crate::ui::text;

/// Flags that would throw away what is to be gone on with.
const STARTING_OVER: [&str; 2] = ["--fresh", "--no-resume"];

/// What was typed without the code, and `code` in its place; and without flags that start over.
pub(super) fn line(typed: &[OsString], codes: &[String], code: &[&str]) -> String {
    let mut kept: Vec<_> = typed.iter().skip(1).map(|it| it.to_string_lossy()).collect();
    kept.retain(|it| !STARTING_OVER.contains(&it.as_ref()) && !it.starts_with("--to="));
    // It is one of several receivers who needs it again.
    if let Some(place) = kept.iter().position(|it| it == "--to") {
        kept.drain(place..kept.len().min(place + 2));
    }
    for place in 0..kept.len() {
        let is_proxy = kept[place].starts_with("--proxy=") || (place > 0 && kept[place - 1] == "--proxy");
        if is_proxy && let Some(shown) = without_password(&kept[place]) {
            kept[place] = Cow::Owned(shown);
        }
    }
    // From the end, as the value of an option before it may look the same.
    for code in codes.iter().rev() {
        if let Some(place) = kept.iter().rposition(|it| it == code) {
            kept.remove(place);
        }
    }
    let words = kept.iter().map(|it| text::quoted(it)).chain(code.iter().map(|it| text::quoted(it)));
    std::iter::once("p2pcp".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// A proxy's address whose password is not to be on the screen; `None` if there is none in it.
fn without_password(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (_, host) = rest.rsplit_once('@')?;
    Some(format!("{scheme}://USER:PASSWORD@{host}"))
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
    fn what_failed_for_one_of_several_is_sent_again_to_one() {
        for several in [&["--to", "3"][..], &["--to=3"]] {
            let typed = typed(&[&["p2pcp", "send"], several, &["--local", "a"]].concat());
            assert_eq!(line(&typed, &[], &[]), "p2pcp send --local a");
        }
    }

    #[test]
    fn the_value_of_an_option_is_not_taken_for_the_code() {
        let codes = ["417", "aloe", "tuba"].map(str::to_owned);
        let typed = typed(&["p2pcp", "recv", "-o", "417", "417", "aloe", "tuba"]);
        assert_eq!(line(&typed, &codes, &["CODE"]), "p2pcp recv -o 417 CODE");
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

    #[test]
    fn the_password_of_a_proxy_is_not_repeated() {
        let proxy = "http://me:secret@proxy:3128";
        let with_equals = format!("--proxy={proxy}");
        let shown = line(&typed(&["p2pcp", "send", "--proxy", proxy, &with_equals, "a@b"]), &[], &[]);
        let hidden = "http://USER:PASSWORD@proxy:3128";
        assert_eq!(shown, format!("p2pcp send --proxy {hidden} --proxy={hidden} a@b"));
    }
}

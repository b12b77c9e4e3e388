//! Which names Windows takes for what they say. Pure, so that it is tested everywhere.

use std::ffi::OsStr;

/// Whether a name stands for one thing in its folder: no way elsewhere, no stream of a file (`a:b`), no device, and nothing that Windows
/// would take for another name ("Naming Files, Paths, and Namespaces").
pub(super) fn is_component(name: &OsStr) -> bool {
    const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
    let bytes = name.as_encoded_bytes();
    let stem = bytes.split(|it| *it == b'.').next().unwrap_or_default().trim_ascii_end();
    let is_port =
        stem.get(..3).is_some_and(|it| it.eq_ignore_ascii_case(b"com") || it.eq_ignore_ascii_case(b"lpt"))
            && matches!(stem.get(3..), Some([b'0'..=b'9'] | [0xc2, 0xb9 | 0xb2 | 0xb3]));
    !(bytes.is_empty()
        || bytes.iter().any(|it| *it < b' ' || b"\\/:*?\"<>|".contains(it))
        || matches!(bytes.last(), Some(b'.' | b' '))
        || DEVICES.iter().any(|it| stem.eq_ignore_ascii_case(it.as_bytes()))
        || is_port)
}

/// Whether a link's target, with slashes, leads on Windows where it leads elsewhere: a backslash would climb unseen, and two begin
/// the name of another machine.
pub(super) fn is_way(target: &str) -> bool {
    target.split('/').all(|part| matches!(part, "." | "..") || is_component(OsStr::new(part)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use crate::fs::os::windows_names::{is_component, is_way};

    #[test]
    fn a_name_that_windows_would_take_for_another_is_no_component() {
        for name in ["a", "a.b", ".hidden", "..a", "é", "console", "com", "com10", "lpt\u{b2}\u{b2}", "nul-1"]
        {
            assert!(is_component(OsStr::new(name)), "{name:?}");
        }
        let led_away = [
            "..", ".", "", "a/b", "a\\b", "..\\b", "C:", "a:stream", "a\u{1}", "a*", "a?", "a|b", "\"", "<",
            ">",
        ];
        let taken_for_others =
            ["a.", "a ", "CON", "nul.txt", "Aux .c", "com1", "LPT9.log", "com\u{b9}", "CONIN$", "lpt0"];
        for name in led_away.iter().chain(&taken_for_others) {
            assert!(!is_component(OsStr::new(name)), "{name:?}");
        }
    }

    #[test]
    fn a_target_that_would_lead_elsewhere_on_windows_is_no_way() {
        for target in ["a", "../a", "./a/b.c", "../../a"] {
            assert!(is_way(target), "{target:?}");
        }
        for target in
            ["..\\..\\a", "\\\\host\\share", "//host/share", "/a", "C:/a", "C:a", "a/nul", "a//b", ""]
        {
            assert!(!is_way(target), "{target:?}");
        }
    }
}

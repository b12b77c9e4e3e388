//! How values become text that a terminal can be trusted with: names, sizes, times, counts.
//!
//! Nothing here prints. [`sanitise`] never returns a character that could move the cursor, end a
//! line or reorder text; the numbers are ASCII.

use std::borrow::Cow;
use std::time::Duration;

use crate::event::speed::bytes_per_second;
use crate::wire::path::is_unsafe_to_show;

/// Columns below which a shortened text says nothing any more.
const LEAST_COLUMNS: usize = 5;

/// Shows what could change the terminal, or could not be seen, as an escape: `\n`, `\u{1b}`, `\u{202e}`, `\u{200b}`.
pub fn sanitise(text: &str) -> Cow<'_, str> {
    let is_escaped = |c| is_unsafe_to_show(c) || is_unseen(c);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_escaped(c) {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Whether nobody sees that a character is there, so that two names look like one: what Unicode 16 calls
/// Default_Ignorable_Code_Point (`DerivedCoreProperties.txt`), and interlinear annotations. Not the joiners and variation selectors,
/// which are seen by what they do to their neighbours in Persian, in kanji and in emoji.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// Cuts the middle out of a text that is wider than `columns`, so that both ends stay readable.
///
/// A name's end tells its kind (`.jpg`), its start where it belongs. Characters without a width are
/// counted as one column when there are suspiciously many of them.
pub fn shorten(text: &str, columns: usize) -> Cow<'_, str> {
    let columns = columns.max(LEAST_COLUMNS);
    if width(text) <= columns && text.chars().nth(columns.saturating_mul(4)).is_none() {
        return Cow::Borrowed(text);
    }
    let tail_columns = (columns - 1) / 2;
    let head: String = within(text.chars(), columns - 1 - tail_columns).collect();
    let reversed: Vec<char> = within(text.chars().rev(), tail_columns).collect();
    let tail: String = reversed.into_iter().rev().collect();
    Cow::Owned(format!("{head}…{tail}"))
}

/// The first characters that fit `columns`.
fn within(text: impl Iterator<Item = char>, columns: usize) -> impl Iterator<Item = char> {
    let mut used = 0;
    text.take_while(move |c| {
        used += width(c.encode_utf8(&mut [0; 4])).max(1);
        used <= columns
    })
}

/// An argument as a POSIX shell takes it.
pub fn quoted(argument: &str) -> String {
    let plain = |it: char| it.is_alphanumeric() || "_@%+=:,./-".contains(it);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

/// How old something is, in its largest unit: `59 s`, `5 min`, `2 h`, `3 d`.
pub fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A size: `17 B`, `1.0 KiB`, `1.2 GiB`, rounded to a tenth.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    let mut scale = 1024_u128;
    let mut shown = (0, "");
    for unit in UNITS {
        let tenths = (u128::from(size) * 10 + scale / 2) / scale;
        shown = (tenths, unit);
        // 1023.95 KiB would round to `1024.0 KiB`, so the bound is taken after rounding.
        if tenths < 10 * 1024 {
            break;
        }
        scale *= 1024;
    }
    let (tenths, unit) = shown;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A speed: `45.1 MiB/s`; `None` when no time has passed.
pub fn rate(moved: u64, time: Duration) -> Option<String> {
    Some(format!("{}/s", bytes(bytes_per_second(moved, time)?)))
}

/// A time: `0.3 s`, `3 s`, `59 s`, `1 min 5 s`, `2 h 3 min`, `1 d 4 h`, rounded down.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let tenths = time.subsec_millis() / 100;
    match seconds {
        0..10 if tenths > 0 => format!("{seconds}.{tenths} s"),
        0 if !time.is_zero() => "under 0.1 s".to_owned(),
        0..60 => format!("{seconds} s"),
        60..3600 => two_units(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two_units(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => two_units(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
    }
}

fn two_units(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{} {large_unit}", count(large)),
        _ => format!("{} {large_unit} {small} {small_unit}", count(large)),
    }
}

/// A number with a comma between thousands: `1,234`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of things: `1 file`, `1,234 files`.
pub fn counted(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{} {thing}s", count(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_a_terminal_is_shown_as_an_escape() {
        for (raw, safe) in [
            ("plain ünï 文件", "plain ünï 文件"),
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("a\u{9b}b\u{7f}", "a\\u{9b}b\\u{7f}"),
            ("\u{202e}gpj.exe\u{2066}", "\\u{202e}gpj.exe\\u{2066}"),
        ] {
            assert_eq!(sanitise(raw), safe);
            assert!(!sanitise(raw).contains(is_unsafe_to_show));
        }
    }

    /// `invoice.pdf` and what looks like it.
    #[test]
    fn what_cannot_be_seen_is_shown_as_an_escape() {
        for (raw, safe) in [
            ("invoice\u{200b}.pdf", "invoice\\u{200b}.pdf"),
            ("a\u{feff}\u{ad}\u{2060}\u{3164}b\u{e0041}", "a\\u{feff}\\u{ad}\\u{2060}\\u{3164}b\\u{e0041}"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("👩\u{200d}🚀 ❤\u{fe0f} 葛\u{e0100}", "👩\u{200d}🚀 ❤\u{fe0f} 葛\u{e0100}"),
        ] {
            assert_eq!(sanitise(raw), safe);
        }
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("short.txt", 9), "short.txt");
        assert_eq!(shorten("a_rather_long_name.txt", 11), "a_rat…e.txt");
        assert_eq!(shorten("abcdefghij", 0), "ab…ij");
    }

    #[test]
    fn wide_and_zero_width_characters_never_overflow() {
        for columns in 5..30 {
            assert!(width(&shorten("文件文件文件文件文件文件.txt", columns)) <= columns, "{columns}");
        }
        let zalgo = format!("a{}.txt", "\u{301}".repeat(100_000));
        assert!(shorten(&zalgo, 40).chars().count() <= 40);
    }

    #[test]
    fn sizes_have_one_decimal_and_the_right_unit() {
        for (size, text) in [
            (0, "0 B"),
            (17, "17 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (1_288_490_189, "1.2 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn times_use_two_units_at_most() {
        for (milliseconds, text) in [
            (0, "0 s"),
            (40, "under 0.1 s"),
            (3_249, "3.2 s"),
            (3_000, "3 s"),
            (15_900, "15 s"),
            (65_000, "1 min 5 s"),
            (120_000, "2 min"),
            (7_380_000, "2 h 3 min"),
            (100_800_000, "1 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn counts_have_commas_and_plurals() {
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(0, "file"), "0 files");
        assert_eq!(counted(1000, "file"), "1,000 files");
    }

    #[test]
    fn a_rate_needs_time() {
        assert_eq!(rate(3 << 20, Duration::from_secs(2)).as_deref(), Some("1.5 MiB/s"));
        assert_eq!(rate(1, Duration::ZERO), None);
    }
}

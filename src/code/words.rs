//! The word list, and what a typed word means.
//!
//! `words.txt` holds 1,024 common English words, sorted, one a line. It is part of the protocol: a
//! word may not change while codes are in use. Invariants, each checked by a test below:
//! - three to seven letters a to z, and the first three are found in no other word;
//! - three or more slips between any two words (a slip is a letter wrong, missing, too many, or two
//!   neighbours swapped), so a word with one slip is nearer to its own than to any other;
//! - no beginning of a word is another word with one slip: what is typed has at most one meaning.

use std::sync::LazyLock;

/// How many words there are: 2^10, so that a word is ten bits.
pub const COUNT: usize = 1024;

/// Letters in the longest word.
pub const MAX_LETTERS: usize = 7;

/// Letters that make a beginning unique, and the fewest that are understood.
pub const PREFIX_LETTERS: usize = 3;

/// Most words that [`suggestions`] gives.
pub const MAX_SUGGESTIONS: usize = 3;

static WORDS: LazyLock<[&str; COUNT]> = LazyLock::new(|| {
    let mut lines = include_str!("words.txt").lines();
    std::array::from_fn(|_| lines.next().expect("words.txt has 1,024 lines"))
});

/// All words, sorted.
pub fn all() -> &'static [&'static str; COUNT] {
    &WORDS
}

/// The word that the low ten bits of `number` choose.
pub fn at(number: u16) -> &'static str {
    WORDS.get(usize::from(number) % COUNT).expect("a remainder of COUNT is below COUNT")
}

/// The words that begin with `start`, sorted: what a prompt offers as completion.
pub fn completions(start: &str) -> &'static [&'static str] {
    let first = WORDS.partition_point(|word| *word < start);
    let rest = WORDS.get(first..).unwrap_or_default();
    rest.get(..rest.partition_point(|word| word.starts_with(start))).unwrap_or_default()
}

/// What a typed word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A word of the list, typed in full or by its first letters.
    Word(&'static str),
    /// A word of the list, with one slip.
    Slip(&'static str),
    /// None.
    None,
}

/// Finds what `typed`, in lower case, means.
pub fn look_up(typed: &str) -> Meaning {
    let letters = letters(typed);
    if letters.len() < PREFIX_LETTERS {
        return Meaning::None;
    }
    if let [word] = completions(typed) {
        return Meaning::Word(word);
    }
    let mut near = WORDS.iter().filter(|word| within_one_slip(&letters, word.as_bytes()));
    match (near.next(), near.next()) {
        (Some(word), None) => Meaning::Slip(word),
        _ => Meaning::None,
    }
}

/// Up to [`MAX_SUGGESTIONS`] words that look like `typed`: those that begin alike, then those with
/// two slips.
pub fn suggestions(typed: &str) -> Vec<&'static str> {
    let letters = letters(typed);
    let start: String = typed.chars().take(PREFIX_LETTERS).collect();
    let mut suggested = completions(&start).to_vec();
    if letters.len() >= PREFIX_LETTERS {
        let like = |word: &&str| !word.starts_with(&start) && slips(&letters, word.as_bytes()) <= 2;
        suggested.extend(WORDS.iter().copied().filter(like));
    }
    suggested.truncate(MAX_SUGGESTIONS);
    suggested
}

/// One byte a letter, so that a foreign letter counts as a single slip.
fn letters(typed: &str) -> Vec<u8> {
    typed.chars().map(|letter| u8::try_from(letter).unwrap_or(u8::MAX)).collect()
}

/// Whether at most one slip lies between two words; like [`slips`], but fast enough to ask of all.
fn within_one_slip(left: &[u8], right: &[u8]) -> bool {
    let start = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    let (left, right) = (left.get(start..).unwrap_or_default(), right.get(start..).unwrap_or_default());
    let end = left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
    match (left.get(..left.len() - end), right.get(..right.len() - end)) {
        (Some([] | [_]), Some([] | [_])) => true,
        (Some([a, b]), Some([c, d])) => a == d && b == c,
        _ => false,
    }
}

/// The number of slips between two words: their Damerau-Levenshtein distance, in the form that never
/// edits a swapped pair again (optimal string alignment).
fn slips(left: &[u8], right: &[u8]) -> usize {
    // `row` holds the distances from the first letters of `left` to each beginning of `right`;
    // `above` and `before` are the rows of one and two letters less.
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let (mut above, mut before): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
    let letter = |word: &[u8], count: usize| count.checked_sub(1).and_then(|at| word.get(at).copied());
    for i in 1..=left.len() {
        std::mem::swap(&mut before, &mut above);
        above = std::mem::replace(&mut row, vec![i]);
        for j in 1..=right.len() {
            let (a, b) = (letter(left, i), letter(right, j));
            let mut least = cell(&above, j - 1) + usize::from(a != b);
            least = least.min(cell(&above, j) + 1).min(cell(&row, j - 1) + 1);
            if i > 1 && j > 1 && a == letter(right, j - 1) && letter(left, i - 1) == b {
                least = least.min(cell(&before, j - 2) + 1);
            }
            row.push(least);
        }
    }
    cell(&row, right.len())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::code::words::{
        COUNT, MAX_LETTERS, Meaning, PREFIX_LETTERS, all, at, completions, look_up, slips, suggestions,
        within_one_slip,
    };

    #[test]
    fn the_list_has_1024_sorted_words_of_three_to_seven_letters() {
        assert_eq!(include_str!("words.txt").lines().count(), COUNT);
        assert!(all().is_sorted());
        for word in all() {
            assert!((PREFIX_LETTERS..=MAX_LETTERS).contains(&word.len()), "{word}");
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
        }
        assert!(all().contains(&"aloe") && all().contains(&"tuba"));
    }

    #[test]
    fn three_letters_tell_any_word_from_all_others() {
        let starts: HashSet<&[u8]> = all().iter().map(|word| word.as_bytes().split_at(3).0).collect();
        assert_eq!(starts.len(), COUNT);
    }

    #[test]
    fn any_two_words_are_three_slips_apart() {
        for (index, left) in all().iter().enumerate() {
            for right in all().iter().skip(index + 1) {
                assert!(slips(left.as_bytes(), right.as_bytes()) >= 3, "{left} {right}");
            }
        }
    }

    #[test]
    fn no_beginning_of_a_word_is_a_slip_of_another() {
        for long in all() {
            for (length, other) in (PREFIX_LETTERS..long.len()).flat_map(|it| all().map(|other| (it, other)))
            {
                let start = long.as_bytes().split_at(length).0;
                assert!(long == &other || !within_one_slip(start, other.as_bytes()), "{long} {other}");
            }
        }
    }

    /// 65,536 pairs of bytes fall on 1,024 words, 64 on each: ten unbiased bits a word.
    #[test]
    fn all_words_are_equally_likely() {
        let mut drawn = std::collections::HashMap::new();
        (0..=u16::MAX).for_each(|number| *drawn.entry(at(number)).or_insert(0) += 1);
        assert_eq!(drawn.len(), COUNT);
        assert!(drawn.values().all(|&times| times == 64));
    }

    #[test]
    fn beginnings_and_slips_are_understood() {
        for (typed, meaning) in [
            ("tuba", Meaning::Word("tuba")),
            ("tub", Meaning::Word("tuba")),
            ("tubaa", Meaning::Slip("tuba")),
            ("tbua", Meaning::Slip("tuba")),
            ("uba", Meaning::Slip("tuba")),
            ("t\u{fc}ba", Meaning::Slip("tuba")),
            ("tu", Meaning::None),
            ("", Meaning::None),
            ("tubbba", Meaning::None),
        ] {
            assert_eq!(look_up(typed), meaning, "{typed}");
        }
    }

    /// Every way to leave out, double or swap a letter, for every word.
    #[test]
    fn every_word_survives_a_slip() {
        for word in all() {
            for at in 0..word.len() {
                let (start, end) = word.split_at(at);
                let (letter, rest) = end.split_at(1);
                let (next, tail) = rest.split_at(rest.len().min(1));
                for typed in [
                    format!("{start}{rest}"),
                    format!("{start}{letter}{letter}{rest}"),
                    format!("{start}{next}{letter}{tail}"),
                    format!("{start}9{rest}"),
                ] {
                    let meant = look_up(&typed);
                    assert!(matches!(meant, Meaning::Word(it) | Meaning::Slip(it) if it == *word), "{typed}");
                }
            }
        }
    }

    #[test]
    fn completions_are_the_words_that_begin_so() {
        assert_eq!(completions(""), all());
        assert_eq!(completions("tub"), ["tuba"]);
        assert_eq!(completions("zzz"), [""; 0]);
        let many = completions("al");
        assert!(many.len() > 3 && many.iter().all(|word| word.starts_with("al")));
    }

    #[test]
    fn suggestions_begin_alike_or_are_two_slips_away() {
        assert_eq!(suggestions("tubular").first(), Some(&"tuba"));
        assert!(suggestions("dolfin").contains(&"dolphin"));
        assert!(suggestions("a").len() == 3);
        assert_eq!(suggestions("qqqqqqqq"), [""; 0]);
    }

    #[test]
    fn slips_are_counted() {
        for (left, right, count) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("abc", "acb", 1),
            ("abc", "bc", 1),
            ("abcd", "badc", 2),
            ("kitten", "sitting", 3),
            ("", "abc", 3),
        ] {
            let (left, right) = (left.as_bytes(), right.as_bytes());
            assert_eq!((slips(left, right), slips(right, left)), (count, count));
            assert_eq!(within_one_slip(left, right), count <= 1);
            assert_eq!(within_one_slip(right, left), count <= 1);
        }
    }
}

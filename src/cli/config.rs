//! The config file: `config.toml`, whose keys are long options with `_` for `-`.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::cli::options::{OPTIONS, Row};
use crate::error::Error;

/// Most bytes of it: every setting there is takes some hundred.
pub(super) const MOST_BYTES: u64 = 64 << 10;

/// What helps where the file is not understood.
const EXAMPLE: &str = "a line looks like `words = 4` or `server = \"p2pcp.example.org\"`; `p2pcp config show` prints one for each setting";

/// What it says of one setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The setting's name, as the option's.
    pub(super) name: &'static str,
    /// As it would be typed; a list has commas.
    pub(super) text: String,
    /// Where, counted from 1.
    pub(super) line: usize,
}

/// What the file at `path` says, whose text this is.
///
/// # Errors
/// [`Error::Setting`] with the line, for what is no TOML, no setting, or no value of one.
pub(super) fn parse(path: &str, text: &str) -> Result<Vec<Entry>, Error> {
    let fault = |span: Option<Range<usize>>, fault: String, hint: Option<String>| {
        let place = match span {
            Some(span) => place(path, line(text, span.start)),
            None => format!("`{path}`"),
        };
        Error::Setting { place, fault, hint: hint.unwrap_or_else(|| EXAMPLE.to_owned()) }
    };
    let table = DeTable::parse(text)
        .map_err(|error| fault(error.span(), format!("this is not TOML: {}", error.message()), None))?;
    let mut entries = Vec::new();
    for (key, value) in table.into_inner() {
        let Some(row) = lasting(key.get_ref()) else {
            let sentence = format!("there is no setting `{}`", key.get_ref());
            return Err(fault(Some(key.span()), sentence, Some(suggestion(key.get_ref()))));
        };
        let Some(text) = plain(value.get_ref()) else {
            let sentence = format!("`{}` is a text, a number, `true`, `false` or a list of texts", row.key());
            return Err(fault(Some(value.span()), sentence, None));
        };
        entries.push((row.name, text, key.span().start));
    }
    Ok(entries
        .into_iter()
        .map(|(name, value, at)| Entry { name, text: value, line: line(text, at) })
        .collect())
}

/// How a line of the file is told of.
pub(super) fn place(path: &str, line: usize) -> String {
    format!("`{path}`, line {line}")
}

fn lasting(key: &str) -> Option<&'static Row> {
    OPTIONS.iter().find(|row| row.lasting.is_some() && row.key() == key)
}

fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// A value as it would be typed.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(is) => Some(is.to_string()),
        DeValue::Array(values) => {
            let texts: Option<Vec<&str>> = values.iter().map(|it| it.get_ref().as_str()).collect();
            texts.map(|it| it.join(","))
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// Likeness, from 0 to 1, from which on a key is taken for a slip of another.
const ALIKE: f64 = 0.8;

fn suggestion(typed: &str) -> String {
    if let Some(passing) = OPTIONS.iter().find(|row| row.lasting.is_none() && row.key() == typed) {
        return format!("`--{}` is given each time anew: it cannot be set for good", passing.name);
    }
    let likeness = |row: &&Row| strsim::jaro_winkler(typed, &row.key());
    let lasting = OPTIONS.iter().filter(|row| row.lasting.is_some());
    let best = lasting.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match best.filter(|row| likeness(row) > ALIKE) {
        Some(row) => format!("did you mean `{}`?", row.key()),
        None => "`p2pcp config show` lists all settings".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (String, Option<String>) {
        let error = parse("config.toml", text).unwrap_err();
        (error.to_string(), error.hint())
    }

    #[test]
    fn what_is_said_each_time_anew_is_told_from_a_slip() {
        let (error, hint) = told("yes = true");
        assert!(error.contains("there is no setting `yes`"), "{error}");
        assert_eq!(hint.as_deref(), Some("`--yes` is given each time anew: it cannot be set for good"));
    }

    #[test]
    fn each_kind_of_value_becomes_what_would_be_typed() {
        let text = "words = 4\n\nserver = \"wss://a\" # ours\nrelay_only = true\ninterface = [\"a\", 'b']\n";
        let entries = parse("config.toml", text).unwrap();
        let of = |name| entries.iter().find(|it| it.name == name).map(|it| (it.text.as_str(), it.line));
        assert_eq!(of("words"), Some(("4", 1)));
        assert_eq!(of("server"), Some(("wss://a", 3)));
        assert_eq!(of("relay-only"), Some(("true", 4)));
        assert_eq!(of("interface"), Some(("a,b", 5)));
    }

    #[test]
    fn a_slip_is_told_with_its_line_and_what_was_meant() {
        let (sentence, hint) = told("words = 4\nrelay_onyl = true\n");
        assert_eq!(sentence, "`config.toml`, line 2: there is no setting `relay_onyl`");
        assert_eq!(hint.as_deref(), Some("did you mean `relay_only`?"));
        let (_, hint) = told("zzz = 4\n");
        assert_eq!(hint.as_deref(), Some("`p2pcp config show` lists all settings"));
    }

    /// Each is asked for every time: a yes is remembered for nothing.
    #[test]
    fn consent_cannot_be_given_in_advance() {
        for key in ["yes", "force", "overwrite", "fresh"] {
            let (sentence, _) = told(&format!("{key} = true\n"));
            assert!(sentence.contains("there is no setting"), "{sentence}");
        }
    }

    #[test]
    fn what_is_no_toml_or_no_value_is_told_with_its_line() {
        assert!(
            told("words = 4\nserver = wss://a\n").0.starts_with("`config.toml`, line 2: this is not TOML")
        );
        assert!(told("\n\nwords = { a = 1 }\n").0.starts_with("`config.toml`, line 3: `words` is"));
    }
}

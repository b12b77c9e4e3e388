//! What `p2pcp doctor` found, on the screen and as JSON.
//!
//! The report is plain data that comes from `doctor`; the wording of findings is its, the layout is ours. The JSON's
//! schema is in `docs/DOCTOR.md`: fields are added without a new [`VERSION`], and never change their meaning.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::ui::line::{Line, Paint};
use crate::ui::{Reporter, Verbosity, text};

/// Version of the JSON document.
pub const VERSION: u32 = 1;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It costs something, or some peers.
    Warning,
    /// It does not work.
    Failed,
    /// It could not be checked; the text says why.
    Skipped,
}

/// One check and what came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Its name, which stays the same from version to version.
    pub name: &'static str,
    /// How it went.
    #[serde(rename = "result")]
    pub grade: Grade,
    /// What was found, in one lower-case sentence.
    pub text: String,
    /// What to change, where something can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The same for programs; each check has its own names.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub facts: Map<String, Value>,
}

/// Whom this machine can send to over the internet, and whom it can receive from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Every peer that reaches the same server.
    Anyone,
    /// All but those behind a symmetric NAT or without UDP.
    Most,
    /// Those whom fortune favours: nothing can be promised.
    Some,
    /// This machine and the local network.
    Local,
}

/// All checks and what follows from them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// The version of p2pcp.
    pub p2pcp: &'static str,
    /// The signaling server, if one is configured.
    pub server: Option<String>,
    /// Whether transfers over the internet will work: exit code 0.
    pub ok: bool,
    /// Whom they will work with.
    pub reach: Reach,
    /// The same in a sentence.
    pub verdict: String,
    /// The checks, in a fixed order.
    pub checks: Vec<Check>,
}

impl Reporter {
    /// Prints a report for a person: a line for each check, the verdict, and what to change.
    /// [`Verbosity::Quiet`] leaves out the checks that are well.
    pub fn doctor(&self, report: &Report) {
        self.inner.screen.print(&lines(report, self.inner.style.verbosity));
    }

    /// Prints a report as one JSON document on stdout.
    ///
    /// # Errors
    /// When stdout cannot be written to.
    pub fn doctor_json(&self, report: &Report) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", document(report)).and_then(|()| stdout.flush())
    }
}

fn lines(report: &Report, verbosity: Verbosity) -> Vec<Line> {
    let width = report.checks.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let told = |it: &&Check| verbosity > Verbosity::Quiet || !matches!(it.grade, Grade::Ok | Grade::Skipped);
    let mut lines: Vec<Line> = report.checks.iter().filter(told).map(|it| line(it, width)).collect();
    lines.push(Line::plain(""));
    let paint = if report.ok { Paint::Green } else { Paint::Yellow };
    lines.push(
        Line::default().with(paint, "verdict:").with(Paint::Plain, format_args!(" {}", report.verdict)),
    );
    let mut advice: Vec<&str> = report.checks.iter().filter_map(|it| it.advice.as_deref()).collect();
    // Two checks may suffer from one cause.
    let mut said = std::collections::HashSet::new();
    advice.retain(|it| said.insert(*it));
    lines.extend(
        advice
            .into_iter()
            .map(|it| Line::default().with(Paint::Cyan, "hint:").with(Paint::Plain, format_args!(" {it}"))),
    );
    lines
}

/// `ok       signaling    reached in 12 ms`.
fn line(check: &Check, width: usize) -> Line {
    let (paint, grade) = match check.grade {
        Grade::Ok => (Paint::Green, "ok"),
        Grade::Warning => (Paint::Yellow, "warning"),
        Grade::Failed => (Paint::Red, "failed"),
        Grade::Skipped => (Paint::Dim, "skipped"),
    };
    Line::default()
        .with(paint, format_args!("{grade:<7}"))
        .with(Paint::Plain, format_args!("  {:<width$}  {}", check.name, check.text))
}

/// The document on one line. A terminal may show it, so it is sanitised as all else is; JSON's own escapes leave
/// characters alone that reorder text.
fn document(report: &Report) -> String {
    let mut value = serde_json::to_value(report).unwrap_or_default();
    sanitise(&mut value);
    value.to_string()
}

fn sanitise(value: &mut Value) {
    match value {
        Value::String(text) => *text = text::sanitise(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(sanitise),
        Value::Object(fields) => fields.values_mut().for_each(sanitise),
        Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Check, Grade, Reach, Report, VERSION, document, lines};
    use crate::ui::Verbosity;

    fn check(name: &'static str, grade: Grade, text: &str, advice: Option<&str>) -> Check {
        let facts = Map::from_iter([("ms".to_owned(), json!(12)), ("said".to_owned(), json!([text]))]);
        Check { name, grade, text: text.to_owned(), advice: advice.map(str::to_owned), facts }
    }

    fn report() -> Report {
        Report {
            version: VERSION,
            p2pcp: "0.1.0",
            server: Some("ws://host:8091".to_owned()),
            ok: false,
            reach: Reach::Some,
            verdict: "you can send to some".to_owned(),
            checks: vec![
                check("signaling", Grade::Ok, "reached", None),
                check("nat", Grade::Warning, "symmetric", Some("do this")),
                check("relay-udp", Grade::Failed, "no\u{202e}\u{1b}[31m", Some("do this")),
                check("mdns", Grade::Skipped, "no network", None),
            ],
        }
    }

    fn shown(verbosity: Verbosity) -> String {
        let mut out = String::new();
        for line in lines(&report(), verbosity) {
            line.render(false, &mut out);
            out.push('\n');
        }
        out
    }

    #[test]
    fn each_check_has_a_line_then_comes_the_verdict_and_each_hint_once() {
        assert_eq!(
            shown(Verbosity::Normal),
            "ok       signaling  reached\n\
             warning  nat        symmetric\n\
             failed   relay-udp  no\\u{202e}\\u{1b}[31m\n\
             skipped  mdns       no network\n\
             \n\
             verdict: you can send to some\n\
             hint: do this\n"
        );
    }

    #[test]
    fn quiet_leaves_out_what_is_well() {
        let shown = shown(Verbosity::Quiet);
        assert!(!shown.contains("signaling") && !shown.contains("mdns"), "{shown}");
        assert!(
            shown.contains("nat") && shown.contains("relay-udp") && shown.contains("verdict:"),
            "{shown}"
        );
    }

    #[test]
    fn the_document_has_the_documented_fields_and_nothing_that_moves_a_cursor() {
        let document = document(&report());
        assert!(!document.contains('\u{202e}') && !document.contains('\n'), "{document}");
        let value: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(value["version"], json!(1));
        assert_eq!(value["reach"], json!("some"));
        assert_eq!(value["ok"], json!(false));
        assert_eq!(value["checks"][1]["result"], json!("warning"));
        assert_eq!(value["checks"][1]["advice"], json!("do this"));
        assert_eq!(value["checks"][0]["facts"]["ms"], json!(12));
        assert_eq!(value["checks"][0].get("advice"), None);
        assert_eq!(value["checks"][2]["facts"]["said"][0], json!("no\\u{202e}\\u{1b}[31m"));
    }
}

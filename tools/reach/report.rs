//! What was found, as tables for people, and whether it keeps what is promised.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::list::Scenario;
use crate::matrix::Cell;
use crate::scenarios::Verdict;
use crate::transfer::{Kind, Outcome};

const MATRIX_HEAD: &str = "\
| sender | receiver | went through | path | found, s | first byte, s | committed, s | promised, s | verdict |
|---|---|---|---|---|---|---|---|---|
";

const SCENARIO_HEAD: &str = "\
| scenario | network | path | first byte, s | verdict |
|---|---|---|---|---|
";

/// What a cell falls short of; nothing if it keeps its promises.
pub fn shortfalls(cell: &Cell, timed: bool) -> Vec<String> {
    let went: Vec<_> = cell.runs.iter().flatten().collect();
    let mut short = Vec::new();
    if went.len() < cell.runs.len() {
        short.push(format!("{} of {} did not go through", cell.runs.len() - went.len(), cell.runs.len()));
    }
    let worse = went.iter().filter(|it| cell.best() == Kind::Direct && it.kind == Kind::Relayed).count();
    if worse > 0 {
        short.push(format!("{worse} relayed"));
    }
    let impossible = went.iter().filter(|it| cell.best() == Kind::Relayed && it.kind == Kind::Direct).count();
    if impossible > 0 {
        short.push(format!("{impossible} direct, which cannot be"));
    }
    let other = went.iter().filter(|it| it.kind == cell.best() && !it.path.contains(cell.says())).count();
    if other > 0 {
        short.push(format!("{other} without the words `{}`", cell.says()));
    }
    let limit = cell.limit();
    if timed && !went.is_empty() {
        let times = seconds(&went, |it| it.first_byte);
        if median(&times) > limit.median {
            short.push("median too late".to_owned());
        }
        if worst(&times) > limit.worst {
            short.push("worst too late".to_owned());
        }
    }
    short
}

/// The table of a matrix.
pub fn matrix(cells: &[Cell], timed: bool) -> String {
    let mut table = MATRIX_HEAD.to_owned();
    for cell in cells {
        let went: Vec<_> = cell.runs.iter().flatten().collect();
        let figures = |of: fn(&Outcome) -> Duration| match seconds(&went, of) {
            times if times.is_empty() => "-".to_owned(),
            times => format!("{:.2} / {:.2}", median(&times), worst(&times)),
        };
        let limit = cell.limit();
        let promised = match limit.median == limit.worst {
            true => format!("{}", limit.worst),
            false => format!("{} / {}", limit.median, limit.worst),
        };
        let short = shortfalls(cell, timed);
        writeln!(
            table,
            "| {} | {} | {} of {} | {} | {} | {} | {} | {promised} | {} |",
            cell.sender.title,
            cell.receiver.title,
            went.len(),
            cell.runs.len(),
            paths(&went),
            figures(|it| it.connected),
            figures(|it| it.first_byte),
            figures(|it| it.done),
            if short.is_empty() { "ok".to_owned() } else { format!("**{}**", short.join(", ")) }
        )
        .expect("a text takes all");
    }
    table
}

/// The table of scenarios.
pub fn scenarios(ran: &[(&Scenario, Verdict)]) -> String {
    let mut table = SCENARIO_HEAD.to_owned();
    for (scenario, verdict) in ran {
        let (outcome, word) = match verdict {
            Verdict::Passed(outcome, note) if note.is_empty() => (outcome.as_ref(), "ok".to_owned()),
            Verdict::Passed(outcome, note) => (outcome.as_ref(), format!("ok, {note}")),
            Verdict::Failed(outcome, why) => (outcome.as_ref(), format!("**failed: {}**", cell_text(why))),
            Verdict::Skipped(why) => (None, format!("**SKIPPED: {why}**")),
        };
        let path = outcome.map_or("-".to_owned(), |it| cell_text(&it.path));
        let first = outcome.map_or("-".to_owned(), |it| format!("{:.2}", it.first_byte.as_secs_f64()));
        writeln!(table, "| {} | {} | {path} | {first} | {word} |", scenario.name, scenario.about)
            .expect("a text takes all");
    }
    table
}

/// Puts a table into a document, in place of what is between `<!-- NAME -->` and `<!-- end of NAME -->`.
pub fn put(document: &Path, name: &str, table: &str) -> Result<(), String> {
    let text = fs::read_to_string(document).map_err(|error| format!("{}: {error}", document.display()))?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let parts = text.split_once(&begin).and_then(|(head, rest)| Some((head, rest.split_once(&end)?.1)));
    let (head, tail) = parts.ok_or_else(|| format!("{}: no place for `{name}`", document.display()))?;
    fs::write(document, format!("{head}{begin}\n{table}\n{end}{tail}")).map_err(|error| error.to_string())
}

/// Which paths were taken, in `recv`'s words, with how often where there is more than one.
fn paths(went: &[&Outcome]) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for outcome in went {
        match kinds.iter_mut().find(|(path, _)| *path == outcome.path) {
            Some((_, count)) => *count += 1,
            None => kinds.push((outcome.path.clone(), 1)),
        }
    }
    match &kinds[..] {
        [] => "-".to_owned(),
        [(path, _)] => cell_text(path),
        _ => kinds
            .iter()
            .map(|(path, count)| format!("{} ({count})", cell_text(path)))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

/// Text that ends no cell of a table and is not too long for one.
fn cell_text(text: &str) -> String {
    let flat: String = text.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(240) {
        Some((at, _)) => format!("{}…", &flat[..at]),
        None => flat,
    }
}

fn seconds(went: &[&Outcome], of: impl Fn(&Outcome) -> Duration) -> Vec<f64> {
    let mut times: Vec<_> = went.iter().map(|it| of(it).as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn worst(sorted: &[f64]) -> f64 {
    sorted.last().copied().unwrap_or(f64::NAN)
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (Some(upper), 0) => (sorted[middle - 1] + upper) / 2.0,
        (Some(value), _) => *value,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{matrix, shortfalls};
    use crate::matrix::{Cell, ROUTERS};
    use crate::transfer::{Kind, Outcome};

    fn run(kind: Kind, first_byte: u64) -> Result<Outcome, String> {
        let first_byte = Duration::from_millis(first_byte);
        let path = String::new();
        Ok(Outcome { kind, path, later: vec![], connected: first_byte, first_byte, done: first_byte })
    }

    /// A cell whose runs say what they should.
    fn cell(a: usize, b: usize, mut runs: Vec<Result<Outcome, String>>) -> Cell {
        let words = Cell { sender: ROUTERS[a], receiver: ROUTERS[b], runs: vec![] }.says();
        runs.iter_mut().flatten().for_each(|it| it.path = words.to_owned());
        Cell { sender: ROUTERS[a], receiver: ROUTERS[b], runs }
    }

    /// Each promise of a cell is held against its runs.
    #[test]
    fn a_cell_says_what_it_falls_short_of() {
        use Kind::{Direct, Relayed};
        let check = |cell: Cell, expect: &str| assert_eq!(shortfalls(&cell, true).join(", "), expect);
        check(cell(2, 2, vec![run(Direct, 500), run(Direct, 2900), run(Direct, 700)]), "");
        check(cell(2, 2, vec![run(Direct, 1600), run(Direct, 1600)]), "median too late");
        check(cell(2, 2, vec![run(Direct, 10), run(Direct, 10), run(Direct, 3100)]), "worst too late");
        check(cell(2, 2, vec![run(Direct, 10), run(Relayed, 10)]), "1 relayed");
        check(cell(3, 3, vec![run(Direct, 10)]), "1 direct, which cannot be");
        check(cell(3, 3, vec![run(Relayed, 2900)]), "");
        check(cell(4, 0, vec![run(Relayed, 2600)]), "median too late, worst too late");
        check(cell(0, 0, vec![run(Direct, 10), Err("no".into())]), "1 of 2 did not go through");
        assert!(shortfalls(&cell(0, 0, vec![run(Direct, 9000)]), false).is_empty(), "times are not judged");
        let silent = Cell { sender: ROUTERS[2], receiver: ROUTERS[3], runs: vec![run(Relayed, 10)] };
        check(silent, "1 without the words `because this side has a symmetric NAT`");
    }

    #[test]
    fn a_table_has_a_line_for_each_cell() {
        let table = matrix(&[cell(0, 1, vec![run(Kind::Direct, 250), run(Kind::Direct, 750)])], true);
        let line = "| none | full cone | 2 of 2 | direct through a NAT | 0.50 / 0.75 | 0.50 / 0.75 | 0.50 / 0.75 | 1.5 / 3 | ok |\n";
        assert!(table.ends_with(line), "{table}");
    }
}

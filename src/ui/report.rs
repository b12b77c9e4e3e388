//! The wording of what happened: offers, outcomes, ends. Pure; the lines are printed elsewhere.

use std::path::Path;
use std::time::Duration;

use crate::event::Preview;
use crate::session::Summary;
use crate::transport::{self, Because, Way};
use crate::ui::line::{Line, Paint};
use crate::ui::{Problem, Role, note, text, tree};
use crate::wire::path::RelPath;
use crate::wire::peer::{Offer, OfferItem, Outcome, Totals};

/// Names told in one sentence before the rest becomes a number.
const NAMES_IN_A_SENTENCE: usize = 3;

/// Columns of a name in a sentence.
const NAME_COLUMNS: usize = 40;

/// Columns of a name in an offer's list, in a wide terminal.
const WIDEST_LISTED_NAME: usize = 60;

/// Columns that an offer's list needs beside the name: indent, gap and size.
const BESIDE_A_NAME: usize = 14;

/// What is about to be sent, or would be: `sending photos/ (1,234 files, 1.2 GiB)`.
pub(crate) fn sending(verb: &str, items: &[OfferItem], more: u32, totals: &Totals) -> Line {
    if let (Some(characters), 0) = (note::only_text(items), more) {
        return Line::plain(format_args!("{verb} {}", a_text(characters)));
    }
    let mut names: Vec<String> =
        items.iter().take(NAMES_IN_A_SENTENCE).map(|item| name(item, NAME_COLUMNS)).collect();
    let unnamed = items.len().saturating_sub(NAMES_IN_A_SENTENCE) as u64 + u64::from(more);
    if unnamed > 0 {
        names.push(format!("{} more", text::count(unnamed)));
    }
    let named = match names.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    };
    let amount = match (items, more, totals.complete) {
        ([item], 0, _) if item.is_stream() => "a stream".to_owned(),
        // One file needs no count.
        ([item], 0, true) if !item.folder => text::bytes(totals.bytes),
        _ => amount(totals),
    };
    Line::plain(format_args!("{verb} "))
        .with(Paint::Bold, named)
        .with(Paint::Plain, format_args!(" ({amount})"))
}

/// An offer: how much, and which names.
pub(crate) fn offer(offer: &Offer, preview: &Preview, columns: usize) -> Vec<Line> {
    if let (Some(characters), 0) = (note::only_text(&offer.items), offer.more) {
        return vec![Line::plain(format_args!("the other side offers {}", a_text(characters)))];
    }
    let streams = offer.items.iter().filter(|item| item.is_stream()).count();
    let amount = match (streams, offer.items.len(), offer.more) {
        (1, 1, 0) => "a stream".to_owned(),
        _ => amount(&offer.totals),
    };
    let mut lines = vec![Line::plain(format_args!("the other side offers {amount}"))];
    // A tree adds up sizes, and a stream has none.
    let tree = if streams > 0 { Vec::new() } else { tree::lines(offer, preview, columns) };
    lines.extend(if tree.is_empty() { names(offer, columns) } else { tree });
    lines.extend(tree::surprises(preview));
    lines
}

/// Where what is offered will land.
pub(crate) fn destination(folder: &Path, name: Option<&RelPath>) -> Line {
    match name {
        _ if folder.as_os_str() == "-" => Line::plain("to go to standard output"),
        Some(name) if folder.as_os_str() == "." => Line::plain(format_args!("to be kept as {name}")),
        Some(name) => Line::plain(format_args!("to be kept as {}", folder.join(name.as_str()).display())),
        None => Line::plain(format_args!("to go into {}", folder.display())),
    }
}

/// The top-level names of an offer, of which no more is known.
fn names(offer: &Offer, columns: usize) -> Vec<Line> {
    let name_columns = columns.saturating_sub(BESIDE_A_NAME).min(WIDEST_LISTED_NAME);
    let names: Vec<String> = offer.items.iter().map(|item| name(item, name_columns)).collect();
    let widest = names.iter().map(|it| text::width(it)).max().unwrap_or(0);
    let mut lines = Vec::with_capacity(names.len() + 1);
    for (item, name) in offer.items.iter().zip(&names) {
        let line = Line::plain("  ").with(Paint::Bold, name);
        lines.push(match item.folder {
            true => line,
            false => {
                let gap = " ".repeat(widest - text::width(name) + 2);
                let size =
                    if item.is_stream() { "of unknown size".to_owned() } else { text::bytes(item.size) };
                line.with(Paint::Plain, format_args!("{gap}{size}"))
            }
        });
    }
    if offer.more > 0 {
        lines.push(Line::plain(format_args!("  and {} more", text::count(u64::from(offer.more)))));
    }
    lines
}

/// A text in words: it has no name that matters.
fn a_text(characters: u64) -> String {
    format!("a text of {}", text::counted(characters, "character"))
}

/// The last words of a text that went through.
pub(crate) fn finished_text(characters: u64, role: Role) -> Line {
    let verb = match role {
        Role::Send => "sent",
        Role::Recv => "received",
    };
    Line::default().with(Paint::Green, verb).with(Paint::Plain, format_args!(" {}", a_text(characters)))
}

/// How the peers are connected: `connected: direct over LAN, 192.168.1.7`.
pub(crate) fn connected(verb: &str, path: &transport::Path) -> Line {
    let direct = match &path.way {
        Way::Unknown => "direct",
        Way::ThisMachine => "direct on this machine",
        Way::Lan => "direct over LAN",
        Way::Ipv6 => "direct over IPv6",
        Way::Open => "direct over IPv4",
        Way::OneNat => "direct through a NAT",
        Way::BothNats => "direct through both NATs",
        Way::Relayed { by, because } => {
            return Line::plain(format_args!("{verb}: relayed by {by} {}", why_relayed(*because)));
        }
    };
    match path.address {
        // An address of this machine tells nothing that the words do not.
        Some(address) if path.way != Way::ThisMachine => {
            Line::plain(format_args!("{verb}: {direct}, {address}"))
        }
        _ => Line::plain(format_args!("{verb}: {direct}")),
    }
}

fn why_relayed(because: Because) -> &'static str {
    match because {
        Because::RelayOnlyHere => "because of --relay-only",
        Because::RelayOnlyThere => "because the other side tells no address of its own",
        Because::UdpBlockedHere => "because UDP is blocked here",
        Because::UdpBlockedThere => "because UDP is blocked on the other side",
        Because::SymmetricBoth => "because both sides have a symmetric NAT",
        Because::SymmetricHere => "because this side has a symmetric NAT",
        Because::SymmetricThere => "because the other side has a symmetric NAT",
        Because::NoDirectPath => "because no direct path worked",
    }
}

/// What an interrupted transfer left: `resuming: 412 MiB of 1.0 GiB already here`.
pub(crate) fn found(bytes: u64, totals: &Totals) -> Line {
    let least = if totals.complete { "" } else { "at least " };
    let (bytes, total) = (text::bytes(bytes), text::bytes(totals.bytes));
    Line::plain(format_args!("resuming: {bytes} of {least}{total} already here, checking that"))
}

/// What became of an entry that was not kept; `None` for one that was.
pub(crate) fn unkept(path: &RelPath, outcome: Outcome, role: Role) -> Option<Line> {
    let fate = match (outcome, role) {
        // What was not asked for is nothing to warn of.
        (Outcome::Kept { .. } | Outcome::Unwanted, _) => return None,
        (Outcome::Exists, _) => "not replaced, something with this name is there".to_owned(),
        (Outcome::Skipped, _) => "skipped, something with this name is there".to_owned(),
        (Outcome::Refused, Role::Send) => "refused, the receiver's disk cannot hold it".to_owned(),
        (Outcome::Refused, Role::Recv) => "refused, this disk cannot hold it".to_owned(),
        (Outcome::SourceFailed(fault), _) => format!("not sent, {fault}"),
    };
    Some(Line::warning(format_args!("{path}: {fate}")))
}

/// The last words of a transfer that went through, one line for each kind of problem.
///
/// The first line tells the success; the rest are warnings.
pub(crate) fn finished(summary: &Summary, elapsed: Duration, role: Role) -> (Line, Vec<Line>) {
    let verb = match role {
        Role::Send => "sent",
        Role::Recv => "received",
    };
    let things = things(summary.files, summary.folders, summary.links);
    let time = text::duration(elapsed);
    // Below this the figure says more about set-up than about speed.
    let measurable = elapsed >= Duration::from_millis(100) && summary.bytes >= 64 << 10;
    let speed = text::rate(summary.bytes, elapsed).filter(|_| measurable);
    let speed = speed.map_or(String::new(), |it| format!(" ({it})"));
    let spared = match (summary.spared, role) {
        (0, _) => String::new(),
        (spared, Role::Recv) => format!(", {} were here already", text::bytes(spared)),
        (spared, Role::Send) => format!(", {} were there already", text::bytes(spared)),
    };
    let done = Line::default().with(Paint::Green, verb).with(
        Paint::Plain,
        format_args!(" {things}: {} in {time}{speed}{spared}", text::bytes(summary.bytes)),
    );
    let problems = [
        (summary.exists, "not replaced: something with the same name is there"),
        (summary.skipped, "skipped: something with the same name is there"),
        (summary.refused, "refused: the receiver's disk cannot hold their name or kind"),
        (summary.source_changed, "not sent: changed or gone while being sent"),
        (summary.source_failed, "not sent: could not be read"),
        (summary.unsent, "not sent: could not be read, or cannot travel"),
    ];
    let mut warnings: Vec<Line> = problems
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| Line::warning(format_args!("{} {what}", text::counted(number, "item"))))
        .collect();
    if summary.unwanted > 0 {
        let items = text::counted(summary.unwanted, "item");
        warnings.push(Line::plain(match role {
            Role::Send => format!("{items} not wanted by the other side"),
            Role::Recv => format!("{items} left out: not asked for, or the same by size and time"),
        }));
    }
    if summary.exists > 0 && role == Role::Recv {
        let hint = "hint: `--skip`, `--rename` or `--overwrite` say what to do about names that are taken";
        warnings.push(Line::plain(hint));
    }
    (done, warnings)
}

/// A failure: the sentence, its cause, and after an empty line what to do.
pub(crate) fn failed(problem: &Problem<'_>) -> Vec<Line> {
    let mut lines = vec![
        Line::default()
            .with(Paint::Red, "error:")
            .with(Paint::Plain, " ")
            .with(Paint::Bold, problem.sentence),
    ];
    lines.extend(problem.cause.map(|cause| Line::plain(format_args!("  cause: {cause}"))));
    if let Some(hint) = problem.hint {
        lines.push(Line::default());
        lines.push(Line::default().with(Paint::Cyan, "hint:").with(Paint::Plain, format_args!(" {hint}")));
    }
    lines
}

/// A top-level name as it is shown: folders end in a slash.
fn name(item: &OfferItem, columns: usize) -> String {
    let slash = if item.folder { "/" } else { "" };
    let name = text::sanitise(item.name.as_str());
    format!("{}{slash}", text::shorten(&name, columns))
}

/// `1,234 files, 12 folders, 1.2 GiB`, with `at least` while it is being counted.
fn amount(totals: &Totals) -> String {
    let least = if totals.complete { "" } else { "at least " };
    let things = things(totals.files, totals.folders, totals.links);
    format!("{least}{things}, {}", text::bytes(totals.bytes))
}

/// `1,234 files, 12 folders, 1 link`: what there is none of is left out.
fn things(files: u64, folders: u64, links: u64) -> String {
    let parts: Vec<String> = [(files, "file"), (folders, "folder"), (links, "link")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, thing)| text::counted(number, thing))
        .collect();
    match parts.is_empty() {
        true => "no files".to_owned(),
        false => parts.join(", "),
    }
}

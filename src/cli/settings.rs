//! What lasts longer than one command line: values of the environment, `.env` and the config file, as defaults of options.
//!
//! There is one list of them, [`OPTIONS`]. A value fills an option only where nothing was typed that rules it out, and is
//! parsed as if it had been typed.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::cli::environment::Found;
use crate::cli::options::{Lasting, OPTIONS, Row};
use crate::error::Error;

/// What helps with any setting.
pub(super) const WHENCE: &str = "`p2pcp config show` tells where each setting comes from";

/// An option that a setting fills.
#[derive(Debug)]
struct Filling<'a> {
    id: String,
    values: Vec<String>,
    found: &'a Found,
}

/// Parses `typed` with the settings that `found` knows as defaults.
///
/// # Errors
/// What clap says of what was typed, or [`Error::Setting`] for a value that does not fit its option.
pub(super) fn fill<'a>(
    command: Command,
    matches: ArgMatches,
    parse: impl Fn(Command) -> Result<ArgMatches, clap::Error>,
    found: impl Fn(&Row) -> Option<&'a Found>,
) -> Result<ArgMatches, Error> {
    let Some((name, typed)) = matches.subcommand() else { return Ok(matches) };
    let name = name.to_owned();
    let Some(sub) = command.find_subcommand(&name) else { return Ok(matches) };
    let fillings = fillings(sub, typed, found)?;
    let filled = |fillings: &[&Filling<'_>]| {
        let mut command = command.clone();
        for filling in fillings {
            let values = filling.values.clone();
            command = command
                .mut_subcommand(&name, |sub| sub.mut_arg(&filling.id, |arg| arg.default_values(values)));
        }
        parse(command)
    };
    if let Ok(matches) = filled(&fillings.iter().collect::<Vec<_>>()) {
        return Ok(matches);
    }
    // What was typed is sound by itself, so one of them is not.
    let wrong = fillings.iter().find_map(|filling| Some((filling, filled(&[filling]).err()?)));
    match wrong {
        Some((filling, error)) => Err(misfit(filling.found, &error)),
        None => Ok(matches),
    }
}

/// The options of a command that settings fill, those from stronger places first.
fn fillings<'a>(
    command: &Command,
    typed: &ArgMatches,
    found: impl Fn(&Row) -> Option<&'a Found>,
) -> Result<Vec<Filling<'a>>, Error> {
    let was_typed = |arg: &&Arg| typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let mut active: Vec<&Arg> = command.get_arguments().filter(was_typed).collect();
    let mut candidates: Vec<(&Arg, &Found)> = Vec::new();
    for row in OPTIONS.iter().filter(|row| row.lasting.is_some_and(|it| it == Lasting::Filled)) {
        let arg = command.get_arguments().find(|arg| arg.get_long() == Some(row.name));
        candidates
            .extend(arg.zip(found(row)).filter(|(_, found)| !found.text.is_empty() || row.empty_counts()));
    }
    // A stable sort: the list decides among values of one place.
    candidates.sort_by_key(|(_, found)| found.origin);
    let mut fillings = Vec::new();
    for (arg, found) in candidates {
        let Some(values) = values(arg, found)? else { continue };
        if active.iter().any(|other| exclude(command, arg, other)) {
            continue;
        }
        active.push(arg);
        fillings.push(Filling { id: arg.get_id().to_string(), values, found });
    }
    Ok(fillings)
}

/// A setting's text as clap takes it; `None` for a flag that is off.
fn values(arg: &Arg, found: &Found) -> Result<Option<Vec<String>>, Error> {
    match arg.get_action() {
        ArgAction::SetTrue => match found.text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(Some(vec!["true".to_owned()])),
            "0" | "false" | "no" | "off" => Ok(None),
            _ => Err(Error::Setting {
                place: found.place.clone(),
                fault: format!("`{}` is neither `true` nor `false`", found.text),
                hint: WHENCE.to_owned(),
            }),
        },
        ArgAction::Append => Ok(Some(listed(&found.text))),
        _ => Ok(Some(vec![found.text.clone()])),
    }
}

/// The parts of a text with commas.
fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// Whether two options cannot be given together, or the one has been given already.
fn exclude(command: &Command, one: &Arg, other: &Arg) -> bool {
    let names =
        |a: &Arg, b: &Arg| command.get_arg_conflicts_with(a).iter().any(|it| it.get_id() == b.get_id());
    let in_group = |group: &clap::ArgGroup| {
        let has = |arg: &Arg| group.get_args().any(|id| id == arg.get_id());
        !group.clone().is_multiple() && has(one) && has(other)
    };
    one.get_id() == other.get_id()
        || names(one, other)
        || names(other, one)
        || command.get_groups().any(in_group)
}

fn misfit(found: &Found, error: &clap::Error) -> Error {
    let reason = std::error::Error::source(error).map(ToString::to_string);
    let fault = match reason {
        Some(reason) => format!("`{}` does not fit: {reason}", found.text),
        None => format!("`{}` does not fit", found.text),
    };
    Error::Setting {
        place: found.place.clone(),
        fault,
        hint: possible(error).unwrap_or_else(|| WHENCE.to_owned()),
    }
}

/// The values that there are, where clap knows them.
fn possible(error: &clap::Error) -> Option<String> {
    match error.get(clap::error::ContextKind::ValidValue)? {
        clap::error::ContextValue::Strings(valid) if !valid.is_empty() => {
            Some(format!("there are `{}`", valid.join("`, `")))
        }
        _ => None,
    }
}

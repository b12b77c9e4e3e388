//! `p2pcp config`: every setting, its value, and where it comes from.
//!
//! What is printed is a config file: the values in it, and behind each where it was found.

use std::ffi::OsString;
use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use crate::cli::environment::{Environment, config_path};
use crate::cli::options::{self, OPTIONS, Row};
use crate::cli::settings;
use crate::cli::tools::ConfigCommand;
use crate::error::{Error, Finish};
use crate::ui::Reporter;

/// Columns that a setting takes before its origin.
const COLUMNS: usize = 38;

pub(super) fn run(
    command: ConfigCommand,
    environment: Environment,
    reporter: &Reporter,
) -> Result<Finish, Error> {
    let text = match command {
        ConfigCommand::Path => match config_path() {
            Some(path) => format!("{}\n", path.display()),
            None => return Err(nowhere()),
        },
        ConfigCommand::Show { typed } => {
            let line = std::iter::once(OsString::from("p2pcp")).chain(typed.iter().cloned());
            let typed = match typed.is_empty() {
                true => None,
                false => Some(options::command().try_get_matches_from(line).map_err(not_a_command)?),
            };
            listing(&environment.with_config_file()?, typed.as_ref().and_then(ArgMatches::subcommand))
        }
    };
    reporter.data(text.as_bytes()).map_err(Error::Document)?;
    Ok(Finish::Done)
}

fn nowhere() -> Error {
    Error::Setting {
        place: "P2PCP_CONFIG".to_owned(),
        fault: "no config file is looked for".to_owned(),
        hint: "unset it, or set HOME".to_owned(),
    }
}

fn not_a_command(error: clap::Error) -> Error {
    let fault = error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    Error::Setting {
        place: "the command line behind `config show`".to_owned(),
        fault,
        hint: settings::WHENCE.to_owned(),
    }
}

fn listing(environment: &Environment, typed: Option<(&str, &ArgMatches)>) -> String {
    let mut command = options::command();
    command.build();
    let mut text = String::new();
    for row in OPTIONS.iter().filter(|row| row.lasting.is_some()) {
        let found = environment.setting(row).filter(|it| !it.text.is_empty() || row.empty_counts());
        let flag = typed.and_then(|(name, matches)| flag(command.find_subcommand(name)?, matches, row));
        let (value, place) = match (flag, found) {
            (Some(value), _) => (Some(value), format!("--{}", row.name)),
            (None, Some(found)) => (Some(found.text.clone()), found.place.clone()),
            (None, None) => (default(&command, row), "default".to_owned()),
        };
        let setting = match value {
            Some(value) => format!("{} = {}", row.key(), toml(&without_secrets(&value))),
            None => format!("# {} =", row.key()),
        };
        writeln!(text, "{setting:COLUMNS$} # {}", place.escape_debug()).ok();
    }
    text
}

/// What a flag on this command line says.
fn flag(command: &Command, matches: &ArgMatches, row: &Row) -> Option<String> {
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(row.name))?;
    let id = arg.get_id().as_str();
    (matches.value_source(id) == Some(ValueSource::CommandLine)).then_some(())?;
    if let Ok(Some(times)) = matches.try_get_one::<u8>(id) {
        return Some(times.to_string());
    }
    let values: Vec<_> = matches.get_raw(id)?.map(|it| it.to_string_lossy().into_owned()).collect();
    Some(if values.is_empty() { "true".to_owned() } else { values.join(",") })
}

/// What holds when nothing is said.
fn default(command: &Command, row: &Row) -> Option<String> {
    if !row.otherwise.is_empty() {
        return Some(row.otherwise.to_owned());
    }
    let arg = |command: &Command| {
        let arg = command.get_arguments().find(|arg| arg.get_long() == Some(row.name))?;
        arg.get_default_values().first().map(|it| it.to_string_lossy().into_owned())
    };
    command.get_subcommands().find_map(arg)
}

/// A value as the config file takes it. JSON's texts are TOML's.
fn toml(value: &str) -> String {
    match value.parse::<u64>().is_ok() || matches!(value, "true" | "false") {
        true => value.to_owned(),
        false => serde_json::Value::from(value).to_string(),
    }
}

/// Addresses whose passwords are not to be on the screen.
fn without_secrets(list: &str) -> String {
    let one = |address: &str| match address.rsplit_once('@') {
        Some((before, host)) => match before.rsplit_once(':') {
            Some((kept, _)) => format!("{kept}:***@{host}"),
            None => format!("***@{host}"),
        },
        None => address.to_owned(),
    };
    list.split(',').map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (full, shown) in [
            ("turn:u:p@h:1,turns:u:q@h", "turn:u:***@h:1,turns:u:***@h"),
            ("http://u:p@ss@h:1", "http://u:***@h:1"),
            ("http://token@h", "http:***@h"),
            ("wss://h:1", "wss://h:1"),
        ] {
            assert_eq!(without_secrets(full), shown);
        }
    }

    /// Otherwise a file made from it would change what holds.
    #[test]
    fn what_is_shown_is_a_config_file() {
        let text = listing(&Environment::default(), None);
        let entries = crate::cli::config::parse("shown", &text).unwrap();
        assert!(entries.len() > 10, "{text}");
        assert!(entries.iter().any(|it| it.name == "words" && it.text == "2"), "{text}");
    }
}

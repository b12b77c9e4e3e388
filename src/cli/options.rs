//! Every option in one list: where `--help-all` shows it, and whether `--help` does.
//!
//! [`command`] is what clap parses with. What is told of an option in common for all commands is told here; what it takes
//! and what it says for itself is in [`crate::cli::arguments`].

use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::cli::DEFAULT_STUN_SERVERS;
use crate::cli::arguments::Cli;

/// Under what an option stands in the help, in the order of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    What,
    Meeting,
    Connection,
    Receiving,
    Relay,
    Output,
}

impl Group {
    fn heading(self) -> &'static str {
        match self {
            Self::What => "What",
            Self::Meeting => "Where they meet",
            Self::Connection => "Connection",
            Self::Receiving => "Receiving",
            Self::Relay => "Relay",
            Self::Output => "Output",
        }
    }
}

/// Where an option is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// On the one screen of `--help`.
    Usual,
    /// By `--help-all` only.
    Rare,
}

/// One option, or the name of a value without an option, of all commands that have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// As typed behind `--`, or clap's name of a value.
    pub(super) name: &'static str,
    pub(super) group: Group,
    pub(super) shown: Shown,
    /// How the environment and the config file give it a value; `None` where every run says it anew.
    pub(super) lasting: Option<Lasting>,
    /// Older names of its variable, which `.env` may hold too.
    pub(super) aliases: &'static [&'static str],
    /// Its value when nothing is said and clap does not know it.
    pub(super) otherwise: &'static str,
}

/// What is done with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    /// It fills the option, as if it had been typed.
    Filled,
    /// [`crate::cli`] asks for it: more than its own option decides.
    Asked,
}

impl Row {
    /// Its key in the config file.
    pub(super) fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Its variable: `P2PCP_RELAY_ONLY`.
    pub(super) fn variable(&self) -> String {
        format!("P2PCP_{}", self.key().to_ascii_uppercase())
    }

    /// Whether an empty text says something: that there is to be none.
    pub(super) fn empty_counts(&self) -> bool {
        matches!(self.name, "stun" | "turn-servers")
    }

    const fn lasts(mut self) -> Self {
        self.lasting = Some(Lasting::Filled);
        self
    }

    const fn asked(mut self) -> Self {
        self.lasting = Some(Lasting::Asked);
        self
    }

    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn otherwise(mut self, value: &'static str) -> Self {
        self.otherwise = value;
        self
    }
}

const fn usual(name: &'static str, group: Group) -> Row {
    Row { name, group, shown: Shown::Usual, lasting: None, aliases: &[], otherwise: "" }
}

const fn rare(name: &'static str, group: Group) -> Row {
    Row { name, group, shown: Shown::Rare, lasting: None, aliases: &[], otherwise: "" }
}

/// All of them.
pub(super) const OPTIONS: &[Row] = &[
    usual("paths", Group::What),
    usual("code", Group::What),
    usual("folder", Group::What),
    usual("typed", Group::What),
    usual("shell", Group::What),
    rare("name", Group::What),
    usual("text", Group::What),
    usual("exclude", Group::What).lasts(),
    rare("gitignore", Group::What).lasts(),
    rare("follow-symlinks", Group::What).lasts(),
    rare("max-size", Group::What).lasts(),
    usual("dry-run", Group::What),
    usual("to", Group::What),
    rare("keep", Group::What),
    rare("compress", Group::What).lasts(),
    usual("words", Group::What).lasts(),
    rare("ttl", Group::What).lasts(),
    usual("qr", Group::What).lasts(),
    rare("copy", Group::What).lasts(),
    usual("listen", Group::Meeting).asked().also(&["SIGNALING_SERVER_ADDR"]).otherwise("127.0.0.1"),
    usual("port", Group::Meeting).asked().also(&["SIGNALING_SERVER_PORT"]).otherwise("8091"),
    usual("server", Group::Meeting).asked().also(&["SIGNALING_SERVER_ADDR"]),
    usual("wait", Group::Meeting).lasts(),
    usual("local", Group::Meeting).lasts(),
    rare("loopback", Group::Meeting).lasts(),
    rare("proxy", Group::Meeting).lasts(),
    rare("tls-ca", Group::Meeting).lasts().also(&["SIGNALING_TLS_CA"]),
    rare("tls-cert", Group::Meeting).lasts().also(&["SIGNALING_TLS_CERT"]),
    rare("tls-key", Group::Meeting).lasts().also(&["SIGNALING_TLS_KEY"]),
    rare("stun", Group::Connection).lasts().also(&["STUN_SERVERS"]).otherwise(DEFAULT_STUN_SERVERS),
    usual("verify", Group::Connection).lasts(),
    rare("relay-only", Group::Connection).lasts(),
    rare("direct-only", Group::Connection).lasts(),
    rare("turn-servers", Group::Connection).asked().also(&["TURN_SERVERS"]),
    rare("interface", Group::Connection).lasts(),
    rare("reconnect", Group::Connection).lasts(),
    rare("limit", Group::Connection).lasts(),
    usual("output", Group::Receiving).lasts(),
    usual("yes", Group::Receiving),
    rare("fresh", Group::Receiving),
    rare("force", Group::Receiving),
    usual("overwrite", Group::Receiving),
    usual("rename", Group::Receiving).lasts(),
    usual("skip", Group::Receiving).lasts(),
    usual("update", Group::Receiving),
    usual("only", Group::Receiving),
    rare("checksum", Group::Receiving).lasts(),
    rare("quick", Group::Receiving),
    rare("no-mtime", Group::Receiving).lasts(),
    rare("mode", Group::Receiving).lasts(),
    rare("no-relay", Group::Relay).lasts(),
    rare("second-port", Group::Relay).lasts(),
    rare("public-host", Group::Relay).lasts(),
    rare("relay-bytes", Group::Relay).lasts(),
    rare("relay-rate", Group::Relay).lasts(),
    usual("json", Group::Output),
    usual("dir", Group::Output),
    usual("quiet", Group::Output).lasts(),
    usual("verbose", Group::Output).lasts(),
    rare("plain", Group::Output).lasts(),
    rare("color", Group::Output).lasts(),
    usual("help", Group::Output),
    usual("help-all", Group::Output),
    usual("version", Group::Output),
];

/// The row of an argument.
pub(super) fn row(arg: &Arg) -> Option<&'static Row> {
    let name = arg.get_long().unwrap_or_else(|| arg.get_id().as_str());
    OPTIONS.iter().find(|row| row.name == name)
}

/// The command line as clap understands it.
pub(super) fn command() -> Command {
    grouped(Cli::command().args(help_options())).mut_subcommands(grouped)
}

fn grouped(command: Command) -> Command {
    command.mut_args(|arg| match row(&arg) {
        // Values without an option come first in the help, with no heading of ours.
        Some(_) if arg.is_positional() => arg,
        Some(row) => arg.help_heading(row.group.heading()).hide_short_help(row.shown == Shown::Rare),
        None => arg,
    })
}

/// `--help` is one screen, `--help-all` everything; also of each command.
fn help_options() -> [Arg; 3] {
    [
        Arg::new("help")
            .short('h')
            .long("help")
            .global(true)
            .action(ArgAction::HelpShort)
            .help("Show the usual options"),
        Arg::new("help-all")
            .long("help-all")
            .global(true)
            .action(ArgAction::HelpLong)
            .help("Show all options"),
        Arg::new("version").short('V').long("version").action(ArgAction::Version).help("Show the version"),
    ]
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use crate::cli::options::{OPTIONS, command, row};

    /// Lines of the smallest terminal on which a command's usual options are to be seen at once.
    const LINES: usize = 40;
    /// Columns of a terminal, unless somebody changed them.
    const COLUMNS: usize = 80;

    fn commands() -> Vec<clap::Command> {
        let mut all = command().term_width(COLUMNS);
        all.build();
        let mut commands: Vec<_> = all.get_subcommands().cloned().collect();
        commands.push(all);
        commands
    }

    #[test]
    fn every_option_has_its_place_in_the_help() {
        for command in commands().iter().filter(|it| it.get_name() != "help") {
            let visible = |arg: &&Arg| !arg.is_hide_set();
            for arg in command.get_arguments().filter(visible) {
                assert!(row(arg).is_some(), "`{arg}` of `{}` has no row in OPTIONS", command.get_name());
            }
        }
    }

    #[test]
    fn every_row_is_an_option_of_some_command() {
        let commands = commands();
        // A password on a command line is on every screen that lists processes; so there is no option for it.
        for expected in OPTIONS.iter().filter(|row| row.name != "turn-servers") {
            let named = |arg: &Arg| row(arg).is_some_and(|it| it.name == expected.name);
            let known = commands.iter().any(|command| command.get_arguments().any(named));
            assert!(known, "no command has `{}`", expected.name);
        }
    }

    #[test]
    fn help_fits_a_screen() {
        for mut command in commands() {
            let name = command.get_name().to_owned();
            let most = if name == "p2pcp" { 24 } else { LINES };
            let help = command.render_help().to_string();
            assert!(help.lines().count() <= most, "{name}:\n{help}");
            assert!(help.lines().all(|line| line.chars().count() <= COLUMNS), "{name}:\n{help}");
        }
    }
}

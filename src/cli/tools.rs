//! Commands that tell of p2pcp itself. They do what they do whatever the config file says.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::environment::Environment;
use crate::cli::{complete, man, show};
use crate::error::{Error, Finish};
use crate::ui::Reporter;

/// Commands that tell of p2pcp itself.
#[derive(Debug, Subcommand)]
pub(super) enum Tool {
    /// Show the settings that last, and where each comes from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a script that completes command lines in a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them
    Man(ManArgs),
    /// What a code that begins so may become; for the scripts of `completions`
    #[command(hide = true)]
    CompleteCode(CompleteCodeArgs),
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(super) shell: ShellName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShellName {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CompleteCodeArgs {
    /// What has been typed
    pub(super) typed: Option<String>,
    /// Ask nobody on the local network; for tests
    #[arg(long, hide = true)]
    pub(super) no_multicast: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every setting, its value and where it comes from: a flag, the environment, .env, the config file, or nowhere
    Show {
        /// A command line, to see what its flags change: `send --words 4 photos`
        #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
        typed: Vec<OsString>,
    },
    /// Print where the config file is looked for
    Path,
}

pub(super) async fn run(tool: Tool, environment: Environment, reporter: &Reporter) -> Result<Finish, Error> {
    match tool {
        Tool::Config(command) => show::run(command, environment, reporter),
        Tool::Completions(args) => complete::script(&args, reporter),
        Tool::CompleteCode(args) => complete::codes(args, reporter).await,
        Tool::Man(args) => man::run(args.dir.as_deref(), reporter),
    }
}

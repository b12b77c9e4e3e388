//! The command line: the only place that says `clap` or reads the environment.
//!
//! What was typed becomes what is meant here: flag before environment before `.env` before default.

mod again;
mod arguments;
mod ask;
mod code;
mod complete;
mod compress;
mod config;
mod converse;
mod environment;
mod man;
mod many;
mod meeting;
mod options;
mod pace;
mod selection;
mod settings;
mod show;
mod text;
mod tools;
mod way;

use std::ffi::OsString;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgMatches, FromArgMatches};

use crate::cli::arguments::{
    Cli, Color, Command, ConflictArgs, DoctorArgs, OutputArgs, RecvArgs, RelayArgs, SendArgs, SignalArgs,
};
use crate::cli::converse::converse;
use crate::cli::environment::Environment;
use crate::cli::meeting::{configured_server, meeting, split_port};
use crate::code::Code;
use crate::error::{Error, ExitCode, Finish};
use crate::fs::{DASH, OnConflict, SinkOptions, Stages, stdin_is_piped};
use crate::interrupt::Interrupts;
use crate::recv::{self, Receiver};
use crate::send::{self, Sender};
use crate::ui::{Allowed, Reporter, Role, Style, Verbosity};
use crate::wire::signaling::DEFAULT_PORT;
use crate::{clean, doctor, dry_run, signal};

/// Address that `signal` listens on when nothing else is said: this machine only.
const DEFAULT_LISTEN: &str = "127.0.0.1";

/// Runs the command line `arguments`, program name first, and returns the exit code.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let parsed = options::command().try_get_matches_from(&typed);
    let (matches, cli) = match parsed.and_then(|it| Ok((it.clone(), Cli::from_arg_matches(&it)?))) {
        Ok(parsed) => parsed,
        Err(error) => {
            // `--help` and `--version` come this way too, to stdout and with success.
            error.print().ok();
            return if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done };
        }
    };
    let environment = Environment::read();
    let unsettled =
        |environment: &Environment| Reporter::new(style(Role::Recv, &OutputArgs::default(), environment));
    if let Command::Tool(tool) = cli.command {
        let reporter = unsettled(&environment);
        return ended(exit_code(tools::run(tool, environment, &reporter).await), &reporter);
    }
    let reporter = unsettled(&environment);
    let (environment, cli) = match with_settings(environment, matches, &typed) {
        Ok(whole) => whole,
        Err(error) => return ended(Err(error), &reporter),
    };
    let (role, output, json) = match &cli.command {
        Command::Send(args) => (Role::Send, &args.output, args.json),
        Command::Recv(args) => (Role::Recv, &args.talk, args.json),
        Command::Signal(args) => (Role::Send, &args.output, false),
        Command::Doctor(args) => (Role::Send, &args.output, false),
        Command::Clean(args) => (Role::Recv, &args.output, false),
        Command::Tool(_) => return ExitCode::Done,
    };
    let style = style(role, output, &environment);
    let reporter = match (json, style.verbosity >= Verbosity::Verbose) {
        (false, _) => Reporter::new(style),
        (true, true) => Reporter::for_programs(style),
        (true, false) => Reporter::for_programs(Style { verbosity: Verbosity::Silent, ..style }),
    };
    reporter.log_here();
    for warning in environment.warnings() {
        reporter.warning(warning);
    }
    let command = async {
        match cli.command {
            Command::Send(args) => run_send(args, &typed, &environment, &reporter).await,
            Command::Recv(args) => run_recv(args, &typed, &environment, &reporter).await,
            Command::Signal(args) => exit_code(run_signal(args, &environment, &reporter).await),
            Command::Doctor(args) => exit_code(run_doctor(args, &environment, &reporter).await),
            Command::Clean(args) => exit_code(clean::run(args.folder, args.yes, &reporter).await),
            Command::Tool(_) => Ok(ExitCode::Done),
        }
    };
    let mut interrupts = Interrupts::listen();
    let result = tokio::select! {
        result = command => result,
        () = interrupts.insisted() => {
            reporter.clear();
            return ExitCode::of_signal(interrupts.seen());
        }
    };
    ended(result, &reporter)
}

/// What was typed, completed by what lasts.
fn with_settings(
    environment: Environment,
    typed: ArgMatches,
    line: &[OsString],
) -> Result<(Environment, Cli), Error> {
    let environment = environment.with_config_file()?;
    let parse = |command: clap::Command| command.try_get_matches_from(line);
    let matches = settings::fill(options::command(), typed, parse, |row| environment.setting(row))?;
    let misfit = |error: clap::Error| Error::Setting {
        place: "the settings".to_owned(),
        fault: error.to_string(),
        hint: settings::WHENCE.to_owned(),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(misfit)?;
    Ok((environment, cli))
}

/// Says how it ended.
fn ended(result: Result<ExitCode, Error>, reporter: &Reporter) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            reporter.event(&error.event());
            error.exit_code()
        }
    }
}

fn exit_code(result: Result<Finish, Error>) -> Result<ExitCode, Error> {
    result.map(Finish::exit_code)
}

fn style(role: Role, output: &OutputArgs, environment: &Environment) -> Style {
    let verbosity = match (output.quiet, output.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::Trace,
    };
    let dumb = environment.dumb_terminal();
    let colour = match (output.color, environment.colour()) {
        (Color::Always, _) | (Color::Auto, Some(true)) => Allowed::Always,
        (Color::Never, _) | (Color::Auto, Some(false)) => Allowed::Never,
        (Color::Auto, None) if dumb => Allowed::Never,
        (Color::Auto, None) => Allowed::OnTerminal,
    };
    let motion = if dumb || output.plain { Allowed::Never } else { Allowed::OnTerminal };
    Style { role, verbosity, colour, motion }
}

/// What is said when there is neither a path nor a pipe to send.
const NOTHING_TO_SEND: &str = "name a file or folder to send, or pipe something into it";

/// What is said of a name for nothing.
const NAMELESS: &str = "`--name` names what is read from standard input, and nothing is";

async fn run_send(
    args: SendArgs,
    typed: &[OsString],
    environment: &Environment,
    reporter: &Reporter,
) -> Result<ExitCode, Error> {
    let selection = args.selection.selection()?;
    let text = args.text.read().await?;
    let (dashes, paths): (Vec<_>, Vec<_>) = args.paths.into_iter().partition(|it| it.as_os_str() == DASH);
    let stdin = text.is_none() && (!dashes.is_empty() || (paths.is_empty() && stdin_is_piped()));
    if text.is_none() && !stdin && paths.is_empty() {
        Cli::no_send(ErrorKind::MissingRequiredArgument, NOTHING_TO_SEND).print().ok();
        return Ok(ExitCode::Usage);
    }
    if args.name.is_some() && !stdin {
        Cli::no_send(ErrorKind::ArgumentConflict, NAMELESS).print().ok();
        return Ok(ExitCode::Usage);
    }
    if args.selection.dry_run {
        return exit_code(dry_run::run(paths, selection, reporter).await);
    }
    if stdin && args.many.is_many() {
        return Err(Error::StreamForMany);
    }
    if stdin {
        reporter.stdin_is_sent();
    }
    let meeting = meeting(&args.meeting, None, environment, reporter)?;
    let routes = way::routes(&args.meeting, &meeting, environment)?;
    let code = args.code.own(reporter)?;
    reporter.show_codes_with(args.code.extras(environment.utf8()));
    let options = send::Options {
        paths,
        stdin: stdin.then(|| args.name.unwrap_or_else(arguments::unnamed)),
        text,
        selection,
        meeting,
        routes,
        words: code.as_ref().map_or(args.code.words, Code::words),
        code,
        verify: args.meeting.verify,
        lives_for: args.code.ttl,
        lanes: args.meeting.lanes,
        limit: args.pace.limit,
        compress: args.compress.into(),
        reconnect_for: Duration::from_secs(args.meeting.reconnect),
        again: if args.many.keep { many::KEPT_AGAIN.to_owned() } else { again::line(typed, &[], &[]) },
    };
    let sender = Sender::new(options);
    match args.many.send(&sender, reporter).await {
        Some(code) => code,
        None => Ok(converse(|| sender.start(), reporter).await),
    }
}

async fn run_recv(
    args: RecvArgs,
    arguments: &[OsString],
    environment: &Environment,
    reporter: &Reporter,
) -> Result<ExitCode, Error> {
    let parsed = match args.code.is_empty() {
        false => Code::parse(&args.code.join(" "))?,
        true => ask::code(&args.meeting, reporter).await?,
    };
    for mended in &parsed.mended {
        reporter.note(&format!("took `{}` for `{}`", mended.typed, mended.meant));
    }
    // The server that came with a link is not in the next code.
    let code_again = match (&parsed.server, &args.meeting.server) {
        (Some(server), None) => vec!["--server", server, "CODE"],
        _ => vec!["CODE"],
    };
    let meeting = meeting(&args.meeting, parsed.server.as_deref(), environment, reporter)?;
    let routes = way::routes(&args.meeting, &meeting, environment)?;
    arguments::check_output(&args.output)?;
    let options = recv::Options {
        code: parsed.code,
        meeting,
        routes,
        stdout: args.output.as_os_str() == DASH,
        or_file: true,
        folder: args.output,
        sink: args.selection.complete(SinkOptions {
            on_conflict: match args.conflict {
                ConflictArgs { overwrite: true, .. } => OnConflict::Overwrite,
                ConflictArgs { update: true, .. } => OnConflict::Update,
                ConflictArgs { rename: true, .. } => OnConflict::Rename,
                ConflictArgs { skip: true, .. } => OnConflict::Skip,
                ConflictArgs { .. } => OnConflict::Refuse,
            },
            stages: if args.fresh { Stages::Fresh } else { Stages::Resume },
            journal: !args.no_resume,
            ..SinkOptions::default()
        })?,
        verify: args.meeting.verify,
        wait: args.wait,
        assume_yes: args.yes,
        lanes: args.meeting.lanes,
        limit: args.pace.limit,
        reconnect_for: Duration::from_secs(args.meeting.reconnect),
        force: args.force,
        again: again::line(arguments, &args.code, &code_again),
    };
    Ok(converse(|| Receiver::new(options).start(), reporter).await)
}

async fn run_signal(
    args: SignalArgs,
    environment: &Environment,
    reporter: &Reporter,
) -> Result<Finish, Error> {
    let typed = args.listen.as_deref().or(environment.listen()).unwrap_or(DEFAULT_LISTEN);
    let (host, port) = split_port(typed);
    let port = args.port.or(port).or(environment.listen_port()).unwrap_or(DEFAULT_PORT);
    let RelayArgs { no_relay, second_port, public_host, relay_bytes, relay_rate } = args.relay;
    let relay = signal::RelayOptions { second_port, public_host, bytes: relay_bytes, rate: relay_rate };
    let relay = (!no_relay).then_some(relay);
    let tls = way::tls_files(args.tls_cert, args.tls_key)?;
    signal::run(signal::Options { host, port, relay, tls }, reporter, |_| ()).await
}

async fn run_doctor(
    args: DoctorArgs,
    environment: &Environment,
    reporter: &Reporter,
) -> Result<Finish, Error> {
    let server = match args.server {
        Some(typed) => Some(typed.parse()?),
        None => configured_server(environment, reporter)?,
    };
    let options = doctor::Options {
        server,
        stun: way::stun(args.stun.as_deref()),
        turn: way::turn(environment)?,
        dialer: way::dialer(&args.way, environment)?,
        multicast: !args.no_multicast,
        document: if args.json { doctor::Document::Json } else { doctor::Document::Lines },
    };
    doctor::run(options, reporter).await
}

/// STUN servers when nothing else is said, as in `.env.template`.
pub const DEFAULT_STUN_SERVERS: &str = "stun.l.google.com:19302,stun1.l.google.com:19302";

/// The text of `--help-all`, of p2pcp or one of its commands, for the test that compares it with the README.
pub fn help(command: Option<&str>) -> String {
    let mut cli = options::command();
    cli.build();
    match command.and_then(|name| cli.find_subcommand_mut(name)) {
        Some(command) => command.render_long_help().to_string(),
        None => cli.render_long_help().to_string(),
    }
}

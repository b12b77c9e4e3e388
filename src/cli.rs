//! The command line: the only place that says `clap` or reads the environment.
//!
//! What was typed becomes what is meant here: flag before environment before `.env` before default.

mod environment;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cli::environment::{Environment, Origin};
use crate::code::{Code, WordCount};
use crate::error::{Error, ExitCode, Finish};
use crate::fs::OnConflict;
use crate::interrupt::Interrupts;
use crate::lan::Scope;
use crate::send::Meeting;
use crate::signaling::ServerUrl;
use crate::ui::{Allowed, Problem, Reporter, Role, Style, Verbosity};
use crate::wire::signaling::DEFAULT_PORT;
use crate::{recv, send, signal};

/// Address that `signal` listens on when nothing else is said: this machine only.
const DEFAULT_LISTEN: &str = "127.0.0.1";

/// Copies files from one machine to another, directly.
#[derive(Debug, Parser)]
#[command(name = "p2pcp", version, about, long_about = None, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Two terminals are enough to try it: `p2pcp send photos/` shows a code,
`p2pcp recv CODE` gets the files.

Exit codes: 0 done, 1 failed or not everything sent, 2 usage,
3 code wrong, used or unknown, 4 declined, 5 peer or network lost, 6 disk,
7 bytes changed, 8 some names were taken, 130 interrupted, 143 terminated.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a code and send to whoever types it
    Send(SendArgs),
    /// Receive what somebody sends
    Recv(RecvArgs),
    /// Host the rendezvous for others
    Signal(SignalArgs),
}

#[derive(Debug, Args)]
struct SendArgs {
    /// Files and folders to send
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Words in the code; each makes it 1,024 times harder to guess
    #[arg(long, value_name = "N", default_value = "2", value_parser = parse_words)]
    words: WordCount,
    #[command(flatten)]
    meeting: MeetingArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct RecvArgs {
    /// The code that the sender shows; asked for when missing
    #[arg(value_name = "CODE", num_args = 0..)]
    code: Vec<String>,
    /// Folder to receive into
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// Accept without being asked
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    conflict: ConflictArgs,
    #[command(flatten)]
    meeting: MeetingArgs,
    #[command(flatten)]
    talk: OutputArgs,
}

/// What to do about a file whose name is taken; without any of these it is refused and stays as it is.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct ConflictArgs {
    /// Replace files whose names are taken
    #[arg(long)]
    overwrite: bool,
    /// Receive files whose names are taken as `name (1).ext`
    #[arg(long)]
    rename: bool,
    /// Leave files whose names are taken as they are, and do not count that as a failure
    #[arg(long)]
    skip: bool,
}

#[derive(Debug, Args)]
struct MeetingArgs {
    /// Meet on this server [env: SIGNALING_SERVER_ADDR, SIGNALING_SERVER_PORT]
    #[arg(long, value_name = "URL", conflicts_with_all = ["local", "loopback"])]
    server: Option<String>,
    /// Meet on this machine or the local network, whatever server is configured
    #[arg(long, conflicts_with = "loopback")]
    local: bool,
    /// Meet on this machine only: nothing leaves it
    #[arg(long)]
    loopback: bool,
    /// STUN servers, separated by commas; `none` for none [env: STUN_SERVERS]
    #[arg(long, value_name = "LIST")]
    stun: Option<String>,
}

#[derive(Debug, Args)]
struct OutputArgs {
    /// Say only what is needed
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Debug, Args)]
struct SignalArgs {
    /// Address to listen on, with or without a port [env: SIGNALING_SERVER_ADDR] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Port to listen on; 0 for any [env: SIGNALING_SERVER_PORT] [default: 8091]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    #[command(flatten)]
    output: OutputArgs,
}

fn parse_words(text: &str) -> Result<WordCount, String> {
    let count = text.parse().ok().and_then(WordCount::new);
    count.ok_or_else(|| format!("a number from {} to {}", WordCount::MIN, WordCount::MAX))
}

/// Runs the command line `arguments`, program name first, and returns the exit code.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way too, to stdout and with success.
            error.print().ok();
            return if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done };
        }
    };
    let environment = Environment::read();
    let (role, output) = match &cli.command {
        Command::Send(args) => (Role::Send, &args.output),
        Command::Recv(args) => (Role::Recv, &args.talk),
        Command::Signal(args) => (Role::Send, &args.output),
    };
    let reporter = Reporter::new(style(role, output, &environment));
    reporter.log_here();
    for warning in environment.warnings() {
        reporter.warning(warning);
    }
    let command = async {
        match cli.command {
            Command::Send(args) => run_send(args, &environment, &reporter).await,
            Command::Recv(args) => run_recv(args, &environment, &reporter).await,
            Command::Signal(args) => run_signal(args, &environment, &reporter).await,
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
    match result {
        Ok(finish) => finish.exit_code(),
        Err(error) => {
            let (sentence, cause, hint) = (error.to_string(), error.cause(), error.hint());
            let problem = Problem {
                sentence: &sentence,
                cause: cause.as_deref(),
                hint: hint.as_deref(),
                ..Problem::default()
            };
            reporter.failed(&problem);
            error.exit_code()
        }
    }
}

fn style(role: Role, output: &OutputArgs, environment: &Environment) -> Style {
    let verbosity = match (output.quiet, output.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let unless = |never| if never { Allowed::Never } else { Allowed::OnTerminal };
    let dumb = environment.dumb_terminal();
    Style { role, verbosity, colour: unless(dumb || environment.no_color()), motion: unless(dumb) }
}

async fn run_send(args: SendArgs, environment: &Environment, reporter: &Reporter) -> Result<Finish, Error> {
    let options = send::Options {
        paths: args.paths,
        meeting: meeting(&args.meeting, None, environment, reporter)?,
        stun: stun(&args.meeting, environment),
        words: args.words,
    };
    send::run(options, reporter, |_| ()).await
}

async fn run_recv(args: RecvArgs, environment: &Environment, reporter: &Reporter) -> Result<Finish, Error> {
    let typed = match args.code.is_empty() {
        false => args.code.join(" "),
        true => ask_code(reporter).await.ok_or(Error::NoCode)?,
    };
    let parsed = Code::parse(&typed)?;
    for mended in &parsed.mended {
        reporter.note(&format!("took `{}` for `{}`", mended.typed, mended.meant));
    }
    let options = recv::Options {
        code: parsed.code,
        meeting: meeting(&args.meeting, parsed.server.as_deref(), environment, reporter)?,
        stun: stun(&args.meeting, environment),
        folder: args.output,
        on_conflict: match args.conflict {
            ConflictArgs { overwrite: true, .. } => OnConflict::Overwrite,
            ConflictArgs { rename: true, .. } => OnConflict::Rename,
            ConflictArgs { skip: true, .. } => OnConflict::Skip,
            ConflictArgs { .. } => OnConflict::Refuse,
        },
        assume_yes: args.yes,
    };
    recv::run(options, reporter).await
}

/// Asks on a thread of its own, which nobody waits for if the process ends first.
async fn ask_code(reporter: &Reporter) -> Option<String> {
    let (sender, answer) = tokio::sync::oneshot::channel();
    let reporter = reporter.clone();
    std::thread::spawn(move || sender.send(reporter.ask_code()).ok());
    answer.await.ok().flatten()
}

async fn run_signal(
    args: SignalArgs,
    environment: &Environment,
    reporter: &Reporter,
) -> Result<Finish, Error> {
    let configured = environment.server_host().map(|(host, _)| host);
    let typed = args.listen.or(configured).unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
    let (host, port) = split_port(&typed);
    let port = args.port.or(port).or(environment.server_port()).unwrap_or(DEFAULT_PORT);
    signal::run(signal::Options { host, port }, reporter, |_| ()).await
}

/// `host:port`, `[v6]:port`, or a host alone.
fn split_port(typed: &str) -> (String, Option<u16>) {
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match typed.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (bare(host), Some(port)),
            Err(_) => (typed.to_owned(), None),
        },
        _ => (bare(typed), None),
    }
}

/// Where to meet: flags first, then the server in a pasted link, then the environment.
fn meeting(
    args: &MeetingArgs,
    linked: Option<&str>,
    environment: &Environment,
    reporter: &Reporter,
) -> Result<Meeting, Error> {
    if args.loopback {
        return Ok(Meeting::Here(Scope::Loopback));
    }
    if args.local {
        return Ok(Meeting::Here(Scope::Lan));
    }
    if let Some(url) = args.server.as_deref().or(linked) {
        return Ok(Meeting::Server(url.parse()?));
    }
    let Some((host, origin)) = environment.server_host() else {
        return Ok(Meeting::Here(Scope::Lan));
    };
    let bare_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    let host = if bare_v6 { format!("[{host}]") } else { host };
    let typed = match environment.server_port() {
        Some(port) if split_port(&host).1.is_none() && !host.contains("://") => format!("{host}:{port}"),
        _ => host,
    };
    let url: ServerUrl = typed.parse()?;
    if origin == Origin::EnvFile {
        reporter.server_from_env_file(&url.to_string());
    }
    Ok(Meeting::Server(url))
}

/// STUN servers to ask.
fn stun(args: &MeetingArgs, environment: &Environment) -> Vec<String> {
    let list = args.stun.clone().or(environment.stun_servers());
    let list = list.unwrap_or_else(|| DEFAULT_STUN_SERVERS.to_owned());
    let servers = list.split(',').map(str::trim).filter(|it| !it.is_empty() && *it != "none");
    servers.map(str::to_owned).collect()
}

/// STUN servers when nothing else is said, as in `.env.template`.
pub const DEFAULT_STUN_SERVERS: &str = "stun.l.google.com:19302,stun1.l.google.com:19302";

/// The text of `--help`, of p2pcp or one of its commands, for the test that compares it with the README.
pub fn help(command: Option<&str>) -> String {
    let mut cli = <Cli as clap::CommandFactory>::command();
    cli.build();
    match command.and_then(|name| cli.find_subcommand_mut(name)) {
        Some(command) => command.render_long_help().to_string(),
        None => cli.render_long_help().to_string(),
    }
}

//! What can be typed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::cli::code::{CodeArgs, parse_life};
use crate::cli::compress::CompressWhen;
use crate::cli::many::ManyArgs;
use crate::cli::pace::PaceArgs;
use crate::cli::selection::{RecvSelection, SendSelection};
use crate::cli::text::TextArgs;
use crate::cli::tools::Tool;
use crate::error::Error;
use crate::fs;
use crate::session::lasting::RECONNECT_FOR;
use crate::wire::lanes::MAX_LANES;
use crate::wire::path::RelPath;

/// Copies files from one machine to another, directly.
#[derive(Debug, Parser)]
#[command(name = "p2pcp", version = VERSION, about, long_about = None, after_help = FIRST_STEPS, after_long_help = EXIT_CODES)]
#[command(max_term_width = 100, disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The version, and in a clone of the repository its commit; see `build.rs`.
const VERSION: &str = env!("P2PCP_VERSION");

const FIRST_STEPS: &str = "\
Two terminals are enough to try it: `p2pcp send photos/` shows a code,
`p2pcp recv CODE` gets the files.";

const EXIT_CODES: &str = "\
Two terminals are enough to try it: `p2pcp send photos/` shows a code,
`p2pcp recv CODE` gets the files.

Exit codes: 0 done, 1 failed or not everything sent, 2 usage,
3 code wrong, used or unknown, 4 declined, 5 peer or network lost, 6 disk,
7 bytes changed, 8 some names were taken, 130 interrupted, 143 terminated.";

impl Cli {
    /// What is said when what was typed behind `send` makes no sense together.
    pub(super) fn no_send(kind: ErrorKind, why: &str) -> clap::Error {
        let mut command = Self::command();
        command.build();
        match command.find_subcommand_mut("send") {
            Some(send) => send.error(kind, why),
            None => command.error(kind, why),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show a code and send to whoever types it
    Send(SendArgs),
    /// Receive what somebody sends
    Recv(RecvArgs),
    /// Host the rendezvous for others
    Signal(SignalArgs),
    /// Check what works from here, and say what to change
    Doctor(DoctorArgs),
    /// List what interrupted transfers left in a folder, and remove it
    Clean(CleanArgs),
    #[command(flatten)]
    Tool(Tool),
}

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Files and folders; `-`, or nothing behind a pipe, for standard input
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Print what happens as lines of JSON on stdout; docs/json-events.md has their schema
    #[arg(long)]
    pub(super) json: bool,
    /// Name of what is read from standard input [default: stdin]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(super) name: Option<RelPath>,
    #[command(flatten)]
    pub(super) text: TextArgs,
    #[command(flatten)]
    pub(super) many: ManyArgs,
    #[command(flatten)]
    pub(super) code: CodeArgs,
    #[command(flatten)]
    pub(super) selection: SendSelection,
    /// When to compress what is sent
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = CompressWhen::Auto)]
    pub(super) compress: CompressWhen,
    #[command(flatten)]
    pub(super) meeting: MeetingArgs,
    #[command(flatten)]
    pub(super) pace: PaceArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(super) struct RecvArgs {
    /// The code that the sender shows; asked for when missing
    #[arg(value_name = "CODE", num_args = 0..)]
    pub(super) code: Vec<String>,
    /// Folder to receive into, or a new name for one file; `-` for standard output
    #[arg(short, long, value_name = "DIR|FILE", default_value = ".")]
    pub(super) output: PathBuf,
    /// Accept without being asked
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Start over: use nothing of what earlier interrupted transfers left
    #[arg(long)]
    pub(super) fresh: bool,
    /// Accept also what does not seem to fit the disk
    #[arg(long)]
    pub(super) force: bool,
    /// Keep no record of unfinished files; for measuring what it costs
    #[arg(long, hide = true)]
    pub(super) no_resume: bool,
    /// Print what happens as lines of JSON on stdout, and ask nobody; docs/json-events.md has their schema
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) selection: RecvSelection,
    #[command(flatten)]
    pub(super) conflict: ConflictArgs,
    /// Wait so long for a sender that has not come yet, like 90s, 10m or 2h
    #[arg(long, value_name = "TIME", value_parser = parse_life)]
    pub(super) wait: Option<Duration>,
    #[command(flatten)]
    pub(super) meeting: MeetingArgs,
    #[command(flatten)]
    pub(super) pace: PaceArgs,
    #[command(flatten)]
    pub(super) talk: OutputArgs,
}

/// Whether a received file can have the name that `--output` gives it, where that is no folder.
pub(super) fn check_output(path: &Path) -> Result<(), Error> {
    fs::file_name(path).map(drop).map_err(|why| Error::Setting {
        place: "--output".to_owned(),
        fault: format!("no file can be received as `{}`: {why}", path.display()),
        hint: "choose another name; one that ends in `/` is a folder's".to_owned(),
    })
}

/// What to do about a file whose name is taken; without any of these it is refused and stays as it is.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct ConflictArgs {
    /// Replace files whose names are taken
    #[arg(long)]
    pub(super) overwrite: bool,
    /// Replace files whose names are taken if the sender's are newer, and leave the others as they are
    #[arg(long)]
    pub(super) update: bool,
    /// Receive files whose names are taken as `name (1).ext`
    #[arg(long)]
    pub(super) rename: bool,
    /// Leave files whose names are taken as they are, and do not count that as a failure
    #[arg(long)]
    pub(super) skip: bool,
}

/// A week; whoever is away for longer starts again.
const MOST_RECONNECT_SECONDS: u64 = 604_800;

#[derive(Debug, Args)]
pub(super) struct MeetingArgs {
    /// Meet on this server [env: SIGNALING_SERVER_ADDR, SIGNALING_SERVER_PORT]
    #[arg(long, value_name = "URL", conflicts_with_all = ["local", "loopback"])]
    pub(super) server: Option<String>,
    /// Meet on this machine or the local network, whatever server is configured
    #[arg(long, conflicts_with = "loopback")]
    pub(super) local: bool,
    /// Meet on this machine only: nothing leaves it
    #[arg(long)]
    pub(super) loopback: bool,
    /// Show three words on both sides, to be compared by voice before anything is offered
    #[arg(long)]
    pub(super) verify: bool,
    /// STUN servers, separated by commas; `none` for none [env: STUN_SERVERS]
    #[arg(long, value_name = "LIST")]
    pub(super) stun: Option<String>,
    #[command(flatten)]
    pub(super) way: WayArgs,
    /// Connect through a relay only, so that the other side learns no address of this machine. Relays beside those
    /// of the server: [env: TURN_SERVERS]
    #[arg(long, conflicts_with_all = ["direct_only", "local", "loopback"])]
    pub(super) relay_only: bool,
    /// Connect directly or not at all: nothing goes through a relay
    #[arg(long)]
    pub(super) direct_only: bool,
    /// Use this network interface only; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "loopback")]
    pub(super) interface: Vec<String>,
    /// How long to look for the other side when the connection is lost
    #[arg(long, value_name = "SECONDS", default_value_t = RECONNECT_FOR.as_secs(), value_parser = clap::value_parser!(u64).range(..=MOST_RECONNECT_SECONDS))]
    pub(super) reconnect: u64,
    /// Most lanes of a connection, whatever seems best; for measuring
    #[arg(long, hide = true, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_LANES)))]
    pub(super) lanes: Option<u8>,
}

/// How servers are reached.
#[derive(Debug, Args)]
pub(super) struct WayArgs {
    /// Reach the server through this HTTP or SOCKS proxy; `none` for none [default: that of HTTPS_PROXY or ALL_PROXY,
    /// for servers on the internet that NO_PROXY does not list]
    #[arg(long, value_name = "URL")]
    pub(super) proxy: Option<String>,
    /// Believe the certificates in this PEM file too: an authority's, or the server's own [env: SIGNALING_TLS_CA]
    #[arg(long, value_name = "FILE")]
    pub(super) tls_ca: Option<PathBuf>,
}

#[derive(Debug, Default, Args)]
pub(super) struct OutputArgs {
    /// Say only what is needed
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more; twice for what helps to find a fault
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Whole lines only, as screen readers and logs want them: nothing is redrawn
    #[arg(long)]
    pub(super) plain: bool,
    /// When to colour
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    #[default]
    /// On a terminal, unless NO_COLOR or TERM=dumb is set; with CLICOLOR_FORCE everywhere
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

#[derive(Debug, Args)]
pub(super) struct SignalArgs {
    /// Address to listen on, with or without a port [env: SIGNALING_SERVER_ADDR] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// Port to listen on; 0 for any [env: SIGNALING_SERVER_PORT] [default: 8091]
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
    /// Speak TLS too, on the same port, with the certificate chain in this PEM file [env: SIGNALING_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM [env: SIGNALING_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub(super) tls_key: Option<PathBuf>,
    #[command(flatten)]
    pub(super) relay: RelayArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(super) struct RelayArgs {
    /// Neither STUN nor TURN: peers that have no path of their own find none
    #[arg(long)]
    pub(super) no_relay: bool,
    /// Second UDP port, by which peers see what their NAT does [default: the one after the first]
    #[arg(long, value_name = "PORT", conflicts_with = "no_relay")]
    pub(super) second_port: Option<u16>,
    /// Name or address that peers are told for STUN and TURN [default: the one by which they came]
    #[arg(long, value_name = "HOST", conflicts_with = "no_relay")]
    pub(super) public_host: Option<String>,
    /// Most that two peers may relay: a number of bytes, or with K, M, G or T behind it
    #[arg(long, value_name = "BYTES", default_value = "100G", value_parser = parse_bytes)]
    pub(super) relay_bytes: u64,
    /// Most that two peers may relay in a second, like 10M [default: no bound]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(super) relay_rate: Option<u64>,
}

/// `100G` and the like; K is a thousand.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 1_000),
        Some((at, 'M' | 'm')) => (&text[..at], 1_000_000),
        Some((at, 'G' | 'g')) => (&text[..at], 1_000_000_000),
        Some((at, 'T' | 't')) => (&text[..at], 1_000_000_000_000),
        _ => (text, 1),
    };
    let bytes = number.parse::<u64>().ok().and_then(|it| it.checked_mul(factor)).filter(|it| *it > 0);
    bytes.ok_or_else(|| "a number above 0, or one with K, M, G or T behind it, like 100G".to_owned())
}

/// A name without a folder.
/// What is read from standard input is called so unless `--name` says otherwise.
pub(super) fn unnamed() -> RelPath {
    RelPath::parse("stdin").expect("`stdin` is a name")
}

fn parse_name(text: &str) -> Result<RelPath, String> {
    match RelPath::parse(text) {
        Ok(name) if name.depth() == 0 => Ok(name),
        Ok(_) => Err("a name without a folder".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Debug, Args)]
pub(super) struct CleanArgs {
    /// The receive folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) folder: PathBuf,
    /// Remove without being asked
    #[arg(short, long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Check with this server [env: SIGNALING_SERVER_ADDR, SIGNALING_SERVER_PORT]
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// STUN servers, separated by commas; `none` for none [env: STUN_SERVERS]
    #[arg(long, value_name = "LIST")]
    pub(super) stun: Option<String>,
    #[command(flatten)]
    pub(super) way: WayArgs,
    /// Print one JSON document on stdout; docs/DOCTOR.md has its schema
    #[arg(long)]
    pub(super) json: bool,
    /// Send nothing to local networks; for tests, which leave them alone
    #[arg(long, hide = true)]
    pub(super) no_multicast: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

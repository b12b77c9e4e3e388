//! Settings that last: the config file, `P2PCP_…` variables, `.env`, flags, and which of them counts.

use p2pcp::error::ExitCode;

use crate::support::{Start, Work};

/// A folder with a config file.
fn with_config(text: &str) -> Work {
    let work = Work::new();
    work.tree("config").file("p2pcp/config.toml", text);
    work.tree("").file("a.txt", "a");
    work
}

/// What it prints, for a command that succeeds and prints.
fn printed(start: Start) -> String {
    let end = start.run();
    assert_eq!(end.number(), Some(0), "{}", end.stderr);
    end.stdout
}

/// Asserts that this fails as a mistake of the person's, with this in its one sentence and with a hint.
fn refused(start: Start, fault: &str) {
    let end = start.run().exits(ExitCode::Usage).says("\nhint: ");
    let error = end.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains(fault), "{error}");
}

/// The line of `config show` about a setting, its spaces made one.
fn shown(listing: &str, key: &str) -> String {
    let starts = |line: &&str| line.trim_start_matches("# ").starts_with(&format!("{key} ="));
    let line = listing.lines().find(starts).unwrap_or_else(|| panic!("no `{key}` in:\n{listing}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_flag_beats_a_variable_beats_env_beats_the_file() {
    let work = with_config("words = 3\nstun = 'c.example'\nreconnect = 7\nserver = 'c.example'\n");
    work.tree("").file(".env", "STUN_SERVERS=e.example\nSIGNALING_SERVER_ADDR=e.example\n");
    let config = work.path("config/p2pcp/config.toml");
    let start = work.p2pcp(&["config", "show", "send", "--words", "5", "x"]);
    let listing = printed(start.variable("P2PCP_SERVER", "v.example"));
    assert_eq!(shown(&listing, "words"), "words = 5 # --words");
    assert_eq!(shown(&listing, "server"), "server = \"v.example\" # P2PCP_SERVER");
    assert_eq!(shown(&listing, "stun"), "stun = \"e.example\" # STUN_SERVERS in .env");
    assert_eq!(shown(&listing, "reconnect"), format!("reconnect = 7 # `{}`, line 3", config.display()));
    assert_eq!(shown(&listing, "output"), "output = \".\" # default");
    assert_eq!(shown(&listing, "proxy"), "# proxy = # default");
}

#[test]
fn what_is_shown_hides_passwords() {
    let work = with_config("proxy = 'http://me:hidden@h:1'\n");
    let start = work.p2pcp(&["config", "show"]).variable("TURN_SERVERS", "turn:me:hidden@h,turn:h");
    let listing = printed(start);
    assert!(!listing.contains("hidden"), "{listing}");
    assert_eq!(shown(&listing, "turn_servers"), "turn_servers = \"turn:me:***@h,turn:h\" # TURN_SERVERS");
}

#[test]
fn the_files_words_are_in_the_code() {
    let work = with_config("words = 4\nloopback = true\n");
    let mut sender = work.p2pcp(&["send", "a.txt"]).spawn();
    assert_eq!(sender.code().split('-').count(), 5);
}

/// `--local` with a server configured, `--direct-only` where a relay is the habit: what was typed holds.
#[test]
fn what_was_typed_rules_out_what_was_configured() {
    let work = with_config("server = '127.0.0.1:1'\nrelay_only = true\nquiet = true\n");
    let mut sender = work.p2pcp(&["send", "--loopback", "--verbose", "a.txt"]).spawn();
    sender.code();
    sender.line("waiting for the other side");
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, fault) in [
        ("words = 4\nwrods = 3\n", ", line 2: there is no setting `wrods`"),
        ("words = 99\n", ", line 1: `99` does not fit: a number from 2 to 8"),
        ("words = \n", ", line 1: this is not TOML"),
        ("quiet = 'perhaps'\n", ", line 1: `perhaps` is neither `true` nor `false`"),
    ] {
        let work = with_config(text);
        refused(work.p2pcp(&["send", "--loopback", "a.txt"]), fault);
    }
    let work = with_config("");
    let start = work.p2pcp(&["send", "--loopback", "a.txt"]).variable("P2PCP_WORDS", "many");
    refused(start, "P2PCP_WORDS: `many` does not fit");
}

#[test]
fn a_file_without_end_is_not_read() {
    let work = with_config(&"# x\n".repeat(20_000));
    refused(work.p2pcp(&["send", "--loopback", "a.txt"]), "it is too large");
}

/// Help has to be there for whoever mends the file.
#[test]
fn a_broken_file_does_not_stop_help() {
    let work = with_config("!");
    for arguments in [&["--help"][..], &["send", "--help-all"], &["--version"], &["config", "path"]] {
        printed(work.p2pcp(arguments));
    }
}

#[test]
fn the_path_can_be_asked_for_and_chosen() {
    let work = with_config("words = 3\n");
    let path = printed(work.p2pcp(&["config", "path"]));
    assert_eq!(path.trim_end(), work.path("config/p2pcp/config.toml").to_str().unwrap());
    let none = printed(work.p2pcp(&["config", "show"]).variable("P2PCP_CONFIG", ""));
    assert_eq!(shown(&none, "words"), "words = 2 # default");
}

#[test]
fn colour_is_as_was_said() {
    for (arguments, variables, coloured) in [
        (&["--color", "always"][..], &[][..], true),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&[], &[("P2PCP_COLOR", "always")], true),
        (&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&[], &[], false),
    ] {
        let work = Work::new();
        let mut start = work.p2pcp(&["send", "--loopback", "missing"]).arguments(arguments);
        for (name, value) in variables {
            start = start.variable(name, value);
        }
        let end = start.run();
        assert_eq!(end.stderr.contains('\x1b'), coloured, "{arguments:?} {variables:?}: {}", end.stderr);
    }
}

#[test]
fn plain_draws_nothing_on_a_terminal() {
    let work = Work::new();
    work.tree("").file("a.txt", "a");
    let mut sender = work.send(&["a.txt"]);
    let code = sender.code();
    let arguments = format!("recv --loopback --yes --plain -o to {code}");
    let Some(receiver) = work.at_a_terminal(&arguments) else { return };
    let end = receiver.end();
    assert!(end.stdout.contains("received 1 file"), "{}", end.stdout);
    assert!(!end.stdout.contains('\x1b') && !end.stdout.contains('━'), "{}", end.stdout);
}

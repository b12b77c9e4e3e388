//! What is written beside the code agrees with it: README, CHANGELOG, `.env.template`, `.ci/run`, `--help`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use p2pcp::cli::{self, DEFAULT_STUN_SERVERS};
use p2pcp::error::ExitCode;
use p2pcp::wire::signaling::DEFAULT_PORT;

use crate::support::{Work, skip};

const COMMANDS: [Option<&str>; 7] =
    [None, Some("send"), Some("recv"), Some("signal"), Some("doctor"), Some("completions"), Some("man")];

/// A file of the repository.
fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The `--options` in a text.
fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-');
    let long =
        words.filter(|word| word.strip_prefix("--").is_some_and(|it| it.starts_with(char::is_alphabetic)));
    long.map(str::to_owned).collect()
}

/// The names that look like those of environment variables, with an underscore.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    words.filter(|word| word.contains('_') && word.len() > 3).map(str::to_owned).collect()
}

/// Lines inside the fences of a Markdown text, and the fence's language.
fn fenced(text: &str) -> Vec<(&str, &str)> {
    let mut language = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        language = match (line.strip_prefix("```"), language) {
            (Some(opens), None) => Some(opens.trim()),
            (Some(_), Some(_)) => None,
            (None, inside) => {
                lines.extend(inside.map(|language| (language, line)));
                inside
            }
        };
    }
    lines
}

/// The p2pcp commands that the README shows, each without its comment.
fn shown_commands(readme: &str) -> Vec<String> {
    let fenced = fenced(readme);
    let in_fences = fenced.iter().map(|(_, line)| line.trim_start_matches("$ "));
    let in_sentences = readme.split('`').skip(1).step_by(2);
    let commands = in_fences.chain(in_sentences).filter(|line| line.starts_with("p2pcp "));
    // Neither comments nor what a pipe leads to.
    let alone = |line: &str| {
        line.split(" #").next().and_then(|it| it.split(" | ").next()).map(str::trim).map(str::to_owned)
    };
    commands.filter_map(alone).collect()
}

#[test]
fn the_readme_or_the_manual_explains_every_option() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MANUAL.md"));
    let explained = options(&(text("README.md") + &manual.unwrap_or_default()));
    for command in COMMANDS {
        for option in options(&cli::help(command)) {
            assert!(explained.contains(&option), "`{option}` of {command:?} is explained nowhere");
        }
    }
}

#[test]
fn every_option_in_the_readme_exists() {
    let real: BTreeSet<String> = COMMANDS.iter().flat_map(|command| options(&cli::help(*command))).collect();
    // Lines about cargo and jq speak of their options.
    let readme = text("README.md");
    let ours: Vec<&str> = readme.lines().filter(|it| !it.contains("cargo ") && !it.contains("jq ")).collect();
    for option in options(&ours.join("\n")) {
        assert!(real.contains(&option), "README.md tells of `{option}`, which no command has");
    }
}

/// With `--help` at its end a command is parsed and not run.
#[test]
fn every_command_in_the_readme_is_understood() {
    let commands = shown_commands(&text("README.md"));
    assert!(commands.len() >= 6, "{commands:?}");
    let work = Work::new();
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().skip(1).chain(["--help"]).collect();
        let end = work.p2pcp(&arguments).run();
        assert_eq!(end.number(), Some(0), "README.md shows `{command}`:\n{}", end.stderr);
    }
}

/// Lines of the README's first session, up to their first number, are lines that p2pcp really says.
#[test]
fn the_first_session_in_the_readme_is_a_real_one() {
    let work = Work::new();
    work.tree("photos").file("a.jpg", "picture").file("best/b.jpg", "another");
    let mut sender = work.send(&["photos/"]);
    let Some(mut receiver) = work.at_a_terminal(&format!("recv --loopback {}", sender.code())) else {
        return skip("the_first_session_in_the_readme_is_a_real_one", "there is no `script`");
    };
    receiver.shows("[y/N, c to choose] ");
    receiver.type_in("n\n");
    // The last lines of a transfer are the tests' of `transfer`; declining makes no folder.
    let said = sender.end().stderr + &receiver.end().stdout;
    let said = said.replace("recv --loopback", "recv").replace("direct on this machine", "direct over LAN, ");
    let readme = text("README.md");
    let session = fenced(&readme).into_iter().filter(|(language, _)| *language == "console");
    let mut compared = 0;
    for (_, line) in session {
        let start = line.split(|c: char| c.is_ascii_digit()).next().unwrap_or(line);
        let start = start.trim_end_matches(" y").trim_end_matches('(');
        if line.starts_with("$ ")
            || start.is_empty()
            || start.starts_with("received")
            || start.starts_with("sent")
        {
            continue;
        }
        assert!(said.contains(start), "README.md shows `{start}`, but p2pcp says:\n{said}");
        compared += 1;
    }
    assert!(compared >= 6, "README.md shows no session");
}

#[test]
fn the_readme_and_the_help_list_every_exit_code() {
    let readme = text("README.md");
    let help = cli::help(None);
    for (code, meaning) in ExitCode::ALL {
        let number = code.number().to_string();
        let row = readme.lines().find(|line| line.starts_with('|') && line.contains(meaning));
        let row = row.unwrap_or_else(|| panic!("README.md does not say what {number} means: `{meaning}`"));
        assert!(row.split(|c: char| !c.is_ascii_digit()).any(|it| it == number), "{number}: {row}");
        let told = help.split(|c: char| !c.is_ascii_digit()).any(|it| it == number);
        assert!(told, "`--help` does not tell of exit code {number}");
    }
}

#[test]
fn the_template_has_the_names_that_are_read_and_the_defaults() {
    let template = text(".env.template");
    let pairs: Vec<_> =
        template.lines().filter_map(|line| line.trim_start_matches("# ").split_once('=')).collect();
    let names: BTreeSet<String> = pairs.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut read: BTreeSet<String> =
        COMMANDS.iter().flat_map(|command| variables(&cli::help(*command))).collect();
    // Every program reads these, from its environment; `.env` must not lead our connections elsewhere.
    read.retain(|it| !it.ends_with("_PROXY") && !["NO_COLOR", "CLICOLOR_FORCE"].contains(&it.as_str()));
    assert_eq!(names, read, "`.env.template` and the `[env: …]` of `--help` differ");
    let value = |name: &str| pairs.iter().find(|(it, _)| *it == name).map(|(_, value)| *value);
    assert_eq!(value("STUN_SERVERS"), Some(DEFAULT_STUN_SERVERS));
    assert_eq!(value("SIGNALING_SERVER_PORT"), Some(DEFAULT_PORT.to_string().as_str()));
    let readme = text("README.md");
    for name in names {
        assert!(readme.contains(&name), "README.md does not tell of {name}");
    }
}

/// As the file `.env`, the template is understood line by line.
#[test]
fn the_template_can_be_used_as_it_is() {
    let work = Work::new();
    work.tree("").file(".env", text(".env.template"));
    let end = work.p2pcp(&["recv", "--loopback"]).run();
    end.fails(ExitCode::Usage, "no code was given").says_not("warning:");
}

#[test]
fn the_changelog_tells_of_this_version() {
    let heading = format!("## [{}]", env!("CARGO_PKG_VERSION"));
    let bare = format!("## {}", env!("CARGO_PKG_VERSION"));
    let told = text("CHANGELOG.md").lines().any(|line| line.starts_with(&heading) || line.starts_with(&bare));
    assert!(told, "CHANGELOG.md has no heading `{heading}`");
}

#[test]
fn the_readmes_two_commands_are_those_of_the_check() {
    let readme = text("README.md");
    let check = text(".ci/run");
    let commands: Vec<&str> =
        fenced(&readme).iter().map(|(_, line)| *line).filter(|line| line.starts_with("cargo ")).collect();
    let [main_job, tests, ..] = commands[..] else { panic!("README.md shows {commands:?}") };
    assert!(tests.starts_with("cargo test"), "{tests}");
    assert!(check.lines().any(|line| line == tests), "`.ci/run` does not run `{tests}`");
    let example = main_job.rsplit_once("--example ").map(|(_, name)| name).unwrap();
    let runs = |line: &str| line.starts_with("cargo run") && line.ends_with(&format!("--example {example}"));
    assert!(check.lines().any(runs), "`.ci/run` does not run `{main_job}`");
    assert!(!text(&format!("examples/{example}.rs")).is_empty());
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "docs/PROTOCOL.md",
        "docs/COMPARISON.md",
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let folder = folder.parent().unwrap();
        for link in text(document).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            let elsewhere = target.is_empty() || target.contains("://");
            assert!(elsewhere || folder.join(target).exists(), "{document} links to `{target}`");
        }
    }
}

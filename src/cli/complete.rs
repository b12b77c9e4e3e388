//! `p2pcp completions`, and `p2pcp complete-code`, which the scripts ask for the codes that may be meant.

use std::collections::HashSet;

use clap_complete::{Shell, generate};

use crate::cli::options;
use crate::cli::tools::{CompleteCodeArgs, CompletionsArgs, ShellName};
use crate::code::words;
use crate::error::{Error, Finish};
use crate::lan::{Neighbours, Scope};
use crate::ui::Reporter;
use crate::wire::signaling::Nameplate;

/// Longest beginning of a code that is completed, in bytes; longer than any code.
const MOST_TYPED: usize = 128;

/// Prints the script for a shell.
pub(super) fn script(args: &CompletionsArgs, reporter: &Reporter) -> Result<Finish, Error> {
    reporter.data(text(args.shell).as_bytes()).map_err(Error::Document)?;
    Ok(Finish::Done)
}

fn text(shell: ShellName) -> String {
    let mut bytes = Vec::new();
    let generator = match shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
        ShellName::Powershell => Shell::PowerShell,
    };
    generate(generator, &mut options::command(), "p2pcp", &mut bytes);
    let script = without_hidden(&String::from_utf8_lossy(&bytes));
    match shell {
        ShellName::Bash => script + BASH,
        ShellName::Fish => script + FISH,
        ShellName::Zsh => with_codes(&script),
        // There is no hook that can be put behind the generated script.
        ShellName::Powershell => script,
    }
}

/// Replaces the completion of `recv`, where a code is wanted.
const BASH: &str = r#"
_p2pcp_with_codes() {
    local word="${COMP_WORDS[COMP_CWORD]}"
    if [[ "${COMP_WORDS[1]}" == recv && "$word" =~ ^([0-9]+(-[a-z-]*)?)?$ ]]; then
        local IFS=$'\n'
        COMPREPLY=($(p2pcp complete-code -- "$word" 2>/dev/null))
        compopt -o nospace 2>/dev/null
    else
        _p2pcp "$@"
    fi
}
complete -F _p2pcp_with_codes -o bashdefault -o default p2pcp
"#;

const FISH: &str = r#"
complete -c p2pcp -n "__fish_p2pcp_using_subcommand recv" -f -a "(p2pcp complete-code -- (commandline -ct) 2>/dev/null)"
"#;

const ZSH: &str = r#"
_p2pcp_codes() {
    local -a codes
    codes=(${(f)"$(p2pcp complete-code -- "$PREFIX" 2>/dev/null)"})
    compadd -S '' -a codes
}
"#;

/// How the generated zsh script describes the value of `recv`.
const ZSH_VALUE: &str = "'*::code -- ";

/// The generated zsh function, whose script ends by calling it: what it needs has to stand before.
const ZSH_FUNCTION: &str = "\n_p2pcp() {";

/// The zsh script, with our function where a code is wanted.
fn with_codes(script: &str) -> String {
    let line = |line: &str| match line.trim_start().starts_with(ZSH_VALUE) {
        true => line.replace(":_default'", ":_p2pcp_codes'"),
        false => line.to_owned(),
    };
    let script: String = script.lines().map(|it| line(it) + "\n").collect();
    script.replacen(ZSH_FUNCTION, &format!("{ZSH}{ZSH_FUNCTION}"), 1)
}

/// The script without the command that only scripts call; what is generated names hidden commands, too.
fn without_hidden(script: &str) -> String {
    let is_listed =
        |line: &&str| !line.starts_with("'complete-code:") && !line.contains("-a \"complete-code\"");
    let line = |line: &str| match line.trim_start().starts_with("opts=") {
        true => line.replace(" complete-code ", " ") + "\n",
        false => line.to_owned() + "\n",
    };
    script.lines().filter(is_listed).map(line).collect()
}

/// Prints what a beginning of a code may become, a line each: nameplates of senders on this network, then words.
pub(super) async fn codes(args: CompleteCodeArgs, reporter: &Reporter) -> Result<Finish, Error> {
    let typed = args.typed.unwrap_or_default();
    let wants_number = typed.bytes().all(|byte| byte.is_ascii_digit());
    let scope = if wants_number && !args.no_multicast { Scope::Lan } else { Scope::Loopback };
    // Takes 200 ms where somebody is there, 1.3 s where not, and nothing with `Scope::Loopback`.
    let heard = Neighbours::listen(scope).nameplates_or_wait().await;
    let lines: String = candidates(&typed, &heard).iter().map(|it| format!("{it}\n")).collect();
    reporter.data(lines.as_bytes()).map_err(Error::Document)?;
    Ok(Finish::Done)
}

/// Whole words of a shell, sorted, that begin with `typed`.
fn candidates(typed: &str, heard: &HashSet<Nameplate>) -> Vec<String> {
    if typed.len() > MOST_TYPED {
        return Vec::new();
    }
    if typed.bytes().all(|byte| byte.is_ascii_digit()) {
        let mut numbers: Vec<String> = heard.iter().map(|it| format!("{it}-")).collect();
        numbers.retain(|it| it.starts_with(typed));
        numbers.sort();
        return numbers;
    }
    // `417-aloe-tu`, or with words of their own `417 aloe tu`.
    let at = typed.rfind('-').map_or(0, |at| at + 1);
    let (before, start) = typed.split_at(at);
    let known = before.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let words = if known { words::completions(start) } else { &[] };
    words.iter().map(|word| format!("{before}{word}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(numbers: &[u32]) -> HashSet<Nameplate> {
        numbers.iter().filter_map(|it| Nameplate::new(*it)).collect()
    }

    #[test]
    fn a_number_is_completed_by_what_is_heard() {
        let heard = heard(&[417, 423, 520]);
        assert_eq!(candidates("", &heard), ["417-", "423-", "520-"]);
        assert_eq!(candidates("41", &heard), ["417-"]);
        assert!(candidates("9", &heard).is_empty());
    }

    #[test]
    fn a_word_is_completed_behind_what_is_there() {
        let none = heard(&[]);
        assert_eq!(candidates("417-alo", &none), ["417-aloe"]);
        assert_eq!(candidates("417-aloe-tub", &none), ["417-aloe-tuba"]);
        assert_eq!(candidates("tub", &none), ["tuba"]);
        assert!(candidates("417-zzz", &none).is_empty());
        assert_eq!(candidates("417-", &none).len(), words::COUNT);
    }

    #[test]
    fn nothing_but_codes_is_completed() {
        for typed in ["$(x)-al", "../al", &"9-".repeat(100), "417-al'"] {
            assert!(candidates(typed, &heard(&[417])).is_empty(), "{typed}");
        }
    }

    #[test]
    fn what_only_scripts_call_is_not_offered() {
        for (shell, lists) in [
            (ShellName::Bash, "opts=\""),
            (ShellName::Zsh, "'complete-code:"),
            (ShellName::Fish, "-a \"complete-code"),
        ] {
            let is_listed = |it: &str| it.contains(lists) && it.contains("complete-code");
            assert!(!text(shell).lines().any(is_listed), "{shell:?}");
        }
    }

    #[test]
    fn scripts_ask_for_codes() {
        for shell in [ShellName::Bash, ShellName::Zsh, ShellName::Fish] {
            assert!(text(shell).contains("p2pcp complete-code -- "), "{shell:?}");
        }
        let zsh = text(ShellName::Zsh);
        assert!(zsh.contains(":_p2pcp_codes'"), "the generated script has changed");
        // Loaded from a file of its own it calls itself at its end.
        assert!(zsh.find("\n_p2pcp_codes() {").unwrap() < zsh.find("\n_p2pcp() {").unwrap());
        assert!(text(ShellName::Powershell).contains("Register-ArgumentCompleter"));
    }
}

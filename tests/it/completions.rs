//! The completion scripts, in a shell that is there; and what they ask p2pcp for.

use std::path::Path;

use crate::support::{Start, Work, program, skip};

/// What bash offers behind `p2pcp`, these words, and a word that is being typed.
fn offered(work: &Work, bash: &str, words: &[&str]) -> Option<String> {
    let script = work.p2pcp(&["completions", "bash"]).run().stdout;
    let typed = words.iter().map(|it| format!("'{it}'")).collect::<Vec<_>>().join(" ");
    let ask = format!(
        "COMP_WORDS=(p2pcp {typed}); COMP_CWORD={}; _p2pcp_with_codes p2pcp '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.len(),
        words.last()?,
        words.iter().rev().nth(1).unwrap_or(&"p2pcp"),
    );
    work.tree("").file("ask.sh", format!("{script}\n{ask}\n"));
    let folder = Path::new(env!("CARGO_BIN_EXE_p2pcp")).parent()?.to_str()?;
    let end = Start::new(bash, &work.path("")).arguments(&["ask.sh"]).variable("PATH", folder).run();
    assert_eq!(end.number(), Some(0), "{}", end.stderr);
    Some(end.stdout)
}

#[test]
fn bash_completes_commands_options_and_codes() {
    let Some(bash) = program("bash") else {
        return skip("bash_completes_commands_options_and_codes", "there is no bash");
    };
    let work = Work::new();
    let offered = |words: &[&str]| offered(&work, &bash, words).unwrap();
    assert_eq!(offered(&["cl"]), "clean\n");
    assert!(offered(&["recv", "--ren"]).contains("--rename\n"));
    assert_eq!(offered(&["recv", "417-alo"]), "417-aloe\n");
    assert_eq!(offered(&["recv", "--yes", "417-aloe-tub"]), "417-aloe-tuba\n");
}

#[test]
fn codes_are_completed_by_words() {
    let work = Work::new();
    for (typed, told) in [("417-alo", "417-aloe\n"), ("tub", "tuba\n"), ("417-zzz", ""), ("-x", "")] {
        let end = work.p2pcp(&["complete-code", "--no-multicast", "--", typed]).run();
        assert_eq!((end.number(), end.stdout.as_str()), (Some(0), told), "{typed}");
    }
}

#[test]
fn every_page_is_written() {
    let work = Work::new();
    work.tree("").folder("pages");
    assert_eq!(work.p2pcp(&["man", "--dir", "pages"]).run().number(), Some(0));
    for page in ["p2pcp.1", "p2pcp-send.1", "p2pcp-recv.1", "p2pcp-signal.1", "p2pcp-config.1"] {
        let text = std::fs::read_to_string(work.path("pages").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}

//! `--json`: lines that a program can rely on, of the schema and with the kinds that `docs/json-events.md` has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use p2pcp::Event;
use p2pcp::error::ExitCode;
use serde_json::Value;

use crate::support::process::{End, Running};
use crate::support::schema::faults;
use crate::support::{Work, program, skip, until};

/// More than a disk has free.
const HUGE: u64 = 8 << 40;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// A line as an event; it must be what the schema says, and have no field that the schema does not know.
pub fn checked(line: &str) -> Value {
    let schema: Value = serde_json::from_str(&read("docs/json-events.schema.json")).unwrap();
    let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let found = faults(&schema, &schema, &event, "event");
    assert!(found.is_empty(), "{line}\n{found:?}");
    let kind = event["event"].as_str().unwrap();
    let known = schema["$defs"][format!("event_{kind}")]["properties"].as_object();
    let known = known.unwrap_or_else(|| panic!("the schema has no `{kind}`"));
    for field in event.as_object().unwrap().keys() {
        assert!(
            ["v", "receiver", "event"].contains(&field.as_str()) || known.contains_key(field),
            "`{field}` in {line}"
        );
    }
    event
}

fn events(stdout: &str) -> Vec<Value> {
    stdout.lines().map(checked).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|it| it["event"].as_str().unwrap()).collect()
}

/// The code, from a line on stdout.
fn code(sender: &Running) -> String {
    until("a code", || {
        let stdout = sender.stdout();
        let lines = stdout.split_inclusive('\n').filter(|it| it.ends_with('\n'));
        let event = lines.map(checked).find(|it| it["event"] == "code")?;
        Some(event["code"].as_str().unwrap().to_owned())
    })
}

/// The events of a process that ended, the last of which has its exit code.
fn judged(end: &End, code: ExitCode) -> Vec<Value> {
    let all = events(&end.stdout);
    let last = all.last().expect("at least one event");
    assert_eq!(end.number(), Some(code.number().into()), "{}{}", end.stdout, end.stderr);
    assert_eq!(last["exit_code"], code.number(), "{last}");
    assert_eq!(end.stderr, "", "words for people");
    all
}

#[test]
fn every_kind_of_event_is_in_the_document_and_the_schema() {
    let document = read("docs/json-events.md");
    let sections: Vec<_> =
        document.lines().filter_map(|it| it.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert_eq!(sections.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from(Event::NAMES));
    let schema: Value = serde_json::from_str(&read("docs/json-events.schema.json")).unwrap();
    let defined = schema["$defs"].as_object().unwrap().keys().filter_map(|it| it.strip_prefix("event_"));
    assert_eq!(defined.collect::<BTreeSet<_>>(), BTreeSet::from(Event::NAMES));
    let examples: Vec<_> = document.lines().filter(|it| it.starts_with("{\"v\"")).map(checked).collect();
    assert_eq!(kinds(&examples).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(Event::NAMES));
}

#[test]
fn a_transfer_tells_programs_what_happens_on_both_sides() {
    let work = Work::new();
    work.tree("photos").file("a.jpg", [7; 300_000]).file("b/c.jpg", "12345").link("gone", "/nowhere");
    let sender = work.p2pcp(&["send", "--json", "--loopback", "photos"]).spawn();
    let code = code(&sender);
    let receiver = work.p2pcp(&["recv", "--json", "--yes", "--loopback", "--output", "to", &code]).run();
    let sender = sender.end();
    let received = judged(&receiver, ExitCode::Failed);
    let sent = judged(&sender, ExitCode::Failed);

    let has_in_order = |all: &[Value], expected: &[&str]| {
        let kinds = kinds(all);
        let mut rest = kinds.iter();
        for kind in expected {
            assert!(rest.any(|it| it == kind), "no `{kind}` in its place in {kinds:?}");
        }
    };
    has_in_order(
        &sent,
        &["sending", "rendezvous", "code", "waiting", "path", "consent", "entry", "finishing", "finished"],
    );
    has_in_order(&received, &["searching", "path", "offered", "consent", "entry", "finishing", "finished"]);
    assert!(kinds(&sent).contains(&"skipped"), "a link that leads elsewhere");
    let entries = |all: &[Value]| {
        let entries = all.iter().filter(|it| it["event"] == "entry" && it["file"] == true);
        entries.map(|it| it["path"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let expected = BTreeSet::from(["photos/a.jpg".to_owned(), "photos/b/c.jpg".to_owned()]);
    assert_eq!((entries(&sent), entries(&received)), (expected.clone(), expected));
    let last = received.last().unwrap();
    assert_eq!((last["files"].as_u64(), last["bytes"].as_u64()), (Some(2), Some(300_005)));
}

/// Lines of several receivers come between each other; the number tells whose they are.
#[test]
fn of_several_receivers_each_line_says_which() {
    let work = Work::new();
    fs::write(work.path("a.txt"), "abc").unwrap();
    let sender = work.p2pcp(&["send", "--json", "--loopback", "--to", "2", "a.txt"]).spawn();
    let code = |receiver: u32| {
        until("a code", || {
            let stdout = sender.stdout();
            let lines = stdout.split_inclusive('\n').filter(|it| it.ends_with('\n')).map(checked);
            let event = lines.into_iter().find(|it| it["event"] == "code" && it["receiver"] == receiver)?;
            Some(event["code"].as_str().unwrap().to_owned())
        })
    };
    let codes = [code(1), code(2)];
    let second = work.p2pcp(&["recv", "--json", "--loopback", "--output", "to2", &codes[1]]).run();
    judged(&second, ExitCode::Declined);
    let first = work.p2pcp(&["recv", "--json", "--yes", "--loopback", "--output", "to1", &codes[0]]).run();
    judged(&first, ExitCode::Done);
    let mut sent = judged(&sender.end(), ExitCode::Declined);
    let served = sent.pop().unwrap();
    assert_eq!((&served["event"], &served["receiver"]), (&Value::from("served"), &Value::Null));
    assert_eq!(
        (&served["receivers"], &served["complete"], &served["declined"]),
        (&2.into(), &1.into(), &1.into())
    );
    let last = |receiver: u32| sent.iter().rfind(|it| it["receiver"] == receiver).unwrap();
    assert_eq!((&last(1)["event"], &last(2)["event"]), (&"finished".into(), &"failed".into()));
    assert!(sent.iter().all(|it| it["receiver"].is_u64()));
}

/// A program is not asked, and nobody is asked in its place.
#[test]
fn without_yes_a_program_declines() {
    let work = Work::new();
    fs::write(work.path("a.txt"), "abc").unwrap();
    let sender = work.p2pcp(&["send", "--json", "--loopback", "a.txt"]).spawn();
    let receiver = work.p2pcp(&["recv", "--json", "--loopback", "--output", "to", &code(&sender)]).run();
    let received = judged(&receiver, ExitCode::Declined);
    let asked = received.iter().find(|it| it["event"] == "offered").unwrap();
    let answered = received.iter().find(|it| it["event"] == "consent").unwrap();
    assert_eq!((&asked["asks"], &answered["answer"]), (&Value::from(true), &Value::from("unattended")));
    let sent = judged(&sender.end(), ExitCode::Declined);
    assert!(!kinds(&sent).contains(&"consent"));
}

/// What a person sees before the answer, a program sees in the offer.
#[test]
fn the_offer_tells_what_it_meets_here() {
    let work = Work::new();
    work.tree("from").file(".profile", "theirs").file("a.txt", "abc");
    work.tree("to").file("a.txt", "mine");
    let sender = work.p2pcp(&["send", "--json", "--loopback", "from/.profile", "from/a.txt"]).spawn();
    let arguments = ["recv", "--json", "--yes", "--loopback", "--output", "to", &code(&sender)];
    let received = judged(&work.p2pcp(&arguments).run(), ExitCode::Refused);
    let preview = &received.iter().find(|it| it["event"] == "offered").unwrap()["preview"];
    assert_eq!(preview["taken"], serde_json::json!(["a.txt"]));
    assert_eq!(preview["hidden"], serde_json::json!([".profile"]));
    assert_eq!((&preview["needed_bytes"], &preview["complete"]), (&Value::from(9), &Value::from(true)));
    assert!(preview["free_bytes"].is_u64() && preview["lacking_bytes"].is_null(), "{preview}");
    sender.end();
}

/// With `--only` what is chosen has to fit, and not the offer.
#[test]
fn what_is_chosen_has_to_fit_the_disk() {
    let work = Work::new();
    work.tree("from").file("small", "abc");
    let huge = fs::File::create(work.path("from/huge")).and_then(|it| it.set_len(HUGE));
    if huge.is_err() {
        return skip("what_is_chosen_has_to_fit_the_disk", "files here cannot have holes of 8 TiB");
    }
    let receive = |options: &[&str], end: ExitCode| {
        let sender = work.p2pcp(&["send", "--json", "--loopback", "from"]).spawn();
        let code = code(&sender);
        let arguments = [&["recv", "--json", "--loopback", "--output", "to", &code], options].concat();
        let received = judged(&work.p2pcp(&arguments).run(), end);
        sender.end();
        received.into_iter().find(|it| it["event"] == "offered").unwrap()["preview"].clone()
    };
    assert!(receive(&["--yes"], ExitCode::Disk)["lacking_bytes"].is_u64());
    assert!(receive(&["--yes", "--only", "hu*"], ExitCode::Disk)["lacking_bytes"].is_u64());
    assert!(receive(&[], ExitCode::Disk)["lacking_bytes"].is_u64(), "nobody is there to choose less");
    assert!(!work.path("to").exists(), "nothing flowed");
    let preview = receive(&["--yes", "--only", "small"], ExitCode::Done);
    assert_eq!((&preview["needed_bytes"], &preview["lacking_bytes"]), (&Value::from(3), &Value::Null));
    assert!(work.path("to/from/small").exists() && !work.path("to/from/huge").exists());
}

#[test]
fn failures_before_a_transfer_are_events_too() {
    let work = Work::new();
    for (arguments, code) in [
        (&["send", "--json", "--loopback", "missing.txt"][..], ExitCode::Failed),
        (&["recv", "--json", "--loopback"], ExitCode::Usage),
        (&["recv", "--json", "--loopback", "417-no"], ExitCode::Code),
    ] {
        let all = judged(&work.p2pcp(arguments).run(), code);
        assert_eq!(kinds(&all), ["failed"], "{arguments:?}");
        assert!(all[0]["hint"].is_string(), "{arguments:?}");
    }
}

/// The words for people are there when both are wanted.
#[test]
fn verbose_says_it_to_people_too() {
    let work = Work::new();
    let end = work.p2pcp(&["send", "--json", "--verbose", "--loopback", "missing.txt"]).run();
    assert_eq!(kinds(&events(&end.stdout)), ["failed"]);
    assert!(end.stderr.contains("error: `missing.txt` does not exist"), "{}", end.stderr);
}

#[test]
fn what_could_change_a_terminal_is_escaped_and_still_the_same_text() {
    let text = "x\u{1b}[2J\r\n\u{202e}gpj\u{9b}1m\u{7f}\u{2028}".to_owned();
    let line = Event::Warning { text: text.clone() }.line();
    assert!(!line.contains(p2pcp::wire::path::is_unsafe_to_show), "{line}");
    assert_eq!(checked(&line)["text"], text);
}

/// What the README shows of scripts, with nothing changed but where the two are.
#[test]
fn the_nightly_backup_arrives_and_comes_again_for_what_changed() {
    let test = "the_nightly_backup_arrives_and_comes_again_for_what_changed";
    let (Some(bash), Some(_)) = (program("bash"), program("jq")) else {
        return skip(test, "there is no bash or no jq");
    };
    let work = Work::new();
    work.tree("home").file("letters/one", [1; 1000]).file("two", [2; 70_000]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/nightly-backup.sh");
    let folder = Path::new(env!("CARGO_BIN_EXE_p2pcp")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let run = |path_sent: &str| {
        let start = crate::support::Start::new(&bash, &work.path("."));
        let start = start.arguments(&[script.to_str().unwrap(), "here:to", "--loopback", path_sent]);
        let receive = "p2pcp recv --loopback --quiet --yes --overwrite --output to";
        start.variable("PATH", &path).variable("RECEIVE", receive).run()
    };
    let first = run("home");
    assert_eq!((first.number(), first.stderr.as_str()), (Some(0), ""), "{}", first.stdout);
    assert_eq!(first.stdout, "backup of 2 files done, 71000 bytes went over the network\n");
    fs::write(work.path("home/letters/one"), "changed").unwrap();
    let second = run("home");
    assert_eq!(second.stdout, "backup of 2 files done, 7 bytes went over the network\n", "{}", second.stderr);
    assert_eq!(fs::read(work.path("to/home/letters/one")).unwrap(), b"changed");
    let third = run("nothing-here");
    assert_eq!(third.number(), Some(1));
    assert!(third.stderr.contains("backup failed: `nothing-here` does not exist; check"), "{}", third.stderr);
}

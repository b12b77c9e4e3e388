//! What a person reads: the reporter's exact output on a stderr that is no terminal.

use std::time::{Duration, Instant};

use crate::code::Code;
use crate::event::{Consent, Event, Preview, Progress};
use crate::fs::{Leftover, LeftoverState};
use crate::session::Summary;
use crate::transport::{self, Because, Way};
use crate::ui::testing::Captured;
use crate::ui::{Allowed, Problem, Reporter, Role, Style, Verbosity};
use crate::wire::path::{RelPath, is_unsafe_to_show};
use crate::wire::peer::{Offer, OfferItem, Outcome, SourceFault, Totals};

const HOSTILE: &str = "x\x1b[2J\r\n\u{202e}gpj\u{9b}1m\u{7f}\u{2028}";

/// What a reporter prints while `talk` goes on.
fn said(role: Role, verbosity: Verbosity, talk: impl FnOnce(&Reporter)) -> String {
    let captured = Captured::default();
    let style = Style { role, verbosity, colour: Allowed::OnTerminal, motion: Allowed::OnTerminal };
    talk(&Reporter::with_sink(style, Box::new(captured.clone())));
    captured.text()
}

fn way(way: Way) -> transport::Path {
    transport::Path::new(way, [192, 168, 1, 7].into())
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn file(name: &str, size: u64) -> OfferItem {
    OfferItem { name: path(name), folder: false, size }
}

fn folder(name: &str) -> OfferItem {
    OfferItem { name: path(name), folder: true, size: 0 }
}

fn totals(files: u64, folders: u64, bytes: u64) -> Totals {
    Totals { files, folders, links: 0, bytes, complete: true }
}

fn settled(name: &str, outcome: Outcome) -> Event {
    Event::Entry { path: path(name), outcome, file: true }
}

#[test]
fn each_way_to_the_other_side_has_its_sentence() {
    let relayed = |because| Way::Relayed { by: "relay.example.org".to_owned(), because };
    for (kind, text) in [
        (Way::Unknown, "direct, 192.168.1.7"),
        (Way::ThisMachine, "direct on this machine"),
        (Way::Lan, "direct over LAN, 192.168.1.7"),
        (Way::Ipv6, "direct over IPv6, 192.168.1.7"),
        (Way::Open, "direct over IPv4, 192.168.1.7"),
        (Way::OneNat, "direct through a NAT, 192.168.1.7"),
        (Way::BothNats, "direct through both NATs, 192.168.1.7"),
        (relayed(Because::RelayOnlyHere), "because of --relay-only"),
        (relayed(Because::RelayOnlyThere), "because the other side tells no address of its own"),
        (relayed(Because::UdpBlockedHere), "because UDP is blocked here"),
        (relayed(Because::UdpBlockedThere), "because UDP is blocked on the other side"),
        (relayed(Because::SymmetricBoth), "because both sides have a symmetric NAT"),
        (relayed(Because::SymmetricHere), "because this side has a symmetric NAT"),
        (relayed(Because::SymmetricThere), "because the other side has a symmetric NAT"),
        (relayed(Because::NoDirectPath), "because no direct path worked"),
    ] {
        let by = if matches!(kind, Way::Relayed { .. }) { "relayed by relay.example.org " } else { "" };
        let line = said(Role::Send, Verbosity::Normal, |it| it.connected(&way(kind)));
        assert_eq!(line, format!("connected: {by}{text}\n"));
    }
}

#[test]
fn the_sender_reads_what_is_sent_and_what_to_type() {
    let items = [folder("photos"), file("a.txt", 1), file("b.txt", 2), file("c.txt", 3)];
    let text = said(Role::Send, Verbosity::Normal, |reporter| {
        reporter.server_from_env_file("ws://example.org:8091");
        reporter.sending(&items[..1], 0, &totals(1234, 1, 1_288_490_189));
        reporter.sending(&items[1..2], 0, &totals(1, 0, 17));
        reporter.sending(&items[..2], 0, &totals(2, 1, 17));
        reporter.sending(&items, 2, &Totals { complete: false, ..totals(9, 1, 2048) });
        reporter.code(&Code::parse("417-aloe-tuba").unwrap().code, "p2pcp recv 417-aloe-tuba");
        reporter.event(&Event::Waiting);
        reporter.wrong_guess(1);
        reporter.wrong_guess(0);
        reporter.connected(&way(Way::Lan));
        reporter.connected(&way(Way::Relayed { by: HOSTILE.to_owned(), because: Because::SymmetricBoth }));
        reporter.event(&Event::Consent { answer: Consent::Accepted });
    });
    assert_eq!(
        text,
        "using server ws://example.org:8091 (from .env)\n\
         sending photos/ (1,234 files, 1 folder, 1.2 GiB)\n\
         sending a.txt (17 B)\n\
         sending photos/ and a.txt (2 files, 1 folder, 17 B)\n\
         sending photos/, a.txt, b.txt and 3 more (at least 9 files, 1 folder, 2.0 KiB)\n\
         code: 417-aloe-tuba\n\
         on the other side, type: p2pcp recv 417-aloe-tuba\n\
         waiting for the other side…\n\
         warning: someone tried a wrong code; that code is burnt, here is a new one\n\
         warning: someone tried a wrong code; that code is burnt, here is a new one (the last one)\n\
         connected: direct over LAN, 192.168.1.7\n\
         connected: relayed by x\\u{1b}[2J\\r\\n\\u{202e}gpj\\u{9b}1m\\u{7f}\\u{2028} because both sides have a symmetric NAT\n\
         the other side accepted\n"
    );
}

#[test]
fn quiet_leaves_the_bare_code_and_what_goes_wrong() {
    let text = said(Role::Send, Verbosity::Quiet, |reporter| {
        reporter.sending(&[folder("photos")], 0, &totals(1, 1, 1));
        reporter.code(&Code::parse("417-aloe-tuba").unwrap().code, "p2pcp recv 417-aloe-tuba");
        reporter.event(&Event::Waiting);
        reporter.note("a note");
        reporter.detail("a detail");
        reporter.event(&Event::Consent { answer: Consent::Accepted });
        reporter.event(&Event::Finishing(Progress::default()));
        reporter.finished(&Summary { files: 1, unsent: 1, ..Summary::default() }, Duration::from_secs(1));
    });
    let problem = "warning: 1 item not sent: could not be read, or cannot travel\n";
    assert_eq!(text, format!("417-aloe-tuba\n{problem}"));
}

#[test]
fn an_offer_names_sizes_and_destination() {
    let offer = Offer {
        items: vec![folder("photos"), file("文件.txt", 12 * 1024), file("notes", 5)],
        more: 4,
        totals: Totals { links: 1, ..totals(1234, 12, 1 << 30) },
    };
    let text = said(Role::Recv, Verbosity::Normal, |reporter| {
        reporter.event(&Event::Offered {
            offer,
            folder: "/home/me".into(),
            name: None,
            preview: Preview::default(),
            asks: false,
        });
    });
    assert_eq!(
        text,
        "the other side offers 1,234 files, 12 folders, 1 link, 1.0 GiB\n\
         \x20 photos/\n\
         \x20 文件.txt  12.0 KiB\n\
         \x20 notes     5 B\n\
         \x20 and 4 more\n\
         to go into /home/me\n"
    );
}

#[test]
fn the_end_tells_speed_and_each_kind_of_problem() {
    let clean = Summary { files: 20, folders: 2, bytes: 1 << 30, ..Summary::default() };
    let text = said(Role::Recv, Verbosity::Normal, |reporter| {
        reporter.finished(&clean, Duration::from_millis(3200));
    });
    assert_eq!(text, "received 20 files, 2 folders: 1.0 GiB in 3.2 s (320.0 MiB/s)\n");

    let messy = Summary { exists: 3, skipped: 1, refused: 1, source_failed: 2, unsent: 1000, ..clean };
    let text = said(Role::Send, Verbosity::Normal, |reporter| reporter.finished(&messy, Duration::ZERO));
    assert_eq!(
        text,
        "warning: 3 items not replaced: something with the same name is there\n\
         warning: 1 item skipped: something with the same name is there\n\
         warning: 1 item refused: the receiver's disk cannot hold their name or kind\n\
         warning: 2 items not sent: could not be read\n\
         warning: 1,000 items not sent: could not be read, or cannot travel\n\
         sent 20 files, 2 folders: 1.0 GiB in 0 s\n"
    );
}

#[test]
fn an_error_is_sentence_cause_and_hint() {
    let problem = Problem {
        sentence: "the code did not match",
        cause: Some("key confirmation failed"),
        hint: Some("ask the sender for a new code; this one is used up"),
    };
    let text = said(Role::Recv, Verbosity::Quiet, |reporter| reporter.failed(&problem));
    assert_eq!(
        text,
        "error: the code did not match\n\
         \x20 cause: key confirmation failed\n\
         \n\
         hint: ask the sender for a new code; this one is used up\n"
    );
    let bare = Problem { sentence: "no", ..Problem::default() };
    assert_eq!(said(Role::Recv, Verbosity::Quiet, |reporter| reporter.failed(&bare)), "error: no\n");
}

#[test]
fn entries_that_were_not_kept_say_why() {
    let text = said(Role::Recv, Verbosity::Normal, |reporter| {
        reporter.event(&settled("kept", Outcome::Kept { digest: [0; 32] }));
        reporter.event(&settled("a", Outcome::Exists));
        reporter.event(&settled("b", Outcome::Skipped));
        reporter.event(&settled("c", Outcome::Refused));
        reporter.event(&settled("d", Outcome::SourceFailed(SourceFault::Changed)));
        reporter.event(&Event::Skipped { path: "e".to_owned(), reason: "it is a socket".to_owned() });
    });
    assert_eq!(
        text,
        "warning: a: not replaced, something with this name is there\n\
         warning: b: skipped, something with this name is there\n\
         warning: c: refused, this disk cannot hold it\n\
         warning: d: not sent, it changed while being sent\n\
         warning: skipped e: it is a socket\n"
    );
}

#[test]
fn of_many_passed_over_entries_the_first_twenty_are_listed() {
    let many = |reporter: &Reporter| {
        for number in 0..53 {
            reporter.event(&Event::Skipped { path: format!("s{number}"), reason: "it is a pipe".to_owned() });
            reporter.event(&settled(&format!("t{number}"), Outcome::Exists));
        }
        reporter.failed(&Problem { sentence: "it ended", ..Problem::default() });
    };
    let text = said(Role::Recv, Verbosity::Quiet, many);
    assert!(
        text.contains("s19:") && !text.contains("s20:") && text.contains("t19:") && !text.contains("t20:")
    );
    assert!(text.ends_with(
        "warning: 33 more items skipped (--verbose lists all)\n\
         warning: 33 more items not received (--verbose lists all)\n\
         error: it ended\n"
    ));
    let text = said(Role::Recv, Verbosity::Verbose, many);
    assert!(text.contains("s52:") && text.contains("t52:") && !text.contains("--verbose"));
}

#[test]
fn a_log_gets_progress_lines_and_stalls() {
    let start = Instant::now();
    let text = said(Role::Recv, Verbosity::Normal, |reporter| {
        let at = |seconds: u64, event: Event| reporter.event_at(start + Duration::from_secs(seconds), &event);
        let all = Progress { total_files: 20, total_bytes: 1 << 30, complete: true, ..Progress::default() };
        let moved = |bytes| Progress { bytes, ..all.clone() };
        at(60, Event::Progress(moved(0)));
        at(62, Event::Progress(moved(64 << 20)));
        at(65, Event::Progress(moved(128 << 20)));
        at(80, Event::Stalled { silence: Duration::from_secs(15) });
        at(81, Event::Moving);
        at(90, Event::Progress(moved(1 << 30)));
        at(90, Event::Finishing(moved(1 << 30)));
        at(200, settled("last", Outcome::Kept { digest: [0; 32] }));
    });
    assert_eq!(
        text,
        "12% 128.0 MiB of 1.0 GiB, 25.6 MiB/s, 0 of 20 files\n\
         warning: nothing has come from the other side for 15 s…\n\
         it moves again\n\
         100% 1.0 GiB of 1.0 GiB, 0 of 20 files\n\
         100% 1.0 GiB of 1.0 GiB, 0 of 20 files\n"
    );
}

/// A peer, a server and a disk each try to move the cursor, forge a line and reorder text.
#[test]
fn hostile_text_never_reaches_the_terminal_raw() {
    let text = said(Role::Send, Verbosity::Verbose, |reporter| {
        reporter.note(HOSTILE);
        reporter.detail(HOSTILE);
        reporter.warning(HOSTILE);
        reporter.server_from_env_file(HOSTILE);
        reporter.code(&Code::parse("417-aloe-tuba").unwrap().code, HOSTILE);
        reporter.event(&Event::Skipped { path: HOSTILE.to_owned(), reason: HOSTILE.to_owned() });
        let offer = Offer { items: Vec::new(), more: 0, totals: Totals::default() };
        reporter.event(&Event::Offered {
            offer,
            folder: HOSTILE.into(),
            name: None,
            preview: Preview::default(),
            asks: true,
        });
        let state = LeftoverState::Resumable;
        let leftover = Leftover { path: HOSTILE.into(), bytes: 1, files: 1, modified: None, state };
        reporter.leftover(&leftover, true);
        let (cause, hint) = (Some(HOSTILE), Some(HOSTILE));
        reporter.failed(&Problem { sentence: HOSTILE, cause, hint });
    });
    assert_eq!(text.chars().filter(|&c| c != '\n' && is_unsafe_to_show(c)).count(), 0);
    assert_eq!(text.lines().count(), 14, "a name forged a line: {text}");
    assert_eq!(text.matches("\\u{1b}[2J\\r\\n\\u{202e}gpj\\u{9b}1m\\u{7f}\\u{2028}").count(), 12);
}

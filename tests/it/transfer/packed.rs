//! `--compress`: fewer bytes go over the network, the same ones come.

use p2pcp::error::ExitCode;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::rng::Rng;
use crate::support::{Work, assert_same, until};

/// Words in random order: about a third is left of them.
fn text(bytes: usize, seed: u64) -> Vec<u8> {
    let rng = &mut Rng::new(seed);
    let words: Vec<String> = (0..2000).map(|_| format!("{:x} ", rng.below(1 << 30))).collect();
    let mut text = Vec::with_capacity(bytes + 20);
    while text.len() < bytes {
        text.extend_from_slice(words[rng.place(words.len())].as_bytes());
    }
    text.truncate(bytes);
    text
}

/// The end of `--json`.
fn finished(stdout: &str) -> Value {
    let line = stdout.lines().last().expect("it said something");
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&event["event"], &event["exit_code"]), (&"finished".into(), &0.into()), "{line}");
    event
}

fn transfer(compress: &str) -> (u64, u64) {
    let work = Work::new();
    let rng = &mut Rng::new(5);
    let random: Vec<u8> = (0..700_000).map(|_| rng.any() as u8).collect();
    work.tree("from")
        .file("long.txt", text(3_500_000, 1))
        .file("short.txt", text(2000, 2))
        .file("r.bin", random);
    let sender = work.send(&["--json", "--compress", compress, "from"]);
    let code = until("a code", || {
        let stdout = sender.stdout();
        let mut events = stdout.lines().filter_map(|it| serde_json::from_str::<Value>(it).ok());
        let code = events.rfind(|it| it["event"] == "code");
        code.map(|it| it["code"].as_str().unwrap().to_owned())
    });
    let receiver = work.recv(&code).arguments(&["--json"]).run();
    let sent = finished(&sender.end().stdout);
    let received = finished(&receiver.stdout);
    assert_same(&work.path("from"), &work.path("to/from"));
    let figures = |it: &Value| (it["bytes"].as_u64().unwrap(), it["wire_bytes"].as_u64().unwrap());
    assert_eq!(figures(&sent), figures(&received));
    figures(&sent)
}

#[test]
fn text_takes_fewer_bytes_on_the_network() {
    let (bytes, wire) = transfer("always");
    assert_eq!(bytes, 4_202_000);
    assert!(wire < bytes * 2 / 3, "{wire} of {bytes}");
}

#[test]
fn nothing_is_packed_unless_it_is_wanted_and_on_one_machine_not_by_itself() {
    for compress in ["never", "auto"] {
        let (bytes, wire) = transfer(compress);
        assert_eq!(bytes, wire, "{compress}");
    }
}

#[test]
fn people_are_told_what_it_saved() {
    let work = Work::new();
    work.tree(".").file("a.txt", text(100_000, 1));
    let sender = work.p2pcp(&["send", "-v", "--loopback", "a.txt"]).variable("P2PCP_COMPRESS", "always");
    let mut sender = sender.spawn();
    let receiver = work.recv(&sender.code()).arguments(&["-v"]).run();
    receiver.says("bytes: 100000 came over the network, 0 were here already; compressed to ");
    sender.end().says("bytes: 100000 went over the network, 0 were there already; compressed to ");
}

/// What a killed transfer left is as good as if it had come plain.
#[test]
fn a_killed_transfer_of_packed_chunks_goes_on() {
    const BYTES: usize = 96 << 20;
    let work = Work::new();
    work.tree(".").file("long.txt", text(BYTES, 3));
    let mut sender = work.send_slowly(4, &["--compress", "always", "long.txt"]);
    let receiver = work.recv(&sender.code()).spawn();
    work.stage_holds(4 << 20);
    receiver.signal(Signal::KILL);
    receiver.end().was_killed();
    drop(sender);
    let mut sender = work.send(&["--compress", "always", "long.txt"]);
    let receiver = work.recv(&sender.code()).arguments(&["-v"]).run().exits(ExitCode::Done);
    let (came, here) = receiver.bytes();
    assert_eq!(came + here, BYTES as u64);
    assert!(here > 0, "all of it came again");
    sender.end().exits(ExitCode::Done);
    assert_same(&work.path("long.txt"), &work.path("to/long.txt"));
}

#[test]
fn a_stream_comes_packed_too() {
    let work = Work::new();
    let bytes = text(2_500_000, 4);
    work.tree(".").file("in", &bytes);
    let program = env!("CARGO_BIN_EXE_p2pcp");
    let line = format!("{program} send -v --loopback --compress always - < in");
    let mut sender = work.shell(&line).spawn();
    let code = sender.code();
    let receiver = work.shell(&format!("{program} recv --yes --loopback -o - {code} > out")).run();
    receiver.exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done).says("; compressed to ");
    assert!(std::fs::read(work.path("out")).unwrap() == bytes);
}

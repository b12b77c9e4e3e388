//! `p2pcp doctor` as a process: its exit codes, its lines, its document. All on loopback; the networks that it is for are
//! in `tools/doctor-test.sh`.

use p2pcp::error::ExitCode;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::net::ClosedPort;
use crate::support::{End, Running, Work};

/// A rendezvous of this test's own.
fn rendezvous(work: &Work) -> (Running, String) {
    let server = work.p2pcp(&["signal", "--listen", "127.0.0.1", "--port", "0"]).spawn();
    let address = format!("127.0.0.1:{}", server.port());
    (server, address)
}

fn doctor(work: &Work, options: &[&str]) -> End {
    work.p2pcp(&["doctor", "--stun", "none", "--no-multicast"]).arguments(options).run()
}

/// Asserts that transfers over the internet will not work, and that a verdict says so.
fn is_local(end: End) -> End {
    assert_eq!((end.number(), end.stdout.as_str()), (Some(1), ""), "{}", end.stderr);
    end.says("verdict: ").says_not("error: ")
}

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().find(|it| it["name"] == name).unwrap()
}

#[test]
fn a_server_on_this_machine_works_and_is_no_way_over_the_internet() {
    let work = Work::new();
    let (server, address) = rendezvous(&work);
    is_local(doctor(&work, &["--server", &address]))
        .says("signaling    connected in ")
        .says("ok       clock        agrees with the server's\n")
        .says("verdict: the server is at an address of this machine alone")
        .says("hint: let the server listen on an address that others reach");
    server.signal(Signal::INT);
    server.end().exits(ExitCode::Done);
}

#[test]
fn the_document_stands_alone_on_stdout() {
    let work = Work::new();
    let (_server, address) = rendezvous(&work);
    let end = doctor(&work, &["--server", &address, "--json"]);
    assert_eq!(end.number(), Some(1), "{}", end.stderr);
    assert_eq!(end.stdout.lines().count(), 1, "{}", end.stdout);
    assert_eq!(end.stderr, "");
    let document: Value = serde_json::from_str(&end.stdout).unwrap();
    assert_eq!(document["version"], json!(1));
    assert_eq!(document["p2pcp"], json!(env!("CARGO_PKG_VERSION")));
    assert_eq!(document["server"], json!(format!("ws://{address}")));
    assert_eq!((&document["ok"], &document["reach"]), (&json!(false), &json!("local")));
    assert_eq!(check(&document, "signaling")["facts"]["place"], json!("this-machine"));
    assert_eq!(check(&document, "clock")["result"], json!("ok"));
    assert_eq!(check(&document, "rendezvous")["facts"]["opened"], json!(true));
}

#[test]
fn a_server_that_is_not_there_is_said_with_what_to_do() {
    let work = Work::new();
    let port = ClosedPort::new();
    is_local(doctor(&work, &["--server", &port.server()]))
        .says("failed   signaling")
        .says("could not be reached")
        .says("verdict: you cannot send over the internet, because the server cannot be used")
        .says("hint: is `p2pcp signal` running there");
}

#[test]
fn without_a_server_the_local_network_is_looked_at() {
    let work = Work::new();
    is_local(doctor(&work, &[]))
        .says("skipped  signaling")
        .says("rendezvous")
        .says("verdict: no server is configured");
}

#[test]
fn what_is_no_server_is_a_matter_of_usage() {
    let work = Work::new();
    doctor(&work, &["--server", "ftp://host"]).fails(ExitCode::Usage, "that is not a server address");
}

#[test]
fn one_visit_after_the_other_is_served() {
    let work = Work::new();
    let (_server, address) = rendezvous(&work);
    // More visits than one source may make in a minute would be refused, not the rooms of those before.
    for _ in 0..3 {
        let end = doctor(&work, &["--server", &address, "--quiet"]);
        is_local(end).says_not("failed   signaling");
    }
}

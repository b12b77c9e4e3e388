//! Peers of other versions, and how p2pcp is told what to do.

use p2pcp::code::Code;
use p2pcp::crypto::Role;
use p2pcp::error::ExitCode;
use p2pcp::session::handshake::{self, Context, RANDOM_BYTES};
use p2pcp::signaling::{Incoming, Signaling};
use p2pcp::wire::signaling::{Hex, Relay};

use crate::support::{PATIENCE, Running, Work};

/// A rendezvous, and a way to it for a peer that this test plays.
fn rendezvous(work: &Work) -> (Running, String) {
    let server = work.p2pcp(&["signal", "--listen", "127.0.0.1", "--port", "0"]).spawn();
    let address = format!("127.0.0.1:{}", server.port());
    (server, address)
}

fn play<T>(part: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, part).await.unwrap() })
}

/// A share as p2pcp of the versions 7 to 9 might send it.
fn share_of_the_future(role: Role, code: &Code, ns: [u8; 16], nr: [u8; 16]) -> Relay {
    let context = Context { secret: code.secret(), nameplate: code.nameplate(), ns: Hex(ns), nr: Hex(nr) };
    let (_, share) = handshake::start(role, context, &[7; RANDOM_BYTES]);
    match share {
        Relay::Pake { y, .. } => Relay::Pake { y, ad: Hex([0, 7, 0, 9, 0, 0, 0, 0]) },
        other => panic!("a handshake begins with {other:?}"),
    }
}

#[test]
fn a_sender_of_another_version_is_told_apart_from_a_wrong_code() {
    let work = Work::new();
    let (_server, address) = rendezvous(&work);
    let url = address.parse().unwrap();
    let receiver = play(async {
        let mut signaling = Signaling::connect(&url, PATIENCE).await.unwrap();
        let room = signaling.create([1; 16]).await.unwrap();
        let typed = format!("{}-aloe-tuba", room.nameplate);
        let receiver = work.p2pcp(&["recv", "--yes", "--server", &address, "--stun", "none", &typed]).spawn();
        let Ok(Incoming::Peer { nr, .. }) = signaling.recv().await else { panic!("nobody joined") };
        let code = Code::parse(&typed).unwrap().code;
        signaling.send(share_of_the_future(Role::Sender, &code, [1; 16], nr)).await.unwrap();
        // The server takes a room away with its seats: this one is kept until the receiver is done.
        while !matches!(
            signaling.recv().await,
            Err(_) | Ok(Incoming::Gone | Incoming::Relay(Relay::Bye { .. }))
        ) {}
        receiver
    });
    receiver
        .end()
        .fails(ExitCode::Failed, "the two sides speak different versions of p2pcp")
        .says("cause: the other side speaks protocol versions 7 to 9, this one 1\n")
        .says("hint: update p2pcp on both sides\n");
}

#[test]
fn a_receiver_of_another_version_costs_a_code_and_is_no_wrong_guess() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let (_server, address) = rendezvous(&work);
    let url = address.parse().unwrap();
    let mut sender = work.p2pcp(&["send", "--server", &address, "--stun", "none", "from"]).spawn();
    let code = Code::parse(&sender.code()).unwrap().code;
    play(async {
        let mut signaling = Signaling::connect(&url, PATIENCE).await.unwrap();
        let room = signaling.join(code.nameplate(), [2; 16]).await.unwrap();
        signaling.send(share_of_the_future(Role::Receiver, &code, room.ns, [2; 16])).await.unwrap();
        while !matches!(
            signaling.recv().await,
            Err(_) | Ok(Incoming::Gone | Incoming::Relay(Relay::Bye { .. }))
        ) {}
    });
    let second = sender.code();
    let receive = ["recv", "--server", &address, "--stun", "none", "--yes", "-o", "to", &second];
    work.p2pcp(&receive).run().exits(ExitCode::Done);
    sender
        .end()
        .exits(ExitCode::Done)
        .says("warning: the other side speaks protocol versions 7 to 9, this one 1; that code is used up, here is a new one\n")
        .says_not("wrong code");
}

#[test]
fn help_and_version_go_to_stdout() {
    let work = Work::new();
    for arguments in [&["--help"][..], &["send", "--help"], &["recv", "-h"], &["--version"]] {
        let end = work.p2pcp(arguments).run();
        assert_eq!(end.number(), Some(0), "{arguments:?}");
        assert!(end.stdout.contains("p2pcp") && end.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_has_exit_code_2() {
    let work = Work::new();
    for arguments in [
        &[][..],
        &["sned"],
        &["send"],
        &["send", "--loopback", "--nonsense", "a"],
        &["send", "--loopback", "--words", "1", "a"],
        &["send", "--loopback", "--words", "9", "a"],
        &["send", "--loopback", "--server", "127.0.0.1", "a"],
        &["recv", "--loopback", "--quiet", "--verbose", "417-aloe-tuba"],
        &["signal", "--port", "65536"],
    ] {
        let end = work.p2pcp(arguments).run();
        assert_eq!(end.number(), Some(ExitCode::Usage.number().into()), "{arguments:?}: {}", end.stderr);
        assert!(end.stdout.is_empty() && !end.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_code_has_as_many_words_as_were_asked_for() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let mut sender = work.p2pcp(&["send", "--loopback", "--words", "5", "from"]).spawn();
    let code = sender.code();
    assert_eq!(code.split('-').count(), 6, "{code}");
    work.recv(&code).run().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
}

#[test]
fn a_file_called_env_that_makes_no_sense_is_a_warning() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    work.tree("").file(".env", "this is no line\nSIGNALING_SERVER_PORT=many\n");
    let (sender, receiver) = work.transfer(&["from"], &[]);
    for end in [sender, receiver] {
        end.exits(ExitCode::Done)
            .says("warning: `.env` has a line that is not understood and was passed over\n")
            .says(
                "warning: SIGNALING_SERVER_PORT in .env is not a port from 0 to 65535 and was passed over\n",
            );
    }
}

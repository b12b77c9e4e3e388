//! Meeting on a server, and what is said when that does not work.

use std::io::{Read, Write};
use std::net::TcpListener;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::support::net::ClosedPort;
use crate::support::{Running, Work, assert_same};

/// A rendezvous of this test's own.
pub(super) fn rendezvous(work: &Work) -> (Running, String) {
    let server = work.p2pcp(&["signal", "--listen", "127.0.0.1", "--port", "0"]).spawn();
    let address = format!("127.0.0.1:{}", server.port());
    (server, address)
}

#[test]
fn two_peers_meet_on_a_server() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let (server, address) = rendezvous(&work);
    let mut sender = work.p2pcp(&["send", "--server", &address, "--stun", "none", "from"]).spawn();
    let code = sender.code();
    let receive = ["recv", "--server", &address, "--stun", "none", "--yes", "-o", "to"];
    work.p2pcp(&receive).arguments(&[&code]).run().exits(ExitCode::Done);
    sender
        .end()
        .exits(ExitCode::Done)
        .says(&format!("on the other side, type: p2pcp recv --server ws://{address} {code}\n"));
    assert_same(&work.path("from"), &work.path("to/from"));

    work.p2pcp(&receive)
        .arguments(&[&code])
        .run()
        .fails(ExitCode::Code, "the code is not known")
        .says("hint: ask the sender for a new code, as each works once; `--wait 10m` waits");
    server.signal(Signal::INT);
    server.end().exits(ExitCode::Done);
}

#[test]
fn a_code_that_a_server_never_gave_out_is_not_known() {
    let work = Work::new();
    let (_server, address) = rendezvous(&work);
    work.p2pcp(&["recv", "--server", &address, "--stun", "none", "123456789-aloe-tuba"])
        .run()
        .fails(ExitCode::Code, "the code is not known")
        .says("cause: this code is not known here: it was used, has expired, or has a typo");
}

#[test]
fn a_pasted_link_names_the_server() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let (_server, address) = rendezvous(&work);
    let mut sender = work.p2pcp(&["send", "--server", &address, "--stun", "none", "from"]).spawn();
    let link = format!("http://{address}/#{}", sender.code());
    work.p2pcp(&["recv", "--stun", "none", "--yes", "-o", "to", &link]).run().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
}

#[test]
fn the_environment_names_the_server() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let (_server, address) = rendezvous(&work);
    let (host, port) = address.split_once(':').unwrap();
    let p2pcp = |arguments: &[&str]| {
        let start = work.p2pcp(arguments).variable("SIGNALING_SERVER_ADDR", host);
        start.variable("SIGNALING_SERVER_PORT", port).variable("STUN_SERVERS", "")
    };
    let mut sender = p2pcp(&["send", "from"]).spawn();
    p2pcp(&["recv", "--yes", "-o", "to", &sender.code()]).run().exits(ExitCode::Done).says_not(".env");
    sender.end().exits(ExitCode::Done).says_not(".env");
    assert_same(&work.path("from"), &work.path("to/from"));
}

/// Editors on Windows end lines with CR and LF, and a CR at the end of a host name is hard to see.
#[test]
fn a_file_called_env_names_the_server_which_is_said() {
    for line_end in ["\n", "\r\n"] {
        let work = Work::new();
        work.tree("from").file("a", "1");
        let (_server, address) = rendezvous(&work);
        let (host, port) = address.split_once(':').unwrap();
        let lines = [
            "# a comment",
            &format!("SIGNALING_SERVER_ADDR={host}"),
            &format!("SIGNALING_SERVER_PORT=\"{port}\""),
            "STUN_SERVERS=",
            "NO_COLOR=\"this name is not taken from here\"",
            "",
        ];
        work.tree("").file(".env", lines.join(line_end));
        let said = format!("using server ws://{address} (from .env)\n");
        let mut sender = work.p2pcp(&["send", "from"]).spawn();
        let code = sender.code();
        let receiver = work.p2pcp(&["recv", "--yes", "-o", "to", &code]).run();
        receiver.exits(ExitCode::Done).says(&said).says_not("warning:");
        sender.end().exits(ExitCode::Done).says(&said).says_not("warning:");
        assert_same(&work.path("from"), &work.path("to/from"));
    }
}

#[test]
fn a_rendezvous_listens_where_the_environment_or_a_file_says() {
    let work = Work::new();
    work.tree("").file(".env", "SIGNALING_SERVER_ADDR=127.0.0.1\r\nSIGNALING_SERVER_PORT=0\r\n");
    let server = work.p2pcp(&["signal"]).spawn();
    assert_ne!(server.port(), 0);
    let busy = server.port().to_string();
    work.p2pcp(&["signal"])
        .variable("SIGNALING_SERVER_PORT", &busy)
        .run()
        .fails(ExitCode::Failed, &format!("cannot listen on `127.0.0.1` port {busy}"))
        .says("hint: something listens there already: choose another `--port`\n");
    let other = work.p2pcp(&["signal", "--port", "0"]).variable("SIGNALING_SERVER_PORT", &busy).spawn();
    assert_ne!(other.port().to_string(), busy);
}

/// Three servers that are not there: the one that p2pcp complains of is the one that it chose.
#[test]
fn a_flag_wins_over_the_environment_which_wins_over_the_file() {
    let (flag, variable, file) = (ClosedPort::new(), ClosedPort::new(), ClosedPort::new());
    let work = Work::new();
    let text = format!("SIGNALING_SERVER_ADDR=127.0.0.1\nSIGNALING_SERVER_PORT={}\n", file.number());
    work.tree("").file(".env", text).file("a", "1");
    for command in [&["send", "a"][..], &["recv", "417-aloe-tuba"]] {
        let start = || work.p2pcp(command).arguments(&["--stun", "none"]);
        let fails = |port: &ClosedPort| format!("the server `ws://{}` could not be used", port.server());
        let end = start().run().fails(ExitCode::Lost, &fails(&file));
        end.says("(from .env)").says("Connection refused").says("hint: is `p2pcp signal` running there");
        let set = || start().variable("SIGNALING_SERVER_PORT", &variable.number());
        // The port came from the environment, but the host, and so the server, from the file.
        set().run().fails(ExitCode::Lost, &fails(&variable)).says("(from .env)");
        let set = || set().variable("SIGNALING_SERVER_ADDR", "127.0.0.1");
        set().run().fails(ExitCode::Lost, &fails(&variable)).says_not(".env");
        let end = set().arguments(&["--server", &flag.server()]).run();
        end.fails(ExitCode::Lost, &fails(&flag)).says_not(".env");
    }
}

/// `--loopback` wins over a server that is configured and not there.
#[test]
fn a_meeting_on_this_machine_needs_no_configured_server() {
    let nowhere = ClosedPort::new();
    let work = Work::new();
    let text = format!("SIGNALING_SERVER_ADDR=127.0.0.1\nSIGNALING_SERVER_PORT={}\n", nowhere.number());
    work.tree("").file(".env", text).file("a", "1");
    work.transfer_all(&["a"]);
}

#[test]
fn a_stun_server_that_is_not_there_costs_nothing() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let (_server, address) = rendezvous(&work);
    let meet = ["--server", &address, "--stun", "127.0.0.1:9"];
    let mut sender = work.p2pcp(&["send", "from"]).arguments(&meet).spawn();
    let code = sender.code();
    work.p2pcp(&["recv", "--yes", "-o", "to", &code]).arguments(&meet).run().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
}

#[test]
fn a_server_that_speaks_something_else_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let web = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        client.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let work = Work::new();
    work.p2pcp(&["recv", "--server", &address, "--stun", "none", "417-aloe-tuba"])
        .run()
        .fails(ExitCode::Lost, &format!("the server `ws://{address}` could not be used"))
        .says("cause: what answers there is not a p2pcp server (HTTP status 404)\n")
        .says("hint: is this the address of a `p2pcp signal`? check host and port\n");
    web.join().unwrap();
}

#[test]
fn what_is_no_server_address_is_said() {
    let work = Work::new();
    work.tree("").file("a", "1");
    for (typed, cause) in [
        ("ftp://127.0.0.1", "a server's URL begins with ws, wss, http or https"),
        ("127.0.0.1:99999", "a port is a number from 1 to 65535"),
        ("127.0.0.1/path", "a server's URL has no path, user or query"),
        ("", "a server needs a host name or an address"),
    ] {
        work.p2pcp(&["send", "--server", typed, "--stun", "none", "a"])
            .run()
            .fails(ExitCode::Usage, "that is not a server address")
            .says(&format!("cause: {cause}\n"));
    }
}

#[test]
fn a_server_that_stops_takes_the_code_with_it() {
    let work = Work::new();
    work.tree("from").file("a", "1");
    let (server, address) = rendezvous(&work);
    let mut sender = work.p2pcp(&["send", "--server", &address, "--stun", "none", "from"]).spawn();
    sender.code();
    server.signal(Signal::TERM);
    server.end();
    sender
        .end()
        .exits(ExitCode::Lost)
        .says("cause: the server is shutting down; try again in a moment\n")
        .says("hint: run the same command again for a new code\n");
}

/// The server is needed until the peers have met, and not any longer.
#[test]
fn a_transfer_goes_on_without_the_server() {
    let work = Work::new();
    let big = std::fs::File::create(work.path("big")).unwrap();
    big.set_len(64 << 20).unwrap();
    let (server, address) = rendezvous(&work);
    let meet = ["--server", &address, "--stun", "none"];
    let mut sender = work.p2pcp(&["send", "big"]).arguments(&meet).spawn();
    let code = sender.code();
    let receiver = work.p2pcp(&["recv", "--yes", "-o", "to", &code]).arguments(&meet).spawn();
    receiver.line("connected: direct on this machine");
    drop(server);
    receiver.end().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
}

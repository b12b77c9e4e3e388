//! Links of several lanes between real processes.

use std::fs::File;

use p2pcp::error::ExitCode;
use rustix::process::Signal;

use crate::reliability::interrupted::MEBIBYTE;
use crate::support::rng::Rng;
use crate::support::{Work, assert_same, until};

const LANES: &str = "4 lanes are open";

#[test]
fn a_tree_comes_whole_over_several_lanes() {
    let work = Work::in_memory(1 << 30);
    let tree = work.tree("from").file("big", Rng::new(12).bytes(96 * MEBIBYTE as usize));
    (0..300).fold(tree, |tree, number| tree.file(format!("small/{number}"), Rng::new(number).bytes(5000)));
    let mut sender = work.p2pcp(&["send", "from", "--loopback", "--lanes", "4"]).spawn();
    let code = sender.code();
    work.recv(&code).arguments(&["--lanes", "4"]).run().exits(ExitCode::Done);
    sender.end().exits(ExitCode::Done);
    assert_same(&work.path("from"), &work.path("to/from"));
}

/// All lanes are lost with a side that sleeps; the next link begins with one and grows, too.
#[test]
fn a_transfer_goes_on_when_its_lanes_are_lost() {
    let work = Work::in_memory(8 << 30);
    work.tree("from");
    File::create(work.path("from/endless")).unwrap().set_len(8 << 30).unwrap();
    let options = ["--verbose", "--loopback", "--lanes", "4"];
    let mut sender = work.p2pcp(&["send", "from"]).arguments(&options).spawn();
    let code = sender.code();
    let receiver = work.p2pcp(&["recv", "--yes", "-o", "to", &code]).arguments(&options).spawn();
    sender.line(LANES);
    receiver.line(LANES);
    receiver.signal(Signal::STOP);
    sender.line("warning: connection lost: ");
    receiver.signal(Signal::CONT);
    sender.line("connected again: ");
    until("the lanes of the next link", || {
        (sender.lines(LANES) > 1 && receiver.lines(LANES) > 1).then_some(())
    });
    sender.signal(Signal::INT);
    sender.end().fails(ExitCode::Interrupted, "interrupted");
    receiver.end().says("connected again: direct");
}

//! `--limit`: the lower of both sides' limits counts, and both sides know it.

use p2pcp::error::ExitCode;

use crate::support::Work;

#[test]
fn the_lower_limit_of_both_sides_counts_and_is_told() {
    let work = Work::new();
    work.tree("from").file("a", [7; 300_000]);
    let mut sender = work.p2pcp(&["send", "--loopback", "--limit", "50M", "from"]).spawn();
    let line = ["recv", "--loopback", "--yes", "--json", "--limit", "2M", "--output", "to", &sender.code()];
    let receiver = work.p2pcp(&line).run();
    sender.end().exits(ExitCode::Done);
    assert_eq!(receiver.number(), Some(0));
    let limited = |line: &&str| line.contains("\"event\":\"limited\"");
    let last = receiver.stdout.lines().rfind(limited).unwrap();
    assert!(last.contains("\"bytes_per_second\":2000000"), "{}", receiver.stdout);
}

#[test]
fn a_limit_is_a_number_above_zero() {
    let work = Work::new();
    for limit in ["0", "fast", "-1", "5X"] {
        let end = work.p2pcp(&["send", "--loopback", &format!("--limit={limit}"), "from"]).run();
        end.exits(ExitCode::Usage).says("a number above 0, or one with K, M, G or T behind it");
    }
}

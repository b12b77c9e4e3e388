//! Networks that a matrix of routers does not show, one transfer each.

use std::fs;
use std::net::Ipv4Addr;

use crate::capture::{Capture, Packet};
use crate::lab::{Host, Lab};
use crate::list::{Beside, Expect, Scenario};
use crate::servers::{coturn, has_coturn};
use crate::transfer::{Bench, Kind, Outcome, Plan};

/// Where `a` is: its own address, and its router's.
const A_INSIDE: Ipv4Addr = Ipv4Addr::new(192, 168, 11, 2);
const A_OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 18, 1, 2);

/// Bytes of the file where packets are searched: in more of them an address could stand by chance.
const SEARCHED_BYTES: usize = 16 << 10;

/// Bytes of the file that is under way when a better path appears, at 40 Mbit/s.
const LONG_BYTES: usize = 48 << 20;

/// What became of a scenario.
pub enum Verdict {
    /// As it is meant, with what happened.
    Passed(Option<Outcome>, String),
    Failed(Option<Outcome>, String),
    /// Something that it takes is not installed.
    Skipped(String),
}

/// Runs a scenario in a lab of its own.
pub fn run(scenario: &Scenario, bench: &Bench, delay_ms: &str, timed: bool) -> Verdict {
    if scenario.beside == Beside::Coturn && !has_coturn() {
        return Verdict::Skipped("coturn is not installed".to_owned());
    }
    match attempt(scenario, bench, delay_ms) {
        Err(error) => match &scenario.expect {
            Expect::Refusal(words) if error.contains(words) => {
                Verdict::Passed(None, format!("refused: `{words}`"))
            }
            _ => Verdict::Failed(None, error),
        },
        Ok(outcome) => match judge(scenario, &outcome, timed) {
            Ok(()) => Verdict::Passed(Some(outcome), String::new()),
            Err(why) => Verdict::Failed(Some(outcome), why),
        },
    }
}

fn attempt(scenario: &Scenario, bench: &Bench, delay_ms: &str) -> Result<Outcome, String> {
    let words = format!("{} --delay {delay_ms} --no-reflect", scenario.lab);
    let lab = Lab::up(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())?;
    let _server = match scenario.listen {
        "" => None,
        address => {
            let given = scenario.door.listen(address, &bench.work).words(scenario.serve);
            Some(bench.serve(&lab, &given)?)
        }
    };
    let _coturn = match scenario.beside {
        Beside::Coturn => Some(coturn(&lab, &bench.folder("coturn")?)?),
        _ => None,
    };
    let given = |words: &str, environment: &[(&str, &str)]| {
        let given = match scenario.meet {
            "" => Default::default(),
            host => scenario.door.meet(host, &bench.work),
        };
        environment.iter().fold(given.words(words), |given, (name, value)| given.environment(name, value))
    };
    let (from, to) = scenario.hosts;
    let plan = Plan {
        sender: (from, given(scenario.send, scenario.send_environment)),
        receiver: (to, given(scenario.recv, scenario.recv_environment)),
    };
    match scenario.beside {
        Beside::Nothing | Beside::Coturn => bench.transfer(&lab, &plan),
        Beside::Unplugged => {
            lab.netlab(&["set", "--loss", "100"].map(str::to_owned))?;
            bench.transfer(&lab, &plan)
        }
        Beside::Searched { hidden } => searched(bench, &lab, &plan, hidden),
        Beside::Opened => {
            let both = "{ 198.18.1.2, 198.18.2.2 }";
            let close = format!(
                "add table ip late; add chain ip late forward {{ type filter hook forward priority -1; }}; \
                 add rule ip late forward ip saddr {both} ip daddr {both} meta l4proto udp drop"
            );
            let inet = |rules: &str| lab.netlab(&["exec", "inet", "nft", rules].map(str::to_owned)).map(drop);
            inet(&close)?;
            let long = Bench { program: bench.program.clone(), work: bench.work.clone(), bytes: LONG_BYTES };
            long.transfer_while(&lab, &plan, || inet("delete table ip late"))
        }
    }
}

/// A transfer from `a` to `b` while packets are written down at `b` and at the server.
fn searched(bench: &Bench, lab: &Lab, plan: &Plan, hidden: bool) -> Result<Outcome, String> {
    let folder = bench.folder("captures")?;
    let (at_b, at_server) =
        (Capture::start(lab, Host::B, &folder)?, Capture::start(lab, Host::Public, &folder)?);
    let small = Bench { program: bench.program.clone(), work: bench.work.clone(), bytes: SEARCHED_BYTES };
    let outcome = small.transfer(lab, plan);
    let (at_b, at_server) = (at_b.end()?, at_server.end()?);
    fs::remove_dir_all(folder).ok();
    let outcome = outcome?;
    let leaks = leaks(&at_b, &at_server);
    match (hidden, leaks.is_empty()) {
        (true, false) => Err(format!("{}; path: {}", leaks.join("; "), outcome.path)),
        // The search itself would be broken.
        (false, true) => Err(format!("no address of the sender was found in {} packets", at_b.len())),
        _ => Ok(outcome),
    }
}

/// Where addresses of `a` stand that nobody but its own connection to the server may show.
fn leaks(at_b: &[Packet], at_server: &[Packet]) -> Vec<String> {
    let mut leaks = Vec::new();
    let mut count = |what: &str, packets: &[Packet], leaked: &dyn Fn(&Packet) -> bool| {
        let number = packets.iter().filter(|it| leaked(it)).count();
        if number > 0 {
            leaks.push(format!("{what} in {number} of {} packets", packets.len()));
        }
    };
    let shows = |packet: &Packet, address| packet.touches(address) || packet.tells(address);
    count("the sender's own address at the receiver", at_b, &|it| shows(it, A_INSIDE));
    count("the sender's public address at the receiver", at_b, &|it| shows(it, A_OUTSIDE));
    count("the sender's own address at the server", at_server, &|it| shows(it, A_INSIDE));
    let elsewhere = |it: &Packet| it.tells(A_OUTSIDE) && !it.touches(A_OUTSIDE);
    count("the sender's public address beyond its connection to the server", at_server, &elsewhere);
    leaks
}

fn judge(scenario: &Scenario, outcome: &Outcome, timed: bool) -> Result<(), String> {
    let kind = match scenario.expect {
        Expect::Direct => Some(Kind::Direct),
        Expect::Relayed | Expect::RelayedThenDirect => Some(Kind::Relayed),
        Expect::Refusal(_) => return Err("it went through".to_owned()),
    };
    if kind.is_some_and(|it| it != outcome.kind) {
        return Err(format!("{kind:?} was expected"));
    }
    if !outcome.path.contains(scenario.says) {
        return Err(format!("`{}` was to be said", scenario.says));
    }
    if scenario.expect == Expect::RelayedThenDirect && !outcome.later.iter().any(|it| it.contains("direct")) {
        return Err("no better path took over".to_owned());
    }
    let took = outcome.first_byte.as_secs_f64();
    if timed && took > scenario.limit {
        return Err(format!("first byte after {took:.2} s, at most {} s are promised", scenario.limit));
    }
    Ok(())
}

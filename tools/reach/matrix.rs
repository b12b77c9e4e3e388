//! Every kind of router at one end with every kind at the other, both ways.

use crate::lab::{Host, Lab};
use crate::servers::Door;
use crate::transfer::{Bench, Given, Kind, Outcome, Plan};

/// A kind of router, as tools/netlab names it, and what the table calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Router {
    pub kind: &'static str,
    pub title: &'static str,
}

/// The kinds that hosts are put behind.
pub const ROUTERS: [Router; 6] = [
    Router { kind: "none", title: "none" },
    Router { kind: "fullcone", title: "full cone" },
    Router { kind: "cone", title: "port-restricted" },
    Router { kind: "symmetric", title: "symmetric" },
    Router { kind: "udp-blocked", title: "UDP blocked" },
    Router { kind: "443-only", title: "443 only" },
];

/// What the time to the first byte is held against, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    pub median: f64,
    pub worst: f64,
}

/// Transfers from behind one kind to behind another.
pub struct Cell {
    pub sender: Router,
    pub receiver: Router,
    pub runs: Vec<Result<Outcome, String>>,
}

impl Router {
    fn blocks_udp(self) -> bool {
        matches!(self.kind, "udp-blocked" | "443-only")
    }

    /// Whether everybody outside may send to a host behind it.
    fn open(self) -> bool {
        matches!(self.kind, "none" | "fullcone")
    }
}

impl Cell {
    /// The best kind of path that there can be: punching needs UDP, and fails where a port that only one destination
    /// sees meets a router that lets in only who was sent to.
    pub fn best(&self) -> Kind {
        let (a, b) = (self.sender, self.receiver);
        let changing = |it: Router| it.kind == "symmetric";
        let closed = |from: Router, to: Router| changing(from) && !to.open();
        match a.blocks_udp() || b.blocks_udp() || closed(a, b) || closed(b, a) {
            true => Kind::Relayed,
            false => Kind::Direct,
        }
    }

    /// What `recv` has to say of the path.
    pub fn says(&self) -> &'static str {
        let (a, b) = (self.sender, self.receiver);
        let symmetric = [a, b].map(|it| it.kind == "symmetric");
        match (self.best(), a.blocks_udp(), b.blocks_udp()) {
            (Kind::Direct, ..) => match [a, b].iter().filter(|it| it.kind == "none").count() {
                2 => "direct over IPv4",
                1 => "direct through a NAT",
                _ => "direct through both NATs",
            },
            (Kind::Relayed, true, true) => "because UDP is blocked",
            (Kind::Relayed, true, false) => "because UDP is blocked on the other side",
            (Kind::Relayed, false, true) => "because UDP is blocked here",
            (Kind::Relayed, false, false) => match symmetric {
                [true, false] => "because the other side has a symmetric NAT",
                [false, true] => "because this side has a symmetric NAT",
                _ => "because both sides have a symmetric NAT",
            },
        }
    }

    /// The figures that are promised.
    pub fn limit(&self) -> Limit {
        match (self.best(), self.sender.blocks_udp() || self.receiver.blocks_udp()) {
            (Kind::Direct, _) => Limit { median: 1.5, worst: 3.0 },
            (Kind::Relayed, true) => Limit { median: 2.5, worst: 2.5 },
            (Kind::Relayed, false) => Limit { median: 3.0, worst: 3.0 },
        }
    }
}

/// The transfers between two kinds: `rounds` each way, or in all where both are of one kind. Only from the first to the second if `one_way`.
pub fn measure(
    bench: &Bench,
    pair: (Router, Router),
    rounds: u32,
    one_way: bool,
    delay_ms: &str,
) -> Result<Vec<Cell>, String> {
    let (a, b) = pair;
    let words = format!("nat --nat-a {} --nat-b {} --delay {delay_ms} --no-reflect", a.kind, b.kind);
    let lab = Lab::up(&words.split(' ').map(str::to_owned).collect::<Vec<_>>())?;
    let door = if [a, b].iter().any(|it| it.kind == "443-only") { Door::Tls } else { Door::Plain };
    let mut cells = vec![Cell { sender: a, receiver: b, runs: vec![] }];
    if a != b && !one_way {
        cells.push(Cell { sender: b, receiver: a, runs: vec![] });
    }
    let server = bench.serve(&lab, &door.listen("198.18.0.10", &bench.work));
    let given: Given = door.meet("198.18.0.10", &bench.work);
    // Without a server every round would say the same.
    for round in 0..if server.is_ok() { rounds } else { 1 } {
        for (number, cell) in cells.iter_mut().enumerate() {
            let turned = if a == b && !one_way { round % 2 == 1 } else { number == 1 };
            let (from, to) = if turned { (Host::B, Host::A) } else { (Host::A, Host::B) };
            let plan = Plan { sender: (from, given.clone()), receiver: (to, given.clone()) };
            let run = match &server {
                Ok(_) => bench.transfer(&lab, &plan),
                Err(error) => Err(error.clone()),
            };
            let said = match &run {
                Ok(it) => {
                    format!(
                        "{}, first byte {:.2} s, done {:.2} s",
                        it.path,
                        it.first_byte.as_secs_f64(),
                        it.done.as_secs_f64()
                    )
                }
                Err(error) => format!("FAILED: {error}"),
            };
            eprintln!("{} to {} {}: {said}", cell.sender.title, cell.receiver.title, round + 1);
            cell.runs.push(run);
        }
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::{Cell, ROUTERS};
    use crate::transfer::Kind;

    /// What `netlab.sh selftest` finds by punching.
    #[test]
    fn direct_is_what_punching_reaches() {
        let direct = |a: usize, b: usize| {
            let cell = Cell { sender: ROUTERS[a], receiver: ROUTERS[b], runs: vec![] };
            if cell.best() == Kind::Direct { '+' } else { '-' }
        };
        let rows = [0, 1, 2, 3, 4, 5].map(|a| (0..6).map(|b| direct(a, b)).collect::<String>());
        assert_eq!(rows, ["++++--", "++++--", "+++---", "++----", "------", "------"]);
    }
}

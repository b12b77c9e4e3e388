//! The cases, all in one list: each bench runs those of its kind of path.

use std::time::Duration;

use crate::compare::case::{Case, Kind, Load, Path, Wan};

/// How long a line is shared: long enough for both to find their place after the first seconds.
const SHARED: Duration = Duration::from_secs(60);

/// What takes from 10 to 20 seconds at line rate, but for the cases that are about something else.
pub const CASES: &[Case] = &[
    here("loopback-1b", 1, 1),
    here("loopback-1g", 1, 1 << 30),
    here("loopback-10k-files", 10_000, 10 << 10),
    here("loopback-100k-files", 100_000, 1 << 10),
    Case { path: Path::Cable, ..wan("veth-1500", 0.0, 0.0, 0.0, 1 << 30) },
    wan("200mbit-50ms", 200.0, 50.0, 0.0, 300_000_000),
    wan("200mbit-50ms-loss1", 200.0, 50.0, 1.0, 300_000_000),
    wan("1gbit-50ms", 1000.0, 50.0, 0.0, 1_250_000_000),
    wan("1gbit-50ms-loss1", 1000.0, 50.0, 1.0, 1_250_000_000),
    queue(64_000, wan("100mbit-200ms-loss0.1-queue64k", 100.0, 200.0, 0.1, 150_000_000)),
    // A second of queue.
    Case {
        kind: Kind::Pinged,
        ..queue(2_500_000, wan("20mbit-30ms-bufferbloat", 20.0, 30.0, 0.0, 40_000_000))
    },
    // More than the line carries in the time that it is shared.
    Case { kind: Kind::Shared(SHARED), ..wan("100mbit-40ms-shared", 100.0, 40.0, 0.0, 800_000_000) },
    Case {
        load: Load { files: 10_000, bytes: 10 << 10 },
        ..wan("200mbit-50ms-10k-files", 200.0, 50.0, 0.0, 0)
    },
    wan("200mbit-50ms-1b", 200.0, 50.0, 0.0, 1),
];

const fn here(name: &'static str, files: u32, bytes: usize) -> Case {
    Case { name, path: Path::Loopback, load: Load { files, bytes }, kind: Kind::Transfer }
}

const fn wan(name: &'static str, rate_mbit: f64, rtt_ms: f64, loss_percent: f64, bytes: usize) -> Case {
    let path = Path::Wan(Wan { rate_mbit, rtt_ms, loss_percent, queue_bytes: None });
    Case { name, path, load: Load { files: 1, bytes }, kind: Kind::Transfer }
}

const fn queue(bytes: u64, mut case: Case) -> Case {
    if let Path::Wan(wan) = &mut case.path {
        wan.queue_bytes = Some(bytes);
    }
    case
}

//! What was seen of this machine and its local network.

use crate::doctor::judge::check;
use crate::doctor::observed::{Hearing, Multicast, Observed};
use crate::ui::{Check, Grade, text};

/// Open files that p2pcp needs, whatever it transfers: files are opened one after the other, not all at once. 10,000 files went
/// over loopback with 20; the rest is for sockets of many interfaces, servers and lanes.
const NEEDED_FILES: u64 = 64;

/// Receive buffer below which a fast line loses packets, in bytes as the kernel counts them.
const NEEDED_BUFFER: usize = 1 << 20;

/// The checks, in the order in which they are told.
pub(super) fn checks(observed: &Observed) -> Vec<Check> {
    vec![
        multicast(observed.multicast),
        rendezvous(observed.rendezvous),
        files(observed.open_files),
        buffer(observed.udp_buffer),
    ]
}

fn multicast(seen: Multicast) -> Check {
    let both = [("IPv4", seen.v4), ("IPv6", seen.v6)];
    let heard: Vec<&str> = both.into_iter().filter(|it| it.1 == Hearing::Heard).map(|it| it.0).collect();
    let check = match heard.as_slice() {
        [] if both.iter().all(|it| it.1 == Hearing::NotPossible) => check(
            "multicast",
            Grade::Skipped,
            "no network takes multicast packets: without a server peers meet on this machine only",
        ),
        [] => check(
            "multicast",
            Grade::Warning,
            "a multicast packet was sent and not heard: senders on this network may not be found",
        )
        .advise("allow UDP port 5353 (multicast DNS) in this machine's firewall"),
        heard => check(
            "multicast",
            Grade::Ok,
            format!("works over {}: senders on this network can be found", heard.join(" and ")),
        ),
    };
    check.with("ipv4", name(seen.v4)).with("ipv6", name(seen.v6))
}

fn name(hearing: Hearing) -> &'static str {
    match hearing {
        Hearing::NotPossible => "not-possible",
        Hearing::Silent => "silent",
        Hearing::Heard => "heard",
    }
}

fn rendezvous(seen: bool) -> Check {
    let check = match seen {
        true => {
            check("rendezvous", Grade::Ok, "one can be opened on this machine (TCP ports 21100 to 21999)")
        }
        false => check(
            "rendezvous",
            Grade::Warning,
            "none can be opened on this machine: nothing can be sent without a server",
        )
        .advise("see what holds the TCP ports 21100 to 21999"),
    };
    check.with("opened", seen)
}

fn files(seen: Option<u64>) -> Check {
    let check = match seen {
        None => check("open-files", Grade::Skipped, "the limit is not known here"),
        Some(u64::MAX) => check("open-files", Grade::Ok, "no limit"),
        Some(limit) if limit < NEEDED_FILES => {
            check("open-files", Grade::Warning, format!("the limit of {limit} is too low for transfers"))
                .advise("raise it: `ulimit -n 1024`")
        }
        Some(limit) => check(
            "open-files",
            Grade::Ok,
            format!("the limit of {limit} is enough, for 10,000 files as for one"),
        ),
    };
    check.with("limit", seen.filter(|it| *it != u64::MAX))
}

fn buffer(seen: Option<usize>) -> Check {
    let check = match seen {
        None => check("udp-buffer", Grade::Skipped, "what sockets are granted is not known here"),
        Some(bytes) if bytes < NEEDED_BUFFER => check(
            "udp-buffer",
            Grade::Warning,
            format!("{} are granted: fast transfers lose packets and are slower", shown(bytes)),
        )
        .advise("as root: `sysctl -w net.core.rmem_max=8388608 net.core.wmem_max=8388608`"),
        Some(bytes) => check("udp-buffer", Grade::Ok, format!("{} are granted", shown(bytes))),
    };
    check.with("bytes", seen)
}

fn shown(bytes: usize) -> String {
    text::bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}

//! How fast one machine sends to itself: the built `p2pcp`, two processes, real WebRTC over loopback,
//! hashing and commit included, against `cp -r` of the same tree in turn.
//!
//! `cargo bench --bench loopback` prints the table of `benches/README.md`. `P2PCP_BENCH_DIR` says where the
//! trees lie (a tmpfs by default, where there is one), `P2PCP_BENCH_ROUNDS` how often (5).

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

use crate::support::{code_of, folder, make_tree, median, p2pcp, pause, rounds};

const MIB: f64 = 1024.0 * 1024.0;

/// One tree: so many files of so many bytes.
struct Case {
    name: &'static str,
    files: u32,
    bytes: usize,
}

const CASES: &[Case] = &[
    Case { name: "1 byte", files: 1, bytes: 1 },
    Case { name: "1 file of 1 GiB", files: 1, bytes: 1 << 30 },
    Case { name: "10,000 files of 10 KiB", files: 10_000, bytes: 10 << 10 },
    Case { name: "100,000 files of 1 KiB", files: 100_000, bytes: 1 << 10 },
];

/// What one run took. Seconds are from `recv` started to `recv` ended; memory is each side's peak, in MiB.
#[derive(Clone, Copy)]
struct Run {
    seconds: f64,
    send_mib: f64,
    recv_mib: f64,
}

fn main() {
    let (folder, rounds) = (folder(), rounds());
    println!("| case | p2pcp s | MiB/s | peak MiB send / recv | cp -r s | p2pcp / cp |");
    println!("|---|---|---|---|---|---|");
    for case in CASES {
        let source = folder.join("source").join("tree");
        make_tree(&source, case.files, case.bytes);
        let (mut runs, mut copies) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            runs.push(transfer(&source, &folder.join("target")));
            copies.push(copy(&source, &folder.join("target")));
        }
        let seconds = median(runs.iter().map(|it| it.seconds));
        let cp = median(copies.into_iter());
        let total = f64::from(case.files) * case.bytes as f64 / MIB;
        println!(
            "| {} | {seconds:.2} | {:.0} | {:.0} / {:.0} | {cp:.2} | {:.1} |",
            case.name,
            total / seconds,
            median(runs.iter().map(|it| it.send_mib)),
            median(runs.iter().map(|it| it.recv_mib)),
            seconds / cp,
        );
        fs::remove_dir_all(&folder).expect("the bench's own folder can be removed");
    }
}

fn transfer(source: &Path, target: &Path) -> Run {
    fs::remove_dir_all(target).ok();
    let mut send =
        p2pcp(&["send".as_ref(), "--loopback".as_ref(), source.as_os_str()]).spawn().expect("p2pcp starts");
    let code = code_of(&mut send);
    let begun = Instant::now();
    let mut recv = p2pcp(&[
        "recv".as_ref(),
        "--loopback".as_ref(),
        "--yes".as_ref(),
        "--quiet".as_ref(),
        "--output".as_ref(),
        target.as_os_str(),
        code.as_ref(),
    ])
    .spawn()
    .expect("p2pcp starts");
    let (mut send_mib, mut recv_mib) = (0.0, 0.0);
    let status = loop {
        send_mib = peak_mib(&send).unwrap_or(send_mib);
        recv_mib = peak_mib(&recv).unwrap_or(recv_mib);
        if let Some(status) = recv.try_wait().expect("our own child") {
            break status;
        }
        pause();
    };
    let seconds = begun.elapsed().as_secs_f64();
    assert!(status.success(), "recv failed");
    assert!(send.wait().expect("our own child").success(), "send failed");
    Run { seconds, send_mib, recv_mib }
}

/// The most memory that a process has used, while it runs.
fn peak_mib(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

fn copy(source: &Path, target: &Path) -> f64 {
    fs::remove_dir_all(target).ok();
    let begun = Instant::now();
    let status = Command::new("cp").arg("-r").arg(source).arg(target).status().expect("cp starts");
    assert!(status.success(), "cp failed");
    begun.elapsed().as_secs_f64()
}

//! What resuming costs and saves: the built `p2pcp`, two processes, real WebRTC over loopback.
//!
//! `cargo bench --bench resume` prints the tables of `benches/README.md`: how long a transfer of 1 GiB that was
//! killed at 90 % takes to its first new byte, and what the journal costs against `--no-resume`, in turn. Set
//! `P2PCP_BENCH_DIR` to a folder on a disk to see what syncing costs.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use crate::support::{folder, make_tree, median, pause, rounds};

const BYTES: usize = 1 << 30;

fn main() {
    let (folder, rounds) = (folder(), rounds());
    let source = folder.join("source").join("tree");
    let target = folder.join("target");
    make_tree(&source, 1, BYTES);
    let (mut first, mut whole, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let here = interrupted(&source, &target);
        let (first_byte, end) = resumed(&source, &target, here);
        first.push(first_byte);
        whole.push(end);
        held.push(here as f64 / BYTES as f64 * 100.0);
    }
    println!("| here when it was killed, % | `recv` started to first new byte, s | to its end, s |");
    println!("|---|---|---|");
    let [held, first, whole] = [held, first, whole].map(|it| median(it.into_iter()));
    println!("| {held:.0} | {first:.2} | {whole:.2} |");
    println!();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        without.push(transfer(&source, &target, &["--no-resume"]));
        with.push(transfer(&source, &target, &[]));
    }
    let [with, without] = [with, without].map(|it| median(it.into_iter()));
    println!("| 1 GiB with a journal, s | without, s | journal costs, % |");
    println!("|---|---|---|");
    println!("| {with:.3} | {without:.3} | {:.1} |", (with / without - 1.0) * 100.0);
    fs::remove_dir_all(&folder).expect("the bench's own folder can be removed");
}

fn start(source: &Path, target: &Path, options: &[&str]) -> (Child, Child) {
    let mut send =
        p2pcp(&["send".as_ref(), "--loopback".as_ref(), source.as_os_str()]).spawn().expect("p2pcp starts");
    let code = code_of(&mut send);
    let mut recv = p2pcp(&["recv", "--loopback", "--yes", "--quiet", "--output"].map(AsRef::as_ref));
    let recv = recv.arg(target.join("")).args(options).arg(code).spawn().expect("p2pcp starts");
    (send, recv)
}

fn transfer(source: &Path, target: &Path, options: &[&str]) -> f64 {
    fs::remove_dir_all(target).ok();
    let begun = Instant::now();
    let (mut send, mut recv) = start(source, target, options);
    assert!(recv.wait().expect("our own child").success(), "recv failed");
    let seconds = begun.elapsed().as_secs_f64();
    assert!(send.wait().expect("our own child").success(), "send failed");
    seconds
}

/// Kills both sides when nine tenths are there; how much is.
fn interrupted(source: &Path, target: &Path) -> u64 {
    fs::remove_dir_all(target).ok();
    let (mut send, mut recv) = start(source, target, &[]);
    while staged_bytes(target) < (BYTES / 10 * 9) as u64 {
        pause();
    }
    for side in [&mut recv, &mut send] {
        side.kill().expect("our own child");
        side.wait().expect("our own child");
    }
    staged_bytes(target)
}

/// Seconds from the start of `recv` to the first byte beyond what was here, and to its end.
fn resumed(source: &Path, target: &Path, here: u64) -> (f64, f64) {
    let mut send =
        p2pcp(&["send".as_ref(), "--loopback".as_ref(), source.as_os_str()]).spawn().expect("p2pcp starts");
    let code = code_of(&mut send);
    let begun = Instant::now();
    let mut recv = p2pcp(&["recv", "--loopback", "--yes", "--quiet", "--output"].map(AsRef::as_ref));
    let mut recv = recv.arg(target.join("")).arg(code).spawn().expect("p2pcp starts");
    while staged_bytes(target) <= here && recv.try_wait().expect("our own child").is_none() {
        pause();
    }
    let first = begun.elapsed().as_secs_f64();
    assert!(recv.wait().expect("our own child").success(), "recv failed");
    let end = begun.elapsed().as_secs_f64();
    assert!(send.wait().expect("our own child").success(), "send failed");
    (first, end)
}

/// Bytes of the files in the stages of a receive folder.
fn staged_bytes(target: &Path) -> u64 {
    let stages = fs::read_dir(target).into_iter().flatten().flatten();
    let files = stages.filter_map(|it| fs::read_dir(it.path().join("data")).ok()).flatten().flatten();
    files.filter_map(|it| it.metadata().ok()).map(|it| it.len()).sum()
}

/// p2pcp with these arguments, with nothing configured.
fn p2pcp(arguments: &[&std::ffi::OsStr]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2pcp"));
    command.args(arguments).env_remove("SIGNALING_SERVER_ADDR").env_remove("STUN_SERVERS");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The code that `send` shows. The rest of what it says is read and dropped.
fn code_of(send: &mut Child) -> String {
    let stderr = BufReader::new(send.stderr.take().expect("piped above"));
    let (sender, code) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            if let Some(code) = line.strip_prefix("code: ") {
                sender.send(code.to_owned()).ok();
            }
        }
    });
    code.recv().expect("send shows a code")
}

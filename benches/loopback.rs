//! How fast one machine sends to itself: the built `p2pcp`, two processes, real WebRTC over loopback,
//! hashing and commit included, against `cp -r` of the same tree in turn.
//!
//! `cargo bench --bench loopback` prints the table of `benches/README.md`. `P2PCP_BENCH_DIR` says where the
//! trees lie (a tmpfs by default, where there is one), `P2PCP_BENCH_ROUNDS` how often (5).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

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
    let rounds = std::env::var("P2PCP_BENCH_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(5);
    let folder = std::env::var_os("P2PCP_BENCH_DIR").map_or_else(default_folder, PathBuf::from);
    let folder = folder.join(format!("p2pcp-bench-{}", std::process::id()));
    println!("| case | p2pcp s | MiB/s | peak MiB send / recv | cp -r s | p2pcp / cp |");
    println!("|---|---|---|---|---|---|");
    for case in CASES {
        let source = folder.join("source").join("tree");
        make_tree(&source, case);
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

fn default_folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// Fills a tree with bytes that do not compress, 500 files a folder.
fn make_tree(source: &Path, case: &Case) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = vec![0; case.bytes.min(1 << 20)];
    for number in 0..case.files {
        let parent = source.join(format!("{:03}", number / 500));
        fs::create_dir_all(&parent).expect("the bench folder can be written");
        let mut file = fs::File::create(parent.join(format!("{number}.bin"))).expect("as above");
        let mut left = case.bytes;
        while left > 0 {
            for byte in block.chunks_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                byte.copy_from_slice(&state.to_le_bytes()[..byte.len()]);
            }
            let part = left.min(block.len());
            file.write_all(&block[..part]).expect("the bench folder has room");
            left -= part;
        }
    }
}

fn p2pcp(arguments: &[&std::ffi::OsStr]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2pcp"));
    command.args(arguments).env_remove("SIGNALING_SERVER_ADDR").env_remove("STUN_SERVERS");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
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

/// The most memory that a process has used, while it runs.
fn peak_mib(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

#[expect(clippy::disallowed_methods, reason = "the one way to look at another process now and then")]
fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

fn copy(source: &Path, target: &Path) -> f64 {
    fs::remove_dir_all(target).ok();
    let begun = Instant::now();
    let status = Command::new("cp").arg("-r").arg(source).arg(target).status().expect("cp starts");
    assert!(status.success(), "cp failed");
    begun.elapsed().as_secs_f64()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

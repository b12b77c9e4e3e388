//! What benches share: trees, pauses, medians.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often each case runs.
pub fn rounds() -> u32 {
    std::env::var("P2PCP_BENCH_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(5)
}

/// A folder of this process's own for the trees.
pub fn folder() -> PathBuf {
    let folder = std::env::var_os("P2PCP_BENCH_DIR").map_or_else(default_folder, PathBuf::from);
    folder.join(format!("p2pcp-bench-{}", std::process::id()))
}

fn default_folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// Fills a tree with bytes that do not compress, 500 files a folder.
pub fn make_tree(source: &Path, files: u32, bytes: usize) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = vec![0; bytes.min(1 << 20)];
    for number in 0..files {
        let parent = source.join(format!("{:03}", number / 500));
        fs::create_dir_all(&parent).expect("the bench folder can be written");
        let mut file = fs::File::create(parent.join(format!("{number}.bin"))).expect("as above");
        let mut left = bytes;
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

/// Waits for a moment.
#[expect(clippy::disallowed_methods, reason = "the one way to look at another process now and then")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

/// The value in the middle, or the mean of the two that are.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(upper), 0) => (values[middle - 1] + upper) / 2.0,
        (Some(value), _) => *value,
        (None, _) => f64::NAN,
    }
}

//! Writes the packets that fuzzing begins with, one file each, into a folder per target.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let corpus = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("corpus"), PathBuf::from);
    let folder = corpus.join("packet");
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in rtc_sctp::fuzzing::packet_seeds() {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

//! The main job once, with nothing configured: sends this repository's `fixtures/trees` from one end of
//! p2pcp to the other on this machine, over real WebRTC, and checks what arrived.
//!
//! `cargo run --release --example quickstart`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use p2pcp::lan::Scope;
use p2pcp::send::Meeting;
use p2pcp::{Event, Receiver, Sender, recv, send};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/trees");
    let target = std::env::temp_dir().join(format!("p2pcp-quickstart-{}", std::process::id()));
    let begun = Instant::now();

    println!("$ p2pcp send {}", source.display());
    let mut options = send::Options::new([&source]);
    options.meeting = Meeting::Here(Scope::Loopback);
    let mut sending = Sender::new(options).start();
    let code = loop {
        match sending.next_event().await {
            Some(Event::Code { code, .. }) => break code,
            Some(Event::Failed { error, .. }) => return Err(error.into()),
            Some(_) => (),
            None => return Err("the sender ended without a code".into()),
        }
    };
    println!("$ p2pcp recv --yes --output {} {code}", target.display());
    let mut options = recv::Options::new(code, &target);
    options.meeting = Meeting::Here(Scope::Loopback);
    options.assume_yes = true;
    let receiving = Receiver::new(options).start();
    let (sent, received) = tokio::join!(sending.finish(), receiving.finish());
    println!("sender: {:?}, receiver: {:?}, {:?} in all", sent?, received?, begun.elapsed());

    let mut compared = 0;
    compare(&source, &target.join("trees"), &mut compared)?;
    fs::remove_dir_all(&target)?;
    println!("{compared} files and folders compared: identical");
    Ok(())
}

/// Fails unless both folders hold the same names, contents and link targets.
fn compare(left: &Path, right: &Path, compared: &mut u32) -> Result<(), Box<dyn Error>> {
    let names = |folder: &Path| -> Result<Vec<PathBuf>, Box<dyn Error>> {
        let mut names: Vec<_> = fs::read_dir(folder)?
            .map(|it| Ok(PathBuf::from(it?.file_name())))
            .collect::<std::io::Result<_>>()?;
        names.sort();
        Ok(names)
    };
    if names(left)? != names(right)? {
        return Err(format!("`{}` has other names than `{}`", right.display(), left.display()).into());
    }
    for name in names(left)? {
        let (left, right) = (left.join(&name), right.join(&name));
        let kind = fs::symlink_metadata(&left)?.file_type();
        let same = if kind.is_dir() {
            compare(&left, &right, compared)?;
            true
        } else if kind.is_symlink() {
            fs::read_link(&left)? == fs::read_link(&right)?
        } else {
            fs::read(&left)? == fs::read(&right)?
        };
        if !same {
            return Err(format!("`{}` differs", right.display()).into());
        }
        *compared += 1;
    }
    Ok(())
}

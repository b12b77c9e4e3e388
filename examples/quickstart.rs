//! The main job once, with nothing configured: sends this repository's `fixtures/trees` from one end of
//! p2pcp to the other on this machine, over real WebRTC, and checks what arrived.
//!
//! `cargo run --release --example quickstart`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use p2pcp::code::WordCount;
use p2pcp::fs::SinkOptions;
use p2pcp::lan::Scope;
use p2pcp::send::{Meeting, Routes};
use p2pcp::session::lasting::RECONNECT_FOR;
use p2pcp::ui::{Allowed, Reporter, Role, Style, Verbosity};
use p2pcp::{recv, send};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/trees");
    let target = std::env::temp_dir().join(format!("p2pcp-quickstart-{}", std::process::id()));
    let begun = Instant::now();

    let (code_shown, code_seen) = tokio::sync::oneshot::channel();
    let mut code_shown = Some(code_shown);
    let sender = send::Options {
        paths: vec![source.clone()],
        meeting: Meeting::Here(Scope::Loopback),
        routes: Routes::default(),
        words: WordCount::default(),
        reconnect_for: RECONNECT_FOR,
        lanes: None,
        again: String::new(),
    };
    let quiet = |role| {
        let verbosity = Verbosity::Quiet;
        Reporter::new(Style { role, verbosity, colour: Allowed::Never, motion: Allowed::Never })
    };
    let (at_sender, at_receiver) = (quiet(Role::Send), quiet(Role::Recv));
    println!("$ p2pcp send {}", source.display());
    let sending = send::run(sender, &at_sender, |code| {
        if let Some(code_shown) = code_shown.take() {
            code_shown.send(code.clone()).ok();
        }
    });
    let receiving = async {
        let code = code_seen.await?;
        println!("$ p2pcp recv --yes --output {} {code}", target.display());
        let receiver = recv::Options {
            code,
            meeting: Meeting::Here(Scope::Loopback),
            routes: Routes::default(),
            folder: target.clone(),
            sink: SinkOptions::default(),
            assume_yes: true,
            reconnect_for: RECONNECT_FOR,
            lanes: None,
            force: false,
            again: String::new(),
        };
        Ok::<_, Box<dyn Error>>(recv::run(receiver, &at_receiver).await?)
    };
    let (sent, received) = tokio::join!(sending, receiving);
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

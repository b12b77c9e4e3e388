//! Tells the program which commit it was built from, where that is known.
//!
//! Sets `P2PCP_VERSION`: the version, and in a clone of the repository the commit behind it. A package has no `.git` and
//! gets the version alone. Whether files were changed since the commit is not told: that would mean running this each time.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let version = env!("CARGO_PKG_VERSION");
    // A folder above may belong to another repository, whose commit says nothing about this one.
    let commit = Path::new(".git").exists().then(commit).flatten();
    match commit {
        Some(commit) => println!("cargo:rustc-env=P2PCP_VERSION={version} ({commit})"),
        None => println!("cargo:rustc-env=P2PCP_VERSION={version}"),
    }
}

/// The commit, as `d2d31a5c0ffe`. This runs again when `HEAD` moves, or what it points to.
fn commit() -> Option<String> {
    let mut watched = vec!["HEAD".to_owned(), "packed-refs".to_owned()];
    watched.extend(git(&["symbolic-ref", "--quiet", "HEAD"]));
    for name in watched {
        // A file that does not exist would count as changed each time.
        if let Some(path) = git(&["rev-parse", "--git-path", &name]).filter(|it| Path::new(it).exists()) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"]).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The first line that git says; nothing where there is no git, or it fails.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|it| it.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?.lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}

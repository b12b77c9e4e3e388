//! The import law of ARCHITECTURE.md, checked.
//!
//! One crate has no `Cargo.toml` between its layers, so the compiler cannot stop `session` from naming
//! `transport`. These tests can: they read `src/` as text.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, and the modules that it may name. Lowest layer first; a module may always name itself.
const LAW: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("crypto", &[]),
    ("code", &["wire"]),
    ("session", &["wire", "crypto"]),
    ("fs", &["wire"]),
    ("pack", &["wire"]),
    ("dial", &[]),
    ("transport", &["dial", "wire"]),
    ("signaling", &["dial", "wire"]),
    ("lan", &["wire"]),
    ("server", &["wire"]),
    ("event", &["wire", "code", "fs", "session", "transport"]),
    ("ui", &["wire", "code", "event", "fs", "session", "transport"]),
    ("interrupt", &[]),
    ("connect", &["wire", "crypto", "code", "dial", "session", "transport", "signaling", "lan"]),
    ("drive", &["wire", "session", "transport", "fs", "pack"]),
    (
        "error",
        &[
            "code",
            "connect",
            "dial",
            "event",
            "fs",
            "interrupt",
            "lan",
            "send",
            "server",
            "session",
            "signal",
            "signaling",
            "transport",
            "wire",
        ],
    ),
    ("transfer", &["error", "event", "fs", "interrupt", "session", "wire"]),
    ("reconnect", &["connect", "error", "event", "transfer", "transport"]),
    ("clean", &["error", "fs", "interrupt", "ui"]),
    ("dry_run", &["error", "fs", "interrupt", "ui", "wire"]),
    (
        "send",
        &[
            "code",
            "connect",
            "crypto",
            "dial",
            "drive",
            "error",
            "event",
            "fs",
            "lan",
            "reconnect",
            "server",
            "session",
            "signaling",
            "transfer",
            "transport",
            "wire",
        ],
    ),
    (
        "recv",
        &[
            "code",
            "connect",
            "crypto",
            "dial",
            "drive",
            "error",
            "event",
            "fs",
            "lan",
            "reconnect",
            "send",
            "session",
            "signaling",
            "transfer",
            "transport",
            "wire",
        ],
    ),
    ("signal", &["error", "fs", "interrupt", "server", "ui"]),
    ("doctor", &["dial", "error", "interrupt", "lan", "signaling", "transport", "ui", "wire"]),
    (
        "cli",
        &[
            "clean",
            "code",
            "connect",
            "dial",
            "doctor",
            "dry_run",
            "error",
            "event",
            "fs",
            "interrupt",
            "lan",
            "recv",
            "send",
            "session",
            "signal",
            "signaling",
            "transfer",
            "ui",
            "wire",
        ],
    ),
];

/// Text, and the only modules whose production code may hold it: outside crates behind one door each,
/// and what only the outer loops may do.
const DOORS: &[(&str, &[&str])] = &[
    ("clap::", &["cli"]),
    ("clap_complete::", &["cli"]),
    ("clap_mangen::", &["cli"]),
    ("etcetera::", &["cli"]),
    ("strsim::", &["cli"]),
    ("toml::", &["cli"]),
    ("dotenvy::", &["cli"]),
    ("ignore::", &["fs"]),
    ("zstd_safe::", &["pack"]),
    ("std::env::", &["cli", "main"]),
    ("std::process::", &["main", "ui"]),
    ("unsafe ", &["fs"]),
    ("unsafe_code, ", &["fs"]),
    ("webrtc::", &["transport"]),
    ("rtc::", &["doctor", "transport"]),
    ("rtc_sctp::", &["transport"]),
    ("rtc_stun::", &["server"]),
    ("rtc_crypto::", &["server"]),
    ("quinn_udp::", &["server"]),
    ("tokio_tungstenite::", &["server", "signaling"]),
    ("hyper::", &["dial", "server"]),
    ("hyper_util::", &["dial", "server"]),
    ("if_addrs::", &["doctor", "server", "transport"]),
    ("rustls::", &["dial", "server"]),
    ("tokio_rustls::", &["dial", "server"]),
    ("tokio_socks::", &["dial"]),
    ("mdns_sd::", &["lan"]),
    ("percent_encoding::", &["wire"]),
    ("indicatif::", &["ui"]),
    ("qrcode::", &["ui"]),
    ("rustyline::", &["ui"]),
    ("console::", &["ui"]),
    ("std::fs::", &["fs"]),
    ("tokio::fs::", &[]),
    ("curve25519_dalek::", &["crypto"]),
    ("aes_gcm::", &["crypto"]),
    ("getrandom::", &["connect", "doctor", "drive", "lan", "send", "server"]),
    (
        "Instant::now()",
        &[
            "connect",
            "doctor",
            "drive",
            "reconnect",
            "recv",
            "send",
            "server",
            "signaling",
            "transfer",
            "transport",
            "ui",
        ],
    ),
    ("SystemTime::now()", &["doctor", "fs", "ui"]),
    (
        "tokio::",
        &[
            "cli",
            "connect",
            "dial",
            "doctor",
            "drive",
            "interrupt",
            "lan",
            "clean",
            "dry_run",
            "main",
            "reconnect",
            "recv",
            "send",
            "server",
            "signal",
            "signaling",
            "transfer",
            "transport",
        ],
    ),
];

/// Files that decide with the time as an argument, inside modules that may read the clock.
const PURE_FILES: &[&str] = &[
    "server/rooms.rs",
    "server/reunions.rs",
    "server/talk.rs",
    "server/limits.rs",
    "server/relay/table.rs",
    "server/relay/requests.rs",
    "server/relay/data.rs",
    "server/relay/binding.rs",
    "server/relay/quota.rs",
    "server/relay/stranger.rs",
    "server/relay/credentials.rs",
    "server/relay/message.rs",
    "transport/memory.rs",
    "drive/bucket.rs",
    "doctor/observed.rs",
    "doctor/nat.rs",
    "doctor/judge.rs",
    "doctor/judge/network.rs",
    "doctor/judge/machine.rs",
];

/// Lines at which a file has become two. Longer ones say why in their head with this phrase.
const MAX_LINES: usize = 350;
const LONG_FOR_A_REASON: &str = "Longer than most files";

struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let source = |file: PathBuf| {
        let path = file.strip_prefix(&root).unwrap().to_owned();
        let stem = path.with_extension("");
        let module = stem.iter().next().unwrap().to_str().unwrap().to_owned();
        Source { text: fs::read_to_string(&file).unwrap(), path, module }
    };
    files.into_iter().map(source).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// Whether a file holds tests only.
fn is_test_file(path: &Path) -> bool {
    path.iter().any(|part| part.to_str().is_some_and(|it| it.contains("test")))
}

/// The file without comments and without its trailing test module.
fn production_text(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_follow_the_law() {
    let mut errors = Vec::new();
    for source in sources().iter().filter(|it| !["lib", "main"].contains(&it.module.as_str())) {
        if is_test_file(&source.path) {
            continue;
        }
        let Some((_, allowed)) = LAW.iter().find(|(name, _)| *name == source.module) else {
            errors.push(format!("{}: `{}` has no line in LAW", source.path.display(), source.module));
            continue;
        };
        for named in siblings(&production_text(&source.text)) {
            if named != source.module && !allowed.contains(&named.as_str()) {
                let path = source.path.display();
                errors.push(format!("{path}: `{}` must not name `{named}`", source.module));
            }
        }
    }
    assert!(errors.is_empty(), "\n{}\n\nSee ARCHITECTURE.md, \"Import law\".", errors.join("\n"));
}

#[test]
fn outside_crates_and_the_clock_stay_behind_their_doors() {
    let mut errors = Vec::new();
    for source in sources().iter().filter(|it| !is_test_file(&it.path)) {
        let text = production_text(&source.text);
        let pure = PURE_FILES.iter().any(|it| Path::new(it) == source.path);
        for (door, modules) in DOORS {
            let inside = modules.contains(&source.module.as_str());
            let allowed = inside && !(pure && *door == "Instant::now()");
            if names(&text, door) && !allowed {
                errors.push(format!("{}: `{door}` belongs in {modules:?}", source.path.display()));
            }
        }
    }
    assert!(errors.is_empty(), "\n{}\n\nSee ARCHITECTURE.md, \"Import law\".", errors.join("\n"));
}

/// The server has no name for a secret, so it cannot leak one.
#[test]
fn the_server_cannot_name_a_secret() {
    let (_, allowed) = LAW.iter().find(|(name, _)| *name == "server").unwrap();
    assert_eq!(*allowed, ["wire"]);
    assert!(!sources().iter().any(|it| it.module == "wire" && it.text.contains("crate::crypto")));
}

#[test]
fn no_file_grows_past_reading() {
    let long = sources().into_iter().filter(|it| it.text.lines().count() > MAX_LINES);
    let long: Vec<_> = long.filter(|it| !it.text.contains(LONG_FOR_A_REASON)).map(|it| it.path).collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines: {long:?}");
}

#[test]
fn every_file_says_first_what_it_owns() {
    let bare: Vec<_> =
        sources().into_iter().filter(|it| !it.text.starts_with("//! ")).map(|it| it.path).collect();
    assert!(bare.is_empty(), "no `//!` sentence at the top of {bare:?}");
}

/// Whether `text` holds `door` as a path of its own, not as the end of a longer name.
fn names(text: &str, door: &str) -> bool {
    text.match_indices(door).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// Every `x` in `crate::x`, and every top-level `x` in `crate::{x, y::{..}}`.
fn siblings(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(identifier(rest));
            continue;
        };
        let (mut depth, mut at_start) = (0_u32, true);
        for (index, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                c if at_start && !c.is_whitespace() => {
                    found.insert(identifier(&group[index..]));
                    at_start = false;
                }
                _ => (),
            }
        }
    }
    found.remove("");
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn the_law_sees_what_it_forbids() {
    let text = "use crate::{wire::peer, fs};\nlet x = crate::ui::text::bytes(1); // crate::server";
    let found: Vec<_> = siblings(&production_text(text)).into_iter().collect();
    assert_eq!(found, ["fs", "ui", "wire"]);
    assert!(names("use clap::Parser;", "clap::"));
    assert!(!names("use webrtc::x;", "rtc::"));
    assert!(!names("use crate::signal::clap::x;", "clap::"));
}

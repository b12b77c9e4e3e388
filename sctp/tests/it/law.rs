//! The rules of `sctp/src`, read as text: which module may name which, what nothing here may touch, and how a file looks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, and the modules that it may name. Lowest layer first; a module may always name itself.
///
/// `association`, `stream` and `endpoint` are one layer in three files: a stream is a handle on its association, and an
/// endpoint begins associations. `Violation` is in the root.
const LAW: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("ranges", &[]),
    ("message", &[]),
    ("control", &[]),
    ("config", &["wire"]),
    ("inbound", &["Violation", "message", "ranges", "wire"]),
    ("outbound", &["Violation", "control", "message", "ranges", "wire"]),
    ("stream", &["association", "message", "outbound"]),
    ("association", &["Violation", "config", "endpoint", "inbound", "message", "outbound", "stream", "wire"]),
    ("endpoint", &["association", "config", "wire"]),
    ("fuzzing", &[]),
];

/// Text, and the only modules whose production code may hold it. Time, datagrams and randomness for tags come from above
/// or from one place.
const DOORS: &[(&str, &[&str])] = &[
    ("Instant::now", &[]),
    ("SystemTime", &[]),
    ("std::net", &["endpoint"]),
    ("std::fs", &[]),
    ("std::io", &[]),
    ("std::thread", &[]),
    ("std::sync::Mutex", &[]),
    ("std::env", &[]),
    ("std::process", &[]),
    ("println!", &[]),
    ("eprintln!", &[]),
    ("rand::", &["association"]),
    ("crc32c::", &["wire"]),
    ("shared::", &["association", "endpoint", "message", "stream"]),
];

/// Modules that only tests and fuzzing build, wherever they are.
const FOR_TESTS: &[&str] = &["fuzzing", "simulation", "tests"];

/// Lines at which a file has become two.
const MAX_LINES: usize = 350;

struct Source {
    /// Below the package.
    path: PathBuf,
    text: String,
}

impl Source {
    /// The top-level module; nothing for tests and for the root.
    fn module(&self) -> Option<String> {
        let inside = self.path.strip_prefix("src").ok()?.with_extension("");
        let module = inside.iter().next()?.to_str()?.to_owned();
        (module != "lib").then_some(module)
    }

    /// The file without comments and without its trailing test module; nothing of files that are for tests only.
    fn production_text(&self) -> String {
        let stem = self.path.with_extension("");
        if stem.iter().any(|part| part.to_str().is_some_and(|part| FOR_TESTS.contains(&part))) {
            return String::new();
        }
        let code = self.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
    }
}

/// Every file of the package that is named by nobody but us.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "fuzz/src", "fuzz/fuzz_targets"] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let source = |file: PathBuf| Source {
        path: file.strip_prefix(root).unwrap().to_owned(),
        text: fs::read_to_string(&file).unwrap(),
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

#[test]
fn imports_only_go_down() {
    let mut errors = Vec::new();
    for source in sources() {
        let Some(module) = source.module() else { continue };
        let path = source.path.display();
        let Some((_, allowed)) = LAW.iter().find(|(name, _)| *name == module) else {
            errors.push(format!("{path}: `{module}` has no line in LAW"));
            continue;
        };
        for named in siblings(&source.production_text()) {
            if named != module && !allowed.contains(&named.as_str()) {
                errors.push(format!("{path}: `{module}` must not name `{named}`"));
            }
        }
    }
    assert!(errors.is_empty(), "\n{}", errors.join("\n"));
}

#[test]
fn the_world_stays_outside() {
    let mut errors = Vec::new();
    for source in sources() {
        let Some(module) = source.module() else { continue };
        let text = source.production_text();
        for (door, modules) in DOORS {
            if names(&text, door) && !modules.contains(&module.as_str()) {
                errors.push(format!("{}: `{door}` belongs in {modules:?}", source.path.display()));
            }
        }
    }
    assert!(errors.is_empty(), "\n{}", errors.join("\n"));
}

#[test]
fn every_file_says_first_what_it_owns_and_stays_readable() {
    let mut errors = Vec::new();
    for Source { path, text } in sources() {
        if !text.starts_with("//! ") {
            errors.push(format!("{}: no `//!` sentence at the top", path.display()));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            errors.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(errors.is_empty(), "\n{}", errors.join("\n"));
}

/// Whether `text` holds `door`, however it got there, and not as the end of a longer name.
fn names(text: &str, door: &str) -> bool {
    text.match_indices(door).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Every `x` in `crate::x`. Imports of several modules at once are not used here, and would be told.
fn siblings(text: &str) -> BTreeSet<String> {
    let identifier = |rest: &str| match rest.starts_with('{') {
        true => "{ several }".to_owned(),
        false => rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect(),
    };
    text.split("crate::").skip(1).map(identifier).collect()
}

#[test]
fn the_law_sees_what_it_forbids() {
    let path = PathBuf::from("src/wire/data.rs");
    let text = "use crate::control::rtt;\nlet x = crate::inbound::y(); // crate::endpoint\n\
                #[cfg(test)]\nmod tests {\n use crate::association::x; }";
    let source = Source { path, text: text.to_owned() };
    assert_eq!(source.module().as_deref(), Some("wire"));
    assert_eq!(siblings(&source.production_text()).into_iter().collect::<Vec<_>>(), ["control", "inbound"]);
    assert_eq!(siblings("use crate::{wire, control};").into_iter().collect::<Vec<_>>(), ["{ several }"]);
    assert!(names("std::time::Instant::now()", "Instant::now"));
    assert!(names("let x = rand::random();", "rand::"));
    assert!(!names("strand::x", "rand::"));
}

//! What the environment, `.env` and the config file say; the only reader of the environment.

use std::collections::HashMap;
use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::cli::config;
use crate::cli::options::{OPTIONS, Row};
use crate::cli::settings;
use crate::dial::Proxies;
use crate::error::Error;
use crate::fs;

/// Where a value was found, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The process's environment.
    Variable,
    /// The file `.env`.
    EnvFile,
    /// The config file.
    ConfigFile,
}

/// A value that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As it would be typed.
    pub text: String,
    /// Where.
    pub origin: Origin,
    /// Where, in words: a variable, or a file and its line.
    pub place: String,
    /// The variable was one of those that have other names than their options.
    aliased: bool,
}

/// The facts of the environment.
#[derive(Debug, Default)]
pub struct Environment {
    /// By the option's name.
    values: HashMap<&'static str, Found>,
    warnings: Vec<String>,
    colour: Option<bool>,
    dumb: bool,
    utf8: bool,
    proxy: Option<String>,
    no_proxy: String,
}

impl Environment {
    /// Reads variables and `.env`. A `.env` that does not exist is no news; one that cannot be understood is a warning.
    pub fn read() -> Self {
        let set = |name| variable(name).is_some_and(|it| !it.is_empty());
        let forced = variable("CLICOLOR_FORCE").is_some_and(|it| !it.is_empty() && it != "0");
        let mut read = Self {
            colour: match (set("NO_COLOR"), forced) {
                (true, _) => Some(false),
                (false, true) => Some(true),
                (false, false) => None,
            },
            dumb: variable("TERM").as_deref() == Some("dumb"),
            utf8: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(locale).is_some_and(|it| is_utf8(&it)),
            no_proxy: either_case("NO_PROXY").unwrap_or_default(),
            ..Self::default()
        };
        // Weaker places first: what comes later takes their place.
        for (name, value) in read.env_file() {
            read.take(&name, value, Origin::EnvFile);
        }
        for name in OPTIONS.iter().flat_map(|row| row.aliases) {
            if let Some(value) = variable(name) {
                read.take(name, value, Origin::Variable);
            }
        }
        for row in OPTIONS.iter().filter(|row| row.lasting.is_some()) {
            let name = row.variable();
            if let Some(text) = variable(&name).map(|it| it.trim().to_owned()) {
                let found = Found { text, origin: Origin::Variable, place: name, aliased: false };
                read.values.insert(row.name, found);
            }
        }
        read.proxy = ["HTTPS_PROXY", "ALL_PROXY"].iter().find_map(|name| {
            let url = either_case(name)?;
            let good = Proxies::always(&url).is_ok();
            if !good {
                read.warn(&format!("{name} is not the address of a proxy and was passed over"));
            }
            good.then_some(url)
        });
        if let Some(found) = read.found("port").cloned()
            && found.text.parse::<u16>().is_err()
        {
            read.warn(&format!("{} is not a port from 0 to 65535 and was passed over", found.place));
        }
        read
    }

    /// Reads the config file too, for what is said nowhere else. One that does not exist is no news.
    ///
    /// # Errors
    /// [`Error::Setting`] when it cannot be read or understood.
    pub fn with_config_file(mut self) -> Result<Self, Error> {
        let Some(path) = config_path() else { return Ok(self) };
        let shown = path.display().to_string();
        let unusable = |fault: String| Error::Setting {
            place: format!("`{shown}`"),
            fault,
            hint: settings::WHENCE.to_owned(),
        };
        let bytes = match fs::read_at_most(&path, config::MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(self),
            Err(error) => return Err(unusable(format!("it cannot be read: {error}"))),
        };
        let text = String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8".to_owned()))?;
        for entry in config::parse(&shown, &text)? {
            let place = config::place(&shown, entry.line);
            let found = Found { text: entry.text, origin: Origin::ConfigFile, place, aliased: false };
            self.values.entry(entry.name).or_insert(found);
        }
        Ok(self)
    }

    /// The pairs of `.env`, as far as they are understood.
    fn env_file(&mut self) -> Vec<(String, String)> {
        // Looked at before it is opened: opening a pipe would wait for its other end.
        if !is_ours(".env") {
            self.warn("`.env` here is not a file of yours and was passed over");
            return Vec::new();
        }
        let pairs = match dotenvy::from_path_iter(".env") {
            Ok(pairs) => pairs,
            Err(error) if error.not_found() => return Vec::new(),
            Err(_) => {
                self.warn("`.env` could not be read and was passed over");
                return Vec::new();
            }
        };
        let (understood, others): (Vec<_>, Vec<_>) = pairs.partition(Result::is_ok);
        if !others.is_empty() {
            self.warn("`.env` has a line that is not understood and was passed over");
        }
        understood.into_iter().flatten().collect()
    }

    /// Takes a variable with a name of its own. No others come from `.env`: whoever can write one here must not
    /// choose what we do with files.
    fn take(&mut self, name: &str, value: String, origin: Origin) {
        let place = match origin {
            Origin::EnvFile => format!("{name} in .env"),
            Origin::Variable | Origin::ConfigFile => name.to_owned(),
        };
        for row in OPTIONS.iter().filter(|row| row.aliases.contains(&name)) {
            let (text, place) = (value.trim().to_owned(), place.clone());
            self.values.insert(row.name, Found { text, origin, place, aliased: true });
        }
    }

    /// What is said of a setting.
    pub fn setting(&self, row: &Row) -> Option<&Found> {
        self.values.get(row.name)
    }

    fn found(&self, name: &str) -> Option<&Found> {
        self.values.get(name).filter(|it| !it.text.is_empty())
    }

    fn warn(&mut self, text: &str) {
        if !self.warnings.iter().any(|it| it == text) {
            self.warnings.push(text.to_owned());
        }
    }

    /// What could not be used.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// `NO_COLOR` (no-color.org) or else `CLICOLOR_FORCE` (bixense.com/clicolors) is set, not empty, and decides.
    pub fn colour(&self) -> Option<bool> {
        self.colour
    }

    /// `TERM=dumb`.
    pub fn dumb_terminal(&self) -> bool {
        self.dumb
    }

    /// Whether the locale's characters are UTF-8 (POSIX.1-2017 §8.2: the first of these variables that is not empty).
    pub fn utf8(&self) -> bool {
        self.utf8
    }

    /// The server, unless it is empty.
    pub fn server_host(&self) -> Option<(String, Origin)> {
        self.found("server").map(|it| (it.text.clone(), it.origin))
    }

    /// `SIGNALING_SERVER_PORT`, which belongs to `SIGNALING_SERVER_ADDR` alone.
    pub fn server_port(&self) -> Option<u16> {
        self.found("server").filter(|it| it.aliased)?;
        self.found("port").filter(|it| it.aliased)?.text.parse().ok()
    }

    /// Where `signal` listens.
    pub fn listen(&self) -> Option<&str> {
        self.found("listen").map(|it| it.text.as_str())
    }

    /// The port on which `signal` listens.
    pub fn listen_port(&self) -> Option<u16> {
        self.found("port")?.text.parse().ok()
    }

    /// The proxy of `HTTPS_PROXY`, else of `ALL_PROXY`, in capitals or small letters. They come from the process's
    /// environment alone: whoever can write a `.env` must not lead our connections elsewhere.
    pub fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }

    /// `NO_PROXY`.
    pub fn no_proxy(&self) -> &str {
        &self.no_proxy
    }

    /// TURN servers of the user's own; empty means none.
    pub fn turn_servers(&self) -> Option<&str> {
        self.values.get("turn-servers").map(|it| it.text.as_str())
    }
}

/// Where the config file is looked for: `P2PCP_CONFIG`, else below `XDG_CONFIG_HOME` or `~/.config`, on Windows in the
/// folder of roaming application data. `None` without a home, or when `P2PCP_CONFIG` is empty.
pub fn config_path() -> Option<PathBuf> {
    match std::env::var_os("P2PCP_CONFIG") {
        Some(path) => Some(PathBuf::from(path)).filter(|it| !it.as_os_str().is_empty()),
        None => Some(etcetera::choose_base_strategy().ok()?.config_dir().join("p2pcp").join("config.toml")),
    }
}

/// Whether nobody else can have put a file there to choose our server: it is absent, or a regular file
/// of this user or of root.
#[cfg(unix)]
fn is_ours(path: &str) -> bool {
    let Ok(stat) = rustix::fs::stat(path) else { return true };
    let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    regular && (stat.st_uid == rustix::process::geteuid().as_raw() || stat.st_uid == 0)
}

#[cfg(not(unix))]
fn is_ours(_: &str) -> bool {
    true
}

/// A variable that some write in small letters; an empty one is none.
fn either_case(name: &str) -> Option<String> {
    [name.to_ascii_lowercase(), name.to_owned()]
        .iter()
        .find_map(|it| variable(it).filter(|it| !it.is_empty()))
}

fn locale(name: &str) -> Option<String> {
    variable(name).filter(|it| !it.is_empty())
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

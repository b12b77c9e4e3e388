//! What the environment and `.env` say; each name once.

use std::collections::HashMap;

use crate::dial::Proxies;

/// The names that are taken from the environment, and from a `.env` in the working directory.
pub const NAMES: &[&str] = &[
    "SIGNALING_SERVER_ADDR",
    "SIGNALING_SERVER_PORT",
    "STUN_SERVERS",
    "TURN_SERVERS",
    "SIGNALING_TLS_CERT",
    "SIGNALING_TLS_KEY",
    "SIGNALING_TLS_CA",
];

/// Where a value was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The process's environment.
    Variable,
    /// The file `.env`.
    EnvFile,
}

/// The facts of the environment.
#[derive(Debug, Default)]
pub struct Environment {
    values: HashMap<&'static str, (String, Origin)>,
    warnings: Vec<String>,
    no_color: bool,
    dumb: bool,
    proxy: Option<String>,
    no_proxy: String,
}

impl Environment {
    /// Reads them. A `.env` that does not exist is no news; one that cannot be understood is a warning.
    pub fn read() -> Self {
        let mut read = Self {
            no_color: variable("NO_COLOR").is_some_and(|it| !it.is_empty()),
            dumb: variable("TERM").as_deref() == Some("dumb"),
            no_proxy: either_case("NO_PROXY").unwrap_or_default(),
            ..Self::default()
        };
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let pairs = is_ours(".env").then(|| dotenvy::from_path_iter(".env"));
        match pairs {
            None => read.warn("`.env` here is not a file of yours and was passed over"),
            Some(Ok(pairs)) => {
                for pair in pairs {
                    match pair {
                        Ok((name, value)) => read.take(&name, value, Origin::EnvFile),
                        Err(_) => read.warn("`.env` has a line that is not understood and was passed over"),
                    }
                }
            }
            Some(Err(error)) if error.not_found() => (),
            Some(Err(_)) => read.warn("`.env` could not be read and was passed over"),
        }
        for name in NAMES {
            if let Some(value) = variable(name) {
                read.take(name, value, Origin::Variable);
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
        if let Some(port) = read.value("SIGNALING_SERVER_PORT")
            && port.parse::<u16>().is_err()
        {
            read.warn("SIGNALING_SERVER_PORT is not a port from 0 to 65535 and was passed over");
        }
        read
    }

    fn take(&mut self, name: &str, value: String, origin: Origin) {
        if let Some(name) = NAMES.iter().find(|it| **it == name) {
            self.values.insert(name, (value.trim().to_owned(), origin));
        }
    }

    fn warn(&mut self, text: &str) {
        if !self.warnings.iter().any(|it| it == text) {
            self.warnings.push(text.to_owned());
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(value, _)| value.as_str())
    }

    /// What could not be used.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// `NO_COLOR` is set and not empty (no-color.org).
    pub fn no_color(&self) -> bool {
        self.no_color
    }

    /// `TERM=dumb`.
    pub fn dumb_terminal(&self) -> bool {
        self.dumb
    }

    /// `SIGNALING_SERVER_ADDR`, unless it is empty.
    pub fn server_host(&self) -> Option<(String, Origin)> {
        self.values.get("SIGNALING_SERVER_ADDR").filter(|(host, _)| !host.is_empty()).cloned()
    }

    /// `SIGNALING_SERVER_PORT`.
    pub fn server_port(&self) -> Option<u16> {
        self.value("SIGNALING_SERVER_PORT")?.parse().ok()
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

    /// `SIGNALING_TLS_CA`.
    pub fn tls_ca(&self) -> Option<&str> {
        self.value("SIGNALING_TLS_CA")
    }

    /// `SIGNALING_TLS_CERT` and `SIGNALING_TLS_KEY`.
    pub fn tls_files(&self) -> [Option<&str>; 2] {
        ["SIGNALING_TLS_CERT", "SIGNALING_TLS_KEY"].map(|name| self.value(name).filter(|it| !it.is_empty()))
    }

    /// `STUN_SERVERS`; empty means none.
    pub fn stun_servers(&self) -> Option<String> {
        self.value("STUN_SERVERS").map(str::to_owned)
    }

    /// `TURN_SERVERS`; empty means none.
    pub fn turn_servers(&self) -> Option<&str> {
        self.value("TURN_SERVERS")
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

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

//! Names of STUN servers become addresses while the peers meet, so that no internet costs no waiting.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::wire::signaling::IceServer;

/// Port of a STUN server when none is said (RFC 8489 §18.6).
const DEFAULT_PORT: u16 = 3478;

/// How much longer to wait for names, once everything else is ready.
const PATIENCE: Duration = Duration::from_millis(200);

/// Most servers that are asked.
const MAX_SERVERS: usize = 8;

/// Look-ups under way; dropping it ends them.
pub struct StunServers {
    lookups: JoinSet<Vec<IceServer>>,
}

impl StunServers {
    /// Starts to look up `servers`, each `host`, `host:port` or either behind `stun:`.
    pub fn look_up(servers: &[String]) -> Self {
        let mut all = Self { lookups: JoinSet::new() };
        for server in servers {
            all.add(server);
        }
        all
    }

    /// Looks up one more, until there are enough.
    pub fn add(&mut self, server: &str) {
        if self.lookups.len() >= MAX_SERVERS {
            return;
        }
        let server = with_port(server.trim().trim_start_matches("stun:"));
        self.lookups.spawn(async move {
            let addresses = tokio::net::lookup_host(&server).await;
            let mut addresses: Vec<_> = addresses.into_iter().flatten().collect();
            addresses.dedup_by_key(|it| it.is_ipv4());
            addresses.truncate(2);
            let server = |it: std::net::SocketAddr| IceServer {
                urls: vec![format!("stun:{it}")],
                username: None,
                credential: None,
            };
            addresses.into_iter().map(server).collect()
        });
    }

    /// What was found so far, waiting a moment for the rest.
    pub async fn found(mut self) -> Vec<IceServer> {
        let mut found = Vec::new();
        let collect = async {
            while let Some(result) = self.lookups.join_next().await {
                found.extend(result.unwrap_or_default());
            }
        };
        tokio::time::timeout(PATIENCE, collect).await.ok();
        found
    }
}

fn with_port(server: &str) -> String {
    let has_port = match server.rsplit_once(':') {
        Some((host, port)) => port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']')),
        None => false,
    };
    match (has_port, server.contains(':') && !server.starts_with('[')) {
        (true, _) => server.to_owned(),
        (false, true) => format!("[{server}]:{DEFAULT_PORT}"),
        (false, false) => format!("{server}:{DEFAULT_PORT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{StunServers, with_port};

    #[test]
    fn ports_are_added_where_none_is_said() {
        for (typed, meant) in [
            ("stun.example.org", "stun.example.org:3478"),
            ("stun.example.org:19302", "stun.example.org:19302"),
            ("192.0.2.1", "192.0.2.1:3478"),
            ("2001:db8::1", "[2001:db8::1]:3478"),
            ("[2001:db8::1]:99", "[2001:db8::1]:99"),
            ("[2001:db8::1]", "[2001:db8::1]:3478"),
        ] {
            assert_eq!(with_port(typed), meant);
        }
    }

    #[tokio::test]
    async fn addresses_need_no_resolver_and_nonsense_is_left_out() {
        let servers = StunServers::look_up(&["stun:127.0.0.1:9".to_owned(), "not a name".to_owned()]);
        let found = servers.found().await;
        assert_eq!(found.iter().map(|it| it.urls.concat()).collect::<Vec<_>>(), ["stun:127.0.0.1:9"]);
    }
}

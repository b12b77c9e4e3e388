//! HTTP and SOCKS proxies between here and a server: which one applies, and how it is asked to connect us.

mod ask;

use std::fmt;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use zeroize::Zeroizing;

use crate::dial::{BoxStream, DialError, Host, ProxyFault, Roots, connect, tls};

/// Which servers are reached through a proxy.
#[derive(Debug, Default)]
pub struct Proxies {
    proxy: Option<Proxy>,
    /// Whom `NO_PROXY` takes out; `None` when the person named a proxy for everything.
    unless: Option<Matcher>,
}

/// A text that names no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proxy looks like http://[user:password@]host:port or socks5h://host:port")]
pub struct ProxyUrlError;

impl Proxies {
    /// Everything goes through the proxy at `url`, also what is near; `none` for no proxy at all.
    ///
    /// # Errors
    /// [`ProxyUrlError`].
    pub fn always(url: &str) -> Result<Self, ProxyUrlError> {
        match url {
            "none" => Ok(Self::default()),
            url => Ok(Self { proxy: Some(Proxy::parse(url)?), unless: None }),
        }
    }

    /// Servers go through the proxy at `url`, but for those on this machine or on a private network and those that `no`
    /// lists, as `NO_PROXY` does: names with all below them, addresses, networks, `*`; separated by commas.
    ///
    /// # Errors
    /// [`ProxyUrlError`].
    pub fn for_far(url: &str, no: &str) -> Result<Self, ProxyUrlError> {
        let unless = Matcher::builder().https(url).no(no).build();
        Ok(Self { proxy: Some(Proxy::parse(url)?), unless: Some(unless) })
    }

    /// The proxy on the way to this server.
    pub(super) fn between(&self, host: &Host, port: u16) -> Option<&Proxy> {
        let proxy = self.proxy.as_ref()?;
        let Some(unless) = &self.unless else { return Some(proxy) };
        let uri = format!("https://{host}:{port}/").parse::<Uri>().ok()?;
        (!host.is_near() && unless.intercept(&uri).is_some()).then_some(proxy)
    }
}

/// How to talk to a proxy.
enum Kind {
    /// HTTP CONNECT (RFC 9110 §9.3.6), with TLS to the proxy itself or without.
    Http { tls: bool, authorization: Option<HeaderValue> },
    /// SOCKS version 5 (RFC 1928); names are resolved here or there.
    Socks { resolve_here: bool, login: Option<(String, Zeroizing<String>)> },
}

/// One proxy.
pub(super) struct Proxy {
    host: Host,
    port: u16,
    kind: Kind,
}

impl Proxy {
    fn parse(url: &str) -> Result<Self, ProxyUrlError> {
        let any = Uri::from_static("https://a/");
        let parsed = Matcher::builder().https(url).build().intercept(&any).ok_or(ProxyUrlError)?;
        let host = parsed.uri().host().and_then(Host::parse).ok_or(ProxyUrlError)?;
        let login =
            |it: &Intercept| it.raw_auth().map(|(name, word)| (name.to_owned(), word.to_owned().into()));
        let (kind, implied) = match parsed.uri().scheme_str() {
            Some("http") => (Kind::Http { tls: false, authorization: parsed.basic_auth().cloned() }, 80),
            Some("https") => (Kind::Http { tls: true, authorization: parsed.basic_auth().cloned() }, 443),
            Some("socks5") => (Kind::Socks { resolve_here: true, login: login(&parsed) }, 1080),
            Some("socks5h") => (Kind::Socks { resolve_here: false, login: login(&parsed) }, 1080),
            _ => return Err(ProxyUrlError),
        };
        // What follows the host and is no port was passed over by the library.
        let has_port = parsed.uri().authority().map(|it| it.as_str()) != parsed.uri().host();
        let port = match parsed.uri().port_u16() {
            Some(0) => return Err(ProxyUrlError),
            Some(port) => port,
            None if has_port => return Err(ProxyUrlError),
            None => implied,
        };
        Ok(Self { host, port, kind })
    }

    /// A stream to `host`, opened by this proxy.
    pub(super) async fn reach(&self, host: &Host, port: u16, roots: &Roots) -> Result<BoxStream, DialError> {
        let fault = |fault| DialError::Proxy(self.to_string(), fault);
        let away = |error: DialError| fault(ProxyFault::Unreachable(Box::new(error)));
        let stream: BoxStream = Box::new(connect::to(&self.host, self.port).await.map_err(away)?);
        match &self.kind {
            Kind::Http { tls, authorization } => {
                let stream = match tls {
                    true => tls::wrap(stream, &self.host, roots).await.map_err(away)?,
                    false => stream,
                };
                ask::http(stream, host, port, authorization.clone()).await.map_err(fault)
            }
            Kind::Socks { resolve_here, login } => {
                let target = match (host, resolve_here) {
                    (Host::Name(_), true) => {
                        let found = connect::resolve(host, port).await.map_err(DialError::Unresolved)?;
                        let first = found.front().ok_or(std::io::ErrorKind::NotFound);
                        let first = first.map_err(|kind| DialError::Unresolved(kind.into()))?;
                        Host::Address(first.ip(), 0)
                    }
                    _ => host.clone(),
                };
                let login = login.as_ref().map(|(name, word)| (name.as_str(), word.as_str()));
                ask::socks(stream, &target, port, login).await.map_err(fault)
            }
        }
    }
}

impl fmt::Display for Proxy {
    /// Without user name and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http { tls: false, .. } => "http",
            Kind::Http { tls: true, .. } => "https",
            Kind::Socks { resolve_here: true, .. } => "socks5",
            Kind::Socks { resolve_here: false, .. } => "socks5h",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Proxies, ProxyUrlError};
    use crate::dial::Host;

    fn through(proxies: &Proxies, host: &str) -> Option<String> {
        proxies.between(&Host::parse(host).unwrap(), 443).map(ToString::to_string)
    }

    #[test]
    fn proxies_are_understood_as_people_write_them() {
        for (text, shown) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("proxy.example:3128", "http://proxy.example:3128"),
            ("http://proxy.example/", "http://proxy.example:80"),
            ("https://user:secret@proxy.example", "https://proxy.example:443"),
            ("socks5://192.0.2.1", "socks5://192.0.2.1:1080"),
            ("socks5h://user:secret@[2001:db8::1]:9", "socks5h://[2001:db8::1]:9"),
        ] {
            let proxies = Proxies::always(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(through(&proxies, "example.org").as_deref(), Some(shown));
            assert!(!format!("{proxies:?}").contains("secret"), "{proxies:?}");
        }
        for text in ["", "ftp://a", "socks4://a", "http://", "a b", "http://a:99999"] {
            assert_eq!(Proxies::always(text).err(), Some(ProxyUrlError), "{text:?}");
        }
    }

    /// A proxy out of the environment is for the internet; one that the person names is for everything.
    #[test]
    fn what_is_near_and_what_no_proxy_lists_is_dialled_directly() {
        let proxies =
            Proxies::for_far("http://proxy:1", "inner.example, 203.0.113.0/24, 2001:db8::/32").unwrap();
        for direct in [
            "inner.example",
            "a.inner.example",
            "203.0.113.9",
            "[2001:db8::7]",
            "127.0.0.1",
            "10.0.0.1",
            "nas.local",
            "localhost",
        ] {
            assert_eq!(through(&proxies, direct), None, "{direct}");
        }
        for far in ["example.org", "notinner.example", "198.51.100.1", "[2001:db9::1]"] {
            assert!(through(&proxies, far).is_some(), "{far}");
        }
        assert_eq!(through(&Proxies::for_far("http://proxy:1", "*").unwrap(), "example.org"), None);
        assert!(through(&Proxies::always("http://proxy:1").unwrap(), "127.0.0.1").is_some());
        assert_eq!(through(&Proxies::always("none").unwrap(), "example.org"), None);
        assert_eq!(through(&Proxies::default(), "example.org"), None);
    }
}

//! The server's end of TLS: one certificate chain and its key, which can be replaced while the server runs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// Protocols that clients may ask for by ALPN: WebSocket's, and TURN's (RFC 7443 §3).
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"stun.turn"];

/// Most certificates in a chain.
const MOST_IN_CHAIN: usize = 16;

/// Why a certificate and a key do not make a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// There is no PEM certificate.
    #[error("there is no certificate in it that can be used")]
    Certificate,
    /// There is no PEM private key.
    #[error("there is no private key in it that can be used")]
    Key,
    /// They do not belong together, or are of a kind that we do not know.
    #[error("certificate and key do not fit each other, or cannot be used")]
    Pair(#[source] rustls::Error),
}

/// TLS with a certificate. Cheap to clone; all clones show the same certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
}

impl Tls {
    /// TLS 1.2 or 1.3 with the chain in `certificate`, the server's own first, and its private `key`: both PEM.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let shown = Arc::new(Shown(RwLock::new(pair(certificate, key)?)));
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().map_err(TlsError::Pair)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::<Shown>::clone(&shown));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), shown })
    }

    /// Shows another certificate from now on; connections that are open go on.
    ///
    /// # Errors
    /// [`TlsError`]; the one before stays.
    pub fn replace(&self, certificate: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let pair = pair(certificate, key)?;
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

fn pair(certificate: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).take(MOST_IN_CHAIN).collect();
    let chain = chain.ok().filter(|it| !it.is_empty()).ok_or(TlsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map(Arc::new).map_err(TlsError::Pair)
}

/// The certificate of the day.
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown(..)")
    }
}

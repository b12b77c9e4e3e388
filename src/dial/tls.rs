//! The client's end of TLS: whom it believes, and what a failed handshake says.

use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::dial::{BoxStream, DialError, Host};

/// Whose certificates are believed: the web's, and those that the person named.
#[derive(Clone, Default)]
pub struct Roots {
    extra: Arc<Vec<CertificateDer<'static>>>,
}

/// Most certificates of one's own that are read.
const MOST_EXTRA: usize = 1024;

impl Roots {
    /// The web's roots, and each certificate in `pem`: an authority's, or a server's own. A server that shows one of these
    /// very certificates is believed whatever else the certificate says, since whoever named it means this server:
    /// `openssl req -x509` makes one that is its own authority, without a name that anybody checks.
    ///
    /// `None` when there is no certificate in it, or one that is none.
    pub fn with(pem: &[u8]) -> Option<Self> {
        let extra: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).take(MOST_EXTRA).collect();
        let extra = extra.ok().filter(|it| !it.is_empty())?;
        let mut store = RootCertStore::empty();
        extra.iter().try_for_each(|it| store.add(it.clone())).ok()?;
        Some(Self { extra: Arc::new(extra) })
    }

    /// The provider is named here so that no other dependency's choice matters.
    fn config(&self) -> Result<ClientConfig, rustls::Error> {
        let mut store = RootCertStore::empty();
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for certificate in self.extra.iter() {
            store.add(certificate.clone())?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone());
        let web = verifier.build().map_err(|error| rustls::Error::General(error.to_string()))?;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let known = Arc::new(Known { web, extra: Arc::clone(&self.extra) });
        Ok(builder.dangerous().with_custom_certificate_verifier(known).with_no_client_auth())
    }
}

/// The usual verifier, before which a certificate that the person named is known.
#[derive(Debug)]
struct Known {
    web: Arc<WebPkiServerVerifier>,
    extra: Arc<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.extra.contains(end_entity) {
            true => Ok(ServerCertVerified::assertion()),
            false => self.web.verify_server_cert(end_entity, intermediates, name, ocsp, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.web.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.web.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
    }
}

/// Speaks TLS over `stream` with `host`, or nobody.
pub(super) async fn wrap(stream: BoxStream, host: &Host, roots: &Roots) -> Result<BoxStream, DialError> {
    let config = roots.config().map_err(|error| DialError::Untrusted(io::Error::other(error)))?;
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()),
        Host::Address(address, _) => Ok(ServerName::from(*address)),
    };
    let name = name.map_err(|error| DialError::Untrusted(io::Error::other(error)))?;
    match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(_)) => DialError::Untrusted(error),
            Some(_) => DialError::NotTls,
            None => DialError::Lost,
        }),
    }
}

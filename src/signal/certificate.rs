//! The certificate of a server, read from its files and read again when they change.
//!
//! Who has a certificate from an authority has another one every few weeks; the server must not have to be restarted,
//! which would end every room.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{self, MissedTickBehavior};

use crate::error::Error;
use crate::fs::read_settings;
use crate::server::tls::{Tls, TlsError};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(60);

/// Where a certificate chain and its key are, PEM both. They may be one file.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A certificate that follows its files.
pub(super) struct Certificate {
    files: TlsFiles,
    read: [Vec<u8>; 2],
    pub(super) tls: Tls,
}

impl Certificate {
    /// Reads it for the first time.
    pub(super) fn read(files: TlsFiles) -> Result<Self, Error> {
        let read = files.read()?;
        let tls = Tls::new(&read[0], &read[1]).map_err(|error| files.fault(error))?;
        Ok(Self { files, read, tls })
    }

    /// Reads it again and again, and has it replaced when it changed. Never ends. What cannot be used is told of once,
    /// and the one before is shown on: a half-written file is whole a minute later.
    pub(super) async fn follow(mut self) {
        let mut look = time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = false;
        loop {
            look.tick().await;
            match self.look() {
                Ok(true) => log::debug!("another certificate is shown from now on"),
                Ok(false) => {}
                Err(_) if told => continue,
                Err(error) => {
                    log::warn!(
                        "{error}; the one from before is shown on: {}",
                        error.cause().unwrap_or_default()
                    );
                    told = true;
                    continue;
                }
            }
            told = false;
        }
    }

    /// Whether there was another one, which is shown now.
    fn look(&mut self) -> Result<bool, Error> {
        let read = self.files.read()?;
        if read == self.read {
            return Ok(false);
        }
        self.tls.replace(&read[0], &read[1]).map_err(|error| self.files.fault(error))?;
        self.read = read;
        Ok(true)
    }
}

impl TlsFiles {
    fn read(&self) -> Result<[Vec<u8>; 2], Error> {
        let read = |path| read_settings(path).map_err(|error| Error::tls_file(path, error));
        Ok([read(&self.certificate)?, read(&self.key)?])
    }

    fn fault(&self, error: TlsError) -> Error {
        let path = match error {
            TlsError::Key => &self.key,
            _ => &self.certificate,
        };
        Error::tls_file(path, io::Error::other(error))
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificate, TlsFiles};

    #[test]
    fn a_certificate_that_changed_is_shown_and_one_that_is_broken_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let files =
            TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let renew = || {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            std::fs::write(&files.certificate, made.cert.pem()).unwrap();
            std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        };
        assert!(Certificate::read(files.clone()).is_err(), "there is none");
        renew();
        let mut certificate = Certificate::read(files.clone()).ok().unwrap();
        assert!(matches!(certificate.look(), Ok(false)));
        renew();
        assert!(matches!(certificate.look(), Ok(true)));
        assert!(matches!(certificate.look(), Ok(false)));
        std::fs::write(&files.key, "nonsense").unwrap();
        assert!(certificate.look().is_err());
        renew();
        assert!(matches!(certificate.look(), Ok(true)));
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&files.key, other.signing_key.serialize_pem()).unwrap();
        assert!(certificate.look().is_err(), "another's key");
    }
}

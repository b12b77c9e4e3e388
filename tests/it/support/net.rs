//! Addresses on loopback that behave as a test needs.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// A port of 127.0.0.1 that refuses every connection and that nobody else gets.
pub struct ClosedPort {
    _bound: OwnedFd,
    number: u16,
}

impl ClosedPort {
    /// Takes a free port without ever listening on it.
    pub fn new() -> Self {
        let bound = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&bound, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = SocketAddr::try_from(getsockname(&bound).unwrap()).unwrap();
        Self { _bound: bound, number: address.port() }
    }

    /// Its number, as text.
    pub fn number(&self) -> String {
        self.number.to_string()
    }

    /// The server that is not there.
    pub fn server(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}

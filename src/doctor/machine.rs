//! What this machine grants: open files, socket buffers, a port for the rendezvous inside `send`.

use std::collections::HashSet;

use crate::lan::{self, Scope};
use crate::transport;

/// What was granted.
pub(super) struct Machine {
    pub(super) rendezvous: bool,
    pub(super) open_files: Option<u64>,
    pub(super) udp_buffer: Option<usize>,
}

/// Looks, and leaves nothing open.
pub(super) fn look(random: impl FnMut() -> u64) -> Machine {
    Machine {
        rendezvous: lan::bind(Scope::Lan, &HashSet::new(), random).is_ok(),
        open_files: open_files(),
        udp_buffer: transport::udp_buffer_bytes(),
    }
}

/// `u64::MAX` where there is no limit.
#[cfg(unix)]
fn open_files() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    Some(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

#[cfg(not(unix))]
fn open_files() -> Option<u64> {
    None
}

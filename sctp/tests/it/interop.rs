//! Our engine and other makes of the protocol, over a path of a fake clock.
//!
//! Some MiB with every `cargo test`; a GiB each way with
//! `INTEROP_MIB=1024 cargo test --release --manifest-path sctp/Cargo.toml --test it interop::volume`.

mod messages;
mod streams;
mod volume;

use std::time::Duration;

use crate::support::dcsctp::DcSctp;
use crate::support::network::Driver;
use crate::support::ours::Ours;
use crate::support::path::Line;
use crate::support::peer::{Peer, Role, Settings};
use crate::support::registry::Registry;
use crate::support::scene::Scene;

/// The other make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    /// The package whose place we take.
    Registry,
    /// dcSCTP as it comes.
    DcSctp,
    /// dcSCTP as Chromium has it.
    Browser,
}

const OTHERS: [Other; 3] = [Other::Registry, Other::DcSctp, Other::Browser];

/// Long enough for what is sent here over a line that loses one packet in fifty.
const PATIENCE: Duration = Duration::from_secs(600);

/// Ours is end 0, in this role; the line is the same both ways.
fn scene(other: Other, role: Role, line: Line, seed: u64) -> Scene {
    let settings = Settings::default();
    let theirs = if role == Role::Client { Role::Server } else { Role::Client };
    let other: Box<dyn Peer> = match other {
        Other::Registry => Box::new(Registry::new(theirs, settings)),
        Other::DcSctp => Box::new(DcSctp::new(theirs, settings)),
        Other::Browser => Box::new(DcSctp::like_a_browser(settings)),
    };
    Scene::new([Box::new(Ours::new(role, settings)), other], [line; 2], Driver::REAL, seed)
}

/// 100 Mbit/s and 10 ms. The MTU is that of loopback, since the registry's acknowledgements can be longer than a packet.
fn line() -> Line {
    Line { mtu: 65_535, ..Line::clean(12_500_000, Duration::from_millis(5)) }
}

/// The same, and one packet in fifty is lost.
fn bad_line() -> Line {
    line().losing(20)
}

/// Runs with each other make, in both roles.
fn with_others(run: impl Fn(Other, Role)) {
    for other in OTHERS {
        for role in [Role::Client, Role::Server] {
            println!("ours as {role:?} and {other:?}");
            run(other, role);
        }
    }
}

/// The workspace puts this package in the place of the registry's; the tests need the registry's as well.
#[test]
fn the_other_package_is_not_ours() {
    use std::any::TypeId;
    assert_ne!(TypeId::of::<registry_sctp::Endpoint>(), TypeId::of::<rtc_sctp::Endpoint>());
}

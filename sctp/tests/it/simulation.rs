//! Our engine over modelled paths: what it promises, held over many seeds.
//!
//! A few dozen seeds run with every `cargo test`; thousands with `SIMULATION_SEEDS=5000`. A failing one prints the
//! line that tries it again.

mod closing;
mod delivery;
mod memory;
mod packet_size;
mod partial;
mod throughput;

use std::time::Duration;

use crate::support::network::Driver;
use crate::support::ours::Ours;
use crate::support::path::Line;
use crate::support::peer::{Channel, Effort, Order, Peer, Role, Settings};
use crate::support::scene::Scene;

/// Long enough for an hour of bad luck; a run that is stuck never ends by itself.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Long enough for a handshake over a bad line.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(120);

/// How long the last packets may take where not more than one in ten is lost: three timeouts of a second, each twice the
/// one before.
const TAIL: Duration = Duration::from_secs(7);

/// A channel that delivers everything as it comes.
const UNORDERED: Channel = Channel { order: Order::Unordered, effort: Effort::Reliable };

fn ours(settings: Settings) -> [Box<dyn Peer>; 2] {
    [Box::new(Ours::new(Role::Client, settings)), Box::new(Ours::new(Role::Server, settings))]
}

/// Two ends of ours with the usual settings.
fn scene(lines: [Line; 2], driver: Driver, seed: u64) -> Scene {
    Scene::new(ours(Settings::default()), lines, driver, seed)
}

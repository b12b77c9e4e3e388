//! Which seeds a property is tried with, and how to try a failing one again.

use std::env;

/// Runs a property over `usual` seeds, over `SIMULATION_SEEDS` of them, or with `SIMULATION_SEED` alone.
pub fn over_seeds(usual: u64, name: &str, property: impl Fn(u64)) {
    let seeds = match (number("SIMULATION_SEED"), number("SIMULATION_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(usual),
    };
    for seed in seeds {
        let _told = Told { name, seed };
        property(seed);
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

/// Tells of the seed when the property fails.
struct Told<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "again with: SIMULATION_SEED={} cargo test --manifest-path sctp/Cargo.toml --test it {}",
                self.seed, self.name
            );
        }
    }
}

//! Which SCTP lies under WebRTC, and so how many lanes help.
//!
//! p2pcp carries an SCTP of its own that a build can put under `webrtc`. Where that was not done, as in
//! an installation from a registry, the stock one is there: over distance one of its associations moves
//! little, and several move much more.

use crate::transport::grounds::Reach;
use crate::wire::lanes::MAX_LANES;

/// What the stock engine is, unless the one below says otherwise.
#[allow(dead_code, reason = "shadowed where our own engine is below")]
const PROBES_PATH_MTU: bool = false;

/// An SCTP implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// The one that p2pcp carries.
    Own,
    /// The one that `webrtc` comes with.
    Stock,
}

impl Engine {
    /// The one in this program.
    pub(super) const HERE: Self = if own_sctp() { Self::Own } else { Self::Stock };

    /// Lanes that fill a line, for whoever sends on a machine with so many cores.
    ///
    /// Our own engine fills it with one, and a core: more need cores, and leave some to hashing and
    /// writing. The stock engine does too where nothing is lost; but when one of its lanes hangs, the
    /// others go on. Measured at 200 Mbit/s over 50 ms where one packet of 5,000 is lost: 3 MiB/s with one
    /// lane, 10 with four, 14 with eight. Inside one host they gain less than they cost.
    pub(super) fn lanes(self, reach: Reach, cores: usize) -> u8 {
        let most = match (self, reach) {
            (Self::Own, _) if cores > 2 => Self::threads(cores),
            (Self::Stock, Reach::Everywhere) => usize::from(MAX_LANES),
            (Self::Own | Self::Stock, _) => 1,
        };
        u8::try_from(most).unwrap_or(MAX_LANES)
    }

    /// Threads for further lanes. Two cores are busy enough with one, which is faster than a pool there.
    pub(super) fn threads(cores: usize) -> usize {
        if cores > 2 { (cores / 2).min(4) } else { 0 }
    }

    /// Bytes that a channel may hold before it has no room.
    ///
    /// Our own engine counts what it has not sent yet and bounds the rest by the windows; this much keeps it busy for
    /// 17 ms at 1 Gbit/s. More is read back from memory that the processor's caches have lost: with 32 MiB a transfer
    /// over a near Ethernet took 3 % longer. The stock engine counts what is not acknowledged, and is held back before
    /// (`transport::spread`).
    pub(super) fn send_buffer_bytes(self) -> usize {
        match self {
            Self::Own => 2 << 20,
            Self::Stock => 4 << 20,
        }
    }

    /// Whether more than a line takes must not be given to it: see `transport::spread`.
    pub(super) fn needs_care(self, reach: Reach) -> bool {
        self == Self::Stock && reach == Reach::Everywhere
    }
}

/// A glob import inside a body shadows a constant outside of it, if it brings one of the same name.
const fn own_sctp() -> bool {
    #[allow(unused_imports, reason = "only our own engine has the name")]
    use rtc_sctp::*;
    PROBES_PATH_MTU
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What is published leaves our own engine out, so that this is asked of both (`tools/registry-test.sh`).
    #[test]
    fn the_engine_is_our_own_where_its_sources_are_and_the_stock_one_elsewhere() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("sctp/Cargo.toml");
        assert_eq!(Engine::HERE, if sources.exists() { Engine::Own } else { Engine::Stock });
    }

    #[test]
    fn our_own_engine_needs_one_lane_on_two_cores_and_more_on_more() {
        let lanes = |cores| Engine::Own.lanes(Reach::Everywhere, cores);
        assert_eq!([1, 2, 3, 4, 6, 8, 64].map(lanes), [1, 1, 1, 2, 3, 4, 4]);
    }

    #[test]
    fn the_stock_engine_needs_several_over_distance() {
        assert_eq!(Engine::Stock.lanes(Reach::Everywhere, 1), MAX_LANES);
        assert_eq!(Engine::Stock.lanes(Reach::SameHost, 64), 1);
    }
}

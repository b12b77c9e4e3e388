//! What is measured: cases, the paths they take, and what is sent along them.

use std::fmt;
use std::time::Duration;

/// One line of work: this load along this path.
pub struct Case {
    pub name: &'static str,
    pub path: Path,
    pub load: Load,
    pub kind: Kind,
}

/// Between the two hosts.
#[derive(Clone, Copy)]
pub enum Path {
    /// One machine, its loopback interface.
    Loopback,
    /// Two network namespaces, a virtual cable, packets of 1500 bytes, no delay and no limit.
    Cable,
    /// Two network namespaces and the emulator between them.
    Wan(Wan),
}

/// A long path. Rate, loss and queue are those of each direction.
#[derive(Clone, Copy)]
pub struct Wan {
    pub rate_mbit: f64,
    /// There and back.
    pub rtt_ms: f64,
    pub loss_percent: f64,
    /// Bytes before the bottleneck; one bandwidth-delay product, at least 64 KB, when nothing is said.
    pub queue_bytes: Option<u64>,
}

/// So many files of so many bytes.
#[derive(Clone, Copy)]
pub struct Load {
    pub files: u32,
    pub bytes: usize,
}

/// What is done with the load.
pub enum Kind {
    /// It is carried from one side to the other, nothing else is going on.
    Transfer,
    /// The same, and pings say how long the queue became.
    Pinged,
    /// It is carried beside something else for so long, and the line is shared.
    Shared(Duration),
}

impl Wan {
    /// The queue as the emulator is told it.
    pub fn queue(&self) -> u64 {
        // Rate in Mbit/s and time in ms: a thousand bits a unit of the product.
        let product = (self.rate_mbit * self.rtt_ms * 1000.0 / 8.0) as u64;
        self.queue_bytes.unwrap_or(product.max(64_000))
    }
}

impl Load {
    pub fn total(&self) -> u64 {
        u64::from(self.files) * self.bytes as u64
    }
}

impl Path {
    /// Bits a second, where there is a limit.
    pub fn line_rate(&self) -> Option<f64> {
        match self {
            Path::Wan(wan) => Some(wan.rate_mbit * 1e6),
            Path::Loopback | Path::Cable => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Loopback => write!(formatter, "loopback"),
            Path::Cable => write!(formatter, "a virtual cable, packets of 1500 bytes"),
            Path::Wan(wan) => write!(
                formatter,
                "{} Mbit/s, {} ms round trip, {} % loss each way, queue {:.0} KB",
                wan.rate_mbit,
                wan.rtt_ms,
                wan.loss_percent,
                wan.queue() as f64 / 1e3
            ),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.files {
            1 => write!(formatter, "1 file of {} bytes", self.bytes),
            files => write!(formatter, "{files} files of {} bytes", self.bytes),
        }
    }
}

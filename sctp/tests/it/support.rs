//! What the tests are made of: ends, the path between them, and what is sent over it.

pub mod dcsctp;
pub mod heap;
pub mod network;
pub mod ours;
pub mod path;
pub mod peer;
pub mod registry;
#[allow(dead_code, reason = "the generator of the other package's tests, which use more of it")]
#[path = "../../../tests/it/support/rng.rs"]
pub mod rng;
pub mod scene;
pub mod seeds;
pub mod traffic;
pub mod witness;

//! Two whole ends over a modelled path, without sockets and without a clock: all integration tests of this package.
//!
//! `simulation` holds our engine to its promises over many seeds; `interop` lets it talk with other makes;
//! `law` reads the source.

mod interop;
mod law;
mod simulation;
mod support;

//! Faults made to real processes and real disks: whatever happens, no byte is lost and none is wrong.
//!
//! A short run of each harness belongs to the suite; the long runs are one command each, named in the
//! files. All traffic stays on the loopback interface.

mod damage;
mod disks;
mod interrupted;
mod kill;
mod lanes;
mod reconnect;
mod signals;
mod source;

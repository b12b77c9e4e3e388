//! The built p2pcp, run as processes that transfer real files over real WebRTC on loopback.

mod choosing;
mod codes;
mod conflicts;
mod consent;
mod disks;
mod ends;
mod entries;
mod many;
mod names;
mod output;
mod own_codes;
mod pace;
mod packed;
mod passed_over;
mod selection;
mod servers;
mod settings;
mod streams;
mod text;
mod verify;
mod wait;

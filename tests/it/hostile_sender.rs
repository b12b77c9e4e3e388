//! A hostile sender against the real receiver: state machine, loop, threads and file system.
//!
//! Each case plays a script over a link in memory while the receive folder lies in a tree of canaries.
//! Whatever the script says, nothing outside the receive folder changes and nothing that was in it
//! does, and the session ends: by a violation that names the fault, or by refusing the one entry.
//!
//! ```text
//! raw     bytes that no honest p2pcp would encode      names   names alone, of the lists in lists
//! scene   the canaries, the receiver, the script       taken   names that the receive folder has already
//!                                                      links   links, and writing through them
//!                                                      offers  what was offered is all that comes
//!                                                      lies    sizes, counts, numbers and turns
//!                                                      flood   memory, in a process of its own
//!                                                      deaf    a peer that never reads
//! ```

mod deaf;
mod flood;
mod lies;
mod links;
mod lists;
mod names;
mod offers;
mod raw;
mod scene;
mod taken;

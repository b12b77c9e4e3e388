//! Control frames built by hand, so that they can say what no value of `p2pcp::wire` can.
//!
//! The layout is that of `docs/PROTOCOL.md`: bincode, fixed-width integers, little endian; a string or
//! list is a u64 count and its items, a variant its u32 number.

use std::fmt;

use p2pcp::wire::path::{LinkTarget, RelPath};
use p2pcp::wire::peer::{Entry, EntryKind, Mtime, Offer, OfferItem, PeerMessage, Totals, encode};

/// An entry whose name, target and size are whatever the case wants.
#[derive(Clone)]
pub struct Raw {
    pub path: Vec<u8>,
    pub kind: RawKind,
}

#[derive(Clone)]
pub enum RawKind {
    /// A file with this content, announced with its true size.
    File(Vec<u8>),
    Folder,
    Link(Vec<u8>),
}

/// A file with a few bytes that differ from name to name.
pub fn file(path: impl Into<Vec<u8>>) -> Raw {
    let path = path.into();
    let content = [b"from the hostile sender: ", path.as_slice()].concat();
    Raw { path, kind: RawKind::File(content) }
}

pub fn file_with(path: impl Into<Vec<u8>>, content: &str) -> Raw {
    Raw { path: path.into(), kind: RawKind::File(content.into()) }
}

pub fn folder(path: impl Into<Vec<u8>>) -> Raw {
    Raw { path: path.into(), kind: RawKind::Folder }
}

pub fn link(path: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>) -> Raw {
    Raw { path: path.into(), kind: RawKind::Link(target.into()) }
}

/// The case, as a failing test shows it.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        match &self.kind {
            RawKind::File(_) => write!(f, "file({:?})", show(&self.path)),
            RawKind::Folder => write!(f, "folder({:?})", show(&self.path)),
            RawKind::Link(target) => write!(f, "link({:?} -> {:?})", show(&self.path), show(target)),
        }
    }
}

impl Raw {
    pub fn content(&self) -> &[u8] {
        match &self.kind {
            RawKind::File(content) => content,
            RawKind::Folder | RawKind::Link(_) => &[],
        }
    }
}

fn push_bytes(frame: &mut Vec<u8>, bytes: &[u8]) {
    frame.extend((bytes.len() as u64).to_le_bytes());
    frame.extend(bytes);
}

/// `Entries`, variant 3.
pub fn entries(first: u32, entries: &[Raw]) -> Vec<u8> {
    let mut frame = 3_u32.to_le_bytes().to_vec();
    frame.extend(first.to_le_bytes());
    frame.extend((entries.len() as u64).to_le_bytes());
    let mtime = |frame: &mut Vec<u8>| {
        frame.extend(1_000_000_000_i64.to_le_bytes());
        frame.extend(5_u32.to_le_bytes());
    };
    for entry in entries {
        push_bytes(&mut frame, &entry.path);
        match &entry.kind {
            RawKind::File(content) => {
                frame.extend(0_u32.to_le_bytes());
                frame.extend((content.len() as u64).to_le_bytes());
                mtime(&mut frame);
                frame.push(0);
            }
            RawKind::Folder => {
                frame.extend(1_u32.to_le_bytes());
                mtime(&mut frame);
            }
            RawKind::Link(target) => {
                frame.extend(2_u32.to_le_bytes());
                push_bytes(&mut frame, target);
            }
        }
    }
    frame
}

/// `Offer`, variant 1, of one file with this name.
pub fn offer(name: &[u8]) -> Vec<u8> {
    let mut frame = 1_u32.to_le_bytes().to_vec();
    frame.extend(1_u64.to_le_bytes());
    push_bytes(&mut frame, name);
    frame.push(0); // no folder
    frame.extend(9_u64.to_le_bytes()); // its size
    frame.extend(0_u32.to_le_bytes()); // no more names
    for total in [1_u64, 0, 0, 9] {
        frame.extend(total.to_le_bytes());
    }
    frame.push(1); // complete
    frame
}

#[test]
fn the_hand_made_layout_is_that_of_the_wire() {
    let name = |text: &str| RelPath::parse(text).unwrap();
    let mtime = Mtime::new(1_000_000_000, 5).unwrap();
    let honest = PeerMessage::Entries {
        first: 7,
        entries: vec![
            Entry { path: name("t/a"), kind: EntryKind::File { size: 3, mtime, executable: false } },
            Entry { path: name("t"), kind: EntryKind::Folder { mtime } },
            Entry { path: name("t/l"), kind: EntryKind::Link { target: LinkTarget::parse("a").unwrap() } },
        ],
    };
    let made = entries(7, &[file_with("t/a", "abc"), folder("t"), link("t/l", "a")]);
    assert_eq!(made, encode(&honest));
    let honest = PeerMessage::Offer(Offer {
        items: vec![OfferItem { name: name("a"), folder: false, size: 9 }],
        more: 0,
        totals: Totals { files: 1, bytes: 9, complete: true, ..Totals::default() },
    });
    assert_eq!(offer(b"a"), encode(&honest));
}

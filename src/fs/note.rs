//! A text that is shown and not kept: on its way out of memory, and into it.

use std::io::{Cursor, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::fs::pipe::{Inlet, Outlet};
use crate::wire::path::RelPath;
use crate::wire::peer::{Mtime, OfferItem};

/// The name of a text where somebody keeps it under none of their own.
const NAME: &str = "text";

impl Inlet {
    /// A text, to be sent as one.
    pub fn text(text: &str) -> Self {
        let name = RelPath::parse(NAME).expect("a constant that is one");
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
        let mtime = Mtime::new(seconds, since.subsec_nanos()).unwrap_or_default();
        Self::new(name, mtime, Box::new(Cursor::new(text.to_owned())))
    }
}

/// Where a text comes to lie: [`OfferItem::MAX_TEXT_BYTES`] at most. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Note {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Note {
    /// What writes into it.
    pub fn outlet(&self) -> Outlet {
        Outlet::new(Box::new(self.clone()))
    }

    /// What was written; what is no text in it is replaced by marks.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Note {
    fn write(&mut self, more: &[u8]) -> std::io::Result<usize> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() + more.len() > OfferItem::MAX_TEXT_BYTES {
            return Err(ErrorKind::FileTooLarge.into());
        }
        bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::fs::hash::hash;
    use crate::fs::note::Note;
    use crate::fs::{DiskFault, Inlet};
    use crate::wire::peer::OfferItem;

    fn write(note: &Note, bytes: Vec<u8>) -> Result<(), DiskFault> {
        let proof = hash(&bytes);
        note.outlet().write_chunk(0, &[Bytes::from(bytes)], proof).map(drop)
    }

    #[test]
    fn a_text_goes_through_as_it_is() {
        let read = Inlet::text("a\n\tb\u{1b} ü").read_chunk(0, 0).unwrap();
        assert!(read.last);
        let bytes = read.frames.iter().flat_map(|it| it[16..].to_vec()).collect();
        let note = Note::default();
        write(&note, bytes).unwrap();
        assert_eq!(note.text(), "a\n\tb\u{1b} ü");
    }

    /// Whatever the other side said of its length.
    #[test]
    fn a_text_that_is_too_long_has_no_place_in_memory() {
        let most = OfferItem::MAX_TEXT_BYTES;
        assert_eq!(write(&Note::default(), vec![b'x'; most]), Ok(()));
        let note = Note::default();
        assert!(matches!(write(&note, vec![b'x'; most + 1]), Err(DiskFault::TooLarge { .. })));
        assert_eq!(note.text(), "");
    }

    #[test]
    fn what_is_no_text_does_not_hurt() {
        let note = Note::default();
        write(&note, vec![0xff, b'a']).unwrap();
        assert_eq!(note.text(), "\u{fffd}a");
    }
}

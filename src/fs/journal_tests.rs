//! Claims about the journal: what is written is read, and what is damaged is not.

use std::path::Path;

use crate::fs::journal::{
    ChunkRecord, FILE_NAME, Head, Journal, JournaledFile, MAX_BODY_BYTES, Record, Records, append_record,
    load,
};
use crate::fs::os::{File, Folder};
use crate::wire::path::RelPath;
use crate::wire::peer::Mtime;

fn file(id: u32) -> JournaledFile {
    JournaledFile {
        id,
        path: RelPath::parse("photos/ü.jpg").unwrap(),
        size: 5 << 20,
        mtime: Mtime::new(-5, 999_999_999).unwrap(),
    }
}

fn chunk(index: u32) -> Record {
    Record::Chunk(ChunkRecord { file: 7, index, hash: [index as u8; 32] })
}

fn indices(stage: &Path) -> Vec<u32> {
    load(stage).unwrap().map(|it| it.index).collect()
}

fn records(stage: &Path) -> Vec<Record> {
    Records::new(File::open(&stage.join(FILE_NAME)).unwrap()).collect()
}

/// A journal of file 7 and these records.
fn written(records: &[Record]) -> (tempfile::TempDir, Vec<u8>) {
    let stage = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&Folder::open(stage.path()).unwrap()).unwrap();
    journal.append(&[Record::File(file(7))]).unwrap();
    journal.append(records).unwrap();
    journal.sync().unwrap();
    let bytes = std::fs::read(stage.path().join(FILE_NAME)).unwrap();
    (stage, bytes)
}

#[test]
fn what_was_written_is_read_also_when_opened_again() {
    let (stage, _) = written(&[chunk(0), chunk(1)]);
    assert_eq!(records(stage.path()), [Record::File(file(7)), chunk(0), chunk(1)]);
    let mut again = Journal::open(&Folder::open(stage.path()).unwrap()).unwrap();
    again.append(&[chunk(2)]).unwrap();
    let chunks = load(stage.path()).unwrap().collect::<Vec<_>>();
    assert!(chunks.iter().all(|it| *it.file == file(7)));
    assert_eq!(indices(stage.path()), [0, 1, 2]);
}

#[test]
fn a_chunk_takes_56_bytes() {
    let mut bytes = Vec::new();
    append_record(&mut bytes, &chunk(u32::MAX));
    assert_eq!(bytes.len(), 56);
}

#[test]
fn a_later_record_of_a_file_counts_for_the_chunks_after_it_and_a_chunk_of_no_file_for_nothing() {
    let other = JournaledFile { path: RelPath::parse("moved").unwrap(), ..file(7) };
    let lost = Record::Chunk(ChunkRecord { file: 8, index: 5, hash: [0; 32] });
    let (stage, _) = written(&[chunk(0), lost, Record::File(other.clone()), chunk(1)]);
    let files = load(stage.path()).unwrap().map(|it| (it.index, it.file.path.clone())).collect::<Vec<_>>();
    assert_eq!(files, [(0, file(7).path), (1, other.path)]);
}

#[test]
fn a_tail_torn_at_any_byte_loses_only_its_own_record() {
    let (stage, bytes) = written(&[chunk(0), chunk(1), chunk(2)]);
    let path = stage.path().join(FILE_NAME);
    let mut one = Vec::new();
    append_record(&mut one, &chunk(0));
    let start = bytes.len() - 3 * one.len();
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let whole = cut.saturating_sub(start) / one.len();
        assert_eq!(indices(stage.path()), (0..whole as u32).collect::<Vec<_>>(), "cut at {cut}");
        let mut journal = Journal::open(&Folder::open(stage.path()).unwrap()).unwrap();
        journal.append(&[Record::File(file(7)), chunk(9)]).unwrap();
        assert_eq!(indices(stage.path()).last(), Some(&9), "cut at {cut}, then written on");
        assert_eq!(indices(stage.path()).len(), whole + 1);
    }
}

#[test]
fn a_flipped_bit_anywhere_ends_the_journal_there() {
    let (stage, bytes) = written(&[chunk(0), chunk(1)]);
    let whole = records(stage.path());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(stage.path().join(FILE_NAME), damaged).unwrap();
        let read = records(stage.path());
        assert!(read.len() < whole.len() && read == whole[..read.len()], "flipped at {at}");
    }
}

#[test]
fn lengths_are_not_believed_and_foreign_layouts_not_read() {
    let (stage, bytes) = written(&[]);
    let path = stage.path().join(FILE_NAME);
    for length in [u32::MAX, MAX_BODY_BYTES as u32 + 1, 0] {
        std::fs::write(&path, [&bytes[..], &length.to_le_bytes(), &[0; 64]].concat()).unwrap();
        assert_eq!(records(stage.path()).len(), 1);
    }
    for (format, head) in [(1, Head::Foreign), (2, Head::Ours), (3, Head::Foreign)] {
        let mut foreign = Vec::new();
        append_record(&mut foreign, &Record::Header { format });
        append_record(&mut foreign, &Record::File(file(7)));
        std::fs::write(&path, foreign).unwrap();
        assert_eq!(records(stage.path()).len(), usize::from(head == Head::Ours));
        assert_eq!(Records::new(File::open(&path).unwrap()).head(), head);
    }
    std::fs::write(&path, "").unwrap();
    assert_eq!(Records::new(File::open(&path).unwrap()).head(), Head::Damaged);
}

#[test]
fn a_journal_that_is_no_file_of_ours_is_not_written_to() {
    let (stage, bytes) = written(&[]);
    let folder = Folder::open(stage.path()).unwrap();
    let path = stage.path().join(FILE_NAME);
    let elsewhere = stage.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    assert!(Journal::open(&folder).is_err());
    std::fs::remove_file(&path).unwrap();
    std::fs::hard_link(&elsewhere, &path).unwrap();
    assert!(Journal::open(&folder).is_err());
    assert_eq!(std::fs::read(&elsewhere).unwrap(), bytes);
}

//! The stage of every case: a receive folder among canaries, the real receiver, and a scripted sender.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2pcp::crypto::Key;
use p2pcp::crypto::digest::{EntryDigest, chunk_hash};
use p2pcp::drive::receiving::{LazySink, ReceivingHands};
use p2pcp::drive::{self, Person};
use p2pcp::fs::{OnConflict, SinkOptions};
use p2pcp::session::receiver::Receiver;
use p2pcp::session::{Answer, Event, Failure, Summary};
use p2pcp::transport::Link;
use p2pcp::transport::memory::{MemoryLink, pair};
use p2pcp::wire::block::{Header, PAYLOAD_BYTES, begin};
use p2pcp::wire::path::RelPath;
use p2pcp::wire::peer::{
    AbortReason, Offer, OfferItem, Outcome, PeerMessage, Proof, Totals, Want, decode, encode,
};
use p2pcp::wire::{CHUNK_BYTES, Channel};

use crate::hostile_sender::raw::{self, Raw, RawKind};

/// No case needs more than a fraction of this; it turns a hang into a failure.
const CASE_WITHIN: Duration = Duration::from_secs(60);

/// A tree of canaries with the receive folder in it.
pub struct Scene {
    root: tempfile::TempDir,
}

/// What a path is, in all that a sender could change about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    mode: u32,
    links: u64,
    /// Not of the receive folder and the folders in it: entries may be added there.
    mtime: Option<(i64, i64)>,
    /// A file's bytes, or a link's target.
    pub content: Vec<u8>,
}

pub type Snapshot = BTreeMap<PathBuf, Fact>;

/// How a case ended.
pub struct Played<T> {
    pub result: Result<Summary, Failure>,
    /// What the script has to say.
    pub heard: T,
}

impl Scene {
    /// ```text
    /// secret.txt   outside/canary.txt   home/.ssh/authorized_keys   home/receive/
    ///     mine.txt   photos/old.jpg   pipe                    what a person has
    ///     out -> ../../outside        photos/up -> ../..      ways out, made by the person
    ///     file-link -> ../../secret.txt   dangling -> ../../made-through   absolute -> (outside)
    /// ```
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder for the case");
        let at = |path: &str| root.path().join(path);
        for folder in ["outside", "home/.ssh", "home/receive/photos"] {
            std::fs::create_dir_all(at(folder)).expect("a new folder");
        }
        for (path, content) in [
            ("secret.txt", "secret"),
            ("outside/canary.txt", "canary"),
            ("home/.ssh/authorized_keys", "keys"),
            ("home/receive/mine.txt", "mine"),
            ("home/receive/photos/old.jpg", "old"),
        ] {
            std::fs::write(at(path), content).expect("a new file");
        }
        let outside = at("outside");
        for (path, target) in [
            ("home/receive/out", Path::new("../../outside")),
            ("home/receive/photos/up", Path::new("../..")),
            ("home/receive/file-link", Path::new("../../secret.txt")),
            ("home/receive/dangling", Path::new("../../made-through")),
            ("home/receive/absolute", &outside),
        ] {
            std::os::unix::fs::symlink(target, at(path)).expect("a new link");
        }
        let (here, mode) = (rustix::fs::CWD, rustix::fs::Mode::from_raw_mode(0o600));
        rustix::fs::mknodat(here, at("home/receive/pipe"), rustix::fs::FileType::Fifo, mode, 0)
            .expect("a new pipe");
        Self { root }
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn receive(&self) -> PathBuf {
        self.root.path().join("home/receive")
    }

    /// Everything in the tree, by path below its root.
    pub fn snapshot(&self) -> Snapshot {
        let mut facts = Snapshot::new();
        let mut folders = vec![(PathBuf::new(), open(self.path()))];
        while let Some((folder, handle)) = folders.pop() {
            // By its handle, because a path below a longest path is longer than the system takes.
            let here = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
            for found in std::fs::read_dir(&here).expect("a folder that can be read") {
                let name = found.expect("a readable folder").file_name();
                let (path, whole) = (folder.join(&name), here.join(&name));
                let meta = whole.symlink_metadata().expect("what was just listed");
                let content = match meta.file_type() {
                    it if it.is_file() => std::fs::read(&whole).expect("a readable file"),
                    it if it.is_symlink() => {
                        whole.read_link().expect("a link").into_os_string().into_encoded_bytes()
                    }
                    _ => Vec::new(),
                };
                let inside = path.starts_with("home/receive") && meta.is_dir();
                let mtime = (!inside).then(|| (meta.mtime(), meta.mtime_nsec()));
                let links = if inside { 0 } else { meta.nlink() };
                facts.insert(path.clone(), Fact { mode: meta.mode(), links, mtime, content });
                if meta.is_dir() {
                    folders.push((path, open(&whole)));
                }
            }
        }
        facts
    }

    /// Plays `script` against a receiver whose person says yes.
    pub async fn play<T>(
        &self,
        on_conflict: OnConflict,
        script: impl AsyncFnOnce(Hostile) -> T,
    ) -> Played<T> {
        play_into(self.receive(), on_conflict, script).await
    }

    /// Asserts that of `before` everything is as it was; returns what is new, below the receive folder.
    pub fn added_since(&self, before: &Snapshot, case: &str) -> BTreeMap<PathBuf, Fact> {
        let mut after = self.snapshot();
        for (path, fact) in before {
            assert_eq!(after.remove(path).as_ref(), Some(fact), "{case}: changed {}", path.display());
        }
        let inside = |path: PathBuf| match path.strip_prefix("home/receive") {
            Ok(inside) => inside.to_owned(),
            Err(_) => panic!("{case}: made {} outside the receive folder", path.display()),
        };
        after.into_iter().map(|(path, fact)| (inside(path), fact)).collect()
    }
}

fn open(folder: &Path) -> File {
    File::open(folder).expect("a folder that can be opened")
}

/// As [`Scene::play`], into any folder.
pub async fn play_into<T>(
    folder: PathBuf,
    on_conflict: OnConflict,
    script: impl AsyncFnOnce(Hostile) -> T,
) -> Played<T> {
    let (ours, theirs) = pair();
    let options = SinkOptions { on_conflict, ..SinkOptions::default() };
    let sink = Arc::new(LazySink::new(folder.clone(), options));
    let receiver = Receiver::new(Key::new([7; 32]), Instant::now()).with_pacing().unpacking(true);
    let hands = ReceivingHands::start(sink.clone());
    let mut person = Willing;
    let run = drive::run(receiver, theirs, async || None, hands, &mut person, std::future::pending());
    let both = async { tokio::join!(run, script(Hostile { link: ours })) };
    let (ended, heard) = tokio::time::timeout(CASE_WITHIN, both).await.expect("the case hangs");
    assert_eq!(ended.rest.fault, None, "a name is not a disk fault");
    if ended.result.is_err() {
        clear_stages(&folder);
    }
    Played { result: ended.result, heard }
}

/// Removes what a failed session leaves for a later one: folders of its own, which nobody else can enter.
fn clear_stages(folder: &Path) {
    let Ok(listing) = std::fs::read_dir(folder) else { return };
    for found in listing.map(|it| it.expect("a readable folder")) {
        let name = found.file_name().into_string().unwrap_or_default();
        if name.strip_prefix(".p2pcp-").is_some_and(|id| id.len() == 16) {
            let mode = found.metadata().expect("what was just listed").mode();
            assert_eq!(mode & 0o777, 0o700, "{name}");
            std::fs::remove_dir_all(found.path()).expect("a stage can be removed");
        }
    }
}

/// Says yes at once.
struct Willing;

impl Person for Willing {
    fn see(&mut self, _: Event) {}

    fn answer(&mut self, _: Offer) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(async { Answer::Yes })
    }
}

/// The sender's end, which says whatever the script wants. A receiver that is gone is no error.
pub struct Hostile {
    link: MemoryLink,
}

/// What the receiver said to a script.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub outcomes: BTreeMap<u32, Outcome>,
    pub abort: Option<AbortReason>,
    pub complete: bool,
}

/// An offer that covers every name and number: what is refused under it is refused for another reason.
pub fn innocent_offer() -> PeerMessage {
    let item = |number: usize| OfferItem {
        name: RelPath::parse(&format!("offered {number}")).expect("a legal name"),
        folder: false,
        size: 0,
    };
    let items = (0..Offer::MAX_ITEMS).map(item).collect();
    PeerMessage::Offer(Offer { items, more: u32::MAX, totals: Totals::default() })
}

impl Hostile {
    pub async fn send(&self, channel: Channel, frame: &[u8]) {
        self.link.send(channel, Bytes::copy_from_slice(frame)).await.ok();
    }

    pub async fn raw(&self, frame: &[u8]) {
        self.send(Channel::Control, frame).await;
    }

    pub async fn say(&self, message: &PeerMessage) {
        self.raw(&encode(message)).await;
    }

    pub async fn block(&self, entry: u32, offset: u64, payload: &[u8]) {
        let mut frame = begin(Header { entry, length: payload.len() as u32, offset, packed: None });
        frame.extend_from_slice(payload);
        self.link.send(Channel::Bulk, frame.freeze()).await.ok();
    }

    /// The receiver's next message; `None` when it is gone.
    pub async fn hear(&self) -> Option<PeerMessage> {
        let (_, frame): (Channel, Bytes) = self.link.recv().await.ok()?;
        Some(decode(&frame).expect("the receiver speaks the protocol"))
    }

    /// Notes what the receiver says until `enough` does, or it is gone.
    pub async fn listen(
        &self,
        heard: &mut Heard,
        enough: impl Fn(&PeerMessage) -> bool,
    ) -> Option<PeerMessage> {
        while let Some(message) = self.hear().await {
            match &message {
                PeerMessage::Settled(settled) => {
                    heard.outcomes.extend(settled.iter().map(|it| (it.entry, it.outcome)));
                }
                PeerMessage::Abort(reason) => heard.abort = Some(*reason),
                PeerMessage::Complete { .. } => heard.complete = true,
                _ => (),
            }
            if enough(&message) {
                return Some(message);
            }
        }
        None
    }

    /// Offers, and waits for the yes.
    pub async fn begin(&self, heard: &mut Heard) {
        self.say(&innocent_offer()).await;
        self.listen(heard, |it| matches!(it, PeerMessage::Accept { .. })).await;
    }

    /// Announces entries and sends, in perfect manners, those that are wanted.
    pub async fn batch(&self, heard: &mut Heard, first: u32, batch: &[Raw]) {
        let wants = self.announce(heard, first, batch).await;
        for ((number, entry), want) in (first..).zip(batch).zip(wants) {
            if let (RawKind::File(content), Want::All) = (&entry.kind, want) {
                self.bytes(number, content).await;
            }
        }
    }

    /// Announces entries and hears which are wanted; none, if the receiver is gone.
    pub async fn announce(&self, heard: &mut Heard, first: u32, batch: &[Raw]) -> Vec<Want> {
        self.raw(&raw::entries(first, batch)).await;
        match self.listen(heard, |it| matches!(it, PeerMessage::Wants { .. })).await {
            Some(PeerMessage::Wants { wants, .. }) => wants,
            _ => Vec::new(),
        }
    }

    /// Waits until this entry is settled.
    pub async fn settled(&self, heard: &mut Heard, entry: u32) {
        let it_is = |message: &PeerMessage| match message {
            PeerMessage::Settled(settled) => settled.iter().any(|it| it.entry == entry),
            _ => false,
        };
        self.listen(heard, it_is).await;
    }

    /// Sends the bytes of an entry and vouches for them.
    pub async fn bytes(&self, entry: u32, content: &[u8]) {
        let mut digest = EntryDigest::new(content.len() as u64);
        let mut proofs = Vec::new();
        for (index, chunk) in (0_u32..).zip(content.chunks(CHUNK_BYTES as usize)) {
            let start = u64::from(index) * u64::from(CHUNK_BYTES);
            for (part, payload) in (0_u64..).zip(chunk.chunks(PAYLOAD_BYTES)) {
                self.block(entry, start + part * PAYLOAD_BYTES as u64, payload).await;
            }
            let hash = chunk_hash(chunk);
            digest.push(&hash);
            proofs.push(Proof::Chunk { entry, index, hash });
        }
        proofs.push(Proof::Entry { entry, digest: digest.finish() });
        self.say(&PeerMessage::Proofs(proofs)).await;
    }

    /// Ends the manifest and listens until the receiver is gone.
    pub async fn finish(self, mut heard: Heard, entries: u32) -> Heard {
        self.say(&PeerMessage::End { entries, skipped: 0 }).await;
        self.listen(&mut heard, |it| matches!(it, PeerMessage::Complete { .. })).await;
        self.say(&PeerMessage::Farewell).await;
        self.listen(&mut heard, |_| false).await;
        heard
    }

    /// A whole transfer of these entries, each batch settled by the next or later.
    pub async fn transfer(self, batches: &[&[Raw]]) -> Heard {
        let mut heard = Heard::default();
        self.begin(&mut heard).await;
        let mut first = 0;
        for batch in batches {
            self.batch(&mut heard, first, batch).await;
            first += batch.len() as u32;
        }
        self.finish(heard, first).await
    }
}

//! p2pcp as a library: both ends in one process, as a program of one's own would have them.

use std::fs;
use std::future::Future;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use p2pcp::code::Code;
use p2pcp::error::{Error, ExitCode, Finish};
use p2pcp::event::Consent;
use p2pcp::lan::Scope;
use p2pcp::send::Meeting;
use p2pcp::session::Failure;
use p2pcp::wire::peer::AbortReason;
use p2pcp::{Event, Receiver, Sender, Transfer, recv, send};

use crate::support::{PATIENCE, Work, assert_same, program, skip, until};

fn sending(paths: &[PathBuf]) -> Transfer {
    let mut options = send::Options::new(paths);
    options.meeting = Meeting::Here(Scope::Loopback);
    Sender::new(options).start()
}

fn receiving(code: Code, folder: PathBuf) -> Transfer {
    let mut options = recv::Options::new(code, folder);
    options.meeting = Meeting::Here(Scope::Loopback);
    Receiver::new(options).start()
}

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("waited in vain")
}

/// Reads on until `find` finds something.
async fn seen<T>(transfer: &mut Transfer, mut find: impl FnMut(&Event) -> Option<T>) -> T {
    loop {
        let event = patiently(transfer.next_event()).await.expect("it ended too early");
        if let Some(found) = find(&event) {
            return found;
        }
        assert!(!event.is_last(), "{event:?}");
    }
}

async fn code(sender: &mut Transfer) -> Code {
    let code = |event: &Event| match event {
        Event::Code { code, .. } => Some(code.clone()),
        _ => None,
    };
    seen(sender, code).await
}

async fn offered(receiver: &mut Transfer) {
    seen(receiver, |event| matches!(event, Event::Offered { asks: true, .. }).then_some(())).await;
}

fn is_a_handle_for_any_thread<T: Send + 'static>(_: &T) {}

/// One read for all of them is a matter of the file system's door; here they share nothing but the files.
#[tokio::test]
async fn one_sender_serves_several_receivers_at_once() {
    let work = Work::new();
    work.tree("from").file("a.txt", "abc").file("b/c.bin", vec![5; 3_000_000]);
    let mut options = send::Options::new([work.path("from")]);
    options.meeting = Meeting::Here(Scope::Loopback);
    let mut senders = Sender::new(options).start_for(3).unwrap();
    let mut receivers = Vec::new();
    for (sender, to) in senders.iter_mut().zip(["to1", "to2", "to3"]) {
        receivers.push(receiving(code(sender).await, work.path(to)));
    }
    for receiver in &mut receivers {
        offered(receiver).await;
    }
    assert!(receivers[0].accept() && receivers[1].decline() && receivers[2].accept());
    let all = receivers.into_iter().chain(senders).map(Transfer::finish);
    let ended = patiently(futures_util::future::join_all(all)).await;
    for (place, ended) in ended.into_iter().enumerate() {
        match place % 3 {
            1 => assert_eq!(ended.unwrap_err().exit_code(), ExitCode::Declined, "{place}"),
            _ => assert_eq!(ended.unwrap(), Finish::Done, "{place}"),
        }
    }
    assert_same(&work.path("from"), &work.path("to1/from"));
    assert_same(&work.path("from"), &work.path("to3/from"));
    assert!(!work.path("to2").exists());
}

#[tokio::test]
async fn what_cannot_be_sent_to_several_is_said_before_anything_starts() {
    let work = Work::new();
    let missing = Sender::new(send::Options::new([work.path("missing")])).start_for(2);
    assert!(matches!(missing.unwrap_err(), Error::Source(_)));
    let mut options = send::Options::new([work.path("")]);
    options.stdin = p2pcp::wire::path::RelPath::parse("stdin").ok();
    assert!(matches!(Sender::new(options).start_for(2).unwrap_err(), Error::StreamForMany));
}

#[tokio::test]
async fn events_tell_all_entries_of_a_transfer_and_its_end() {
    let work = Work::new();
    // More than a reader may be behind.
    let tree = (0..3000).fold(work.tree("many"), |tree, number| tree.file(format!("{number}"), "x"));
    drop(tree);
    let mut sender = sending(&[work.path("many")]);
    let mut receiver = receiving(code(&mut sender).await, work.path("to"));
    is_a_handle_for_any_thread(&receiver);
    let sent = tokio::spawn(sender.finish());
    offered(&mut receiver).await;
    assert!(receiver.accept() && !receiver.accept(), "there is one answer");
    let (mut kept, mut last) = (0, None);
    while let Some(event) = patiently(receiver.next_event()).await {
        assert!(last.is_none(), "{event:?} after the last one");
        match event {
            Event::Consent { answer } => assert_eq!(answer, Consent::Accepted),
            Event::Entry { file: true, .. } => kept += 1,
            Event::Finished { summary, exit_code, .. } => last = Some((summary.files, exit_code)),
            _ => (),
        }
    }
    assert_eq!((kept, last), (3000, Some((3000, 0))));
    assert_eq!(receiver.finish().await.unwrap(), Finish::Done);
    assert_eq!(patiently(sent).await.unwrap().unwrap(), Finish::Done);
    assert_same(&work.path("many"), &work.path("to/many"));
}

fn exit_code(result: Result<Finish, Error>) -> ExitCode {
    result.map_or_else(|error| error.exit_code(), Finish::exit_code)
}

#[tokio::test]
async fn an_offer_that_nobody_answers_is_declined_at_the_end() {
    let work = Work::new();
    fs::write(work.path("a"), "x").unwrap();
    let mut sender = sending(&[work.path("a")]);
    let mut receiver = receiving(code(&mut sender).await, work.path("to"));
    offered(&mut receiver).await;
    let (sent, received) = patiently(async { tokio::join!(sender.finish(), receiver.finish()) }).await;
    assert_eq!((exit_code(sent), exit_code(received)), (ExitCode::Declined, ExitCode::Declined));
    assert!(!work.path("to").exists(), "nothing touches the disk before consent");
}

/// A handle that is dropped midway: the other side hears at once that it was stopped, and what arrived is gone on with.
#[tokio::test]
async fn a_dropped_receiver_tells_the_sender_and_can_be_resumed() {
    let work = Work::in_memory(512 << 20);
    let bytes: Vec<u8> = (0..128_u32 << 18).flat_map(u32::to_le_bytes).collect();
    fs::write(work.path("large"), &bytes).unwrap();
    let mut sender = sending(&[work.path("large")]);
    let mut receiver = receiving(code(&mut sender).await, work.path("to"));
    let sent = tokio::spawn(sender.finish());
    offered(&mut receiver).await;
    receiver.accept();
    seen(&mut receiver, |event| match event {
        Event::Progress(progress) => (progress.bytes > 1 << 20).then_some(()),
        _ => None,
    })
    .await;
    drop(receiver);
    let failed = patiently(sent).await.unwrap();
    assert!(
        matches!(failed, Err(Error::Session { failure: Failure::Peer(AbortReason::Interrupted), .. })),
        "{failed:?}"
    );
    assert!(!work.path("to/large").exists());

    let mut sender = sending(&[work.path("large")]);
    let mut options = recv::Options::new(code(&mut sender).await, work.path("to"));
    options.meeting = Meeting::Here(Scope::Loopback);
    options.assume_yes = true;
    let received = Receiver::new(options).start().finish();
    let (sent, received) = patiently(async { tokio::join!(sender.finish(), received) }).await;
    assert_eq!((sent.unwrap(), received.unwrap()), (Finish::Done, Finish::Done));
    assert_eq!(fs::read(work.path("to/large")).unwrap(), bytes);
}

#[tokio::test]
async fn a_dropped_sender_takes_its_rendezvous_with_it() {
    let work = Work::new();
    fs::write(work.path("a"), "x").unwrap();
    let mut sender = sending(&[work.path("a")]);
    let url = seen(&mut sender, |event| match event {
        Event::Rendezvous { url } => Some(url.clone()),
        _ => None,
    });
    let url = url.await;
    let address = url.trim_start_matches("ws://").split('/').next().unwrap();
    let address: SocketAddr = address.parse().unwrap();
    assert!(TcpStream::connect(address).is_ok());
    drop(sender);
    let gone = async {
        while TcpStream::connect(address).is_ok() {
            tokio::task::yield_now().await;
        }
    };
    patiently(gone).await;
}

#[tokio::test]
async fn a_cancelled_transfer_ends_as_if_interrupted() {
    let work = Work::new();
    fs::write(work.path("a"), "x").unwrap();
    let mut sender = sending(&[work.path("a")]);
    code(&mut sender).await;
    sender.cancel();
    let last = seen(&mut sender, |event| event.is_last().then(|| event.clone())).await;
    assert!(matches!(last, Event::Failed { exit_code: 130, .. }), "{last:?}");
    assert!(sender.next_event().await.is_none());
    assert!(matches!(sender.finish().await, Err(Error::Interrupted { .. })));
}

/// The two programs of `examples/`, which `cargo test` builds.
#[test]
fn the_examples_send_and_receive() {
    let folder = Path::new(env!("CARGO_BIN_EXE_p2pcp")).parent().unwrap().join("examples");
    let (send, receive) = (folder.join("send"), folder.join("receive"));
    if !send.exists() || !receive.exists() || program("sh").is_none() {
        return skip("the_examples_send_and_receive", "the examples are not built");
    }
    let work = Work::new();
    work.tree("photos").file("a.jpg", [7; 300_000]);
    let start = |program: &Path, arguments: &[&str]| {
        crate::support::Start::new(program.to_str().unwrap(), &work.path(".")).arguments(arguments)
    };
    let sender = start(&send, &["--loopback", "photos"]).spawn();
    let code = until("a code", || {
        let stdout = sender.stdout();
        let lines = stdout.split_inclusive('\n').filter_map(|it| it.strip_suffix('\n'));
        lines.filter_map(|it| it.strip_prefix("code: ")).next().map(str::to_owned)
    });
    let receiver = start(&receive, &["--loopback", &code, "to"]).run();
    assert_eq!(
        (receiver.number(), receiver.stdout.as_str()),
        (Some(0), "photos/a.jpg\nphotos\n"),
        "{}",
        receiver.stderr
    );
    let sender = sender.end();
    assert!(sender.number() == Some(0) && sender.stdout.contains("sent 1 files"), "{}", sender.stdout);
    assert_same(&work.path("photos"), &work.path("to/photos"));
}

/// Either side pauses; both hear of it, nothing more arrives, and afterwards all of it does.
#[tokio::test]
async fn either_side_pauses_and_both_hear_of_it() {
    for here in [true, false] {
        let work = Work::new();
        fs::write(work.path("large"), vec![7; 3 << 20]).unwrap();
        let mut sender = sending(&[work.path("large")]);
        sender.limit(Some(4 << 20));
        let mut receiver = receiving(code(&mut sender).await, work.path("to"));
        offered(&mut receiver).await;
        receiver.accept();
        let moves = |event: &Event| match event {
            Event::Progress(progress) => (progress.bytes > 0).then_some(()),
            _ => None,
        };
        seen(&mut receiver, moves).await;
        if here {
            receiver.pause()
        } else {
            sender.pause()
        }
        let paused = |event: &Event| match event {
            Event::Paused { here, there } => Some((*here, *there)),
            _ => None,
        };
        assert_eq!(seen(&mut receiver, paused).await, (here, !here));
        assert_eq!(seen(&mut sender, paused).await, (!here, here));
        if here {
            receiver.resume()
        } else {
            sender.resume()
        }
        let resumed = |event: &Event| matches!(event, Event::Resumed).then_some(());
        seen(&mut receiver, resumed).await;
        seen(&mut sender, resumed).await;
        sender.limit(None);
        let ends = async { tokio::join!(sender.finish(), receiver.finish()) };
        let (sent, received) = patiently(ends).await;
        assert_eq!((exit_code(sent), exit_code(received)), (ExitCode::Done, ExitCode::Done));
        assert_eq!(fs::read(work.path("to/large")).unwrap(), vec![7; 3 << 20]);
    }
}

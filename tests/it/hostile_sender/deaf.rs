//! A receiver of frames that nobody reads: see [`p2pcp::drive`].

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2pcp::drive::{self, Hands, Person};
use p2pcp::session::{Answer, Event, Failure, Input, Machine, Output};
use p2pcp::transport::memory::pair;
use p2pcp::wire::Channel;
use p2pcp::wire::peer::Offer;

/// A session that has more to say than a peer that never reads will take.
struct Talker {
    outputs: Vec<Output<()>>,
}

impl Machine for Talker {
    type Job = ();
    type Done = ();

    fn handle(&mut self, _: Instant, input: Input<()>) {
        if matches!(input, Input::LinkLost) {
            self.outputs.push(Output::Done(Err(Failure::LinkLost)));
        }
    }

    fn poll(&mut self) -> Option<Output<()>> {
        self.outputs.pop()
    }
}

struct NoHands;

impl Hands for NoHands {
    type Job = ();
    type Done = ();
    type Rest = ();

    fn submit(&mut self, (): ()) {}

    async fn done(&mut self) {
        std::future::pending().await
    }

    async fn stop(self) {}
}

struct Nobody;

impl Person for Nobody {
    fn see(&mut self, _: Event) {}

    fn answer(&mut self, _: Offer) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// A peer that reads nothing fills the queue; that it has gone must be seen all the same.
#[tokio::test]
async fn a_peer_that_never_read_and_left_is_missed_at_once() {
    let (ours, theirs) = pair();
    drop(theirs);
    let frame = || Output::Send(Channel::Control, Bytes::from(vec![0; 64 * 1024]));
    let later = Output::WakeAt(Instant::now() + Duration::from_secs(600));
    let outputs = (0..512).map(|_| frame()).chain([later]).collect();
    let mut nobody = Nobody;
    let run =
        drive::run(Talker { outputs }, ours, async || None, NoHands, &mut nobody, std::future::pending());
    let ended = tokio::time::timeout(Duration::from_secs(20), run).await.expect("the loop hangs");
    assert_eq!(ended.result, Err(Failure::LinkLost));
}

//! Pauses and limits: what each machine makes of what the persons at both ends want.

use std::time::{Duration, Instant};

use bytes::Bytes;
use p2pcp::crypto::Key;
use p2pcp::session::lasting::{Lasting, STUCK_AFTER};
use p2pcp::session::receiver::Receiver;
use p2pcp::session::sender::{Config, Sender};
use p2pcp::session::{Answer, Event, Failure, Input, Loss, Machine, Output, TAKEN_IN_EVERY, Violation, Wish};
use p2pcp::wire::Channel;
use p2pcp::wire::peer::{self, Offer, PeerMessage, Totals};

use crate::session::pair::KEY;

const PAUSED: Wish = Wish { paused: true, limit: None };
const OUT_OF_TURN: Failure = Failure::Violation(Violation::OutOfTurn("pace"));

/// What a machine said and did, without its disk.
struct Watched<M: Machine> {
    machine: M,
    now: Instant,
    said: Vec<PeerMessage>,
    events: Vec<Event>,
    paces: Vec<Wish>,
    wake: Option<Instant>,
    failure: Option<Failure>,
}

impl<M: Machine> Watched<M> {
    fn new(machine: M, now: Instant) -> Self {
        let (said, events, paces) = (Vec::new(), Vec::new(), Vec::new());
        let mut watched = Self { machine, now, said, events, paces, wake: None, failure: None };
        watched.settle_down();
        watched
    }

    fn give(&mut self, input: Input<M::Done>) {
        self.machine.handle(self.now, input);
        self.settle_down();
    }

    fn settle_down(&mut self) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Send(_, frame) => self.said.push(peer::decode(&frame).unwrap()),
                Output::Emit(event) => self.events.push(event),
                Output::Pace(wish) => self.paces.push(wish),
                Output::Done(result) => self.failure = result.err(),
                Output::WakeAt(at) => self.wake = Some(at),
                Output::Disk(_) | Output::Ask(_) | Output::Relink => (),
            }
        }
    }

    fn hear(&mut self, message: &PeerMessage) {
        self.give(Input::Frame(Channel::Control, Bytes::from(peer::encode(message))));
    }

    /// The other side wants this, and takes the time of a person.
    fn hear_wish(&mut self, Wish { paused, limit }: Wish) {
        self.now += TAKEN_IN_EVERY;
        self.hear(&PeerMessage::Pace { paused, limit });
    }

    /// Lets time pass, in steps as a timer would.
    fn wait(&mut self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.now += Duration::from_secs(1);
            self.give(Input::Tick);
        }
    }

    fn stalled(&self) -> bool {
        self.events.iter().any(|it| matches!(it, Event::Stalled(_)))
    }

    fn last_word_on_pace(&self) -> Option<&PeerMessage> {
        self.said.iter().rfind(|it| matches!(it, PeerMessage::Pace { .. }))
    }
}

fn totals() -> Totals {
    Totals { complete: true, ..Totals::default() }
}

/// A sender whose offer was accepted.
fn sender(with_pacing: bool) -> Watched<Sender> {
    let now = Instant::now();
    let config = Config { items: Vec::new(), more: 0, totals: totals(), complete_key: Key::new(KEY) };
    let sender = Sender::new(config, now);
    let mut sender = Watched::new(if with_pacing { sender.with_pacing() } else { sender }, now);
    sender.hear(&PeerMessage::Accept { window: 1 << 20 });
    sender
}

/// A receiver that has accepted.
fn receiver(with_pacing: bool) -> Watched<Receiver> {
    let now = Instant::now();
    let receiver = Receiver::new(Key::new(KEY), now);
    let mut receiver = Watched::new(if with_pacing { receiver.with_pacing() } else { receiver }, now);
    receiver.hear(&PeerMessage::Offer(Offer { items: Vec::new(), more: 0, totals: totals() }));
    receiver.give(Input::Answer(Answer::Yes));
    receiver
}

#[test]
fn the_slower_of_both_wishes_counts() {
    let mut sender = sender(true);
    let limit = |limit| Wish { paused: false, limit };
    sender.give(Input::Wish(limit(Some(5))));
    sender.hear_wish(limit(Some(3)));
    sender.hear_wish(limit(Some(7)));
    sender.give(Input::Wish(limit(None)));
    sender.hear_wish(limit(None));
    let limits: Vec<_> = sender.paces.iter().map(|it| it.limit).collect();
    assert_eq!(limits, [Some(5), Some(3), Some(5), Some(7), None]);
    let told = sender.events.iter().filter_map(|it| match it {
        Event::Limited(limit) => Some(*limit),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), limits);
    assert_eq!(sender.last_word_on_pace(), Some(&PeerMessage::Pace { paused: false, limit: None }));
}

#[test]
fn both_sides_know_who_paused() {
    let mut receiver = receiver(true);
    receiver.events.clear();
    receiver.hear_wish(PAUSED);
    receiver.give(Input::Wish(PAUSED));
    receiver.hear_wish(Wish::default());
    receiver.give(Input::Wish(Wish::default()));
    let paused = |here, there| Event::Paused { here, there };
    assert_eq!(
        receiver.events,
        [paused(false, true), paused(true, true), paused(true, false), Event::Resumed]
    );
}

/// A sender of an older version is told nothing that it would not know, and the person once that it is in vain.
#[test]
fn a_wish_that_the_sender_does_not_know_is_told_of_once() {
    let mut receiver = receiver(false);
    receiver.events.clear();
    let said = receiver.said.len();
    receiver.give(Input::Wish(Wish::default()));
    assert_eq!(receiver.events, []);
    receiver.give(Input::Wish(PAUSED));
    receiver.give(Input::Wish(Wish::default()));
    receiver.give(Input::Wish(PAUSED));
    assert_eq!(receiver.events, [Event::Unheeded]);
    assert_eq!((receiver.said.len(), &receiver.paces[..]), (said, &[][..]));
    let mut sender = sender(false);
    sender.give(Input::Wish(PAUSED));
    assert_eq!(
        sender.events.last(),
        Some(&Event::Paused { here: true, there: false }),
        "it holds itself back"
    );
}

/// Nothing comes for days, and nobody minds; afterwards silence is what it was before.
#[test]
fn while_paused_silence_is_no_stall_and_ends_nothing() {
    const LONG: Duration = Duration::from_secs(4 * 3600);
    let (mut sender, mut receiver) = (sender(true), receiver(true));
    sender.hear_wish(PAUSED);
    receiver.give(Input::Wish(PAUSED));
    sender.wait(LONG);
    receiver.wait(LONG);
    assert!(!sender.stalled() && !receiver.stalled());
    assert_eq!((&sender.failure, &receiver.failure), (&None, &None));
    sender.hear_wish(Wish::default());
    receiver.give(Input::Wish(Wish::default()));
    sender.wait(Duration::from_secs(20));
    receiver.wait(Duration::from_secs(20));
    assert!(sender.stalled() && receiver.stalled());
}

#[test]
fn who_paused_stays_so_over_a_lost_link() {
    let now = Instant::now();
    let config = Config { items: Vec::new(), more: 0, totals: totals(), complete_key: Key::new(KEY) };
    let patience = Duration::from_secs(600);
    let mut sender = Watched::new(Lasting::new(Sender::new(config, now).with_pacing(), patience, now), now);
    sender.hear(&PeerMessage::Accept { window: 1 << 20 });
    sender.hear_wish(PAUSED);
    sender.give(Input::LinkDown(Loss::Silent));
    sender.give(Input::LinkUp);
    sender.hear(&PeerMessage::Heard { control: 1, bulk: 0 });
    // The other side says that it is there, and nothing else.
    for _ in 0..100 {
        sender.wait(STUCK_AFTER / 2);
        sender.hear(&PeerMessage::Heard { control: 1, bulk: 0 });
    }
    assert!(!sender.stalled());
    assert_eq!((sender.paces.as_slice(), &sender.failure), ([PAUSED].as_slice(), &None));
    let heard = sender.said.iter().filter(|it| matches!(it, PeerMessage::Heard { .. })).count();
    assert!(heard > 100, "{heard} words that it is still there");
}

#[test]
fn a_peer_that_does_not_know_of_it_hears_nothing_of_it() {
    let (mut sender, mut receiver) = (sender(false), receiver(false));
    sender.give(Input::Wish(PAUSED));
    receiver.give(Input::Wish(PAUSED));
    assert_eq!((sender.last_word_on_pace(), receiver.last_word_on_pace()), (None, None));
    // Whoever sends can wait all the same; whoever receives can only ask.
    assert_eq!((sender.paces.as_slice(), receiver.paces.as_slice()), ([PAUSED].as_slice(), [].as_slice()));
    sender.hear_wish(PAUSED);
    receiver.hear_wish(PAUSED);
    assert_eq!((sender.failure, receiver.failure), (Some(OUT_OF_TURN), Some(OUT_OF_TURN)));
}

#[test]
fn a_limit_of_nothing_is_a_violation() {
    let (mut sender, mut receiver) = (sender(true), receiver(true));
    let wish = Wish { paused: false, limit: Some(0) };
    sender.hear_wish(wish);
    receiver.hear_wish(wish);
    assert_eq!((sender.failure, receiver.failure), (Some(OUT_OF_TURN), Some(OUT_OF_TURN)));
}

/// A peer that says one thing, then another, as fast as frames go: what it costs this side's screen and log is bounded by
/// time, and what it wants last is what counts.
#[test]
fn a_flood_of_wishes_is_a_few_changes_and_the_last_one_counts() {
    const SECONDS: u32 = 10;
    const A_SECOND: u32 = 1000;
    fn flooded<M: Machine>(watched: &mut Watched<M>) {
        watched.events.clear();
        for number in 0..SECONDS * A_SECOND {
            watched.now += Duration::from_secs(1) / A_SECOND;
            let wish = Wish { paused: number % 2 == 0, limit: Some(u64::from(number) + 1) };
            watched.hear(&PeerMessage::Pace { paused: wish.paused, limit: wish.limit });
        }
        let most = (SECONDS * 1000) as usize / TAKEN_IN_EVERY.as_millis() as usize + 1;
        let told = |it: &&Event| matches!(it, Event::Limited(_));
        assert!(watched.events.iter().filter(told).count() <= most);
        // Two for a change: whether it is paused, and the limit.
        assert!(watched.events.len() <= 2 * most && watched.paces.len() <= most);
        watched.hear(&PeerMessage::Pace { paused: true, limit: Some(5) });
        watched.now += TAKEN_IN_EVERY;
        watched.give(Input::Tick);
        assert_eq!(watched.paces.last(), Some(&Wish { paused: true, limit: Some(5) }));
        assert_eq!(watched.failure, None);
    }
    flooded(&mut sender(true));
    flooded(&mut receiver(true));
}

/// What was not taken in at once wakes the machine when it is time to.
#[test]
fn a_wish_that_came_too_soon_is_taken_in_without_another_word() {
    let mut sender = sender(true);
    sender.hear_wish(PAUSED);
    sender.hear(&PeerMessage::Pace { paused: false, limit: None });
    assert_eq!(sender.paces, [PAUSED]);
    let wake = sender.wake.unwrap();
    assert_eq!(wake, sender.now + TAKEN_IN_EVERY);
    sender.now = wake;
    sender.give(Input::Tick);
    assert_eq!(sender.paces, [PAUSED, Wish::default()]);
}

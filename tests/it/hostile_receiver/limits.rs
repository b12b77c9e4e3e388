//! A receiver that takes and takes, or nothing at all: what it costs the sender.

use std::time::Duration;

use p2pcp::session::sender::Job;
use p2pcp::session::{CONSENT_WITHIN, Event, Failure, GIVE_UP_AFTER, Input, STALL_AFTER};
use p2pcp::wire::peer::{AbortReason, Outcome, PeerMessage, SourceFault, Want};
use p2pcp::wire::{CHUNK_BYTES, DEFAULT_WINDOW_BYTES, MANY_OUTSTANDING_ENTRIES, MAX_OUTSTANDING_ENTRIES};

use crate::hostile_receiver::Victim;
use crate::session::tree::{Shape, Tree, Trouble};
use crate::support::rng::Rng;

/// The stalls that were told.
fn stalls(victim: &Victim<'_>) -> Vec<Duration> {
    let stall = |it: &Event| match it {
        Event::Stalled(time) => Some(*time),
        _ => None,
    };
    victim.events.iter().filter_map(stall).collect()
}

#[test]
fn a_receiver_that_never_acknowledges_costs_one_window_and_is_given_up() {
    let rng = &mut Rng::new(1);
    let mut tree = Tree::default();
    let files = 2 * DEFAULT_WINDOW_BYTES / CHUNK_BYTES;
    (0..files).for_each(|it| tree.file(&format!("f{it}"), u64::from(CHUNK_BYTES), rng));
    for (window, used) in [
        (0, CHUNK_BYTES),
        (2 * CHUNK_BYTES - 1, CHUNK_BYTES),
        (2 * CHUNK_BYTES, 2 * CHUNK_BYTES),
        (DEFAULT_WINDOW_BYTES, DEFAULT_WINDOW_BYTES),
        (u32::MAX, DEFAULT_WINDOW_BYTES),
    ] {
        let mut victim = Victim::new(&tree);
        victim.hear(&PeerMessage::Accept { window });
        victim.want(0, &vec![Want::All; tree.items.len()]);
        victim.outwait();
        assert_eq!(victim.bulk_bytes, u64::from(used), "in a window of {window}");
        assert_eq!(stalls(&victim), [STALL_AFTER], "it is told once");
        assert_eq!(victim.result, Some(Err(Failure::Silence)));
        assert_eq!(victim.now, victim.start + GIVE_UP_AFTER);
        assert_eq!(victim.said.last(), Some(&PeerMessage::Abort(AbortReason::Silence)));
    }
}

#[test]
fn a_receiver_that_goes_on_after_a_stall_is_served() {
    let tree = crate::hostile_receiver::tree();
    let mut victim = Victim::new(&tree);
    victim.begin();
    for stall in 1..4 {
        victim.now = victim.wake;
        victim.give(Input::Tick);
        victim.ack(stall, stall);
        assert_eq!(stalls(&victim).len() as u64, stall, "each stall is told");
        assert_eq!(victim.events.last(), Some(&Event::Moving));
    }
    assert_eq!(victim.result, None);
}

#[test]
fn a_receiver_that_never_answers_the_offer_costs_no_read() {
    let tree = Tree::grow(Shape::Many, &mut Rng::new(1));
    let mut victim = Victim::new(&tree);
    victim.outwait();
    assert_eq!(victim.reads, 0);
    assert_eq!(victim.result, Some(Err(Failure::Own(AbortReason::Unattended))));
    assert_eq!(victim.now, victim.start + CONSENT_WITHIN);
    assert_eq!(victim.said.last(), Some(&PeerMessage::Abort(AbortReason::Unattended)));
    assert!(stalls(&victim).is_empty(), "a person may think");
}

fn announced(victim: &Victim<'_>) -> usize {
    let entries = |it: &PeerMessage| match it {
        PeerMessage::Entries { entries, .. } => entries.len(),
        _ => 0,
    };
    victim.said.iter().map(entries).sum()
}

#[test]
fn a_receiver_that_never_settles_is_told_of_no_more_entries() {
    let tree = Tree::grow(Shape::Many, &mut Rng::new(1));
    let mut victim = Victim::new(&tree);
    victim.accept();
    victim.want(0, &vec![Want::All; announced(&victim)]);
    let first = announced(&victim);
    assert!((MAX_OUTSTANDING_ENTRIES - 1024..=MAX_OUTSTANDING_ENTRIES).contains(&first), "{first}");
    assert_eq!(announced(&victim), first);

    let settled: Vec<_> = (0..1000).map(|it| victim.truth(it)).collect();
    let more = settled.len();
    victim.ack(victim.bulk_bytes, victim.bulk_bytes);
    victim.hear(&PeerMessage::Settled(settled));
    assert_eq!(victim.result, None);
    let (now, most) = (announced(&victim), MAX_OUTSTANDING_ENTRIES + more);
    assert!(now > first && now <= most, "{now} entries are announced");
}

/// Ten thousand small files over 50 ms wait for nothing but what they are themselves. But what is not wanted yet is not told of
/// without end: blocks would come behind it.
#[test]
fn where_both_know_it_four_times_as_many_entries_are_announced_as_they_are_read() {
    let mut tree = Tree::default();
    (0..20_000).for_each(|it| tree.file(&format!("many/{it:05}"), it % 2, &mut Rng::new(1)));
    let mut victim = Victim::new(&tree);
    victim.sender = victim.sender.with_many_entries(true);
    victim.accept();
    let mut wanted = 0;
    while announced(&victim) > wanted {
        let more = announced(&victim) - wanted;
        assert!(more <= MAX_OUTSTANDING_ENTRIES, "{more} are announced and not wanted");
        victim.want(wanted as u32, &vec![Want::All; more]);
        wanted += more;
    }
    assert!((MANY_OUTSTANDING_ENTRIES - 1024..=MANY_OUTSTANDING_ENTRIES).contains(&wanted), "{wanted}");
    assert_eq!(victim.result, None);
}

/// What was asked of the disk before a failure was known does not count against the window for ever,
/// even when the receiver has settled the entry meanwhile.
#[test]
fn failed_sources_do_not_use_the_window_up() {
    let rng = &mut Rng::new(1);
    let mut tree = Tree::default();
    for it in 0..20 {
        tree.file(&format!("f{it}"), 4 * u64::from(CHUNK_BYTES), rng);
        tree.items[it].trouble = Some(Trouble { chunk: 0, fault: SourceFault::Io, rewritten: false });
    }
    tree.file("good", u64::from(DEFAULT_WINDOW_BYTES), rng);
    let mut victim = Victim::new(&tree);
    victim.idle = true;
    victim.accept();
    victim.want(0, &[Want::All; 21]);
    while let Some(job) = victim.jobs.pop_front() {
        victim.perform(&job);
        if let Job::Read { entry, index: 0, .. } = job
            && entry < 20
        {
            victim.settled(entry, Outcome::SourceFailed(SourceFault::Io));
        }
    }
    assert_eq!(victim.result, None);
    assert_eq!(victim.bulk_bytes, u64::from(DEFAULT_WINDOW_BYTES), "the window is whole again");
}

//! Messages out of turn, garbage, silence, and the reasons for which either side stops.

use std::time::Duration;

use p2pcp::session::receiver::Done;
use p2pcp::session::{Answer, CONSENT_WITHIN, Event, Failure, GIVE_UP_AFTER, Input, STALL_AFTER, Violation};
use p2pcp::wire::peer::{AbortReason, PeerError, PeerMessage, Totals};
use p2pcp::wire::{Channel, MAX_CONTROL_FRAME};

use crate::session::hostile_sender::{Victim, check, check_violations, file, offer};

const REASONS: [AbortReason; 10] = [
    AbortReason::Declined,
    AbortReason::Unattended,
    AbortReason::Interrupted,
    AbortReason::DiskFull,
    AbortReason::DiskDenied,
    AbortReason::DiskReadOnly,
    AbortReason::DiskFailed,
    AbortReason::Integrity,
    AbortReason::Protocol,
    AbortReason::Silence,
];

/// A receiver that has one file to get.
fn victim() -> Victim {
    let mut victim = Victim::new();
    victim.begin(&[file("a", 5)]);
    victim
}

/// A receiver that has said its last word.
fn lingering() -> Victim {
    let mut victim = victim();
    victim.send_file(0, b"hello");
    victim.hear(&PeerMessage::End { entries: 1, skipped: 0 });
    assert!(matches!(victim.said.last(), Some(PeerMessage::Complete { .. })));
    victim
}

#[test]
fn messages_out_of_turn_are_refused() {
    check_violations(&[
        ("a farewell at once", |it| it.hear(&PeerMessage::Farewell), Violation::OutOfTurn("farewell")),
        (
            "a farewell before the end",
            |it| {
                it.begin(&[]);
                it.hear(&PeerMessage::Farewell);
            },
            Violation::OutOfTurn("farewell"),
        ),
        (
            "totals before the offer",
            |it| it.hear(&PeerMessage::Totals(Totals::default())),
            Violation::OutOfTurn("totals"),
        ),
        (
            "an end before the offer",
            |it| it.hear(&PeerMessage::End { entries: 0, skipped: 0 }),
            Violation::OutOfTurn("end"),
        ),
    ]);
    for message in [
        PeerMessage::Bind { mac: [0; 32] },
        PeerMessage::Accept { window: 1 },
        PeerMessage::Wants { first: 0, wants: Vec::new() },
        PeerMessage::Ack { received: 0, written: 0 },
        PeerMessage::Settled(Vec::new()),
        PeerMessage::Complete { mac: [0; 32] },
    ] {
        let mut victim = victim();
        victim.hear(&message);
        let violation = Violation::OutOfTurn(message.name());
        assert_eq!(victim.result, Some(Err(violation.into())));
    }
}

#[test]
fn what_is_no_message_is_refused() {
    const LONG: usize = MAX_CONTROL_FRAME + 1;
    for (frame, error) in [
        (vec![], PeerError::Malformed),
        (vec![0xff; 9], PeerError::Malformed),
        (vec![11, 0, 0, 0, 0], PeerError::Malformed),
        (vec![0; LONG], PeerError::TooLong(LONG)),
    ] {
        let mut victim = victim();
        victim.give(Input::Frame(Channel::Control, frame.into()));
        assert_eq!(victim.result, Some(Err(Failure::Violation(error.into()))));
        assert_eq!(victim.said.last(), Some(&PeerMessage::Abort(AbortReason::Protocol)));
    }
}

#[test]
fn every_reason_is_heard_and_told() {
    for reason in REASONS {
        let mut heard = victim();
        heard.hear(&PeerMessage::Abort(reason));
        assert_eq!(heard.result, Some(Err(Failure::Peer(reason))));
        assert!(!matches!(heard.said.last(), Some(PeerMessage::Abort(_))), "an abort is not answered");
        let done = Input::Disk(Done::Fault(reason));
        for input in [Input::Cancel(reason), done] {
            let mut told = victim();
            told.give(input);
            assert_eq!(told.result, Some(Err(Failure::Own(reason))));
            assert_eq!(told.said.last(), Some(&PeerMessage::Abort(reason)));
        }
    }
}

#[test]
fn without_consent_nothing_is_touched() {
    for (answer, reason) in
        [(Answer::No, AbortReason::Declined), (Answer::Unattended, AbortReason::Unattended)]
    {
        let mut victim = Victim::new();
        victim.hear(&offer());
        victim.announce(0, &[file("a", 5)]);
        victim.hear(&PeerMessage::End { entries: 1, skipped: 0 });
        victim.give(Input::Answer(answer));
        assert_eq!(victim.result, Some(Err(Failure::Own(reason))));
        assert_eq!(victim.said, [PeerMessage::Abort(reason)]);
        victim.give(Input::Answer(Answer::Yes));
    }
    let mut victim = Victim::new();
    victim.hear(&offer());
    victim.announce(0, &[file("a", 5)]);
    victim.outwait(4);
    assert_eq!(victim.now, victim.start + CONSENT_WITHIN);
    assert_eq!(victim.result, Some(Err(Failure::Own(AbortReason::Unattended))));
}

/// An answer to a question that was not asked yet is no consent.
#[test]
fn an_early_answer_is_not_taken() {
    let mut victim = Victim::new();
    victim.give(Input::Answer(Answer::Yes));
    victim.hear(&offer());
    victim.announce(0, &[file("a", 5)]);
    assert_eq!(victim.said, []);
}

#[test]
fn a_silent_sender_is_given_up() {
    for begin in [false, true] {
        let mut victim = Victim::new();
        if begin {
            victim.begin(&[file("a", 5)]);
        }
        victim.outwait(10);
        let stalls: Vec<_> = victim.events.iter().filter(|it| matches!(it, Event::Stalled(_))).collect();
        assert_eq!(stalls, [&Event::Stalled(STALL_AFTER)], "it is told once");
        assert_eq!(victim.now, victim.start + GIVE_UP_AFTER);
        assert_eq!(victim.result, Some(Err(Failure::Silence)));
        assert_eq!(victim.said.last(), Some(&PeerMessage::Abort(AbortReason::Silence)));
    }
    check("without a word", |it| it.give(Input::LinkLost), &Failure::LinkLost, None);
}

/// All is there and said; what the sender does now changes nothing.
#[test]
fn after_the_last_word_nothing_spoils_the_result() {
    let inputs: [fn() -> Input<Done>; 5] = [
        || Input::LinkLost,
        || Input::Cancel(AbortReason::Interrupted),
        || Input::Frame(Channel::Control, vec![0xff; 3].into()),
        || Input::Frame(Channel::Bulk, vec![0; 40].into()),
        || Input::Frame(Channel::Control, p2pcp::wire::peer::encode(&PeerMessage::Farewell).into()),
    ];
    for input in inputs {
        let mut victim = lingering();
        victim.give(input());
        assert!(matches!(victim.result, Some(Ok(_))), "{:?}", victim.result);
    }
    let mut victim = lingering();
    victim.outwait(2);
    assert!(matches!(victim.result, Some(Ok(_))), "no farewell comes: {:?}", victim.result);
    assert!(victim.now < victim.start + Duration::from_secs(60));
}

/// A sender that goes on talking does not keep a receiver that has finished.
#[test]
fn a_finished_receiver_leaves_in_time() {
    let mut victim = lingering();
    for _ in 0..60 {
        victim.now += Duration::from_secs(1);
        if victim.result.is_none() && victim.now >= victim.wake {
            victim.give(Input::Tick);
        }
        victim.hear(&PeerMessage::Totals(Totals::default()));
    }
    assert!(matches!(victim.result, Some(Ok(_))), "it stays while totals come");
}

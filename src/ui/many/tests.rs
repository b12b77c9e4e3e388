//! What a person reads of several receivers.

use crate::code::Code;
use crate::event::{Consent, Event, Progress, Tally};
use crate::ui::testing::Captured;
use crate::ui::{Allowed, Reporter, Role, Style, Verbosity};

fn reporter() -> (Reporter, Captured) {
    let captured = Captured::default();
    let (colour, motion) = (Allowed::Never, Allowed::Never);
    let style = Style { role: Role::Send, verbosity: Verbosity::Normal, colour, motion };
    (Reporter::with_sink(style, Box::new(captured.clone())), captured)
}

fn code(text: &str) -> Event {
    let code = Code::parse(text).unwrap().code;
    Event::Code { code, command: format!("p2pcp recv {text}") }
}

fn failed(error: &str) -> Event {
    let hint = Some("try again".to_owned());
    Event::Failed { error: error.to_owned(), cause: None, hint, exit_code: 4 }
}

#[test]
fn each_voice_says_whom_it_speaks_of_and_what_concerns_all_is_said_once() {
    let (reporter, captured) = reporter();
    let voices = reporter.for_receivers(2);
    let totals = crate::wire::peer::Totals { complete: true, ..Default::default() };
    for (voice, text) in voices.iter().zip(["417-aloe-tuba", "520-magnet-opera"]) {
        voice.event(&Event::Sending { items: Vec::new(), more: 0, totals });
        voice.event(&code(text));
        voice.event(&Event::Waiting);
    }
    for voice in &voices {
        voice.event(&Event::Skipped { path: "a".to_owned(), reason: "it is a pipe".to_owned() });
    }
    voices[1].event(&failed("the other side declined"));
    assert_eq!(
        captured.text(),
        "sending nothing (no files, 0 B)\n\
         receiver 1: on the other side, type: p2pcp recv 417-aloe-tuba\n\
         receiver 2: on the other side, type: p2pcp recv 520-magnet-opera\n\
         waiting for 2 receivers…\n\
         warning: skipped a: it is a pipe\n\
         receiver 2: error: the other side declined\n\
         receiver 2: hint: try again\n"
    );
}

#[test]
fn there_is_a_live_line_for_each_that_is_being_sent_to() {
    let (reporter, _) = reporter();
    let voices = reporter.for_receivers(4);
    let crowd = voices[0].inner.receiver.as_ref().and_then(|it| it.crowd.clone()).unwrap();
    let mut progress = Progress { total_bytes: 200, complete: true, ..Progress::default() };
    for (voice, bytes) in voices.iter().zip([50, 100, 0]) {
        progress.bytes = bytes;
        voice.event(&Event::Consent { answer: Consent::Accepted });
        voice.event(&Event::Progress(progress.clone()));
    }
    voices[1].event(&Event::Stalled { silence: std::time::Duration::from_secs(15) });
    voices[2].event(&failed("the other side stopped"));
    let text = |columns| {
        let lines = crowd.lines(columns);
        let text = |it: &crate::ui::line::Line| {
            let mut out = String::new();
            it.render(false, &mut out);
            out
        };
        lines.iter().map(text).collect::<Vec<_>>()
    };
    let lines = text(60);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("receiver 1:  25% ━"), "{lines:?}");
    assert_eq!(lines[1], "receiver 2: nothing has come from the other side for 15 s…");
    assert_eq!(lines[2], "1 failed, 1 waiting");
    for columns in [12, 20] {
        assert!(text(columns).iter().all(|it| crate::ui::text::width(it) <= columns));
    }
}

#[test]
fn the_summary_counts_those_that_there_are() {
    let tally = Tally { receivers: 3, complete: 2, declined: 1, ..Tally::default() };
    for (tally, expected) in [
        (tally, "2 of 3 received everything; 1 declined\n"),
        (Tally { receivers: 2, complete: 2, ..Tally::default() }, "2 of 2 received everything\n"),
        (
            Tally {
                receivers: 6,
                partly: 1,
                unmet: 2,
                lost: 1,
                interrupted: 1,
                failed: 1,
                ..Tally::default()
            },
            "0 of 6 received everything; 1 received a part, 2 did not come, 1 lost the connection, \
             1 interrupted, 1 failed\n",
        ),
        (Tally::default(), ""),
    ] {
        let (reporter, captured) = reporter();
        reporter.event(&Event::Served { tally, exit_code: 0 });
        assert_eq!(captured.text(), expected);
    }
}

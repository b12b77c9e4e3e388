//! What the meter says, under a clock that the test moves.

use super::*;
use crate::event::Consent;
use crate::transport::{self, Way};
use crate::wire::path::RelPath;
use crate::wire::peer::{Outcome, Totals};

const MIB: u64 = 1 << 20;

fn progress(total_files: u64, total_bytes: u64, complete: bool) -> Progress {
    Progress { total_files, total_bytes, complete, ..Progress::default() }
}

fn moved(bytes: u64, of: &Progress) -> Event {
    Event::Progress(Progress { bytes, ..of.clone() })
}

const ACCEPTED: Event = Event::Consent { answer: Consent::Accepted };

fn show(line: &Line) -> String {
    let mut out = String::new();
    line.render(false, &mut out);
    out
}

/// A meter after 2 s at 50 MiB/s, and the time.
fn halfway(complete: bool) -> (Meter, Instant) {
    let start = Instant::now();
    let mut meter = Meter::default();
    meter.take(start, &ACCEPTED);
    let mut progress = progress(20, 200 * MIB, complete);
    progress.current = Some(RelPath::parse("photos/2024/IMG_1234.jpg").unwrap());
    for quarter in 0..=8 {
        let time = start + Duration::from_millis(250) * quarter;
        meter.take(time, &moved(u64::from(quarter) * 25 * MIB / 2, &progress));
    }
    (meter, start + Duration::from_secs(2))
}

/// The live lines at these widths, each under a ruler that says how wide it is.
fn shown(meter: &Meter, now: Instant, widths: &[usize]) -> String {
    let mut out = String::new();
    for &columns in widths {
        out += &format!("{:-<columns$}\n", format!("{columns} "));
        for line in meter.lines(now, columns) {
            assert!(line.width() <= columns, "{}", show(&line));
            out += &format!("{}\n", show(&line));
        }
    }
    out
}

/// A meter as after half of a transfer that went on with an earlier one, with two files under way.
fn resumed() -> (Meter, Instant) {
    let (mut meter, now) = halfway(true);
    let path = transport::Path::new(Way::Lan, [192, 168, 1, 7].into());
    meter.take(now, &Event::Path { path, better: false });
    let mut all = meter.progress.clone();
    (all.bytes, all.total_bytes, all.resumed_bytes) = (1200 * MIB, 3000 * MIB, 400 * MIB);
    all.current = Some(RelPath::parse("photos/2024/写真のファイル名はとても長いです.jpg").unwrap());
    meter.take(now, &Event::Progress(all));
    (meter, now)
}

#[test]
fn the_live_lines_fill_the_width_they_are_given() {
    let (meter, now) = halfway(true);
    snapbox::assert_data_eq!(
        shown(&meter, now, &[120, 80, 40, 10]),
        snapbox::str![[r#"
120 --------------------------------------------------------------------------------------------------------------------
 50% ━━━━━━━━━━━━━━━━━━━━──────────────────── 100.0 MiB of 200.0 MiB  50.0 MiB/s  2 s left
0 of 20 files  photos/2024/IMG_1234.jpg
80 -----------------------------------------------------------------------------
 50% ━━━━━━━━━━━━━━━─────────────── 100.0 MiB of 200.0 MiB  50.0 MiB/s  2 s left
0 of 20 files  photos/2024/IMG_1234.jpg
40 -------------------------------------
 50% 100.0 MiB of 200.0 MiB  50.0 MiB/s
0 of 20 files  photos/2024/IMG_1234.jpg
10 -------
50%
0/20

"#]]
    );
    for columns in 5..200 {
        for meter in [&meter, &halfway(false).0, &resumed().0] {
            shown(meter, now, &[columns]);
        }
    }
}

#[test]
fn what_was_here_is_counted_apart_and_wide_names_fit() {
    let (meter, now) = resumed();
    snapbox::assert_data_eq!(
        shown(&meter, now, &[120, 80, 40]),
        snapbox::str![[r#"
120 --------------------------------------------------------------------------------------------------------------------
 40% ━━━━━━━━━━━━━━━━──────────────────────── 1.2 GiB of 2.9 GiB, 400.0 MiB were here  400.0 MiB/s  2 s left  LAN
0 of 20 files  photos/2024/IMG_1234.jpg
               photos/2024/写真のファイル名はとても長いです.jpg
80 -----------------------------------------------------------------------------
 40% ━━━━──────── 1.2 GiB of 2.9 GiB, 400.0 MiB were here  400.0 MiB/s  2 s left
0 of 20 files  photos/2024/IMG_1234.jpg
               photos/2024/写真のファイル名はとても長いです.jpg
40 -------------------------------------
 40% 1.2 GiB of 2.9 GiB  400.0 MiB/s
0 of 20 files  photos/2024/IMG_1234.jpg
               photos/2024/…長いです.jpg

"#]]
    );
}

#[test]
fn growing_totals_show_no_percent_and_no_time_left() {
    let (meter, now) = halfway(false);
    snapbox::assert_data_eq!(
        shown(&meter, now, &[80, 40, 10]),
        snapbox::str![[r#"
80 -----------------------------------------------------------------------------
100.0 MiB of ≥ 200.0 MiB, counting…  50.0 MiB/s
0 of ≥ 20 files  photos/2024/IMG_1234.jpg
40 -------------------------------------
100.0 MiB of ≥ 200.0 MiB, counting…
0 of ≥ 20 files  photos/2024…MG_1234.jpg
10 -------
100.0 MiB
0/20

"#]]
    );
}

#[test]
fn a_settled_file_is_not_under_way() {
    let (mut meter, now) = resumed();
    assert_eq!(meter.lines(now, 80).len(), 3);
    let first = RelPath::parse("photos/2024/IMG_1234.jpg").unwrap();
    meter.take(now, &Event::Entry { path: first, outcome: Outcome::Kept { digest: [0; 32] }, file: true });
    assert_eq!(meter.lines(now, 80).len(), 2);
    let second = meter.progress.current.clone().unwrap();
    meter.take(now, &Event::Entry { path: second, outcome: Outcome::Exists, file: true });
    let current = Some(RelPath::parse("third").unwrap());
    meter.take(now, &Event::Progress(Progress { current, ..meter.progress.clone() }));
    assert_eq!(show(meter.lines(now, 80).last().unwrap()), "0 of 20 files  third");
}

/// A disk that takes a minute is at work, and so is one that is read to find out what is here already.
#[test]
fn disks_at_work_have_names_and_are_no_stalls() {
    let (mut meter, now) = halfway(true);
    let stalled = Event::Stalled { silence: Duration::from_secs(15) };
    meter.take(now, &Event::Found { bytes: 50 * MIB, totals: Totals::default() });
    let second = |meter: &Meter| show(&meter.lines(now, 80)[1]);
    assert_eq!(second(&meter), "checking what is here…");
    let all = Progress { resumed_bytes: 20 * MIB, bytes: 120 * MIB, ..meter.progress.clone() };
    meter.take(now, &Event::Progress(all.clone()));
    assert_eq!(second(&meter), "checking what is here…");
    meter.take(now, &moved(121 * MIB, &all));
    assert_eq!(second(&meter), "0 of 20 files  photos/2024/IMG_1234.jpg");
    meter.take(now, &moved(200 * MIB, &all));
    meter.take(now, &stalled);
    assert_eq!(second(&meter), "writing to disk…");
    assert_eq!(show(&meter.lines(now, 80)[0]).matches("left").count(), 0);
    meter.take(now, &Event::Finishing(all));
    assert_eq!(second(&meter), "writing to disk…");
}

#[test]
fn a_plain_line_comes_every_five_seconds_and_at_the_end() {
    let start = Instant::now();
    let mut meter = Meter::default();
    let mut said = Vec::new();
    let mut feed = |milliseconds: u64, event: Event| {
        let now = start + Duration::from_millis(milliseconds);
        meter.take(now, &event);
        said.extend(meter.plain(now, &event).map(|line| (milliseconds, show(&line))));
    };
    let all = progress(2, 1000 * MIB, true);
    feed(0, ACCEPTED);
    for tenth in 0..=110 {
        feed(tenth * 100, moved(tenth * MIB, &all));
    }
    feed(11_001, moved(1000 * MIB, &all));
    feed(11_002, Event::Finishing(Progress { bytes: 1000 * MIB, ..all.clone() }));
    feed(60_000, moved(1000 * MIB, &all));
    assert_eq!(
        said,
        [
            (5000, "5% 50.0 MiB of 1000.0 MiB, 10.0 MiB/s, 0 of 2 files".to_owned()),
            (10_000, "10% 100.0 MiB of 1000.0 MiB, 10.0 MiB/s, 0 of 2 files".to_owned()),
            (11_002, "100% 1000.0 MiB of 1000.0 MiB, 0 of 2 files".to_owned()),
        ]
    );
}

#[test]
fn a_stall_is_said_with_its_age_until_it_moves() {
    let (mut meter, now) = halfway(true);
    meter.take(now, &Event::Stalled { silence: Duration::from_secs(15) });
    let later = now + Duration::from_millis(50_400);
    let second = |meter: &Meter| show(&meter.lines(later, 79)[1]);
    assert_eq!(second(&meter), "nothing has come from the other side for 1 min 5 s…");
    meter.take(later, &Event::Moving);
    assert_eq!(second(&meter), "0 of 20 files  photos/2024/IMG_1234.jpg");
}

#[test]
fn files_without_bytes_still_make_progress() {
    let now = Instant::now();
    let mut meter = Meter::default();
    meter.take(now, &Event::Progress(Progress { files: 1, ..progress(4, 0, true) }));
    assert_eq!(meter.percent(), Some(25));
    meter.take(now, &Event::Progress(progress(0, 0, true)));
    assert_eq!(meter.percent(), Some(100));
}

#[test]
fn numbers_from_a_hostile_peer_neither_overflow_nor_lie() {
    let now = Instant::now();
    let mut meter = Meter::default();
    meter.take(now, &moved(u64::MAX, &progress(u64::MAX, 10, true)));
    assert_eq!(meter.percent(), Some(100));
    for columns in [5, 40, 80] {
        shown(&meter, now + PLAIN_EVERY, &[columns]);
    }
}

#[test]
fn a_new_session_starts_from_nothing() {
    let (mut meter, now) = halfway(true);
    let all = progress(20, 200 * MIB, true);
    assert_eq!(meter.take(now, &moved(101 * MIB, &all)), Change::Numbers);
    assert_eq!(meter.take(now, &ACCEPTED), Change::Numbers);
    assert_eq!(meter.take(now, &moved(0, &all)), Change::Begun);
    assert!(show(&meter.lines(now, 79)[0]).ends_with("0 B of 200.0 MiB"));
}

#[test]
fn limits_pauses_and_keys_are_told_where_there_is_room() {
    let (mut meter, now) = halfway(true);
    meter.take(now, &Event::Limited { bytes_per_second: Some(5_000_000) });
    meter.tells_keys(true);
    snapbox::assert_data_eq!(
        shown(&meter, now, &[120, 80, 40, 10]),
        snapbox::str![[r#"
120 --------------------------------------------------------------------------------------------------------------------
 50% ━━━━━━━━━━━━━━━━━━━━──────────────────── 100.0 MiB of 200.0 MiB  50.0 MiB/s  limit 4.8 MiB/s  2 s left
0 of 20 files  photos/2024/IMG_1234.jpg
p pause, + - limit
80 -----------------------------------------------------------------------------
 50% ━━━━━━─────── 100.0 MiB of 200.0 MiB  50.0 MiB/s  limit 4.8 MiB/s  2 s left
0 of 20 files  photos/2024/IMG_1234.jpg
p pause, + - limit
40 -------------------------------------
 50% 100.0 MiB of 200.0 MiB  50.0 MiB/s
0 of 20 files  photos/2024/IMG_1234.jpg
p pause, + - limit
10 -------
50%
0/20

"#]]
    );
    meter.take(now, &Event::Stalled { silence: Duration::from_secs(15) });
    meter.take(now, &Event::Paused { here: true, there: true });
    snapbox::assert_data_eq!(
        shown(&meter, now, &[80]),
        snapbox::str![[r#"
80 -----------------------------------------------------------------------------
 50% ━━━━━━━━━━━━━━━━━────────────────── 100.0 MiB of 200.0 MiB  limit 4.8 MiB/s
paused by both sides
p go on

"#]]
    );
    meter.take(now, &Event::Paused { here: false, there: true });
    assert_eq!(show(&meter.lines(now, 80)[1]), "paused by the other side");
    meter.take(now, &Event::Disconnected { loss: Loss::Silent });
    assert_eq!(show(&meter.lines(now, 80)[1]), "connection lost, reconnecting for 0 s…");
}

/// What was wished before the offer was accepted holds afterwards.
#[test]
fn a_new_session_keeps_what_was_wished() {
    let (mut meter, now) = halfway(true);
    meter.take(now, &Event::Limited { bytes_per_second: Some(5_000_000) });
    meter.take(now, &Event::Paused { here: true, there: false });
    meter.take(now, &ACCEPTED);
    assert_eq!((meter.limit, meter.paused), (Some(5_000_000), Some((true, false))));
}

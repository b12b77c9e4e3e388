//! What the meter says, under a clock that the test moves.

use super::*;
use crate::event::Consent;
use crate::wire::path::RelPath;

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

#[test]
fn the_live_lines_fill_the_width_they_are_given() {
    let (meter, now) = halfway(true);
    let upper = show(&meter.upper(now, 79));
    let bar = format!("{}{}", "━".repeat(14), "─".repeat(15));
    assert_eq!(upper, format!(" 50% {bar} 100.0 MiB of 200.0 MiB  50.0 MiB/s  2 s left"));
    assert_eq!(show(&meter.lower(now, 79)), "0 of 20 files  photos/2024/IMG_1234.jpg");
    assert_eq!(show(&meter.upper(now, 39)), " 50% 100.0 MiB of 200.0 MiB  50.0 MiB/s");
    assert_eq!(show(&meter.lower(now, 31)), "0 of 20 files  photos/2…234.jpg");
    for columns in 5..200 {
        assert!(meter.upper(now, columns).width() <= columns, "{columns}");
        assert!(meter.lower(now, columns).width() <= columns, "{columns}");
    }
}

#[test]
fn growing_totals_show_no_percent_and_no_time_left() {
    let (meter, now) = halfway(false);
    assert_eq!(show(&meter.upper(now, 79)), "100.0 MiB of ≥ 200.0 MiB, counting…  50.0 MiB/s");
    assert_eq!(show(&meter.lower(now, 20)), "0 of ≥ 20 files");
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
    assert_eq!(show(&meter.lower(later, 79)), "nothing has come from the other side for 1 min 5 s…");
    meter.take(later, &Event::Moving);
    assert_eq!(show(&meter.lower(later, 79)), "0 of 20 files  photos/2024/IMG_1234.jpg");
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
        meter.upper(now + PLAIN_EVERY, columns);
        meter.lower(now + PLAIN_EVERY, columns);
    }
}

#[test]
fn a_new_session_starts_from_nothing() {
    let (mut meter, now) = halfway(true);
    let all = progress(20, 200 * MIB, true);
    assert_eq!(meter.take(now, &moved(101 * MIB, &all)), Change::Numbers);
    assert_eq!(meter.take(now, &ACCEPTED), Change::Numbers);
    assert_eq!(meter.take(now, &moved(0, &all)), Change::Begun);
    assert!(show(&meter.upper(now, 79)).ends_with("0 B of 200.0 MiB"));
}

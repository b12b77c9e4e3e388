//! What the meter says, under a clock that the test moves.

use super::*;
use crate::wire::path::RelPath;
use crate::wire::peer::Outcome;

const MIB: u64 = 1 << 20;

fn totals(files: u64, bytes: u64, complete: bool) -> Event {
    Event::Totals(Totals { files, bytes, complete, ..Totals::default() })
}

fn current(path: &str) -> Event {
    Event::Current(RelPath::parse(path).unwrap())
}

fn show(line: &Line) -> String {
    let mut out = String::new();
    line.render(false, &mut out);
    out
}

/// A meter after 2 s at 50 MiB/s, and the time.
fn halfway(complete: bool) -> (Meter, Instant) {
    let start = Instant::now();
    let mut meter = Meter::default();
    meter.take(start, &totals(20, 200 * MIB, complete));
    meter.take(start, &Event::Accepted);
    meter.take(start, &current("photos/2024/IMG_1234.jpg"));
    for quarter in 1..=8 {
        meter.take(
            start + Duration::from_millis(250) * quarter,
            &Event::Moved(u64::from(quarter) * 25 * MIB / 2),
        );
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
    feed(0, totals(2, 1000 * MIB, true));
    feed(0, Event::Accepted);
    for tenth in 1..=110 {
        feed(tenth * 100, Event::Moved(tenth * MIB));
    }
    feed(11_001, Event::Moved(1000 * MIB));
    feed(11_002, Event::Finishing);
    feed(60_000, Event::Moved(1000 * MIB));
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
    meter.take(now, &Event::Stalled(Duration::from_secs(15)));
    let later = now + Duration::from_millis(50_400);
    assert_eq!(show(&meter.lower(later, 79)), "nothing has come from the other side for 1 min 5 s…");
    meter.take(later, &Event::Moving);
    assert_eq!(show(&meter.lower(later, 79)), "0 of 20 files  photos/2024/IMG_1234.jpg");
}

#[test]
fn files_without_bytes_still_make_progress() {
    let now = Instant::now();
    let mut meter = Meter::default();
    meter.take(now, &totals(4, 0, true));
    let path = RelPath::parse("empty").unwrap();
    meter.take(now, &Event::Settled { path, outcome: Outcome::Exists, file: true, spared: 0 });
    assert_eq!(meter.percent(), Some(25));
    meter.take(now, &totals(0, 0, true));
    assert_eq!(meter.percent(), Some(100));
}

#[test]
fn numbers_from_a_hostile_peer_neither_overflow_nor_lie() {
    let now = Instant::now();
    let mut meter = Meter::default();
    meter.take(now, &totals(u64::MAX, 10, true));
    meter.take(now, &Event::Moved(u64::MAX));
    assert_eq!(meter.percent(), Some(100));
    for columns in [5, 40, 80] {
        meter.upper(now + PLAIN_EVERY, columns);
        meter.lower(now + PLAIN_EVERY, columns);
    }
}

#[test]
fn a_new_session_starts_from_nothing() {
    let (mut meter, now) = halfway(true);
    assert_eq!(meter.take(now, &Event::Moved(101 * MIB)), Change::Numbers);
    assert_eq!(meter.take(now, &Event::Accepted), Change::Begun);
    assert!(show(&meter.upper(now, 79)).ends_with("0 B of 200.0 MiB"));
}

//! A picture of what `curve` measured, as SVG: one panel a loss, one line a tool.

use std::fmt::Write as _;
use std::fs;

use crate::curve::HEAD;

/// Sizes in pixels of the picture as it is drawn; whoever shows it may scale it.
const PANEL: (f64, f64) = (170.0, 180.0);
const GAP: f64 = 24.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 74.0;
const BELOW: f64 = 52.0;

/// Colours that people with any kind of colour vision tell apart (Okabe and Ito, 2008), and that print.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Height of a letter, in pixels; a letter is about half as wide.
const LETTERS: f64 = 12.0;

struct Point {
    rtt_ms: f64,
    loss_percent: f64,
    tool: String,
    mbit: f64,
}

/// `draw CSV... SVG`: of a tool that is in several files each point is the last one's.
pub fn run(words: &[String]) -> Result<(), String> {
    let Some((svg, tables)) = words.split_last().filter(|it| !it.1.is_empty()) else {
        return Err("draw: say what and where to, draw CSV... SVG".to_owned());
    };
    let mut points: Vec<Point> = Vec::new();
    for table in tables {
        let text = fs::read_to_string(table).map_err(|error| format!("{table}: {error}"))?;
        for point in parse(&text).ok_or(format!("{table}: not a table of `{HEAD}`"))? {
            points.retain(|it| !it.same_place(&point));
            points.push(point);
        }
    }
    if points.is_empty() {
        return Err("draw: there is no point in these tables".to_owned());
    }
    fs::write(svg, picture(&points)).map_err(|error| format!("{svg}: {error}"))
}

impl Point {
    fn same_place(&self, other: &Point) -> bool {
        (self.rtt_ms, self.loss_percent, &self.tool) == (other.rtt_ms, other.loss_percent, &other.tool)
    }
}

fn parse(table: &str) -> Option<Vec<Point>> {
    let lines = table.strip_prefix(HEAD)?.lines().filter(|it| !it.is_empty());
    lines
        .map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            let [rtt_ms, loss_percent, tool, mbit] = fields[..] else { return None };
            Some(Point {
                rtt_ms: rtt_ms.parse().ok()?,
                loss_percent: loss_percent.parse().ok()?,
                tool: tool.to_owned(),
                mbit: mbit.parse().ok()?,
            })
        })
        .collect()
}

/// Where figures are in a panel: round trips side by side in order, throughput on an even scale.
struct Scale {
    rtts_ms: Vec<f64>,
    highest_mbit: f64,
}

impl Scale {
    fn x(&self, rtt_ms: f64) -> f64 {
        let before = self.rtts_ms.iter().filter(|it| **it < rtt_ms).count();
        PANEL.0 * before as f64 / (self.rtts_ms.len() - 1).max(1) as f64
    }

    fn y(&self, mbit: f64) -> f64 {
        PANEL.1 * (1.0 - mbit / self.highest_mbit)
    }
}

fn picture(points: &[Point]) -> String {
    let losses = distinct(points.iter().map(|it| it.loss_percent));
    let mut tools: Vec<&str> = Vec::new();
    for point in points {
        if !tools.contains(&point.tool.as_str()) {
            tools.push(&point.tool);
        }
    }
    let scale = Scale {
        rtts_ms: distinct(points.iter().map(|it| it.rtt_ms)),
        // The next round figure: a hundred above everything on a line of 100 Mbit/s.
        highest_mbit: (points.iter().map(|it| it.mbit).fold(1.0, f64::max) / 10.0).ceil() * 10.0,
    };
    let width = LEFT + losses.len() as f64 * (PANEL.0 + GAP) + GAP;
    let height = TOP + PANEL.1 + BELOW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"{LETTERS}\" fill=\"#222\">\n<title>Throughput over round trip and loss</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    legend(&mut svg, &tools);
    for (index, loss) in losses.iter().enumerate() {
        let left = LEFT + index as f64 * (PANEL.0 + GAP);
        writeln!(svg, "<g transform=\"translate({left} {TOP})\">").expect(WRITES);
        frame(&mut svg, &scale, index == 0);
        text(&mut svg, PANEL.0 / 2.0, -8.0, "middle", &format!("{loss} % loss"));
        for (tool, colour) in tools.iter().zip(COLOURS.iter().cycle()) {
            let mut of_tool: Vec<_> =
                points.iter().filter(|it| it.loss_percent == *loss && it.tool == *tool).collect();
            of_tool.sort_by(|one, other| one.rtt_ms.total_cmp(&other.rtt_ms));
            line(&mut svg, &scale, &of_tool, colour);
        }
        svg.push_str("</g>\n");
    }
    text(&mut svg, width / 2.0, height - 8.0, "middle", "round trip, ms");
    svg.push_str("</svg>\n");
    svg
}

const WRITES: &str = "a string takes everything";

fn legend(svg: &mut String, tools: &[&str]) {
    text(svg, LEFT, 22.0, "start", "Mbit/s of payload; loss is each way");
    let mut x = LEFT;
    for (tool, colour) in tools.iter().zip(COLOURS.iter().cycle()) {
        writeln!(svg, "<path d=\"M{x} 40h20\" stroke=\"{colour}\" stroke-width=\"2.5\"/>").expect(WRITES);
        text(svg, x + 26.0, 44.0, "start", tool);
        x += 26.0 + tool.chars().count() as f64 * LETTERS * 0.6 + 24.0;
    }
}

/// The frame of a panel, with figures at its left only for the first one.
fn frame(svg: &mut String, scale: &Scale, with_figures: bool) {
    for quarter in 0..=4 {
        let mbit = scale.highest_mbit * f64::from(quarter) / 4.0;
        let y = scale.y(mbit);
        writeln!(svg, "<path d=\"M0 {y:.1}h{}\" stroke=\"#ddd\"/>", PANEL.0).expect(WRITES);
        if with_figures {
            text(svg, -8.0, y + 4.0, "end", &format!("{mbit:.0}"));
        }
    }
    for rtt_ms in &scale.rtts_ms {
        let x = scale.x(*rtt_ms);
        writeln!(svg, "<path d=\"M{x:.1} {}v4\" stroke=\"#888\"/>", PANEL.1).expect(WRITES);
        text(svg, x, PANEL.1 + 18.0, "middle", &rtt_ms.to_string());
    }
}

fn line(svg: &mut String, scale: &Scale, points: &[&Point], colour: &str) {
    let places: Vec<_> = points.iter().map(|it| (scale.x(it.rtt_ms), scale.y(it.mbit))).collect();
    let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let path = path.join(" ");
    writeln!(svg, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>")
        .expect(WRITES);
    for (x, y) in places {
        writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>").expect(WRITES);
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>").expect(WRITES);
}

/// In order, each once.
fn distinct(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

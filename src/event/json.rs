//! The JSON form of events: names and shapes that stay, whatever becomes of the types inside.
//!
//! `docs/json-events.md` has an example of each kind and `docs/json-events.schema.json` their schema; a test holds real events
//! against both.

use std::fmt::{Display, Write};
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::code::Code;
use crate::event::{Event, VERSION, leftover_state};
use crate::fs::{Leftover, LeftoverState};
use crate::session::Summary;
use crate::transport::{Because, Path, Way};
use crate::wire::PathKind;
use crate::wire::path::is_unsafe_to_show;
use crate::wire::peer::{Offer, OfferItem, Outcome, SourceFault, Totals};

#[derive(serde::Serialize)]
struct Line<'a> {
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiver: Option<u32>,
    #[serde(flatten)]
    event: &'a Event,
}

/// One event as one line; of which receiver, where there are several.
pub(super) fn line(event: &Event, receiver: Option<u32>) -> String {
    let raw = serde_json::to_string(&Line { v: VERSION, receiver, event })
        .expect("all keys are text and nothing else can fail");
    if !raw.contains(is_unsafe_to_show) {
        return raw;
    }
    // Outside of strings JSON is ASCII without control characters, so all that is found here is in one.
    let mut safe = String::with_capacity(raw.len() + 32);
    for c in raw.chars() {
        match is_unsafe_to_show(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                write!(safe, "\\u{unit:04x}").expect("a string takes everything");
            }),
            false => safe.push(c),
        }
    }
    safe
}

pub(super) fn text<S: Serializer>(value: &impl Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

pub(super) fn code<S: Serializer>(code: &Code, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(code)
}

/// Seconds, to the millisecond.
pub(super) fn seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_precision_loss, reason = "a time of 285,000 years is out of reach")]
    let seconds = time.as_millis() as f64 / 1000.0;
    to.serialize_f64(seconds)
}

pub(super) fn totals<S: Serializer>(totals: &Totals, to: S) -> Result<S::Ok, S::Error> {
    let Totals { files, folders, links, bytes, complete } = totals;
    let mut map = to.serialize_map(Some(5))?;
    map.serialize_entry("files", files)?;
    map.serialize_entry("folders", folders)?;
    map.serialize_entry("links", links)?;
    map.serialize_entry("bytes", bytes)?;
    map.serialize_entry("complete", complete)?;
    map.end()
}

struct AsTotals<'a>(&'a Totals);

impl Serialize for AsTotals<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        totals(self.0, to)
    }
}

struct AsItem<'a>(&'a OfferItem);

impl Serialize for AsItem<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let OfferItem { name, folder, size } = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("name", name.as_str())?;
        let kind = match (*folder, self.0.text().is_some(), self.0.is_stream()) {
            (true, _, _) => "folder",
            (false, true, _) => "text",
            (false, false, true) => "stream",
            (false, false, false) => "file",
        };
        map.serialize_entry("kind", kind)?;
        if kind == "file" {
            map.serialize_entry("bytes", size)?;
        }
        if let Some(characters) = self.0.text() {
            map.serialize_entry("characters", &characters)?;
        }
        map.end()
    }
}

struct AsItems<'a>(&'a [OfferItem]);

impl Serialize for AsItems<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        items(self.0, to)
    }
}

pub(super) fn items<S: Serializer>(items: &[OfferItem], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(items.iter().map(AsItem))
}

pub(super) fn offer<S: Serializer>(offer: &Offer, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(3))?;
    map.serialize_entry("items", &AsItems(&offer.items))?;
    map.serialize_entry("more", &offer.more)?;
    map.serialize_entry("totals", &AsTotals(&offer.totals))?;
    map.end()
}

pub(super) fn path<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    let kind = match path.kind {
        PathKind::Direct => "direct",
        PathKind::Relayed => "relayed",
        PathKind::Failed => "failed",
    };
    map.serialize_entry("connection", kind)?;
    map.serialize_entry("way", way(&path.way))?;
    if let Some(address) = path.address {
        map.serialize_entry("address", &address)?;
    }
    if let Way::Relayed { by, because } = &path.way {
        map.serialize_entry("relay", by)?;
        map.serialize_entry("because", why(*because))?;
    }
    map.end()
}

fn way(way: &Way) -> &'static str {
    match way {
        Way::ThisMachine => "this_machine",
        Way::Lan => "lan",
        Way::Ipv6 => "ipv6",
        Way::Open => "open",
        Way::OneNat => "one_nat",
        Way::BothNats => "both_nats",
        Way::Relayed { .. } => "relay",
        Way::Unknown => "unknown",
    }
}

fn why(because: Because) -> &'static str {
    match because {
        Because::RelayOnlyHere => "relay_only_here",
        Because::RelayOnlyThere => "relay_only_there",
        Because::UdpBlockedHere => "udp_blocked_here",
        Because::UdpBlockedThere => "udp_blocked_there",
        Because::SymmetricBoth => "symmetric_both",
        Because::SymmetricHere => "symmetric_here",
        Because::SymmetricThere => "symmetric_there",
        Because::NoDirectPath => "no_direct_path",
    }
}

pub(super) fn outcome<S: Serializer>(outcome: &Outcome, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match outcome {
        Outcome::Kept { .. } => "kept",
        Outcome::Exists => "exists",
        Outcome::Skipped => "skipped",
        Outcome::Refused => "refused",
        Outcome::Unwanted => "unwanted",
        Outcome::SourceFailed(SourceFault::Gone) => "source_gone",
        Outcome::SourceFailed(SourceFault::Changed) => "source_changed",
        Outcome::SourceFailed(SourceFault::Denied) => "source_denied",
        Outcome::SourceFailed(SourceFault::Io) => "source_failed",
    })
}

struct AsLeftover<'a>(&'a Leftover);

impl Serialize for AsLeftover<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Leftover { path, bytes, files, modified, state } = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("path", &path.to_string_lossy())?;
        map.serialize_entry("bytes", bytes)?;
        map.serialize_entry("files", files)?;
        if let Some(modified) = modified {
            map.serialize_entry("modified", &modified.seconds())?;
        }
        let kind = match state {
            LeftoverState::Resumable => "resumable",
            LeftoverState::InUse => "in_use",
            LeftoverState::Unusable(_) => "unusable",
        };
        map.serialize_entry("state", kind)?;
        map.serialize_entry("text", &leftover_state(*state))?;
        map.end()
    }
}

pub(super) fn leftovers<S: Serializer>(found: &[Leftover], to: S) -> Result<S::Ok, S::Error> {
    let mut list = to.serialize_seq(Some(found.len()))?;
    found.iter().try_for_each(|it| list.serialize_element(&AsLeftover(it)))?;
    list.end()
}

pub(super) fn folder<S: Serializer>(folder: &std::path::Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&folder.to_string_lossy())
}

pub(super) fn summary<S: Serializer>(summary: &Summary, to: S) -> Result<S::Ok, S::Error> {
    let fields = [
        ("files", summary.files),
        ("folders", summary.folders),
        ("links", summary.links),
        ("bytes", summary.bytes),
        ("wire_bytes", summary.wire),
        ("spared_bytes", summary.spared),
        ("exists", summary.exists),
        ("skipped", summary.skipped),
        ("unwanted", summary.unwanted),
        ("refused", summary.refused),
        ("source_changed", summary.source_changed),
        ("source_failed", summary.source_failed),
        ("unsent", summary.unsent),
    ];
    let mut map = to.serialize_map(Some(fields.len()))?;
    fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
    map.end()
}

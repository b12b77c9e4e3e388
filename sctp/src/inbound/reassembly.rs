//! Puts messages together from their fragments, in whatever order those come.
//!
//! Fragments of a message have consecutive TSNs (RFC 9260 §6.9), so what belongs together touches: a [`Segment`] is a
//! run of fragments of one message that is not whole yet. A chunk that comes in order extends one at its end.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::Violation;
use crate::inbound::{CHUNK_OVERHEAD, MESSAGE_OVERHEAD};
use crate::message::StreamId;
use crate::wire::Data;

/// Payloads shorter than this are copied, in bytes.
///
/// Those that are the lesser part of their datagram are copies already (`Data::let_go_of`). This is for the buffer that
/// a short datagram came in, which may be much longer than it; full packets of common paths are not copied.
const COPIED_BELOW: usize = 1024;

/// What all fragments of a message agree in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) stream: StreamId,
    /// The stream sequence number; nothing where order does not matter.
    pub(crate) ssn: Option<u16>,
    pub(crate) ppid: u32,
}

impl Label {
    fn of(data: &Data) -> Self {
        Self { stream: data.stream, ssn: (!data.unordered).then_some(data.ssn), ppid: data.ppid }
    }
}

/// What is kept of a payload.
fn kept(payload: Bytes) -> Bytes {
    if payload.len() < COPIED_BELOW { Bytes::copy_from_slice(&payload) } else { payload }
}

/// A whole message.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) label: Label,
    pub(crate) fragments: Vec<Bytes>,
    /// What it counts for in the window, in bytes.
    pub(crate) charge: usize,
}

/// Consecutive fragments of one message, some of which are missing yet.
#[derive(Debug)]
struct Segment {
    label: Label,
    fragments: VecDeque<Bytes>,
    payload_bytes: usize,
    begins: bool,
    ends: bool,
}

impl Segment {
    fn new(data: Data) -> Self {
        Self {
            label: Label::of(&data),
            payload_bytes: data.payload.len(),
            begins: data.beginning,
            ends: data.ending,
            fragments: VecDeque::from([kept(data.payload)]),
        }
    }

    /// Appends the fragment that follows it.
    fn push(&mut self, data: Data) -> Result<(), Violation> {
        if self.label != Label::of(&data) {
            return Err(Violation::BadFragments);
        }
        self.payload_bytes += data.payload.len();
        self.ends = data.ending;
        self.fragments.push_back(kept(data.payload));
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.begins && self.ends
    }

    fn charge(&self) -> usize {
        self.payload_bytes + self.fragments.len() * CHUNK_OVERHEAD + MESSAGE_OVERHEAD
    }

    /// The TSN after the last one of a segment that begins with `first`.
    fn end(&self, first: u64) -> u64 {
        first + self.fragments.len() as u64
    }

    /// Appends what follows it. The shorter list moves: however they come, a fragment moves a few times at most.
    fn append(&mut self, mut next: Self) -> Result<(), Violation> {
        if self.label != next.label {
            return Err(Violation::BadFragments);
        }
        self.payload_bytes += next.payload_bytes;
        self.ends = next.ends;
        if self.fragments.len() >= next.fragments.len() {
            self.fragments.append(&mut next.fragments);
        } else {
            while let Some(fragment) = self.fragments.pop_back() {
                next.fragments.push_front(fragment);
            }
            self.fragments = next.fragments;
        }
        Ok(())
    }

    fn into_message(self) -> Assembled {
        let charge = self.charge();
        Assembled { label: self.label, fragments: self.fragments.into(), charge }
    }
}

/// Messages that are not whole yet.
#[derive(Debug)]
pub(crate) struct Reassembly {
    /// By the first TSN of each; none of them is whole.
    segments: BTreeMap<u64, Segment>,
    message_bytes: usize,
    charge: usize,
    /// Up to here the peer gave up what had not arrived; 0 (no unwrapped TSN is) while it gave up nothing.
    forwarded: u64,
    /// The next TSN may be the rest of a message whose beginning was given up: it is passed over.
    headless: Option<u64>,
}

impl Reassembly {
    /// Takes messages of up to `message_bytes`.
    pub(crate) fn new(message_bytes: usize) -> Self {
        Self { segments: BTreeMap::new(), message_bytes, charge: 0, forwarded: 0, headless: None }
    }

    /// What the fragments that wait count for in the window, in bytes.
    pub(crate) fn charge(&self) -> usize {
        self.charge
    }

    /// Takes a chunk that was not there before; `arrived` knows which were. Gives the message that it completes.
    pub(crate) fn take(
        &mut self,
        tsn: u64,
        data: Data,
        arrived: impl Fn(u64) -> bool,
    ) -> Result<Option<Assembled>, Violation> {
        let continues = match self.before(tsn, &data, &arrived)? {
            Before::Continues(first) => Some(first),
            Before::Nothing => None,
            Before::GivenUp => return Ok(None),
        };
        let follows = self.after(tsn, &data, &arrived)?;

        let next = follows.then(|| self.remove(tsn + 1)).flatten();
        let (first, segment) = match continues.and_then(|first| Some((first, self.segments.get_mut(&first)?)))
        {
            Some((first, segment)) => {
                self.charge -= segment.charge();
                segment.push(data)?;
                if let Some(next) = next {
                    segment.append(next)?;
                }
                if !segment.is_whole() && segment.payload_bytes <= self.message_bytes {
                    self.charge += segment.charge();
                    return Ok(None);
                }
                let Some(segment) = self.segments.remove(&first) else { return Ok(None) };
                (first, segment)
            }
            None => {
                let mut segment = Segment::new(data);
                if let Some(next) = next {
                    segment.append(next)?;
                }
                (tsn, segment)
            }
        };
        if segment.payload_bytes > self.message_bytes {
            return Err(Violation::MessageTooLong);
        }
        if segment.is_whole() {
            return Ok(Some(segment.into_message()));
        }
        self.charge += segment.charge();
        self.segments.insert(first, segment);
        Ok(None)
    }

    /// What ends just before `tsn`.
    fn before(&mut self, tsn: u64, data: &Data, arrived: impl Fn(u64) -> bool) -> Result<Before, Violation> {
        let before = self.segments.range(..tsn).next_back();
        let before = before.filter(|(first, segment)| segment.end(**first) == tsn);
        let Some((&first, segment)) = before else {
            return match data.beginning {
                true => Ok(Before::Nothing),
                false if self.headless == Some(tsn) => {
                    self.headless = None;
                    if !data.ending {
                        self.pass_over(tsn);
                    }
                    Ok(Before::GivenUp)
                }
                // A message ended there.
                false if arrived(tsn - 1) => Err(Violation::BadFragments),
                false => Ok(Before::Nothing),
            };
        };
        if segment.ends == data.beginning {
            return Ok(if segment.ends { Before::Nothing } else { Before::Continues(first) });
        }
        if data.beginning && tsn == self.forwarded + 1 {
            // The rest of that one was given up, too.
            self.remove(first);
            return Ok(Before::Nothing);
        }
        Err(Violation::BadFragments)
    }

    /// Whether a segment begins just after `tsn` that continues its message.
    fn after(&self, tsn: u64, data: &Data, arrived: impl Fn(u64) -> bool) -> Result<bool, Violation> {
        match self.segments.get(&(tsn + 1)) {
            Some(next) if next.begins != data.ending => Err(Violation::BadFragments),
            Some(next) => Ok(!next.begins),
            // A message began there.
            None if !data.ending && arrived(tsn + 1) => Err(Violation::BadFragments),
            None => Ok(false),
        }
    }

    fn remove(&mut self, first: u64) -> Option<Segment> {
        let segment = self.segments.remove(&first)?;
        self.charge -= segment.charge();
        Some(segment)
    }

    /// What is missing up to `forwarded` will not come (RFC 3758 §3.6); `missing` is the first TSN that is still waited
    /// for, `given_up` tells the messages that the peer names.
    pub(crate) fn forward(&mut self, forwarded: u64, missing: u64, given_up: impl Fn(&Label) -> bool) {
        self.forwarded = forwarded;
        let hopeless: Vec<u64> = self
            .segments
            .range(..=forwarded.saturating_add(1))
            .filter(|(first, segment)| {
                let end = segment.end(**first);
                let beginning_lost = !segment.begins;
                let rest_lost = !segment.ends && end <= forwarded;
                beginning_lost || rest_lost || (end == forwarded + 1 && given_up(&segment.label))
            })
            .map(|(first, _)| *first)
            .collect();
        let mut end = forwarded + 1;
        for first in hopeless {
            if let Some(segment) = self.remove(first)
                && segment.end(first) > end
            {
                end = if segment.ends { missing + 1 } else { segment.end(first) };
            }
        }
        let continued = self.segments.range(..missing).next_back().is_some_and(|(f, s)| s.end(*f) == missing);
        self.headless = (end == missing && !continued).then_some(missing);
    }

    /// `tsn` was passed over and its message goes on: so is what came of the rest, and what will.
    fn pass_over(&mut self, tsn: u64) {
        let mut next = tsn + 1;
        while self.segments.get(&next).is_some_and(|segment| !segment.begins) {
            let Some(segment) = self.remove(next) else { return };
            if segment.ends {
                self.headless = None;
                return;
            }
            next = segment.end(next);
        }
        self.headless = Some(next);
    }
}

/// What lies before a chunk.
enum Before {
    /// Nothing that it belongs to.
    Nothing,
    /// The segment that begins there, whose message it goes on with.
    Continues(u64),
    /// The part of its message that the peer gave up.
    GivenUp,
}

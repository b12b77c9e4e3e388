//! What a simulated pair has to live with, and which ends that excuses.

use std::time::Duration;

use bytes::BytesMut;
use p2pcp::crypto::Role;
use p2pcp::session::lasting::RECONNECT_FOR;
use p2pcp::session::{Answer, CONSENT_WITHIN, Failure, GIVE_UP_AFTER};
use p2pcp::wire::peer::AbortReason;

use crate::session::disk::Policy;
use crate::support::rng::Rng;

/// What a transport that is not reliable does to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It never comes.
    Drop,
    /// It comes twice.
    Twice,
    /// It comes before the frame that it should follow.
    Swap,
    /// Its end is missing.
    Truncate,
    /// One bit is another.
    Flip,
    /// It comes long after those that should follow it.
    Late,
}

impl Harm {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Drop, Self::Twice, Self::Swap, Self::Truncate, Self::Flip, Self::Late];

    /// The frame after a [`Harm::Truncate`] or a [`Harm::Flip`].
    pub fn spoil(self, frame: &mut BytesMut, rng: &mut Rng) {
        let at = rng.place(frame.len());
        match self {
            Self::Truncate => frame.truncate(at),
            Self::Flip => frame[at] ^= 1 << rng.below(8),
            Self::Drop | Self::Twice | Self::Swap | Self::Late => (),
        }
    }
}

/// Which frames are harmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harmed {
    /// None: as the real transport.
    None,
    /// About one in so many, in any way.
    OnceIn(u64),
    /// The one sent as number so many, counted from 0, on both sides and channels.
    Nth(usize, Harm),
    /// From this one on each in its own way, see [`Tail`].
    Tail(Tail),
}

/// What becomes of a session's last frames: two bits for each from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Number of the first of them.
    pub first: usize,
    /// How many there are.
    pub frames: usize,
    /// Their fates, those of the first in the lowest bits.
    pub fates: u64,
}

impl Tail {
    /// The fate of frame `nth`.
    pub fn harm(self, nth: usize) -> Option<Harm> {
        let at = nth.checked_sub(self.first).filter(|at| *at < self.frames)?;
        [None, Some(Harm::Drop), Some(Harm::Late), Some(Harm::Twice)][(self.fates >> (2 * at)) as usize % 4]
    }
}

/// The link breaks.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Before this step.
    pub step: usize,
    /// Who sees it at once.
    pub first: Role,
    /// How much later the other does.
    pub gap: Duration,
    /// How long after that there is another link.
    pub back: Option<Duration>,
}

/// A process is killed.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    /// Before this step.
    pub step: usize,
    /// Whose; nobody in particular for both.
    pub who: Option<Role>,
    /// And the power of the receiver's machine fails.
    pub power: bool,
}

/// One side does nothing for a while, as after SIGSTOP.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// From this step.
    pub step: usize,
    /// Who.
    pub who: Role,
    /// For how long.
    pub time: Duration,
}

/// All that can happen to a pair besides the fates of single entries.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// Longest time of a frame on its way.
    pub link: Duration,
    /// Longest time of a disk job.
    pub disk: Duration,
    /// When the person answers, and what.
    pub answer: Option<(Duration, Answer)>,
    /// The link breaks.
    pub cuts: [Option<Cut>; 3],
    /// How long a side goes without a link.
    pub patience: Duration,
    /// Somebody is killed.
    pub kill: Option<Kill>,
    /// What the receiver does with names that are taken.
    pub policy: Policy,
    /// Somebody presses Ctrl-C before this step.
    pub cancel: Option<(usize, Role)>,
    /// One side stands still.
    pub stop: Option<Stop>,
    /// The transport does what it must not.
    pub harmed: Harmed,
    /// The receiver's disk fails at this job.
    pub disk_fault: Option<(usize, AbortReason)>,
    /// One in so many disk answers comes twice; 0 for none.
    pub echo: u64,
    /// Whoever leaves is gone without a last word, and nobody hears of it.
    pub vanish: bool,
}

impl Conditions {
    /// Fair weather: some latency, and a person who says yes.
    pub fn fair() -> Self {
        Self {
            link: Duration::from_millis(40),
            disk: Duration::from_millis(5),
            answer: Some((Duration::from_secs(4), Answer::Yes)),
            cuts: [None; 3],
            patience: RECONNECT_FOR,
            kill: None,
            policy: Policy::Refuse,
            cancel: None,
            stop: None,
            harmed: Harmed::None,
            disk_fault: None,
            echo: 0,
            vanish: false,
        }
    }

    /// Fair weather of any latency.
    pub fn draw(rng: &mut Rng) -> Self {
        let link = rng.one_of(&[0, 1, 30, 200, 3_000]);
        let disk = rng.one_of(&[0, 1, 20, 1_500]);
        let patience = rng.one_of(&[0, 1_000, 60_000, 3_000_000]);
        let answer = Some((rng.time(Duration::from_millis(patience)), Answer::Yes));
        let (link, disk) = (Duration::from_millis(link), Duration::from_millis(disk));
        Self { link, disk, answer, ..Self::fair() }
    }

    /// Adds one kind of mishap, before about step `end` at the latest.
    pub fn worsen(&mut self, kind: u64, end: usize, rng: &mut Rng) {
        let step = rng.place(end);
        let who = rng.one_of(&[Role::Sender, Role::Receiver]);
        match kind {
            0 => {
                let gap = Duration::from_millis(rng.one_of(&[0, 10, 5_000, 700_000]));
                self.cuts[0] = Some(Cut { step, first: who, gap, back: None });
            }
            1 => self.harmed = Harmed::OnceIn(rng.one_of(&[3, 20, 100])),
            2 => {
                let reasons = [AbortReason::DiskFull, AbortReason::DiskDenied, AbortReason::DiskFailed];
                self.disk_fault = Some((rng.place(1 + end / 6), rng.one_of(&reasons)));
            }
            3 => self.cancel = Some((step, who)),
            4 => {
                let late = Duration::from_secs(rng.below(9000));
                let answers = [Answer::Yes, Answer::No, Answer::Unattended];
                self.answer = (!rng.once_in(3)).then(|| (late, rng.one_of(&answers)));
            }
            5 => {
                let time = Duration::from_secs(rng.one_of(&[1, 4, 20, 500, 650, 5000]));
                self.stop = Some(Stop { step, who, time });
            }
            6 => self.echo = rng.one_of(&[1, 2, 10]),
            7 => self.vanish = true,
            8 => {
                for cut in self.cuts.iter_mut().take(1 + rng.place(3)) {
                    let (step, first) = (rng.place(end), rng.one_of(&[Role::Sender, Role::Receiver]));
                    let gap = Duration::from_millis(rng.one_of(&[0, 10, 700, 4_000, 30_000]));
                    let back = Duration::from_millis(rng.one_of(&[0, 100, 2_000, 50_000, 300_000]));
                    *cut = Some(Cut { step, first, gap, back: Some(back) });
                }
            }
            _ => {
                let who = rng.one_of(&[Some(Role::Sender), Some(Role::Receiver), None]);
                self.kill = Some(Kill { step, who, power: rng.once_in(2) });
            }
        }
    }

    /// Whether a link is lost for good, or for longer than a side waits.
    fn gone_too_long(&self) -> bool {
        let spare = Duration::from_secs(20);
        let cuts = || self.cuts.iter().flatten();
        // A side may see none of the links between several losses.
        let alone: Duration = cuts().map(|it| it.gap + it.back.unwrap_or(self.patience)).sum();
        cuts().next().is_some() && (self.stop.is_some() || alone + spare > self.patience)
    }

    /// Whether a receiver that has said its last word stays for the link to come back: it hears of each loss
    /// soon, and all together, as one may follow on the other unseen, are shorter than it lingers.
    pub fn are_mild(&self) -> bool {
        let cuts = || self.cuts.iter().flatten();
        let slept = self.stop.is_some_and(|it| it.time > Duration::from_secs(20));
        let soon = !slept && cuts().all(|it| it.first == Role::Receiver || it.gap < Duration::from_secs(2));
        let alone: Duration = cuts().map(|it| it.gap + it.back.unwrap_or(self.patience)).sum();
        soon && alone < Duration::from_secs(55)
    }

    /// Whether nothing is wrong that a session should not get over.
    pub fn are_fair(&self) -> bool {
        !self.gone_too_long()
            && (self.stop.is_none() || self.cuts.iter().all(Option::is_none))
            && self.kill.is_none()
            && self.cancel.is_none()
            && self.harmed == Harmed::None
            && self.disk_fault.is_none()
            && self.echo == 0
            && !self.too_quiet()
            && self.answer.is_some_and(|(_, answer)| answer == Answer::Yes)
            && !self.unattended()
    }

    /// Whether messages mean what they say.
    pub fn are_honest(&self) -> bool {
        self.harmed == Harmed::None && self.echo == 0
    }

    /// Whether frames may come with other bytes than they were sent with.
    pub fn garble(&self) -> bool {
        match self.harmed {
            Harmed::None | Harmed::Tail(_) => false,
            Harmed::OnceIn(_) => true,
            Harmed::Nth(_, harm) => matches!(harm, Harm::Truncate | Harm::Flip),
        }
    }

    /// Nearly an hour without an answer: latency decides.
    fn unattended(&self) -> bool {
        let stopped = self.stop.map_or(Duration::ZERO, |it| it.time);
        self.answer.is_none_or(|(after, answer)| {
            answer == Answer::Unattended || after + stopped > CONSENT_WITHIN - Duration::from_secs(90)
        })
    }

    /// Nearly as long as either side bears silence: latency decides.
    fn too_quiet(&self) -> bool {
        let bearable = GIVE_UP_AFTER - Duration::from_secs(60);
        self.vanish
            || self.harmed != Harmed::None
            || self.stop.is_some_and(|it| it.time > bearable)
            || self.cuts.iter().flatten().any(|it| it.gap > bearable)
    }

    /// Whether they explain that a session ended like this. `left`: the other side had left before.
    pub fn explain(&self, failure: &Failure, left: bool) -> bool {
        match failure {
            // Silence is noticed sooner as a link that brings nothing, and as long as that is borne.
            Failure::LinkLost => self.gone_too_long() || self.kill.is_some() || left || self.too_quiet(),
            Failure::Silence => self.too_quiet(),
            Failure::Violation(_) => !self.are_honest(),
            Failure::Integrity(_) => self.harmed != Harmed::None,
            // A flipped bit can make one reason out of another.
            Failure::Peer(_) if self.harmed != Harmed::None => true,
            Failure::Peer(reason) | Failure::Own(reason) => match reason {
                AbortReason::Declined => self.answer.is_some_and(|(_, answer)| answer == Answer::No),
                AbortReason::Unattended => self.unattended() || self.too_quiet(),
                AbortReason::Interrupted => self.cancel.is_some() || self.kill.is_some(),
                AbortReason::Integrity => self.harmed != Harmed::None,
                AbortReason::Protocol => !self.are_honest(),
                AbortReason::Silence => self.too_quiet(),
                disk => self.disk_fault.is_some_and(|(_, reason)| reason == *disk),
            },
        }
    }
}

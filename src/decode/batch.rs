//! A batch: what one CPU's ring gave in one go, decoded, in arenas that are reused.

use serde::{Deserialize, Serialize};

use super::session::{EventId, FIELDS};
use super::side::SideBand;

/// A range in one of the arenas of a [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

impl Span {
    pub fn of<T>(self, arena: &[T]) -> &[T] {
        let start = self.start as usize;
        arena.get(start..start + self.len as usize).unwrap_or(&[])
    }

    /// A span as a field value, for text fields.
    pub fn pack(self) -> u64 {
        (u64::from(self.start) << 32) | u64::from(self.len)
    }

    pub fn unpack(value: u64) -> Span {
        Span {
            start: (value >> 32) as u32,
            len: value as u32,
        }
    }
}

/// Stands for the pid of a process that had ended when it was sampled (perf: -1). No pid is as large.
pub const ENDED: u32 = u32::MAX - 2;

/// One recorded hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub event: EventId,
    pub cpu: u32,
    pub pid: u32,
    pub tid: u32,
    /// CLOCK_MONOTONIC, ns.
    pub time: u64,
    /// The sampling period in force when it was taken: how many hits it stands for before
    /// the engine makes the weights of an interval add up to the exact count. Of
    /// [`EventId::CLOCK`]: ns of cpu-clock, or cycles.
    pub period: u64,
    /// Call chain in [`Batch::frames`], leaf first, with the kernel's PERF_CONTEXT_* markers.
    pub chain: Span,
    /// The tracepoint's raw bytes in [`Batch::raw`].
    pub raw: Span,
    /// Inode of the socket that the hit was for, whoever ran; 0: none, or not told (only gated
    /// samples tell).
    pub owner: u64,
    /// The event's wanted fields, sign-extended; a text field is a packed [`Span`] of `raw`.
    pub values: [u64; FIELDS],
}

/// Samples of one CPU in the order of its ring.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Batch {
    pub cpu: u32,
    pub samples: Vec<Sample>,
    pub frames: Vec<u64>,
    pub raw: Vec<u8>,
    /// Empty unless [`Demand::side_band`](super::Demand) asks for it, or a file has it.
    pub side: Vec<SideBand>,
    pub loss: Loss,
}

/// What was not seen, per kind; counted, never guessed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Samples the kernel could not store in the ring.
    pub lost: u64,
    /// Throttle records: the kernel stopped an event for the rest of a tick.
    pub throttled: u64,
    /// Samples that met a full channel.
    pub channel_dropped: u64,
    /// Records that could not be decoded.
    pub undecodable: u64,
}

/// A record of a damaged file may say any number: sums end at the largest.
impl Loss {
    pub fn add(&mut self, other: Loss) {
        self.lose(other.lost);
        self.throttled = self.throttled.saturating_add(other.throttled);
        self.channel_dropped = self.channel_dropped.saturating_add(other.channel_dropped);
        self.undecodable = self.undecodable.saturating_add(other.undecodable);
    }

    /// So many samples were lost, as a record says.
    pub fn lose(&mut self, samples: u64) {
        self.lost = self.lost.saturating_add(samples);
    }

    /// Samples that were taken and are missing, wherever they were lost.
    pub fn samples(&self) -> u64 {
        self.lost
            .saturating_add(self.channel_dropped)
            .saturating_add(self.undecodable)
    }
}

impl Batch {
    pub fn clear(&mut self) {
        self.samples.clear();
        self.frames.clear();
        self.raw.clear();
        self.side.clear();
        self.loss = Loss::default();
    }

    /// The bytes of a text field without its trailing NUL.
    pub fn text(&self, value: u64) -> &[u8] {
        let bytes = Span::unpack(value).of(&self.raw);
        bytes.split(|b| *b == 0).next().unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_say_any_number_of_lost_samples_end_at_the_largest() {
        let mut loss = Loss::default();
        loss.lose(u64::MAX);
        loss.lose(7);
        loss.add(Loss {
            lost: 1,
            throttled: u64::MAX,
            channel_dropped: 1,
            undecodable: 2,
        });
        loss.add(loss);
        assert_eq!((loss.lost, loss.throttled), (u64::MAX, u64::MAX));
        assert_eq!((loss.undecodable, loss.samples()), (4, u64::MAX));
    }
}

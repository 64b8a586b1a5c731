//! Which interval a sample belongs to. Records of one CPU come in order, those of different CPUs
//! by rounds: when a round ends, nothing older than the newest of the round before comes any more.

use super::part::{Clocks, Part};

/// Empty intervals in a row that are shown; a longer gap is passed over.
const MOST_EMPTY: u64 = 600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Of the interval that is being read.
    Now,
    /// Of a later one.
    Later,
    /// Not of the part that is shown.
    Outside,
}

#[derive(Debug)]
pub struct Intervals {
    part: Part,
    clocks: Clocks,
    /// `None`: one interval is all.
    length: Option<u64>,
    /// The part that is shown, once the first time is known.
    range: Option<(u64, u64)>,
    /// Of the samples that were shown.
    pub seen: Option<(u64, u64)>,
    /// Of the running interval; its end is not part of it.
    pub begin: u64,
    pub end: u64,
    /// The newest of this round, and of those before.
    newest: u64,
    settled: u64,
    /// The oldest so far.
    first: u64,
}

impl Intervals {
    /// `first`: time of the first sample, where the file says it.
    pub fn new(part: Part, clocks: Clocks, length: Option<u64>, first: Option<u64>) -> Intervals {
        let mut intervals = Intervals {
            part,
            clocks,
            length,
            range: None,
            seen: None,
            begin: 0,
            end: 0,
            newest: 0,
            settled: 0,
            first: u64::MAX,
        };
        if length.is_none() && part.is_all() {
            intervals.range = Some((0, u64::MAX));
            intervals.end = u64::MAX;
        } else if let Some(first) = first {
            intervals.begin_at(first);
        }
        intervals
    }

    fn begin_at(&mut self, first: u64) {
        let range = self.part.range(first, self.clocks);
        self.range = Some(range);
        self.begin = first.max(range.0);
        self.end = match self.length {
            Some(length) => self.begin.saturating_add(length),
            None => u64::MAX,
        };
    }

    pub fn place(&mut self, time: u64) -> Place {
        self.newest = self.newest.max(time);
        self.first = self.first.min(time);
        let Some((from, until)) = self.range else {
            return Place::Later;
        };
        if time < from || time >= until {
            return Place::Outside;
        }
        if time >= self.end {
            return Place::Later;
        }
        let (oldest, newest) = self.seen.unwrap_or((time, time));
        self.seen = Some((oldest.min(time), newest.max(time)));
        Place::Now
    }

    /// Everything older than the newest so far has come.
    pub fn settle_all(&mut self) {
        self.settled = self.newest;
        self.know_the_first();
    }

    pub fn end_round(&mut self, newest_before: u64) {
        self.settled = self.settled.max(newest_before);
        self.know_the_first();
    }

    fn know_the_first(&mut self) {
        if self.range.is_none() && self.first < u64::MAX {
            self.begin_at(self.first);
        }
    }

    /// Nothing older comes any more.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// No more of the running interval comes.
    pub fn is_over(&self) -> bool {
        // At the end of time there is no next one.
        self.range.is_some() && self.settled >= self.end && self.begin < self.end
    }

    /// No more of the part comes.
    pub fn is_past(&self) -> bool {
        self.range.is_some_and(|(_, until)| self.settled >= until)
    }

    /// Goes on to the next interval. `oldest`: of what is held for later.
    pub fn advance(&mut self, oldest: Option<u64>) {
        let length = self.length.unwrap_or(u64::MAX);
        self.begin = self.end;
        let next = oldest.unwrap_or(self.settled);
        let empty = next.saturating_sub(self.begin) / length.max(1);
        if empty > MOST_EMPTY {
            self.begin = self.begin.saturating_add(empty * length);
        }
        self.end = self.begin.saturating_add(length);
    }

    /// No part was asked for.
    pub fn are_of_all(&self) -> bool {
        self.part.is_all()
    }

    /// One interval is all.
    pub fn is_one(&self) -> bool {
        self.length.is_none()
    }

    /// Begin and end of the interval that ends with the file.
    pub fn last(&self) -> Option<(u64, u64)> {
        let (oldest, newest) = self.seen?;
        match self.length {
            None => Some((oldest, newest)),
            Some(_) if newest < self.begin => None,
            Some(_) => Some((self.begin.min(oldest.max(self.begin)), newest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::part::Moment;
    use super::*;

    fn every(length: u64) -> Intervals {
        Intervals::new(Part::default(), Clocks::default(), Some(length), None)
    }

    #[test]
    fn an_interval_ends_when_a_round_says_that_nothing_of_it_comes_any_more() {
        let mut intervals = every(100);
        for time in [1_050, 1_000, 1_120] {
            assert_eq!(
                intervals.place(time),
                Place::Later,
                "the first is not known"
            );
        }
        intervals.end_round(0);
        assert_eq!((intervals.begin, intervals.end), (1_000, 1_100));
        assert_eq!(intervals.place(1_050), Place::Now);
        assert_eq!(intervals.place(1_100), Place::Later);
        assert!(!intervals.is_over());
        intervals.end_round(1_120);
        assert!(intervals.is_over());
        intervals.advance(Some(1_120));
        assert_eq!((intervals.begin, intervals.end), (1_100, 1_200));
        assert_eq!(intervals.place(1_120), Place::Now);
    }

    #[test]
    fn a_gap_of_ages_is_passed_over() {
        let mut intervals = every(10);
        intervals.place(5);
        intervals.settle_all();
        intervals.advance(Some(u64::MAX - 5));
        assert!(intervals.begin > u64::MAX - 20);
    }

    #[test]
    fn what_lies_outside_of_the_part_is_not_seen() {
        let part = Part {
            start: Some(Moment::After(10)),
            stop: Some(Moment::After(20)),
        };
        let mut intervals = Intervals::new(part, Clocks::default(), None, Some(100));
        assert_eq!(intervals.place(109), Place::Outside);
        assert_eq!(intervals.place(110), Place::Now);
        assert_eq!(intervals.place(120), Place::Outside);
        assert_eq!(intervals.last(), Some((110, 110)));
        assert!(!intervals.is_past());
        intervals.end_round(120);
        assert!(intervals.is_past());
    }
}

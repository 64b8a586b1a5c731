//! Which part of a recording is shown (`--start`, `--stop`).

/// As it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// ns after the first sample.
    After(u64),
    /// ns since 1970.
    Wall(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    pub start: Option<Moment>,
    pub stop: Option<Moment>,
}

/// The clock of the samples and the time of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clocks {
    /// One moment by both.
    pub sample_ns: u64,
    pub wall_ns: u64,
}

impl Clocks {
    pub fn wall(self, sample: u64) -> u64 {
        moved(self.wall_ns, self.sample_ns, sample)
    }

    fn sample(self, wall: u64) -> u64 {
        moved(self.sample_ns, self.wall_ns, wall)
    }
}

/// As far behind `there` as `at` is behind `here`.
fn moved(there: u64, here: u64, at: u64) -> u64 {
    if at >= here {
        there.saturating_add(at - here)
    } else {
        there.saturating_sub(here - at)
    }
}

impl Part {
    pub fn is_all(self) -> bool {
        self.start.is_none() && self.stop.is_none()
    }

    /// From and until, in the clock of the samples, of which `first` is the first one's time.
    pub fn range(self, first: u64, clocks: Clocks) -> (u64, u64) {
        let time = |moment| match moment {
            Moment::After(ns) => first.saturating_add(ns),
            Moment::Wall(wall) => clocks.sample(wall),
        };
        (self.start.map_or(0, time), self.stop.map_or(u64::MAX, time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_by_seconds_from_the_start_or_by_the_time_of_the_day() {
        let clocks = Clocks {
            sample_ns: 1_000,
            wall_ns: 50_000,
        };
        let part = Part {
            start: Some(Moment::After(20)),
            stop: Some(Moment::Wall(50_100)),
        };
        assert_eq!(part.range(1_010, clocks), (1_030, 1_100));
        assert_eq!(Part::default().range(1_010, clocks), (0, u64::MAX));
        assert_eq!((clocks.wall(900), clocks.wall(1_001)), (49_900, 50_001));
    }
}

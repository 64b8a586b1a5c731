//! Which code lay where in which process, as a recording tells it: processes that were forked share
//! what their parents had.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Regions written down once more because a forked process maps something of its own; beyond, it
/// begins with nothing. A recording can fork without end.
const MOST_COPIED: usize = 1 << 20;

/// Processes and regions that are known at once: of more the ones met first are forgotten. Of one process
/// as many as the kernel allows (vm.max_map_count).
const MOST_PROCESSES: usize = 1 << 16;
const MOST_REGIONS: usize = 1 << 20;
const MOST_OF_ONE: usize = 1 << 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    pub start: u64,
    /// Behind its last byte.
    pub end: u64,
    /// Of `start` in the file, bytes.
    pub offset: u64,
    /// Which file.
    pub file: u32,
}

/// By start, none over another.
type Space = BTreeMap<u64, Region>;

#[derive(Debug, Default)]
pub struct Spaces {
    of: FxHashMap<u32, Arc<Space>>,
    /// Every process of `of`, as they were met.
    met: VecDeque<u32>,
    /// Regions that were written down, and not forgotten since.
    held: usize,
    copied: usize,
}

impl Spaces {
    pub fn find(&self, pid: u32, address: u64) -> Option<Region> {
        let (_, region) = self.of.get(&pid)?.range(..=address).next_back()?;
        (address < region.end).then_some(*region)
    }

    /// What lay there before is gone.
    pub fn add(&mut self, pid: u32, new: Region) {
        if new.start >= new.end {
            return;
        }
        let space = self.of.entry(pid).or_insert_with(|| {
            self.met.push_back(pid);
            Arc::default()
        });
        if space.len() >= MOST_OF_ONE {
            return;
        }
        if Arc::strong_count(space) > 1 {
            self.copied += space.len();
            if self.copied > MOST_COPIED {
                *space = Arc::default();
            } else {
                self.held += space.len();
            }
        }
        let before_len = space.len();
        let space = Arc::make_mut(space);
        let before = space.range(..new.start).next_back().map(|(_, old)| *old);
        let before = before.filter(|old| old.end > new.start);
        let over: Vec<Region> = (space.range(new.start..new.end).map(|(_, old)| *old))
            .chain(before)
            .collect();
        for old in over {
            space.remove(&old.start);
            if old.start < new.start {
                let end = new.start;
                space.insert(old.start, Region { end, ..old });
            }
            if old.end > new.end {
                let rest = Region {
                    start: new.end,
                    offset: old.offset.wrapping_add(new.end - old.start),
                    ..old
                };
                space.insert(rest.start, rest);
            }
        }
        space.insert(new.start, new);
        self.held = (self.held + space.len()).saturating_sub(before_len);
        while self.of.len() > MOST_PROCESSES || self.held > MOST_REGIONS {
            let Some(first) = self.met.pop_front() else {
                break;
            };
            if let Some(space) = self.of.remove(&first) {
                self.let_go(&space);
            }
        }
    }

    /// Nobody has it any more, unless another process shares it.
    fn let_go(&mut self, space: &Arc<Space>) {
        if Arc::strong_count(space) == 1 {
            self.held = self.held.saturating_sub(space.len());
        }
    }

    /// A process that is known already keeps what it has.
    pub fn fork(&mut self, parent: u32, child: u32) {
        if let Some(space) = self.of.get(&parent).cloned() {
            self.of.entry(child).or_insert_with(|| {
                self.met.push_back(child);
                space
            });
        }
        if self.of.len() > MOST_PROCESSES
            && let Some(first) = self.met.pop_front()
            && let Some(space) = self.of.remove(&first)
        {
            self.let_go(&space);
        }
    }

    pub fn empty(&mut self, pid: u32) {
        if let Some(space) = self.of.get_mut(&pid) {
            let old = std::mem::take(space);
            self.let_go(&old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(start: u64, end: u64, file: u32) -> Region {
        Region {
            start,
            end,
            offset: 0x100,
            file,
        }
    }

    /// File and offset of an address.
    fn at(spaces: &Spaces, pid: u32, address: u64) -> Option<(u32, u64)> {
        let region = spaces.find(pid, address)?;
        Some((region.file, address - region.start + region.offset))
    }

    #[test]
    fn a_new_region_takes_the_place_of_what_was_under_it() {
        let mut spaces = Spaces::default();
        spaces.add(7, region(0x1000, 0x5000, 1));
        spaces.add(7, region(0x5000, 0x6000, 2));
        spaces.add(7, region(0x2000, 0x3000, 3));
        spaces.add(7, region(0x4800, 0x5800, 4));
        let found = [
            0xfff, 0x1fff, 0x2000, 0x3000, 0x47ff, 0x4800, 0x57ff, 0x5800, 0x6000,
        ]
        .map(|address| at(&spaces, 7, address));
        let expected = [
            None,
            Some((1, 0x10ff)),
            Some((3, 0x100)),
            Some((1, 0x2100)),
            Some((1, 0x38ff)),
            Some((4, 0x100)),
            Some((4, 0x10ff)),
            Some((2, 0x900)),
            None,
        ];
        assert_eq!(found, expected);
        spaces.add(7, region(0, u64::MAX, 5));
        assert_eq!(at(&spaces, 7, 0x2000), Some((5, 0x2100)));
        assert_eq!(spaces.of[&7].len(), 1);
        spaces.add(7, region(9, 9, 6));
        assert_eq!(spaces.of[&7].len(), 1);
    }

    #[test]
    fn a_child_has_what_its_parent_had_until_it_maps_or_runs_another_program() {
        let mut spaces = Spaces::default();
        spaces.add(7, region(0x1000, 0x2000, 1));
        spaces.fork(7, 8);
        spaces.add(7, region(0x1000, 0x2000, 2));
        assert_eq!(at(&spaces, 8, 0x1000), Some((1, 0x100)));
        spaces.add(8, region(0x3000, 0x4000, 3));
        assert_eq!(at(&spaces, 7, 0x3000), None);
        spaces.fork(7, 8);
        assert_eq!(at(&spaces, 8, 0x3000), Some((3, 0x100)));
        spaces.empty(8);
        assert_eq!(at(&spaces, 8, 0x1000), None);
        assert_eq!(at(&spaces, 7, 0x1000), Some((2, 0x100)));
    }

    #[test]
    fn processes_and_regions_without_end_do_not_fill_the_memory() {
        let mut spaces = Spaces::default();
        for pid in 1..200_000 {
            spaces.add(pid, region(0x1000, 0x2000, 1));
            spaces.fork(pid, 1_000_000 + pid);
        }
        assert!(spaces.of.len() <= MOST_PROCESSES + 1);
        assert!(spaces.met.len() <= MOST_PROCESSES + 1);
        assert_eq!(at(&spaces, 199_999, 0x1000), Some((1, 0x100)));
        assert_eq!(at(&spaces, 1, 0x1000), None, "met long ago");
        let mut spaces = Spaces::default();
        for pid in 1..60_u32 {
            for n in 0..40_000 {
                spaces.add(pid, region(n * 0x1000, n * 0x1000 + 0x800, pid));
            }
        }
        let held: usize = spaces.of.values().map(|space| space.len()).sum();
        assert_eq!(held, spaces.held);
        assert!(held <= MOST_REGIONS, "{held}");
        assert_eq!(at(&spaces, 59, 0), Some((59, 0x100)));
    }

    #[test]
    fn forks_without_end_do_not_fill_the_memory() {
        let mut spaces = Spaces::default();
        for n in 0..1000 {
            spaces.add(1, region(n * 0x1000, n * 0x1000 + 0x800, 1));
        }
        for child in 2..3000 {
            spaces.fork(1, child);
            spaces.add(child, region(0xfff_f000, 0xfff_f800, 2));
        }
        let held: usize = spaces.of.values().map(|space| space.len()).sum();
        assert!(held <= MOST_COPIED + 1000 + 3000, "{held}");
        assert_eq!(at(&spaces, 2999, 0xfff_f000), Some((2, 0x100)));
    }
}

//! Whose turn it is: a host may have hundreds of network namespaces, and to read one costs about
//! 0.1 ms. Those that carry packets are read each time, the busiest first; the others in turn, as many
//! as a small share of the time allows.

use std::cmp::Reverse;

use rustc_hash::{FxHashMap, FxHashSet};

use super::netns::Netns;

/// Quiet namespaces are read for this part of the time: a 300th …
const SHARE: u64 = 300;

/// … but for so long at least, ns: 20 to 30 of them.
const LEAST_NS: u64 = 3_000_000;

/// Busy ones may take so many times as long.
const BUSY_TIMES: u64 = 8;

/// Readings of everything at the start: a rate needs two.
const WHOLE: u32 = 2;

#[derive(Debug, Default)]
struct Seen {
    at: Option<u64>,
    /// Packets of all its devices, ever, and between the last two readings.
    packets: u64,
    moved: u64,
}

#[derive(Debug, Default)]
pub struct Turns {
    seen: FxHashMap<u64, Seen>,
    last: Option<u64>,
    readings: u32,
}

/// A reading: namespaces in their order, until their time is up.
#[derive(Debug)]
pub struct Plan {
    busy: Part,
    quiet: Part,
    are_busy: FxHashSet<u64>,
}

#[derive(Debug)]
struct Part {
    order: std::vec::IntoIter<Netns>,
    began: Option<u64>,
    /// ns; `None`: all of it is read.
    limit_ns: Option<u64>,
}

impl Part {
    fn next(&mut self, now: u64) -> Option<Netns> {
        let began = *self.began.get_or_insert(now);
        let over = |limit: u64| now.saturating_sub(began) >= limit;
        if self.limit_ns.is_some_and(over) {
            return None;
        }
        self.order.next()
    }
}

impl Turns {
    /// Nothing was read yet.
    pub fn is_new(&self) -> bool {
        self.readings == 0
    }

    /// `active`: inodes of namespaces that are known to have carried packets since the reading before, and
    /// about how many.
    /// `at`: CLOCK_MONOTONIC, ns.
    pub fn plan(&mut self, others: &[Netns], active: &FxHashMap<u64, u64>, at: u64) -> Plan {
        let there: FxHashSet<u64> = others.iter().map(|other| other.inode).collect();
        self.seen.retain(|netns, _| there.contains(netns));
        let busy: FxHashSet<u64> = (there.iter().copied())
            .filter(|netns| {
                let seen = self.seen.get(netns);
                // One that is new is read soon: what it carries from now on is counted.
                active.contains_key(netns)
                    || seen.is_none_or(|seen| seen.at.is_none() || seen.moved > 0)
            })
            .collect();
        let mut order = others.to_vec();
        order.sort_by_key(|other| {
            let seen = self.seen.get(&other.inode);
            // One that has just become busy comes before those that were less so.
            let active = active.get(&other.inode).copied().unwrap_or(0);
            let moved = seen.map_or(0, |seen| seen.moved).max(active);
            (Reverse(moved), seen.and_then(|seen| seen.at))
        });
        let (first, then): (Vec<Netns>, Vec<Netns>) = order
            .into_iter()
            .partition(|other| busy.contains(&other.inode));
        let since = self.last.replace(at).map(|last| at.saturating_sub(last));
        let quiet_ns = since.map(|since| (since / SHARE).max(LEAST_NS));
        let quiet_ns = quiet_ns.filter(|_| self.readings >= WHOLE);
        self.readings = self.readings.saturating_add(1);
        let part = |order: Vec<Netns>, times| Part {
            order: order.into_iter(),
            began: None,
            limit_ns: quiet_ns.map(|ns| ns * times),
        };
        Plan {
            busy: part(first, BUSY_TIMES),
            quiet: part(then, 1),
            are_busy: busy,
        }
    }

    /// A namespace was read: the packets that its devices have carried ever.
    pub fn read(&mut self, netns: u64, at: u64, packets: u64) {
        let seen = self.seen.entry(netns).or_default();
        seen.moved = seen.at.map_or(0, |_| packets.saturating_sub(seen.packets));
        (seen.at, seen.packets) = (Some(at), packets);
    }
}

impl Plan {
    pub fn is_busy(&self, netns: u64) -> bool {
        self.are_busy.contains(&netns)
    }

    /// The next one, if there is time; `now` in ns.
    pub fn next(&mut self, now: u64) -> Option<Netns> {
        self.busy.next(now).or_else(|| self.quiet.next(now))
    }

    /// Those whose turn did not come.
    pub fn left(self) -> impl Iterator<Item = u64> {
        let left = self.busy.order.chain(self.quiet.order);
        left.map(|netns| netns.inode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const S: u64 = 1000 * MS;

    fn namespaces(count: u64) -> Vec<Netns> {
        let of = |inode| Netns::of_process(inode, inode as u32);
        (1..=count).map(of).collect()
    }

    /// A reading of second `s` that takes 0.5 ms for each; `busy` carries packets all the time.
    fn read(turns: &mut Turns, all: &[Netns], active: &[u64], s: u64, busy: u64) -> Vec<u64> {
        let active = active.iter().map(|&netns| (netns, 500)).collect();
        let mut plan = turns.plan(all, &active, s * S);
        let (mut now, mut read) = (s * S, Vec::new());
        while let Some(netns) = plan.next(now) {
            now += MS / 2;
            let packets = if netns.inode == busy { s * 1000 } else { 7 };
            turns.read(netns.inode, now, packets);
            read.push(netns.inode);
        }
        let left: Vec<u64> = plan.left().collect();
        assert_eq!(read.len() + left.len(), all.len());
        read
    }

    fn begin(turns: &mut Turns, all: &[Netns]) {
        for s in 1..=2 {
            read(turns, all, &[], s, 0);
        }
    }

    #[test]
    fn the_first_two_readings_are_of_all_and_then_the_busy_ones_come_first_and_the_others_in_turn()
    {
        let all = namespaces(30);
        let mut turns = Turns::default();
        assert_eq!(read(&mut turns, &all, &[], 1, 20).len(), 30);
        assert_eq!(read(&mut turns, &all, &[], 2, 20).len(), 30);
        // 3.3 ms for the quiet ones.
        assert_eq!(
            read(&mut turns, &all, &[], 3, 20),
            [20, 1, 2, 3, 4, 5, 6, 7]
        );
        assert_eq!(
            read(&mut turns, &all, &[], 4, 20),
            [20, 8, 9, 10, 11, 12, 13, 14]
        );
        assert_eq!(read(&mut turns, &all, &[], 5, 20)[1..3], [15, 16]);
    }

    #[test]
    fn one_that_is_known_to_carry_packets_is_read_at_once() {
        let all = namespaces(30);
        let mut turns = Turns::default();
        begin(&mut turns, &all);
        assert_eq!(read(&mut turns, &all, &[25], 3, 0)[0], 25);
        let later = read(&mut turns, &all, &[], 4, 0);
        assert!(
            !later.contains(&25),
            "it has carried nothing since: {later:?}"
        );
    }

    #[test]
    fn one_that_becomes_busy_is_read_before_those_that_were_less_busy() {
        let all = namespaces(80);
        let mut turns = Turns::default();
        // Sixty carry ten packets a second each; to read them takes all the time there is.
        for s in 1..=3 {
            let mut plan = turns.plan(&all, &FxHashMap::default(), s * S);
            let mut now = s * S;
            while let Some(netns) = plan.next(now) {
                now += MS / 2;
                let packets = if netns.inode <= 60 { s * 10 } else { 7 };
                turns.read(netns.inode, now, packets);
            }
        }
        let active = [(3, 40), (75, 90_000)].into_iter().collect();
        let mut plan = turns.plan(&all, &active, 4 * S);
        let first = [plan.next(4 * S), plan.next(4 * S)].map(|n| n.map(|n| n.inode));
        assert_eq!(first, [Some(75), Some(3)]);
    }

    #[test]
    fn busy_ones_have_more_time_and_a_new_one_is_read_soon() {
        let all = namespaces(60);
        let mut turns = Turns::default();
        begin(&mut turns, &all[..59]);
        let active: Vec<u64> = (1..=59).collect();
        let busy = read(&mut turns, &all, &active, 3, 0);
        assert_eq!(busy.len(), 54, "eight times 3.3 ms; 60 is new");
        let mut turns = Turns::default();
        begin(&mut turns, &all[..59]);
        assert!(read(&mut turns, &all, &[], 3, 0).contains(&60));
    }

    #[test]
    fn few_are_read_each_time_also_at_short_intervals() {
        let all = namespaces(20);
        let mut turns = Turns::default();
        begin(&mut turns, &all);
        let mut plan = turns.plan(&all, &FxHashMap::default(), 2 * S + 100 * MS);
        let mut count = 0;
        while plan.next(2 * S + 100 * MS + count * MS / 8).is_some() {
            count += 1;
        }
        assert_eq!(count, 20);
    }
}

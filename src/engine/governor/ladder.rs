//! What is given up when counting costs too much, in this order: stacks, the timing of softirqs, CPU
//! samples, every hit of the least important rows: they are then counted a part of the time. A
//! thousandth of it costs next to nothing on any host, so no row that BPF counts is given up
//! altogether; perf events cost between their windows, too, and can be. What the user asked for by
//! name is not given up.

use std::collections::BTreeMap;

use crate::decode::ALWAYS;

/// Who is counted a part of the time, 1/1000, and in which order: everybody of a class is brought to
/// a share before one goes to the next, since all windows are shared. A tenth is two windows a second,
/// which with softnet's packets say nearly all that every hit would; below a hundredth there is a window
/// in some seconds only.
const SHEDDING: [(Class, &[u16]); 6] = [
    (Class::Other, &[100, 50, 20, 10]),
    (Class::Headline, &[100, 50]),
    (Class::Losses, &[100, 50]),
    (Class::Other, &[5, 2, 1]),
    (Class::Headline, &[20, 10, 5, 2, 1]),
    (Class::Losses, &[20, 10, 5, 2, 1]),
];

/// How important a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Other,
    /// What everybody asks for.
    Headline,
    /// What is lost: the last to be counted a part of the time.
    Losses,
}

impl Class {
    fn of(rung: &Rung) -> Class {
        match rung.priority {
            0 => Class::Headline,
            1 => Class::Losses,
            _ => Class::Other,
        }
    }
}

/// Shares of the wanted stacks; fewer than a few samples per second say nothing.
const STACKS: [u8; 4] = [100, 50, 25, 10];

/// A row whose cost is less than this share of the limit is not worth giving up.
const CHEAP: f64 = 0.01;

/// A row that can be counted. Costs are ns of each CPU per second.
#[derive(Debug)]
pub struct Rung {
    pub row: usize,
    /// By name; it is not given up.
    pub asked: bool,
    pub priority: u8,
    /// All its hits.
    pub hits: Vec<f64>,
    /// What its hits still cost between its windows.
    pub idle: Vec<f64>,
    /// What opening and closing its windows would cost if they followed one another.
    pub switching: f64,
    /// All the stacks that are wanted of it.
    pub stacks: Vec<f64>,
}

impl Rung {
    /// Counted so much of the time (0 to 1), on one CPU.
    fn counting(&self, share: f64, cpu: usize) -> f64 {
        let on = |of: &[f64]| of.get(cpu).copied().unwrap_or(0.0);
        if share > 0.0 && share < 1.0 {
            share * (on(&self.hits) + self.switching) + (1.0 - share) * on(&self.idle)
        } else {
            share * on(&self.hits)
        }
    }
}

/// Everything that could be taken.
#[derive(Debug, Default)]
pub struct Ladder {
    pub rungs: Vec<Rung>,
    /// netop's own time, on each CPU.
    pub own_ns: Vec<f64>,
    /// What times between events cost each CPU: somebody looks at them, so they come first.
    pub latency_ns: Vec<f64>,
    pub sample_ns: f64,
    /// CPU samples per second: as many as wanted, and the fewest that say something.
    pub hz: (u32, u32),
    /// What timing each softirq costs; `None`: it is not to be had.
    pub timing: Option<Vec<f64>>,
    /// A row is counted always or never: windows know no processes.
    pub whole: bool,
    /// Percent of the stacks that is not given up.
    pub least_stacks: u8,
    /// The share of the limit that each CPU has, above 0 to 1; empty: all of it.
    pub room: Vec<f64>,
    pub cpus: usize,
}

/// What is taken of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowance {
    /// By row: the share of the time that it is counted, 1/1000.
    pub shares: BTreeMap<usize, u16>,
    pub hz: u32,
    pub timed: bool,
    /// Percent of the wanted stacks.
    pub stacks: u8,
}

impl Allowance {
    pub fn share(&self, row: usize) -> u16 {
        self.shares.get(&row).copied().unwrap_or(0)
    }

    /// Of each what is less.
    pub fn least(&self, other: &Allowance) -> Allowance {
        let shares = self.shares.iter();
        Allowance {
            shares: shares
                .map(|(&row, &share)| (row, share.min(other.share(row))))
                .collect(),
            hz: self.hz.min(other.hz),
            timed: self.timed && other.timed,
            stacks: self.stacks.min(other.stacks),
        }
    }
}

impl Ladder {
    /// What that costs the CPU that has the least left, ns per second, to be held against the whole limit.
    pub fn worst(&self, kept: &Allowance) -> f64 {
        self.worst_with(kept, &[])
    }

    /// The same with what costs each CPU so much more.
    pub fn worst_with(&self, kept: &Allowance, more: &[f64]) -> f64 {
        let clock = f64::from(kept.hz) * self.sample_ns;
        (0..self.cpus.max(1))
            .map(|cpu| {
                let on = |of: &[f64]| of.get(cpu).copied().unwrap_or(0.0);
                let rungs = self.rungs.iter().map(|rung| {
                    let share = f64::from(kept.share(rung.row)) / f64::from(ALWAYS);
                    let stacks = f64::from(kept.stacks) / 100.0;
                    let sampled = if share > 0.0 { stacks } else { 0.0 };
                    rung.counting(share, cpu) + sampled * on(&rung.stacks)
                });
                let timing = self.timing.as_ref().filter(|_| kept.timed);
                let work = clock
                    + on(more)
                    + on(&self.latency_ns)
                    + rungs.sum::<f64>()
                    + timing.map_or(0.0, |ns| on(ns));
                // Giving up what is counted saves none of netop's own time.
                on(&self.own_ns) + work / self.room.get(cpu).copied().unwrap_or(1.0)
            })
            .fold(0.0, f64::max)
    }

    /// What `better` has more of than `kept`, one by one as far as it fits; what costs hardly
    /// anything fits anywhere.
    pub fn raised(&self, kept: &Allowance, better: &Allowance, limit_ns: f64) -> Allowance {
        let limit_ns = limit_ns.max(self.worst(kept) + CHEAP * limit_ns);
        let mut raised = kept.clone();
        let mut take = |change: &dyn Fn(&mut Allowance)| {
            let mut more = raised.clone();
            change(&mut more);
            if self.worst(&more) <= limit_ns {
                raised = more;
            }
        };
        let mut rungs: Vec<&Rung> = self.rungs.iter().collect();
        rungs.sort_by_key(|rung| rung.priority);
        for rung in rungs {
            let share = better.share(rung.row).max(kept.share(rung.row));
            take(&|more| {
                more.shares.insert(rung.row, share);
            });
        }
        take(&|more| more.hz = better.hz.max(kept.hz));
        take(&|more| more.timed |= better.timed);
        take(&|more| more.stacks = better.stacks.max(kept.stacks));
        raised
    }

    /// Everything, whatever it costs.
    pub fn all(&self) -> Allowance {
        Allowance {
            shares: self.rungs.iter().map(|rung| (rung.row, ALWAYS)).collect(),
            hz: self.hz.0,
            timed: self.timing.is_some(),
            stacks: 100,
        }
    }

    /// As much as fits: first the rows, then CPU samples, the timing of softirqs, stacks.
    pub fn fit(&self, limit_ns: f64) -> Allowance {
        let mut kept = Allowance {
            hz: self.hz.1,
            timed: false,
            stacks: self.least_stacks,
            ..self.all()
        };
        self.shed(&mut kept, limit_ns);
        if self.worst(&kept) > limit_ns && self.rungs.iter().all(|rung| !rung.asked) {
            kept.hz = 0;
        }
        let fits = |kept: &Allowance| self.worst(kept) <= limit_ns;
        let mut hz = self.hz.0;
        while kept.hz > 0 && hz > self.hz.1 {
            let more = Allowance { hz, ..kept.clone() };
            if fits(&more) {
                kept = more;
                break;
            }
            hz = (hz / 2).max(self.hz.1);
        }
        let timed = Allowance {
            timed: self.timing.is_some(),
            ..kept.clone()
        };
        if fits(&timed) {
            kept = timed;
        }
        for stacks in STACKS {
            if stacks <= kept.stacks {
                break;
            }
            let more = Allowance {
                stacks,
                ..kept.clone()
            };
            if fits(&more) {
                return more;
            }
        }
        kept
    }

    /// The dearest and least important first, those that everybody asks for last.
    fn shed(&self, kept: &mut Allowance, limit_ns: f64) {
        let dearest = |rung: &Rung| rung.hits.iter().copied().fold(0.0, f64::max);
        let mut order: Vec<&Rung> = (self.rungs.iter())
            .filter(|rung| !rung.asked && dearest(rung) >= CHEAP * limit_ns)
            .collect();
        order.sort_by(|a, b| {
            let importance = b.priority.cmp(&a.priority);
            importance.then(dearest(b).total_cmp(&dearest(a)))
        });
        let of = |class: Class| {
            let rungs = order.iter().copied();
            rungs.filter(move |rung| Class::of(rung) == class)
        };
        let fits = |kept: &Allowance| self.worst(kept) <= limit_ns;
        let never = [Class::Other, Class::Headline, Class::Losses].map(|class| (class, 0));
        if self.whole {
            for (class, share) in never {
                for rung in of(class) {
                    if fits(kept) {
                        return;
                    }
                    kept.shares.insert(rung.row, share);
                }
            }
            return;
        }
        for (class, shares) in SHEDDING {
            for &share in shares {
                for rung in of(class) {
                    if fits(kept) {
                        return;
                    }
                    kept.shares.insert(rung.row, share);
                }
            }
            self.give_up(kept, of(class), limit_ns);
        }
    }

    /// Of what costs between its windows, too (perf events), even the smallest share can be too
    /// much; everything else stays.
    fn give_up<'a>(
        &self,
        kept: &mut Allowance,
        rungs: impl Iterator<Item = &'a Rung>,
        limit_ns: f64,
    ) {
        for rung in rungs.filter(|rung| rung.idle.iter().any(|&ns| ns > 0.0)) {
            if self.worst(kept) <= limit_ns {
                return;
            }
            kept.shares.insert(rung.row, 0);
        }
    }
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;

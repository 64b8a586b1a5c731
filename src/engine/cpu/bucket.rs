//! One part (a second or a longer interval) of the window behind the CPU columns: the time that
//! stages, functions, CPUs and processes took, and the packets and hits it was for.

use rustc_hash::FxHashMap;

use super::module_time::ModuleTime;
use crate::model::{Context, Direction, Leaf, Spot, StageId};

/// Wire packets: every packet that a NIC received or sent, and each that stayed on this host once.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wire {
    /// Received, or received from this host itself.
    pub rx: f64,
    pub tx: f64,
    pub all: f64,
}

impl Wire {
    pub fn times(self, factor: f64) -> Wire {
        Wire {
            rx: self.rx * factor,
            tx: self.tx * factor,
            all: self.all * factor,
        }
    }

    pub fn of(self, direction: Direction) -> f64 {
        match direction {
            Direction::Rx => self.rx,
            Direction::Tx => self.tx,
            Direction::Sock | Direction::Other => self.all,
        }
    }
}

/// ns of CPU time of one stage and direction.
#[derive(Debug, Clone, Default)]
pub struct StageTime {
    pub own: f64,
    pub inclusive: f64,
    pub leaves: [f64; Leaf::ALL.len()],
    pub cpus: FxHashMap<u32, f64>,
}

/// ns of CPU time of the network by direction (as [`Direction::ALL`]), and of observers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NetTime {
    pub directions: [f64; Direction::ALL.len()],
    /// Of receiving: in softirqs and interrupts, or the kernel's threads for them.
    pub receive_softirq: f64,
    pub observer: f64,
}

impl NetTime {
    pub fn net(&self) -> f64 {
        self.directions.iter().sum()
    }
}

#[derive(Debug, Clone, Default)]
pub struct Bucket {
    pub seconds: f64,
    /// `None`: nobody counted packets.
    pub wire: Option<Wire>,
    /// Hits of each row; `None`: not counted.
    pub calls: Vec<Option<f64>>,
    pub net: NetTime,
    pub cpus: FxHashMap<u32, NetTime>,
    /// As [`Context::ALL`], over all CPUs.
    pub contexts: [f64; Context::ALL.len()],
    /// Of each row: the functions and what they called, and themselves.
    pub rows: Vec<(f64, f64)>,
    pub stages: FxHashMap<(StageId, Direction), StageTime>,
    /// Neither of the network nor idle.
    pub outside: f64,
    /// Of the module that is wanted.
    pub module: ModuleTime,
    /// The network in a process's own system calls, and on its time for whoever.
    pub processes: FxHashMap<u32, (f64, f64)>,
    /// What receive softirqs spent for each process's sockets; `None`: nobody says for whom.
    pub owned: Option<FxHashMap<u32, f64>>,
    pub samples: u64,
    /// Time whose functions have no names yet.
    pub unknown: f64,
}

impl Bucket {
    /// `counted`: it belongs to the filters, which stages, rows and the module are about; the rest
    /// is about the whole host.
    pub fn new(spots: &[Spot], rows: usize, counted: impl Fn(&Spot) -> bool) -> Bucket {
        let mut bucket = Bucket {
            rows: vec![(0.0, 0.0); rows],
            ..Bucket::default()
        };
        for spot in spots {
            bucket.add_spot(spot, counted(spot));
        }
        bucket
    }

    /// Splits each CPU's receive softirq among those for whose sockets it worked.
    pub fn own(&mut self, receivers: &FxHashMap<u32, Vec<(u32, f64)>>) {
        let owned = self.owned.insert(FxHashMap::default());
        for (cpu, net) in &self.cpus {
            for (pid, share) in receivers.get(cpu).into_iter().flatten() {
                *owned.entry(*pid).or_default() += share * net.receive_softirq;
            }
        }
    }

    fn add_spot(&mut self, spot: &Spot, counted: bool) {
        let ns = spot.ns;
        let Some(judged) = spot.judged else {
            self.unknown += ns;
            return;
        };
        let verdict = judged.verdict;
        self.contexts[verdict.context as usize] += ns;
        let cpu = self.cpus.entry(spot.cpu).or_default();
        if judged.observer {
            cpu.observer += ns;
            self.net.observer += ns;
        } else if verdict.network {
            let direction = verdict.direction as usize;
            cpu.directions[direction] += ns;
            self.net.directions[direction] += ns;
            if verdict.direction == Direction::Rx && verdict.context != Context::Process {
                cpu.receive_softirq += ns;
            }
            self.charge(spot.pid, verdict.context, ns);
        }
        if !counted {
            return;
        }
        self.module.add(&judged, ns);
        // netop's own probes run inside the functions; they are shown as observers.
        let rows = if judged.observer {
            &mut []
        } else {
            &mut self.rows[..]
        };
        for (row, (inclusive, own)) in rows.iter_mut().enumerate().take(64) {
            if judged.rows & 1 << row != 0 {
                *inclusive += ns;
            }
            if judged.own_rows & 1 << row != 0 {
                *own += ns;
            }
        }
        if !verdict.network && !judged.observer {
            if verdict.context != Context::Idle {
                self.outside += ns;
            }
            return;
        }
        for stage in verdict.inclusive.iter() {
            // What a profiler interrupted did not run meanwhile.
            if judged.observer && verdict.exclusive != Some(stage) {
                continue;
            }
            let time = self.stages.entry((stage, verdict.direction)).or_default();
            time.inclusive += ns;
            if verdict.exclusive == Some(stage) {
                time.own += ns;
                *time.cpus.entry(spot.cpu).or_default() += ns;
                if let Some(leaf) = verdict.leaf {
                    time.leaves[leaf as usize] += ns;
                }
            }
        }
    }

    /// Whose time was it? Idle time and that of the kernel's own network threads is nobody's loss.
    fn charge(&mut self, pid: u32, context: Context, ns: f64) {
        match context {
            Context::Process | Context::Ksoftirqd | Context::NapiThread => {
                self.processes.entry(pid).or_default().0 += ns;
            }
            Context::Softirq | Context::Interrupt if pid != 0 => {
                self.processes.entry(pid).or_default().1 += ns;
            }
            Context::Softirq | Context::Interrupt | Context::Idle => {}
        }
    }

    /// Makes one part of two short ones.
    pub fn merge(&mut self, later: Bucket) {
        self.seconds += later.seconds;
        self.samples += later.samples;
        self.unknown += later.unknown;
        self.wire = match (self.wire, later.wire) {
            (Some(a), Some(b)) => Some(Wire {
                rx: a.rx + b.rx,
                tx: a.tx + b.tx,
                all: a.all + b.all,
            }),
            _ => None,
        };
        for (mine, its) in self.calls.iter_mut().zip(later.calls) {
            *mine = mine.zip(its).map(|(a, b)| a + b);
        }
        add_net(&mut self.net, &later.net);
        for (cpu, net) in &later.cpus {
            add_net(self.cpus.entry(*cpu).or_default(), net);
        }
        for (mine, its) in self.contexts.iter_mut().zip(later.contexts) {
            *mine += its;
        }
        for (mine, its) in self.rows.iter_mut().zip(later.rows) {
            mine.0 += its.0;
            mine.1 += its.1;
        }
        self.outside += later.outside;
        self.module.merge(&later.module);
        for (key, its) in later.stages {
            let mine = self.stages.entry(key).or_default();
            mine.own += its.own;
            mine.inclusive += its.inclusive;
            for (mine, its) in mine.leaves.iter_mut().zip(its.leaves) {
                *mine += its;
            }
            for (cpu, ns) in its.cpus {
                *mine.cpus.entry(cpu).or_default() += ns;
            }
        }
        self.owned = match (self.owned.take(), later.owned) {
            (Some(mut mine), Some(its)) => {
                for (pid, ns) in its {
                    *mine.entry(pid).or_default() += ns;
                }
                Some(mine)
            }
            _ => None,
        };
        for (pid, (own, stolen)) in later.processes {
            let mine = self.processes.entry(pid).or_default();
            mine.0 += own;
            mine.1 += stolen;
        }
    }
}

fn add_net(mine: &mut NetTime, its: &NetTime) {
    mine.observer += its.observer;
    mine.receive_softirq += its.receive_softirq;
    for (mine, its) in mine.directions.iter_mut().zip(its.directions) {
        *mine += its;
    }
}

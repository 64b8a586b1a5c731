//! A load at work through a veth pair of its own, and what a window of it shows.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::host::{self, Scope};
use crate::net::{B, Net, Traffic};
use crate::shape::Shape;
use crate::statistics::{Slot, in_batches, median, percentile};

/// The machine changes its speed from second to second: what a batch takes is asked this often.
const SLOT: Duration = Duration::from_millis(250);

/// Until a load goes as it will.
const WARM_UP: Duration = Duration::from_secs(1);

/// A load that runs. Dropped in this order: a sender without its receiver would complain.
pub struct Load {
    sender: Traffic,
    receiver: Traffic,
    pub net: Net,
    pub shape: &'static Shape,
    records: Records,
    softirq_threads: Vec<u32>,
}

/// What counters said at the border of a slot.
pub struct Edge {
    pub at: Instant,
    unused_ns: f64,
    packets: f64,
    dropped: f64,
    own_ns: f64,
    /// What nothing ran in on any CPU.
    all_unused_ns: f64,
    /// What the load and its softirqs took, and the part of it that is in the scope.
    load_ns: f64,
    scope_ns: f64,
    /// Length of each record of batches.
    written: Vec<u64>,
    /// How many datagrams were how late so far, ns.
    late: Vec<(u64, u64)>,
}

/// What a window showed.
#[derive(Clone, Copy)]
pub struct Figures {
    /// CPU time in the scope for each wire packet.
    pub ns: f64,
    /// The same in batches of the reference work, which the machine's speed is not in.
    pub batches: Option<f64>,
    /// The same of the load's threads and the watcher's alone: other programs disturb it less, and
    /// what a watcher makes the kernel do elsewhere is not in it.
    pub tasks_batches: Option<f64>,
    /// Part of the scope's time that something ran.
    pub busy: f64,
    /// CPU time of the watcher's threads, % of a CPU.
    pub own_pct: f64,
    /// Of all else but the load and the watcher, which should be next to nothing.
    pub others_pct: f64,
    /// Wire packets per second, of both directions.
    pub rate: f64,
    /// Part of them that a full backlog dropped, which is cheap.
    pub dropped: f64,
    pub p99_us: Option<f64>,
}

impl Load {
    pub fn start(shape: &'static Shape) -> Load {
        let net = Net::new();
        if shape.gro {
            Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
            Traffic::start(&net.b, &format!("offloads {} gro=1", net.vb)).finish();
        }
        let prefix = format!("/dev/shm/netop-overhead-{}-", std::process::id());
        let receiver = Traffic::start(&net.b, &shape.receive.replace('B', B));
        let words = shape.send.split(' ').map(|word| match word {
            "NS" => net.b.clone(),
            word => match word.strip_prefix("GAUGE") {
                Some(cpu) => format!("{prefix}{cpu}"),
                None => word.replace('B', B),
            },
        });
        let order = words.collect::<Vec<_>>().join(" ");
        let mut sender = Traffic::start(&net.a, &order);
        if !shape.bursts {
            sender.go();
        }
        thread::sleep(WARM_UP);
        Load {
            sender,
            receiver,
            net,
            shape,
            records: Records::open(prefix),
            softirq_threads: host::softirq_threads(),
        }
    }

    /// A window with nothing or with a watcher that has settled, of a burst its first second.
    pub fn window(&mut self, time: Duration, pid: Option<u32>) -> Vec<Edge> {
        let mut edges = vec![self.edge(pid)];
        if self.shape.bursts {
            self.sender.go();
            self.follow(&mut edges, Duration::from_secs(1), pid);
            self.sender.wait_for("done");
        } else {
            self.follow(&mut edges, time, pid);
        }
        edges
    }

    /// Goes on from the last edge for so long.
    pub fn follow(&self, edges: &mut Vec<Edge>, time: Duration, pid: Option<u32>) {
        let began = edges.last().expect("one to go on from").at;
        let mut next = began;
        while next < began + time {
            next += SLOT;
            thread::sleep(next.saturating_duration_since(Instant::now()));
            edges.push(self.edge(pid));
        }
    }

    pub fn edge(&self, pid: Option<u32>) -> Edge {
        let ends = [self.sender.child.id(), self.receiver.child.id()];
        let [sender_ns, receiver_ns] = ends.map(host::process_ns);
        let softirqs_ns = self
            .softirq_threads
            .iter()
            .map(|&pid| host::process_ns(pid));
        let load_ns = sender_ns + receiver_ns + softirqs_ns.sum::<f64>();
        Edge {
            own_ns: pid.map_or(0.0, host::process_ns),
            all_unused_ns: Scope::All.unused_ns(),
            load_ns,
            scope_ns: match self.shape.scope {
                Scope::Cpu0 => sender_ns,
                Scope::All => load_ns,
            },
            late: self.records.late(),
            written: self.records.written(),
            dropped: host::dropped(),
            packets: ends.map(host::received).iter().sum(),
            unused_ns: self.shape.scope.unused_ns(),
            at: Instant::now(),
        }
    }

    pub fn figures(&self, edges: &[Edge]) -> Figures {
        let (first, last) = (&edges[0], edges.last().expect("two edges"));
        let scope = self.shape.scope;
        let batches: Vec<Option<f64>> = (edges.windows(2))
            .map(|pair| self.records.batch_ns(&pair[0].written, &pair[1].written))
            .collect();
        // A load that stands still, because others have the CPU, is a window among others.
        let packets = (last.packets - first.packets).max(1.0);
        let per_packet = |ns: fn(Scope, &Edge, &Edge) -> f64| {
            let slots: Vec<Slot> = (edges.windows(2).zip(&batches))
                .map(|(pair, &batch_ns)| Slot {
                    ns: ns(scope, &pair[0], &pair[1]),
                    batch_ns,
                })
                .collect();
            in_batches(&slots).map(|batches| batches / packets)
        };
        let seconds = (last.at - first.at).as_secs_f64();
        let busy = busy_ns(scope, first, last);
        let own_ns = (last.own_ns - first.own_ns).max(0.0);
        let others_ns = seconds * 1e9 * host::cpus() as f64
            - (last.all_unused_ns - first.all_unused_ns)
            - (last.load_ns - first.load_ns)
            - own_ns;
        let late: Vec<(u64, u64)> = (last.late.iter().zip(&first.late))
            .map(|(last, first)| (last.0, last.1 - first.1))
            .collect();
        Figures {
            ns: busy / packets,
            batches: per_packet(busy_ns),
            tasks_batches: per_packet(tasks_ns),
            busy: busy / seconds / 1e9 / scope.cpus() as f64,
            own_pct: own_ns / seconds / 1e7,
            others_pct: others_ns / seconds / 1e7,
            rate: packets / seconds,
            dropped: (last.dropped - first.dropped) / packets,
            p99_us: percentile(&late, 99).map(|ns| ns as f64 / 1e3),
        }
    }
}

fn busy_ns(scope: Scope, from: &Edge, to: &Edge) -> f64 {
    let time = (to.at - from.at).as_nanos() as f64 * scope.cpus() as f64;
    time - (to.unused_ns - from.unused_ns)
}

fn tasks_ns(_: Scope, from: &Edge, to: &Edge) -> f64 {
    to.scope_ns - from.scope_ns + (to.own_ns - from.own_ns).max(0.0)
}

/// The files in which the traffic programs write what they see.
struct Records {
    prefix: String,
    /// What the batches took, per gauged CPU.
    batches: Vec<File>,
    late: Option<File>,
}

impl Records {
    fn open(prefix: String) -> Records {
        let open = |name: String| File::open(format!("{prefix}{name}")).ok();
        let cpus = 0..host::cpus();
        Records {
            batches: cpus.filter_map(|cpu| open(cpu.to_string())).collect(),
            late: open("late".to_owned()),
            prefix,
        }
    }

    fn written(&self) -> Vec<u64> {
        let length = |file: &File| file.metadata().map_or(0, |file| file.len());
        self.batches.iter().map(length).collect()
    }

    /// What a batch took between two lengths of the records: mean of the CPUs' medians.
    fn batch_ns(&self, from: &[u64], to: &[u64]) -> Option<f64> {
        let mut medians = Vec::new();
        for (file, (from, to)) in self.batches.iter().zip(from.iter().zip(to)) {
            let mut bytes = vec![0; (to - from) as usize];
            file.read_exact_at(&mut bytes, *from).ok()?;
            let figures = bytes.chunks_exact(4);
            let took = figures.map(|four| u32::from_le_bytes(four.try_into().expect("four")));
            let took: Vec<f64> = took.map(f64::from).collect();
            if !took.is_empty() {
                medians.push(median(&took));
            }
        }
        let whole = !medians.is_empty() && medians.len() == self.batches.len();
        whole.then(|| crate::statistics::mean(&medians))
    }

    fn late(&self) -> Vec<(u64, u64)> {
        let Some(file) = &self.late else {
            return Vec::new();
        };
        let length = file.metadata().map_or(0, |file| file.len());
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, 0).expect("its length");
        let number = |eight: &[u8]| u64::from_le_bytes(eight.try_into().expect("eight"));
        let pairs = bytes.chunks_exact(16);
        pairs
            .map(|pair| (number(&pair[..8]), number(&pair[8..])))
            .collect()
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        let cpus = (0..host::cpus()).map(|cpu| cpu.to_string());
        for name in cpus.chain(["late".to_owned()]) {
            let _never_made = fs::remove_file(format!("{}{name}", self.prefix));
        }
    }
}

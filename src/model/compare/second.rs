//! What a comparison needs of one snapshot: the packets, the CPU time and the calls of its interval
//! alone, by row; and what its sliding window says with bounds, for where there is no series.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::model::{Bounded, OUTSIDE, Snapshot, WirePackets};

/// What a row is of. The order is that of the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Key {
    Stage {
        stage: Arc<str>,
        direction: Arc<str>,
    },
    Function {
        name: Arc<str>,
    },
    Device {
        name: Arc<str>,
        /// "rx" or "tx".
        direction: Arc<str>,
    },
    /// All processes of a name: their numbers differ from run to run.
    Process {
        name: Arc<str>,
    },
}

/// One row in one second. `None`: not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cell {
    pub calls: Option<f64>,
    /// `calls` were not all counted.
    pub estimated: bool,
    pub ns: Option<f64>,
    /// Wire packets that `ns` was for.
    pub packets: Option<f64>,
}

/// A second, or a longer interval.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Second {
    pub seconds: f64,
    /// `None`: nobody counted packets.
    pub wire: Option<WirePackets>,
    /// Of the network stack; `None`: CPU time was not sampled.
    pub net_ns: Option<f64>,
    /// What a CPU sample stands for.
    pub sample_ns: f64,
    pub rows: BTreeMap<Key, Cell>,
}

/// Where and when a snapshot was taken.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin {
    pub hostname: String,
    pub kernel: String,
    /// End of the interval, ns since 1970 UTC.
    pub at: u64,
}

/// Means of a snapshot's window, each with its 95 % half-width.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Windowed {
    /// ns of CPU time in a second.
    pub cpu: Option<Bounded>,
    /// ns per wire packet.
    pub cost: Option<Bounded>,
}

/// What the window behind the CPU columns of a snapshot says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Window {
    pub seconds: f64,
    pub pps: Option<f64>,
    pub net: Windowed,
    pub rows: BTreeMap<Key, Windowed>,
}

/// Percent of one CPU as ns in a second.
const PCT_NS: f64 = 1e7;

impl Key {
    pub fn stage(stage: &str, direction: &str) -> Key {
        Key::Stage {
            stage: stage.into(),
            direction: direction.into(),
        }
    }

    pub fn function(name: &str) -> Key {
        Key::Function { name: name.into() }
    }

    pub fn device(name: &str, direction: &str) -> Key {
        Key::Device {
            name: name.into(),
            direction: direction.into(),
        }
    }

    pub fn process(name: &str) -> Key {
        Key::Process { name: name.into() }
    }
}

impl WirePackets {
    /// Those that work in this direction is for.
    pub fn of(&self, direction: &str) -> f64 {
        match direction {
            "rx" => self.rx,
            "tx" => self.tx,
            _ => self.all,
        }
    }
}

impl Second {
    /// `process`: what the row of a process is called, of its pid and name.
    pub fn of(snapshot: &Snapshot, process: impl Fn(u32, &str) -> Key) -> Second {
        let spent = snapshot.spent.as_ref();
        let wire = spent.and_then(|spent| spent.wire);
        let mut second = Second {
            seconds: snapshot.interval_s,
            wire,
            net_ns: spent.map(|spent| spent.net_ns),
            sample_ns: spent.map_or(0.0, |spent| spent.sample_ns),
            rows: BTreeMap::new(),
        };
        for f in snapshot.functions.iter().filter(|f| f.calls.is_some()) {
            let calls = f.calls.map(|calls| calls as f64);
            second.count(Key::function(&f.name), calls, f.estimated);
        }
        for d in &snapshot.devices {
            for (direction, packets) in [("rx", d.rx_packets), ("tx", d.tx_packets)] {
                let packets = packets.map(|packets| packets as f64);
                second.count(Key::device(&d.name, direction), packets, false);
            }
        }
        for p in &snapshot.processes {
            let calls = p.context_rate * snapshot.interval_s;
            let estimated = p.estimated && !p.calls_exact;
            second.count(process(p.pid, &p.comm), Some(calls), estimated);
        }
        let Some(spent) = spent else {
            return second;
        };
        for f in &spent.functions {
            second.spend(Key::function(&f.name), f.direction, f.ns);
        }
        for s in &spent.stages {
            second.spend(Key::stage(s.stage, s.direction), s.direction, s.ns);
        }
        for own in &spent.processes {
            // One without a row has no name either.
            let row = snapshot.processes.iter().find(|p| p.pid == own.pid);
            if let Some(row) = row {
                second.spend(process(row.pid, &row.comm), "other", own.ns);
            }
        }
        second
    }

    /// Calls of a row; those of several of one name add up.
    pub fn count(&mut self, key: Key, calls: Option<f64>, estimated: bool) {
        let Some(calls) = calls else { return };
        let cell = self.rows.entry(key).or_default();
        cell.calls = Some(cell.calls.unwrap_or(0.0) + calls);
        cell.estimated |= estimated;
    }

    /// CPU time of a row, for the packets of that direction.
    pub fn spend(&mut self, key: Key, direction: &str, ns: f64) {
        let packets = self.wire.map(|wire| wire.of(direction));
        let cell = self.rows.entry(key).or_default();
        cell.ns = Some(cell.ns.unwrap_or(0.0) + ns);
        cell.packets = packets;
    }
}

impl Origin {
    pub fn of(snapshot: &Snapshot) -> Origin {
        Origin {
            hostname: snapshot.host.hostname.clone(),
            kernel: snapshot.host.kernel.clone(),
            at: snapshot.at,
        }
    }
}

impl Windowed {
    /// Of percent of one CPU and ns per packet, with their half-widths.
    pub fn new(
        (cpu_pct, cpu_error): (Option<f64>, Option<f64>),
        (ns_per_packet, ns_error): (Option<f64>, Option<f64>),
    ) -> Windowed {
        Windowed {
            cpu: cpu_pct.map(|pct| Bounded {
                value: pct * PCT_NS,
                error: cpu_error.map(|error| error * PCT_NS),
            }),
            cost: ns_per_packet.map(|value| Bounded {
                value,
                error: ns_error,
            }),
        }
    }
}

impl Window {
    /// `None`: CPU time was not sampled.
    pub fn of(snapshot: &Snapshot) -> Option<Window> {
        let summary = &snapshot.summary;
        let to_pct = |cores: Option<f64>| cores.map(|cores| cores * 100.0);
        let functions = snapshot.functions.iter().map(|f| {
            let cost = (f.ns_per_packet, f.ns_error);
            let figures = Windowed::new((f.cpu_pct, f.cpu_error), cost);
            (Key::function(&f.name), figures)
        });
        let of_network = snapshot.stages.iter().filter(|s| s.stage != OUTSIDE);
        let stages = of_network.map(|s| {
            let cost = (s.ns_per_packet, s.ns_error);
            let figures = Windowed::new((Some(s.cpu_pct), s.cpu_error), cost);
            (Key::stage(s.stage, s.direction), figures)
        });
        Some(Window {
            seconds: summary.cpu_window_s?,
            pps: summary.wire_pps,
            net: Windowed::new(
                (to_pct(summary.net_cores), to_pct(summary.net_cores_error)),
                (summary.ns_per_packet, summary.ns_error),
            ),
            rows: functions.chain(stages).collect(),
        })
    }
}

//! The CPU time of the last interval alone, out of its bucket before that joins the window.

use super::bucket::{Bucket, Wire};
use crate::model::{
    Direction, Function, FunctionSpent, Names, ProcessSpent, Spent, StageId, StageSpent,
    WirePackets,
};

/// Processes told apart, heaviest first.
const MOST: usize = 100;

#[derive(Debug)]
pub struct Latest {
    net_ns: f64,
    sample_ns: f64,
    wire: Option<Wire>,
    rows: Vec<f64>,
    stages: Vec<((StageId, Direction), f64)>,
    processes: Vec<(u32, f64)>,
}

impl Latest {
    /// `hz`: CPU samples per second and CPU.
    pub fn of(part: &Bucket, hz: f64) -> Latest {
        let own = part.stages.iter().map(|(key, time)| (*key, time.own));
        let mut stages: Vec<_> = own.filter(|(_, ns)| *ns > 0.0).collect();
        stages.sort_unstable_by_key(|(key, _)| *key);
        let own = part.processes.iter().map(|(pid, time)| (*pid, time.0));
        let mut processes: Vec<(u32, f64)> = own.filter(|(_, ns)| *ns > 0.0).collect();
        processes.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Latest {
            net_ns: part.net.net(),
            sample_ns: 1e9 / hz,
            wire: part.wire,
            rows: part.rows.iter().map(|(inclusive, _)| *inclusive).collect(),
            stages,
            processes,
        }
    }

    /// `listed`: what a filter asks for; `per_packet`: the packets of the whole host are those of
    /// the question.
    pub fn spent(
        &self,
        functions: &[Function],
        directions: &[Direction],
        names: &dyn Names,
        listed: impl Fn(u32) -> bool,
        per_packet: bool,
    ) -> Spent {
        let rows = functions.iter().zip(directions).zip(&self.rows);
        let stages = self.stages.iter();
        let processes = self.processes.iter().filter(|(pid, _)| listed(*pid));
        Spent {
            net_ns: self.net_ns,
            sample_ns: self.sample_ns,
            wire: self.wire.filter(|_| per_packet).map(|wire| WirePackets {
                rx: wire.rx,
                tx: wire.tx,
                all: wire.all,
            }),
            functions: rows
                .filter(|((function, _), _)| !function.symbols.is_empty())
                .map(|((function, direction), &ns)| FunctionSpent {
                    name: function.name.clone(),
                    direction: direction.name(),
                    ns,
                })
                .collect(),
            stages: stages
                .map(|&((stage, direction), ns)| StageSpent {
                    stage: names.stage(stage),
                    direction: direction.name(),
                    ns,
                })
                .collect(),
            processes: processes
                .take(MOST)
                .map(|&(pid, ns)| ProcessSpent { pid, ns })
                .collect(),
        }
    }
}

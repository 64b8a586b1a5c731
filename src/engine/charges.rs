//! What the network took of each process: in its own calls, in softirqs on its time, and in softirqs
//! for its sockets.

use rustc_hash::FxHashMap;

use super::cpu_time::CpuTime;
use super::processes::Charged;

impl CpuTime {
    /// What the network took of each process.
    pub fn charged(&self) -> Charged {
        let mut charged = Charged {
            known: !self.parts.is_empty(),
            ..Charged::default()
        };
        let to_pct = 1.0 / (self.seconds() * 1e7);
        for (pid, (own, stolen)) in self.parts.iter().flat_map(|part| &part.processes) {
            let sum = charged.pct.entry(*pid).or_default();
            sum.0 += own * to_pct;
            sum.1 += stolen * to_pct;
        }
        let told = || {
            self.parts
                .iter()
                .filter_map(|p| Some((p.seconds, p.owned.as_ref()?)))
        };
        let seconds: f64 = told().map(|(seconds, _)| seconds).sum();
        if seconds > 0.0 {
            let owned = charged.owned.insert(FxHashMap::default());
            for (pid, ns) in told().flat_map(|(_, owned)| owned) {
                *owned.entry(*pid).or_default() += ns / (seconds * 1e7);
            }
        }
        charged
    }
}

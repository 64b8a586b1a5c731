//! Which processes kept each CPU busy, from the interval's CPU samples.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::model::{Context, Spot};

/// Processes named of a CPU.
const MOST: usize = 4;

/// Percent of a CPU by process.
pub type Occupied = FxHashMap<u32, Vec<(u32, f64)>>;

/// Busiest first. What interrupted a process is not its own, and idling is nobody's.
pub fn of(spots: &[Spot], seconds: f64) -> Occupied {
    let mut ns: BTreeMap<(u32, u32), f64> = BTreeMap::new();
    for spot in spots.iter().filter(|spot| spot.pid != 0) {
        let context = spot.judged.map(|judged| judged.verdict.context);
        if !matches!(
            context,
            Some(Context::Softirq | Context::Interrupt | Context::Idle)
        ) {
            *ns.entry((spot.cpu, spot.pid)).or_default() += spot.ns;
        }
    }
    let mut all = Occupied::default();
    for ((cpu, pid), ns) in ns {
        let pct = 100.0 * ns / (1e9 * seconds).max(1.0);
        all.entry(cpu).or_default().push((pid, pct));
    }
    for of_cpu in all.values_mut() {
        of_cpu.sort_by(|a, b| b.1.total_cmp(&a.1));
        of_cpu.truncate(MOST);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_process_of_a_cpu_is_first_and_the_idle_task_is_none() {
        let spot = |cpu, pid, ms: f64| Spot {
            cpu,
            pid,
            ns: ms * 1e6,
            judged: None,
        };
        let spots = [
            spot(1, 7, 100.0),
            spot(1, 8, 300.0),
            spot(1, 7, 50.0),
            spot(1, 0, 900.0),
            spot(2, 7, 1000.0),
        ];
        let occupied = of(&spots, 2.0);
        assert_eq!(occupied[&1], [(8, 15.0), (7, 7.5)]);
        assert_eq!(occupied[&2], [(7, 50.0)]);
    }
}

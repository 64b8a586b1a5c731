//! The first row of the CPUs: the whole host. Shares are means over its CPUs, counts are sums; what
//! no CPU knows is not known here either.

use crate::model::{Cpu, Snapshot};

/// Stands for all of them: the kernel numbers no CPU so.
pub const ALL: u32 = u32::MAX;

/// A single CPU is the whole host already.
pub fn row(snapshot: &Snapshot) -> Option<Cpu> {
    let cpus = &snapshot.cpus;
    if cpus.len() < 2 {
        return None;
    }
    let mean = |of: fn(&Cpu) -> Option<f64>| {
        let known = cpus.iter().filter_map(of).count();
        (known > 0).then(|| cpus.iter().filter_map(of).sum::<f64>() / known as f64)
    };
    let sum = |of: fn(&Cpu) -> Option<f64>| {
        let some = cpus.iter().any(|cpu| of(cpu).is_some());
        some.then(|| cpus.iter().filter_map(of).sum::<f64>())
    };
    let count = |of: fn(&Cpu) -> Option<u64>| {
        let some = cpus.iter().any(|cpu| of(cpu).is_some());
        some.then(|| cpus.iter().filter_map(of).sum::<u64>())
    };
    let rx_packets = count(|cpu| cpu.rx_packets);
    let net_rx_runs = count(|cpu| cpu.net_rx_runs);
    Some(Cpu {
        // Whose devices and processes these are is told of single CPUs.
        devices: Vec::new(),
        processes: Vec::new(),
        cpu: ALL,
        node: None,
        net_pct: mean(|cpu| cpu.net_pct),
        net_rx_pct: mean(|cpu| cpu.net_rx_pct),
        net_tx_pct: mean(|cpu| cpu.net_tx_pct),
        net_sock_pct: mean(|cpu| cpu.net_sock_pct),
        observer_pct: mean(|cpu| cpu.observer_pct),
        softirq_pct: mean(|cpu| cpu.softirq_pct),
        net_softirq_pct: mean(|cpu| cpu.net_softirq_pct),
        user_pct: mean(|cpu| cpu.user_pct),
        system_pct: mean(|cpu| cpu.system_pct),
        irq_pct: mean(|cpu| cpu.irq_pct),
        idle_pct: mean(|cpu| cpu.idle_pct),
        steal_pct: mean(|cpu| cpu.steal_pct),
        rx_packets,
        rx_rate: sum(|cpu| cpu.rx_rate),
        squeezed: count(|cpu| cpu.squeezed),
        backlog_dropped: count(|cpu| cpu.backlog_dropped),
        backlog: count(|cpu| cpu.backlog),
        received_rps: count(|cpu| cpu.received_rps),
        net_rx_runs,
        net_rx_rate: sum(|cpu| cpu.net_rx_rate),
        napi_polls: count(|cpu| cpu.napi_polls),
        work_per_poll: None,
        packets_per_run: match (rx_packets, net_rx_runs) {
            (Some(packets), Some(runs)) if runs > 0 => Some(packets as f64 / runs as f64),
            _ => None,
        },
        cost_pct: snapshot.health.cost_all_pct,
        history: history(cpus),
    })
}

/// Means; all end with the same interval, and an interval no CPU knows stays a gap.
fn history(cpus: &[Cpu]) -> Vec<f32> {
    let longest = cpus.iter().map(|cpu| cpu.history.len()).max().unwrap_or(0);
    let at = |back: usize| {
        let known: Vec<f32> = cpus
            .iter()
            .filter_map(|cpu| cpu.history.iter().rev().nth(back).copied())
            .filter(|value| !value.is_nan())
            .collect();
        if known.is_empty() {
            f32::NAN
        } else {
            known.iter().sum::<f32>() / known.len() as f32
        }
    };
    (0..longest).rev().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn shares_are_means_counts_are_sums_and_the_unknown_stays_unknown() {
        let mut s = fixture::busy();
        s.cpus.truncate(2);
        s.cpus[0].squeezed = None;
        s.cpus[1].squeezed = Some(41);
        s.cpus[0].history = vec![2.0];
        s.cpus[1].history = vec![f32::NAN, 5.0, 4.0];
        let all = row(&s).expect("two CPUs");
        assert_eq!(all.softirq_pct, Some(37.2));
        assert_eq!(all.rx_packets, Some(862_000));
        assert_eq!(all.packets_per_run, Some(862.0 / 26.0));
        assert_eq!((all.squeezed, all.steal_pct), (Some(41), None));
        assert!(all.history[0].is_nan() && all.history[1..] == [5.0, 3.0]);
        s.cpus.truncate(1);
        assert!(row(&s).is_none());
    }
}

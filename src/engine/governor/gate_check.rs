//! Does the gate see every hit? Its netif_receive_skb and softnet's `processed` are counted in the
//! same function of the kernel (__netif_receive_skb_core, net/core/dev.c), so on each CPU they must
//! agree. Where RPS hands packets to another CPU some kernels leave out runs of BPF programs there
//! and do not say so (seen on 6.18: 1.6 %, with `recursion_misses` 0).

use std::collections::{BTreeMap, VecDeque};

use crate::decode::Compared;

/// Windows of a CPU that are held against each other.
const WINDOWS: usize = 40;

/// With fewer nothing is said, nor of windows with fewer packets.
const FEWEST: usize = 8;
const PACKETS: u64 = 500;

/// A smaller share is what the moments differ by in which the two are read.
const SHARE: f64 = 0.002;

/// So many standard errors are no chance.
const ERRORS: f64 = 4.0;

#[derive(Debug, Default)]
pub struct GateCheck {
    /// By CPU: the share of the packets that the gate did not see, window by window.
    missed: BTreeMap<u32, VecDeque<f64>>,
}

impl GateCheck {
    /// Takes windows; a sentence when the gate misses hits by more than chance.
    pub fn learn(&mut self, compared: &[Compared]) -> Option<String> {
        let told = compared.iter().filter(|c| c.received >= PACKETS);
        for window in told {
            let Some(seen) = window.received_seen else {
                continue;
            };
            let share = 1.0 - seen as f64 / window.received as f64;
            let windows = self.missed.entry(window.cpu).or_default();
            windows.push_back(share);
            if windows.len() > WINDOWS {
                windows.pop_front();
            }
        }
        let (cpu, share) = (self.missed.iter())
            .filter_map(|(cpu, windows)| Some((*cpu, significant(windows)?)))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        let pct = 100.0 * share;
        Some(format!(
            "the kernel left out {pct:.1}% of the runs of BPF programs on cpu{cpu}, as softnet's own count shows (RPS does that): counted by perf events from now on"
        ))
    }
}

/// The mean share, where it is more than chance.
fn significant(windows: &VecDeque<f64>) -> Option<f64> {
    let n = windows.len() as f64;
    if windows.len() < FEWEST {
        return None;
    }
    let mean = windows.iter().sum::<f64>() / n;
    let squares: f64 = windows.iter().map(|share| (share - mean).powi(2)).sum();
    let error = (squares / (n - 1.0) / n).sqrt();
    (mean > SHARE && mean > ERRORS * error).then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of 20 000 packets of which the gate saw so many.
    fn windows(cpu: u32, seen: &[u64]) -> Vec<Compared> {
        let window = |&seen: &u64| Compared {
            cpu,
            received: 20_000,
            received_seen: Some(seen),
            ..Compared::default()
        };
        seen.iter().map(window).collect()
    }

    #[test]
    fn hits_that_are_left_out_on_one_cpu_are_said_with_their_share() {
        let mut check = GateCheck::default();
        assert_eq!(check.learn(&windows(0, &[20_000; 20])), None);
        let said = check.learn(&windows(1, &[19_700, 19_650, 19_690].repeat(4)));
        let said = said.expect("1.6 % is no chance");
        assert!(said.contains("1.6%") && said.contains("cpu1"), "{said}");
    }

    #[test]
    fn what_the_moments_of_reading_differ_by_is_chance() {
        let mut check = GateCheck::default();
        assert_eq!(
            check.learn(&windows(0, &[20_050, 19_930, 20_020].repeat(5))),
            None
        );
        // One window in which something was late.
        let late = [&[20_000; 12][..], &[17_000]].concat();
        assert_eq!(GateCheck::default().learn(&windows(0, &late)), None);
    }

    #[test]
    fn a_few_windows_say_nothing() {
        assert_eq!(GateCheck::default().learn(&windows(0, &[15_000; 7])), None);
        assert!(
            GateCheck::default()
                .learn(&windows(0, &[15_000; 8]))
                .is_some()
        );
    }
}

//! /proc/softirqs (fs/proc/softirqs.c): runs of NET_RX and NET_TX per CPU. The header names every
//! *possible* CPU, so columns go by its numbers, not by position.

use crate::decode::MOST_CPUS;

/// Runs since boot, (NET_RX, NET_TX), indexed by CPU id.
#[derive(Debug, Default)]
pub struct Softirqs {
    columns: Vec<usize>,
    runs: Vec<(u64, u64)>,
}

impl Softirqs {
    /// Takes the text in; `false` when it has no NET_RX row.
    pub fn parse(&mut self, text: &str) -> bool {
        self.columns.clear();
        self.runs.clear();
        let mut lines = text.lines();
        let header = lines.next().unwrap_or("");
        self.columns.extend(header.split_whitespace().map(|name| {
            name.strip_prefix("CPU")
                .and_then(|id| id.parse().ok())
                .filter(|id| *id < MOST_CPUS)
                .unwrap_or(usize::MAX)
        }));
        let last = self.columns.iter().filter(|id| **id < MOST_CPUS).max();
        self.runs.resize(last.map_or(0, |id| id + 1), (0, 0));
        let mut found = false;
        for line in lines {
            let Some((name, counts)) = line.split_once(':') else {
                continue;
            };
            let rx = match name.trim() {
                "NET_RX" => true,
                "NET_TX" => false,
                _ => continue,
            };
            found |= rx;
            for (id, count) in self.columns.iter().zip(counts.split_ascii_whitespace()) {
                if let (Some(runs), Ok(count)) = (self.runs.get_mut(*id), count.parse()) {
                    *(if rx { &mut runs.0 } else { &mut runs.1 }) = count;
                }
            }
        }
        found
    }

    /// (NET_RX, NET_TX) of a CPU.
    pub fn of(&self, cpu: u32) -> (u64, u64) {
        self.runs.get(cpu as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "                    CPU0       CPU2       CPU7
          HI:          0          1          2
      NET_TX:          3          1          9
      NET_RX:       2960       3534          8
";

    #[test]
    fn columns_go_by_the_header_also_with_holes() {
        let mut softirqs = Softirqs::default();
        assert!(softirqs.parse(TEXT));
        let all: Vec<_> = (0..9).map(|cpu| softirqs.of(cpu)).collect();
        let none = (0, 0);
        assert_eq!(
            all,
            [
                (2960, 3),
                none,
                (3534, 1),
                none,
                none,
                none,
                none,
                (8, 9),
                none
            ]
        );
    }

    #[test]
    fn a_second_reading_replaces_the_first() {
        let mut softirqs = Softirqs::default();
        softirqs.parse(TEXT);
        assert!(softirqs.parse("CPU0\nNET_RX: 5\n"));
        assert_eq!((softirqs.of(0), softirqs.of(7)), ((5, 0), (0, 0)));
    }

    #[test]
    fn any_truncation_and_absurd_cpu_numbers_are_survived() {
        let mut softirqs = Softirqs::default();
        for end in 0..TEXT.len() {
            softirqs.parse(&TEXT[..end]);
        }
        assert!(softirqs.parse("CPU18446744073709551615 CPUx CPU1\nNET_RX: 1 2 3 4"));
        assert_eq!(softirqs.of(1), (3, 0));
        assert!(!softirqs.parse("CPU0\nTIMER: 1\n"));
    }
}

//! The cpuN lines of /proc/stat (fs/proc/stat.c): one per online CPU, in ticks of USER_HZ.

use crate::decode::CpuTime;

/// USER_HZ is 100 on every architecture this runs on; a tick in ns.
const TICK_NS: u64 = 10_000_000;

/// (CPU, time) of the online CPUs, in the file's order (ascending).
pub fn parse(text: &str) -> impl Iterator<Item = (u32, CpuTime)> + '_ {
    text.lines()
        .take_while(|line| line.starts_with("cpu"))
        .filter_map(|line| {
            let (name, times) = line.split_once(' ')?;
            let cpu = name.strip_prefix("cpu")?.parse().ok()?;
            // user nice system idle iowait irq softirq steal; guest time is part of user.
            let mut ticks = [0u64; 8];
            for (slot, text) in ticks.iter_mut().zip(times.split_ascii_whitespace()) {
                *slot = text.parse().ok()?;
            }
            let ns = |ticks: u64| ticks.saturating_mul(TICK_NS);
            let time = CpuTime {
                user: ns(ticks[0].saturating_add(ticks[1])),
                system: ns(ticks[2]),
                idle: ns(ticks[3].saturating_add(ticks[4])),
                irq: ns(ticks[5]),
                softirq: ns(ticks[6]),
                steal: ns(ticks[7]),
            };
            Some((cpu, time))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "cpu  15215 0 6092 238537 639 0 49 33 0 0
cpu0 7048 2 2675 120436 76 5 9 15 0 0
cpu3 1 0 0 0 0 0 0 0 0 0
intr 215977 0 0
cpu9 1 1 1 1
";

    #[test]
    fn ticks_become_ns_and_the_sum_line_is_left_out() {
        let found: Vec<_> = parse(TEXT).collect();
        let first = CpuTime {
            user: 70_500_000_000,
            system: 26_750_000_000,
            idle: 1_205_120_000_000,
            irq: 50_000_000,
            softirq: 90_000_000,
            steal: 150_000_000,
        };
        let second = CpuTime {
            user: 10_000_000,
            ..CpuTime::default()
        };
        assert_eq!(found, [(0, first), (3, second)]);
    }

    #[test]
    fn any_truncation_and_overflow_are_survived() {
        for end in 0..TEXT.len() {
            assert!(parse(&TEXT[..end]).count() <= 2);
        }
        let huge = "cpu0 18446744073709551615 18446744073709551615 1 1 1 1 1 1";
        assert_eq!(parse(huge).next().map(|(_, t)| t.user), Some(u64::MAX));
    }
}

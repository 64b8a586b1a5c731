//! /proc/net/softnet_stat (net/core/net-procfs.c): one line of hex columns per online CPU. Their
//! number differs by kernel: 9–11 before 5.10, 13 since, 15 since 6.2; meanings: signals.md 4.1.

use crate::decode::Softnet;

/// (CPU, counters) in the order of the lines. `online` names the CPUs for old kernels whose lines
/// do not: they have one line per online CPU, ascending.
pub fn parse<'a>(
    text: &'a str,
    online: &'a [u32],
) -> impl Iterator<Item = (u32, Softnet)> + use<'a> {
    text.lines().enumerate().filter_map(|(line_index, line)| {
        let mut columns = [0u64; 13];
        let mut count = 0;
        for (slot, text) in columns.iter_mut().zip(line.split_ascii_whitespace()) {
            *slot = u64::from_str_radix(text, 16).ok()?;
            count += 1;
        }
        if count < 9 {
            return None;
        }
        let cpu = if count == 13 {
            u32::try_from(columns[12]).ok()?
        } else {
            *online.get(line_index)?
        };
        let softnet = Softnet {
            processed: columns[0],
            dropped: columns[1],
            squeezed: columns[2],
            received_rps: columns[9],
            flow_limited: columns[10],
            backlog: columns[11],
        };
        Some((cpu, softnet))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_kernels_name_the_cpu_in_column_13() {
        let text = "0000000c 00000001 00000002 0 0 0 0 0 0 0000000a 0000000b 00000007 00000003 00000000 00000000\n";
        let found: Vec<_> = parse(text, &[]).collect();
        let expected = Softnet {
            processed: 12,
            dropped: 1,
            squeezed: 2,
            received_rps: 10,
            flow_limited: 11,
            backlog: 7,
        };
        assert_eq!(found, [(3, expected)]);
    }

    #[test]
    fn old_kernels_list_the_online_cpus_in_order() {
        let text = "1 0 0 0 0 0 0 0 0 4 5\n2 0 0 0 0 0 0 0 0 0 0\n3 0 0 0 0 0 0 0 0 0 0\n";
        let found: Vec<_> = parse(text, &[0, 4])
            .map(|(cpu, softnet)| (cpu, softnet.processed, softnet.received_rps))
            .collect();
        assert_eq!(found, [(0, 1, 4), (4, 2, 0)]);
    }

    #[test]
    fn short_lines_and_garbage_are_left_out() {
        assert_eq!(parse("\n1 2 3\nzz\n-1 0 0 0 0 0 0 0 0\n", &[0]).count(), 0);
        let line = "0000000c 0 0 0 0 0 0 0 0 0 0 0 00000003 0 0";
        for end in 0..line.len() {
            assert!(parse(&line[..end], &[0]).count() <= 1);
        }
    }
}

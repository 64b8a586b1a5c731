//! /proc/PID/net/dev (net/core/net-procfs.c): device counters of any namespace a process is in.
//! It folds `rx_missed` into `drop`, and knows no qdisc.

use crate::decode::LinkCounters;
use crate::host::proc::{MOST_ENTRIES, printable};

/// The devices of the text; `None` when its header is not understood.
pub fn parse(text: &str, netns: u64) -> Option<Vec<LinkCounters>> {
    let mut lines = text.lines();
    let header = lines.find(|line| line.contains("bytes"))?;
    let mut sides = header.split('|').skip(1);
    let rx: Vec<&str> = sides.next()?.split_whitespace().collect();
    let tx: Vec<&str> = sides.next()?.split_whitespace().collect();
    let column = |side: &[&str], name| side.iter().position(|column| *column == name);
    let columns = [
        column(&rx, "packets")?,
        column(&rx, "bytes")?,
        column(&rx, "drop")?,
        rx.len() + column(&tx, "packets")?,
        rx.len() + column(&tx, "bytes")?,
        rx.len() + column(&tx, "drop")?,
    ];
    let devices = lines.take(MOST_ENTRIES).filter_map(|line| {
        // No name holds a colon (dev_valid_name).
        let (name, values) = line.split_once(':')?;
        let values: Vec<u64> = values
            .split_ascii_whitespace()
            .map_while(|value| value.parse().ok())
            .collect();
        let mut read = [0; 6];
        for (slot, column) in read.iter_mut().zip(columns) {
            *slot = *values.get(column)?;
        }
        let [
            rx_packets,
            rx_bytes,
            rx_dropped,
            tx_packets,
            tx_bytes,
            tx_dropped,
        ] = read;
        Some(LinkCounters {
            netns,
            name: printable(name.trim()),
            rx_packets,
            rx_bytes,
            rx_dropped,
            tx_packets,
            tx_bytes,
            tx_dropped,
            ..LinkCounters::default()
        })
    });
    Some(devices.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 107130711    5651    1    2    3     4          5         6   501628    3928    7    8    9    10      11         12
";

    #[test]
    fn columns_go_by_the_header() {
        let links = parse(TEXT, 7).expect("header");
        let eth0 = LinkCounters {
            netns: 7,
            name: "eth0".to_owned(),
            rx_packets: 5651,
            rx_bytes: 107_130_711,
            rx_dropped: 2,
            tx_packets: 3928,
            tx_bytes: 501_628,
            tx_dropped: 8,
            ..LinkCounters::default()
        };
        assert_eq!(links.len(), 2);
        assert_eq!((links[0].name.as_str(), links[0].rx_packets), ("lo", 29));
        assert_eq!(links[1], eth0);
    }

    #[test]
    fn any_truncation_and_garbage_are_survived() {
        for end in 0..TEXT.len() {
            parse(&TEXT[..end], 0);
        }
        assert_eq!(parse("", 0), None);
        let header = TEXT.lines().nth(1).expect("header");
        assert_eq!(
            parse(&format!("{header}\neth0: 1 2 x\nno colon\n"), 0),
            Some(Vec::new())
        );
    }
}

//! What a driver's own counters (`ethtool -S`) tell of, by their names: every driver has its own,
//! and no standard names them. The names known of common drivers: signals.md 4.5.

use crate::decode::{DriverCounter, MOST_TROUBLE, QueueCounters, Trouble, Way};

/// Not a loss, though its name sounds like one.
const HARMLESS: [&str; 4] = ["dropped_smbus", "link_down", "xdp_xmit", "fifo_align"];

/// The trouble that a counter of this name tells of; `None`: of none, or of no known one.
pub fn tells(name: &str) -> Option<Trouble> {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&HARMLESS) {
        return None;
    }
    if has(&["xdp_drop"]) {
        return Some(Trouble::Xdp);
    }
    if has(&["alloc_err", "oom_discard", "rx_total_buf_err"]) || (has(&["alloc"]) && has(&["fail"]))
    {
        return Some(Trouble::Memory);
    }
    // How often, not for how long, nor what only the NIC's guard against storms counts.
    if has(&["pause", "flow_control_xoff"]) && !has(&["duration", "transition", "storm", "time"]) {
        return Some(Trouble::Pause);
    }
    let tx = parts(&name).iter().any(|part| part == "tx");
    let lost = has(&[
        "miss",
        "no_buf",
        "nobuf",
        "no_wqe",
        "out_of_buffer",
        "rx oob",
        "discard",
        "drop",
        "overrun",
        "underrun",
        "fifo_err",
        "empty_rx_ring",
        "allowance_exceeded",
        "comp_busy",
    ]);
    if lost {
        return Some(if tx { Trouble::TxDrop } else { Trouble::RxDrop });
    }
    let stopped = has(&[
        "restart",
        "stop",
        "tx_busy",
        "ring full",
        "queue_full",
        "send_full",
    ]);
    (stopped && !has(&["rx_"])).then_some(Trouble::TxStop)
}

/// Those that tell of trouble and are not 0, largest first.
pub fn trouble(names: &[String], values: &[u64]) -> Vec<DriverCounter> {
    let mut found: Vec<DriverCounter> = (names.iter().zip(values))
        .filter(|(_, value)| **value > 0)
        .filter_map(|(name, &value)| {
            Some(DriverCounter {
                tells: tells(name)?,
                name: name.clone(),
                value,
            })
        })
        .collect();
    found.sort_by(|a, b| b.value.cmp(&a.value).then_with(|| a.name.cmp(&b.name)));
    found.truncate(MOST_TROUBLE);
    found
}

/// What a counter says of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    Packets,
    Bytes,
    Drops,
}

/// `rx_queue_3_packets`, `rx3_packets`, `tx-3.bytes`, `queue_3_rx_cnt` … → direction, queue, what.
pub fn of_queue(name: &str) -> Option<(Way, u32, Says)> {
    let parts = parts(&name.to_ascii_lowercase());
    let (mut way, mut queue, mut says) = (None, None, None);
    for part in &parts {
        match part.as_str() {
            "rx" if way.is_none() => way = Some(Way::Rx),
            "tx" if way.is_none() => way = Some(Way::Tx),
            "packets" | "pkts" | "cnt" if says.is_none() => says = Some(Says::Packets),
            "bytes" if says.is_none() => says = Some(Says::Bytes),
            "drops" if says.is_none() => says = Some(Says::Drops),
            "queue" | "ring" | "q" => {}
            // Anything else is another figure: xdp, csum, a second number.
            number if queue.is_none() => queue = Some(number.parse().ok()?),
            _ => return None,
        }
    }
    Some((way?, queue?, says?))
}

/// Fills what no better source has said of the queue.
pub fn fill(counters: &mut QueueCounters, says: Says, value: u64) {
    let place = match says {
        Says::Packets => &mut counters.packets,
        Says::Bytes => &mut counters.bytes,
        Says::Drops => &mut counters.drops,
    };
    *place = Some(value);
}

/// Runs of letters and runs of digits.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut last = None;
    for c in name.chars() {
        let kind = c.is_ascii_alphanumeric().then(|| c.is_ascii_digit());
        if let Some(digit) = kind {
            match parts.last_mut() {
                Some(part) if last == Some(digit) => part.push(c),
                _ => parts.push(c.to_string()),
            }
        }
        last = kind;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_common_drivers_tell_what_they_count() {
        use Trouble::{Memory, RxDrop, TxDrop, TxStop, Xdp};
        let known = [
            ("rx_missed_errors", Some(RxDrop)),
            ("rx_no_buffer_count", Some(RxDrop)),
            ("rx_queue_3_drops", Some(RxDrop)),
            ("port.rx_discards", Some(RxDrop)),
            ("rx_out_of_buffer", Some(RxDrop)),
            ("queue_0_rx_empty_rx_ring", Some(RxDrop)),
            ("pps_allowance_exceeded", Some(RxDrop)),
            ("pkts rx OOB", Some(RxDrop)),
            ("hc_rx_discards_no_wqe", Some(RxDrop)),
            ("rx_fifo_errors", Some(RxDrop)),
            ("drv dropped tx total", Some(TxDrop)),
            ("tx3_dropped", Some(TxDrop)),
            ("rx_queue_1_alloc_failed", Some(Memory)),
            ("alloc_rx_buff_failed", Some(Memory)),
            ("rx_total_oom_discards", Some(Memory)),
            ("rx2_buff_alloc_err", Some(Memory)),
            ("tx_restart_queue", Some(TxStop)),
            ("tx0_stopped", Some(TxStop)),
            ("ring full", Some(TxStop)),
            ("rx_queue_0_xdp_drops", Some(Xdp)),
            ("dropped_smbus", None),
            ("rx_packets", None),
            ("tx_bytes", None),
        ];
        for (name, expected) in known {
            assert_eq!(tells(name), expected, "{name}");
        }
    }

    #[test]
    fn trouble_is_what_is_not_zero_largest_first() {
        let names = ["rx_drops", "tx_restart_queue", "rx_missed"].map(str::to_owned);
        let found = trouble(&names, &[0, 3, 40]);
        let found: Vec<(&str, u64)> = found.iter().map(|c| (c.name.as_str(), c.value)).collect();
        assert_eq!(found, [("rx_missed", 40), ("tx_restart_queue", 3)]);
    }

    #[test]
    fn a_queue_is_told_by_its_name_and_other_figures_are_not_taken_for_it() {
        let known = [
            ("rx_queue_3_packets", Some((Way::Rx, 3, Says::Packets))),
            ("rx3_packets", Some((Way::Rx, 3, Says::Packets))),
            ("tx-12.bytes", Some((Way::Tx, 12, Says::Bytes))),
            ("queue_2_rx_cnt", Some((Way::Rx, 2, Says::Packets))),
            ("rx_queue_0_drops", Some((Way::Rx, 0, Says::Drops))),
            ("rx_queue_0_xdp_packets", None),
            ("rx_packets", None),
            ("rx_64_bytes_ok", None),
            ("rx0_csum_packets", None),
            ("", None),
        ];
        for (name, expected) in known {
            assert_eq!(of_queue(name), expected, "{name}");
        }
    }
}

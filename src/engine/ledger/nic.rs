//! What a driver's own statistics (`ethtool -S`) say of lost packets: by driver where its names are
//! known (signals.md 4.5), else by what the name says.

/// What a statistic counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counts {
    /// Received packets for which there was no room: ring full, no host buffer.
    RxRoom,
    /// Received packets for which there was no memory.
    RxMemory,
    /// Packets that were not sent.
    Tx,
    /// Packets that an XDP program dropped.
    Xdp,
    /// Packets over an allowance of the cloud's instance.
    Allowance,
}

use Counts::{Allowance, RxMemory, RxRoom, Tx, Xdp};

/// Driver, the names of its statistics (`#`: a number), what they count. A driver in this table is
/// judged by it alone: its other names are parts of these sums, or events and no losses.
type Known = (&'static str, &'static [(&'static str, Counts)]);

#[rustfmt::skip]
static DRIVERS: &[Known] = &[
    ("igb", INTEL_SMALL), ("igc", INTEL_SMALL), ("e1000e", INTEL_SMALL),
    ("ixgbe", &[("rx_missed_errors", RxRoom), ("rx_no_buffer_count", RxRoom), ("rx_fifo_errors", RxRoom), ("alloc_rx_page_failed", RxMemory), ("alloc_rx_buff_failed", RxMemory)]),
    ("i40e", &[("port.rx_discards", RxRoom), ("rx_alloc_fail", RxMemory), ("rx_pg_alloc_fail", RxMemory)]),
    ("ice", &[("rx_dropped", RxRoom), ("rx_dropped.nic", RxRoom), ("rx_alloc_fail", RxMemory), ("rx_pg_alloc_fail", RxMemory)]),
    ("iavf", &[("rx_discards", RxRoom), ("tx_discards", Tx)]),
    ("mlx5_core", &[("rx_out_of_buffer", RxRoom), ("rx_discards_phy", RxRoom), ("rx#_buff_alloc_err", RxMemory), ("tx#_dropped", Tx), ("rx#_xdp_drop", Xdp)]),
    ("bnxt_en", &[("rx_total_ring_discards", RxRoom), ("rx_total_oom_discards", RxMemory), ("rx_total_buf_errors", RxMemory), ("tx_total_ring_discards", Tx)]),
    ("tg3", &[("rx_discards", RxRoom)]),
    ("ena", &[("bw_in_allowance_exceeded", Allowance), ("bw_out_allowance_exceeded", Allowance), ("pps_allowance_exceeded", Allowance), ("conntrack_allowance_exceeded", Allowance), ("linklocal_allowance_exceeded", Allowance), ("queue_#_rx_page_alloc_fail", RxMemory), ("queue_#_rx_skb_alloc_fail", RxMemory), ("queue_#_rx_xdp_drop", Xdp)]),
    ("gve", &[("rx_no_buffers_posted[#]", RxRoom), ("rx_queue_drop_cnt[#]", RxRoom), ("rx_dropped_pkt[#]", RxRoom), ("rx_buf_alloc_fail", RxMemory), ("rx_skb_alloc_fail", RxMemory)]),
    ("virtio_net", &[("rx#_drops", RxRoom), ("rx#_xdp_drops", Xdp), ("rx_queue_#_drops", RxRoom), ("rx_queue_#_xdp_drops", Xdp)]),
    ("vmxnet3", &[("pkts rx OOB", RxRoom), ("drv dropped rx total", RxRoom), ("rx buf alloc fail", RxMemory), ("drv dropped tx total", Tx)]),
    ("hv_netvsc", &[("rx_comp_busy", RxRoom), ("tx_send_full", Tx)]),
    ("mana", &[("hc_rx_discards_no_wqe", RxRoom)]),
    ("r8169", &[("rx_missed", RxRoom), ("tx_underrun", Tx)]),
    ("veth", &[("rx_queue_#_drops", RxRoom), ("rx_queue_#_xdp_drops", Xdp)]),
];

const INTEL_SMALL: &[(&str, Counts)] = &[
    ("rx_missed_errors", RxRoom),
    ("rx_no_buffer_count", RxRoom),
    ("rx_queue_#_drops", RxRoom),
    ("rx_queue_#_alloc_failed", RxMemory),
    ("alloc_rx_buff_failed", RxMemory),
];

/// What the statistic counts, if it counts losses.
pub fn counts(driver: &str, statistic: &str) -> Option<Counts> {
    let Some((_, known)) = DRIVERS.iter().find(|(name, _)| *name == driver) else {
        return by_name(statistic);
    };
    let plain = numberless(statistic);
    (known.iter())
        .find(|(name, _)| *name == plain)
        .map(|(_, counts)| *counts)
}

/// The same statistic of every queue has one name: `rx_queue_3_drops` → `rx_queue_#_drops`.
pub fn numberless(statistic: &str) -> String {
    let mut plain = String::with_capacity(statistic.len());
    for character in statistic.trim().chars() {
        if !character.is_ascii_digit() {
            plain.push(character);
        } else if !plain.ends_with('#') {
            plain.push('#');
        }
    }
    plain
}

/// Of a driver that nobody knows here.
fn by_name(statistic: &str) -> Option<Counts> {
    const NO_LOSS: &[&str] = &["dropped_smbus", "link_down", "_phy_errors"];
    const LOST: &[&str] = &[
        "miss",
        "no_buf",
        "nobuf",
        "out_of_buffer",
        "discard",
        "drop",
        "overrun",
        "fifo",
    ];
    let name = statistic.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(NO_LOSS) {
        None
    } else if has(&["xdp_drop"]) {
        Some(Xdp)
    } else if (name.contains("alloc") && name.contains("fail")) || has(&["alloc_err"]) {
        Some(RxMemory)
    } else if has(LOST) {
        Some(
            if name.starts_with("tx") || name.contains("_tx") || name.contains(" tx") {
                Tx
            } else {
                RxRoom
            },
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_in_the_table_is_judged_by_it_alone() {
        assert_eq!(counts("mlx5_core", "rx_out_of_buffer"), Some(RxRoom));
        assert_eq!(counts("mlx5_core", "rx3_buff_alloc_err"), Some(RxMemory));
        assert_eq!(
            counts("mlx5_core", "rx_prio0_discards"),
            None,
            "part of the sum"
        );
        assert_eq!(counts("igb", "rx_queue_11_drops"), Some(RxRoom));
        assert_eq!(counts("vmxnet3", "  pkts rx OOB"), Some(RxRoom));
        assert_eq!(counts("gve", "rx_queue_drop_cnt[7]"), Some(RxRoom));
        assert_eq!(counts("ena", "pps_allowance_exceeded"), Some(Allowance));
        assert_eq!(counts("veth", "rx_queue_0_xdp_drops"), Some(Xdp));
        assert_eq!(counts("veth", "peer_ifindex"), None);
    }

    #[test]
    fn an_unknown_driver_is_judged_by_the_names() {
        assert_eq!(counts("newnic", "rx_no_buffer"), Some(RxRoom));
        assert_eq!(counts("newnic", "tx_dropped"), Some(Tx));
        assert_eq!(counts("newnic", "rx_alloc_failures"), Some(RxMemory));
        assert_eq!(counts("newnic", "rx_xdp_drops"), Some(Xdp));
        assert_eq!(counts("newnic", "dropped_smbus"), None);
        assert_eq!(counts("newnic", "tx_packets"), None);
    }
}

//! How a device is set up: driver, offloads, rings, coalescing, by ethtool; its NUMA node and
//! speed from sysfs. What a driver does not know is said, what it may not be asked is left out.

use std::ffi::CStr;
use std::io;

use crate::decode::{Coalesce, LinkSetup, MOST_QUEUES, NapiSettings, Pause, Ring, Rss};
use crate::host::proc::{Proc, printable};
use crate::sys::{Ethtool, Strings};

/// Features of the kernel (net/ethtool/common.c, netdev_features_strings) by what `ethtool -k`
/// calls them.
const OFFLOADS: [(&str, &[&str]); 10] = [
    ("gro", &["rx-gro"]),
    ("gro-hw", &["rx-gro-hw"]),
    ("gro-list", &["rx-gro-list"]),
    ("udp-gro-forwarding", &["rx-udp-gro-forwarding"]),
    ("lro", &["rx-lro"]),
    ("rx-csum", &["rx-checksum"]),
    (
        "tx-csum",
        &[
            "tx-checksum-ip-generic",
            "tx-checksum-ipv4",
            "tx-checksum-ipv6",
        ],
    ),
    ("sg", &["tx-scatter-gather"]),
    ("tso", &["tx-tcp-segmentation", "tx-tcp6-segmentation"]),
    ("gso", &["tx-generic-segmentation"]),
];

/// `own`: the device is in the own namespace, whose sysfs this is. The driver's bus address is
/// the second.
pub fn read(ethtool: &Ethtool, proc: &Proc, device: &CStr, own: bool) -> (LinkSetup, String) {
    let mut setup = LinkSetup::default();
    let mut bus = String::new();
    let mut asked = |what: &str, refused: Option<io::Error>| {
        if refused.is_some_and(|e| e.raw_os_error() == Some(libc::EOPNOTSUPP)) {
            setup.unsupported.push(what.to_owned());
        }
    };
    let driver = ethtool.driver(device);
    let rings = ethtool.rings(device);
    let channels = ethtool.channels(device);
    let coalesce = ethtool.coalesce(device);
    asked("rings", rings.as_ref().err().map(again));
    asked("channels", channels.as_ref().err().map(again));
    asked("coalescing", coalesce.as_ref().err().map(again));
    let pause = ethtool.pause(device);
    asked("pause", pause.as_ref().err().map(again));
    let table = ethtool.indirection(device);
    asked("RSS table", table.as_ref().err().map(again));
    if let Ok(driver) = driver {
        setup.driver = Some(printable(&driver.name)).filter(|name| !name.is_empty());
        bus = driver.bus;
    }
    setup.rings = rings
        .ok()
        .map(|[rx_most, _, _, tx_most, rx, _, _, tx]| Ring {
            rx,
            rx_most,
            tx,
            tx_most,
        });
    setup.channels_most = (channels.as_ref().ok()).map(|c| c[3] + c[0].max(c[1]));
    // Combined channels serve both ways, others one.
    setup.channels = channels
        .ok()
        .map(|[.., rx, tx, _, combined]| combined + rx.max(tx));
    setup.pause = pause.ok().map(|[negotiated, rx, tx]| Pause {
        negotiated: negotiated != 0,
        rx: rx != 0,
        tx: tx != 0,
    });
    setup.rss = table
        .ok()
        .filter(|table| !table.is_empty())
        .map(|table| Rss {
            weights: weights(&table),
            udp_hash: ethtool
                .udp_hash(device)
                .ok()
                .filter(|hash| !hash.is_empty()),
        });
    setup.coalesce = coalesce.ok().map(|c| Coalesce {
        rx_us: c[0],
        rx_frames: c[1],
        tx_us: c[4],
        tx_frames: c[5],
        adaptive_rx: c[9] != 0,
        adaptive_tx: c[10] != 0,
    });
    setup.offloads = offloads(ethtool, device).unwrap_or_default();
    let number = |file: &str| -> Option<i64> { proc.text(file).ok()?.trim().parse().ok() };
    // -1: the platform knows no nodes, or the link no speed.
    let positive = |value: i64| u32::try_from(value).ok();
    if bus.contains(':') {
        let node = number(&format!("sys/bus/pci/devices/{bus}/numa_node"));
        setup.numa_node = node.and_then(positive);
    }
    if own {
        let speed = number(&format!("sys/class/net/{}/speed", device.to_string_lossy()));
        setup.speed = speed.and_then(positive).filter(|speed| *speed > 0);
        setup.napi = napi(proc, device);
    }
    (setup, bus)
}

/// `None`: the device is not there, or the kernel is older than these files.
fn napi(proc: &Proc, device: &CStr) -> Option<NapiSettings> {
    let folder = format!("sys/class/net/{}", device.to_string_lossy());
    let number = |file: &str| -> Option<u64> {
        let text = proc.text(&format!("{folder}/{file}")).ok()?;
        text.trim().parse().ok()
    };
    Some(NapiSettings {
        threaded: number("threaded").map(|threaded| threaded != 0),
        gro_flush_timeout: number("gro_flush_timeout")?,
        defer_hard_irqs: number("napi_defer_hard_irqs").unwrap_or(0),
    })
}

/// Entries of the table by queue; numbers that no driver has are left out.
fn weights(table: &[u32]) -> Vec<u32> {
    let mut weights = Vec::new();
    for &queue in table.iter().filter(|queue| **queue < MOST_QUEUES as u32) {
        let queue = queue as usize;
        if weights.len() <= queue {
            weights.resize(queue + 1, 0);
        }
        weights[queue] += 1;
    }
    weights
}

fn again(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

fn offloads(ethtool: &Ethtool, device: &CStr) -> io::Result<Vec<(String, bool)>> {
    let names = ethtool.strings(device, Strings::Features)?;
    let active = ethtool.features(device, names.len())?;
    Ok(by_name(&names, &active))
}

/// An offload of several features is on when one of them is; one this kernel does not know is
/// left out.
fn by_name(names: &[String], active: &[bool]) -> Vec<(String, bool)> {
    let state = |features: &[&str]| {
        let known =
            (names.iter().zip(active)).filter(|(name, _)| features.contains(&name.as_str()));
        known.map(|(_, on)| *on).reduce(|a, b| a || b)
    };
    (OFFLOADS.iter())
        .filter_map(|(name, features)| Some(((*name).to_owned(), state(features)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offload_is_on_when_one_of_its_features_is() {
        let names = ["rx-gro", "tx-tcp-segmentation", "tx-tcp6-segmentation"].map(str::to_owned);
        let expected = [("gro".to_owned(), false), ("tso".to_owned(), true)];
        assert_eq!(by_name(&names, &[false, false, true]), expected);
    }

    #[test]
    fn a_table_is_told_by_its_weights_and_wild_queues_are_left_out() {
        assert_eq!(weights(&[0, 1, 0, 3, u32::MAX]), [2, 1, 0, 1]);
        assert!(weights(&[]).is_empty());
    }

    #[test]
    fn how_loopback_is_polled_is_read_from_sysfs() {
        let napi = napi(&Proc::host(), c"lo").expect("every kernel since 4.7 has the file");
        assert_eq!(napi.gro_flush_timeout, 0);
        let (setup, _) = read(
            &Ethtool::new().expect("a socket"),
            &Proc::host(),
            c"lo",
            false,
        );
        assert_eq!(setup.napi, None, "sysfs shows the own namespace only");
    }

    #[test]
    fn loopback_has_offloads_and_says_what_it_does_not_have() {
        let ethtool = Ethtool::new().expect("a socket");
        let (setup, _) = read(&ethtool, &Proc::host(), c"lo", true);
        assert!(setup.offloads.iter().any(|(name, _)| name == "gro"));
        for what in ["rings", "coalescing", "pause", "RSS table"] {
            assert!(setup.unsupported.iter().any(|u| u == what), "{setup:?}");
        }
        assert_eq!((setup.rings, setup.coalesce), (None, None));
    }
}

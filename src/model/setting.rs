//! The settings of the host that a snapshot knows, by name, and which of them two snapshots have
//! differently: how netop sees that a piece of advice was followed.

use std::collections::BTreeMap;

use super::Snapshot;

/// What the kernel counts, though it is read like a setting.
const NO_SETTING: &str = "net.netfilter.nf_conntrack_count";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// `net.core.rmem_max`, `eth0 gro`.
    pub name: String,
    pub before: String,
    pub after: String,
}

pub type Settings = BTreeMap<String, String>;

pub fn settings(snapshot: &Snapshot) -> Settings {
    let sysctls = snapshot.facts.sysctls.iter();
    let mut all: Settings = sysctls
        .filter(|(name, _)| *name != NO_SETTING)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for device in &snapshot.devices {
        let name = device.netns.as_ref().map_or_else(
            || device.name.clone(),
            |netns| format!("{}@{netns}", device.name),
        );
        let mut set = |what: &str, value: String| all.insert(format!("{name} {what}"), value);
        for qdisc in &device.qdiscs {
            let limit = qdisc.limit.map_or(String::new(), |n| format!(" limit {n}"));
            set(
                &format!("qdisc {}", qdisc.parent),
                format!("{}{limit}", qdisc.kind),
            );
        }
        for queue in &device.queues {
            if let Some(mask) = &queue.steering {
                set(
                    &format!("{} steering {}", queue.direction, queue.queue),
                    mask.clone(),
                );
            }
        }
        let Some(setup) = &device.setup else { continue };
        for offload in &setup.offloads {
            set(
                &offload.name,
                if offload.on { "on" } else { "off" }.to_owned(),
            );
        }
        let figures = [
            ("mtu", setup.mtu),
            ("channels", setup.channels),
            ("rx ring", setup.rx_ring.map(|(now, _)| now)),
            ("tx ring", setup.tx_ring.map(|(now, _)| now)),
            ("rx-usecs", setup.coalesce.map(|c| c.rx_us)),
            ("tx-usecs", setup.coalesce.map(|c| c.tx_us)),
            ("adaptive-rx", setup.coalesce.map(|c| c.adaptive_rx.into())),
        ];
        for (what, value) in figures {
            if let Some(value) = value {
                set(what, value.to_string());
            }
        }
    }
    all
}

/// Only what both know: a device that came or went is no setting.
pub fn changed(before: &Settings, after: &Settings) -> Vec<Changed> {
    let differs = |(name, before): (&String, &String)| {
        let after = after.get(name).filter(|after| *after != before)?;
        Some(Changed {
            name: name.clone(),
            before: before.clone(),
            after: after.clone(),
        })
    };
    before.iter().filter_map(differs).collect()
}

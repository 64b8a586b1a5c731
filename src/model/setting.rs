//! The settings of the host that a snapshot knows, by name, and which of them two snapshots have
//! differently: how netop sees that a piece of advice was followed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Snapshot;

/// What the kernel counts, though it is read like a setting.
const NO_SETTING: &str = "net.netfilter.nf_conntrack_count";

const STEERING: &str = "steering";
const OFF: &str = "off";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    for (netns, sysctls) in snapshot.facts.inside.iter() {
        let inside = sysctls.iter();
        all.extend(inside.map(|(name, value)| (format!("{name}@{netns}"), value.clone())));
    }
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
            let mut of_queue = |what: &str, value: Option<String>| {
                set(
                    &format!("{} {what} {}", queue.direction, queue.queue),
                    value.unwrap_or_else(|| OFF.to_owned()),
                );
            };
            of_queue(STEERING, queue.steering.clone());
            of_queue("RFS flows", queue.rfs_flows.map(|flows| flows.to_string()));
        }
        for irq in &device.irqs {
            if let Some(cpus) = &irq.affinity {
                set(&format!("irq {} affinity", irq.irq), cpus.clone());
            }
        }
        let Some(setup) = &device.setup else { continue };
        for offload in &setup.offloads {
            set(
                &offload.name,
                if offload.on { "on" } else { "off" }.to_owned(),
            );
        }
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        if let Some(pause) = setup.pause {
            set("pause", format!("rx {} tx {}", on(pause.rx), on(pause.tx)));
        }
        if let Some(rss) = &setup.rss {
            let weights = rss.weights.iter().map(u32::to_string);
            set("RSS table", weights.collect::<Vec<_>>().join(" "));
            set("UDP hash", rss.udp_hash.clone().unwrap_or_default());
        }
        if let Some(napi) = setup.napi {
            set("threaded", on(napi.threaded == Some(true)));
            set("gro_flush_timeout", napi.gro_flush_timeout.to_string());
            set("napi_defer_hard_irqs", napi.defer_hard_irqs.to_string());
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

/// Only what both know: a device that came or went is no setting. But a queue of which nothing else
/// is known appears when packets are steered.
pub fn changed(before: &Settings, after: &Settings) -> Vec<Changed> {
    let of = |all: &Settings, other: &Settings, name: &String| {
        let known = all.get(name).cloned();
        let device = name.split(' ').next().unwrap_or_default();
        let there = || all.contains_key(&format!("{device} mtu"));
        let steered = name.contains(STEERING) && other.contains_key(name);
        known.or_else(|| (steered && there()).then(|| OFF.to_owned()))
    };
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differs = |name: &String| {
        let was = of(before, after, name)?;
        let is = of(after, before, name)?;
        (was != is).then(|| Changed {
            name: name.clone(),
            before: was,
            after: is,
        })
    };
    names.into_iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Settings {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_device_that_came_is_no_change_and_steering_that_came_is() {
        let alone = read(&[("eth0 mtu", "1500")]);
        let more = read(&[
            ("eth0 mtu", "1500"),
            ("eth1 mtu", "1500"),
            ("eth1 gro", "on"),
        ]);
        assert!(changed(&alone, &more).is_empty() && changed(&more, &alone).is_empty());
        let steered = read(&[("eth0 mtu", "1500"), ("eth0 rx steering 0", "3")]);
        let told = |a, b| {
            let all = changed(a, b);
            all.iter()
                .map(|c| format!("{}: {} → {}", c.name, c.before, c.after))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&alone, &steered), ["eth0 rx steering 0: off → 3"]);
        assert_eq!(told(&steered, &alone), ["eth0 rx steering 0: 3 → off"]);
        let other = read(&[("eth1 mtu", "1500"), ("eth1 rx steering 0", "3")]);
        assert!(changed(&alone, &other).is_empty());
    }
}

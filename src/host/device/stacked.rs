//! Devices that send a packet through __netif_receive_skb_core another time, so that softnet's
//! `processed` counts it once per round while netif_receive_skb is hit once (net/core/dev.c,
//! label `another_round`).

use super::links::Device;
use crate::host::proc::Proc;

/// Measured on 6.18 for 20 000 datagrams: macvlan 40 006 processed for 20 006 hits. A bridge is not
/// of them (40 007 for 40 006): it hands its packets to netif_receive_skb again, a hit of its own.
const KINDS: [&str; 7] = [
    "vlan", "bond", "macvlan", "macvtap", "ipvlan", "ipvtap", "team",
];

/// Names such devices usually have, for namespaces whose device kinds cannot be read.
const NAMES: [&str; 6] = ["vlan", "bond", "macvlan", "macvtap", "ipvlan", "team"];

/// One sentence that names the first such device.
pub fn why_inexact<'a>(devices: impl IntoIterator<Item = &'a Device>) -> Option<String> {
    devices.into_iter().find_map(|device| {
        let name = &device.link.name;
        let kind = match &device.link.kind {
            Some(kind) => KINDS.into_iter().find(|known| known == kind)?,
            None => by_name(name)?,
        };
        Some(format!(
            "softnet_stat counts packets of {name} ({kind}) once per round, not once per netif_receive_skb"
        ))
    })
}

/// In a foreign namespace, which `at` (proc/PID) shows: does the 8021q module list VLAN devices there?
pub fn has_vlan(proc: &Proc, at: &str) -> bool {
    // Two header lines, then one line per device (net/8021q/vlanproc.c).
    proc.text(&format!("{at}/net/vlan/config"))
        .is_ok_and(|text| text.lines().count() > 2)
}

fn by_name(name: &str) -> Option<&'static str> {
    let starts = NAMES.iter().find(|start| name.starts_with(**start));
    match starts {
        Some(start) => Some(start),
        None if name.contains('.') => Some("vlan"),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::LinkCounters;
    use crate::host::proc::tests::root_with;

    fn device(name: &str, kind: Option<&str>) -> Device {
        Device {
            link: LinkCounters {
                name: name.to_owned(),
                kind: kind.map(str::to_owned),
                ..LinkCounters::default()
            },
            ..Device::default()
        }
    }

    #[test]
    fn plain_devices_keep_softnet_exact() {
        let plain = [
            device("lo", None),
            device("eth0", None),
            device("bond7", Some("veth")),
            device("br0", Some("bridge")),
            device("br-3fa", None),
            device("ifb0", Some("ifb")),
        ];
        assert_eq!(why_inexact(&plain), None);
    }

    #[test]
    fn a_stacked_device_is_named_with_its_kind() {
        for kind in KINDS {
            let devices = [device("eth0", None), device("x7", Some(kind))];
            let why = why_inexact(&devices).expect(kind);
            assert!(why.contains(&format!("x7 ({kind})")), "{why}");
        }
    }

    #[test]
    fn without_kinds_the_name_decides() {
        for (name, kind) in [("eth0.5", "vlan"), ("bond0", "bond"), ("team0", "team")] {
            let why = why_inexact(&[device(name, None)]).expect(name);
            assert!(why.contains(&format!("{name} ({kind})")), "{why}");
        }
    }

    #[test]
    fn vlan_devices_of_a_foreign_namespace_are_found() {
        let header = "VLAN Dev name | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n";
        let (_dir, proc) = root_with(&[
            ("proc/1/net/vlan/config", header),
            (
                "proc/2/net/vlan/config",
                &format!("{header}v5 | 5 | eth0\n"),
            ),
        ]);
        let found: Vec<bool> = (1..4)
            .map(|pid| has_vlan(&proc, &format!("proc/{pid}")))
            .collect();
        assert_eq!(found, [false, true, false]);
    }
}

//! The devices and root qdiscs of the namespace netop runs in, by rtnetlink; where that fails,
//! and for other namespaces, by /proc.

use std::collections::HashMap;
use std::io;

use netlink_bindings::rt_link::{self, Ifinfomsg};
use netlink_bindings::tc::{self, Tcmsg};
use netlink_socket2::NetlinkSocket;

use super::net_dev;
use super::proc::{Proc, printable};
use crate::decode::LinkCounters;

/// TC_H_ROOT (linux/pkt_sched.h): the parent of a device's root qdisc.
const ROOT: u32 = u32::MAX;

/// What a device is made of beside its counters.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Device {
    pub link: LinkCounters,
    /// `veth`, `vlan`, `bridge` … from IFLA_LINKINFO; `None` for hardware, loopback and /proc.
    pub kind: Option<String>,
}

#[derive(Debug, Default)]
struct Qdisc {
    kind: String,
    drops: u64,
    backlog: u64,
}

#[derive(Default)]
pub struct Links {
    /// Made anew after a failure, so that a half-read answer is never taken for the next one.
    socket: Option<NetlinkSocket>,
}

impl Links {
    /// Devices of the own namespace.
    pub fn own(&mut self, proc: &Proc, netns: u64, notes: &mut Vec<String>) -> Vec<Device> {
        let mut devices = match self.by_netlink(netns, notes) {
            Ok(devices) => devices,
            Err(error) => {
                self.socket = None;
                notes.push(format!(
                    "netlink does not list the devices ({error}): /proc/net/dev is read instead, without ring and qdisc drops"
                ));
                by_proc(proc, "proc/net/dev", netns, notes)
            }
        };
        for device in &mut devices {
            let name = &device.link.name;
            device.link.physical = proc.exists(&format!("sys/class/net/{name}/device"));
            device.link.local = name == "lo" || is_veth(device);
        }
        devices
    }

    fn by_netlink(&mut self, netns: u64, notes: &mut Vec<String>) -> io::Result<Vec<Device>> {
        let socket = self.socket.get_or_insert_default();
        let mut devices = dump_links(socket, netns)?;
        match dump_qdiscs(socket) {
            Ok(mut qdiscs) => {
                for (index, device) in &mut devices {
                    if let Some(qdisc) = qdiscs.remove(index) {
                        device.link.qdisc = Some(qdisc.kind);
                        device.link.qdisc_drops = Some(qdisc.drops);
                        device.link.qdisc_backlog = Some(qdisc.backlog);
                    }
                }
            }
            Err(error) => {
                self.socket = None;
                notes.push(format!("netlink does not list the qdiscs: {error}"));
            }
        }
        Ok(devices.into_iter().map(|(_, device)| device).collect())
    }
}

/// Devices of another namespace, through a process in it. What they carry counts as local: where
/// the packets leave the host, a device of the own namespace counts them again.
pub fn foreign(proc: &Proc, netns: u64, pid: u32, notes: &mut Vec<String>) -> Vec<Device> {
    let mut devices = by_proc(proc, &format!("proc/{pid}/net/dev"), netns, notes);
    for device in &mut devices {
        device.link.local = true;
    }
    devices
}

fn is_veth(device: &Device) -> bool {
    match &device.kind {
        Some(kind) => kind == "veth",
        None => device.link.name.starts_with("veth"),
    }
}

fn by_proc(proc: &Proc, name: &str, netns: u64, notes: &mut Vec<String>) -> Vec<Device> {
    let links = match proc.text(name) {
        Ok(text) => net_dev::parse(&text, netns),
        // The process ended: its namespace is read through another one next time.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            notes.push(format!("cannot read /{name}: {error}"));
            return Vec::new();
        }
    };
    if links.is_none() {
        notes.push(format!("/{name} has an unknown layout"));
    }
    let device = |link| Device { link, kind: None };
    links.unwrap_or_default().into_iter().map(device).collect()
}

/// (ifindex, device), in the kernel's order.
fn dump_links(socket: &mut NetlinkSocket, netns: u64) -> io::Result<Vec<(i32, Device)>> {
    let request = rt_link::Request::new().op_getlink_dump(&Ifinfomsg::new());
    let mut replies = socket.request(&request)?;
    let mut devices = Vec::new();
    while let Some(reply) = replies.recv() {
        let (header, attributes) = reply.map_err(io::Error::from)?;
        let (Ok(name), Ok(stats)) = (attributes.get_ifname(), attributes.get_stats64()) else {
            continue;
        };
        let kind = attributes
            .get_linkinfo()
            .and_then(|info| info.get_kind())
            .ok()
            .map(|kind| printable(&kind.to_string_lossy()));
        let link = LinkCounters {
            netns,
            name: printable(&name.to_string_lossy()),
            rx_packets: stats.rx_packets,
            rx_bytes: stats.rx_bytes,
            tx_packets: stats.tx_packets,
            tx_bytes: stats.tx_bytes,
            rx_dropped: stats.rx_dropped,
            rx_missed: stats.rx_missed_errors,
            tx_dropped: stats.tx_dropped,
            ..LinkCounters::default()
        };
        devices.push((header.ifi_index, Device { link, kind }));
    }
    Ok(devices)
}

/// Root qdiscs by ifindex. The root of mq adds its children up itself (sch_mq.c mq_dump). The
/// kernel's drop counter has 32 bits and wraps.
fn dump_qdiscs(socket: &mut NetlinkSocket) -> io::Result<HashMap<i32, Qdisc>> {
    let request = tc::Request::new().op_getqdisc_dump(&Tcmsg::new());
    let mut replies = socket.request(&request)?;
    let mut roots = HashMap::new();
    while let Some(reply) = replies.recv() {
        let (header, attributes) = reply.map_err(io::Error::from)?;
        if header.parent != ROOT {
            continue;
        }
        let (Ok(kind), Ok(queue)) = (
            attributes.get_kind(),
            attributes.get_stats2().and_then(|stats| stats.get_queue()),
        ) else {
            continue;
        };
        let qdisc = Qdisc {
            kind: printable(&kind.to_string_lossy()),
            drops: u64::from(queue.drops),
            backlog: u64::from(queue.qlen),
        };
        roots.insert(header.ifindex, qdisc);
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::super::proc::tests::root_with;
    use super::*;

    #[test]
    fn loopback_of_this_kernel_is_local_and_has_a_qdisc() {
        let mut notes = Vec::new();
        let devices = Links::default().own(&Proc::host(), 1, &mut notes);
        assert_eq!(notes, Vec::<String>::new());
        let lo = &devices
            .iter()
            .find(|device| device.link.name == "lo")
            .expect("every namespace has lo")
            .link;
        assert!(lo.local && !lo.physical && lo.netns == 1);
        assert_eq!(lo.qdisc.as_deref(), Some("noqueue"));
        assert_eq!(lo.rx_packets, lo.tx_packets);
    }

    #[test]
    fn a_foreign_namespace_has_no_qdiscs_and_all_of_it_is_local() {
        let text = " face |bytes packets drop|bytes packets drop\neth0: 10 2 1 30 4 0\n";
        let (_dir, proc) = root_with(&[("proc/42/net/dev", text)]);
        let mut notes = Vec::new();
        let devices = foreign(&proc, 9, 42, &mut notes);
        let link = LinkCounters {
            netns: 9,
            name: "eth0".to_owned(),
            local: true,
            rx_packets: 2,
            rx_bytes: 10,
            rx_dropped: 1,
            tx_packets: 4,
            tx_bytes: 30,
            ..LinkCounters::default()
        };
        assert_eq!(devices, [Device { link, kind: None }]);
        assert_eq!(foreign(&proc, 9, 43, &mut notes), []);
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn an_unknown_layout_is_said_once() {
        let (_dir, proc) = root_with(&[("proc/42/net/dev", "nothing known\n")]);
        let mut notes = Vec::new();
        assert_eq!(foreign(&proc, 9, 42, &mut notes), []);
        assert_eq!(notes, ["/proc/42/net/dev has an unknown layout"]);
    }
}

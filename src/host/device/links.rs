//! The devices and qdiscs of every namespace that may be entered, by rtnetlink; where that fails
//! by /proc, which knows less.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::io;

use netlink_bindings::rt_link::{self, Ifinfomsg, IterableLinkAttrs, OpGetlinkDump};
use netlink_bindings::traits::NetlinkRequest;
use netlink_socket2::NetlinkSocket;

use super::device_details::Details;
use super::{net_dev, qdiscs};
use crate::decode::{LinkCounters, LinkState};
use crate::host::netns::Netns;
use crate::host::proc::{Proc, because_of_netlink, printable};
use crate::host::system::sysctls;
use crate::host::turns::Plan;
use crate::sys::{bpf_names, in_netns};

/// Files that stay open of a namespace that was entered: here, for its protocols and for its sockets.
const FILES_INSIDE: u64 = 9;

/// What else netop may have open of its limit of open files, and how many namespaces it enters anyway.
const OTHER_FILES: u64 = 512;
const FEWEST_ENTERED: usize = 8;

/// A namespace that may not be entered is tried again after this time, ns.
const REFUSED_NS: u64 = 10_000_000_000;

/// Programs come and go: with more names than these all are asked for again.
const MOST_PROGRAMS: usize = 256;

/// What a device is made of beside its counters.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Device {
    pub link: LinkCounters,
    /// As the kernel has it: any bytes but a slash, a colon and white space (dev_valid_name of
    /// net/core/dev.c).
    pub name: CString,
    pub mtu: Option<u32>,
    /// Id of its XDP program.
    pub xdp: Option<u32>,
}

pub struct Links {
    own: Inside,
    /// Of other namespaces, by inode.
    others: BTreeMap<u64, Inside>,
    /// Of more namespaces than these the devices are read from /proc.
    most_entered: usize,
    /// XDP programs by id, as they are called.
    programs: BTreeMap<u32, String>,
}

/// What is kept of a namespace. Its sockets were opened there and answer of it from anywhere, so
/// that it is entered once for each setup and not at each tick.
#[derive(Default)]
struct Inside {
    /// Made anew after a failure, so that a half-read answer is never taken for the next one.
    socket: Option<NetlinkSocket>,
    details: Details,
    sysctls: BTreeMap<String, String>,
    refused_at: Option<u64>,
}

impl Links {
    /// `open_files`: as many as netop may have.
    pub fn new(open_files: u64) -> Links {
        let room = open_files.saturating_sub(OTHER_FILES) / FILES_INSIDE;
        Links {
            own: Inside::default(),
            others: BTreeMap::new(),
            most_entered: usize::try_from(room)
                .unwrap_or(usize::MAX)
                .max(FEWEST_ENTERED),
            programs: BTreeMap::new(),
        }
    }

    /// Devices of the own namespace; `at` is CLOCK_MONOTONIC in ns.
    pub fn own(
        &mut self,
        proc: &Proc,
        netns: u64,
        at: u64,
        notes: &mut Vec<String>,
    ) -> Vec<Device> {
        let Inside {
            socket, details, ..
        } = &mut self.own;
        let asked = by_netlink(socket.get_or_insert_default(), netns, notes);
        let mut devices = asked.unwrap_or_else(|error| {
            *socket = None;
            notes.push(format!(
                "netlink does not list the devices ({}): /proc/net/dev is read instead, without ring and qdisc drops",
                because_of_netlink(&error)
            ));
            by_proc(proc, "proc/net/dev", netns, notes)
        });
        let set_up = details.is_due(at, &devices);
        details.add(proc, true, at, set_up, &mut devices);
        for device in &mut devices {
            device.link.local = device.name.to_bytes() == b"lo" || is_veth(device);
        }
        self.name_programs(&mut devices);
        devices
    }

    /// Forgets namespaces that are gone.
    pub fn retain(&mut self, others: &[Netns]) {
        let there: BTreeSet<u64> = others.iter().map(|other| other.inode).collect();
        self.others.retain(|known, _| there.contains(known));
    }

    /// Devices of another namespace. What software devices carry there counts as local: where the
    /// packets leave the host, a device of the own namespace counts them again.
    pub fn other(
        &mut self,
        proc: &Proc,
        netns: &Netns,
        at: u64,
        (plan, set_ups): (&Plan, &mut SetUps),
        notes: &mut Vec<String>,
    ) -> Vec<Device> {
        let entered = if self.has_room(netns.inode, plan) {
            let inside = self.others.entry(netns.inode).or_default();
            inside.read(proc, netns, at, set_ups, notes)
        } else {
            Err(io::ErrorKind::QuotaExceeded.into())
        };
        let mut devices = entered.unwrap_or_else(|_| match netns.in_proc(proc) {
            Some(at) => by_proc(proc, &format!("{at}/net/dev"), netns.inode, notes),
            None => Vec::new(),
        });
        for device in &mut devices {
            device.link.local = !device.link.physical;
        }
        self.name_programs(&mut devices);
        devices
    }

    /// Whether a namespace may be entered: a busy one in the place of a quiet one.
    fn has_room(&mut self, netns: u64, plan: &Plan) -> bool {
        if self.others.len() < self.most_entered || self.others.contains_key(&netns) {
            return true;
        }
        let quiet = |known: &&u64| !plan.is_busy(**known);
        let quiet = self.others.keys().find(quiet).copied();
        match quiet.filter(|_| plan.is_busy(netns)) {
            Some(quiet) => self.others.remove(&quiet).is_some(),
            None => false,
        }
    }

    /// Files of this namespace may stay open.
    pub fn has_entered(&self, netns: u64) -> bool {
        self.others
            .get(&netns)
            .is_some_and(|inside| inside.socket.is_some())
    }

    /// Of how many namespaces files may stay open.
    pub fn most_entered(&self) -> usize {
        self.most_entered
    }

    /// What is not known of the `others`, which is how many other namespaces there are.
    pub fn missing(&self, others: usize) -> impl Iterator<Item = String> {
        let less = "their devices are read from /proc, without rings, qdiscs and offloads";
        let denied = self
            .others
            .values()
            .filter(|inside| inside.refused_at.is_some())
            .count();
        let denied = (denied > 0).then(|| {
            format!("{denied} network namespaces may not be entered (needs CAP_SYS_ADMIN: run as root): {less}")
        });
        let more = others.saturating_sub(self.most_entered);
        let more = (more > 0).then(|| {
            format!(
                "{more} of {others} network namespaces are not entered, for netop may open too few files (ulimit -n): {less}"
            )
        });
        denied.into_iter().chain(more)
    }

    /// Settings of the namespaces that [`other`](Links::other) entered, by inode, as last read.
    pub fn sysctls_inside(&self) -> Vec<(u64, BTreeMap<String, String>)> {
        let entered = self.others.iter().filter(|(_, of)| !of.sysctls.is_empty());
        entered
            .map(|(netns, of)| (*netns, of.sysctls.clone()))
            .collect()
    }

    /// Closes what keeps other namespaces alive.
    pub fn let_go(&mut self) {
        self.others.clear();
    }

    /// The list of all programs is only read for one that is new here.
    fn name_programs(&mut self, devices: &mut [Device]) {
        let ids = devices.iter().filter_map(|device| device.xdp);
        let new: Vec<u32> = ids.filter(|id| !self.programs.contains_key(id)).collect();
        let mut names = bpf_names(&new);
        if self.programs.len() > MOST_PROGRAMS {
            self.programs.clear();
        }
        for id in new {
            let name = names.remove(&id).map(|name| printable(&name));
            let name = name.unwrap_or_else(|| format!("program {id}"));
            self.programs.insert(id, name);
        }
        for device in devices {
            let name = device.xdp.and_then(|id| self.programs.get(&id));
            device.link.xdp = name.cloned();
        }
    }
}

/// How much time is spent on how devices are set up in one reading: about 1 ms for a namespace.
pub struct SetUps {
    /// CLOCK_MONOTONIC, ns.
    clock: fn() -> u64,
    /// For namespaces of which nothing is known yet, and for the others, ns.
    left: [u64; 2],
    /// One at least is read each time.
    done: bool,
}

impl SetUps {
    /// `first`: everything is new.
    pub fn new(clock: fn() -> u64, first: bool) -> SetUps {
        SetUps {
            clock,
            left: if first {
                [40_000_000, 0]
            } else {
                [8_000_000, 2_000_000]
            },
            done: false,
        }
    }

    fn may(&self, again: bool) -> bool {
        !self.done || self.left[usize::from(again)] > 0
    }

    fn measured<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = (self.clock)();
        let done = work();
        let took = (self.clock)().saturating_sub(began);
        self.left = self.left.map(|left| left.saturating_sub(took));
        self.done = true;
        done
    }
}

impl Inside {
    fn read(
        &mut self,
        proc: &Proc,
        netns: &Netns,
        at: u64,
        set_ups: &mut SetUps,
        notes: &mut Vec<String>,
    ) -> io::Result<Vec<Device>> {
        if let Some(socket) = &mut self.socket
            && let Ok(mut devices) = by_netlink(socket, netns.inode, notes)
        {
            let again = self.details.is_set_up();
            if !(self.details.is_due(at, &devices) && set_ups.may(again)) {
                self.details.add(proc, false, at, false, &mut devices);
                return Ok(devices);
            }
        }
        self.socket = None;
        if (self.refused_at).is_some_and(|last| at.saturating_sub(last) < REFUSED_NS) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let namespace = netns.open(proc)?;
        let entered = in_netns(&namespace, || {
            self.enter(proc, netns.inode, at, set_ups, notes)
        });
        let denied = |e: &io::Error| e.kind() == io::ErrorKind::PermissionDenied;
        self.refused_at = entered.as_ref().is_err_and(denied).then_some(at);
        entered?
    }

    /// Everything, in the thread that is there; how it is set up if there is time.
    fn enter(
        &mut self,
        proc: &Proc,
        netns: u64,
        at: u64,
        set_ups: &mut SetUps,
        notes: &mut Vec<String>,
    ) -> io::Result<Vec<Device>> {
        let mut socket = NetlinkSocket::new();
        let mut devices = by_netlink(&mut socket, netns, notes)?;
        if set_ups.may(self.details.is_set_up()) {
            set_ups.measured(|| {
                self.details.add(proc, false, at, true, &mut devices);
                self.sysctls = sysctls::read_inside(proc);
            });
        }
        self.socket = Some(socket);
        Ok(devices)
    }
}

fn by_netlink(
    socket: &mut NetlinkSocket,
    netns: u64,
    notes: &mut Vec<String>,
) -> io::Result<Vec<Device>> {
    let mut devices = dump_links(socket, netns)?;
    match qdiscs::dump(socket) {
        Ok(mut qdiscs) => {
            for device in &mut devices {
                let link = &mut device.link;
                link.qdiscs = qdiscs
                    .remove(&link.ifindex.cast_signed())
                    .unwrap_or_default();
                if let Some(root) = link.qdiscs.first().filter(|qdisc| qdisc.parent == "root") {
                    link.qdisc = Some(root.kind.clone());
                    link.qdisc_drops = Some(root.drops);
                    link.qdisc_backlog = Some(root.backlog);
                }
            }
        }
        Err(error) => notes.push(format!(
            "netlink does not list the qdiscs: {}",
            because_of_netlink(&error)
        )),
    }
    Ok(devices)
}

fn is_veth(device: &Device) -> bool {
    match &device.link.kind {
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
    let device = |link: LinkCounters| Device {
        name: CString::new(link.name.as_str()).unwrap_or_default(),
        link,
        ..Device::default()
    };
    links.unwrap_or_default().into_iter().map(device).collect()
}

/// In the kernel's order.
fn dump_links(socket: &mut NetlinkSocket, netns: u64) -> io::Result<Vec<Device>> {
    let request = rt_link::Request::new().op_getlink_dump(&Ifinfomsg::new());
    let mut replies = socket.request(&request)?;
    let mut devices = Vec::new();
    while let Some(reply) = replies.recv() {
        let (header, attributes) = reply.map_err(io::Error::from)?;
        devices.extend(device(netns, &header, &attributes));
    }
    Ok(devices)
}

/// One link as rtnetlink tells it; `None`: it has no name or no counters.
fn device(netns: u64, header: &Ifinfomsg, attributes: &IterableLinkAttrs<'_>) -> Option<Device> {
    let (name, stats) = (
        attributes.get_ifname().ok()?,
        attributes.get_stats64().ok()?,
    );
    let kind = attributes
        .get_linkinfo()
        .and_then(|info| info.get_kind())
        .ok()
        .map(|kind| printable(&kind.to_string_lossy()));
    let mtu = attributes.get_mtu().ok();
    let link_state = LinkState {
        up: header.ifi_flags & libc::IFF_UP as u32 != 0,
        carrier: attributes.get_carrier().is_ok_and(|carrier| carrier != 0),
        changes: attributes.get_carrier_changes().unwrap_or(0),
        master: attributes.get_master().ok(),
        mtu,
    };
    let link = LinkCounters {
        netns,
        ifindex: header.ifi_index.cast_unsigned(),
        name: printable(&name.to_string_lossy()),
        kind,
        rx_packets: stats.rx_packets,
        rx_bytes: stats.rx_bytes,
        tx_packets: stats.tx_packets,
        tx_bytes: stats.tx_bytes,
        rx_dropped: stats.rx_dropped,
        rx_missed: stats.rx_missed_errors,
        tx_dropped: stats.tx_dropped,
        rx_errors: Some(stats.rx_errors),
        tx_errors: Some(stats.tx_errors),
        rx_nohandler: Some(stats.rx_nohandler),
        state: Some(link_state),
        ..LinkCounters::default()
    };
    let xdp = attributes.get_xdp().and_then(|xdp| xdp.get_prog_id()).ok();
    Some(Device {
        link,
        name: name.to_owned(),
        mtu,
        xdp,
    })
}

/// The same of the bytes of one message; whether it was understood.
pub fn is_link(payload: &[u8]) -> bool {
    let (header, attributes) = <OpGetlinkDump<'_> as NetlinkRequest>::decode_reply(payload);
    device(0, &header, &attributes).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;
    use rustc_hash::FxHashMap;

    use crate::host::turns::Turns;

    fn other(
        links: &mut Links,
        proc: &Proc,
        netns: &Netns,
        notes: &mut Vec<String>,
    ) -> Vec<Device> {
        let plan = Turns::default().plan(std::slice::from_ref(netns), &FxHashMap::default(), 0);
        let mut set_ups = SetUps::new(|| 0, true);
        links.other(proc, netns, 0, (&plan, &mut set_ups), notes)
    }

    #[test]
    fn a_busy_namespace_is_entered_in_the_place_of_a_quiet_one() {
        let mut links = Links::new(0);
        assert_eq!(links.most_entered, FEWEST_ENTERED);
        let all: Vec<Netns> = (1..=9).map(|inode| Netns::of_process(inode, 1)).collect();
        for netns in &all[..8] {
            links.others.insert(netns.inode, Inside::default());
        }
        let mut turns = Turns::default();
        turns.plan(&all, &FxHashMap::default(), 0);
        for netns in &all {
            turns.read(netns.inode, 1, 5);
        }
        let quiet = turns.plan(&all, &FxHashMap::default(), 1);
        assert!(links.has_room(8, &quiet) && !links.has_room(9, &quiet));
        let busy = turns.plan(&all, &[(1, 1), (9, 1)].into_iter().collect(), 2);
        assert!(links.has_room(9, &busy));
        assert_eq!(
            (links.others.len(), links.others.contains_key(&1)),
            (7, true)
        );
        let said: Vec<String> = links.missing(9).collect();
        assert!(
            said[0].starts_with("1 of 9 network namespaces are not entered"),
            "{said:?}"
        );
    }

    #[test]
    fn how_devices_are_set_up_is_read_for_a_bounded_time_and_once_at_least() {
        let mut set_ups = SetUps::new(|| 0, false);
        set_ups.left = [1, 0];
        assert!(set_ups.may(true), "one is read");
        set_ups.measured(|| ());
        assert!(set_ups.may(false) && !set_ups.may(true));
    }

    #[test]
    fn loopback_of_this_kernel_is_local_and_has_a_qdisc() {
        let mut notes = Vec::new();
        let devices = Links::new(1024).own(&Proc::host(), 1, 0, &mut notes);
        assert_eq!(notes, Vec::<String>::new());
        let lo = &devices
            .iter()
            .find(|device| device.link.name == "lo")
            .expect("every namespace has lo")
            .link;
        assert!(lo.local && !lo.physical && lo.netns == 1);
        assert_eq!(lo.qdisc.as_deref(), Some("noqueue"));
        assert_eq!(lo.rx_packets, lo.tx_packets);
        let setup = lo.setup.as_ref().expect("ethtool answers for lo");
        assert!(setup.mtu.is_some() && !setup.offloads.is_empty());
    }

    #[test]
    fn a_namespace_that_cannot_be_entered_has_no_qdiscs_and_all_of_it_is_local() {
        let text = " face |bytes packets drop|bytes packets drop\neth0: 10 2 1 30 4 0\n";
        let (_dir, proc) = root_with(&[("proc/42/net/dev", text)]);
        let mut notes = Vec::new();
        let devices = other(
            &mut Links::new(1024),
            &proc,
            &Netns::of_process(9, 42),
            &mut notes,
        );
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
        assert_eq!(
            devices,
            [Device {
                link,
                name: c"eth0".to_owned(),
                ..Device::default()
            }]
        );
        assert_eq!(
            other(
                &mut Links::new(1024),
                &proc,
                &Netns::of_process(9, 43),
                &mut notes
            ),
            []
        );
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn an_unknown_layout_is_said_once() {
        let (_dir, proc) = root_with(&[("proc/42/net/dev", "nothing known\n")]);
        let mut notes = Vec::new();
        assert_eq!(
            other(
                &mut Links::new(1024),
                &proc,
                &Netns::of_process(9, 42),
                &mut notes
            ),
            []
        );
        assert_eq!(notes, ["/proc/42/net/dev has an unknown layout"]);
    }
}

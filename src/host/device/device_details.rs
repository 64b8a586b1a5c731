//! What takes longer to read of devices, at its own slower pace: queues and the drivers' counters,
//! and how devices are set up. Between readings the last ones stand.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use netlink_socket2::NetlinkSocket;
use rustc_hash::{FxHashMap, FxHashSet};

use super::driver_counters::{fill, of_queue, trouble};
use super::link_setup;
use super::links::Device;
use super::queues;
use super::queues::Queues;
use crate::decode::{DriverCounter, LinkSetup, QueueCounters};
use crate::host::proc::{Proc, printable};
use crate::sys::{Ethtool, Strings};

/// Counters of drivers may be fetched from the device's firmware: not more often than this, ns.
const COUNTERS_NS: u64 = 2_000_000_000;
/// … nor than this while its devices do next to nothing.
const QUIET_NS: u64 = 10_000_000_000;
/// Packets between two readings that make them worth reading again.
const BUSY_PACKETS: u64 = 100;
const SETUP_NS: u64 = 10_000_000_000;

/// The devices of one network namespace.
#[derive(Default)]
pub struct Details {
    /// Both opened inside the namespace with each setup, and used from anywhere in between.
    netlink: NetlinkSocket,
    ethtool: Option<Ethtool>,
    /// When their counters were read, and up to when nothing has moved since.
    read_at: Option<u64>,
    counted_at: Option<u64>,
    /// What the devices had done when they were read.
    done: Done,
    /// With a device behind them (PCI, virtio, USB …), by name.
    wired: FxHashSet<CString>,
    set_up_at: Option<u64>,
    queues: Queues,
    /// This kernel has the netdev family.
    netdev: bool,
    /// By ifindex.
    known: FxHashMap<u32, Known>,
}

/// What tells whether anything that drivers count can have moved.
#[derive(Default, PartialEq, Eq)]
struct Done {
    packets: u64,
    trouble: u64,
    queued: u64,
}

impl Done {
    fn by(devices: &[Device]) -> Done {
        let mut done = Done::default();
        for Device { link, .. } in devices {
            let packets = [link.rx_packets, link.tx_packets];
            let trouble = [
                Some(link.rx_dropped),
                Some(link.rx_missed),
                Some(link.tx_dropped),
                link.rx_errors,
                link.tx_errors,
                link.rx_nohandler,
                link.qdisc_drops,
            ];
            done.packets = packets.into_iter().fold(done.packets, u64::wrapping_add);
            done.trouble = (trouble.into_iter().flatten()).fold(done.trouble, u64::wrapping_add);
            done.queued = (done.queued).wrapping_add(link.qdisc_backlog.unwrap_or(0));
        }
        done
    }

    fn is_quiet_since(&self, before: &Done) -> bool {
        let moved = self.packets.wrapping_sub(before.packets);
        moved < BUSY_PACKETS && self.trouble == before.trouble && self.queued == 0
    }
}

#[derive(Default)]
struct Known {
    /// As the kernel has it, and as it is shown.
    name: CString,
    shown: String,
    setup: Arc<LinkSetup>,
    bus: String,
    statistics: Vec<String>,
    trouble: Vec<DriverCounter>,
    queues: Vec<QueueCounters>,
}

impl Details {
    /// Whether [`add`](Details::add) shall read how the devices are set up.
    pub fn is_due(&self, at: u64, devices: &[Device]) -> bool {
        let new = |d: &Device| {
            let known = self.known.get(&d.link.ifindex);
            known.is_none_or(|known| known.name != d.name)
        };
        due(self.set_up_at, SETUP_NS, at) || devices.iter().any(new)
    }

    /// It has been read how they are set up.
    pub fn is_set_up(&self) -> bool {
        self.set_up_at.is_some()
    }

    /// Adds them to the devices. For a setup the thread is in their namespace. `proc` shows the own
    /// one, so `own` says whether that is theirs.
    pub fn add(&mut self, proc: &Proc, own: bool, at: u64, set_up: bool, devices: &mut [Device]) {
        if set_up {
            self.netlink = NetlinkSocket::new();
            self.ethtool = Ethtool::new().ok();
            self.set_up_at = Some(at);
            self.set_up(proc, own, devices);
        }
        let done = Done::by(devices);
        let quiet = done.is_quiet_since(&self.done);
        let every = if quiet { QUIET_NS } else { COUNTERS_NS };
        if set_up || due(self.read_at, every, at) {
            (self.read_at, self.counted_at) = (Some(at), Some(at));
            self.done = done;
            self.count(proc, own);
        } else if quiet {
            // A burst's packets are not spread over the quiet time before it.
            self.counted_at = Some(at);
        }
        for device in devices {
            let link = &mut device.link;
            link.physical |= self.wired.contains(&device.name);
            let Some(known) = self.known.get(&link.ifindex) else {
                continue;
            };
            link.physical |= known.bus.contains(':');
            link.setup = set_up.then(|| Arc::clone(&known.setup));
            link.driver.clone_from(&known.setup.driver);
            link.trouble.clone_from(&known.trouble);
            link.queues.clone_from(&known.queues);
            link.driver_at = self.counted_at.unwrap_or(at);
        }
    }

    fn set_up(&mut self, proc: &Proc, own: bool, devices: &[Device]) {
        let queues = queues::set_up(&mut self.netlink);
        self.netdev = queues.is_ok();
        self.queues = queues.unwrap_or_default();
        self.known.clear();
        // /sys shows the own namespace.
        let is_wired = |device: &&Device| {
            let name = OsStr::from_bytes(device.name.to_bytes());
            let folder = proc.path("sys/class/net").join(name);
            folder.join("device").exists()
        };
        let wired = devices.iter().filter(|_| own).filter(is_wired);
        self.wired = wired.map(|device| device.name.clone()).collect();
        let Some(ethtool) = &self.ethtool else {
            return;
        };
        for device in devices {
            let name = &device.name;
            let (mut setup, bus) = link_setup::read(ethtool, proc, name, own);
            setup.mtu = device.mtu;
            let statistics = ethtool.strings(name, Strings::Statistics);
            if statistics.as_ref().is_err_and(unsupported) {
                setup.unsupported.push("statistics".to_owned());
            }
            let names = statistics.unwrap_or_default();
            let known = Known {
                name: name.clone(),
                shown: device.link.name.clone(),
                setup: Arc::new(setup),
                bus,
                statistics: names.iter().map(|name| printable(name)).collect(),
                ..Known::default()
            };
            self.known.insert(device.link.ifindex, known);
        }
    }

    fn count(&mut self, proc: &Proc, own: bool) {
        let Some(ethtool) = &self.ethtool else {
            return;
        };
        // A driver that does not answer leaves its queues without counts.
        let _uncounted = (self.netdev).then(|| queues::count(&mut self.netlink, &mut self.queues));
        for (&ifindex, known) in &mut self.known {
            if own {
                queues::from_sysfs(proc, &known.shown, ifindex, &mut self.queues);
            }
            let count = known.statistics.len();
            let values = match count {
                0 => Vec::new(),
                _ => ethtool.statistics(&known.name, count).unwrap_or_default(),
            };
            // Another number of counters has other names: they are read again with the setup.
            let values = if values.len() == count {
                values
            } else {
                Vec::new()
            };
            known.trouble = trouble(&known.statistics, &values);
            let mut counted: Vec<QueueCounters> = (self.queues.iter())
                .filter(|((of, ..), _)| *of == ifindex)
                .map(|(_, counters)| counters.clone())
                .collect();
            let uncounted = counted.iter().all(|queue| queue.packets.is_none());
            for (name, &value) in known.statistics.iter().zip(&values).filter(|_| uncounted) {
                let Some((way, number, says)) = of_queue(name) else {
                    continue;
                };
                let same = |q: &&mut QueueCounters| q.way == way && q.queue == number;
                if let Some(queue) = counted.iter_mut().find(same) {
                    fill(queue, says, value);
                }
            }
            known.queues = counted;
        }
    }
}

fn due(last: Option<u64>, every: u64, at: u64) -> bool {
    last.is_none_or(|last| at.saturating_sub(last) >= every)
}

fn unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EOPNOTSUPP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(packets: u64, dropped: u64, queued: u64) -> Device {
        let mut device = Device::default();
        device.link.tx_packets = packets;
        device.link.rx_dropped = dropped;
        device.link.qdisc_backlog = Some(queued);
        device
    }

    #[test]
    fn drivers_are_asked_seldom_only_while_nothing_moves_is_lost_or_waits() {
        let before = Done::by(&[device(1000, 3, 0), device(7, 0, 0)]);
        let quiet = |now: [Device; 2]| Done::by(&now).is_quiet_since(&before);
        assert!(quiet([device(1090, 3, 0), device(16, 0, 0)]));
        assert!(!quiet([device(1091, 3, 0), device(16, 0, 0)]));
        assert!(!quiet([device(1000, 3, 0), device(7, 1, 0)]));
        assert!(!quiet([device(1000, 3, 5), device(7, 0, 0)]));
        // A device went: what there was is no measure of what there is.
        assert!(!Done::by(&[device(7, 0, 0)]).is_quiet_since(&before));
    }
}

//! What takes longer to read of devices, at its own slower pace: queues and the drivers' counters,
//! and how devices are set up. Between readings the last ones stand.

use std::ffi::CString;
use std::io;
use std::sync::Arc;

use netlink_socket2::NetlinkSocket;
use rustc_hash::FxHashMap;

use super::driver_counters::{fill, of_queue, trouble};
use super::link_setup;
use super::links::Device;
use super::proc::{Proc, printable};
use super::queues::{self, Queues};
use crate::decode::{DriverCounter, LinkSetup, QueueCounters};
use crate::sys::{Ethtool, Strings};

/// Counters of drivers may be fetched from the device's firmware: not more often than this, ns.
const COUNTERS_NS: u64 = 2_000_000_000;
const SETUP_NS: u64 = 10_000_000_000;

/// The devices of one network namespace.
#[derive(Default)]
pub struct Details {
    /// Both opened inside the namespace with each setup, and used from anywhere in between.
    netlink: NetlinkSocket,
    ethtool: Option<Ethtool>,
    counted_at: Option<u64>,
    set_up_at: Option<u64>,
    queues: Queues,
    /// This kernel has the netdev family.
    netdev: bool,
    /// By ifindex.
    known: FxHashMap<u32, Known>,
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
        if set_up || due(self.counted_at, COUNTERS_NS, at) {
            self.counted_at = Some(at);
            self.count(proc, own);
        }
        for device in devices {
            let link = &mut device.link;
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

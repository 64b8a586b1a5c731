//! What drivers and their queues tell: merging of forwarded UDP, recycled pages, stuck and crowded
//! transmit queues, XDP, flow control (signals.md A13, A19, A25, A26, A33, A38). Of virtual devices
//! the lab can make none of them.

use super::card::About;
use super::limits::Limits;
use super::window::Window;
use crate::model::{Class, Device, Finding, Layer, Queue, Severity};

const UDP_FORWARD: About = About {
    rule: "A13",
    name: "udp-forward-gro",
    source: "Documentation/networking/segmentation-offloads.rst; net/ethtool/common.c",
};

pub fn udp_forward(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let forwarded = window.counter("Ip.ForwDatagrams");
    if forwarded < limits.get("A13.forwarded") {
        return Vec::new();
    }
    let local = window.counter("Udp.InDatagrams");
    let found = window.now.devices.iter().filter_map(|device| {
        let setup = device.setup.as_ref()?;
        let off = setup.offload("udp-gro-forwarding") == Some(false);
        let small = device.rx_length? <= f64::from(setup.mtu.unwrap_or(1500)) + 14.0;
        if !off || !small || device.rx_rate? < 0.5 * forwarded {
            return None;
        }
        let name = &device.name;
        UDP_FORWARD
            .card(Severity::Info, name.clone(), format!("{name} forwards {forwarded:.0} datagrams a second one by one"))
            .why("UDP is not merged unless a device is told to. rx-udp-gro-forwarding merges datagrams of a flow that have one size while they are only forwarded; TCP is merged anyway.")
            .saw("packets forwarded", forwarded, "/s")
            .state("mean length", device.rx_length, "bytes")
            .guard("few datagrams are for this host", format!("{local:.0}/s"), local < 0.1 * forwarded)
            .check(device.inside(&format!("ethtool -k {name} | grep udp-gro")))
            .attempt(
                device.inside(&format!("ethtool -K {name} rx-udp-gro-forwarding on")),
                device.inside(&format!("ethtool -K {name} rx-udp-gro-forwarding off")),
            )
            .done()
    });
    found.collect()
}

const PAGES: About = About {
    rule: "A19",
    name: "page-pool-slow",
    source: "Documentation/networking/page_pool.rst",
};

/// Allocating is what buffers that are not recycled cost.
pub fn pages(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let net = 100.0 * window.now.summary.net_cores?;
    let stages = window.now.stages.iter();
    let receiving = stages.filter(|stage| ["driver", "skb_mem"].contains(&stage.stage));
    let leaves = receiving.flat_map(|stage| &stage.leaves);
    let alloc: f64 = leaves
        .filter(|leaf| leaf.name == "alloc")
        .map(|leaf| leaf.cpu_pct)
        .sum();
    let share = 100.0 * alloc / net.max(1e-9);
    if share < limits.get("A19.share") || net < limits.get("net_pct") {
        return None;
    }
    let wire = window.now.summary.rx_pps.unwrap_or(0.0);
    PAGES
        .card(Severity::Info, "", format!("{share:.0}% of the network's CPU time allocates packet memory"))
        .why("Receive buffers are not recycled, so that each packet pays the page allocator. Slow readers, jumbo buffers, or CPUs of another NUMA node that free them are the usual causes.")
        .saw("allocating", share, "% of the network's CPU time")
        .saw("the network", net, "% of a CPU")
        .guard("packets come from a NIC", format!("{wire:.0} packets/s"), wire >= limits.get("A19.packets"))
        .check("ethtool -S DEV | grep pp_; lscpu -e=CPU,NODE".replace("DEV", window.busiest_wire().map_or("DEV", |d| &d.name)))
        .done()
}

fn sending(device: &Device) -> impl Iterator<Item = &Queue> {
    device.queues.iter().filter(|queue| queue.direction == "tx")
}

const STUCK: About = About {
    rule: "A25",
    name: "tx-timeout",
    source: "Documentation/ABI/testing/sysfs-class-net-queues (tx_timeout)",
};

pub fn stuck(window: &Window<'_>, _: &Limits) -> Vec<Finding> {
    let found = window.now.devices.iter().filter_map(|device| {
        let stuck = sending(device).filter(|queue| queue.timeouts.is_some_and(|n| n > 0));
        let queue = stuck.max_by_key(|queue| queue.timeouts)?;
        let (name, number) = (&device.name, queue.queue);
        STUCK
            .card(Severity::Drop, name.clone(), format!("transmit queue {number} of {name} made no progress for seconds"))
            .why("The watchdog found the queue stuck and reset the device: driver, firmware, or a CPU that never got to it. It is no tuning matter.")
            .state("timeouts", queue.timeouts.map(|n| n as f64), "")
            .check(format!("dmesg | grep -i 'transmit queue'; grep . /sys/class/net/{name}/queues/tx-*/tx_timeout; ethtool -i {name}"))
            .done()
    });
    found.collect()
}

const CROWDED: About = About {
    rule: "A26",
    name: "tx-one-queue",
    source: "Documentation/networking/scaling.rst (XPS); multiqueue.rst",
};

/// Qdiscs that shape need one queue.
const SHAPERS: [&str; 4] = ["tbf", "htb", "hfsc", "cake"];

pub fn crowded(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let senders = window.now.cpus.iter();
    let senders = senders
        .filter(|cpu| cpu.net_tx_pct.is_some_and(|pct| pct >= 1.0))
        .count();
    let locks = window.leaf_share("lock").map_or(0.0, |(share, _)| share);
    let found = window.now.devices.iter().filter_map(|device| {
        let rates: Vec<(u32, f64)> = sending(device).filter_map(|q| Some((q.queue, q.rate?))).collect();
        let all: f64 = rates.iter().map(|(_, rate)| rate).sum();
        let (queue, most) = rates.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let share = 100.0 * most / all.max(1e-9);
        if rates.len() < 2 || all < limits.get("A26.packets") || share < limits.get("A26.share") || locks < limits.get("A26.lock_pct") {
            return None;
        }
        let name = &device.name;
        let root = device.qdisc.clone().unwrap_or_else(|| "–".to_owned());
        let flows = window.now.sockets.as_ref().map(|s| s.tcp + s.udp);
        let card = CROWDED
            .card(Severity::Info, name.clone(), format!("{share:.0}% of what {name} sends goes through queue {queue} of {}", rates.len()))
            .why("Many CPUs wait for one transmit lock. mq with one child a queue and a map of CPUs to queues (XPS) give each CPU its own.")
            .state("packets sent", Some(all), "/s")
            .state("CPUs that send", Some(senders as f64), "")
            .saw("waiting for locks", locks, "% of the network's CPU time")
            .guard("several CPUs send", senders.to_string(), senders as f64 >= limits.get("A26.senders"))
            .guard("many flows", flows.map_or_else(|| "–".to_owned(), |n| format!("{n} sockets")), flows.is_none_or(|n| n >= 8))
            .guard("no shaper, which needs one queue", root.clone(), !SHAPERS.contains(&&*root))
            .check(device.inside(&format!("tc qdisc show dev {name}; grep . /sys/class/net/{name}/queues/tx-*/xps_cpus")));
        if root == "mq" {
            return card.done();
        }
        card.attempt(
            device.inside(&format!("tc qdisc replace dev {name} root mq")),
            device.inside(&format!("tc qdisc replace dev {name} root {root}")),
        )
        .done()
    });
    found.collect()
}

const XDP: About = About {
    rule: "A33",
    name: "xdp-trouble",
    source: "include/trace/events/xdp.h; drivers/net/veth.c (veth_xdp_set)",
};

/// A program on a veth that carries TCP, and losses at XDP that no program meant.
pub fn xdp(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let tcp = window.counter("Tcp.InSegs");
    let on_veth = window.now.devices.iter().filter_map(|device| {
        let program = device.xdp.as_ref()?;
        let rate = device.rx_rate?;
        if device.kind.as_deref() != Some("veth") || rate < limits.get("A33.packets") {
            return None;
        }
        let name = &device.name;
        XDP.card(Severity::Info, name.clone(), format!("XDP program {program} on {name} makes its TCP dearer"))
            .why("With XDP a veth gives up its short cut for large TCP packets: every packet is cut to the MTU first. A program for a container's traffic belongs on the NIC or into tc.")
            .state("packets received", Some(rate), "/s")
            .guard("TCP is a part of it", format!("{tcp:.0} segments/s"), tcp >= 0.5 * rate)
            .check(device.inside(&format!("ip -d link show {name}; bpftool net")))
            .attempt(
                device.inside(&format!("ip link set dev {name} xdp off")),
                device.inside(&format!("ip link set dev {name} xdp pinned /sys/fs/bpf/{program}")),
            )
            .done()
    });
    let lost = window.losses(|d| d.layer == Layer::Xdp && d.class == Class::Trouble);
    let failed = lost.into_iter().filter_map(|(drop, rate)| {
        if rate < limits.get("A33.failures") {
            return None;
        }
        XDP.card(Severity::Drop, drop.place.clone(), format!("XDP loses {rate:.0} packets a second that its program did not mean to drop"))
            .why("An exception of the program, or a redirect into a full ring. Such packets never reach the stack.")
            .saw("packets lost", rate, "/s")
            .check("bpftool net; bpftool prog show")
            .done()
    });
    on_veth.chain(failed).collect()
}

const PAUSE: About = About {
    rule: "A38",
    name: "pause-frames",
    source: "Documentation/networking/statistics.rst; mlx5/counters.rst (tx_pause_ctrl_phy)",
};

pub fn pause(window: &Window<'_>, limits: &Limits) -> Vec<Finding> {
    let found = window.now.devices.iter().filter_map(|device| {
        let name = &device.name;
        let rate = window.trouble(name, "pause");
        if rate < limits.get("A38.frames") {
            return None;
        }
        let counters = device.counters.iter().filter(|c| c.tells == "pause" && c.count.is_some_and(|count| count > 0));
        let names: Vec<&str> = counters.map(|c| c.name.as_str()).collect();
        let sent = names.iter().any(|name| name.contains("tx"));
        let title = if sent {
            format!("{name} asks the network to wait: this host is too slow for it")
        } else {
            format!("the network asks {name} to wait")
        };
        let told = device.setup.as_ref().and_then(|setup| setup.pause);
        let on = |on: bool| if on { "on" } else { "off" };
        let card = PAUSE
            .card(Severity::Info, name.clone(), title)
            .why("Flow control turns drops into delay, and one slow receiver delays what goes to others. Find the slow side before it is switched off: then the drops are seen.")
            .saw("pause frames", rate, "/s")
            .guard("which counters", names.join(", "), true)
            .check(device.inside(&format!("ethtool --include-statistics -a {name}")));
        match told {
            Some(told) => card.attempt(
                device.inside(&format!("ethtool -A {name} rx off tx off")),
                device.inside(&format!("ethtool -A {name} rx {} tx {}", on(told.rx), on(told.tx))),
            ),
            None => card,
        }
        .done()
    });
    found.collect()
}

//! Devices of the snapshot (schema in snapshot.rs): what each carried, lost and is set up to do,
//! and its queues. Figures are of the time between the last two readings of the host's counters;
//! what the driver or this host cannot tell is `None`.

use std::sync::Arc;

use serde::Serialize;

#[derive(Debug, Clone, Serialize, PartialEq, Default)]
pub struct Device {
    pub name: String,
    /// `None`: the namespace netop runs in.
    pub netns: Option<String>,
    pub driver: Option<String>,
    /// `veth`, `vlan` …; `None`: hardware, or not known.
    pub kind: Option<String>,
    /// Its XDP program; `None`: there is none, or it was not asked.
    pub xdp: Option<String>,
    pub ifindex: u32,
    /// A wire leaves here.
    pub physical: bool,
    /// This interval brought a reading. Without one the rates are those of the last, and what was counted
    /// in an interval is `None`, so that a sum over snapshots counts nothing twice.
    pub fresh: bool,
    /// How long before the end of the interval it was read, seconds; `None`: not known.
    pub age_s: Option<f64>,
    /// Seconds since the reading before: what was counted is of this time.
    pub span_s: Option<f64>,
    pub rx_packets: Option<u64>,
    pub rx_bytes: Option<u64>,
    pub tx_packets: Option<u64>,
    pub tx_bytes: Option<u64>,
    pub rx_rate: Option<f64>,
    pub tx_rate: Option<f64>,
    /// Bits per second.
    pub rx_bps: Option<f64>,
    pub tx_bps: Option<f64>,
    /// Mean bytes of what was received and sent (an skb of many segments is one).
    pub rx_length: Option<f64>,
    pub tx_length: Option<f64>,
    /// Packets given to GRO for one that came out of it; counted.
    pub gro_ratio: Option<f64>,
    /// Segments of an skb handed to the driver; counted.
    pub gso_factor: Option<f64>,
    pub interrupts: Option<u64>,
    pub packets_per_interrupt: Option<f64>,
    pub polls: Option<u64>,
    pub packets_per_poll: Option<f64>,
    /// Polls that used their whole budget; from samples, an estimate.
    pub full_polls_pct: Option<f64>,
    /// Everything below that was lost here, of which qdisc and ring are parts.
    pub dropped: Option<u64>,
    pub rx_dropped: Option<u64>,
    pub tx_dropped: Option<u64>,
    /// No room in the receive ring.
    pub ring_drops: Option<u64>,
    pub qdisc: Option<String>,
    pub qdisc_drops: Option<u64>,
    /// Packets queued now.
    pub qdisc_backlog: Option<u64>,
    pub unexplained_drops: Option<u64>,
    pub numa_node: Option<u32>,
    pub queues: Vec<Queue>,
    pub qdiscs: Vec<Qdisc>,
    /// What the driver counts that tells of trouble.
    pub counters: Vec<DriverFigure>,
    /// Interrupts in the interval, by line.
    pub irqs: Vec<DeviceIrq>,
    pub setup: Option<Arc<Setup>>,
    /// Inode of the namespace: with `ifindex` it tells devices apart.
    #[serde(skip)]
    pub netns_id: u64,
}

/// Devices that exports do not have one by one: what those that were read in this interval carried.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq, Default)]
pub struct OtherDevices {
    pub devices: u64,
    /// How many of them were read in this interval.
    pub fresh: u64,
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub dropped: u64,
}

impl OtherDevices {
    /// `None`: there are none.
    pub fn sum<'a>(others: impl Iterator<Item = &'a Device>) -> Option<OtherDevices> {
        let mut sum = OtherDevices::default();
        for device in others {
            sum.devices += 1;
            sum.fresh += u64::from(device.fresh);
            sum.rx_packets += device.rx_packets.unwrap_or(0);
            sum.rx_bytes += device.rx_bytes.unwrap_or(0);
            sum.tx_packets += device.tx_packets.unwrap_or(0);
            sum.tx_bytes += device.tx_bytes.unwrap_or(0);
            sum.dropped += device.dropped.unwrap_or(0);
        }
        (sum.devices > 0).then_some(sum)
    }
}

impl Device {
    /// It is exported in any case: there is a wire, it carries something (loopback, which is listed last),
    /// or something is lost or stuck.
    pub fn matters(&self) -> bool {
        let busy = self.traffic() > 0.0;
        let lost = self.dropped.is_some_and(|lost| lost > 0);
        let stuck = self.qdisc_backlog.is_some_and(|waiting| waiting > 0);
        self.physical || busy || lost || stuck
    }

    /// Another interval ended, without a reading so far.
    pub fn age(&mut self) {
        self.fresh = false;
        let counts = [
            &mut self.rx_packets,
            &mut self.rx_bytes,
            &mut self.tx_packets,
            &mut self.tx_bytes,
            &mut self.interrupts,
            &mut self.dropped,
            &mut self.rx_dropped,
            &mut self.tx_dropped,
            &mut self.ring_drops,
            &mut self.qdisc_drops,
        ];
        for count in counts {
            *count = None;
        }
        self.packets_per_interrupt = None;
        self.queues.iter_mut().for_each(Queue::age);
        for qdisc in &mut self.qdiscs {
            qdisc.packets = None;
            qdisc.drops = None;
            qdisc.overlimits = None;
            qdisc.requeues = None;
        }
        for counter in &mut self.counters {
            counter.count = None;
        }
        for irq in &mut self.irqs {
            irq.count = None;
        }
    }
}

#[derive(Debug, Clone, Serialize, PartialEq, Default)]
pub struct Queue {
    pub queue: u32,
    /// "rx" or "tx".
    pub direction: &'static str,
    pub irq: Option<u32>,
    /// Where most of its interrupts went.
    pub cpu: Option<u32>,
    pub packets: Option<u64>,
    pub rate: Option<f64>,
    pub bps: Option<f64>,
    pub interrupts: Option<u64>,
    /// The polls of its CPU, where no other queue of the device shares it.
    pub polls: Option<u64>,
    pub full_polls: Option<u64>,
    pub drops: Option<u64>,
    /// Times a buffer could not be allocated.
    pub no_memory: Option<u64>,
    /// Times the transmit queue was full.
    pub stops: Option<u64>,
    /// Bytes: the byte queue limit, and what is in flight of it now.
    pub bql_limit: Option<u64>,
    pub bql_inflight: Option<u64>,
    /// Mask of the CPUs of RPS or XPS; `None`: off, or not known.
    pub steering: Option<String>,
    /// Flows that RFS knows of this queue; `None`: off, or not known.
    pub rfs_flows: Option<u64>,
    /// Times the watchdog found it stuck.
    pub timeouts: Option<u64>,
}

impl Queue {
    /// It was not read again.
    pub fn age(&mut self) {
        let counts = [
            &mut self.packets,
            &mut self.interrupts,
            &mut self.drops,
            &mut self.no_memory,
            &mut self.stops,
            &mut self.timeouts,
        ];
        for count in counts {
            *count = None;
        }
    }
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq, Default)]
pub struct Qdisc {
    pub kind: String,
    pub handle: String,
    pub parent: String,
    pub packets: Option<u64>,
    pub drops: Option<u64>,
    pub overlimits: Option<u64>,
    pub requeues: Option<u64>,
    /// Drops since netop started.
    pub drops_total: u64,
    pub backlog: u64,
    pub backlog_bytes: u64,
    /// How much it may queue: packets, of bfifo bytes; null: another kind than a fifo.
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct DriverFigure {
    /// As `ethtool -S` has it.
    pub name: String,
    /// "rx drop", "tx drop", "memory", "tx stop", "xdp" or "pause".
    pub tells: &'static str,
    /// `None`: not read in this interval.
    pub count: Option<u64>,
    /// Since netop started.
    pub total: u64,
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq, Default)]
pub struct DeviceIrq {
    pub irq: u32,
    pub name: String,
    /// `None`: not read in this interval.
    pub count: Option<u64>,
    /// Where most of it went.
    pub cpu: Option<u32>,
    /// CPU lists: where it may go, and where it goes.
    pub affinity: Option<String>,
    pub effective: Option<String>,
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq, Default)]
pub struct Setup {
    pub mtu: Option<u32>,
    /// Megabits per second.
    pub speed: Option<u32>,
    pub offloads: Vec<Offload>,
    /// Entries of the rings now, and the most there can be.
    pub rx_ring: Option<(u32, u32)>,
    pub tx_ring: Option<(u32, u32)>,
    pub channels: Option<u32>,
    pub channels_most: Option<u32>,
    pub coalesce: Option<Coalescing>,
    pub pause: Option<PauseFrames>,
    pub rss: Option<Spreading>,
    /// How it is polled; `None`: in another namespace than netop's.
    pub napi: Option<Polling>,
    /// What the driver does not know.
    pub unsupported: Vec<String>,
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Offload {
    pub name: String,
    pub on: bool,
}

/// An interrupt after so many µs or frames.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq, Default)]
pub struct Coalescing {
    pub adaptive_rx: bool,
    pub adaptive_tx: bool,
    pub rx_us: u32,
    pub rx_frames: u32,
    pub tx_us: u32,
    pub tx_frames: u32,
}

/// Flow control on the wire.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq, Default)]
pub struct PauseFrames {
    pub negotiated: bool,
    pub rx: bool,
    pub tx: bool,
}

/// RSS: how the device spreads what it receives.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, Default)]
pub struct Spreading {
    /// Entries of the indirection table by queue.
    pub weights: Vec<u32>,
    /// Fields that are hashed of UDP over IPv4: `sd`, `sdfn`; null: the driver does not tell.
    pub udp_hash: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq, Default)]
pub struct Polling {
    /// By threads of its own; null: this kernel cannot.
    pub threaded: Option<bool>,
    /// ns
    pub gro_flush_timeout: u64,
    pub defer_hard_irqs: u64,
}

impl Setup {
    /// `None`: the driver does not tell.
    pub fn offload(&self, name: &str) -> Option<bool> {
        let known = self.offloads.iter().find(|offload| offload.name == name);
        known.map(|offload| offload.on)
    }
}

impl Device {
    /// A command as it is typed where the device is.
    pub fn inside(&self, command: &str) -> String {
        match &self.netns {
            Some(netns) => format!("ip netns exec {netns} {command}"),
            None => command.to_owned(),
        }
    }

    /// Both ways, packets per second; what was not measured carries nothing.
    pub fn traffic(&self) -> f64 {
        self.rx_rate.unwrap_or(0.0) + self.tx_rate.unwrap_or(0.0)
    }
}

//! What the kernel, the driver and the qdiscs say of each network device. Counters are cumulative
//! unless said otherwise; `None`: not to be had from this device or in this namespace.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkCounters {
    /// Inode of the network namespace.
    pub netns: u64,
    pub ifindex: u32,
    pub name: String,
    /// `veth`, `vlan`, `bridge` …; `None` for hardware, loopback and what only /proc names.
    #[serde(default)]
    pub kind: Option<String>,
    /// A wire leaves here: there is a device behind it (PCI, virtio, USB …).
    pub physical: bool,
    /// Traffic that stays on this host: loopback, veth.
    pub local: bool,
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub rx_dropped: u64,
    /// No host buffer in the receive ring (`rx_missed_errors`).
    pub rx_missed: u64,
    pub tx_dropped: u64,
    /// What the hardware found wrong: `rx_errors` and `tx_errors`.
    #[serde(default)]
    pub rx_errors: Option<u64>,
    #[serde(default)]
    pub tx_errors: Option<u64>,
    /// An inactive leg of a bond or bridge received it (`rx_nohandler`).
    #[serde(default)]
    pub rx_nohandler: Option<u64>,
    /// The driver's name; `None`: it was not asked.
    #[serde(default)]
    pub driver: Option<String>,
    /// The XDP program on it, by its name or `program ID`; `None`: there is none, or it was not asked.
    #[serde(default)]
    pub xdp: Option<String>,
    /// Root qdisc; `None` where it was not read (another namespace).
    pub qdisc: Option<String>,
    /// Of the root, which counts what its children drop too.
    pub qdisc_drops: Option<u64>,
    /// Packets queued now (not cumulative).
    pub qdisc_backlog: Option<u64>,
    /// Every qdisc of the device, the root first; at most [`MOST_QDISCS`].
    #[serde(default)]
    pub qdiscs: Vec<QdiscCounters>,
    /// When `queues` and `trouble` were read, CLOCK_MONOTONIC, ns: not with every reading.
    #[serde(default)]
    pub driver_at: u64,
    /// By direction and number; at most [`MOST_QUEUES`].
    #[serde(default)]
    pub queues: Vec<QueueCounters>,
    /// What the driver counts and is not 0, of what tells of trouble; at most [`MOST_TROUBLE`].
    #[serde(default)]
    pub trouble: Vec<DriverCounter>,
    /// Its link; `None`: not from /proc, nor in older recordings.
    #[serde(default)]
    pub state: Option<LinkState>,
    /// How it is set up; only with the readings that have read it anew, so that recordings stay
    /// small.
    #[serde(default)]
    pub setup: Option<Arc<LinkSetup>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkState {
    /// As somebody set it (`ip link set up`).
    pub up: bool,
    /// There is somebody at the other end.
    pub carrier: bool,
    /// How often that changed, ever.
    pub changes: u32,
    /// The ifindex of its bond or bridge.
    pub master: Option<u32>,
    pub mtu: Option<u32>,
}

pub const MOST_QDISCS: usize = 64;
pub const MOST_QUEUES: usize = 256;
pub const MOST_TROUBLE: usize = 48;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Way {
    #[default]
    Rx,
    Tx,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::Rx => "rx",
            Way::Tx => "tx",
        }
    }
}

/// One hardware queue (a software device may have queues too).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueCounters {
    pub way: Way,
    pub queue: u32,
    /// The interrupt of its NAPI instance.
    pub irq: Option<u32>,
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    /// Packets without a buffer, or refused by the ring.
    pub drops: Option<u64>,
    /// Times a buffer could not be allocated.
    pub no_memory: Option<u64>,
    /// Times the transmit queue was full and stopped.
    pub stops: Option<u64>,
    /// Byte queue limit and what is in flight of it now, bytes (not cumulative).
    pub bql_limit: Option<u64>,
    pub bql_inflight: Option<u64>,
    /// Mask of the CPUs that packets are steered to (RPS), or that send here (XPS); `None`: off.
    pub steering: Option<String>,
    /// Flows that RFS knows of this queue (rps_flow_cnt); `None`: off, or not a receive queue.
    #[serde(default)]
    pub rfs_flows: Option<u64>,
    /// Times the watchdog found it stuck (tx_timeout).
    #[serde(default)]
    pub timeouts: Option<u64>,
}

/// One qdisc of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QdiscCounters {
    pub kind: String,
    /// `major:minor` as tc writes it; the parent of the root is `root`.
    pub handle: String,
    pub parent: String,
    pub packets: u64,
    pub bytes: u64,
    /// 32 bits in the kernel: wraps.
    pub drops: u64,
    /// Times it held back (shaping), no drops.
    pub overlimits: u64,
    /// Times the driver did not take a packet.
    pub requeues: u64,
    /// Queued now (not cumulative).
    pub backlog: u64,
    pub backlog_bytes: u64,
    /// How much it may queue: packets, of bfifo bytes; of other kinds than fifos not read.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// What a counter of a driver tells of; signals.md 4.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// Received packets were lost: no buffer, no room, no bandwidth to memory.
    RxDrop,
    TxDrop,
    /// A buffer could not be allocated.
    Memory,
    /// The transmit ring was full; nothing is lost yet.
    TxStop,
    /// An XDP program dropped it, as it was made to.
    Xdp,
    /// Flow control: one side asked the other to wait.
    Pause,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverCounter {
    /// As `ethtool -S` has it.
    pub name: String,
    pub tells: Trouble,
    pub value: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkSetup {
    pub driver: Option<String>,
    pub numa_node: Option<u32>,
    pub mtu: Option<u32>,
    /// Megabits per second.
    pub speed: Option<u32>,
    /// (`gro`, on), as `ethtool -k` calls them; empty: cannot be read.
    pub offloads: Vec<(String, bool)>,
    /// Descriptors of the receive and of the transmit ring.
    pub rings: Option<Ring>,
    pub channels: Option<u32>,
    /// The most channels there can be.
    #[serde(default)]
    pub channels_most: Option<u32>,
    pub coalesce: Option<Coalesce>,
    #[serde(default)]
    pub pause: Option<Pause>,
    #[serde(default)]
    pub rss: Option<Rss>,
    /// Of the own namespace only.
    #[serde(default)]
    pub napi: Option<NapiSettings>,
    /// What the driver was asked for and does not know: `rings`, `statistics` …
    pub unsupported: Vec<String>,
}

/// Entries now, and the most there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ring {
    pub rx: u32,
    pub rx_most: u32,
    pub tx: u32,
    pub tx_most: u32,
}

/// Flow control on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pause {
    pub negotiated: bool,
    pub rx: bool,
    pub tx: bool,
}

/// How the device spreads what it receives over its queues.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rss {
    /// Entries of the indirection table by queue, from queue 0 on.
    pub weights: Vec<u32>,
    /// Fields that are hashed of UDP over IPv4, by the letters of `ethtool -N … rx-flow-hash`.
    pub udp_hash: Option<String>,
}

/// How a device is polled (Documentation/networking/napi.rst).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NapiSettings {
    /// By threads of its own; `None`: this kernel cannot.
    pub threaded: Option<bool>,
    /// ns
    pub gro_flush_timeout: u64,
    pub defer_hard_irqs: u64,
}

/// When an interrupt is raised: after so many µs or frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coalesce {
    pub adaptive_rx: bool,
    pub adaptive_tx: bool,
    pub rx_us: u32,
    pub rx_frames: u32,
    pub tx_us: u32,
    pub tx_frames: u32,
}

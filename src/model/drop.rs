//! The ledger of losses: one row per way in which packets are lost, with everything that counted
//! it, and the sums by layer and device (docs/snapshot.md, `drops` and `losses`).

use std::sync::Arc;

use serde::Serialize;

use super::snapshot::Share;

/// What a loss means for the user (signals.md 6.2), from harmless to grave.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Part of normal work: closing, filters doing their job, protocols that nobody wants.
    Expected,
    /// A rule or program of the user dropped it.
    Policy,
    /// Configuration, the peer, or back-pressure.
    Look,
    /// Lost for lack of room or time.
    Trouble,
}

impl Class {
    pub const ALL: [Class; 4] = [Class::Expected, Class::Policy, Class::Look, Class::Trouble];

    pub fn name(self) -> &'static str {
        match self {
            Class::Expected => "expected",
            Class::Policy => "policy",
            Class::Look => "look",
            Class::Trouble => "trouble",
        }
    }
}

/// Where on its way a packet is lost, from the wire to the application.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    Nic,
    Xdp,
    Backlog,
    Qdisc,
    Stack,
    Socket,
    /// Segments sent again: a loss that somebody else may have had.
    Tcp,
}

impl Layer {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Layer::Nic => "nic",
            Layer::Xdp => "xdp",
            Layer::Backlog => "backlog",
            Layer::Qdisc => "qdisc",
            Layer::Stack => "stack",
            Layer::Socket => "socket",
            Layer::Tcp => "tcp",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Layer::Nic => "NIC",
            Layer::Xdp => "XDP",
            Layer::Tcp => "retransmits",
            other => other.name(),
        }
    }
}

/// A counter that saw a loss too.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Witness {
    /// As the kernel calls it: `Udp.RcvbufErrors`, `kfree_skb SOCKET_RCVBUFF`.
    pub name: String,
    /// Since netop started.
    pub count: u64,
    /// It counts other losses too.
    pub includes_others: bool,
    pub estimated: bool,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Drop {
    /// "NIC ring eth0", "backlog", "qdisc eth0", "socket buffer (UDP)", "stack (TCP)".
    #[serde(rename = "where")]
    pub place: String,
    /// The kernel's name of it (`enum skb_drop_reason`), or the counter's.
    pub reason: Option<String>,
    pub class: Class,
    pub layer: Layer,
    /// What is counted: "wire packets", "skbs", "datagrams", "segments", "connection attempts".
    pub unit: &'static str,
    /// The function that gave the packet up, where most of them were.
    pub location: Option<String>,
    pub device: Option<String>,
    /// Who owns the socket of most of them.
    pub pid: Option<u32>,
    pub comm: Option<String>,
    /// In this interval.
    pub count: u64,
    /// Per second; null: only one reading yet.
    pub rate: Option<f64>,
    /// Since netop started.
    pub total: u64,
    /// `count` and `total` are from samples.
    pub estimated: bool,
    /// Of the seconds since netop started those in which this was counted; then `total` is at least that.
    /// Null: all of them.
    pub counted_s: Option<f64>,
    pub witnesses: Vec<Witness>,
    /// What it was about since netop started: devices, functions, owners; each heaviest first.
    pub by: Vec<Share>,
    /// Identity of the row, over snapshots.
    #[serde(skip)]
    pub key: Arc<str>,
    /// Rates of the last intervals, oldest first.
    #[serde(skip)]
    pub history: Vec<f32>,
    /// One sentence each: what happened, and what to look at next.
    #[serde(skip)]
    pub meaning: &'static str,
    #[serde(skip)]
    pub next: &'static str,
}

impl Drop {
    /// What stands before its total: an estimate, or of a part of the time alone.
    pub fn mark(&self) -> &'static str {
        match (self.counted_s, self.estimated) {
            (Some(_), _) => "≥",
            (None, true) => "≈",
            (None, false) => "",
        }
    }

    /// A row without anything in it yet.
    pub fn at(place: String, class: Class, layer: Layer, unit: &'static str) -> Drop {
        Drop {
            key: place.as_str().into(),
            place,
            reason: None,
            class,
            layer,
            unit,
            location: None,
            device: None,
            pid: None,
            comm: None,
            count: 0,
            rate: None,
            total: 0,
            estimated: false,
            counted_s: None,
            witnesses: Vec::new(),
            by: Vec::new(),
            history: Vec::new(),
            meaning: "",
            next: "",
        }
    }
}

/// What the rows add up to. Units differ from layer to layer: an skb may hold many wire packets,
/// so layers are not added up.
#[derive(Debug, Clone, Serialize, PartialEq, Default)]
pub struct Losses {
    pub layers: Vec<LayerSum>,
    pub devices: Vec<DeviceLoss>,
    /// Hits of `kfree_skb` per second by class; empty: none was sampled.
    pub skb_rates: Vec<ClassRate>,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct LayerSum {
    pub layer: Layer,
    pub unit: &'static str,
    pub count: u64,
    pub rate: Option<f64>,
    pub total: u64,
    /// Of `total`.
    pub trouble: u64,
}

/// What a device's own counters say it lost, and how much of that no row explains.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct DeviceLoss {
    pub netns: u64,
    pub device: String,
    /// Since netop started.
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    /// `null`: the dropped packets' devices are not told here (needs the BPF gate).
    pub unexplained: Option<u64>,
}

#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub struct ClassRate {
    pub class: Class,
    pub rate: f64,
    pub estimated: bool,
}

impl Losses {
    pub fn skb_rate(&self, class: Class) -> Option<ClassRate> {
        self.skb_rates.iter().copied().find(|r| r.class == class)
    }
}

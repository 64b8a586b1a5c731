//! The shapes of load that users have.

use crate::host::Scope;

pub struct Shape {
    pub name: &'static str,
    /// What it was called before.
    former: &'static str,
    pub title: &'static str,
    pub receive: &'static str,
    pub send: &'static str,
    /// Wire packets as small as they are sent, and GRO where they arrive.
    pub gro: bool,
    /// Whose time a packet takes.
    pub scope: Scope,
    /// It only sends for a second after each word to go.
    pub bursts: bool,
}

/// `B` stands for the receiver's address, `NS` for its namespace, `GAUGE` for the file in which
/// the sender gauges its CPU, without the CPU's number.
pub const SHAPES: [Shape; 6] = [
    Shape {
        name: "one_cpu",
        former: "",
        title: "one_cpu: a sender fills CPU 0 with 64-byte UDP datagrams, CPU 1 reads them",
        receive: "udp-drain B:9100 1",
        send: "udp-fill B:9100 0 GAUGE0",
        gro: false,
        scope: Scope::Cpu0,
        bursts: false,
    },
    Shape {
        name: "both",
        former: "udp",
        title: "both: 64-byte UDP datagrams sent and received on every CPU, as fast as they go",
        receive: "udp-deaf B:9101",
        send: "udp-cycle NS B 9110 GAUGE",
        gro: false,
        scope: Scope::All,
        bursts: false,
    },
    Shape {
        name: "burst",
        former: "",
        title: "burst: nothing for 5 s (7 s of a settling netop), then the flood of one_cpu, its \
first second",
        receive: "udp-drain B:9100 1",
        send: "udp-burst B:9100 0 GAUGE0",
        gro: false,
        scope: Scope::Cpu0,
        bursts: true,
    },
    Shape {
        name: "half",
        former: "",
        title: "half: open loop, 64-byte UDP datagrams in groups of 64 at about half of CPU 0",
        receive: "udp-deaf B:9101",
        send: "udp-paced NS B 9102 GAUGE",
        gro: false,
        scope: Scope::Cpu0,
        bursts: false,
    },
    Shape {
        name: "rpc",
        former: "",
        title: "rpc: 256 TCP connections, 64-byte requests and answers without a pause",
        receive: "rpc-answer B 9130 128",
        send: "rpc-ask B 9130 128 GAUGE",
        gro: false,
        scope: Scope::All,
        bursts: false,
    },
    Shape {
        name: "tcp",
        former: "",
        title: "tcp: TCP streams, GRO at the receiver, no TSO and GSO at the sender",
        receive: "udp-deaf B:9101",
        send: "tcp-cycle NS B 9120 GAUGE",
        gro: true,
        scope: Scope::All,
        bursts: false,
    },
];

impl Shape {
    pub fn is_called(&self, name: &str) -> bool {
        !name.is_empty() && (self.name == name || self.former == name)
    }
}

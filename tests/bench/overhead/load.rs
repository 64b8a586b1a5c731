//! The three loads, each through a veth pair of its own, and what a second of one shows.

use std::thread;
use std::time::Duration;

use crate::host::{self, Moment};
use crate::net::{B, Net, Traffic};
use crate::running::Running;

const WINDOW: Duration = Duration::from_secs(1);

pub struct Kind {
    pub name: &'static str,
    pub title: &'static str,
    receive: &'static str,
    send: &'static str,
    /// Wire packets as small as they are sent, and GRO where they arrive.
    gro: bool,
    pub asks: bool,
}

/// `B` stands for the receiver's address, `NS` for its namespace.
pub const KINDS: [Kind; 3] = [
    Kind {
        name: "udp",
        title: "64-byte UDP datagrams, as fast as they go",
        receive: "udp-deaf B:9100",
        send: "udp-cycle NS B 9110",
        gro: false,
        asks: false,
    },
    Kind {
        name: "tcp",
        title: "TCP streams, GRO at the receiver, no TSO and GSO at the sender",
        receive: "udp-deaf B:9101",
        send: "tcp-cycle NS B 9120",
        gro: true,
        asks: false,
    },
    Kind {
        name: "latency",
        title: "2000 UDP requests a second, open loop: latency from when a request was due",
        receive: "udp-answer B:9102",
        send: "udp-ask B:9102 2000",
        gro: false,
        asks: true,
    },
];

/// A load that runs. Dropped in this order: a sender without its receiver would complain.
pub struct Load {
    sender: Traffic,
    receiver: Traffic,
    pub net: Net,
    asks: bool,
    softirq_threads: Vec<u32>,
}

/// What a window showed.
#[derive(Clone, Copy)]
pub struct Figures {
    /// Of the whole host, per wire packet.
    pub ns: f64,
    /// Of those who send, receive, watch and run softirqs, per wire packet: what else runs on the
    /// host disturbs it less, and what idle CPUs are woken for is not in it.
    pub tasks_ns: f64,
    /// Of the watcher alone, per wire packet.
    pub own_ns: f64,
    /// Wire packets per second, of both directions.
    pub rate: f64,
    pub latency: Option<Latency>,
}

#[derive(Clone, Copy)]
pub struct Latency {
    pub p50_us: f64,
    pub p99_us: f64,
    /// Answers per second.
    pub rate: f64,
}

impl Load {
    pub fn start(kind: &Kind) -> Load {
        let net = Net::new();
        if kind.gro {
            Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
            Traffic::start(&net.b, &format!("offloads {} gro=1", net.vb)).finish();
        }
        let receiver = Traffic::start(&net.b, &kind.receive.replace('B', B));
        let order = kind.send.replace('B', B).replace("NS", &net.b);
        let mut sender = Traffic::start(&net.a, &order);
        sender.go();
        if kind.asks {
            sender.wait_for("done");
        }
        Load {
            sender,
            receiver,
            net,
            asks: kind.asks,
            softirq_threads: host::softirq_threads(),
        }
    }

    pub fn window(&mut self, watcher: Option<&Running>) -> Figures {
        self.latency(1.0);
        let read = |load: &Load| {
            let own = watcher.map_or(0.0, |watcher| host::process_ns(watcher.pid));
            (Moment::now(), own, load.tasks_ns(), load.packets())
        };
        let (began, own_before, tasks_before, packets_before) = read(self);
        thread::sleep(WINDOW);
        let (ended, own_after, tasks_after, packets_after) = read(self);
        let (packets, seconds) = (packets_after - packets_before, began.seconds_until(&ended));
        assert!(packets > 0.0, "the load stands still");
        let own_ns = (own_after - own_before) / packets;
        Figures {
            ns: began.busy_ns_until(&ended) / packets,
            tasks_ns: (tasks_after - tasks_before) / packets + own_ns,
            own_ns,
            rate: packets / seconds,
            latency: self.latency(seconds),
        }
    }

    fn tasks_ns(&self) -> f64 {
        let ends = [self.sender.child.id(), self.receiver.child.id()];
        let pids = ends.iter().chain(&self.softirq_threads);
        pids.map(|&pid| host::process_ns(pid)).sum()
    }

    /// Wire packets so far: what both ends of the pair received.
    fn packets(&self) -> f64 {
        host::received(self.sender.child.id()) + host::received(self.receiver.child.id())
    }

    /// Of the requests since the last call, so many seconds ago.
    fn latency(&mut self, seconds: f64) -> Option<Latency> {
        if !self.asks {
            return None;
        }
        self.sender.go();
        let line = self.sender.wait_for("done");
        let mut numbers = line.split_whitespace().map_while(|n| n.parse::<f64>().ok());
        let mut next = || numbers.next().expect("a number");
        Some(Latency {
            p50_us: next() / 1e3,
            p99_us: next() / 1e3,
            rate: next() / seconds,
        })
    }
}

//! What the machine's gate counts beyond hits: by device, and for whose sockets things happen (each process has
//! one socket).

use super::Demo;
use super::counters::NETNS;
use super::devices::ifindex;
use super::events::Row;
use super::load::{CPUS, Flow, Load};
use super::process::{KAFKA, NGINX, PROCESSES, Process, SSHD, STATSD};
use super::sampler::Part;
use crate::decode::{
    Attach, Carried, Counts, Demand, DeviceCounts, EventId, EventSpec, SocketCounts, SocketUser,
};

/// Inode of a process's socket: this and its pid.
const FIRST_SOCKET: u64 = 1 << 20;

/// Events by which a softirq is seen to work for a socket.
const RECEIVES: [&str; 2] = ["tcp:tcp_probe", "sock:sk_data_ready"];

/// Events whose packets the gate knows.
const WITH_PACKETS: [&str; 5] = [
    RECEIVES[0],
    RECEIVES[1],
    "net:napi_gro_receive_entry",
    "net:napi_gro_frags_entry",
    "net:net_dev_start_xmit",
];

/// Events that have a program of the gate's; those with a socket before them.
const WITH_SOCKET: [&str; 9] = [
    "net:net_dev_queue",
    "net:net_dev_start_xmit",
    "skb:kfree_skb",
    "skb:consume_skb",
    "tcp:tcp_retransmit_skb",
    "sock:sock_send_length",
    "sock:sock_recv_length",
    RECEIVES[0],
    RECEIVES[1],
];
const WITHOUT: [&str; 5] = [
    "napi:napi_poll",
    "net:napi_gro_receive_entry",
    "net:napi_gro_frags_entry",
    "net:netif_receive_skb",
    "net:netif_rx",
];

pub fn gated(spec: &EventSpec) -> bool {
    let name = spec.full_name();
    WITH_SOCKET
        .iter()
        .chain(&WITHOUT)
        .any(|known| *known == name)
}

/// Whose sockets it is for; `None`: of several, or no socket's.
fn owner(flow: Flow) -> Option<&'static Process> {
    match flow {
        Flow::Lo | Flow::StackUdp | Flow::StatsdRecv | Flow::DropRcvbuf => Some(&STATSD),
        Flow::StackTcp
        | Flow::KafkaTx
        | Flow::KafkaTxSoft
        | Flow::AckTx
        | Flow::Retransmit
        | Flow::KafkaSend
        | Flow::KafkaRecv => Some(&KAFKA),
        Flow::StackEth1 | Flow::NginxTx | Flow::NginxSend | Flow::NginxRecv => Some(&NGINX),
        Flow::SshTx | Flow::SshSend => Some(&SSHD),
        _ => None,
    }
}

fn inode(process: &Process) -> u64 {
    FIRST_SOCKET + u64::from(process.pid)
}

/// The socket that a hit of the row is for; 0: none that the gate knows.
pub fn socket(row: &Row) -> u64 {
    let told = WITH_SOCKET.contains(&row.event);
    owner(row.flow).filter(|_| told).map_or(0, inode)
}

/// A hit of the row is for one of the processes.
pub fn is_for(row: &Row, pids: &[u32]) -> bool {
    owner(row.flow).is_some_and(|process| pids.contains(&process.pid))
}

pub fn users(demand: &Demand) -> Vec<SocketUser> {
    let user = |socket: &u64| {
        let process = PROCESSES.iter().find(|process| inode(process) == *socket);
        process.map(|process| SocketUser {
            socket: *socket,
            pid: process.pid,
        })
    };
    demand.ownerless.iter().filter_map(user).collect()
}

/// What the gate knows of a row's hits beyond their number.
fn carried(row: &Row, hits: u64) -> (u64, u64) {
    let packets = match row.event {
        // The size of a poll is its packets.
        "napi:napi_poll" => return (hits * row.size, 0),
        event if WITH_PACKETS.contains(&event) => hits * row.segs,
        _ => 0,
    };
    (packets, hits * row.size)
}

impl Demo {
    /// Exact hits per device, as a gate counts them; under a PID filter there are none.
    pub(super) fn by_device(&self, loads: &[Load; CPUS]) -> Vec<DeviceCounts> {
        let mut all: Vec<DeviceCounts> = Vec::new();
        if !self.demand.pids.is_empty() {
            return all;
        }
        for event in (0..self.session.events.len() as u16).map(EventId) {
            for row in self.wanted(event) {
                if row.device.is_empty() {
                    continue;
                }
                for (cpu, load) in (0..).zip(loads) {
                    let hits = load[row.flow];
                    if hits == 0 {
                        continue;
                    }
                    // The size of a poll is its packets.
                    let poll = row.event == "napi:napi_poll";
                    let each = if poll { row.size } else { row.segs };
                    all.push(DeviceCounts {
                        event,
                        cpu,
                        netns: NETNS,
                        ifindex: ifindex(row.device),
                        name: row.device.to_owned(),
                        hits,
                        packets: hits * each,
                        bytes: if poll { 0 } else { hits * row.size },
                    });
                }
            }
        }
        all
    }

    /// Hits of an event by socket, and of receives by CPU too.
    pub(super) fn by_socket(&self, loads: &[Load; CPUS]) -> Vec<SocketCounts> {
        let mut all: Vec<SocketCounts> = Vec::new();
        for attach in self.demand.attached.iter().filter(|a| a.by_socket) {
            for row in self.wanted(attach.event) {
                for (cpu, load) in (0..).zip(loads) {
                    let receives = RECEIVES.contains(&row.event);
                    let cpu = receives.then_some(cpu);
                    let filtered = !receives && !self.demand.pids.is_empty();
                    let (socket, hits) = (socket(row), load[row.flow]);
                    if socket == 0 || hits == 0 || filtered && !is_for(row, &self.demand.pids) {
                        continue;
                    }
                    let (packets, bytes) = carried(row, hits);
                    let same = |c: &SocketCounts| {
                        (c.event, c.socket, c.cpu) == (attach.event, socket, cpu)
                    };
                    let at = all.iter().position(same).unwrap_or_else(|| {
                        all.push(SocketCounts {
                            event: attach.event,
                            socket,
                            cpu,
                            hits: 0,
                            packets: 0,
                            bytes: 0,
                        });
                        all.len() - 1
                    });
                    let sum = &mut all[at];
                    sum.hits += hits;
                    sum.packets += packets;
                    sum.bytes += bytes;
                }
            }
        }
        all
    }

    /// Exact packets and bytes of what the gate counts; under a PID filter there are none.
    pub(super) fn carried(&self, loads: &[Load; CPUS]) -> Vec<Carried> {
        let gated = self.demand.attached.iter().filter(|a| a.gate);
        let gated = gated.filter(|_| self.demand.pids.is_empty());
        let sum = |attach: &Attach| {
            let mut sum = Carried {
                event: attach.event,
                hits: 0,
                packets: 0,
                bytes: 0,
            };
            for row in self.wanted(attach.event) {
                for load in loads {
                    let hits = load[row.flow];
                    let (packets, bytes) = carried(row, hits);
                    sum.hits += hits;
                    sum.packets += packets;
                    sum.bytes += bytes;
                }
            }
            sum
        };
        gated.map(sum).collect()
    }

    /// The processes that an event's hits are counted for.
    pub(super) fn counted_for(&self, attach: &Attach) -> Vec<u32> {
        let filtered = !self.demand.pids.is_empty();
        if filtered && (attach.per_task || attach.by_socket) {
            self.demand.pids.clone()
        } else if !filtered && attach.gate && self.demand.by_process {
            PROCESSES.iter().map(|process| process.pid).collect()
        } else {
            Vec::new()
        }
    }

    /// Hits of an event for a process: in its context, or of its sockets.
    pub(super) fn count_for(
        &self,
        attach: &Attach,
        pid: u32,
        parts: &[Vec<Part>; CPUS],
        span_ns: u64,
    ) -> Counts {
        let owners = attach.by_socket && !self.demand.pids.is_empty();
        let its = |part: &&Part| {
            if owners {
                is_for(part.row, &[pid])
            } else {
                part.process.pid == pid
            }
        };
        let (mut hits, mut bytes) = (0, 0);
        for part in parts.iter().flatten().filter(its) {
            hits += part.hits;
            let call = part.row.event.starts_with("sock:sock_");
            bytes += if call { part.hits * part.row.size } else { 0 };
        }
        Counts {
            event: attach.event,
            cpu: None,
            pid: Some(pid),
            hits,
            bytes: if attach.gate { bytes } else { 0 },
            span_ns,
            gate: attach.gate,
            spread: None,
        }
    }
}

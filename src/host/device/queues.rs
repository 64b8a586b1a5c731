//! Queues of devices: their NAPI instances' interrupts and what they carried, by the netdev
//! netlink family (Linux 6.8 and later; drivers answer as far as they know); byte queue limits
//! and steering from sysfs, which shows the own namespace only.

use std::collections::{BTreeMap, HashMap};
use std::io;

use netlink_bindings::netdev;
use netlink_socket2::NetlinkSocket;

use crate::decode::{MOST_QUEUES, QueueCounters, Way};
use crate::host::proc::Proc;

/// Queues by device, direction and number.
pub type Queues = BTreeMap<(u32, Way, u32), QueueCounters>;

/// The queues that are set up, with the interrupt of each.
pub fn set_up(socket: &mut NetlinkSocket) -> io::Result<Queues> {
    let mut irqs = HashMap::new();
    let request = netdev::Request::new().op_napi_get_dump();
    let mut replies = socket.request(&request)?;
    while let Some(reply) = replies.recv() {
        let napi = reply.map_err(io::Error::from)?;
        if let (Ok(id), Ok(irq)) = (napi.get_id(), napi.get_irq()) {
            irqs.insert(id, irq);
        }
    }
    let mut queues = Queues::new();
    let request = netdev::Request::new().op_queue_get_dump();
    let mut replies = socket.request(&request)?;
    while let Some(reply) = replies.recv() {
        let found = reply.map_err(io::Error::from)?;
        let (Ok(ifindex), Ok(way), Ok(queue)) =
            (found.get_ifindex(), found.get_type(), found.get_id())
        else {
            continue;
        };
        let napi = found.get_napi_id().ok();
        let counters = at(&mut queues, ifindex, way_of(u64::from(way)), queue);
        if let (Some(counters), Some(napi)) = (counters, napi) {
            counters.irq = irqs.get(&napi).copied();
        }
    }
    Ok(queues)
}

/// Adds what the drivers say that the queues carried.
pub fn count(socket: &mut NetlinkSocket, queues: &mut Queues) -> io::Result<()> {
    let mut request = netdev::Request::new().op_qstats_get_dump();
    request
        .encode()
        .push_scope(netdev::QstatsScope::Queue as u32);
    let mut replies = socket.request(&request)?;
    while let Some(reply) = replies.recv() {
        let stats = reply.map_err(io::Error::from)?;
        add(stats.get_buf(), queues);
    }
    Ok(())
}

/// One queue's attributes (linux/netdev.h, NETDEV_A_QSTATS_*). They are `uint`: of 4 bytes while
/// the value fits, then of 8, which the bindings' getters do not take.
fn add(attributes: &[u8], queues: &mut Queues) {
    let mut values: HashMap<u16, u64> = HashMap::new();
    let mut rest = attributes;
    while let Some((header, _)) = rest.split_first_chunk::<4>() {
        let [a, b, c, d] = *header;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let Some(payload) = rest.get(4..length) else {
            return;
        };
        let value = match payload.len() {
            4 => u64::from(u32::from_ne_bytes(payload.try_into().unwrap_or_default())),
            8 => u64::from_ne_bytes(payload.try_into().unwrap_or_default()),
            _ => 0,
        };
        values.insert(u16::from_ne_bytes([c, d]), value);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    let get = |attribute| values.get(&attribute).copied();
    let (Some(ifindex), Some(way), Some(queue)) = (get(1), get(2), get(3)) else {
        return;
    };
    let way = way_of(way);
    let Some(counters) = at(queues, ifindex as u32, way, queue as u32) else {
        return;
    };
    let [packets, bytes, drops] = match way {
        Way::Rx => [8, 9, 13],
        Way::Tx => [10, 11, 24],
    };
    counters.packets = get(packets);
    counters.bytes = get(bytes);
    counters.drops = get(drops);
    if way == Way::Rx {
        counters.no_memory = get(12);
    } else {
        counters.stops = get(33);
    }
}

fn at(queues: &mut Queues, ifindex: u32, way: Way, queue: u32) -> Option<&mut QueueCounters> {
    // Receive and transmit side share what a device may have.
    ((queue as usize) < MOST_QUEUES / 2).then(|| {
        let counters = queues.entry((ifindex, way, queue)).or_default();
        counters.way = way;
        counters.queue = queue;
        counters
    })
}

fn way_of(number: u64) -> Way {
    if number == netdev::QueueType::Tx as u64 {
        Way::Tx
    } else {
        Way::Rx
    }
}

/// Byte queue limits and steering of a device of the own namespace; queues that nothing else
/// named are added.
pub fn from_sysfs(proc: &Proc, device: &str, ifindex: u32, queues: &mut Queues) {
    let folder = format!("sys/class/net/{device}/queues");
    for name in proc.list(&folder).unwrap_or_default() {
        let (way, number, mask) = match name.split_once('-') {
            Some(("rx", number)) => (Way::Rx, number, "rps_cpus"),
            Some(("tx", number)) => (Way::Tx, number, "xps_cpus"),
            _ => continue,
        };
        let Some(counters) = number
            .parse()
            .ok()
            .and_then(|number| at(queues, ifindex, way, number))
        else {
            continue;
        };
        let read = |file: &str| proc.text(&format!("{folder}/{name}/{file}")).ok();
        counters.steering = read(mask).and_then(|mask| steered(&mask));
        if way == Way::Rx {
            let flows = read("rps_flow_cnt").and_then(|text| text.trim().parse().ok());
            counters.rfs_flows = flows.filter(|flows| *flows > 0);
        }
        if way == Way::Tx {
            let timeouts = read("tx_timeout").and_then(|text| text.trim().parse().ok());
            counters.timeouts = timeouts;
            let bytes = |file: &str| -> Option<u64> {
                read(&format!("byte_queue_limits/{file}"))?
                    .trim()
                    .parse()
                    .ok()
            };
            counters.bql_limit = bytes("limit");
            counters.bql_inflight = bytes("inflight");
        }
    }
}

/// `00000000,0000000f` → `f`; no CPU: no steering.
fn steered(mask: &str) -> Option<String> {
    let digits: String = mask.trim().chars().filter(|c| *c != ',').collect();
    let digits = digits.trim_start_matches('0');
    let known = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
    known.then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

    fn attribute(number: u16, value: &[u8]) -> Vec<u8> {
        let length = (4 + value.len()) as u16;
        [&length.to_ne_bytes()[..], &number.to_ne_bytes(), value].concat()
    }

    fn queue() -> Vec<u8> {
        [
            attribute(1, &7u32.to_ne_bytes()),
            attribute(2, &0u32.to_ne_bytes()),
            attribute(3, &2u32.to_ne_bytes()),
            attribute(8, &(1u64 << 40).to_ne_bytes()),
            attribute(13, &5u32.to_ne_bytes()),
        ]
        .concat()
    }

    #[test]
    fn counters_of_four_and_of_eight_bytes_are_read() {
        let mut queues = Queues::new();
        add(&queue(), &mut queues);
        let counters = &queues[&(7, Way::Rx, 2)];
        assert_eq!(counters.packets, Some(1 << 40));
        assert_eq!((counters.drops, counters.bytes), (Some(5), None));
    }

    #[test]
    fn any_truncation_and_any_length_is_survived() {
        let bytes = queue();
        for end in 0..bytes.len() {
            let mut queues = Queues::new();
            add(&bytes[..end], &mut queues);
            assert!(queues.len() <= 1);
        }
        add(&[0; 64], &mut Queues::new());
        add(&[0xff; 64], &mut Queues::new());
    }

    #[test]
    fn sysfs_adds_limits_and_masks_and_an_empty_mask_is_no_steering() {
        let tx = "sys/class/net/eth0/queues/tx-1";
        let rx = "sys/class/net/eth0/queues/rx-0";
        let (_dir, proc) = root_with(&[
            (&format!("{tx}/byte_queue_limits/limit"), "3028\n"),
            (&format!("{tx}/byte_queue_limits/inflight"), "1514\n"),
            (&format!("{tx}/xps_cpus"), "00000000,0000000c\n"),
            (&format!("{rx}/rps_cpus"), "0\n"),
        ]);
        let mut queues = Queues::new();
        from_sysfs(&proc, "eth0", 3, &mut queues);
        let expected = [
            QueueCounters::default(),
            QueueCounters {
                way: Way::Tx,
                queue: 1,
                bql_limit: Some(3028),
                bql_inflight: Some(1514),
                steering: Some("c".to_owned()),
                ..QueueCounters::default()
            },
        ];
        assert_eq!(queues.into_values().collect::<Vec<_>>(), expected);
    }
}

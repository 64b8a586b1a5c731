//! Every qdisc of a network namespace with its statistics, by rtnetlink.

use std::collections::HashMap;
use std::io;

use netlink_bindings::tc::{self, IterableAttrs, OpGetqdiscDump, OptionsMsg, Tcmsg};
use netlink_bindings::traits::NetlinkRequest;
use netlink_socket2::NetlinkSocket;

use crate::decode::{MOST_QDISCS, QdiscCounters};
use crate::host::proc::printable;

/// Parents that are none (linux/pkt_sched.h): TC_H_ROOT, TC_H_INGRESS.
const ROOT: u32 = u32::MAX;
const INGRESS: u32 = 0xffff_fff1;

/// By ifindex, the root of each device first. The root of mq adds its children up itself
/// (sch_mq.c mq_dump); others count what a child drops as their own drop too.
pub fn dump(socket: &mut NetlinkSocket) -> io::Result<HashMap<i32, Vec<QdiscCounters>>> {
    let request = tc::Request::new().op_getqdisc_dump(&Tcmsg::new());
    let mut replies = socket.request(&request)?;
    let mut all: HashMap<i32, Vec<QdiscCounters>> = HashMap::new();
    while let Some(reply) = replies.recv() {
        let (header, attributes) = reply.map_err(io::Error::from)?;
        let Some(qdisc) = qdisc(&header, &attributes) else {
            continue;
        };
        let of_device = all.entry(header.ifindex).or_default();
        if header.parent == ROOT {
            of_device.insert(0, qdisc);
        } else {
            of_device.push(qdisc);
        }
        of_device.truncate(MOST_QDISCS);
    }
    Ok(all)
}

/// One qdisc as rtnetlink tells it; `None`: it has no kind or no counters.
fn qdisc(header: &Tcmsg, attributes: &IterableAttrs<'_>) -> Option<QdiscCounters> {
    let (kind, stats) = (attributes.get_kind().ok()?, attributes.get_stats2().ok()?);
    let queue = stats.get_queue().ok()?;
    let basic = stats.get_basic().ok();
    let packets = basic.as_ref().map_or(0, |basic| basic.packets.into());
    Some(QdiscCounters {
        kind: printable(&kind.to_string_lossy()),
        handle: handle(header.handle),
        parent: match header.parent {
            ROOT => "root".to_owned(),
            INGRESS => "ingress".to_owned(),
            parent => handle(parent),
        },
        // Beyond 32 bits the kernel says it apart.
        packets: stats.get_pkt64().unwrap_or(packets),
        bytes: basic.map_or(0, |basic| basic.bytes),
        drops: queue.drops.into(),
        overlimits: queue.overlimits.into(),
        requeues: queue.requeues.into(),
        backlog: queue.qlen.into(),
        backlog_bytes: queue.backlog.into(),
        limit: match attributes.get_options() {
            Ok(OptionsMsg::Pfifo(fifo) | OptionsMsg::Bfifo(fifo)) => Some(fifo.limit),
            _ => None,
        },
    })
}

/// The same of the bytes of one message; whether it was understood.
pub fn is_qdisc(payload: &[u8]) -> bool {
    let (header, attributes) = <OpGetqdiscDump<'_> as NetlinkRequest>::decode_reply(payload);
    qdisc(&header, &attributes).is_some()
}

/// `8001:` or `8001:4`, in hexadecimal as tc writes it.
fn handle(handle: u32) -> String {
    let (major, minor) = (handle >> 16, handle & 0xffff);
    match minor {
        0 => format!("{major:x}:"),
        _ => format!("{major:x}:{minor:x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_written_as_tc_does() {
        assert_eq!(handle(0x8001_0000), "8001:");
        assert_eq!(handle(0x000a_0010), "a:10");
        assert_eq!(handle(0), "0:");
    }
}

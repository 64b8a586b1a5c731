//! The parts of a device's row: its queues, qdiscs, interrupts, driver counters and setup, from
//! two readings.

use crate::decode::{
    IrqCounter, LinkCounters, LinkSetup, QdiscCounters, QueueCounters, SlowSample, Trouble, Way,
};
use crate::model::{
    Coalescing, DeviceIrq, DriverFigure, Offload, PauseFrames, Polling, Qdisc, Queue, Setup,
    Spreading,
};

pub fn qdiscs(
    link: &LinkCounters,
    before: Option<&LinkCounters>,
    first: &LinkCounters,
) -> Vec<Qdisc> {
    let of = |link: Option<&LinkCounters>, now: &QdiscCounters| {
        let same = |q: &&QdiscCounters| {
            (&q.kind, &q.handle, &q.parent) == (&now.kind, &now.handle, &now.parent)
        };
        link.and_then(|link| link.qdiscs.iter().find(same).cloned())
    };
    // The kernel's drop counters have 32 bits and wrap.
    let short = |now: u64, before: u64| u64::from((now as u32).wrapping_sub(before as u32));
    (link.qdiscs.iter())
        .map(|now| {
            let before = of(before, now);
            let before = before.as_ref();
            let first = of(Some(first), now);
            Qdisc {
                kind: now.kind.clone(),
                handle: now.handle.clone(),
                parent: now.parent.clone(),
                packets: before.map(|b| now.packets.saturating_sub(b.packets)),
                drops: before.map(|b| short(now.drops, b.drops)),
                overlimits: before.map(|b| short(now.overlimits, b.overlimits)),
                requeues: before.map(|b| short(now.requeues, b.requeues)),
                drops_total: first.map_or(now.drops, |first| short(now.drops, first.drops)),
                backlog: now.backlog,
                backlog_bytes: now.backlog_bytes,
                limit: now.limit,
            }
        })
        .collect()
}

/// `before`: the reading of the driver before this one.
pub fn counters(
    link: &LinkCounters,
    before: &LinkCounters,
    first: &LinkCounters,
) -> Vec<DriverFigure> {
    // One that was not there was 0: only what is not 0 is read.
    let of = |link: &LinkCounters, name: &str| {
        link.trouble
            .iter()
            .find(|c| c.name == name)
            .map_or(0, |c| c.value)
    };
    let figures = link.trouble.iter().map(|counter| DriverFigure {
        tells: match counter.tells {
            Trouble::RxDrop => "rx drop",
            Trouble::TxDrop => "tx drop",
            Trouble::Memory => "memory",
            Trouble::TxStop => "tx stop",
            Trouble::Xdp => "xdp",
            Trouble::Pause => "pause",
        },
        count: Some(counter.value.saturating_sub(of(before, &counter.name))),
        total: counter.value.saturating_sub(of(first, &counter.name)),
        name: counter.name.clone(),
    });
    let mut figures: Vec<DriverFigure> = figures.collect();
    figures.sort_by_key(|figure| std::cmp::Reverse((figure.count, figure.total)));
    figures
}

/// `before`: the reading of the driver before this one; its interrupts are those of the host's.
pub fn queues(
    link: &LinkCounters,
    before: Option<&LinkCounters>,
    last: &SlowSample,
    now: &SlowSample,
    order: &[u32],
) -> Vec<Queue> {
    let span_ns = before.map_or(0, |before| link.driver_at.saturating_sub(before.driver_at));
    // A software device has queues by name that nobody knows anything of.
    let known = |queue: &&QueueCounters| {
        let figures = [queue.packets, queue.drops, queue.bql_limit];
        let set = queue.steering.is_some() || queue.rfs_flows.is_some();
        let stuck = queue.timeouts.is_some_and(|timeouts| timeouts > 0);
        figures.iter().any(Option::is_some) || queue.irq.is_some() || set || stuck
    };
    (link.queues.iter())
        .filter(known)
        .map(|queue| {
            let same = |q: &&QueueCounters| (q.way, q.queue) == (queue.way, queue.queue);
            let before = before.and_then(|before| before.queues.iter().find(same));
            let before = before.filter(|_| span_ns > 0);
            let delta = |get: fn(&QueueCounters) -> Option<u64>| {
                Some(get(queue)?.saturating_sub(get(before?)?))
            };
            let per_s = |count: Option<u64>| count.map(|n| n as f64 * 1e9 / span_ns as f64);
            let packets = delta(|q| q.packets);
            let irq = queue.irq.or_else(|| irq_of(&link.name, queue, now));
            let interrupts = irq.and_then(|irq| interrupts(irq, last, now));
            Queue {
                queue: queue.queue,
                direction: queue.way.name(),
                irq,
                cpu: interrupts.as_ref().and_then(|counts| most(counts, order)),
                packets,
                rate: per_s(packets),
                bps: per_s(delta(|q| q.bytes)).map(|rate| 8.0 * rate),
                interrupts: interrupts
                    .filter(|_| queue.way == Way::Rx)
                    .map(|c| c.iter().sum()),
                polls: None,
                full_polls: None,
                drops: delta(|q| q.drops),
                no_memory: delta(|q| q.no_memory),
                stops: delta(|q| q.stops),
                bql_limit: queue.bql_limit,
                bql_inflight: queue.bql_inflight,
                steering: queue.steering.clone(),
                rfs_flows: queue.rfs_flows,
                timeouts: delta(|q| q.timeouts),
            }
        })
        .collect()
}

/// Where the driver does not say it: by the number at the end of its interrupts' names,
/// `ice-eth0-TxRx-3`, `virtio2-input.0`.
fn irq_of(device: &str, queue: &QueueCounters, now: &SlowSample) -> Option<u32> {
    let serves = |name: &str| {
        let name = name.to_ascii_lowercase();
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let number = name[name.len() - digits..].parse().ok();
        let has = |words: [&str; 2]| words.iter().any(|word| name.contains(word));
        let way = match (has(["rx", "input"]), has(["tx", "output"])) {
            (true, false) => queue.way == Way::Rx,
            (false, true) => queue.way == Way::Tx,
            (true, true) => true,
            (false, false) => false,
        };
        way && number == Some(queue.queue)
    };
    let ours = |irq: &&IrqCounter| irq.device.as_deref() == Some(device) && serves(&irq.name);
    now.irqs.iter().find(ours).map(|irq| irq.irq)
}

/// The interrupts of a device; they are told apart in the `own` namespace only.
pub fn irqs_of(
    device: &str,
    own: bool,
    last: &SlowSample,
    now: &SlowSample,
    order: &[u32],
) -> Vec<DeviceIrq> {
    let ours = now
        .irqs
        .iter()
        .filter(|irq| own && irq.device.as_deref() == Some(device));
    ours.filter_map(|irq| {
        let counts = interrupts(irq.irq, last, now)?;
        Some(DeviceIrq {
            irq: irq.irq,
            name: irq.name.clone(),
            count: Some(counts.iter().sum()),
            cpu: most(&counts, order),
            affinity: irq.affinity.clone(),
            effective: irq.effective.clone(),
        })
    })
    .collect()
}

/// Per CPU between the readings.
fn interrupts(irq: u32, last: &SlowSample, now: &SlowSample) -> Option<Vec<u64>> {
    let of = |sample: &SlowSample| {
        let found = sample.irqs.iter().find(|known| known.irq == irq);
        found.map(|known| known.per_cpu.clone())
    };
    let (now, last) = (of(now)?, of(last)?);
    Some(
        now.iter()
            .zip(&last)
            .map(|(n, l)| n.saturating_sub(*l))
            .collect(),
    )
}

/// The CPU with most of them; `order`: the CPU of each column.
fn most(counts: &[u64], order: &[u32]) -> Option<u32> {
    let (column, count) = counts.iter().enumerate().max_by_key(|(_, count)| **count)?;
    order.get(column).copied().filter(|_| *count > 0)
}

pub fn setup(setup: &LinkSetup) -> Setup {
    let offloads = setup.offloads.iter().map(|(name, on)| Offload {
        name: name.clone(),
        on: *on,
    });
    Setup {
        mtu: setup.mtu,
        speed: setup.speed,
        offloads: offloads.collect(),
        rx_ring: setup.rings.map(|ring| (ring.rx, ring.rx_most)),
        tx_ring: setup.rings.map(|ring| (ring.tx, ring.tx_most)),
        channels: setup.channels,
        channels_most: setup.channels_most,
        pause: setup.pause.map(|pause| PauseFrames {
            negotiated: pause.negotiated,
            rx: pause.rx,
            tx: pause.tx,
        }),
        rss: setup.rss.as_ref().map(|rss| Spreading {
            weights: rss.weights.clone(),
            udp_hash: rss.udp_hash.clone(),
        }),
        napi: setup.napi.map(|napi| Polling {
            threaded: napi.threaded,
            gro_flush_timeout: napi.gro_flush_timeout,
            defer_hard_irqs: napi.defer_hard_irqs,
        }),
        coalesce: setup.coalesce.map(|c| Coalescing {
            adaptive_rx: c.adaptive_rx,
            adaptive_tx: c.adaptive_tx,
            rx_us: c.rx_us,
            rx_frames: c.rx_frames,
            tx_us: c.tx_us,
            tx_frames: c.tx_frames,
        }),
        unsupported: setup.unsupported.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_is_a_queues_by_its_number_and_direction() {
        let irq = |irq, name: &str| IrqCounter {
            irq,
            name: name.to_owned(),
            device: Some("eth0".to_owned()),
            ..IrqCounter::default()
        };
        let now = SlowSample {
            irqs: vec![
                irq(37, "virtio2-config"),
                irq(38, "virtio2-input.0"),
                irq(39, "virtio2-output.0"),
                irq(40, "ice-eth0-TxRx-12"),
                irq(41, "eth0-7"),
            ],
            ..SlowSample::default()
        };
        let of = |way, queue| {
            let queue = QueueCounters {
                way,
                queue,
                ..QueueCounters::default()
            };
            irq_of("eth0", &queue, &now)
        };
        assert_eq!([of(Way::Rx, 0), of(Way::Tx, 0)], [Some(38), Some(39)]);
        assert_eq!([of(Way::Rx, 12), of(Way::Tx, 12)], [Some(40), Some(40)]);
        assert_eq!([of(Way::Rx, 2), of(Way::Rx, 7)], [None, None]);
    }
}

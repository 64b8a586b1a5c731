//! Below the devices: what the selected one loses and where, how it batches, how it is set up; of
//! a queue its interrupt, its limits and its drops.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::devices::found;
use super::paragraphs::{self, Paragraph};
use super::{Scene, rule};
use crate::model::{Device, Queue, Setup};
use crate::tui::figure;
use crate::tui::state::pane::Row;
use crate::tui::text::clean;

/// Driver counters, qdiscs and interrupts named.
const MOST: usize = 6;

pub fn render(scene: &Scene<'_>, row: &Row, titles: &[&str], area: Rect, buf: &mut Buffer) {
    let Some((device, queue)) = found(scene.snapshot, row) else {
        return;
    };
    let interval_s = scene.snapshot.interval_s;
    let name = clean(&device.name).into_owned();
    let mut title = vec![Span::styled(name, scene.theme.strong)];
    match queue {
        Some(q) => title.push(Span::raw(format!("{} queue {}", q.direction, q.queue))),
        None => title.push(Span::styled(kind(device, interval_s), scene.theme.dim)),
    }
    rule(scene, title, area, buf);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let list = match queue {
        Some(queue) => of_queue(device, queue),
        None => of_device(scene, device, titles),
    };
    paragraphs::render(list, below, buf);
}

/// A reading that is so many intervals old is not of this one.
const OLD: f64 = 1.5;

/// `virtio_net · mtu 1500 · 10Gb/s · node 0 · netns blue · read 6.2 s ago`
fn kind(d: &Device, interval_s: f64) -> String {
    let mut parts: Vec<String> = Vec::new();
    let driver = d.driver.as_deref().or(d.kind.as_deref());
    parts.extend(driver.map(|driver| clean(driver).into_owned()));
    if let Some(setup) = &d.setup {
        parts.extend(setup.mtu.map(|mtu| format!("mtu {mtu}")));
        let bits = setup.speed.map(|speed| f64::from(speed) * 1e6);
        parts.extend(bits.map(|bits| figure::bits(Some(bits))));
    }
    parts.extend(d.numa_node.map(|node| format!("node {node}")));
    parts.extend(
        d.netns
            .as_ref()
            .map(|name| format!("netns {}", clean(name))),
    );
    let old = d.age_s.filter(|age| *age > OLD * interval_s);
    parts.extend(old.map(|age| format!("read {age:.1} s ago")));
    parts.join(" · ")
}

fn of_device(scene: &Scene<'_>, d: &Device, titles: &[&str]) -> Vec<Paragraph> {
    let dim = scene.theme.dim;
    let plain = |rank, text: String| Paragraph::new(rank, text, Style::new());
    let losing = d.dropped.is_some_and(|lost| lost > 0);
    let style = if losing {
        scene.theme.bad
    } else {
        Style::new()
    };
    let mut list = vec![Paragraph::new(0, losses(d), style), plain(1, batching(d))];
    let counters: Vec<String> = (d.counters.iter().take(MOST))
        .map(|c| {
            let more = c.count.map(|count| format!(" (+{})", figure::exact(count)));
            let more = more.unwrap_or_default();
            format!("{} {}{more}", clean(&c.name), figure::exact(c.total))
        })
        .collect();
    if !counters.is_empty() {
        list.push(plain(
            2,
            format!("driver since the start: {}", counters.join(" · ")),
        ));
    }
    list.push(plain(2, qdiscs(d)));
    list.push(plain(3, irqs(d)));
    if let Some(setup) = &d.setup {
        list.push(plain(3, offloads(setup)));
        list.push(plain(4, rings(setup)));
        if !setup.unsupported.is_empty() {
            let by = d.driver.as_deref().unwrap_or("the driver");
            let what = setup.unsupported.join(", ");
            list.push(Paragraph::new(
                5,
                format!("not supported by {}: {what}", clean(by)),
                dim,
            ));
        }
    }
    if d.gro_ratio.is_none() && d.rx_rate.is_some_and(|rate| rate > 0.0) {
        let text = "GRO – : nothing was given to GRO here, or it is not counted by BPF programs";
        list.push(Paragraph::new(6, text.to_owned(), dim));
    }
    let legend = LEGEND.iter().zip(7..);
    let shown = legend.filter(|((title, _), _)| titles.contains(title));
    list.extend(
        shown.map(|((title, text), rank)| Paragraph::new(rank, format!("{title} {text}"), dim)),
    );
    list
}

/// What the titles mean.
const LEGEND: &[(&str, &str)] = &[
    (
        "GRO",
        "packets that became one before they entered the stack",
    ),
    ("GSO", "segments of an skb that was handed to the driver"),
    ("P/POLL", "packets that a NAPI poll received"),
    (
        "FULL",
        "polls that used their whole budget: more was waiting",
    ),
    (
        "DROP",
        "packets lost by ring, stack and qdisc of the device",
    ),
    ("QLEN", "packets in the qdisc now"),
    ("P/IRQ", "packets received per interrupt"),
    ("IRQ", "the CPU that took most of its interrupts"),
    ("LEN", "mean length of what was received"),
];

fn losses(d: &Device) -> String {
    let n = figure::count;
    format!(
        "lost {} · ring {} · rx {} · tx {} · qdisc {}",
        n(d.dropped),
        n(d.ring_drops),
        n(d.rx_dropped),
        n(d.tx_dropped),
        n(d.qdisc_drops),
    )
}

fn batching(d: &Device) -> String {
    let number = |value: f64| figure::rate(Some(value));
    let bytes = |value: f64| figure::bytes(Some(value));
    let full = |value: f64| format!("≈{} of polls full", figure::percent(Some(value)));
    let parts = [
        d.gro_ratio
            .map(|n| format!("GRO makes one of {}", number(n))),
        d.gso_factor
            .map(|n| format!("GSO {} segments an skb", number(n))),
        d.packets_per_poll
            .map(|n| format!("{} packets a poll", number(n))),
        d.full_polls_pct.map(full),
        d.packets_per_interrupt
            .map(|n| format!("{} an interrupt", number(n))),
        d.rx_length.map(|n| format!("mean {} in", bytes(n))),
        d.tx_length.map(|n| format!("mean {} out", bytes(n))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn qdiscs(d: &Device) -> String {
    let parts: Vec<String> = (d.qdiscs.iter().take(MOST))
        .map(|q| {
            let mut text = clean(&q.kind).into_owned();
            if q.parent != "root" {
                let _infallible = write!(text, " ({})", q.parent);
            }
            let _infallible = write!(
                text,
                " drops {} queued {}",
                figure::exact(q.drops_total),
                figure::exact(q.backlog)
            );
            if q.overlimits.is_some_and(|n| n > 0) {
                let _infallible = write!(text, " held back {}", figure::count(q.overlimits));
            }
            text
        })
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("qdisc since the start: {}", parts.join(" · "))
}

fn irqs(d: &Device) -> String {
    let mut irqs: Vec<_> = d.irqs.iter().filter(|irq| irq.count > Some(0)).collect();
    irqs.sort_by_key(|irq| std::cmp::Reverse(irq.count));
    let parts: Vec<String> = (irqs.iter().take(MOST))
        .map(|irq| {
            let cpu = irq.cpu.map_or(String::new(), |cpu| format!(" → cpu{cpu}"));
            format!("{} {}{cpu}", irq.irq, figure::count(irq.count))
        })
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("interrupts {}", parts.join(" · "))
}

fn offloads(setup: &Setup) -> String {
    let of = |on: bool| -> String {
        let names = setup.offloads.iter().filter(|offload| offload.on == on);
        let names: Vec<&str> = names.map(|offload| offload.name.as_str()).collect();
        if names.is_empty() {
            figure::NONE.to_owned()
        } else {
            names.join(" ")
        }
    };
    if setup.offloads.is_empty() {
        return String::new();
    }
    format!("offloads on: {} · off: {}", of(true), of(false))
}

fn rings(setup: &Setup) -> String {
    let mut parts = Vec::new();
    if let (Some((rx, rx_most)), Some((tx, tx_most))) = (setup.rx_ring, setup.tx_ring) {
        parts.push(format!("rings rx {rx} of {rx_most}, tx {tx} of {tx_most}"));
    }
    parts.extend(
        setup
            .channels
            .map(|n| format!("{n} channel{}", if n == 1 { "" } else { "s" })),
    );
    if let Some(c) = setup.coalesce {
        let adaptive = |on| if on { " adaptive" } else { "" };
        parts.push(format!(
            "coalesce rx {}µs {} frames{}, tx {}µs {} frames{}",
            c.rx_us,
            c.rx_frames,
            adaptive(c.adaptive_rx),
            c.tx_us,
            c.tx_frames,
            adaptive(c.adaptive_tx),
        ));
    }
    parts.join(" · ")
}

fn of_queue(d: &Device, q: &Queue) -> Vec<Paragraph> {
    let plain = |rank, text: String| Paragraph::new(rank, text, Style::new());
    let irq = d.irqs.iter().find(|irq| Some(irq.irq) == q.irq);
    let mut parts = Vec::new();
    parts.push(match (q.irq, irq) {
        (Some(number), Some(irq)) => format!("irq {number} {}", clean(&irq.name)),
        (Some(number), None) => format!("irq {number}"),
        (None, _) => "its interrupt is not known".to_owned(),
    });
    parts.extend(q.cpu.map(|cpu| format!("cpu{cpu}")));
    parts.push(format!("interrupts {}", figure::count(q.interrupts)));
    parts.push(format!("polls {}", figure::count(q.polls)));
    let mut list = vec![plain(0, parts.join(" · "))];
    let figures = [
        ("packets", q.packets),
        ("drops", q.drops),
        ("no memory", q.no_memory),
        ("stops", q.stops),
    ];
    let figures = figures.map(|(name, value)| format!("{name} {}", figure::count(value)));
    list.push(plain(1, figures.join(" · ")));
    if let Some(limit) = q.bql_limit {
        let inflight = figure::bytes(q.bql_inflight.map(|bytes| bytes as f64));
        let limit = figure::bytes(Some(limit as f64));
        list.push(plain(
            2,
            format!("byte queue limit {limit}, in flight {inflight}"),
        ));
    }
    if let Some(mask) = &q.steering {
        let how = if q.direction == "rx" {
            "RPS steers to CPUs"
        } else {
            "XPS: sent from CPUs"
        };
        list.push(plain(3, format!("{how} {mask} (mask)")));
    }
    list
}

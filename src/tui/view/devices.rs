//! View 3: what each device carries, how well its packets are batched, and what it loses; below a
//! device that is opened, its queues.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::column::{self, Column, Key};
use super::{Scene, View, devices_detail, no_rows, split};
use crate::model::{Device, Queue, Snapshot};
use crate::tui::figure;
use crate::tui::input::keymap::Context;
use crate::tui::state::UiState;
use crate::tui::state::pane::Row;
use crate::tui::text::clean;
use crate::tui::widget::table::Grow;

pub struct Devices;

/// A row of the table: a device, or a queue of an open one.
#[derive(Debug, Clone)]
pub struct Listed {
    pub row: Row,
    name: String,
    kind: Kind,
    rx_rate: Option<f64>,
    rx_bps: Option<f64>,
    tx_rate: Option<f64>,
    tx_bps: Option<f64>,
    gro: Option<f64>,
    gso: Option<f64>,
    per_poll: Option<f64>,
    full_pct: Option<f64>,
    per_interrupt: Option<f64>,
    dropped: Option<u64>,
    /// Packets in the qdisc; bytes in flight of a queue stand in the pane.
    waiting: Option<u64>,
    cpu: Option<u32>,
    length: Option<f64>,
    netns: Option<String>,
    driver: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Closed,
    /// A device without queues.
    Single,
    Queue,
}

static COLUMNS: &[Column<Listed>] = &[
    Column::new(
        "DEVICE",
        13,
        0,
        Some(|l: &Listed| Key::Text(l.name.clone())),
        name,
    )
    .left()
    .grow(Grow::To(22)),
    Column::new(
        "RX/s",
        figure::RATE,
        0,
        Some(|l: &Listed| Key::Number(l.rx_rate)),
        |s, l: &Listed, _| s.figure(figure::rate(l.rx_rate)),
    ),
    Column::new(
        "RXb/s",
        figure::RATE,
        1,
        Some(|l: &Listed| Key::Number(l.rx_bps)),
        |s, l: &Listed, _| s.figure(figure::rate(l.rx_bps)),
    ),
    Column::new(
        "TX/s",
        figure::RATE,
        0,
        Some(|l: &Listed| Key::Number(l.tx_rate)),
        |s, l: &Listed, _| s.figure(figure::rate(l.tx_rate)),
    ),
    Column::new(
        "TXb/s",
        figure::RATE,
        1,
        Some(|l: &Listed| Key::Number(l.tx_bps)),
        |s, l: &Listed, _| s.figure(figure::rate(l.tx_bps)),
    ),
    Column::new(
        "GRO",
        5,
        2,
        Some(|l: &Listed| Key::Number(l.gro)),
        |s, l: &Listed, _| s.figure(figure::rate(l.gro)),
    ),
    Column::new(
        "GSO",
        5,
        3,
        Some(|l: &Listed| Key::Number(l.gso)),
        |s, l: &Listed, _| s.figure(figure::rate(l.gso)),
    ),
    Column::new(
        "P/POLL",
        6,
        3,
        Some(|l: &Listed| Key::Number(l.per_poll)),
        |s, l: &Listed, _| s.figure(figure::rate(l.per_poll)),
    ),
    Column::new(
        "FULL",
        figure::PERCENT + 1,
        4,
        Some(|l: &Listed| Key::Number(l.full_pct)),
        full,
    ),
    Column::new(
        "DROP",
        figure::RATE,
        0,
        Some(|l: &Listed| number(l.dropped)),
        dropped,
    ),
    Column::new(
        "QLEN",
        figure::RATE,
        5,
        Some(|l: &Listed| number(l.waiting)),
        |s, l: &Listed, _| s.figure(figure::count(l.waiting)),
    ),
    Column::new(
        "P/IRQ",
        6,
        6,
        Some(|l: &Listed| Key::Number(l.per_interrupt)),
        |s, l: &Listed, _| s.figure(figure::rate(l.per_interrupt)),
    ),
    Column::new("IRQ", 6, 6, None, |s, l: &Listed, _| {
        s.figure(
            l.cpu
                .map_or_else(|| figure::NONE.to_owned(), |cpu| format!("cpu{cpu}")),
        )
    }),
    Column::new(
        "LEN",
        figure::BYTES,
        7,
        Some(|l: &Listed| Key::Number(l.length)),
        |s, l: &Listed, _| s.figure(figure::bytes(l.length)),
    ),
    Column::new("DRIVER", 10, 8, None, |s, l: &Listed, _| {
        words(s, l.driver.as_deref())
    })
    .left(),
    Column::new("NETNS", 12, 7, None, |s, l: &Listed, _| {
        words(s, l.netns.as_deref())
    })
    .left()
    .grow(Grow::To(24)),
];

impl View for Devices {
    fn title(&self) -> &'static str {
        "Devices"
    }

    fn short(&self) -> &'static str {
        "Devs"
    }

    fn digit(&self) -> char {
        '3'
    }

    fn context(&self) -> Context {
        Context::Devices
    }

    fn sorts(&self) -> Vec<&'static str> {
        column::sorts(COLUMNS)
    }

    fn rows(&self, ui: &UiState, snapshot: &Snapshot) -> Vec<Row> {
        listed(ui, snapshot).into_iter().map(|l| l.row).collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let list = listed(scene.ui, scene.snapshot);
        let order: Vec<usize> = (0..list.len()).collect();
        let rows: Vec<Row> = list.iter().map(|l| l.row.clone()).collect();
        let cursor = scene.ui.pane().position(&rows);
        let least = (area.height / 2).clamp(4, 9);
        let forgotten = scene.snapshot.devices.forgotten();
        let lines = list.len() + 1 + usize::from(forgotten > 0);
        let (mut place, below) = split(area, lines, least..=u16::MAX);
        if forgotten > 0 {
            place.height = place.height.saturating_sub(1);
            let why = if scene.ui.history.paused() {
                "are not kept of past intervals"
            } else {
                "come with the next interval"
            };
            let line = format!("{forgotten} quieter devices {why}.");
            buf.set_stringn(
                area.x,
                place.bottom(),
                line,
                area.width.into(),
                scene.theme.dim,
            );
        }
        column::render(scene, COLUMNS, &list, &order, cursor, place, buf);
        if list.is_empty() {
            let message = if scene.snapshot.devices.is_empty() {
                "No device has been read yet: their counters come with the second reading."
            } else {
                "No device has this text: Esc clears it."
            };
            no_rows(scene, message, place, buf);
        }
        if let (Some(area), Some(cursor)) = (below, cursor) {
            let titles = column::shown(scene, COLUMNS, area.width);
            devices_detail::render(scene, &rows[cursor], &titles, area, buf);
        }
    }
}

/// The device of a row, and the queue if it is one's.
pub fn found<'a>(snapshot: &'a Snapshot, row: &Row) -> Option<(&'a Device, Option<&'a Queue>)> {
    let (of, queue) = match row {
        Row::Device(of) => (of, None),
        Row::Queue(of, direction, queue) => (of, Some((*direction, *queue))),
        _ => return None,
    };
    let device = snapshot.devices.iter().find(|device| id(device) == *of)?;
    let queue = match queue {
        None => None,
        Some(wanted) => Some(
            device
                .queues
                .iter()
                .find(|q| (q.direction, q.queue) == wanted)?,
        ),
    };
    Some((device, queue))
}

/// Devices in the order asked for, below each open one its queues.
fn listed(ui: &UiState, snapshot: &Snapshot) -> Vec<Listed> {
    let pane = ui.pane_of(Context::Devices);
    let devices: Vec<Listed> = snapshot.devices.iter().map(|d| of_device(ui, d)).collect();
    let order = column::arrange(&devices, pane, COLUMNS, |l| {
        let more = [&l.netns, &l.driver].map(|t| t.as_deref().unwrap_or("").to_owned());
        format!("{} {}", l.name, more.join(" "))
    });
    let mut list = Vec::new();
    for at in order {
        let device = &snapshot.devices[at];
        let open = devices[at].kind == Kind::Open;
        list.push(devices[at].clone());
        if open {
            list.extend(device.queues.iter().map(|queue| of_queue(device, queue)));
        }
    }
    list
}

fn id(device: &Device) -> (u64, u32) {
    (device.netns_id, device.ifindex)
}

fn of_device(ui: &UiState, d: &Device) -> Listed {
    let row = Row::Device(id(d));
    let kind = if d.queues.is_empty() {
        Kind::Single
    } else if ui.opened.contains(&id(d)) {
        Kind::Open
    } else {
        Kind::Closed
    };
    let busiest = d.irqs.iter().max_by_key(|irq| irq.count);
    Listed {
        row,
        name: clean(&d.name).into_owned(),
        kind,
        rx_rate: d.rx_rate,
        rx_bps: d.rx_bps,
        tx_rate: d.tx_rate,
        tx_bps: d.tx_bps,
        gro: d.gro_ratio,
        gso: d.gso_factor,
        per_poll: d.packets_per_poll,
        full_pct: d.full_polls_pct,
        per_interrupt: d.packets_per_interrupt,
        dropped: d.dropped,
        waiting: d.qdisc_backlog,
        cpu: busiest.and_then(|irq| irq.cpu),
        length: d.rx_length.or(d.tx_length),
        netns: d.netns.clone(),
        driver: d.driver.clone(),
    }
}

fn of_queue(d: &Device, q: &Queue) -> Listed {
    let rx = q.direction == "rx";
    let [rx_rate, tx_rate] = [rx, !rx].map(|this| q.rate.filter(|_| this));
    let [rx_bps, tx_bps] = [rx, !rx].map(|this| q.bps.filter(|_| this));
    let ratio = |of: Option<u64>| {
        let of = of.filter(|of| *of > 0)?;
        Some(q.packets? as f64 / of as f64)
    };
    Listed {
        row: Row::Queue(id(d), q.direction, q.queue),
        name: format!("{}-{}", q.direction, q.queue),
        kind: Kind::Queue,
        rx_rate,
        rx_bps,
        tx_rate,
        tx_bps,
        gro: None,
        gso: None,
        per_poll: None,
        full_pct: None,
        per_interrupt: ratio(q.interrupts.filter(|_| rx)),
        dropped: q.drops,
        waiting: None,
        cpu: q.cpu,
        length: None,
        netns: d.netns.clone(),
        driver: None,
    }
}

fn number(value: Option<u64>) -> Key {
    Key::Number(value.map(|value| value as f64))
}

fn name(scene: &Scene<'_>, l: &Listed, _: u16) -> Line<'static> {
    let (sign, style) = match l.kind {
        Kind::Open => ("▾", scene.theme.strong),
        Kind::Closed => ("▸", scene.theme.strong),
        Kind::Single => (" ", scene.theme.strong),
        Kind::Queue => ("  ", Style::new()),
    };
    Line::from(vec![
        Span::styled(sign, scene.theme.dim),
        Span::styled(l.name.clone(), style),
    ])
}

fn full(scene: &Scene<'_>, l: &Listed, _: u16) -> Line<'static> {
    let text = figure::percent(l.full_pct);
    scene.figure(match text.as_str() {
        figure::NONE => text,
        _ => format!("≈{text}"),
    })
}

fn dropped(scene: &Scene<'_>, l: &Listed, _: u16) -> Line<'static> {
    match l.dropped {
        Some(n) if n > 0 => Line::styled(figure::count(l.dropped), scene.theme.bad),
        _ => scene.figure(figure::count(l.dropped)),
    }
}

fn words(scene: &Scene<'_>, text: Option<&str>) -> Line<'static> {
    scene.figure(text.map_or_else(|| figure::NONE.to_owned(), |text| clean(text).into_owned()))
}

//! View 2: what each CPU did with its time, and with how many packets.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::column::{self, Column, Key, SPARK};
use super::{Scene, View, cpu_sampled, cpus_detail, no_rows, split, whole_host};
use crate::model::{Cpu, HISTORY, Snapshot};
use crate::tui::figure;
use crate::tui::input::keymap::Context;
use crate::tui::state::UiState;
use crate::tui::state::pane::Row;
use crate::tui::text::width as text_width;
use crate::tui::widget::heat::{per_cell, strip};
use crate::tui::widget::table::Grow;
use crate::tui::widget::{bar, spark};

pub struct Cpus;

/// Softirq shares above these ask for a look.
const WARM_PCT: f64 = 50.0;
const HOT_PCT: f64 = 85.0;

static COLUMNS: &[Column<Cpu>] = &[
    Column::new("CPU", 6, 0, None, name).left(),
    Column::new(
        "NODE",
        4,
        8,
        Some(|c: &Cpu| number(c.node.map(u64::from))),
        |s, c: &Cpu, _| count(s, c.node.map(u64::from)),
    )
    .when(many_nodes),
    Column::new(
        "NET%",
        figure::SHARE,
        0,
        Some(|c: &Cpu| Key::Number(c.net_pct)),
        |s, c: &Cpu, _| Line::styled(figure::share(c.net_pct), heat(s, c.net_pct)),
    )
    .when(cpu_sampled),
    Column::new(
        "SIRQ%",
        figure::PERCENT,
        0,
        Some(|c: &Cpu| Key::Number(c.softirq_pct)),
        softirq,
    ),
    Column::new("", 10, 11, None, softirq_bar)
        .left()
        .grow(Grow::To(24)),
    Column::new(SPARK, 8, 4, None, history)
        .left()
        .grow(Grow::Steps(&[9, 12, 15, 20, 30, 60])),
    Column::new(
        "USER",
        4,
        5,
        Some(|c: &Cpu| Key::Number(c.user_pct)),
        |s, c: &Cpu, _| pct(s, c.user_pct),
    ),
    Column::new(
        "SYS",
        4,
        4,
        Some(|c: &Cpu| Key::Number(c.system_pct)),
        |s, c: &Cpu, _| pct(s, c.system_pct),
    ),
    Column::new(
        "IRQ",
        4,
        7,
        Some(|c: &Cpu| Key::Number(c.irq_pct)),
        |s, c: &Cpu, _| pct(s, c.irq_pct),
    ),
    Column::new(
        "IDLE",
        4,
        3,
        Some(|c: &Cpu| Key::Number(c.idle_pct)),
        |s, c: &Cpu, _| pct(s, c.idle_pct),
    ),
    Column::new(
        "STEAL",
        5,
        9,
        Some(|c: &Cpu| Key::Number(c.steal_pct)),
        |s, c: &Cpu, _| pct(s, c.steal_pct),
    ),
    Column::new(
        "RX/s",
        6,
        1,
        Some(|c: &Cpu| Key::Number(c.rx_rate)),
        |s, c: &Cpu, _| rate(s, c.rx_rate),
    ),
    Column::new(
        "RUNS/s",
        6,
        2,
        Some(|c: &Cpu| Key::Number(c.net_rx_rate)),
        |s, c: &Cpu, _| rate(s, c.net_rx_rate),
    ),
    Column::new(
        "PKT/RUN",
        7,
        6,
        Some(|c: &Cpu| Key::Number(c.packets_per_run)),
        per_run,
    ),
    Column::new(
        "SQUEEZE",
        7,
        6,
        Some(|c: &Cpu| number(c.squeezed)),
        |s, c: &Cpu, _| trouble(s, c.squeezed, s.theme.warn),
    ),
    Column::new(
        "DROP",
        6,
        1,
        Some(|c: &Cpu| number(c.backlog_dropped)),
        |s, c: &Cpu, _| trouble(s, c.backlog_dropped, s.theme.bad),
    ),
    Column::new(
        "QLEN",
        5,
        10,
        Some(|c: &Cpu| number(c.backlog)),
        |s, c: &Cpu, _| count(s, c.backlog),
    ),
    Column::new(
        "RPS",
        6,
        10,
        Some(|c: &Cpu| number(c.received_rps)),
        |s, c: &Cpu, _| count(s, c.received_rps),
    ),
];

impl View for Cpus {
    fn title(&self) -> &'static str {
        "CPUs"
    }

    fn digit(&self) -> char {
        '2'
    }

    fn context(&self) -> Context {
        Context::Cpus
    }

    fn sorts(&self) -> Vec<&'static str> {
        column::sorts(COLUMNS)
    }

    fn rows(&self, ui: &UiState, snapshot: &Snapshot) -> Vec<Row> {
        let numbers = listed(ui, snapshot).into_iter();
        numbers.map(|cpu| Row::Cpu(cpu.cpu)).collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let cpus = listed(scene.ui, scene.snapshot);
        let order: Vec<usize> = (0..cpus.len()).collect();
        let cursor = scene
            .ui
            .pane()
            .position(&self.rows(scene.ui, scene.snapshot));
        let least = cpus_detail::least(scene, area.height);
        let area = heat_strip(scene, area, buf);
        let (list, below) = split(area, cpus.len() + 1, least..=u16::MAX);
        column::render(scene, COLUMNS, &cpus, &order, cursor, list, buf);
        if cpus.is_empty() {
            let message = if scene.snapshot.cpus.is_empty() {
                "No CPU could be read: netop doctor says what is missing."
            } else {
                "No CPU has this text: Esc clears it."
            };
            no_rows(scene, message, list, buf);
        }
        if let (Some(area), Some(cursor)) = (below, cursor) {
            let titles = column::shown(scene, COLUMNS, area.width);
            cpus_detail::render(scene, &cpus[cursor], &titles, area, buf);
        }
    }
}

/// CPUs that one sees in the list at a glance need no strip.
const STRIP_FROM: usize = 8;
/// A smaller view has no lines for it.
const STRIP_HEIGHT: u16 = 12;
/// It takes no more than one line of so many.
const STRIP_PART: u16 = 8;

/// Every CPU's softirq share in one cell, so that one hot among many is seen at once. Returns the
/// place that is left.
fn heat_strip(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Rect {
    let cpus = &scene.snapshot.cpus;
    if cpus.len() < STRIP_FROM || area.height < STRIP_HEIGHT {
        return area;
    }
    let lead = " SIRQ% ";
    let left = area.x.saturating_add(lead.len() as u16);
    let room = usize::from(area.right().saturating_sub(left));
    let shares: Vec<Option<f64>> = cpus.iter().map(|cpu| cpu.softirq_pct).collect();
    let per_cell = per_cell(cpus.len(), (room, usize::from(area.height / STRIP_PART)));
    let lines = strip(&shares, per_cell, room, |share| match share {
        Some(share) if share < WARM_PCT => scene.theme.spark,
        other => heat(scene, other),
    });
    let used = lines.len() as u16;
    let said = spread(&shares, per_cell);
    let short = match per_cell {
        1 => String::new(),
        cpus => format!("max of {cpus}"),
    };
    for (at, (y, line)) in (area.y..).zip(lines).enumerate() {
        // Of a further line, which CPU it begins with.
        let first = cpus.get(at * room * per_cell).map_or(0, |cpu| cpu.cpu);
        let lead = match at {
            0 => lead.to_owned(),
            _ => format!("{first:>6} "),
        };
        buf.set_stringn(area.x, y, &lead, usize::from(area.width), scene.theme.dim);
        buf.set_line(left, y, &line, room as u16);
        let end = left.saturating_add(line.width() as u16 + 2);
        let rest = usize::from(area.right().saturating_sub(end));
        let said = [&said, &short]
            .into_iter()
            .find(|text| text_width(text) <= rest);
        if let Some(said) = said.filter(|_| y + 1 == area.y + used) {
            buf.set_stringn(end, y, said, rest, scene.theme.dim);
        }
    }
    Rect {
        y: area.y + used,
        height: area.height - used,
        ..area
    }
}

/// `hottest 98%, mean 31%`
fn spread(shares: &[Option<f64>], per_cell: usize) -> String {
    let known: Vec<f64> = shares.iter().flatten().copied().collect();
    let hottest = known.iter().copied().reduce(f64::max);
    let mean = hottest.map(|_| known.iter().sum::<f64>() / known.len() as f64);
    let [hottest, mean] = [hottest, mean].map(figure::percent);
    let each = match per_cell {
        1 => String::new(),
        cpus => format!(" · the hottest of {cpus} CPUs a cell"),
    };
    format!("hottest {hottest}, mean {mean}{each}")
}

fn many_nodes(scene: &Scene<'_>) -> bool {
    let mut nodes = scene.snapshot.cpus.iter().filter_map(|cpu| cpu.node);
    nodes
        .next()
        .is_some_and(|first| nodes.any(|node| node != first))
}

/// The whole host stands above whatever sorts, but a text asks for single CPUs.
fn listed(ui: &UiState, snapshot: &Snapshot) -> Vec<Cpu> {
    let pane = ui.pane_of(Context::Cpus);
    let order = column::arrange(&snapshot.cpus, pane, COLUMNS, name_of);
    let whole = whole_host::row(snapshot).filter(|_| pane.text.is_empty());
    let single = order.into_iter().map(|i| snapshot.cpus[i].clone());
    whole.into_iter().chain(single).collect()
}

pub fn name_of(c: &Cpu) -> String {
    if c.cpu == whole_host::ALL {
        "all".to_owned()
    } else {
        format!("cpu{}", c.cpu)
    }
}

fn heat(scene: &Scene<'_>, value: Option<f64>) -> Style {
    match value {
        Some(value) if value >= HOT_PCT => scene.theme.bad,
        Some(value) if value >= WARM_PCT => scene.theme.warn,
        Some(_) => Style::new(),
        None => scene.theme.dim,
    }
}

fn name(scene: &Scene<'_>, c: &Cpu, _: u16) -> Line<'static> {
    Line::styled(name_of(c), scene.theme.strong)
}

fn softirq(scene: &Scene<'_>, c: &Cpu, _: u16) -> Line<'static> {
    Line::styled(figure::percent(c.softirq_pct), heat(scene, c.softirq_pct))
}

fn softirq_bar(scene: &Scene<'_>, c: &Cpu, width: u16) -> Line<'static> {
    let text = bar::text(c.softirq_pct, usize::from(width));
    Line::styled(text, heat(scene, c.softirq_pct))
}

fn history(scene: &Scene<'_>, c: &Cpu, width: u16) -> Line<'static> {
    let end = scene.snapshot.sequence;
    let text = spark::text(&c.history, end, HISTORY, usize::from(width));
    Line::styled(text, scene.theme.spark)
}

fn number(value: Option<u64>) -> Key {
    Key::Number(value.map(|value| value as f64))
}

fn pct(scene: &Scene<'_>, value: Option<f64>) -> Line<'static> {
    // Whole percents: the kernel's ticks know no more in a second.
    let text = value.map_or_else(
        || figure::NONE.to_owned(),
        |value| format!("{:.0}%", value.clamp(0.0, 999.0)),
    );
    scene.figure(text)
}

fn rate(scene: &Scene<'_>, value: Option<f64>) -> Line<'static> {
    scene.figure(figure::rate(value))
}

fn count(scene: &Scene<'_>, value: Option<u64>) -> Line<'static> {
    scene.figure(figure::count(value))
}

fn per_run(scene: &Scene<'_>, c: &Cpu, _: u16) -> Line<'static> {
    rate(scene, c.packets_per_run)
}

fn trouble(scene: &Scene<'_>, value: Option<u64>, style: Style) -> Line<'static> {
    match value {
        Some(n) if n > 0 => Line::styled(figure::count(value), style),
        _ => count(scene, value),
    }
}

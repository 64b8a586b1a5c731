//! View 2: what each CPU did with its time, and with how many packets.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::column::{self, Column, Key, SPARK};
use super::{Scene, View, lines, no_rows, rule, split};
use crate::model::{Cpu, HISTORY, Snapshot};
use crate::tui::figure;
use crate::tui::keymap::Context;
use crate::tui::pane::Row;
use crate::tui::state::UiState;
use crate::tui::widget::strip::{Part, fit};
use crate::tui::widget::table::Grow;
use crate::tui::widget::{bar, spark};

pub struct Cpus;

/// Softirq shares above these ask for a look.
const WARM_PCT: f64 = 50.0;
const HOT_PCT: f64 = 85.0;

static COLUMNS: &[Column<Cpu>] = &[
    Column::new("CPU", 6, 0, None, name).left(),
    Column::new(
        "SIRQ%",
        figure::PERCENT,
        0,
        Some(|c| Key::Number(c.softirq_pct)),
        softirq,
    ),
    Column::new("", 10, 11, None, softirq_bar)
        .left()
        .grow(Grow::To(24)),
    Column::new(SPARK, 9, 4, None, history)
        .left()
        .grow(Grow::Steps(&[12, 15, 20, 30, 60])),
    Column::new(
        "USER",
        4,
        5,
        Some(|c| Key::Number(c.user_pct)),
        |s, c, _| pct(s, c.user_pct),
    ),
    Column::new(
        "SYS",
        4,
        4,
        Some(|c| Key::Number(c.system_pct)),
        |s, c, _| pct(s, c.system_pct),
    ),
    Column::new("IRQ", 4, 7, None, |s, c, _| pct(s, c.irq_pct)),
    Column::new(
        "IDLE",
        4,
        3,
        Some(|c| Key::Number(c.idle_pct)),
        |s, c, _| pct(s, c.idle_pct),
    ),
    Column::new("STEAL", 5, 9, None, |s, c, _| pct(s, c.steal_pct)),
    Column::new("RX/s", 6, 1, Some(|c| Key::Number(c.rx_rate)), |s, c, _| {
        rate(s, c.rx_rate)
    }),
    Column::new(
        "RUNS/s",
        6,
        2,
        Some(|c| Key::Number(c.net_rx_rate)),
        |s, c, _| rate(s, c.net_rx_rate),
    ),
    Column::new(
        "PKT/RUN",
        7,
        6,
        Some(|c| Key::Number(c.packets_per_run)),
        per_run,
    ),
    Column::new("SQUEEZE", 7, 6, Some(|c| number(c.squeezed)), |s, c, _| {
        trouble(s, c.squeezed, s.theme.warn)
    }),
    Column::new(
        "DROP",
        6,
        1,
        Some(|c| number(c.backlog_dropped)),
        |s, c, _| trouble(s, c.backlog_dropped, s.theme.bad),
    ),
    Column::new("QLEN", 5, 10, Some(|c| number(c.backlog)), |s, c, _| {
        count(s, c.backlog)
    }),
    Column::new("RPS", 6, 10, None, |s, c, _| count(s, c.received_rps)),
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
        order(ui, snapshot)
            .into_iter()
            .map(|i| Row::Cpu(snapshot.cpus[i].cpu))
            .collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let cpus = &scene.snapshot.cpus;
        let order = order(scene.ui, scene.snapshot);
        let cursor = scene
            .ui
            .pane()
            .position(&self.rows(scene.ui, scene.snapshot));
        let (list, below) = split(area, order.len() + 1, 4..=u16::MAX);
        column::render(scene, COLUMNS, cpus, &order, cursor, list, buf);
        if order.is_empty() {
            let message = if cpus.is_empty() {
                "No CPU could be read: netop doctor says what is missing."
            } else {
                "No CPU has this text: Esc clears it."
            };
            no_rows(scene, message, list, buf);
        }
        if let (Some(area), Some(cursor)) = (below, cursor) {
            detail(scene, &cpus[order[cursor]], area, buf);
        }
    }
}

fn order(ui: &UiState, snapshot: &Snapshot) -> Vec<usize> {
    let pane = ui.pane_of(Context::Cpus);
    column::arrange(&snapshot.cpus, pane, COLUMNS, |c| format!("cpu{}", c.cpu))
}

fn detail(scene: &Scene<'_>, c: &Cpu, area: Rect, buf: &mut Buffer) {
    let dim = scene.theme.dim;
    let node = c
        .node
        .map_or_else(String::new, |node| format!("node {node}"));
    let title = vec![
        Span::styled(format!("cpu{}", c.cpu), scene.theme.strong),
        Span::styled(node, dim),
    ];
    rule(scene, title, area, buf);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let said = |rank, text: String| (rank, Line::styled(format!(" {text}"), dim));
    let figures = [
        ("packets", c.rx_packets),
        ("squeezed", c.squeezed),
        ("dropped", c.backlog_dropped),
        ("waiting", c.backlog),
        ("steered here", c.received_rps),
        ("polls", c.napi_polls),
    ];
    let parts = figures.iter().zip(0..).map(|((name, value), rank)| {
        Part::new(
            rank,
            vec![Span::raw(format!("{name} {}", figure::count(*value)))],
        )
    });
    let mut figures = fit(
        parts.collect(),
        "  ",
        usize::from(area.width).saturating_sub(1),
    );
    figures.spans.insert(0, Span::raw(" "));
    let mut list = vec![(0, figures)];
    if c.cost_pct.is_some() {
        let cost = figure::percent(c.cost_pct);
        list.push((
            1,
            Line::raw(format!(" netop's events cost {cost} of this CPU")),
        ));
    }
    list.push(said(
        2,
        "SIRQ% all softirqs · RUNS net_rx_action · PKT/RUN packets per run".into(),
    ));
    list.push(said(
        3,
        "SQUEEZE runs that ended with work left: out of budget or of time".into(),
    ));
    list.push(said(
        4,
        "DROP packets lost because this CPU's backlog was full".into(),
    ));
    list.push(said(
        5,
        "QLEN packets in the backlog now · RPS interrupts to steer packets".into(),
    ));
    lines(list, below, buf);
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
    Line::styled(format!("cpu{}", c.cpu), scene.theme.strong)
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

fn plain(scene: &Scene<'_>, text: String) -> Line<'static> {
    let none = text == figure::NONE;
    Line::styled(text, if none { scene.theme.dim } else { Style::new() })
}

fn pct(scene: &Scene<'_>, value: Option<f64>) -> Line<'static> {
    // Whole percents: the kernel's ticks know no more in a second.
    let text = value.map_or_else(
        || figure::NONE.to_owned(),
        |value| format!("{:.0}%", value.clamp(0.0, 999.0)),
    );
    plain(scene, text)
}

fn rate(scene: &Scene<'_>, value: Option<f64>) -> Line<'static> {
    plain(scene, figure::rate(value))
}

fn count(scene: &Scene<'_>, value: Option<u64>) -> Line<'static> {
    plain(scene, figure::count(value))
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

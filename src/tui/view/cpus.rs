//! View 2: what each CPU did with its time, and with how many packets.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::column::{self, Column, Key, SPARK};
use super::paragraphs::{self, Paragraph};
use super::{Scene, View, no_rows, rule, split, whole_host};
use crate::model::{Cpu, HISTORY, Snapshot};
use crate::tui::figure;
use crate::tui::keymap::Context;
use crate::tui::pane::Row;
use crate::tui::state::UiState;
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
        let (list, below) = split(area, cpus.len() + 1, 4..=u16::MAX);
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
            detail(scene, &cpus[cursor], area, buf);
        }
    }
}

/// The whole host stands above whatever sorts, but a text asks for single CPUs.
fn listed(ui: &UiState, snapshot: &Snapshot) -> Vec<Cpu> {
    let pane = ui.pane_of(Context::Cpus);
    let order = column::arrange(&snapshot.cpus, pane, COLUMNS, name_of);
    let whole = whole_host::row(snapshot).filter(|_| pane.text.is_empty());
    let single = order.into_iter().map(|i| snapshot.cpus[i].clone());
    whole.into_iter().chain(single).collect()
}

fn name_of(c: &Cpu) -> String {
    if c.cpu == whole_host::ALL {
        "all".to_owned()
    } else {
        format!("cpu{}", c.cpu)
    }
}

/// What the titles mean.
const LEGEND: &[(&str, &str)] = &[
    ("SIRQ%", "all softirqs"),
    ("RUNS/s", "runs of net_rx_action"),
    ("PKT/RUN", "packets per run"),
    (
        "SQUEEZE",
        "runs that ended with work left: out of budget or of time",
    ),
    ("DROP", "packets lost because a CPU's backlog was full"),
    ("QLEN", "packets in the backlog now"),
    ("RPS", "interrupts to steer packets"),
];

fn detail(scene: &Scene<'_>, c: &Cpu, area: Rect, buf: &mut Buffer) {
    let dim = scene.theme.dim;
    let whole = c.cpu == whole_host::ALL;
    let what = match c.node {
        _ if whole => format!("{} CPUs: means and sums", scene.snapshot.cpus.len()),
        Some(node) => format!("node {node}"),
        None => String::new(),
    };
    let title = vec![
        Span::styled(name_of(c), scene.theme.strong),
        Span::styled(what, dim),
    ];
    rule(scene, title, area, buf);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let figures = [
        ("packets", c.rx_packets),
        ("squeezed", c.squeezed),
        ("dropped", c.backlog_dropped),
        ("waiting", c.backlog),
        ("steered", c.received_rps),
        ("polls", c.napi_polls),
    ];
    let figures = figures.map(|(name, value)| format!("{name} {}", figure::count(value)));
    let mut list = vec![Paragraph::new(0, figures.join(" · "), Style::new())];
    if c.cost_pct.is_some() {
        let cost = figure::percent(c.cost_pct);
        let of = if whole { "all CPUs" } else { "this CPU" };
        let said = format!("netop's events cost {cost} of {of}");
        list.push(Paragraph::new(2, said, Style::new()));
    }
    let titles = column::shown(COLUMNS, area.width);
    let legend = LEGEND.iter().zip(3..);
    list.extend(
        legend
            .filter(|((title, _), _)| titles.contains(title))
            .map(|((title, text), rank)| Paragraph::new(rank, format!("{title} {text}"), dim)),
    );
    paragraphs::render(list, below, buf);
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

//! View 4: the processes in whose context the stack ran. Figures are per second of the interval.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::column::{self, Column, Key};
use super::{Scene, View, cpu_sampled, difference, lines, no_rows, rule, split};
use crate::model::{NO_SOCKET, Process, Snapshot};
use crate::tui::figure;
use crate::tui::input::keymap::Context;
use crate::tui::state::UiState;
use crate::tui::state::baseline::process_key;
use crate::tui::state::pane::Row;
use crate::tui::text::clean;
use crate::tui::widget::table::Grow;

pub struct Procs;

/// What watches has its own place in the list, and says so.
const OWN: &str = "netop";

static COLUMNS: &[Column<Process>] = &[
    Column::new(
        "PID",
        7,
        0,
        Some(|p: &Process| Key::Number(Some(-f64::from(p.pid)))),
        |_, p, _| Line::raw(pid(p)),
    ),
    Column::new(
        "COMMAND",
        15,
        0,
        Some(|p: &Process| Key::Text(p.comm.clone())),
        command,
    )
    .left()
    .grow(Grow::To(30)),
    Column::new("POD/UNIT", 10, 4, None, container)
        .left()
        .grow(Grow::To(30)),
    Column::new(
        "RX B/s",
        figure::BYTES + 1,
        1,
        Some(|p: &Process| Key::Number(p.rx_bytes)),
        |s, p: &Process, _| bytes(s, p, p.rx_bytes),
    ),
    Column::new(
        "TX B/s",
        figure::BYTES + 1,
        1,
        Some(|p: &Process| Key::Number(p.tx_bytes)),
        |s, p: &Process, _| bytes(s, p, p.tx_bytes),
    ),
    Column::new(
        "OWN%",
        figure::SHARE,
        1,
        Some(|p: &Process| Key::Number(p.cpu_own_pct)),
        |s, p: &Process, _| s.figure(figure::share(p.cpu_own_pct)),
    )
    .when(cpu_sampled),
    Column::new("ΔOWN%", 6, 2, None, |s, p: &Process, _| {
        difference::cell(s, &process_key(p.pid), |row| &row.cpu_pct)
    })
    .when(|scene| cpu_sampled(scene) && scene.mark.is_some()),
    Column::new(
        "SOFT%",
        figure::SHARE,
        1,
        Some(|p: &Process| Key::Number(p.cpu_softirq_owned_pct)),
        |s, p: &Process, _| s.figure(figure::share(p.cpu_softirq_owned_pct)),
    )
    .when(cpu_sampled),
    Column::new(
        "STOLEN%",
        figure::SHARE + 2,
        1,
        Some(|p: &Process| Key::Number(p.cpu_stolen_pct)),
        |s, p: &Process, _| s.figure(figure::share(p.cpu_stolen_pct)),
    )
    .when(cpu_sampled),
    Column::new(
        "RUNQ",
        6,
        4,
        Some(|p: &Process| Key::Number(p.runq_delay_ms)),
        |s, p: &Process, _| s.figure(figure::milliseconds(p.runq_delay_ms)),
    ),
    Column::new(
        "DROP/s",
        6,
        3,
        Some(|p: &Process| Key::Number(p.drops)),
        |s, p: &Process, _| packets(s, p, p.drops),
    ),
    Column::new(
        "RETR/s",
        6,
        5,
        Some(|p: &Process| Key::Number(p.retransmits)),
        |s, p: &Process, _| packets(s, p, p.retransmits),
    ),
    Column::new("LIMIT", 10, 2, None, limit).left(),
    Column::new(
        "TX/s",
        figure::ESTIMATE,
        6,
        Some(|p: &Process| Key::Number(p.tx_calls)),
        |s, p: &Process, _| per_second(s, p, p.tx_calls),
    ),
    Column::new(
        "RX/s",
        figure::ESTIMATE,
        6,
        Some(|p: &Process| Key::Number(p.rx_calls)),
        |s, p: &Process, _| per_second(s, p, p.rx_calls),
    ),
    Column::new(
        "TXPKT/s",
        figure::ESTIMATE,
        7,
        Some(|p: &Process| Key::Number(p.tx_packets)),
        |s, p: &Process, _| packets(s, p, p.tx_packets),
    ),
    Column::new(
        "RXPKT/s",
        figure::ESTIMATE,
        7,
        Some(|p: &Process| Key::Number(p.rx_packets)),
        |s, p: &Process, _| packets(s, p, p.rx_packets),
    ),
    Column::new(
        "HITS/s",
        figure::ESTIMATE,
        8,
        Some(|p: &Process| Key::Number(Some(p.context_rate))),
        hits,
    ),
];

impl View for Procs {
    fn title(&self) -> &'static str {
        "Procs"
    }

    fn digit(&self) -> char {
        '4'
    }

    fn context(&self) -> Context {
        Context::Procs
    }

    fn sorts(&self) -> Vec<&'static str> {
        column::sorts(COLUMNS)
    }

    fn rows(&self, ui: &UiState, snapshot: &Snapshot) -> Vec<Row> {
        order(ui, snapshot)
            .into_iter()
            .map(|i| Row::Process(snapshot.processes[i].pid))
            .collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let processes = &scene.snapshot.processes;
        let order = order(scene.ui, scene.snapshot);
        let cursor = scene
            .ui
            .pane()
            .position(&self.rows(scene.ui, scene.snapshot));
        let most = if cpu_sampled(scene) { 9 } else { 7 };
        let (list, below) = split(area, order.len() + 1, 4..=most);
        column::render(scene, COLUMNS, processes, &order, cursor, list, buf);
        if order.is_empty() {
            let message = if processes.is_empty() {
                "No process has been sampled yet: processes come from the samples of counted functions."
            } else {
                "No process has this text: Esc clears it."
            };
            no_rows(scene, message, list, buf);
        }
        if let (Some(area), Some(cursor)) = (below, cursor) {
            detail(scene, &processes[order[cursor]], area, buf);
        }
    }
}

fn order(ui: &UiState, snapshot: &Snapshot) -> Vec<usize> {
    let pane = ui.pane_of(Context::Procs);
    column::arrange(&snapshot.processes, pane, COLUMNS, |p| {
        let container = p.container.as_deref().unwrap_or("");
        format!("{} {} {container}", p.pid, name(p))
    })
}

fn detail(scene: &Scene<'_>, p: &Process, area: Rect, buf: &mut Buffer) {
    let dim = scene.theme.dim;
    let state = if p.ended { "has ended" } else { "" };
    let title = vec![
        Span::styled(format!("{}({})", name(p), pid(p)), scene.theme.strong),
        Span::styled(state, scene.theme.warn),
    ];
    rule(scene, title, area, buf);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let enter = match scene.snapshot.filter.pids.as_slice() {
        _ if p.pid == NO_SOCKET => {
            "Forwarded packets, and those that came to no socket or to one whose process is not known"
        }
        _ if p.pid == 0 => "The idle task of every CPU: it cannot be counted alone",
        [only] if *only == p.pid => "Only this process is counted, all its threads; Esc: all",
        _ => "Enter counts only this process, all its threads, exactly",
    };
    let mut list = vec![(0, Line::raw(format!(" {enter}")))];
    if let Some(limit) = &p.limit {
        list.push((1, Line::raw(format!(" limit: {}", held_up(limit)))));
    }
    if let Some(ms) = p.oldest_rx_ms.filter(|ms| *ms >= 1.0) {
        let waited = figure::milliseconds(Some(ms));
        list.push((
            1,
            Line::raw(format!(" data for it has waited {waited} to be read")),
        ));
    }
    let said = |rank, text: &str| (rank, Line::styled(format!(" {text}"), dim));
    if cpu_sampled(scene) {
        list.push((0, Line::raw(paid(p))));
        list.push(said(1, "own: network work in its own system calls"));
        list.push(said(
            1,
            "soft: receive softirqs for its sockets, on anybody's time (≈, split by packets)",
        ));
        list.push(said(
            1,
            "stolen: network softirqs and interrupts for any socket, on its time",
        ));
    }
    list.push(said(
        2,
        "HITS of all counted functions while this process was on the CPU: receive",
    ));
    list.push(said(
        2,
        "work done in whatever process was interrupted is in its figure too",
    ));
    list.push(said(
        3,
        "TX and RX: its own calls to send and to receive, and the bytes they moved",
    ));
    if column::shown(scene, COLUMNS, area.width).contains(&"RUNQ") {
        let text = "RUNQ: how long it waited for a CPU in this interval";
        list.push(said(4, text));
    }
    lines(list, below, buf);
}

/// The limit in words.
fn held_up(limit: &str) -> String {
    let (what, share) = limit.split_once(' ').unwrap_or((limit, ""));
    let meaning = match what {
        "cpu" => "of its periods its CPU quota was used up",
        "runq" => "of the time it waited for a CPU",
        "rcvbuf" => "of its receive buffer is full: it does not read what has come",
        "rwnd" => "of the time the peer's window was full: the peer does not read",
        "sndbuf" => "of the time its send buffer was full",
        "cwnd" => "of the time it waited for the network",
        "app" => "of the time it had nothing to send",
        _ => "",
    };
    clean(&format!("{what}, {share} {meaning}")).into_owned()
}

/// What it paid, and what it waited: the column of that may have had no room.
fn paid(p: &Process) -> String {
    let mut parts = vec![
        format!("own {}", figure::percent(p.cpu_own_pct)),
        format!("soft {}", figure::percent(p.cpu_softirq_owned_pct)),
        format!("stolen {} of one CPU", figure::percent(p.cpu_stolen_pct)),
    ];
    if p.runq_delay_ms.is_some() {
        let waited = figure::milliseconds(p.runq_delay_ms);
        parts.push(format!("waited {waited} for a CPU"));
    }
    format!(" {}", parts.join(" · "))
}

/// A process whose name nobody could read before it was gone has none.
fn name(p: &Process) -> Cow<'_, str> {
    match p.comm.as_str() {
        "" | figure::NONE => Cow::Borrowed("unnamed"),
        comm => clean(comm),
    }
}

fn command(scene: &Scene<'_>, p: &Process, _: u16) -> Line<'static> {
    let mut spans = vec![Span::styled(name(p).into_owned(), scene.theme.strong)];
    if p.comm == OWN {
        spans.push(Span::styled(" (itself)", scene.theme.dim));
    }
    if p.ended {
        spans.push(Span::styled(" (ended)", scene.theme.warn));
    }
    Line::from(spans)
}

/// What no socket can be named for has none.
fn pid(p: &Process) -> String {
    if p.pid == NO_SOCKET {
        "–".to_owned()
    } else {
        p.pid.to_string()
    }
}

fn packets(scene: &Scene<'_>, p: &Process, value: Option<f64>) -> Line<'static> {
    scene.figure(figure::estimate(rate(scene, value), p.packets_estimated))
}

fn limit(_: &Scene<'_>, p: &Process, _: u16) -> Line<'static> {
    Line::raw(clean(p.limit.as_deref().unwrap_or("")).into_owned())
}

fn hits(scene: &Scene<'_>, p: &Process, _: u16) -> Line<'static> {
    scene.figure(figure::estimate(
        Some(p.context_rate),
        p.estimated && !p.calls_exact,
    ))
}

fn rate(scene: &Scene<'_>, value: Option<f64>) -> Option<f64> {
    value.map(|value| value / scene.snapshot.interval_s)
}

fn per_second(scene: &Scene<'_>, p: &Process, value: Option<f64>) -> Line<'static> {
    scene.figure(figure::estimate(
        rate(scene, value),
        p.estimated && !p.calls_exact,
    ))
}

fn bytes(scene: &Scene<'_>, p: &Process, value: Option<f64>) -> Line<'static> {
    let text = figure::bytes(rate(scene, value));
    if p.estimated && !p.bytes_exact && text != figure::NONE {
        scene.figure(format!("≈{text}"))
    } else {
        scene.figure(text)
    }
}

fn container(scene: &Scene<'_>, p: &Process, _: u16) -> Line<'static> {
    scene.figure(
        p.container
            .as_deref()
            .map_or_else(|| figure::NONE.to_owned(), |name| clean(name).into_owned()),
    )
}

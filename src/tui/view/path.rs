//! View 1: the functions of the stack in the order of a packet's path, how often each ran.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::column::{self, Column, Key, SPARK};
use super::skb_drops::{beside_trouble, trouble};
use super::{Scene, View, cost, cpu_sampled, no_rows, path_detail, split};
use crate::model::{Function, HISTORY, Role, Snapshot};
use crate::tui::figure;
use crate::tui::input::keymap::Context;
use crate::tui::state::UiState;
use crate::tui::state::pane::Row;
use crate::tui::text::{clean, clip_function};
use crate::tui::widget::spark;
use crate::tui::widget::table::Grow;

pub struct Path;

/// Ranks: where room is short the cost stays longer than the shape, and what leaves first is what
/// the detail pane says too.
static COLUMNS: &[Column<Function>] = &[
    Column::new(
        "FUNCTION",
        18,
        0,
        Some(|f: &Function| Key::Text(f.name.to_string())),
        name,
    )
    .left()
    .grow(Grow::To(32)),
    Column::new(
        "RATE/s",
        figure::ESTIMATE,
        0,
        Some(|f: &Function| Key::Number(f.rate)),
        rate,
    ),
    Column::new(SPARK, 10, 4, None, history)
        .left()
        .grow(Grow::Steps(&[12, 15, 20, 30, 60])),
    Column::new(
        "CALLS",
        6,
        11,
        Some(|f: &Function| count_key(f.calls)),
        calls,
    )
    .from(120),
    Column::new(
        "PKT/HIT",
        7,
        5,
        Some(|f: &Function| Key::Number(f.packets_per_hit)),
        per_hit,
    ),
    Column::new(
        "CPU%",
        figure::SHARE,
        1,
        Some(|f: &Function| Key::Number(f.cpu_pct)),
        cost::cpu,
    )
    .when(cpu_sampled),
    Column::new(
        "SELF%",
        figure::SHARE,
        6,
        Some(|f: &Function| Key::Number(f.self_pct)),
        cost::own,
    )
    .when(cpu_sampled),
    // The same as CPU%, in another unit: it has nothing of its own to sort by.
    Column::new("CORES", figure::CORES + 1, 9, None, cost::cores)
        .from(100)
        .when(cpu_sampled),
    Column::new(
        "NS/PKT",
        figure::COST,
        2,
        Some(|f: &Function| Key::Number(f.ns_per_packet)),
        cost::per_packet,
    )
    .when(cpu_sampled),
    Column::new(
        "±%",
        figure::ERROR,
        7,
        Some(|f: &Function| Key::Number(cost::error_pct(f))),
        cost::error,
    )
    .when(cpu_sampled),
    Column::new("ΔNS/PKT", 7, 3, None, cost::since_mark)
        .when(|scene| cpu_sampled(scene) && scene.mark.is_some()),
    Column::new(
        "PEAK",
        6,
        9,
        Some(|f: &Function| Key::Number(f.peak_rate)),
        peak,
    ),
    Column::new(
        "TOTAL",
        6,
        10,
        Some(|f: &Function| count_key(f.total)),
        total,
    ),
    Column::new(
        "SOURCE",
        9,
        8,
        Some(|f: &Function| Key::Text(f.label.to_string())),
        source,
    )
    .left()
    .grow(Grow::To(14)),
    Column::new("CPUS", 22, 12, None, cpus)
        .from(110)
        .left()
        .grow(Grow::To(60)),
    Column::new(
        "EVENT",
        28,
        13,
        Some(|f: &Function| Key::Text(f.event.to_string())),
        event,
    )
    .from(170)
    .left()
    .grow(Grow::To(48)),
];

fn count_key(value: Option<u64>) -> Key {
    Key::Number(value.map(|n| n as f64))
}

impl View for Path {
    fn title(&self) -> &'static str {
        "Path"
    }

    fn digit(&self) -> char {
        '1'
    }

    fn context(&self) -> Context {
        Context::Path
    }

    fn sorts(&self) -> Vec<&'static str> {
        column::sorts(COLUMNS)
    }

    fn rows(&self, ui: &UiState, snapshot: &Snapshot) -> Vec<Row> {
        order(ui, snapshot)
            .into_iter()
            .map(|i| Row::Function(snapshot.functions[i].name.clone()))
            .collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let functions = &scene.snapshot.functions;
        let order = order(scene.ui, scene.snapshot);
        let rows = self.rows(scene.ui, scene.snapshot);
        let cursor = scene.ui.pane().position(&rows);
        let (list, detail) = split(area, order.len() + 1, 4..=u16::MAX);
        column::render(scene, COLUMNS, functions, &order, cursor, list, buf);
        if order.is_empty() {
            let message = if functions.is_empty() {
                "No function is known on this host: netop doctor says what is missing."
            } else {
                "No function has this text: Esc clears it."
            };
            no_rows(scene, message, list, buf);
        }
        if let (Some(area), Some(cursor)) = (detail, cursor) {
            path_detail::render(scene, &functions[order[cursor]], area, buf);
        }
    }
}

fn order(ui: &UiState, snapshot: &Snapshot) -> Vec<usize> {
    let pane = ui.pane_of(Context::Path);
    column::arrange(&snapshot.functions, pane, COLUMNS, |f| {
        format!("{} {}", label(f), f.event)
    })
}

/// Freed with a reason is a drop; the name alone does not say so.
pub fn label(function: &Function) -> String {
    let name = clean(&function.name);
    if function.role == Some(Role::Drops) {
        format!("{name} drops")
    } else {
        name.into_owned()
    }
}

fn name(scene: &Scene<'_>, f: &Function, room: u16) -> Line<'static> {
    let trouble = trouble(scene, f);
    let losing = trouble.map_or_else(
        || f.role == Some(Role::Drops) && f.calls > Some(0),
        |trouble| trouble.rate > 0.0,
    );
    let style = if f.calls.is_none() && f.has_event() {
        scene.theme.dim
    } else if losing {
        scene.theme.bad
    } else {
        scene.theme.strong
    };
    let module = scene.snapshot.filter.module.as_deref();
    let label = match trouble {
        Some(_) => "kfree_skb trouble".to_owned(),
        None => clip_function(&label(f), module, usize::from(room)),
    };
    Line::styled(label, style)
}

fn rate(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    match trouble(scene, f) {
        Some(trouble) => scene.figure(figure::estimate(
            Some(trouble.rate),
            trouble.estimated || f.estimated,
        )),
        None => scene.figure(figure::estimate(f.rate, f.estimated)),
    }
}

fn history(scene: &Scene<'_>, f: &Function, width: u16) -> Line<'static> {
    let end = scene.snapshot.sequence;
    let text = spark::text(&f.history, end, HISTORY, usize::from(width));
    Line::styled(text, scene.theme.spark)
}

fn calls(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    scene.figure(figure::count(f.calls))
}

fn peak(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    scene.figure(figure::rate(f.peak_rate))
}

fn total(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    scene.figure(figure::count(f.total))
}

fn per_hit(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    scene.figure(per_hit_text(f))
}

/// Packets as a bare number, bytes with their unit: `3.6`, `26`, `1.4kB`, `≈1.4kB`; at most seven
/// cells.
fn per_hit_text(f: &Function) -> String {
    let (estimated, text) = match (f.packets_per_hit, f.bytes_per_hit) {
        (Some(packets), _) if packets.is_finite() => (f.packets_estimated(), packets_text(packets)),
        (_, Some(bytes)) => (f.bytes_estimated(), figure::bytes(Some(bytes))),
        _ => return figure::NONE.to_owned(),
    };
    if estimated {
        format!("≈{text}")
    } else {
        text
    }
}

/// `3.6 packets a hit`, for sentences.
pub fn per_hit_words(f: &Function) -> Option<String> {
    let unit = match (f.packets_per_hit, f.bytes_per_hit) {
        (Some(packets), _) if packets.is_finite() => " packets",
        (_, Some(_)) => "",
        _ => return None,
    };
    Some(format!("{}{unit} a hit", per_hit_text(f)))
}

fn packets_text(packets: f64) -> String {
    if packets < 9.95 {
        format!("{:.1}", packets.max(0.0))
    } else {
        figure::rate(Some(packets))
    }
}

fn source(scene: &Scene<'_>, f: &Function, width: u16) -> Line<'static> {
    let beside = trouble(scene, f).and_then(|_| beside_trouble(scene, width));
    if let Some(beside) = beside {
        return Line::styled(beside, scene.theme.dim);
    }
    let text = match (f.calls, f.label.is_empty()) {
        (None, _) => figure::NONE.to_owned(),
        (_, false) => clean(&f.label).into_owned(),
        (_, true) => f
            .source
            .map_or(figure::NONE, |source| source.name())
            .to_owned(),
    };
    let mut spans = vec![Span::styled(text, scene.theme.dim)];
    if scene.ui.want().exact.contains(&*f.name) {
        spans.push(Span::styled("*", scene.theme.key));
    }
    Line::from(spans)
}

fn cpus(scene: &Scene<'_>, f: &Function, width: u16) -> Line<'static> {
    Line::styled(cpu_split(f, usize::from(width)), scene.theme.dim)
}

fn event(scene: &Scene<'_>, f: &Function, _: u16) -> Line<'static> {
    Line::styled(clean(&f.event).into_owned(), scene.theme.dim)
}

/// `cpu1 62% cpu0 38%`; what finds no room is summed up: `28 others 42%`.
pub fn cpu_split(f: &Function, room: usize) -> String {
    let mut cpus = f.per_cpu.clone();
    cpus.sort_by_key(|cpu| (std::cmp::Reverse(cpu.calls), cpu.cpu));
    cpus.retain(|cpu| cpu.calls > 0);
    let all: u64 = cpus.iter().map(|cpu| cpu.calls).sum();
    let share = |calls: u64| figure::percent(Some(calls as f64 * 100.0 / all as f64));
    let mut text = String::new();
    let mut left = all;
    for (i, cpu) in cpus.iter().enumerate() {
        let sep = if i > 0 { " " } else { "" };
        let more = format!("{text}{sep}cpu{} {}", cpu.cpu, share(cpu.calls));
        let others = cpus.len() - i - 1;
        let rest = if others == 0 {
            String::new()
        } else {
            format!(" {} {}", figure::others(others), share(left - cpu.calls))
        };
        // `others` is written for the last entry that leaves room for it.
        if more.len() + rest.len() > room {
            if i > 0 {
                text = format!("{text} {} {}", figure::others(others + 1), share(left));
            } else if more.len() <= room {
                text = more;
            }
            break;
        }
        left -= cpu.calls;
        text = more;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CpuCalls;
    use crate::tui::fixture;

    #[test]
    fn the_cpu_split_sums_up_what_has_no_room() {
        let mut f = fixture::function("f", Some(100));
        f.per_cpu = (0..10)
            .map(|cpu| CpuCalls {
                cpu,
                calls: 10 + u64::from(cpu),
            })
            .collect();
        let text = cpu_split(&f, 30);
        assert!(
            text.starts_with("cpu9 13%") && text.contains("others"),
            "{text}"
        );
        for room in 0..120 {
            let text = cpu_split(&f, room);
            assert!(text.len() <= room || text.is_empty(), "{room}: {text}");
        }
        f.per_cpu.clear();
        assert_eq!(cpu_split(&f, 30), "");
    }

    #[test]
    fn what_a_hit_carries_is_packets_or_bytes_or_nothing() {
        let mut f = fixture::function("f", Some(1));
        assert_eq!(per_hit_text(&f), "–");
        f.bytes_per_hit = Some(1400.0);
        assert_eq!(per_hit_text(&f), "1.4kB");
        (f.bytes_exact, f.samples) = (false, 0);
        assert_eq!(per_hit_text(&f), "≈1.4kB", "from samples");
        f.packets_per_hit = Some(32.5);
        assert_eq!(per_hit_text(&f), "32");
        f.packets_per_hit = Some(3.64);
        assert_eq!(per_hit_text(&f), "3.6");
        assert_eq!(per_hit_words(&f).as_deref(), Some("3.6 packets a hit"));
        f.packets_per_hit = Some(f64::MAX);
        assert!(per_hit_text(&f).chars().count() <= 7);
    }
}

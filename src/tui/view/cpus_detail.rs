//! Below the CPUs: what of the selected one went to the network and into which stages; below that,
//! where lines are free, its counters and what the titles mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::cpus::name_of;
use super::paragraphs::{self, Paragraph};
use super::{Scene, rule, stages, whole_host};
use crate::model::Cpu;
use crate::tui::figure;
use crate::tui::widget::strip::{Part, fit};

/// Lines that the list of CPUs keeps above.
const LIST_LEAST: u16 = 6;
/// Rule, network, contexts, titles.
const ABOVE_STAGES: u16 = 4;
/// So many stages are shown before the CPUs get more lines than they must have.
const STAGES_LEAST: u16 = 8;

/// The fewest lines of the pane in a view of that height.
pub fn least(scene: &Scene<'_>, height: u16) -> u16 {
    if !scene.cpu_sampled() {
        return 4;
    }
    let stages = u16::try_from(scene.snapshot.stages.len()).unwrap_or(u16::MAX);
    let wanted = stages.saturating_add(ABOVE_STAGES);
    let share = (ABOVE_STAGES + STAGES_LEAST).max(height / 2);
    wanted
        .min(share)
        .min(height.saturating_sub(LIST_LEAST))
        .max(4)
}

pub fn render(scene: &Scene<'_>, c: &Cpu, titles: &[&str], area: Rect, buf: &mut Buffer) {
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
    let mut y = area.y.saturating_add(1);
    if scene.cpu_sampled() {
        let width = usize::from(area.width);
        let mut lines = vec![network(scene, c, width)];
        if whole {
            lines.push(contexts(scene, width));
        }
        for line in lines {
            if y < area.bottom() && line.width() > 0 {
                buf.set_line(area.x, y, &line, area.width);
                y += 1;
            }
        }
        let place = Rect {
            y,
            height: area.bottom().saturating_sub(y),
            ..area
        };
        y += stages::render(scene, (!whole).then_some(c.cpu), place, buf);
    }
    let rest = Rect {
        y,
        height: area.bottom().saturating_sub(y),
        ..area
    };
    paragraphs::render(rest_of(scene, c, titles), rest, buf);
}

/// ` NETWORK 2.31 ±0.12 of 4 CPUs: rx 154%  tx 51%  sock 26%  observers 2%`
fn network(scene: &Scene<'_>, c: &Cpu, width: usize) -> Line<'static> {
    let summary = &scene.snapshot.summary;
    let whole = c.cpu == whole_host::ALL;
    let (head, ways) = if whole {
        let error = match summary.net_cores_error {
            None => String::new(),
            some => format!(" ±{}", figure::cores(some)),
        };
        let cores = figure::cores(summary.net_cores);
        let of = scene.snapshot.host.cpus_online;
        (
            format!("{cores}{error} of {of} CPUs"),
            [
                ("rx", summary.net_rx_pct),
                ("tx", summary.net_tx_pct),
                ("sock", summary.net_sock_pct),
                ("other", summary.net_other_pct),
                ("observers", summary.observer_pct),
            ],
        )
    } else {
        (
            figure::percent(c.net_pct),
            [
                ("rx", c.net_rx_pct),
                ("tx", c.net_tx_pct),
                ("sock", c.net_sock_pct),
                ("other", None),
                ("observers", c.observer_pct),
            ],
        )
    };
    let ways = ways.into_iter().filter(|(_, pct)| pct.is_some());
    let ways: Vec<String> = ways
        .map(|(name, pct)| format!("{name} {}", figure::percent(pct)))
        .collect();
    let colon = if ways.is_empty() { "" } else { ":" };
    labelled(scene, "NETWORK", format!("{head}{colon}"), ways, width)
}

/// ` CONTEXT softirq 41%  process 30%  idle 27%`: shares of the time of all CPUs, heaviest first;
/// nothing where nothing is known.
fn contexts(scene: &Scene<'_>, width: usize) -> Line<'static> {
    let mut parts: Vec<_> = scene.snapshot.contexts.iter().collect();
    let all: f64 = parts.iter().map(|part| part.cpu_pct).sum();
    parts.retain(|part| part.cpu_pct > 0.0);
    parts.sort_by(|a, b| b.cpu_pct.total_cmp(&a.cpu_pct));
    if parts.is_empty() || !all.is_finite() {
        return Line::default();
    }
    let share = |pct: f64| figure::percent(Some(pct * 100.0 / all));
    let mut list: Vec<String> = parts
        .iter()
        .map(|part| format!("{} {}", part.name, share(part.cpu_pct)))
        .collect();
    let first = list.remove(0);
    labelled(scene, "CONTEXT", first, list, width)
}

/// What finds no room is left out from the end.
fn labelled(
    scene: &Scene<'_>,
    label: &'static str,
    head: String,
    items: Vec<String>,
    width: usize,
) -> Line<'static> {
    let lead = Span::styled(format!(" {label} "), scene.theme.strong);
    let mut parts = vec![Part::new(0, vec![lead, Span::raw(head)])];
    let items = items.into_iter().zip(1..);
    parts.extend(items.map(|(item, rank)| Part::new(rank, vec![Span::raw(item)])));
    fit(parts, "  ", width)
}

/// What the titles mean.
const LEGEND: &[(&str, &str)] = &[
    ("NET%", "the network stack, from CPU samples of the window"),
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

fn rest_of(scene: &Scene<'_>, c: &Cpu, titles: &[&str]) -> Vec<Paragraph> {
    let dim = scene.theme.dim;
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
        let of = if c.cpu == whole_host::ALL {
            "all CPUs"
        } else {
            "this CPU"
        };
        let said = format!("netop's events cost {cost} of {of}");
        list.push(Paragraph::new(2, said, Style::new()));
    }
    if scene.cpu_sampled() {
        let said = stages::legend(c.cpu == whole_host::ALL);
        list.extend(
            said.iter()
                .map(|text| Paragraph::new(3, (*text).to_owned(), dim)),
        );
    }
    let legend = LEGEND.iter().zip(4..);
    list.extend(
        legend
            .filter(|((title, _), _)| titles.contains(title))
            .map(|((title, text), rank)| Paragraph::new(rank, format!("{title} {text}"), dim)),
    );
    list
}

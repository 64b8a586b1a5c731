//! Below the CPUs: what of the selected one went to the network and into which stages; below that,
//! where lines are free, its counters and what the titles mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::cpus::name_of;
use super::paragraphs::{self, Paragraph};
use super::{Scene, cpu_sampled, rule, stages, whole_host};
use crate::model::Cpu;
use crate::tui::figure;
use crate::tui::text::{clean, width as text_width};
use crate::tui::widget::strip::{Part, fit};

/// Lines that the list of CPUs keeps above.
const LIST_LEAST: u16 = 6;
/// Rule, contexts, titles, and what is more.
const ABOVE_STAGES: u16 = 4;
/// So many stages are shown before the CPUs get more lines than they must have.
const STAGES_LEAST: u16 = 8;

/// The fewest lines of the pane in a view of that height.
pub fn least(scene: &Scene<'_>, height: u16) -> u16 {
    if !cpu_sampled(scene) {
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
    let name = name_of(c);
    let node = match c.node {
        // The network's share says how many there are.
        _ if whole && cpu_sampled(scene) => "means and sums".to_owned(),
        _ if whole => format!("{} CPUs: means and sums", scene.snapshot.cpus.len()),
        Some(node) => format!("node {node}"),
        None => String::new(),
    };
    let width = usize::from(area.width);
    let room = width.saturating_sub(name.len() + node.len() + 9);
    let network = if cpu_sampled(scene) {
        network(scene, c, room)
    } else {
        String::new()
    };
    let title = vec![
        Span::styled(name, scene.theme.strong),
        Span::styled(node, dim),
        Span::raw(network),
    ];
    rule(scene, title, area, buf);
    let mut y = area.y.saturating_add(1);
    if cpu_sampled(scene) {
        let line = contexts(scene, width);
        if whole && y < area.bottom() && line.width() > 0 {
            buf.set_line(area.x, y, &line, area.width);
            y += 1;
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

/// `network 2.31 ±0.12 of 4 CPUs: rx 154% tx 51% sock 26% observers 2% · softirqs timed 31%`; what finds no room is
/// left out from the end.
fn network(scene: &Scene<'_>, c: &Cpu, room: usize) -> String {
    let summary = &scene.snapshot.summary;
    let whole = c.cpu == whole_host::ALL;
    let mut text = if whole {
        let error = match summary.net_cores_error {
            None => String::new(),
            some => format!(" ±{}", figure::cores(some)),
        };
        let cores = figure::cores(summary.net_cores);
        let of = scene.snapshot.host.cpus_online;
        format!("network {cores}{error} of {of} CPUs")
    } else {
        format!("network {}", figure::percent(c.net_pct))
    };
    let ways = if whole {
        [
            ("rx", summary.net_rx_pct),
            ("tx", summary.net_tx_pct),
            ("sock", summary.net_sock_pct),
            ("other", summary.net_other_pct),
            ("observers", summary.observer_pct),
        ]
    } else {
        [
            ("rx", c.net_rx_pct),
            ("tx", c.net_tx_pct),
            ("sock", c.net_sock_pct),
            ("other", None),
            ("observers", c.observer_pct),
        ]
    };
    let mut sep = ": ";
    for (name, pct) in ways.into_iter().filter(|(_, pct)| pct.is_some()) {
        let more = format!("{sep}{name} {}", figure::percent(pct));
        if text_width(&text) + more.len() > room {
            break;
        }
        text.push_str(&more);
        sep = " ";
    }
    if c.net_softirq_pct.is_some() {
        let more = format!(" · softirqs timed {}", figure::percent(c.net_softirq_pct));
        if text_width(&text) + text_width(&more) <= room {
            text.push_str(&more);
        }
    }
    text
}

/// ` CONTEXT softirq 41%  process 130%  idle 227%`: percent of one CPU, in the order of the
/// snapshot; nothing where nothing is known, and where room is short the lightest go first.
fn contexts(scene: &Scene<'_>, width: usize) -> Line<'static> {
    let contexts = &scene.snapshot.contexts;
    let mut parts: Vec<Part> = Vec::new();
    for part in contexts.iter().filter(|part| part.cpu_pct > 0.0) {
        let heavier = contexts.iter().filter(|o| o.cpu_pct > part.cpu_pct).count();
        let share = figure::percent(Some(part.cpu_pct));
        let mut spans = vec![Span::raw(format!("{} {share}", part.name))];
        if parts.is_empty() {
            spans.insert(0, Span::styled(" CONTEXT ", scene.theme.strong));
        }
        let rank = if parts.is_empty() {
            0
        } else {
            heavier as u8 + 1
        };
        parts.push(Part::new(rank, spans));
    }
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
    list.extend(served(c).map(|text| Paragraph::new(1, text, Style::new())));
    list.extend(busy(c).map(|text| Paragraph::new(1, text, Style::new())));
    list.extend(own_cost(scene, c).map(|text| Paragraph::new(2, text, Style::new())));
    if cpu_sampled(scene) && !scene.snapshot.stages.is_empty() {
        if c.cpu == whole_host::ALL {
            let text = "CONTEXT what the time of all CPUs went to";
            list.push(Paragraph::new(3, text.to_owned(), dim));
        }
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

/// `serves eth0: 21.0k polls of 33 packets, 10.4k interrupts · backlog: 812 polls of 1 packet`
fn served(c: &Cpu) -> Option<String> {
    let parts = c.devices.iter().map(|d| {
        let mut said: Vec<String> = Vec::new();
        if let (Some(polls), Some(packets)) = (d.polls.filter(|polls| *polls > 0), d.packets) {
            let each = figure::rate(Some(packets as f64 / polls as f64));
            said.push(format!(
                "{} polls of {each} packets",
                figure::count(Some(polls))
            ));
        }
        let interrupts = d.interrupts.filter(|count| *count > 0);
        said.extend(interrupts.map(|n| format!("{} interrupts", figure::count(Some(n)))));
        format!("{}: {}", clean(&d.name), said.join(", "))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("serves {}", parts.join(" · ")))
}

fn busy(c: &Cpu) -> Option<String> {
    let parts = c.processes.iter().map(|p| {
        let pct = figure::percent(Some(p.cpu_pct));
        format!("{}({}) {pct}", clean(&p.comm), p.pid)
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("runs {}", parts.join(" · ")))
}

/// What netop costs this CPU, how sure that is, and what else says so.
fn own_cost(scene: &Scene<'_>, c: &Cpu) -> Option<String> {
    let health = &scene.snapshot.health;
    let all = c.cpu == whole_host::ALL;
    let of = if all { "all CPUs" } else { "this CPU" };
    let cost = figure::percent(Some(c.cost_pct?));
    let mut text = format!("netop costs {cost} of {of}");
    if health.cost_cpu == Some(c.cpu)
        && let (Some(bound), Some(modelled)) = (health.cost_bound_pct, health.cost_modelled_pct)
    {
        let bound = figure::percent(Some(bound));
        let modelled = figure::percent(Some(modelled));
        let windows = health.cost_windows;
        text = format!(
            "{text} ±{bound}: {windows} windows with and without its events (a loop at the start would say {modelled})"
        );
    }
    if let Some(observers) = c.observer_pct {
        let observers = figure::percent(Some(observers));
        text = format!("{text} · CPU samples in observers {observers}");
    }
    Some(text)
}

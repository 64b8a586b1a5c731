//! Below the functions: what one hit of the selected one means, where its number is from, what the
//! hits were about, and the stacks that lead to it.

use std::cmp::Ordering;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::path::{cpu_split, label, per_hit_text};
use super::{Scene, lines, rule};
use crate::model::{Function, Stack};
use crate::tui::figure;
use crate::tui::text::{clean, wrap};
use crate::tui::widget::strip::{Part, fit};

/// The first three matter, more are shown where there is room.
const STACKS: u8 = 8;
/// A pane of fewer lines has one line for a paragraph.
const ROOMY: u16 = 8;

pub fn render(scene: &Scene<'_>, f: &Function, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let room = usize::from(area.width);
    let name = label(f);
    let left = room.saturating_sub(name.chars().count() + 10);
    rule(
        scene,
        vec![
            Span::styled(name, theme.strong),
            Span::styled(cpu_split(f, left), theme.dim),
        ],
        area,
        buf,
    );
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let text = room.saturating_sub(2);
    let mut list = Vec::new();
    if let Some(reason) = &f.reason {
        let style = if f.calls.is_none() {
            theme.warn
        } else {
            theme.dim
        };
        let head = if f.calls.is_none() {
            "not counted: "
        } else {
            ""
        };
        paragraph(
            &mut list,
            0,
            2,
            &format!("{head}{}", clean(reason)),
            text,
            style,
        );
    }
    let long = if area.height < ROOMY { 1 } else { 2 };
    paragraph(&mut list, 1, long, &clean(&f.doc), text, Style::new());
    if let Some(top) = top(f, text) {
        list.push((2, indent(vec![Span::raw(top)])));
    }
    for (nth, stack) in (0..).zip(stacks(scene, f)) {
        list.push((if nth < 3 { 2 + nth * 2 } else { 20 + nth }, stack));
    }
    let facts = facts(f)
        .into_iter()
        .zip(0..)
        .map(|(fact, rank)| Part::new(rank, vec![Span::styled(fact, theme.dim)]));
    list.push((5, indent(fit(facts.collect(), " · ", text).spans)));
    let health = &scene.snapshot.health;
    if !health.governor.is_empty() {
        let said = format!("governor: {}", clean(&health.governor));
        paragraph(&mut list, 3, long, &said, text, theme.dim);
    }
    for note in &health.notes {
        paragraph(&mut list, 10, long, &clean(note), text, theme.dim);
    }
    lines(list, below, buf);
}

/// Of at most so many lines, all of one rank.
fn paragraph(
    list: &mut Vec<(u8, Line<'static>)>,
    rank: u8,
    most: usize,
    text: &str,
    room: usize,
    style: Style,
) {
    for line in wrap(text, room, most) {
        list.push((rank, indent(vec![Span::styled(line, style)])));
    }
}

fn indent(mut spans: Vec<Span<'static>>) -> Line<'static> {
    spans.insert(0, Span::raw(" "));
    Line::from(spans)
}

/// The event and what is exactly known.
fn facts(f: &Function) -> Vec<String> {
    let mut parts = vec![clean(&f.event).into_owned()];
    match f.source {
        Some(source) if source.name() != &*f.label => {
            parts.push(format!(
                "counted by {} ({})",
                source.name(),
                clean(&f.label)
            ));
        }
        Some(source) => parts.push(format!("counted by {}", source.name())),
        None => {}
    }
    if let Some(total) = f.total {
        parts.push(format!("{} in all", figure::exact(total)));
    }
    if let (Some(calls), true) = (f.calls, f.estimated) {
        let error = f.error.map_or_else(String::new, |error| {
            format!(" ±{}", figure::rate(Some(error)))
        });
        parts.push(format!(
            "≈{}{error} in this interval",
            figure::count(Some(calls))
        ));
    }
    if f.packets_per_hit.or(f.bytes_per_hit).is_some() {
        parts.push(format!("{} a hit", per_hit_text(f)));
    }
    if f.samples > 0 {
        parts.push(format!("{} stacks sampled", figure::count(Some(f.samples))));
    }
    parts
}

/// `by device: eth0 91%  lo 9%`
fn top(f: &Function, room: usize) -> Option<String> {
    let all: f64 = f.top.iter().map(|share| share.calls).sum();
    let mut text = String::new();
    let mut kind = "";
    for share in &f.top {
        let head = if share.kind == kind {
            "  ".to_owned()
        } else {
            let gap = if text.is_empty() { "" } else { "   " };
            format!("{gap}by {}: ", share.kind)
        };
        kind = share.kind;
        let of_kind: f64 = f
            .top
            .iter()
            .filter(|s| s.kind == kind)
            .map(|s| s.calls)
            .sum();
        let pct = figure::percent(Some(share.calls * 100.0 / of_kind));
        let more = format!("{head}{} {pct}", clean(&share.name));
        if text.chars().count() + more.chars().count() > room {
            break;
        }
        text.push_str(&more);
    }
    (all > 0.0 && !text.is_empty()).then_some(text)
}

/// The heaviest stacks of the profile, one line each: `28% leaf ‹ caller ‹ … iperf3`.
fn stacks(scene: &Scene<'_>, f: &Function) -> Vec<Line<'static>> {
    let mut mine: Vec<&Stack> = scene
        .snapshot
        .profile
        .iter()
        .filter(|stack| stack.function == f.name && !stack.frames.is_empty())
        .collect();
    let all: f64 = mine.iter().map(|stack| stack.weight).sum();
    let heavier =
        |a: &&Stack, b: &&Stack| b.weight.partial_cmp(&a.weight).unwrap_or(Ordering::Equal);
    mine.sort_by(heavier);
    mine.into_iter()
        .take(usize::from(STACKS))
        .map(|stack| {
            let share = figure::percent(Some(stack.weight * 100.0 / all));
            let frames: Vec<_> = stack.frames.iter().map(|frame| clean(frame)).collect();
            let process = format!("{}({})", clean(&stack.comm), stack.pid);
            indent(vec![
                Span::styled(format!("{share:>4} "), scene.theme.strong),
                Span::styled(process, scene.theme.user),
                Span::raw(format!(" {}", frames.join(" ‹ "))),
            ])
        })
        .collect()
}

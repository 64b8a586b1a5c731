//! Below the functions: what one hit of the selected one means, where its number is from, what the
//! hits were about, and the stacks that lead to it.

use std::cmp::Ordering;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::paragraphs::{self, Paragraph};
use super::path::{cpu_split, label, per_hit_words};
use super::{Scene, cost, cpu_sampled, rule};
use crate::model::{Function, Stack};
use crate::tui::figure;
use crate::tui::text::clean;

/// The first three matter, more are shown where there is room.
const STACKS: usize = 20;
/// The share of a stack, percent, that is shown beyond these three.
const STACK_LEAST_PCT: f64 = 1.0;

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
    let said = |rank, text| Paragraph::new(rank, text, theme.dim);
    let mut list = Vec::new();
    if let Some(reason) = &f.reason {
        let reason = clean(reason);
        list.push(match f.calls {
            None if f.has_event() => {
                Paragraph::new(0, format!("not counted: {reason}"), theme.warn)
            }
            None => said(3, format!("not counted: {reason}")),
            Some(_) => said(0, reason.into_owned()),
        });
    }
    list.push(Paragraph::new(1, clean(&f.doc).into_owned(), Style::new()));
    let (own, others): (Vec<_>, Vec<_>) = notes(scene, f).into_iter().partition(|n| n.own);
    // The last one is news.
    for note in own.iter().rev() {
        list.push(said(1, clean(&note.text).into_owned()));
    }
    if let Some(mark) = cost::mark_sentence(scene, f) {
        list.push(Paragraph::new(1, mark, theme.strong));
    }
    if let Some(cost) = cost::sentence(f) {
        list.push(Paragraph::new(2, cost, Style::new()));
    } else if cpu_sampled(scene) && f.symbols.is_empty() {
        let text = "no CPU time of its own: no function of the kernel runs for just this event";
        list.push(said(6, text.to_owned()));
    }
    if let Some(top) = top(f, text) {
        list.push(Paragraph::new(2, top, Style::new()));
    }
    list.extend(stacks(scene, f));
    list.push(said(5, facts(f).join(" · ")));
    let health = &scene.snapshot.health;
    if !health.governor.is_empty() {
        // What the governor does matters when it takes something away.
        let functions = &scene.snapshot.functions;
        let pressed = functions
            .iter()
            .any(|f| (f.calls.is_none() && f.has_event()) || f.estimated);
        let rank = if pressed { 1 } else { 6 };
        list.push(said(rank, format!("governor: {}", clean(&health.governor))));
    }
    for note in others {
        list.push(said(10, clean(&note.text).into_owned()));
    }
    list.extend(
        legend(scene)
            .into_iter()
            .map(|line| said(40, line.to_owned())),
    );
    paragraphs::render(list, below, buf);
}

/// What the columns mean, where nothing else needs the lines.
fn legend(scene: &Scene<'_>) -> Vec<&'static str> {
    let mut lines = vec![
        "RATE/s hits per second of this interval · PEAK highest rate · TOTAL hits since the start",
        "PKT/HIT packets, or bytes (B), that one hit carries · SOURCE who counts: softirqs and softnet are free counters of the kernel, perf is an event",
    ];
    if cpu_sampled(scene) {
        lines.push("CPU% of one CPU: the function and what it called · SELF% its own code · CORES the same as CPU%, in CPUs");
        lines.push("NS/PKT CPU time per wire packet · ±% its 95% error, from the differences between seconds");
    }
    if scene.mark.is_some() {
        lines.push("ΔNS/PKT since the mark against its seconds: ! is more than the variance between seconds explains · n/c not comparable: packet rates differ by more than 10%");
    }
    lines
}

struct Note {
    /// Of the selected row, and no reason why it has no count.
    own: bool,
    text: String,
}

/// What else there is to know, a reason that many rows share once; the selected row's own reason
/// stands above already.
fn notes(scene: &Scene<'_>, f: &Function) -> Vec<Note> {
    let functions = &scene.snapshot.functions;
    let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
    for note in &scene.snapshot.health.notes {
        let (rows, text) = match note.split_once(": ") {
            Some((name, reason)) if functions.iter().any(|f| &*f.name == name) => {
                (vec![name], reason)
            }
            _ => (Vec::new(), note.as_str()),
        };
        match said.iter_mut().find(|(known, _)| *known == text) {
            Some((_, known)) => known.extend(rows),
            None => said.push((text, rows)),
        }
    }
    said.iter()
        .filter_map(|(text, rows)| {
            let own = f.reason.as_deref() == Some(*text);
            let others: Vec<&str> = rows
                .iter()
                .copied()
                .filter(|row| *row != &*f.name)
                .collect();
            let named = rows.iter().any(|row| *row == &*f.name) && f.calls.is_some();
            let text = match (own, others.len()) {
                (true, 0) => None,
                (true, 1) => Some(format!("{} is not counted for the same reason", others[0])),
                (true, n) => Some(format!(
                    "{n} other rows are not counted for the same reason"
                )),
                (false, _) if named => Some((*text).to_owned()),
                (false, 0) => Some((*text).to_owned()),
                (false, 1) => Some(format!("{}: {text}", others[0])),
                (false, n) => Some(format!("{} and {} more: {text}", others[0], n - 1)),
            };
            text.map(|text| Note { own: named, text })
        })
        .collect()
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
    parts.extend(per_hit_words(f));
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

/// The heaviest stacks of the profile: `28% iperf3(300) leaf ‹ caller ‹ …`.
fn stacks(scene: &Scene<'_>, f: &Function) -> Vec<Paragraph> {
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
    (0..)
        .zip(mine.into_iter().take(STACKS))
        .map(|(nth, stack)| (nth, stack, stack.weight * 100.0 / all))
        .filter(|(nth, _, pct)| *nth < 3 || *pct >= STACK_LEAST_PCT)
        .map(|(nth, stack, pct)| {
            let share = figure::percent(Some(pct));
            let frames: Vec<_> = stack.frames.iter().map(|frame| clean(frame)).collect();
            let process = format!("{}({}) ", clean(&stack.comm), stack.pid);
            let rank = if nth < 3 { 2 + nth * 2 } else { 20 + nth };
            Paragraph::new(rank, frames.join(" ‹ "), Style::new()).with_lead(vec![
                Span::styled(format!("{share:>4} "), scene.theme.strong),
                Span::styled(process, scene.theme.user),
            ])
        })
        .collect()
}

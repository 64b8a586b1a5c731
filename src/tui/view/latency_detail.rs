//! Below the stages: the selected one's times over the last intervals as a heat map, and who they
//! belong to.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::latency::stage;
use super::paragraphs::{self, Paragraph};
use super::{Scene, rule};
use crate::model::{HEAT_FROM, HEAT_ROWS, HISTORY, Latency, LatencyPart};
use crate::tui::figure;
use crate::tui::text::{clean, clip_line};

/// How often, from never to most: each is so much more than the one before, as eyes see it.
const SHADES: [char; 5] = [' ', '·', '░', '▒', '█'];

/// Cells of a row's label: `≥131µs `.
const LABEL: usize = 9;

pub fn render(scene: &Scene<'_>, l: &Latency, area: Rect, buf: &mut Buffer) {
    let title = vec![
        Span::styled(stage(l), scene.theme.strong),
        Span::raw(format!("{} → {}", l.from, l.to)),
        Span::styled(recent(l), scene.theme.dim),
    ];
    rule(scene, title, area, buf);
    let mut said = Vec::new();
    let mut say = |rank, lead: &'static str, text: String, style: Style| {
        if !text.is_empty() {
            let lead = vec![Span::styled(lead, scene.theme.dim)];
            said.push(Paragraph::new(rank, text, style).with_lead(lead));
        }
    };
    let why = l
        .reason
        .as_deref()
        .map_or(String::new(), |why| clean(why).into_owned());
    say(0, "note     ", why, scene.theme.warn);
    for (rank, kind, lead) in [
        (1, "device", "devices  "),
        (1, "process", "process  "),
        (2, "cpu", "CPUs     "),
    ] {
        say(rank, lead, parts(l, kind), Style::new());
    }
    say(3, "also     ", also(l), Style::new());
    let lines = u16::try_from(said.len()).unwrap_or(0);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let drawn = heat(
        scene,
        l,
        Rect {
            height: below.height.saturating_sub(lines),
            ..below
        },
        buf,
    );
    let rest = Rect {
        y: below.y + drawn,
        height: below.height - drawn,
        ..below
    };
    paragraphs::render(said, rest, buf);
}

/// Draws the map upside up, the longest times first; returns its lines.
fn heat(scene: &Scene<'_>, l: &Latency, area: Rect, buf: &mut Buffer) -> u16 {
    let used = |row: &usize| l.heat.iter().any(|column| column[*row] > 0);
    let (Some(low), Some(high)) = ((0..HEAT_ROWS).find(used), (0..HEAT_ROWS).rev().find(used))
    else {
        return 0;
    };
    let room = usize::from(area.height);
    if room == 0 || usize::from(area.width) <= LABEL {
        return 0;
    }
    // What does not fit is added to the row above or below: rows stand for several powers of two.
    let per = (high - low + 1).div_ceil(room);
    let rows = (high - low + 1).div_ceil(per);
    let width = (usize::from(area.width) - LABEL - 1).min(HISTORY);
    let sum = |column: &[u32; HEAT_ROWS], row: usize| {
        let from = low + row * per;
        let cells = column[from..(from + per).min(HEAT_ROWS)].iter();
        cells.map(|n| u64::from(*n)).sum::<u64>()
    };
    let columns = &l.heat[l.heat.len().saturating_sub(width)..];
    let most = columns
        .iter()
        .flat_map(|column| (0..rows).map(|row| sum(column, row)))
        .max()
        .unwrap_or(0);
    for (y, row) in (area.y..area.bottom()).zip((0..rows).rev()) {
        let from = 1u64 << (HEAT_FROM as usize + low + row * per);
        let label = format!(
            "{:>w$} ",
            format!("≥{}", figure::duration(Some(from))),
            w = LABEL - 1
        );
        let cells = columns.iter().map(|column| shade(sum(column, row), most));
        let line = Line::from(vec![
            Span::styled(label, scene.theme.dim),
            Span::raw(" ".repeat(width - columns.len())),
            Span::styled(cells.collect::<String>(), scene.theme.spark),
        ]);
        buf.set_line(
            area.x,
            y,
            &clip_line(line, usize::from(area.width)),
            area.width,
        );
    }
    u16::try_from(rows).unwrap_or(0).min(area.height)
}

/// By the logarithm: one slow packet in a thousand shall be seen.
fn shade(times: u64, most: u64) -> char {
    if times == 0 {
        return SHADES[0];
    }
    let height = f64::from(1 + times.ilog2()) / f64::from(1 + most.max(1).ilog2());
    SHADES[(height * 4.0).ceil().clamp(1.0, 4.0) as usize]
}

/// `last 60: p50 12µs p99 62µs p99.9 2.8ms`
fn recent(l: &Latency) -> String {
    if l.recent.count == 0 {
        return String::new();
    }
    format!(
        "last {}: p50 {} p99 {} p99.9 {}",
        l.heat.len(),
        figure::duration(l.recent.p50_ns),
        figure::duration(l.recent.p99_ns),
        figure::duration(l.recent.p999_ns)
    )
}

fn parts(l: &Latency, kind: &str) -> String {
    let said = |part: &LatencyPart| {
        format!(
            "{} {} p50 {} p99 {}",
            clean(&part.name),
            figure::count(Some(part.times.count)),
            figure::duration(part.times.p50_ns),
            figure::duration(part.times.p99_ns)
        )
    };
    let of_kind = l.by.iter().filter(|part| part.kind == kind);
    of_kind.map(said).collect::<Vec<_>>().join(" · ")
}

fn also(l: &Latency) -> String {
    let mut said = Vec::new();
    if l.censored > 0 {
        said.push(format!(
            "{} waited for 10s or longer",
            figure::count(Some(l.censored))
        ));
    }
    if let Some(pct) = l.crossed_cpu_pct {
        let node = l.crossed_node_pct.filter(|pct| *pct > 0.0);
        let node = node.map_or(String::new(), |pct| {
            format!(", {} on another NUMA node", figure::percent(Some(pct)))
        });
        said.push(format!(
            "{} ended on another CPU{node}",
            figure::percent(Some(pct))
        ));
    }
    if l.merged > 0 {
        said.push(format!(
            "{} joined another packet",
            figure::count(Some(l.merged))
        ));
    }
    said.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_packet_in_a_thousand_is_seen_and_none_is_blank() {
        assert_eq!(shade(0, 1000), ' ');
        assert_eq!(shade(1, 1000), '·');
        assert_eq!(shade(1000, 1000), '█');
        assert_eq!(shade(1, 1), '█');
    }
}

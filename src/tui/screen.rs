//! The whole screen. Where room is short, columns go first, then the detail pane, then the tabs,
//! NET and HOT; the keys work at any size.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use super::chrome::{events_line, footer, header, limits, net_line};
use super::state::UiState;
use super::text::{REPLACEMENT, clip_line};
use super::theme;
use super::view::Scene;
use super::view::help;
use crate::model::{Snapshot, steers};

/// Header lines leave before the view has fewer rows than this.
const BODY_LEAST: u16 = 6;

pub fn render(ui: &UiState, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            buf[(x, y)].reset();
        }
    }
    // On a single line the state says more than the keys.
    let foot = u16::from(area.height > 1);
    let above = Rect {
        height: area.height - foot,
        ..area
    };
    let below = Rect {
        y: above.bottom(),
        height: foot,
        ..area
    };
    if let Some(snapshot) = ui.shown() {
        let lines = header(ui, snapshot, above);
        let used = lines.len() as u16;
        for (y, line) in (above.y..).zip(lines) {
            let line = clip_line(line, usize::from(above.width));
            buf.set_line(above.x, y, &line, above.width);
        }
        let body = Rect {
            y: above.y.saturating_add(used),
            height: above.height.saturating_sub(used),
            ..above
        };
        let scene = Scene {
            ui,
            snapshot,
            theme: ui.theme,
            mark: ui.mark.as_deref(),
        };
        ui.view().render(&scene, body, buf);
    } else {
        let line = clip_line(
            "netop: the first interval is being measured …".into(),
            usize::from(above.width),
        );
        buf.set_line(above.x, above.y, &line, above.width);
    }
    if let Some(scroll) = ui.help {
        help::render(ui, scroll, above, buf);
    }
    footer::above_prompt(ui, above, buf);
    footer::render(ui, below, buf);
    scrub(ui.ascii, area, buf);
}

/// The lines above the view, those that fit.
fn header(ui: &UiState, snapshot: &Snapshot, area: Rect) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    // The rank says which stays longest.
    let mut lines = vec![
        (1, header::state(ui, snapshot, width)),
        (0, header::loss(ui, snapshot, width)),
        (4, header::hot(ui, snapshot, width)),
        (5, net_line::net(ui, snapshot, width)),
        (6, header::tabs(ui, width)),
    ];
    let room = usize::from(area.height.saturating_sub(BODY_LEAST)).max(1);
    let only = limits::filter(ui, snapshot, width);
    // State, LOSS and the filter stay before it.
    let rest = room.saturating_sub(2 + usize::from(only.is_some()));
    let banner = limits::banner(ui, snapshot, width, rest);
    lines.extend(banner.into_iter().map(|line| (3, line)));
    lines.extend(only.map(|line| (2, line)));
    lines.extend(events_line::events(ui, snapshot, width).map(|line| (3, line)));
    while lines.len() > room {
        let worst = lines
            .iter()
            .enumerate()
            .max_by_key(|(i, line)| (line.0, *i));
        let Some((worst, _)) = worst else { break };
        lines.remove(worst);
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

/// The last gate: whatever was drawn, no control or direction-changing character leaves here,
/// and with `ascii` nothing but plain characters.
fn scrub(ascii: bool, area: Rect, buf: &mut Buffer) {
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            let cell = &mut buf[(x, y)];
            if cell.symbol().chars().any(steers) {
                cell.set_char(REPLACEMENT);
            }
            if ascii && !cell.symbol().is_ascii() {
                let sign = cell.symbol().chars().next().map_or(' ', theme::ascii);
                cell.set_char(sign);
            }
        }
    }
}

/// A frame as text, for `--keys`, tests and scripts: one line each, no space at the ends.
pub fn frame_text(buf: &Buffer) -> String {
    let mut text = String::new();
    for y in buf.area.y..buf.area.bottom() {
        let mut line = String::new();
        let mut skip = 0;
        for x in buf.area.x..buf.area.right() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buf[(x, y)].symbol();
            skip = symbol.width().saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[path = "screen_test.rs"]
mod tests;

#[cfg(test)]
#[path = "screen_cpu_test.rs"]
mod cpu_tests;

#[cfg(test)]
#[path = "screen_module_test.rs"]
mod module_tests;

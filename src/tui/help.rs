//! The help over the view: the key table, where each key works, and what the signs mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::keymap::KEYMAP;
use super::state::UiState;
use super::text::{clean, clip_line};

/// What the keys cannot say.
const SIGNS: &[&str] = &[
    "",
    "≈ estimated · – could not be measured, or is not counted · everything else is exact",
    "PER HIT  p packets or bytes that one hit of the function carries",
    "SOURCE   who counts: a kernel counter that is free, or an event that costs a little; * asked with e",
    "cost     what netop's events take, of the busiest CPU and of all; OVER: above the budget",
];

pub const LINES: usize = KEYMAP.len() + SIGNS.len() + 1;

pub fn render(ui: &UiState, scroll: usize, area: Rect, buf: &mut Buffer) {
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
    let mut lines: Vec<Line<'static>> = KEYMAP
        .iter()
        .map(|binding| {
            Line::from(vec![
                Span::styled(format!(" {:<13} ", binding.names()), ui.theme.key),
                Span::raw(binding.help),
                Span::styled(place(binding.place()), ui.theme.dim),
            ])
        })
        .collect();
    lines.extend(SIGNS.iter().map(|sign| Line::raw(format!(" {sign}"))));
    let folder = clean(&ui.snapshot_dir);
    lines.push(Line::raw(format!(" w saves to {folder}")));
    let height = usize::from(area.height).saturating_sub(1);
    let first = scroll.min(lines.len().saturating_sub(height));
    let shown = lines.len().min(first + height);
    let more = if height < lines.len() {
        format!(
            " · {}–{shown} of {}, ↓ PgDn for more",
            first + 1,
            lines.len()
        )
    } else {
        String::new()
    };
    lines.insert(
        first,
        Line::styled(format!(" HELP · Esc closes{more}"), ui.theme.title),
    );
    for (y, line) in (area.y..area.bottom()).zip(lines.into_iter().skip(first)) {
        buf.set_line(
            area.x,
            y,
            &clip_line(line, usize::from(area.width)),
            area.width,
        );
    }
}

fn place(place: &str) -> String {
    if place.is_empty() {
        String::new()
    } else {
        format!(" [{place}]")
    }
}

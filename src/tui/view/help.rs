//! The help over the view: the key table, where each key works, and what the signs mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::tui::input::keymap::KEYMAP;
use crate::tui::state::UiState;
use crate::tui::text::{clean, clip_line, wrap};
use crate::tui::widget::strip::{Part, fit};

/// What the keys cannot say.
const SIGNS: &[&str] = &[
    "≈ estimated · – not measured or not counted · everything else is exact",
    "PEAK, TOTAL: since netop started, or since a PID filter was set or ended",
    "PER HIT: packets (pkt) or bytes that one hit of the function carries",
    "SOURCE: who counts, a free counter of the kernel or an event that costs a little; * asked with e",
    "cost: what netop's events take, of the busiest CPU and of all; OVER: above the budget",
];

/// Keys stand before the sentences, where there is room for both.
const KEYS: usize = 15;
const KEYS_FROM: usize = 34;

/// All of the help, wrapped.
pub fn text(ui: &UiState, width: usize) -> Vec<Line<'static>> {
    let indent = if width < KEYS_FROM { 2 } else { KEYS };
    let room = width.saturating_sub(indent).max(1);
    let mut lines = Vec::new();
    for binding in KEYMAP {
        let names = named(ui.ascii, &binding.names());
        let keys = format!(" {names:<0$} ", indent - 2);
        let mut lead = Span::styled(keys, ui.theme.key);
        if indent < KEYS {
            lines.push(Line::from(lead));
            lead = Span::raw("  ");
        }
        let place = place(binding.place());
        for said in wrap(&format!("{}{place}", binding.help), room, usize::MAX) {
            let (said, place) = said
                .strip_suffix(&place)
                .map_or((&*said, ""), |said| (said, &*place));
            lines.push(Line::from(vec![
                lead,
                Span::raw(said.to_owned()),
                Span::styled(place.to_owned(), ui.theme.dim),
            ]));
            lead = Span::raw(" ".repeat(indent));
        }
    }
    lines.push(Line::default());
    let mut plain = |said: &str| {
        let room = width.saturating_sub(1).max(1);
        let wrapped = wrap(said, room, usize::MAX).into_iter();
        lines.extend(wrapped.map(|line| Line::raw(format!(" {line}"))));
    };
    for sign in SIGNS {
        plain(sign);
    }
    plain(&format!("w saves to {}", clean(&ui.snapshot_dir)));
    lines
}

/// How far it can be scrolled at the terminal's size.
pub fn last(ui: &UiState) -> usize {
    let (width, height) = ui.size;
    let shown = usize::from(height.saturating_sub(2));
    text(ui, usize::from(width)).len().saturating_sub(shown)
}

pub fn render(ui: &UiState, scroll: usize, area: Rect, buf: &mut Buffer) {
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
    let mut lines = text(ui, usize::from(area.width));
    let height = usize::from(area.height).saturating_sub(1);
    let first = scroll.min(lines.len().saturating_sub(height));
    let shown = lines.len().min(first + height);
    let part = |rank, said: String| Part::new(rank, vec![Span::styled(said, ui.theme.title)]);
    let mut title = vec![part(0, "HELP · Esc closes".to_owned())];
    if height < lines.len() {
        let range = format!("{}–{shown} of {}", first + 1, lines.len());
        title.push(part(3, range));
    }
    if shown < lines.len() {
        title.push(part(1, "↓ PgDn for more".to_owned()));
    }
    if first > 0 {
        title.push(part(2, "↑ PgUp".to_owned()));
    }
    let room = usize::from(area.width).saturating_sub(1);
    let mut title = fit(title, " · ", room);
    title.spans.insert(0, Span::raw(" "));
    lines.insert(first, title);
    for (y, line) in (area.y..area.bottom()).zip(lines.into_iter().skip(first)) {
        buf.set_line(
            area.x,
            y,
            &clip_line(line, usize::from(area.width)),
            area.width,
        );
    }
}

/// Arrows have names where their plain signs would be other keys.
fn named(ascii: bool, names: &str) -> String {
    if !ascii {
        return names.to_owned();
    }
    names
        .replace('←', "Left")
        .replace('→', "Right")
        .replace('↑', "Up")
        .replace('↓', "Down")
}

fn place(place: &str) -> String {
    if place.is_empty() {
        String::new()
    } else {
        format!(" [{place}]")
    }
}

//! The last line: the live keys, or the message, or the prompt with its completions above it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::keymap::{Binding, bindings};
use super::prompt::{Kind, Prompt};
use super::state::UiState;
use super::text::{clean, clip_line};
use super::widget::strip::{Part, fit, fits};
use super::widget::table::window;

/// Completions on the screen at once.
const COMPLETIONS: usize = 8;

pub fn render(ui: &UiState, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let line = match (&ui.message, &ui.prompt) {
        (Some(message), _) => {
            let style = if message.is_error {
                ui.theme.bad
            } else {
                ui.theme.good
            };
            let sign = if message.is_error { "error: " } else { "" };
            clip_line(
                Line::styled(format!("{sign}{}", message.text), style),
                width,
            )
        }
        (None, Some(prompt)) => typing(ui, prompt, width),
        (None, None) => keys(ui, width),
    };
    buf.set_line(area.x, area.y, &line, area.width);
}

/// The earlier a key stands in the table, the longer it stays where room is short.
fn keys(ui: &UiState, width: usize) -> Line<'static> {
    let labelled: Vec<&Binding> = bindings(ui.context())
        .filter(|binding| !binding.label.is_empty())
        .collect();
    let parts = labelled.iter().enumerate().map(|(i, binding)| {
        Part::new(
            i as u8,
            vec![
                Span::styled(binding.keys[0].sign(ui.ascii), ui.theme.key),
                Span::raw(format!(" {}", binding.label)),
            ],
        )
    });
    let parts: Vec<Part> = parts.collect();
    let gap = if fits(&parts, "  ", width) { "  " } else { " " };
    fit(parts, gap, width)
}

fn typing(ui: &UiState, prompt: &Prompt, width: usize) -> Line<'static> {
    let (title, hint) = match prompt.kind {
        Kind::Text if ui.view().sorts().is_empty() => ("search", "Enter find  Esc cancel"),
        Kind::Text => ("filter", "Enter keep  Esc cancel"),
        Kind::Pids => (
            "PID or name",
            "Enter take (empty: all)  Tab complete  ↓ choose  Esc cancel",
        ),
    };
    let text: Vec<char> = prompt.text().chars().collect();
    let cursor = prompt.input.cursor().min(text.len());
    // A long line scrolls so that the place where one types stays in sight.
    let room = width.saturating_sub(title.len() + 4).max(1);
    let from = cursor.saturating_sub(room);
    let before: String = text[from..cursor].iter().collect();
    let here: String = text.get(cursor).copied().unwrap_or(' ').into();
    let after: String = text.iter().skip(cursor + 1).collect();
    let reversed = Style::new().add_modifier(Modifier::REVERSED);
    let input = vec![
        Span::styled(format!("{title}: "), ui.theme.strong),
        Span::raw(clean(&before).into_owned()),
        Span::styled(here, reversed),
        Span::raw(clean(&after).into_owned()),
    ];
    let hint = vec![Span::styled(hint, ui.theme.dim)];
    fit(vec![Part::new(0, input), Part::new(1, hint)], "   ", width)
}

/// A list over the lower end of `area`.
pub fn completions(ui: &UiState, area: Rect, buf: &mut Buffer) {
    let Some(prompt) = ui.prompt.as_ref().filter(|p| p.kind == Kind::Pids) else {
        return;
    };
    let found = prompt.completions(ui.candidates());
    let mut lines: Vec<Line<'static>> = Vec::new();
    let room = COMPLETIONS.min(usize::from(area.height).saturating_sub(1));
    for at in window(found.len(), prompt.pick, room) {
        let (pid, name) = found[at];
        let here = prompt.pick == Some(at);
        let sign = if here { '▶' } else { ' ' };
        let style = if here {
            ui.theme.selected
        } else {
            Style::new()
        };
        lines.push(Line::styled(
            format!("{sign}{pid:>8}  {} ", clean(name)),
            style,
        ));
    }
    let title = match (ui.candidates().is_empty(), found.len()) {
        (true, _) => "reading the list of processes …".to_owned(),
        (false, 0) => "no process is called so".to_owned(),
        (false, 1) => "1 process".to_owned(),
        (false, n) => format!("{n} processes"),
    };
    let rule = usize::from(area.width).saturating_sub(title.chars().count() + 3);
    let title = format!("─ {title} {}", "─".repeat(rule));
    lines.insert(0, Line::styled(title, ui.theme.title));
    let height = (lines.len() as u16).min(area.height);
    let top = area.bottom().saturating_sub(height);
    let wide = area.width;
    for (y, line) in (top..area.bottom()).zip(lines) {
        for x in area.x..area.x.saturating_add(wide) {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
        buf.set_line(area.x, y, &clip_line(line, usize::from(wide)), wide);
    }
}

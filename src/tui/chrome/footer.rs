//! The last line: the live keys, or the message, or the prompt with completions and message above.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::model::Observable;
use crate::tui::figure;
use crate::tui::input::action::Action;
use crate::tui::input::keymap::{Context, bindings};
use crate::tui::input::prompt::{Kind, Prompt};
use crate::tui::stacks::stack_query::Source;
use crate::tui::state::experiment::Experiment;
use crate::tui::state::{Message, UiState};
use crate::tui::text::{clean, clip_line};
use crate::tui::widget::strip::{Part, fit, fits};
use crate::tui::widget::table::window;

/// Completions on the screen at once.
const COMPLETIONS: usize = 8;

pub fn render(ui: &UiState, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let line = match (&ui.prompt, &ui.message) {
        (Some(prompt), _) => typing(ui, prompt, width),
        (None, Some(message)) => clip_line(said(ui, message), width),
        (None, None) => keys(ui, width),
    };
    buf.set_line(area.x, area.y, &line, area.width);
}

fn said(ui: &UiState, message: &Message) -> Line<'static> {
    let (sign, style) = if message.is_error {
        ("error: ", ui.theme.bad)
    } else {
        ("", ui.theme.good)
    };
    Line::styled(format!("{sign}{}", message.text), style)
}

/// The earlier a key stands in the table, the longer it stays where room is short.
fn keys(ui: &UiState, width: usize) -> Line<'static> {
    let mut labels = Vec::new();
    for binding in bindings(ui.context()) {
        let sign = binding.keys[0].sign(ui.ascii);
        match binding.action {
            action if ui.only_live(action).is_some() => {}
            Action::Pause if ui.paused() || ui.is_of_recording() => {
                let label = match (ui.is_of_recording(), ui.paused()) {
                    (false, _) => "resume",
                    (true, true) => "whole",
                    (true, false) => "intervals",
                };
                labels.push((sign, label.to_owned()));
                // In Stacks the arrows open and close; their plain signs would be other keys.
                let stacks = matches!(ui.context(), Context::Stacks | Context::Flame);
                let brackets = ui.ascii || stacks;
                let arrows = if brackets { "[ ]" } else { "← →" };
                labels.push((arrows.to_owned(), "step".to_owned()));
            }
            Action::Detach if ui.want().detached => labels.push((sign, "attach".to_owned())),
            Action::Mark if ui.experiment.as_ref().is_some_and(Experiment::waits) => {
                labels.push((sign, "changed".to_owned()));
            }
            Action::Mark if ui.mark.is_some() => labels.push((sign, marked(ui))),
            Action::Source if ui.tree_state.source() == Source::Cpu => {
                labels.push((sign, "hits".to_owned()));
            }
            Action::Flame if ui.stack_query.flame => labels.push((sign, "tree".to_owned())),
            Action::PickProcess if ui.want().pids.len() == 1 => {}
            _ if binding.label.is_empty() => {}
            _ => labels.push((sign, binding.label.to_owned())),
        }
    }
    let parts = labels.into_iter().zip(0..).map(|((sign, label), rank)| {
        let spans = vec![
            Span::styled(sign, ui.theme.key),
            Span::raw(format!(" {label}")),
        ];
        Part::new(rank, spans)
    });
    let parts: Vec<Part> = parts.collect();
    let gap = if fits(&parts, "  ", width) { "  " } else { " " };
    fit(parts, gap, width)
}

/// `mark 12:03:45`
fn marked(ui: &UiState) -> String {
    let at = ui.mark.as_ref().map_or(0, |mark| mark.at);
    format!("mark {}", figure::clock(at, ui.utc_offset_s))
}

fn typing(ui: &UiState, prompt: &Prompt, width: usize) -> Line<'static> {
    let (title, hint) = match prompt.kind {
        Kind::Text if ui.view().sorts().is_empty() => ("search", "Enter find  Esc cancel"),
        Kind::Text => ("filter", "Enter keep  Esc cancel"),
        Kind::Pids => (
            "PID or name",
            "Enter take (empty: all)  Tab complete  ↓ choose  Esc cancel",
        ),
        Kind::Probes => (
            "add or remove",
            "Enter take  Tab complete  ↓ choose  Esc cancel",
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

/// What stands right above the line being typed: the completions, and a message, which must not
/// take the place of what was typed.
pub fn above_prompt(ui: &UiState, area: Rect, buf: &mut Buffer) {
    let Some(prompt) = &ui.prompt else { return };
    let mut lines = Vec::new();
    let message = ui.message.as_ref().map(|message| said(ui, message));
    let room = usize::from(area.height).saturating_sub(usize::from(message.is_some()));
    match prompt.kind {
        Kind::Text => {}
        Kind::Pids => {
            let (title, found) = processes(ui, prompt);
            lines = completions(ui, prompt.pick, &title, &found, (area.width, room));
        }
        Kind::Probes => {
            let (title, found) = probes(ui, prompt);
            lines = completions(ui, prompt.pick, &title, &found, (area.width, room));
        }
    }
    lines.extend(message);
    let height = (lines.len() as u16).min(area.height);
    let top = area.bottom() - height;
    for (y, line) in (top..area.bottom()).zip(lines) {
        for x in area.x..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
        let line = clip_line(line, usize::from(area.width));
        buf.set_line(area.x, y, &line, area.width);
    }
}

/// What stands in the rule, and a line for each.
fn processes(ui: &UiState, prompt: &Prompt) -> (String, Vec<String>) {
    let found = prompt.completions(ui.candidates());
    let title = match (ui.candidates().is_empty(), found.len()) {
        (true, _) => "reading the list of processes …".to_owned(),
        (false, 0) => "no process is called so".to_owned(),
        (false, 1) => "1 process".to_owned(),
        (false, n) => format!("{n} processes"),
    };
    let line = |(pid, name): &&(u32, String)| format!("{pid:>8}  {} ", clean(name));
    (title, found.iter().map(line).collect())
}

/// The same of what can be observed.
fn probes(ui: &UiState, prompt: &Prompt) -> (String, Vec<String>) {
    let found = ui.probes.matching(prompt.text());
    let title = match (ui.probes.missing(), found.len()) {
        (Some(why), _) => clean(why).into_owned(),
        (None, 0) => {
            "nothing is called so; Enter tries it; uprobe:FILE: lists a file's functions".to_owned()
        }
        (None, 1) => "1 to choose".to_owned(),
        (None, n) => format!("{n} to choose; + is counted, Enter lets it go"),
    };
    let line = |one: &&Observable| {
        let mark = if ui.is_added(&one.name) { '+' } else { ' ' };
        let (name, about) = (clean(&one.name), clean(&one.about));
        format!("{mark} {name:<32} {:<10} {about} ", one.kind.name())
    };
    (title, found.iter().map(line).collect())
}

/// A rule with the title, and as many of those found as there is room for.
fn completions(
    ui: &UiState,
    pick: Option<usize>,
    title: &str,
    found: &[String],
    (width, room): (u16, usize),
) -> Vec<Line<'static>> {
    let rule = usize::from(width).saturating_sub(title.chars().count() + 3);
    let title = format!("─ {title} {}", "─".repeat(rule));
    let mut lines = vec![Line::styled(title, ui.theme.title)];
    let most = COMPLETIONS.min(room.saturating_sub(1));
    lines.extend(window(found.len(), pick, most).map(|at| {
        let (sign, style) = if pick == Some(at) {
            ('▶', ui.theme.selected)
        } else {
            (' ', Style::new())
        };
        Line::styled(format!("{sign}{}", found[at]), style)
    }));
    lines.truncate(room);
    lines
}

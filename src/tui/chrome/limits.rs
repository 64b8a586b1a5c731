//! The lines above the view that stand only where something limits what it shows: the banner that
//! says what is missing, and ONLY with the filters.

use ratatui::text::Line;

use crate::model::{Filter, Snapshot};
use crate::tui::input::keymap::Context;
use crate::tui::input::keymap::Context::{
    Advice, Cpus, Devices, Drops, Flame, Latency, Path, Stacks, Tcp,
};
use crate::tui::state::UiState;
use crate::tui::text::{clean, wrap_whole};
use crate::tui::widget::strip::{fit, label, styled};

/// Processes of a filter that are named; the rest are a number.
const NAMED: usize = 2;

/// Wide enough for two named processes and a sentence.
const ROOMY: usize = 100;

/// More lines than these would push the view away.
const BANNER_MOST: usize = 3;

/// What is missing here and the command that mends it; the command is whole or it is not there:
/// where room is short the sentence before it goes first, then netop doctor stands for both.
pub fn banner(ui: &UiState, snapshot: &Snapshot, width: usize, most: usize) -> Vec<Line<'static>> {
    let Some(text) = snapshot.health.banner.as_deref() else {
        return Vec::new();
    };
    let text = clean(text);
    let mend = text.rsplit_once(". ").map_or(&*text, |(_, mend)| mend);
    let lines = [&*text, mend]
        .into_iter()
        .find_map(|said| wrap_whole(&format!("! {said}"), width, most.min(BANNER_MOST)))
        .unwrap_or_else(|| vec!["! netop doctor says what is missing".to_owned()]);
    let styled = |line| Line::styled(line, ui.theme.warn);
    lines.into_iter().map(styled).collect()
}

/// What limits the figures and the rows; nothing when nothing does.
pub fn filter(ui: &UiState, snapshot: &Snapshot, width: usize) -> Option<Line<'static>> {
    let theme = ui.theme;
    let filter = &snapshot.filter;
    let mut parts = Vec::new();
    let (ended, running): (Vec<u32>, Vec<u32>) = filter
        .pids
        .iter()
        .partition(|pid| filter.ended.contains(pid));
    let names = |pids: &[u32]| {
        let mut names: Vec<String> = pids
            .iter()
            .take(NAMED)
            .map(|pid| process(snapshot, *pid))
            .collect();
        if pids.len() > NAMED {
            names.push(format!("and {} more", pids.len() - NAMED));
        }
        names.join(" ")
    };
    if !running.is_empty() {
        parts.push(styled(0, format!("pid {}", names(&running)), theme.strong));
    }
    match ended.len() {
        0 => {}
        1 => parts.push(styled(
            0,
            format!("process {} has ended", names(&ended)),
            theme.warn,
        )),
        _ => parts.push(styled(
            0,
            format!("processes {} have ended", names(&ended)),
            theme.warn,
        )),
    }
    if ui.want().pids != filter.pids && !ui.paused() {
        let text = if ui.want().pids.is_empty() {
            "pid filter ends with the next interval".to_owned()
        } else {
            let asked: Vec<String> = ui.want().pids.iter().map(u32::to_string).collect();
            format!("pid {} from the next interval", asked.join(","))
        };
        parts.push(styled(1, text, theme.warn));
    }
    if let Some(device) = &filter.device {
        parts.push(styled(0, format!("device {}", clean(device)), theme.strong));
    }
    if let Some(cpus) = &filter.cpu {
        parts.push(styled(0, format!("cpu {cpus}"), theme.strong));
    }
    if let Some(module) = &filter.module {
        let module = format!("module {}", clean(module));
        parts.push(styled(0, module, theme.strong));
    }
    if let Some(cgroup) = &filter.cgroup {
        parts.push(styled(0, format!("cgroup {}", clean(cgroup)), theme.strong));
    }
    let text = &ui.pane().text;
    let with_text = !text.is_empty() && !ui.view().sorts().is_empty();
    if with_text {
        parts.push(styled(1, format!("text '{}'", clean(text)), theme.strong));
    }
    if !filter.pids.is_empty() && filter.by == Some("owner") {
        parts.push(styled(1, "by owner of the socket".to_owned(), theme.dim));
    } else if !filter.pids.is_empty() {
        // What the filter means stands at every width.
        let text = match filter.pids.len() {
            1 => "by context: counts what ran in its context",
            _ if width >= ROOMY => "by context: counts what ran in their context",
            _ => "by context",
        };
        parts.push(styled(1, text.to_owned(), theme.dim));
    }
    parts.extend(reach(ui.view().context(), filter).map(|(rank, text)| {
        let style = if rank == 0 { theme.warn } else { theme.dim };
        styled(rank, text.to_owned(), style)
    }));
    // In Stacks Esc leaves the view before it ends a filter.
    if with_text {
        parts.push(styled(3, "Esc clears the text".to_owned(), theme.dim));
    } else if !filter.pids.is_empty() && ui.view().context() != Context::Stacks {
        parts.push(styled(3, "Esc: all".to_owned(), theme.dim));
    }
    if parts.is_empty() {
        return None;
    }
    parts[0].spans.insert(0, label("ONLY ", theme));
    Some(fit(parts, " · ", width))
}

/// What the filters leave as it is, and how soon that gives way; 0: it stands at every width.
fn reach(view: Context, filter: &Filter) -> Option<(u8, &'static str)> {
    let whole_host = [Cpus, Devices, Drops, Latency, Advice];
    let of_pids = !filter.pids.is_empty();
    let of_cpus = filter.cpu.is_some();
    let of_module = filter.module.is_some();
    // The stages of a CPU's pane are what the filter asks for.
    if view == Cpus && !of_cpus && (of_pids || of_module) {
        return Some((0, "in the stages; the rest: whole host"));
    }
    if (of_pids && whole_host.contains(&view))
        || (of_cpus && [Devices, Drops, Advice, Tcp].contains(&view))
    {
        return Some((0, "but this view: whole host"));
    }
    if of_module && ![Path, Stacks, Flame].contains(&view) {
        return Some((0, "but this view: all modules"));
    }
    if of_module {
        Some((1, "LOSS, HOT, NET and counts: all modules"))
    } else if of_pids {
        Some((4, "LOSS, HOT and NET: whole host"))
    } else if of_cpus {
        Some((4, "LOSS and the rates of NET: whole host"))
    } else {
        None
    }
}

fn process(snapshot: &Snapshot, pid: u32) -> String {
    let name = snapshot
        .processes
        .iter()
        .find(|process| process.pid == pid)
        .map(|process| process.comm.as_str())
        .or(snapshot
            .filter
            .comm
            .as_deref()
            .filter(|_| snapshot.filter.pid == Some(pid)));
    name.map_or_else(|| pid.to_string(), |name| format!("{pid}({})", clean(name)))
}

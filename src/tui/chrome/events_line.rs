//! The line EVENTS: what happened to the host lately, the newest first. Where room is short the
//! oldest go first.

use ratatui::text::Line;

use crate::model::Snapshot;
use crate::tui::figure;
use crate::tui::state::UiState;
use crate::tui::text::clean;
use crate::tui::widget::strip::{fit, label, styled};

/// They stay for so long, ns: who looks a moment later sees them too.
const SHOWN_NS: u64 = 60_000_000_000;

/// More are told by their number.
const MOST: usize = 8;

/// `EVENTS 03:11:02Z eth0: link down · 03:10:58Z net.core.rmem_max: 212992 → 4194304`; None:
/// nothing happened.
pub fn events(ui: &UiState, snapshot: &Snapshot, width: usize) -> Option<Line<'static>> {
    let theme = ui.theme;
    let since = snapshot.at.saturating_sub(SHOWN_NS);
    let before = ui
        .history
        .all()
        .filter(|past| past.sequence < snapshot.sequence);
    let recent = before.flat_map(|past| &past.events);
    let mut all: Vec<_> = recent.filter(|event| event.time > since).collect();
    all.extend(&snapshot.events);
    let mut parts = Vec::new();
    for (rank, event) in (0..).zip(all.iter().rev().take(MOST)) {
        let at = figure::clock(event.time, ui.utc_offset_s);
        let style = match event.kind {
            "recorder" => theme.dim,
            _ => theme.warn,
        };
        parts.push(styled(rank, format!("{at} {}", clean(&event.text)), style));
    }
    let more = all.len().saturating_sub(MOST);
    if more > 0 {
        parts.push(styled(u8::MAX, format!("{more} more"), theme.dim));
    }
    parts.first_mut()?.spans.insert(0, label("EVENTS ", theme));
    Some(fit(parts, " · ", width))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::HostEvent;
    use crate::tui::{Options, fixture};

    const SECOND: u64 = 1_000_000_000;

    fn at(sequence: u64, events: &[&str]) -> Arc<Snapshot> {
        let mut snapshot = fixture::busy();
        snapshot.sequence = sequence;
        snapshot.at = sequence * SECOND;
        let event = |text: &&str| HostEvent {
            time: sequence * SECOND,
            kind: "link",
            device: None,
            text: (*text).to_owned(),
        };
        snapshot.events = events.iter().map(event).collect();
        Arc::new(snapshot)
    }

    fn shown(ui: &UiState, width: usize) -> Option<String> {
        let line = events(ui, ui.shown()?, width)?;
        Some(
            line.spans
                .iter()
                .map(|span| span.content.as_ref())
                .collect(),
        )
    }

    #[test]
    fn events_stay_for_a_minute_and_the_newest_comes_first() {
        let mut ui = UiState::new(Options::default());
        ui.snapshot(at(100, &[]));
        assert_eq!(shown(&ui, 80), None);
        ui.snapshot(at(101, &["a \u{1b}[31mdown"]));
        ui.snapshot(at(102, &["b up"]));
        let text = "EVENTS 00:01:42Z b up · 00:01:41Z a ?[31mdown";
        assert_eq!(
            shown(&ui, 80).map(|text| text.replace('\u{fffd}', "?")),
            Some(text.to_owned())
        );
        assert_eq!(shown(&ui, 30), Some("EVENTS 00:01:42Z b up".to_owned()));
        ui.snapshot(at(161, &[]));
        assert_eq!(shown(&ui, 80), Some("EVENTS 00:01:42Z b up".to_owned()));
        ui.snapshot(at(162, &[]));
        assert_eq!(shown(&ui, 80), None);
    }
}

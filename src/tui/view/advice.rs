//! View 8: what should be changed, and why; the card of the selected finding below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::column::{self, Column, Key};
use super::paragraphs::{self, Paragraph};
use super::{Scene, View, no_rows, rule, split};
use crate::model::{Evidence, Finding, Guard, Severity, Snapshot};
use crate::tui::figure;
use crate::tui::input::keymap::Context;
use crate::tui::state::UiState;
use crate::tui::state::pane::Row;
use crate::tui::text::clean;
use crate::tui::widget::table::Grow;

pub struct Advice;

static COLUMNS: &[Column<Finding>] = &[
    Column::new(
        "WHAT",
        8,
        0,
        Some(|f: &Finding| Key::Number(Some(-f64::from(f.severity as u8)))),
        |s, f, _| Line::styled(f.severity.name(), style(s, f)),
    )
    .left(),
    Column::new(
        "RULE",
        4,
        0,
        Some(|f: &Finding| Key::Text(f.rule.to_owned())),
        |s, f, _| Line::styled(f.rule, s.theme.dim),
    )
    .left(),
    Column::new("FINDING", 40, 0, None, |s, f: &Finding, _| {
        let mut spans = vec![Span::styled(clean(&f.title).into_owned(), style(s, f))];
        if !f.confirmed {
            spans.push(Span::styled(" (not sure yet)", s.theme.dim));
        }
        Line::from(spans)
    })
    .left()
    .grow(Grow::To(200)),
];

impl View for Advice {
    fn title(&self) -> &'static str {
        "Advice"
    }

    fn digit(&self) -> char {
        '8'
    }

    fn context(&self) -> Context {
        Context::Advice
    }

    fn alarm(&self, ui: &UiState, snapshot: &Snapshot) -> String {
        match listed(ui, snapshot)
            .filter(|f| f.confirmed && f.severity != Severity::Info)
            .count()
        {
            0 => String::new(),
            many => format!("!{many}"),
        }
    }

    fn sorts(&self) -> Vec<&'static str> {
        column::sorts(COLUMNS)
    }

    fn rows(&self, ui: &UiState, snapshot: &Snapshot) -> Vec<Row> {
        let findings = ordered(ui, snapshot).into_iter();
        findings
            .map(|f| Row::Finding(f.rule, f.subject.as_str().into()))
            .collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let findings: Vec<Finding> = ordered(scene.ui, scene.snapshot)
            .into_iter()
            .cloned()
            .collect();
        let order: Vec<usize> = (0..findings.len()).collect();
        let rows = self.rows(scene.ui, scene.snapshot);
        let cursor = scene.ui.pane().position(&rows);
        let (list, below) = split(area, order.len() + 1, 13..=u16::MAX);
        column::render(scene, COLUMNS, &findings, &order, cursor, list, buf);
        if order.is_empty() {
            no_rows(scene, &nothing(scene), list, buf);
        }
        if let (Some(area), Some(cursor)) = (below, cursor) {
            card(scene, &findings[order[cursor]], area, buf);
        }
    }
}

/// Those that were not hidden.
fn listed<'a>(ui: &UiState, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Finding> {
    let hidden = ui.hidden_rules.clone();
    let findings = snapshot.findings.iter();
    findings.filter(move |finding| !hidden.contains(finding.rule))
}

fn ordered<'a>(ui: &UiState, snapshot: &'a Snapshot) -> Vec<&'a Finding> {
    let listed: Vec<&Finding> = listed(ui, snapshot).collect();
    let owned: Vec<Finding> = listed.iter().map(|f| (*f).clone()).collect();
    let order = column::arrange(&owned, ui.pane_of(Context::Advice), COLUMNS, |f| {
        format!("{} {} {} {}", f.rule, f.name, f.title, f.subject)
    });
    order.into_iter().map(|i| listed[i]).collect()
}

fn nothing(scene: &Scene<'_>) -> String {
    if !scene.snapshot.findings.is_empty() {
        return "Every finding is hidden or has another text; x hid its rule until netop ends, Esc clears the text.".to_owned();
    }
    if scene.snapshot.elapsed_s < 10.0 && scene.ui.is_of_recording() {
        return "The rules look at ten seconds in a row: this recording has fewer.".to_owned();
    }
    if scene.snapshot.elapsed_s < 10.0 {
        return "The rules look at ten seconds: the first verdict comes then.".to_owned();
    }
    let tried = tried(scene);
    let lead = if tried.is_empty() {
        String::new()
    } else {
        format!("{tried}. ")
    };
    format!(
        "{lead}Nothing to advise. Checked and fine: {}.",
        scene.snapshot.checked.join(", ")
    )
}

fn style(scene: &Scene<'_>, f: &Finding) -> Style {
    match f.severity {
        _ if !f.confirmed => scene.theme.dim,
        Severity::Drop => scene.theme.bad,
        Severity::Cost | Severity::Latency => scene.theme.warn,
        Severity::Info => Style::new(),
    }
}

fn card(scene: &Scene<'_>, f: &Finding, area: Rect, buf: &mut Buffer) {
    let title = vec![
        Span::styled(format!("{} {}", f.rule, f.name), scene.theme.strong),
        Span::raw(clean(&f.subject).into_owned()),
        Span::styled(f.severity.name(), style(scene, f)),
    ];
    rule(scene, title, area, buf);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let dim = scene.theme.dim;
    let mut said = Vec::new();
    let mut say = |rank, lead: &'static str, text: String, style: Style| {
        if !text.is_empty() {
            let lead = vec![Span::styled(lead, dim)];
            said.push(Paragraph::new(rank, text, style).with_lead(lead));
        }
    };
    let evidence: Vec<String> = f.evidence.iter().map(evidence).collect();
    let guards: Vec<String> = f.guards.iter().map(guard).collect();
    say(0, "seen    ", evidence.join(" · "), Style::new());
    say(0, "since d ", tried(scene), scene.theme.strong);
    say(1, "why     ", f.why.clone(), Style::new());
    say(
        0,
        "try     ",
        clean(&f.attempt).into_owned(),
        scene.theme.strong,
    );
    say(0, "undo    ", clean(&f.revert).into_owned(), Style::new());
    say(1, "look    ", clean(&f.check).into_owned(), Style::new());
    say(
        2,
        "ruled out ",
        clean(&guards.join(" · ")).into_owned(),
        dim,
    );
    say(3, "source  ", f.source.to_owned(), dim);
    say(
        4,
        "        ",
        "netop changes nothing by itself; settings are lost at the next boot".to_owned(),
        dim,
    );
    paragraphs::render(said, below, buf);
}

/// What became of the finding that `d` marked, whichever is selected now.
fn tried(scene: &Scene<'_>) -> String {
    let experiment = scene.ui.experiment.as_ref();
    experiment.map_or(String::new(), |experiment| {
        clean(&experiment.verdict(scene.ui.baseline.comparison())).into_owned()
    })
}

fn evidence(e: &Evidence) -> String {
    let value = figure::rate(Some(e.value));
    let value = value.trim();
    match e.unit {
        "/s" => format!("{} {value}/s", clean(&e.name)),
        unit if unit.starts_with('%') => format!("{} {:.1}{unit}", clean(&e.name), e.value),
        "" => format!("{} {value}", clean(&e.name)),
        unit => format!("{} {value} {unit}", clean(&e.name)),
    }
}

fn guard(g: &Guard) -> String {
    format!("{}: {}", g.name, g.value)
}

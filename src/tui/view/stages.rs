//! The stages of the network stack: what each takes of the CPUs, of the whole host or of one CPU,
//! heaviest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::Scene;
use super::column::{self, Column};
use super::difference;
use crate::model::compare::Key;
use crate::model::{OUTSIDE, Part, Stage};
use crate::tui::figure;
use crate::tui::text::width;
use crate::tui::widget::bar;
use crate::tui::widget::table::Grow;

/// A stage as it is shown: its share here, of the host or of one CPU.
struct Row {
    stage: &'static str,
    direction: &'static str,
    cpu_pct: f64,
    cpu_error: Option<f64>,
    inclusive_pct: f64,
    ns_per_packet: Option<f64>,
    ns_error: Option<f64>,
    /// Of the stage on all CPUs.
    leaves: Vec<Part>,
    all_pct: f64,
}

const STAGE: Column<Row> = Column::new("STAGE", 13, 0, None, name).left();
const DIRECTION: Column<Row> = Column::new("DIR", 5, 1, None, |s: &Scene<'_>, r: &Row, _| {
    Line::styled(r.direction, s.theme.dim)
})
.left();
const CPU: Column<Row> = Column::new(
    "CPU%",
    figure::SHARE,
    0,
    None,
    |s: &Scene<'_>, r: &Row, _| s.figure(figure::share(Some(r.cpu_pct))),
);

static OF_THE_HOST: &[Column<Row>] = &[
    STAGE,
    DIRECTION,
    CPU,
    Column::new("±", figure::SHARE, 4, None, |s, r: &Row, _| {
        Line::styled(figure::share(r.cpu_error), s.theme.dim)
    }),
    Column::new("INCL%", figure::SHARE, 3, None, |s, r: &Row, _| {
        s.figure(figure::share(Some(r.inclusive_pct)))
    }),
    Column::new("NS/PKT", figure::COST, 2, None, |s, r: &Row, _| {
        s.figure(figure::cost(r.ns_per_packet))
    }),
    Column::new("±%", figure::ERROR, 4, None, |s, r: &Row, _| {
        Line::styled(figure::error(r.ns_error, r.ns_per_packet), s.theme.dim)
    }),
    Column::new("ΔNS/PKT", 7, 2, None, |s, r: &Row, _| {
        difference::cell(s, &Key::stage(r.stage, r.direction), |row| {
            &row.ns_per_packet
        })
    })
    .when(|scene| scene.mark.is_some()),
    Column::new("OF WHICH", 16, 5, None, leaves)
        .left()
        .grow(Grow::To(60)),
];

static OF_ONE_CPU: &[Column<Row>] = &[
    STAGE,
    DIRECTION,
    CPU,
    Column::new("OF STAGE", 8, 1, None, |s, r: &Row, _| {
        s.figure(figure::percent(Some(r.cpu_pct * 100.0 / r.all_pct)))
    }),
    Column::new("", 10, 2, None, |_, r: &Row, width| {
        Line::raw(bar::text(Some(r.cpu_pct), usize::from(width)))
    })
    .left()
    .grow(Grow::To(50)),
];

/// What the titles mean.
pub fn legend(whole: bool) -> &'static [&'static str] {
    if whole {
        &[
            "CPU% of one CPU: the stage's own code · INCL% and what it called · NS/PKT CPU time per wire packet · ± its 95% error",
            "OF WHICH what its innermost functions did · irq_off: sampled late",
        ]
    } else {
        &["CPU% of this CPU: the stage's own code · OF STAGE how much of the stage runs here"]
    }
}

/// The stages of that CPU, or of all; returns the lines used.
pub fn render(scene: &Scene<'_>, cpu: Option<u32>, area: Rect, buf: &mut Buffer) -> u16 {
    if area.is_empty() {
        return 0;
    }
    let mut rows = rows(&scene.snapshot.stages, cpu);
    if rows.is_empty() {
        let text = match scene.snapshot.health.cpu_samples {
            Some(_) => " No CPU sample met the network stack in this window.",
            None => " CPU time is not sampled now.",
        };
        buf.set_stringn(
            area.x,
            area.y,
            text,
            usize::from(area.width),
            scene.theme.dim,
        );
        return 1;
    }
    let columns = if cpu.is_some() {
        OF_ONE_CPU
    } else {
        OF_THE_HOST
    };
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    // What is not of the network goes first.
    if rows.len() > room {
        rows.retain(|row| row.stage != OUTSIDE);
    }
    let fits = rows.len() <= room;
    let shown = if fits { rows.len() } else { room - 1 };
    let order: Vec<usize> = (0..shown).collect();
    let table = Rect {
        height: area.height.min(shown as u16 + 1),
        ..area
    };
    column::render(scene, columns, &rows, &order, None, table, buf);
    if fits {
        return table.height;
    }
    let more: f64 = rows[shown..].iter().map(|row| row.cpu_pct).sum();
    let text = format!(
        " {} more, together {}",
        rows.len() - shown,
        figure::percent(Some(more))
    );
    let y = table.bottom().min(area.bottom() - 1);
    buf.set_stringn(area.x, y, text, usize::from(area.width), scene.theme.dim);
    area.height
}

fn rows(stages: &[Stage], cpu: Option<u32>) -> Vec<Row> {
    let here = |stage: &Stage| match cpu {
        None => Some(stage.cpu_pct),
        Some(cpu) => {
            let part = stage.per_cpu.iter().find(|part| part.cpu == cpu)?;
            Some(part.cpu_pct)
        }
    };
    let mut rows: Vec<Row> = stages
        .iter()
        .filter_map(|stage| {
            let cpu_pct = here(stage).filter(|pct| *pct > 0.0 || cpu.is_none())?;
            Some(Row {
                stage: stage.stage,
                direction: stage.direction,
                cpu_pct,
                cpu_error: stage.cpu_error,
                inclusive_pct: stage.inclusive_pct,
                ns_per_packet: stage.ns_per_packet,
                ns_error: stage.ns_error,
                leaves: stage.leaves.clone(),
                all_pct: stage.cpu_pct,
            })
        })
        .collect();
    // Of equal ones the order of the snapshot stays.
    rows.sort_by(|a, b| {
        let outside = |row: &Row| row.stage == OUTSIDE;
        outside(a)
            .cmp(&outside(b))
            .then(b.cpu_pct.total_cmp(&a.cpu_pct))
    });
    rows
}

/// A profiler's own work is no part of the network's.
fn name(scene: &Scene<'_>, r: &Row, _: u16) -> Line<'static> {
    let style = match r.stage {
        "observer" => scene.theme.warn,
        _ => Style::new(),
    };
    Line::styled(r.stage, style)
}

/// `lock 12% alloc 8%` of the stage's own time; what has no room is left out whole.
fn leaves(_: &Scene<'_>, r: &Row, room: u16) -> Line<'static> {
    let mut text = String::new();
    for part in &r.leaves {
        let share = figure::percent(Some(part.cpu_pct * 100.0 / r.cpu_pct));
        let gap = if text.is_empty() { "" } else { " " };
        let more = format!("{gap}{} {share}", part.name);
        if width(&text) + width(&more) > usize::from(room) {
            break;
        }
        text.push_str(&more);
    }
    Line::raw(text)
}

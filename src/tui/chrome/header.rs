//! The lines that stand on every view: state, LOSS, HOT and tabs; NET is
//! in `net_line`.

use ratatui::text::{Line, Span};

use crate::model::{Class, Layer, Snapshot};
use crate::tui::figure;
use crate::tui::state::UiState;
use crate::tui::text::clean;
use crate::tui::theme::Theme;
use crate::tui::view::VIEWS;
use crate::tui::widget::strip::{Part, fit, label, plain, spread, styled};

/// Below this share of a CPU nothing is hot.
const CALM_PCT: f64 = 1.0;

/// `edge-12 6.8.0 32cpu LIVE 1s perf+proc  cost cpu7 0.9% all 0.1%  lost 0   03:12:45Z`
pub fn state(ui: &UiState, snapshot: &Snapshot, width: usize) -> Line<'static> {
    let theme = ui.theme;
    let host = &snapshot.host;
    let health = &snapshot.health;
    let release = clean(&host.kernel).into_owned();
    let kernel = release.split('-').next().unwrap_or("").to_owned();
    let mut parts = vec![
        styled(4, clean(&host.hostname).into_owned(), theme.strong),
        plain(8, kernel),
        plain(7, format!("{}cpu", host.cpus_online)),
        mode(ui, snapshot),
        plain(3, figure::span(ui.interval())),
        plain(6, health.counting.to_owned()),
    ];
    if health.detached || ui.want().detached {
        parts.push(styled(1, "DETACHED".to_owned(), theme.warn));
    }
    parts.push(cost(snapshot, theme));
    let lost = health.samples_lost();
    let style = if lost > 0 { theme.bad } else { theme.dim };
    parts.push(styled(
        2,
        format!("lost {}", figure::count(Some(lost))),
        style,
    ));
    if health.throttled > 0 {
        let text = format!("throttled {}", figure::count(Some(health.throttled)));
        parts.push(styled(5, text, theme.bad));
    }
    let clock = figure::clock(snapshot.at, ui.utc_offset_s);
    let room = width.saturating_sub(clock.len() + 1);
    if room < 30 {
        return fit(parts, " ", width);
    }
    spread(fit(parts, " ", room), Line::raw(clock), width)
}

fn mode(ui: &UiState, snapshot: &Snapshot) -> Part {
    if let Some(place) = ui.place_in_recording(snapshot) {
        return styled(0, place, ui.theme.good);
    }
    if ui.history.paused() {
        let age = ui.history.age_s();
        let sign = if age > 0.0 { '-' } else { '+' };
        let length = figure::span(std::time::Duration::from_secs_f64(age.abs()));
        let away = if age.abs() >= 0.05 {
            format!(" {sign}{length}")
        } else {
            String::new()
        };
        return styled(0, format!("PAUSED{away}"), ui.theme.warn);
    }
    styled(0, snapshot.host.source.to_uppercase(), ui.theme.good)
}

fn cost(snapshot: &Snapshot, theme: &Theme) -> Part {
    let health = &snapshot.health;
    let over = health.cost_pct.is_some_and(|cost| cost > health.limit_pct);
    let cpu = health
        .cost_cpu
        .map_or_else(String::new, |cpu| format!("cpu{cpu} "));
    let mut text = format!(
        " cost {cpu}{} all {}",
        figure::percent(health.cost_pct),
        figure::percent(health.cost_all_pct)
    );
    if over {
        text.push_str(" OVER ");
        text.push_str(&figure::percent(Some(health.limit_pct)));
    }
    styled(2, text, if over { theme.bad } else { theme.dim })
}

pub fn loss(ui: &UiState, snapshot: &Snapshot, width: usize) -> Line<'static> {
    let theme = ui.theme;
    let summary = &snapshot.summary;
    let head =
        |text: String, style| Part::new(0, vec![label("LOSS ", theme), Span::styled(text, style)]);
    let place = summary
        .loss_where
        .as_deref()
        .map(|place| clean(place).into_owned());
    let total = summary.loss_total.unwrap_or(0);
    let mut parts = Vec::new();
    match summary.loss_rate {
        None => parts.push(head(
            format!("{} no counter of losses can be read here", figure::NONE),
            theme.dim,
        )),
        Some(rate) if rate > 0.0 => {
            parts.push(head(format!("{}/s", figure::rate(Some(rate))), theme.bad));
            parts.extend(place.map(|place| styled(1, place, theme.bad)));
            if let Some(since) = summary.loss_since {
                parts.push(plain(
                    2,
                    format!(" since {}", figure::clock(since, ui.utc_offset_s)),
                ));
            }
            parts.push(plain(3, format!(" {} in all", figure::count(Some(total)))));
            let trouble = snapshot.drops.iter();
            let mut others: Vec<_> = trouble
                .filter(|drop| drop.class == Class::Trouble && drop.rate > Some(0.0))
                .collect();
            others.sort_by(|a, b| b.rate.unwrap_or(0.0).total_cmp(&a.rate.unwrap_or(0.0)));
            for (rank, drop) in (4..=9).zip(others.iter().skip(1)) {
                let per_second = figure::rate(drop.rate);
                let text = format!("· {} {per_second}/s", clean(&drop.place));
                parts.push(styled(rank, text, theme.warn));
            }
        }
        Some(_) => {
            parts.push(head("none".to_owned(), theme.good));
            if total > 0 {
                parts.push(plain(
                    1,
                    format!("now · {} since netop started", figure::count(Some(total))),
                ));
                parts.extend(place.map(|place| plain(2, format!("· last: {place}"))));
            }
        }
    }
    if let Some(rate) = snapshot.policy_rate() {
        let text = format!("· by rules {}/s", figure::rate(Some(rate)));
        parts.push(styled(3, text, theme.warn));
    }
    let look = (snapshot.drops.iter())
        .filter(|drop| drop.class == Class::Look && drop.layer != Layer::Tcp);
    let look: f64 = look.filter_map(|drop| drop.rate).sum();
    if look > 0.0 {
        let text = format!("· +{}/s to look at", figure::rate(Some(look)));
        parts.push(styled(10, text, theme.dim));
    }
    fit(parts, " ", width)
}

pub fn hot(ui: &UiState, snapshot: &Snapshot, width: usize) -> Line<'static> {
    let theme = ui.theme;
    let summary = &snapshot.summary;
    let (Some(cpu), Some(pct)) = (summary.hot_cpu, summary.hot_softirq_pct) else {
        return fit(
            vec![Part::new(
                0,
                vec![label("HOT  ", theme), Span::styled(figure::NONE, theme.dim)],
            )],
            "",
            width,
        );
    };
    if pct < CALM_PCT {
        let calm = format!("none: no CPU above {CALM_PCT:.0}% softirq");
        let spans = vec![label("HOT  ", theme), Span::styled(calm, theme.good)];
        return fit(vec![Part::new(0, spans)], "", width);
    }
    let style = match pct {
        _ if pct >= 85.0 => theme.bad,
        _ if pct >= 50.0 => theme.warn,
        _ => theme.good,
    };
    let what = format!("cpu{cpu} {} softirq", figure::percent(Some(pct)));
    let mut parts = vec![Part::new(
        0,
        vec![label("HOT  ", theme), Span::styled(what, style)],
    )];
    if let Some(cause) = &summary.hot_cause {
        parts.push(plain(1, clean(cause).into_owned()));
    }
    if let (Some(cpu), Some(_)) = (summary.next_cpu, summary.next_softirq_pct) {
        let pct = figure::percent(summary.next_softirq_pct);
        parts.push(plain(2, format!("next cpu{cpu} {pct}")));
    }
    fit(parts, " · ", width)
}

/// The open view stands in brackets; on the right where the cursor is and what sorts.
pub fn tabs(ui: &UiState, width: usize) -> Line<'static> {
    let tab = |i: usize, narrow: bool| {
        let view = VIEWS[i];
        let sign = ui.shown().map(|shown| view.alarm(ui, shown));
        let sign = sign.unwrap_or_default();
        let title = if narrow { view.short() } else { view.title() };
        let text = format!("{} {title}{sign}", view.digit());
        match (i == ui.view, narrow) {
            (true, _) => styled(0, format!("[{text}]"), ui.theme.tab),
            (false, true) => plain(i as u8 + 1, text),
            (false, false) => plain(i as u8 + 1, format!(" {text} ")),
        }
    };
    let tabs = |narrow: bool| (0..VIEWS.len()).map(|i| tab(i, narrow)).collect::<Vec<_>>();
    let rows = ui.rows();
    let mut right = ui
        .pane()
        .position(&rows)
        .map_or_else(String::new, |at| format!("{}/{}", at + 1, rows.len()));
    let sorts = ui.view().sorts();
    let sign = crate::tui::view::order_sign(ui.pane().reverse);
    match ui.pane().sort.and_then(|sort| sorts.get(sort)) {
        Some(column) => right.extend(["  by ", column, " ", sign]),
        None if ui.pane().reverse => right.push_str("  reversed"),
        None => {}
    }
    let roomy = fit(tabs(false), "", usize::MAX);
    let tabs = if roomy.width() + 1 + right.len() <= width {
        roomy
    } else {
        fit(tabs(true), " ", width)
    };
    spread(tabs, Line::styled(right, ui.theme.dim), width)
}

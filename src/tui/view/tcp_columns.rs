//! The columns of view 9; which of them are there depends on the grouping.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Scene;
use super::column::{Column, Key};
use super::tcp_rows::Entry;
use crate::model::{Flow, Limit};
use crate::tui::figure;
use crate::tui::state::grouping::Grouping;
use crate::tui::text::clean;
use crate::tui::widget::table::Grow;

type Row = Entry;

/// From here on bytes sent again are worth a colour, percent.
const RETRANS_PCT: f64 = 1.0;

macro_rules! number {
    ($title:literal, $cells:expr, $rank:literal, $value:expr, $text:expr) => {
        Column::new(
            $title,
            $cells,
            $rank,
            Some(|row: &Row| {
                let value: fn(&Row) -> Option<f64> = $value;
                Key::Number(value(row))
            }),
            |scene: &Scene<'_>, row: &Row, _| {
                let value: fn(&Row) -> Option<f64> = $value;
                scene.figure($text(value(row)))
            },
        )
    };
}

pub static COLUMNS: &[Column<Row>] = &[
    Column::new(
        "NAME",
        20,
        0,
        Some(|r: &Row| Key::Text(r.name().to_owned())),
        |s, r: &Row, _| Line::styled(clean(r.name()).into_owned(), s.theme.strong),
    )
    .left()
    .grow(Grow::To(44))
    .when(sums),
    Column::new(
        "LOCAL",
        12,
        7,
        Some(|r: &Row| Key::Text(r.local().to_owned())),
        |_, r: &Row, _| Line::raw(clean(r.local()).into_owned()),
    )
    .left()
    .grow(Grow::To(44))
    .when(connections),
    Column::new(
        "ADDRESS",
        12,
        0,
        Some(|r: &Row| Key::Text(r.local().to_owned())),
        |_, r: &Row, _| Line::raw(clean(r.local()).into_owned()),
    )
    .left()
    .grow(Grow::To(44))
    .when(listening),
    Column::new(
        "REMOTE",
        21,
        0,
        Some(|r: &Row| Key::Text(r.name().to_owned())),
        |s, r: &Row, _| Line::styled(clean(r.name()).into_owned(), s.theme.strong),
    )
    .left()
    .grow(Grow::To(44))
    .when(connections),
    Column::new(
        "PROCESS",
        12,
        2,
        Some(|r: &Row| Key::Text(r.process())),
        |_, r: &Row, _| Line::raw(clean(&r.process()).into_owned()),
    )
    .left()
    .grow(Grow::To(28))
    .when(|s| !sums(s)),
    number!("CONNS", 6, 3, |r| group(r).map(|g| g.0), figure::rate).when(sums),
    number!("ACTIVE", 6, 5, |r| group(r).map(|g| g.1), figure::rate).when(sums),
    number!(
        "TX b/s",
        figure::RATE,
        1,
        |r| r.flow()?.sent_bps,
        figure::rate
    )
    .when(flows),
    number!(
        "RX b/s",
        figure::RATE,
        1,
        |r| r.flow()?.received_bps,
        figure::rate
    )
    .when(flows),
    Column::new(
        "RETR%",
        figure::SHARE,
        3,
        Some(|r: &Row| Key::Number(r.flow().and_then(|f| f.retrans_pct))),
        |s: &Scene<'_>, r: &Row, _| retransmitted(s, r.flow()),
    )
    .when(flows),
    number!(
        "RTT",
        figure::COST,
        4,
        |r| nanoseconds(r.flow()?.srtt_us),
        round_trip
    )
    .when(flows),
    number!(
        "MIN",
        figure::COST,
        6,
        |r| nanoseconds(r.flow()?.min_rtt_us),
        round_trip
    )
    .when(flows),
    number!(
        "DELIV",
        figure::BYTES + 2,
        8,
        |r| r.flow()?.delivery_rate.map(|b| b as f64),
        delivered
    )
    .when(flows),
    Column::new(
        "LIMITED BY",
        16,
        1,
        Some(|r: &Row| limit_key(r.flow())),
        limited,
    )
    .left()
    .when(flows),
    number!("QUEUE", 7, 0, |r| listens(r).map(|l| l.0), figure::rate).when(listening),
    number!("BACKLOG", 7, 1, |r| listens(r).map(|l| l.1), figure::rate).when(listening),
    number!("DROPS", 6, 1, |r| listens(r)?.2, figure::rate).when(listening),
    number!("TOTAL", 6, 3, |r| listens(r)?.3, figure::rate).when(listening),
];

fn connections(scene: &Scene<'_>) -> bool {
    scene.ui.grouping == Grouping::Connection
}

fn sums(scene: &Scene<'_>) -> bool {
    scene.ui.grouping.by().is_some()
}

fn listening(scene: &Scene<'_>) -> bool {
    scene.ui.grouping == Grouping::Listening
}

fn flows(scene: &Scene<'_>) -> bool {
    !listening(scene)
}

fn group(row: &Row) -> Option<(f64, f64)> {
    match row {
        Entry::Sum(group) => Some((group.connections as f64, group.active as f64)),
        _ => None,
    }
}

type Listens = (f64, f64, Option<f64>, Option<f64>);

fn listens(row: &Row) -> Option<Listens> {
    let Entry::Listens(socket) = row else {
        return None;
    };
    let count = |n: Option<u64>| n.map(|n| n as f64);
    let (queue, backlog) = (socket.queue as f64, socket.backlog as f64);
    Some((
        queue,
        backlog,
        count(socket.dropped),
        count(socket.dropped_total),
    ))
}

fn nanoseconds(us: Option<u64>) -> Option<f64> {
    us.map(|us| us as f64 * 1000.0)
}

/// With its unit: the title names none.
fn round_trip(ns: Option<f64>) -> String {
    figure::duration(ns.map(|ns| ns as u64))
}

/// Bytes/s as the other rates are written: bits.
fn delivered(bytes: Option<f64>) -> String {
    figure::rate(bytes.map(|bytes| bytes * 8.0))
}

fn retransmitted(scene: &Scene<'_>, flow: Option<&Flow>) -> Line<'static> {
    let pct = flow.and_then(|flow| flow.retrans_pct);
    let text = figure::share(pct);
    if pct.is_some_and(|pct| pct >= RETRANS_PCT) {
        Line::styled(text, scene.theme.warn)
    } else {
        scene.figure(text)
    }
}

/// Of one kind together, the most held up first.
fn limit_key(flow: Option<&Flow>) -> Key {
    let limit = flow.and_then(|flow| Some((flow, flow.limit?)));
    Key::Number(limit.map(|(flow, limit)| {
        let kind = 1000.0 * f64::from(4 - limit as i32);
        kind + flow.limited.of(limit).unwrap_or(100.0)
    }))
}

fn limited(scene: &Scene<'_>, row: &Row, _: u16) -> Line<'static> {
    let Some((flow, limit)) = row.flow().and_then(|flow| Some((flow, flow.limit?))) else {
        return Line::styled(figure::NONE, scene.theme.dim);
    };
    let style = match limit {
        Limit::App => Style::new(),
        _ => scene.theme.strong,
    };
    let mut spans = vec![Span::styled(word(limit), style)];
    if let Some(pct) = flow.limited.of(limit) {
        spans.push(Span::raw(format!(" {}", figure::percent(Some(pct)))));
    }
    Line::from(spans)
}

/// Whose doing, and what it is called.
pub fn word(limit: Limit) -> &'static str {
    match limit {
        Limit::Rwnd => "peer: rwnd",
        Limit::Sndbuf => "us: sndbuf",
        Limit::Cwnd => "wire: cwnd",
        Limit::App => "app",
        Limit::Reader => "us: reader",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_of_microseconds_has_its_unit_as_a_longer_one_has() {
        let written = [8.0, 84.0, 1900.0].map(|us| round_trip(Some(1000.0 * us)));
        assert_eq!(written, ["8000ns", "84.0µs", "1.9ms"]);
        assert_eq!(round_trip(None), figure::cost(None));
    }
}

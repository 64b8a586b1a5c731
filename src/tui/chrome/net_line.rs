//! The line NET: traffic, what it takes of the CPUs and what a packet costs. Where room is short
//! the window goes first, then the split; no part is cut.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::{Snapshot, Summary};
use crate::tui::figure;
use crate::tui::state::UiState;
use crate::tui::theme::Theme;
use crate::tui::widget::difference::Difference;
use crate::tui::widget::strip::{Part, fit, label};

/// Less wide, what comes after the traffic needs the room of its units.
const UNITS_FROM: usize = 100;

/// Observers below this, in percent of one CPU, change nothing.
const OBSERVERS_PCT: f64 = 1.0;
/// From here on they are news before what was sent.
const OBSERVERS_HEAVY_PCT: f64 = 5.0;

/// `NET  rx 71.4G 6.90Mpps · tx 3.10G 900.0kpps · 4.77/32 cores (rx 3.10 tx 1.20 sock 0.40) ·
/// 612 ns/pkt ±4% (30s) · observers 12% · local 1.20G 120.0kpps`
pub fn net(ui: &UiState, snapshot: &Snapshot, width: usize) -> Line<'static> {
    let theme = ui.theme;
    let summary = &snapshot.summary;
    let sampled = snapshot.host.clock.is_some();
    let units = !sampled || width >= UNITS_FROM;
    let mut parts = traffic(summary, units, theme);
    if let Some(seconds) = snapshot.late_devices_s() {
        parts.push(part(0, format!(" over {seconds:.1}s"), theme.dim));
    }
    if let Some(cores) = summary.net_cores {
        let text = format!(
            " · {}/{} cores",
            figure::cores(Some(cores)),
            snapshot.host.cpus_online
        );
        parts.push(part(2, text, Style::new()));
        parts.push(part(5, split(summary), theme.dim));
        parts.push(part(1, per_packet(summary), Style::new()));
        parts.extend(since_mark(ui));
        if let Some(window) = summary.cpu_window_s.filter(|window| window.is_finite()) {
            parts.push(part(8, format!(" ({window:.0}s)"), theme.dim));
        }
    } else if sampled {
        let text = format!(" · {}/{} cores", figure::NONE, snapshot.host.cpus_online);
        parts.push(part(9, text, theme.dim));
    }
    if let Some(pct) = summary.observer_pct.filter(|pct| *pct > OBSERVERS_PCT) {
        let text = format!(" · observers {}", figure::percent(Some(pct)));
        let heavy = pct >= OBSERVERS_HEAVY_PCT;
        let style = if heavy { theme.warn } else { theme.dim };
        parts.push(part(if heavy { 3 } else { 6 }, text, style));
    }
    fit(parts, "", width)
}

fn part(rank: u8, text: String, style: Style) -> Part {
    Part::new(rank, vec![Span::styled(text, style)])
}

/// The heaviest of the ways comes first and stays: on many hosts all traffic is local.
fn traffic(summary: &Summary, units: bool, theme: &'static Theme) -> Vec<Part> {
    let text = |name: &str, bits: Option<f64>, packets: Option<f64>| {
        let amount = if units {
            figure::bits(bits)
        } else {
            figure::rate(bits)
        };
        match packets {
            None => format!("{name} {amount}"),
            Some(_) => format!("{name} {amount} {}pps", figure::rate(packets)),
        }
    };
    let rx = text("rx", summary.rx_bps, summary.rx_pps);
    let tx = text("tx", summary.tx_bps, summary.tx_pps);
    let local = text("local", summary.local_bps, summary.local_pps);
    let none = |rate: Option<f64>| rate.is_none_or(|rate| rate <= 0.0);
    let local_only = none(summary.rx_pps) && none(summary.tx_pps) && !none(summary.local_pps);
    let ways = if local_only {
        vec![(0, local), (10, rx), (10, tx)]
    } else if summary.local_pps.or(summary.local_bps).is_some() {
        vec![(0, rx), (4, tx), (7, local)]
    } else {
        vec![(0, rx), (4, tx)]
    };
    let ways = ways.into_iter().enumerate();
    ways.map(|(i, (rank, text))| {
        let lead = if i == 0 {
            label("NET  ", theme)
        } else {
            Span::raw(" · ")
        };
        Part::new(rank, vec![lead, Span::raw(text)])
    })
    .collect()
}

/// Whose work it was; nothing where no part is known.
fn split(summary: &Summary) -> String {
    let ways = [
        ("rx", summary.net_rx_pct),
        ("tx", summary.net_tx_pct),
        ("sock", summary.net_sock_pct),
    ];
    let known: Vec<String> = ways
        .into_iter()
        .filter_map(|(name, pct)| {
            let cores = figure::cores(Some(pct? / 100.0));
            Some(format!("{name} {cores}"))
        })
        .collect();
    if known.is_empty() {
        String::new()
    } else {
        format!(" ({})", known.join(" "))
    }
}

/// ` Δ+12%!`: since the mark, as the cells of the tables say it.
fn since_mark(ui: &UiState) -> Option<Part> {
    let change = ui.baseline.comparison()?.ns_per_packet;
    let difference = Difference::new(&change);
    let text = format!(" Δ{}", difference.text());
    Some(part(1, text, difference.style(ui.theme)))
}

fn per_packet(summary: &Summary) -> String {
    let error = match figure::error(summary.ns_error, summary.ns_per_packet) {
        error if error == figure::NONE => String::new(),
        error => format!(" ±{error}%"),
    };
    let cost = match summary.ns_per_packet {
        None => format!("{} ns", figure::NONE),
        some => figure::cost_words(some),
    };
    format!(" · {cost}/pkt{error}")
}

//! Below the ledger: what the selected loss means, who bears witness, what to look at next; and
//! what all rows add up to.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::drops::style;
use super::paragraphs::{self, Paragraph};
use super::{Scene, rule};
use crate::model::{Drop, Share, Witness};
use crate::tui::figure;
use crate::tui::text::clean;

pub fn render(scene: &Scene<'_>, d: &Drop, area: Rect, buf: &mut Buffer) {
    let title = vec![
        Span::styled(clean(&d.place).into_owned(), scene.theme.strong),
        Span::raw(
            d.reason
                .as_deref()
                .map_or(String::new(), |r| clean(r).into_owned()),
        ),
        Span::styled(d.class.name(), style(scene, d.class)),
    ];
    rule(scene, title, area, buf);
    let dim = scene.theme.dim;
    let mut said = Vec::new();
    let mut say = |rank, lead: &'static str, text: String, style: Style| {
        if !text.is_empty() {
            let lead = vec![Span::styled(lead, dim)];
            said.push(Paragraph::new(rank, text, style).with_lead(lead));
        }
    };
    say(0, "what    ", d.meaning.to_owned(), Style::new());
    say(0, "next    ", clean(d.next).into_owned(), Style::new());
    say(1, "counted ", witnesses(d), Style::new());
    for (rank, kind, lead) in [
        (2, "function", "where   "),
        (3, "device", "device  "),
        (2, "owner", "socket  "),
    ] {
        say(rank, lead, shares(d, kind), Style::new());
    }
    say(4, "sums    ", sums_text(scene), dim);
    say(5, "devices ", devices(scene), dim);
    paragraphs::render(said, below(area), buf);
}

/// Without a row: only what all of them add up to.
pub fn sums(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    rule(scene, vec![Span::raw("all losses")], area, buf);
    let said: Vec<Paragraph> = [sums_text(scene), devices(scene)]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| Paragraph::new(0, text, scene.theme.dim))
        .collect();
    paragraphs::render(said, below(area), buf);
}

fn below(area: Rect) -> Rect {
    Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    }
}

/// `1.99k datagrams: Udp.RcvbufErrors 1994 · kfree_skb SOCKET_RCVBUFF 1994 · within Udp.InErrors 1994`
fn witnesses(d: &Drop) -> String {
    let said = |w: &Witness| {
        let within = if w.includes_others { "within " } else { "" };
        let about = if w.estimated { "≈" } else { "" };
        format!(
            "{within}{} {about}{}",
            clean(&w.name),
            figure::exact(w.count)
        )
    };
    let all: Vec<String> = d.witnesses.iter().map(said).collect();
    let partly = (d.counted_s).map(|seconds| format!(" (counted for {seconds:.1} s of it)"));
    format!(
        "{}{} {} since netop started{}: {}",
        d.mark(),
        figure::exact(d.total),
        d.unit,
        partly.unwrap_or_default(),
        all.join(" · ")
    )
}

fn shares(d: &Drop, kind: &str) -> String {
    let of_kind: Vec<&Share> = d.by.iter().filter(|share| share.kind == kind).collect();
    let all: f64 = of_kind.iter().map(|share| share.calls).sum();
    let said = of_kind.iter().map(|share| {
        let pct = figure::percent(Some(share.calls * 100.0 / all));
        format!("{} {pct}", clean(&share.name))
    });
    said.collect::<Vec<_>>().join(" · ")
}

fn sums_text(scene: &Scene<'_>) -> String {
    let layers = scene.snapshot.losses.layers.iter().map(|sum| {
        format!(
            "{} {} {}",
            sum.layer.title(),
            figure::count(Some(sum.total)),
            sum.unit
        )
    });
    layers.collect::<Vec<_>>().join(" · ")
}

fn devices(scene: &Scene<'_>) -> String {
    let devices = scene.snapshot.losses.devices.iter().map(|device| {
        format!(
            "{} rx {} tx {} dropped, {} unexplained",
            clean(&device.device),
            figure::count(Some(device.rx_dropped)),
            figure::count(Some(device.tx_dropped)),
            figure::count(device.unexplained)
        )
    });
    devices.collect::<Vec<_>>().join(" · ")
}

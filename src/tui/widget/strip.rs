//! A line made of parts that have ranks: where room is short, the highest rank goes first and
//! whole, so that no word is cut before all that can be spared is gone.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::text::clip_line;
use crate::tui::theme::Theme;

#[derive(Debug, Clone)]
pub struct Part {
    pub rank: u8,
    pub spans: Vec<Span<'static>>,
}

impl Part {
    pub fn new(rank: u8, spans: Vec<Span<'static>>) -> Part {
        Part { rank, spans }
    }

    fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }
}

pub fn plain(rank: u8, text: String) -> Part {
    Part::new(rank, vec![Span::raw(text)])
}

pub fn styled(rank: u8, text: String, style: Style) -> Part {
    Part::new(rank, vec![Span::styled(text, style)])
}

pub fn label(name: &'static str, theme: &Theme) -> Span<'static> {
    Span::styled(name, theme.strong)
}

/// Whether all parts fit.
pub fn fits(parts: &[Part], separator: &str, width: usize) -> bool {
    total(parts, separator.len()) <= width
}

/// The parts that fit into `width`, in their order, with `separator` between them.
pub fn fit(mut parts: Vec<Part>, separator: &'static str, width: usize) -> Line<'static> {
    parts.retain(|part| part.width() > 0);
    let gap = Span::raw(separator);
    while parts.len() > 1 && total(&parts, gap.width()) > width {
        // Of equal ranks the last goes first.
        let worst = parts
            .iter()
            .enumerate()
            .max_by_key(|(i, part)| (part.rank, *i))
            .map_or(0, |(i, _)| i);
        parts.remove(worst);
    }
    let mut spans = Vec::new();
    for (i, part) in parts.into_iter().enumerate() {
        if i > 0 {
            spans.push(gap.clone());
        }
        spans.extend(part.spans);
    }
    clip_line(Line::from(spans), width)
}

/// `left` at the left and, where it fits without touching, `right` at the right end.
pub fn spread(left: Line<'static>, right: Line<'static>, width: usize) -> Line<'static> {
    let used = left.width() + right.width();
    if right.width() == 0 || used + 1 > width {
        return clip_line(left, width);
    }
    let mut spans = left.spans;
    spans.push(Span::raw(" ".repeat(width - used)));
    spans.extend(right.spans);
    Line::from(spans)
}

fn total(parts: &[Part], gap: usize) -> usize {
    parts.iter().map(Part::width).sum::<usize>() + gap * parts.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(rank: u8, text: &'static str) -> Part {
        Part::new(rank, vec![Span::raw(text)])
    }

    #[test]
    fn the_least_needed_part_goes_first_and_whole() {
        let parts = vec![part(0, "loss"), part(2, "where"), part(1, "since")];
        let shown = |width| fit(parts.clone(), " ", width).to_string();
        assert_eq!(shown(16), "loss where since");
        assert_eq!(shown(15), "loss since");
        assert_eq!(shown(9), "loss");
        assert_eq!(shown(3), "lo…");
        assert_eq!(shown(0), "");
    }

    #[test]
    fn the_right_end_is_dropped_before_it_touches_the_left() {
        let shown = |width| spread("left".into(), "right".into(), width).to_string();
        assert_eq!(shown(12), "left   right");
        assert_eq!(shown(9), "left");
    }
}

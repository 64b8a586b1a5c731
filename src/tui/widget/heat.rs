//! A strip of cells, one for each value, that fills as many lines as it needs: what is uneven is
//! seen at once. The height of a cell says its share; colour only repeats it.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// From nothing to full.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const UNKNOWN: char = '·';

/// Percentages as lines of at most `width` cells, in groups of four so that a place can be
/// counted; at most `most` lines.
pub fn strip(
    values: &[Option<f64>],
    (width, most): (usize, usize),
    style: impl Fn(Option<f64>) -> Style,
) -> Vec<Line<'static>> {
    let groups = per_line(width);
    let lines = values.chunks(groups.max(1)).take(most);
    lines
        .map(|values| {
            let mut spans = Vec::new();
            for (at, value) in values.iter().enumerate() {
                if at > 0 && at % GROUP == 0 {
                    spans.push(Span::raw(" "));
                }
                spans.push(Span::styled(sign(*value).to_string(), style(*value)));
            }
            Line::from(spans)
        })
        .collect()
}

const GROUP: usize = 4;

/// How many values a line of that width holds: whole groups with a gap between two.
pub fn per_line(width: usize) -> usize {
    match (width + 1) / (GROUP + 1) * GROUP {
        0 => width,
        whole => whole,
    }
}

fn sign(value: Option<f64>) -> char {
    value
        .filter(|value| value.is_finite())
        .map_or(UNKNOWN, |value| {
            let level = value.clamp(0.0, 100.0) / 100.0 * (LEVELS.len() - 1) as f64;
            LEVELS[level.round() as usize]
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_cell_and_what_is_unknown_is_no_zero() {
        let values = [Some(0.0), Some(100.0), None, Some(50.0), Some(1000.0)];
        let lines = strip(&values, (80, 9), |_| Style::new());
        assert_eq!(lines[0].to_string(), "▁█·▅ █");
    }

    #[test]
    fn many_cpus_wrap_and_no_line_is_too_wide() {
        for cpus in [1, 2, 31, 64, 512] {
            for width in 0..130 {
                let lines = strip(&vec![Some(5.0); cpus], (width, 100), |_| Style::new());
                assert!(
                    lines.iter().all(|line| line.width() <= width.max(1)),
                    "{cpus} {width}"
                );
            }
        }
        assert_eq!(
            strip(&vec![None; 512], (80, 100), |_| Style::new()).len(),
            8
        );
    }
}

//! A strip of cells, one for each value or for some neighbours, over as many lines as it needs:
//! what is uneven is seen at once. The height of a cell says its share; colour only repeats it.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// From nothing to full.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const UNKNOWN: char = '·';

/// So many values share a cell where `lines` lines of `width` cells hold no more.
pub fn per_cell(values: usize, (width, lines): (usize, usize)) -> usize {
    values.div_ceil((width * lines).max(1)).max(1)
}

/// Percentages as cells, each the largest of `per_cell` neighbours, `width` on a line.
pub fn strip(
    values: &[Option<f64>],
    per_cell: usize,
    width: usize,
    style: impl Fn(Option<f64>) -> Style,
) -> Vec<Line<'static>> {
    let largest = |values: &[Option<f64>]| values.iter().flatten().copied().reduce(f64::max);
    let cells: Vec<Option<f64>> = values.chunks(per_cell.max(1)).map(largest).collect();
    let cell = |value: &Option<f64>| Span::styled(sign(*value).to_string(), style(*value));
    let lines = cells.chunks(width.max(1));
    lines.map(|line| line.iter().map(cell).collect()).collect()
}

fn sign(value: Option<f64>) -> char {
    let value = value.filter(|value| value.is_finite());
    value.map_or(UNKNOWN, |value| {
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
        let lines = strip(&values, 1, 80, |_| Style::new());
        assert_eq!(lines[0].to_string(), "▁█·▅█");
    }

    #[test]
    fn a_cell_for_several_shows_the_hottest_of_them() {
        let values = [Some(0.0), Some(100.0), Some(0.0), Some(0.0), None];
        let lines = strip(&values, 2, 80, |_| Style::new());
        assert_eq!(lines[0].to_string(), "█▁·");
    }

    #[test]
    fn many_cpus_wrap_into_the_lines_there_are() {
        for cpus in [1, 2, 31, 64, 512, 4096] {
            for width in 1..130 {
                for most in 1..5 {
                    let per_cell = per_cell(cpus, (width, most));
                    let lines = strip(&vec![Some(5.0); cpus], per_cell, width, |_| Style::new());
                    assert!(lines.len() <= most, "{cpus} {width}");
                    assert!(lines.iter().all(|line| line.width() <= width));
                }
            }
        }
        assert_eq!(per_cell(64, (73, 1)), 1);
        assert_eq!(per_cell(512, (73, 2)), 4);
    }
}

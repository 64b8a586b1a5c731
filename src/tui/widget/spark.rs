//! A history as one row of blocks. A cell stands for one or more intervals and shows their
//! highest; cells keep their intervals as time goes on, so that the shape moves, never shimmers.

/// Seven heights: the eighth would join the rows of a table into one block.
const LEVELS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

/// How many intervals one cell stands for when `span` of them share `width` cells.
pub fn per_cell(span: usize, width: usize) -> usize {
    span.div_ceil(width.max(1)).max(1)
}

/// `history` is oldest first and ends with interval number `end`; NaN: a gap.
pub fn text(history: &[f32], end: u64, span: usize, width: usize) -> String {
    let per = per_cell(span, width) as u64;
    let mut cells = vec![f32::NAN; width];
    for (age, value) in history.iter().rev().take(span).enumerate() {
        let Some(at) = end.checked_sub(age as u64) else {
            break;
        };
        let back = (end / per - at / per) as usize;
        if let Some(cell) = width.checked_sub(1 + back).and_then(|i| cells.get_mut(i)) {
            *cell = cell.max(*value);
        }
    }
    let top = cells.iter().copied().fold(0.0, f32::max);
    cells.into_iter().map(|value| level(value, top)).collect()
}

fn level(value: f32, top: f32) -> char {
    if value.is_nan() {
        return ' ';
    }
    if value <= 0.0 {
        return LEVELS[0];
    }
    let step = (value / top * (LEVELS.len() - 1) as f32).ceil() as usize;
    LEVELS[step.clamp(1, LEVELS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_the_floor_a_little_is_seen_and_a_gap_is_empty() {
        let history = [0.0, 0.001, 50.0, f32::NAN, 100.0];
        assert_eq!(text(&history, 100, 5, 5), "▁▂▄ ▇");
        assert_eq!(text(&history, 100, 5, 7), "  ▁▂▄ ▇");
        assert_eq!(text(&[], 0, 60, 3), "   ");
        assert_eq!(text(&history, 100, 60, 0), "");
    }

    #[test]
    fn a_burst_of_one_interval_is_not_averaged_away() {
        let mut history = [1.0; 60];
        history[30] = 1000.0;
        assert_eq!(text(&history, 120, 60, 12).matches('▇').count(), 1);
    }

    #[test]
    fn a_cell_keeps_its_intervals_when_time_goes_on() {
        let values: Vec<f32> = (0..80)
            .map(|i| [1.0, 90.0, 40.0, 20.0][i * 7 / 5 % 4])
            .collect();
        let at = |end: usize| text(&values[end - 59..=end], end as u64, 60, 13);
        // Cells of five intervals: from 69 to 70 a new one begins, from 70 to 74 none does.
        let whole = |text: &str| text.chars().skip(2).take(10).collect::<String>();
        assert_ne!(whole(&at(69)), whole(&at(70)));
        for end in 71..=74 {
            assert_eq!(whole(&at(70)), whole(&at(end)), "{end}");
        }
    }
}

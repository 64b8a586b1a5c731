//! What changed since the mark, in a cell: `netop diff`'s judgement of one figure of one row.

use ratatui::style::Style;

use crate::model::compare::{Change, Verdict};
use crate::tui::figure;
use crate::tui::theme::Theme;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Difference {
    /// Neither side has the figure, or nothing has been measured since the mark.
    Unknown,
    /// Only one of the two has it, or it is a cost and the packet rates differ.
    NotComparable,
    /// It was nothing.
    New { significant: bool },
    Percent {
        pct: f64,
        /// It is more than the variance between seconds makes likely.
        significant: bool,
    },
}

impl Difference {
    pub fn new(change: &Change) -> Difference {
        let significant = change.differs();
        match (change.before, change.after, change.change_pct) {
            (None, None, _) => Difference::Unknown,
            (Some(before), Some(after), _) if before <= 0.0 && after <= 0.0 => Difference::Unknown,
            _ if change.verdict == Verdict::NotComparable => Difference::NotComparable,
            (_, _, Some(pct)) => Difference::Percent { pct, significant },
            (Some(_), Some(_), None) => Difference::New { significant },
            _ => Difference::NotComparable,
        }
    }

    /// `+12%!` is significant, `+12%` is within chance, `n/c` is not comparable; at most six cells.
    pub fn text(self) -> String {
        let sign = |significant| if significant { "!" } else { "" };
        match self {
            Difference::Unknown => figure::NONE.to_owned(),
            Difference::NotComparable => "n/c".to_owned(),
            Difference::New { significant } => format!("new{}", sign(significant)),
            Difference::Percent { pct, significant } => {
                format!("{}{}", figure::change(pct), sign(significant))
            }
        }
    }

    pub fn style(self, theme: &Theme) -> Style {
        match self {
            Difference::Percent { significant, .. } | Difference::New { significant } => {
                if significant {
                    theme.strong
                } else {
                    Style::new()
                }
            }
            Difference::Unknown | Difference::NotComparable => theme.dim,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: Option<f64>, after: Option<f64>, verdict: Verdict) -> Change {
        let pct = |(a, b): (f64, f64)| (a > 0.0).then(|| (b - a) * 100.0 / a);
        Change {
            before,
            after,
            change_pct: before.zip(after).and_then(pct),
            verdict,
            ..Change::UNKNOWN
        }
    }

    #[test]
    fn a_cell_says_how_far_and_whether_that_is_more_than_chance() {
        let text = |before, after, verdict| Difference::new(&change(before, after, verdict)).text();
        let (one, more) = (Some(400.0), Some(450.0));
        assert_eq!(text(one, more, Verdict::Different), "+12%!");
        assert_eq!(text(one, more, Verdict::WithinChance), "+12%");
        assert_eq!(text(one, more, Verdict::NotJudged), "+12%");
        assert_eq!(text(one, more, Verdict::NotComparable), "n/c");
        assert_eq!(text(one, None, Verdict::NotJudged), "n/c");
        assert_eq!(text(None, None, Verdict::NotComparable), "–");
        assert_eq!(text(Some(0.0), one, Verdict::Different), "new!");
        assert_eq!(text(Some(0.0), Some(0.0), Verdict::WithinChance), "–");
        assert_eq!(text(one, Some(0.0), Verdict::Different), "-100%!");
        for after in [0.0, 1e9, f64::NAN] {
            let text = text(one, Some(after), Verdict::Different);
            assert!(text.chars().count() <= 6, "{text}");
        }
    }
}

//! What the governor decided, as one phrase for the header.

use std::fmt::Write;

use super::governor::Counting;
use crate::model::Want;

pub struct Said<'a> {
    pub want: &'a Want,
    pub counting: Counting,
    /// Rows that are not counted to save CPU.
    pub shed: &'a [&'a str],
    /// Rows that are counted `share` percent of the time.
    pub parts: &'a [&'a str],
    pub share: u8,
    /// The first row that had to be counted over the budget.
    pub over: Option<&'a str>,
    /// The share of the wanted stacks that is taken.
    pub stacks: f64,
    /// Rows that cannot be counted here.
    pub missing: usize,
    pub clock_hz: u32,
}

impl Said<'_> {
    pub fn phrase(&self) -> String {
        if self.want.detached {
            return "all detached".to_owned();
        }
        if self.counting == Counting::Proc {
            return "free counters only".to_owned();
        }
        let mut phrase = String::new();
        if let Some(function) = self.over {
            let _infallible = write!(phrase, "over budget for {function}, ! detaches; ");
        }
        if let [first, rest @ ..] = self.parts {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let share = self.share;
            let _infallible = write!(phrase, "{first}{more} counted {share}% of the time; ");
        }
        match self.shed {
            [] => {}
            [one] => {
                let _infallible = write!(phrase, "not counted to save CPU: {one}; ");
            }
            [first, rest @ ..] => {
                let more = rest.len();
                let _infallible =
                    write!(phrase, "not counted to save CPU: {first} and {more} more; ");
            }
        }
        if self.stacks < 1.0 {
            let kept = if self.stacks > 0.0 {
                format!("{:.0}% of the stacks; ", self.stacks * 100.0)
            } else {
                "no stacks; ".to_owned()
            };
            phrase.push_str(&kept);
        }
        if self.missing > 0 {
            let _infallible = write!(phrase, "{} rows cannot be counted here; ", self.missing);
        }
        if self.clock_hz < self.want.clock_hz {
            let _infallible = match self.clock_hz {
                0 => write!(phrase, "no CPU samples; "),
                hz => write!(phrase, "{hz} CPU samples per second; "),
            };
        }
        if phrase.is_empty() {
            return "all rows counted".to_owned();
        }
        phrase.truncate(phrase.len() - 2);
        phrase
    }
}

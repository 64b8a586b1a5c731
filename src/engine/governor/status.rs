//! What the governor decided, as one phrase for the header.

use super::counting::{Counting, percent};
use crate::model::Want;

/// Every row is counted and nothing was given up.
const ALL: &str = "all rows counted";

pub struct Status<'a> {
    pub want: &'a Want,
    pub counting: Counting,
    /// An interval has been measured.
    pub learnt: bool,
    /// Rows that are not counted to save CPU.
    pub shed: &'a [&'a str],
    /// Rows that are counted so much of the time, 1/1000.
    pub parts: &'a [(&'a str, u16)],
    /// The first row that had to be counted over the budget.
    pub over: Option<&'a str>,
    /// The share of the wanted stacks that is taken, percent.
    pub stacks: u8,
    /// Softirqs are not timed one by one, to save CPU.
    pub untimed: bool,
    /// Processes are not counted exactly, to save CPU.
    pub sampled_processes: bool,
    /// Rows that cannot be counted here.
    pub missing: usize,
    /// Rows that are left alone since drops rose.
    pub left_alone: &'a [&'a str],
    pub clock_hz: u32,
}

impl Status<'_> {
    pub fn phrase(&self) -> String {
        if self.want.detached {
            return "all detached".to_owned();
        }
        if self.counting == Counting::Proc {
            return "free counters only".to_owned();
        }
        if !self.learnt {
            return "measuring the load first".to_owned();
        }
        let mut said = Vec::new();
        if let Some(function) = self.over {
            said.push(format!(
                "over budget for {function}, asked for by name (! detaches all)"
            ));
        }
        if let Some(rows) = listed(self.left_alone) {
            said.push(format!("detached after drops rose: {rows}"));
        }
        if let Some(rows) = listed(self.shed) {
            said.push(format!("not counted to save CPU: {rows}"));
        }
        let parts: Vec<String> = (self.parts.iter())
            .map(|(function, share)| format!("{function} {}%", percent(*share)))
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if let Some(rows) = listed(&parts) {
            said.push(format!("counted part of the time: {rows}"));
        }
        match self.stacks {
            100 => {}
            0 => said.push("no stacks".to_owned()),
            stacks => said.push(format!("{stacks}% of the stacks")),
        }
        if self.untimed {
            said.push("softirqs not timed".to_owned());
        }
        if self.sampled_processes {
            said.push("processes estimated".to_owned());
        }
        if self.missing > 0 {
            said.push(format!("{} rows cannot be counted here", self.missing));
        }
        if self.clock_hz < self.want.clock_hz {
            said.push(match self.clock_hz {
                0 => "no CPU samples".to_owned(),
                hz => format!("{hz} CPU samples per second"),
            });
        }
        if said.is_empty() {
            return ALL.to_owned();
        }
        said.join("; ")
    }
}

/// `napi_poll and 3 more`
fn listed(rows: &[&str]) -> Option<String> {
    match rows {
        [] => None,
        [one] => Some((*one).to_owned()),
        [first, rest @ ..] => Some(format!("{first} and {} more", rest.len())),
    }
}

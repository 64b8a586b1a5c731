//! `netop doctor`: what works on this host, what does not, and how to fix it. Here it
//! is printed; `facts` looks at the host, the other files judge what it found.

mod capture;
mod check;
mod counters;
mod facts;
mod kernel;
mod rights;
mod surroundings;
mod trial;

use std::fmt::Write as _;
use std::io::{self, Write};

use self::check::{Check, Verdict};
use self::facts::Facts;
use crate::error::Error;
use crate::sys::Raised;

/// The judges, in the order of the answer.
const JUDGES: &[fn(&Facts) -> Vec<Check>] = &[
    kernel::checks,
    rights::checks,
    capture::checks,
    counters::checks,
    surroundings::checks,
];

/// Prints the answer; `Err` (exit code 1) when something is missing that netop's job needs.
pub fn run(format: &str, unicode: bool) -> Result<(), Error> {
    let facts = {
        let _rights = Raised::all();
        Facts::of_this_host(unicode)
    };
    let checks = judged(&facts);
    let answer = if format == "json" { json } else { text }(&checks);
    super::printed(io::stdout().write_all(answer.as_bytes()))?;
    verdict(&checks)
}

fn judged(facts: &Facts) -> Vec<Check> {
    JUDGES.iter().flat_map(|judge| judge(facts)).collect()
}

fn verdict(checks: &[Check]) -> Result<(), Error> {
    let gaps: Vec<&Check> = checks
        .iter()
        .filter(|check| check.needed && check.verdict != Verdict::Ok)
        .collect();
    let hint = gaps.iter().find_map(|check| check.mend.as_deref());
    match gaps.len() {
        0 => Ok(()),
        1 => Err(Error::nothing(
            format!("one thing is missing for the full job: {}", gaps[0].name),
            hint.unwrap_or("netop -b"),
        )),
        many => Err(Error::nothing(
            format!("{many} things are missing for the full job"),
            hint.unwrap_or("netop -b"),
        )),
    }
}

/// One line per check; each mending command once, under the number its lines refer to.
fn text(checks: &[Check]) -> String {
    let width = checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let mut mends: Vec<&str> = Vec::new();
    let mut page = String::new();
    for check in checks {
        let verdict = check.verdict.word();
        let extra = if check.needed || check.verdict == Verdict::Ok {
            ""
        } else {
            " (optional)"
        };
        let mark = check.mend.as_deref().map_or_else(String::new, |mend| {
            let known = mends.iter().position(|m| *m == mend);
            let at = known.unwrap_or_else(|| {
                mends.push(mend);
                mends.len() - 1
            });
            format!(" [{}]", at + 1)
        });
        let _infallible = writeln!(
            page,
            "{verdict:<6}  {:<width$}  {}{extra}{mark}",
            check.name, check.found
        );
    }
    if !mends.is_empty() {
        page.push_str("\nHow to fix it:\n");
    }
    for (at, mend) in mends.iter().enumerate() {
        let _infallible = writeln!(page, "[{}] {mend}", at + 1);
    }
    page
}

fn json(checks: &[Check]) -> String {
    let mut text =
        serde_json::to_string_pretty(checks).expect("texts and booleans are always JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;

//! What the formats for call stacks share: the stacks of a profile as folded lines.

use std::collections::BTreeMap;

use super::clean::steers;
use crate::model::Stack;

/// Stacks of one unit with what to call them.
#[derive(Debug)]
pub struct Profile<'a> {
    pub title: String,
    pub subtitle: String,
    pub stacks: &'a [Stack],
}

impl Profile<'_> {
    /// What the weight of a folded line counts.
    pub fn unit(&self) -> &'static str {
        if self.is_time() { "µs" } else { "hits" }
    }

    fn is_time(&self) -> bool {
        self.stacks.first().is_some_and(|stack| stack.unit == "ns")
    }

    /// `root;outermost;…;leaf weight`, one per distinct stack, sorted; a stack that weighs less
    /// than half a unit is left out.
    pub fn lines(&self) -> Vec<String> {
        let one = if self.is_time() { 1e3 } else { 1.0 };
        let mut weights: BTreeMap<String, f64> = BTreeMap::new();
        for stack in self.stacks {
            *weights.entry(frames(stack)).or_default() += stack.weight / one;
        }
        let mut lines: Vec<String> = weights
            .into_iter()
            .map(|(frames, weight)| (frames, weight.round() as u64))
            .filter(|(_, weight)| *weight > 0)
            .map(|(frames, weight)| format!("{frames} {weight}"))
            .collect();
        // As whole lines, which is how readers check it.
        lines.sort_unstable();
        lines
    }
}

/// Outermost first, of the stack's own context only.
fn frames(stack: &Stack) -> String {
    let own = &stack.frames[..stack.cut.min(stack.frames.len())];
    let mut line = root(stack);
    for text in own.iter().rev() {
        line.push(';');
        line.push_str(&frame(text));
    }
    line
}

/// Whose time it was: the process, but what interrupts processes is nobody's.
fn root(stack: &Stack) -> String {
    match stack.context {
        Some(context @ ("softirq" | "ksoftirqd" | "interrupt")) => context.to_owned(),
        // The dash stands for a process that was gone before its name was read.
        _ if matches!(stack.comm.trim(), "" | "–") => "unnamed process".to_owned(),
        _ => frame(&stack.comm),
    }
}

/// A name as the format can hold it: no separator, nothing that steers a terminal or that XML has
/// no place for, and no number at its end, which would be read as a weight.
fn frame(text: &str) -> String {
    let plain = |c: char| match c {
        ';' => ':',
        '\u{fffe}' | '\u{ffff}' => '?',
        c if steers(c) => '?',
        c if c.is_whitespace() => ' ',
        c => c,
    };
    let mut name: String = text.trim().chars().map(plain).collect();
    // A line that begins with it is a comment.
    if name.starts_with('#') {
        name.replace_range(..1, "?");
    }
    if let Some((head, tail)) = name.rsplit_once(' ')
        && tail.chars().all(|c| c.is_ascii_digit() || c == '.')
    {
        name = format!("{head}_{tail}");
    }
    if name.is_empty() {
        name.push('?');
    }
    name
}

#[cfg(test)]
#[path = "stacks_tests.rs"]
mod tests;

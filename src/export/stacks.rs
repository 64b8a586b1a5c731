//! What the formats for call stacks share: the stacks of a profile, and as folded lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clean::steers;
use crate::model::Stack;

/// Stacks of one unit with what to call them.
#[derive(Debug)]
pub struct Profile<'a> {
    pub title: String,
    pub subtitle: String,
    pub stacks: &'a [Stack],
    /// Where user frames are in the source, `file:line` or `file:first-last` by frame.
    pub lines: &'a BTreeMap<Arc<str>, Arc<str>>,
    /// When it ended, ns since 1970 UTC; 0: not known.
    pub at: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Profile<'_> {
    /// What the weight of a folded line counts.
    pub fn unit(&self) -> &'static str {
        if self.is_time() { "µs" } else { "hits" }
    }

    pub fn is_time(&self) -> bool {
        self.stacks.first().is_some_and(|stack| stack.unit == "ns")
    }

    /// `root;outermost;…;leaf weight`, one per distinct stack, sorted; a stack that weighs less
    /// than half a unit is left out.
    pub fn lines(&self) -> Vec<String> {
        self.lines_times(1.0)
    }

    /// The same with every weight multiplied.
    pub fn lines_times(&self, factor: f64) -> Vec<String> {
        let one = if self.is_time() { 1e3 } else { 1.0 } / factor;
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

/// Leaf first, of the stack's own context only: what it interrupted is not its caller.
pub fn own(stack: &Stack) -> &[Arc<str>] {
    &stack.frames[..stack.cut.min(stack.frames.len())]
}

/// Where a frame's code is: the kernel, its module, or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Object<'a> {
    Kernel,
    Module(&'a str),
    File(&'a str),
}

/// A frame's function and where its code is: `name`, `name [module]`, `name (file)`.
pub fn parts(frame: &str) -> (&str, Object<'_>) {
    let named = |open, close| frame.strip_suffix(close)?.rsplit_once(open);
    if let Some((function, file)) = named(" (", ')') {
        return (function, Object::File(file));
    }
    match named(" [", ']') {
        Some((function, module)) if module != "jit" => (function, Object::Module(module)),
        _ => match frame.rsplit_once("+0x") {
            // Code of a file that nobody has a name for.
            Some((file, _)) if !file.is_empty() => (frame, Object::File(file)),
            _ if frame.starts_with('[') || frame.ends_with(" [jit]") => {
                (frame, Object::File("anon"))
            }
            _ => (frame, Object::Kernel),
        },
    }
}

/// `file:line` in two, of a range of lines the first.
pub fn line(place: &str) -> Option<(&str, i64)> {
    let (file, lines) = place.rsplit_once(':')?;
    let first = lines.split('-').next()?;
    Some((file, first.parse().ok()?))
}

/// Outermost first, of the stack's own context only.
fn frames(stack: &Stack) -> String {
    let mut line = root(stack);
    for text in own(stack).iter().rev() {
        line.push(';');
        line.push_str(&frame(text));
    }
    line
}

/// Whose time it was: the process, but what interrupts processes is nobody's.
pub fn root(stack: &Stack) -> String {
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

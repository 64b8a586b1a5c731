//! Folding of recursion: a frame that calls itself, or a short cycle of frames, is one place of the
//! tree and says how often it repeated.

use std::sync::Arc;

/// Longest cycle that is recognised: a→b→c→d→a→…
const LONGEST: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub name: Arc<str>,
    /// At least 1.
    pub repeats: u32,
}

/// Frames from the outermost down. Folded from the outside, so that a way has one folded form
/// whichever side it is later looked at from.
pub fn fold(frames: impl Iterator<Item = Arc<str>>, unrolled: bool) -> Vec<Step> {
    let frames: Vec<Arc<str>> = frames.collect();
    let mut way = Vec::with_capacity(frames.len());
    let mut at = 0;
    while at < frames.len() {
        let (length, repeats) = if unrolled {
            (1, 1)
        } else {
            cycle(&frames[at..])
        };
        way.extend(frames[at..at + length].iter().map(|name| Step {
            name: name.clone(),
            repeats: u32::try_from(repeats).unwrap_or(u32::MAX),
        }));
        at += length * repeats;
    }
    way
}

/// Length of the shortest cycle that begins here, and how often it runs.
fn cycle(frames: &[Arc<str>]) -> (usize, usize) {
    for length in 1..=LONGEST.min(frames.len() / 2) {
        let first = &frames[..length];
        let repeats = frames
            .chunks_exact(length)
            .take_while(|some| *some == first)
            .count();
        if repeats > 1 {
            return (length, repeats);
        }
    }
    (1, 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(frames: &str) -> String {
        let names = frames.chars().map(|c| Arc::from(c.to_string()));
        let steps = fold(names, false).into_iter();
        let written = steps.map(|step| format!("{}{}", step.name, step.repeats));
        written.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn repeats_and_short_cycles_become_one() {
        assert_eq!(folded("abc"), "a1 b1 c1");
        assert_eq!(folded("aaab"), "a3 b1");
        assert_eq!(folded("xababab"), "x1 a3 b3");
        assert_eq!(folded("abcdabcde"), "a2 b2 c2 d2 e1");
        assert_eq!(folded(""), "");
    }

    proptest! {
        #[test]
        fn folding_loses_no_frame(frames in "[ab]{0,30}") {
            let names = |unrolled| {
                let names = frames.chars().map(|c| Arc::from(c.to_string()));
                fold(names, unrolled)
            };
            let folded: u32 = names(false).iter().map(|step| step.repeats).sum();
            prop_assert_eq!(folded as usize, frames.len());
            prop_assert_eq!(names(true).len(), frames.len());
        }
    }
}

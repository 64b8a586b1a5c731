//! The search of view 5: a regular expression in smart case, or, where it is none, plain text.

use std::ops::Range;

use regex::{Regex, RegexBuilder, escape};

/// Bytes that a compiled pattern may take; a larger one is taken as plain text.
const MOST: usize = 1 << 20;

#[derive(Debug, Default)]
pub struct Search {
    text: String,
    pattern: Option<Regex>,
    /// It is no regular expression and stands for itself.
    pub literal: bool,
}

impl Search {
    pub fn new(text: &str) -> Search {
        if text.is_empty() {
            return Search::default();
        }
        let lower = !has_capital(text);
        let build = |pattern: &str| {
            let mut builder = RegexBuilder::new(pattern);
            builder.case_insensitive(lower).size_limit(MOST).build()
        };
        let pattern = build(text);
        let literal = pattern.is_err();
        Search {
            text: text.to_owned(),
            pattern: pattern.or_else(|_| build(&escape(text))).ok(),
            literal,
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What of a name it finds; never empty parts.
    pub fn parts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let found = self.pattern.iter().flat_map(|it| it.find_iter(name));
        found.map(|hit| hit.range()).filter(|hit| !hit.is_empty())
    }

    pub fn finds(&self, name: &str) -> bool {
        self.parts(name).next().is_some()
    }
}

/// A capital letter that means itself: the one of `\W` does not.
fn has_capital(text: &str) -> bool {
    let mut escaped = false;
    text.chars().any(|c| {
        let counts = !escaped && c.is_uppercase();
        escaped = !escaped && c == '\\';
        counts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_in_smart_case_and_what_is_no_pattern_finds_itself() {
        for (pattern, name, finds) in [
            ("tcp", "TCP_v4_rcv", true),
            ("TCP", "tcp_v4_rcv", false),
            ("^tcp_.*rcv$", "tcp_v4_rcv", true),
            ("^v4", "tcp_v4_rcv", false),
            (r"\Wmain", "x MAIN", true),
            ("x*", "abc", false),
            ("", "abc", false),
            ("main (app", "main (app)", true),
        ] {
            assert_eq!(Search::new(pattern).finds(name), finds, "{pattern} {name}");
        }
        assert!(Search::new("(").literal && !Search::new("a|b").literal);
        assert!(
            Search::new("((((x{99}){99}){99}){99})").literal,
            "too large"
        );
    }

    #[test]
    fn parts_are_in_order_and_inside_the_name() {
        let search = Search::new("tcp|日");
        let parts: Vec<_> = search.parts("tcp日_tcp").collect();
        assert_eq!(parts, [0..3, 3..6, 7..10]);
    }
}

//! Text from the kernel is data: strangers name processes, devices and files. Nothing of it may
//! steer a terminal.

use std::borrow::Cow;

pub use crate::model::steers;

/// `text` without characters that a terminal obeys.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(steers) {
        Cow::Owned(
            text.chars()
                .map(|c| if steers(c) { '?' } else { c })
                .collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// The same of several lines, which stay lines.
pub fn clean_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(clean).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left_and_the_rest_stays() {
        let cases = [
            ("kworker/2:1", "kworker/2:1"),
            ("für 你好", "für 你好"),
            ("\x1b[2Jx\n", "?[2Jx?"),
            ("a\u{9b}31m\u{7f}", "a?31m?"),
            ("txt.\u{202e}exe", "txt.?exe"),
            ("\u{61c}a\u{200b}", "?a?"),
        ];
        for (raw, safe) in cases {
            assert_eq!(clean(raw), safe, "{raw:?}");
        }
        assert_eq!(clean_lines("a\x1b\r\nb\n"), "a??\nb\n");
    }
}

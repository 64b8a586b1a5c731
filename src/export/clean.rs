//! Text from the kernel is data: strangers name processes, devices and files. Nothing of it may
//! steer a terminal.

use std::borrow::Cow;

/// `text` without characters that a terminal obeys: C0 and C1 controls, and the marks that turn
/// the direction of writing (they can make a line read as another one).
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

pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
        ];
        for (raw, safe) in cases {
            assert_eq!(clean(raw), safe, "{raw:?}");
        }
    }
}

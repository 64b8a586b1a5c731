//! Characters that strangers may put into names and that a terminal, or a reader's eye, obeys.

/// Controls move the cursor or begin an escape sequence; marks that turn the direction of writing, and
/// characters that nobody sees, make one name look like another.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

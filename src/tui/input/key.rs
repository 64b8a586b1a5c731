//! Keys: how the key table writes them, how they are called, and scripts of them for `--keys`.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Shift is no part of it: it is in the character already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    ctrl: bool,
}

impl Key {
    pub const fn char(c: char) -> Key {
        Key::code(KeyCode::Char(c))
    }

    pub const fn code(code: KeyCode) -> Key {
        Key { code, ctrl: false }
    }

    pub const fn ctrl(c: char) -> Key {
        Key {
            code: KeyCode::Char(c),
            ctrl: true,
        }
    }

    pub fn matches(self, event: KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        let code = match event.code {
            KeyCode::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        !alt && self.code == code && self.ctrl == ctrl
    }

    /// As help and README call it.
    pub fn name(self) -> String {
        match self.code {
            KeyCode::Char(c) if self.ctrl => format!("Ctrl-{}", c.to_ascii_uppercase()),
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            KeyCode::F(n) => format!("F{n}"),
            code => format!("{code:?}"),
        }
    }

    /// As the footer calls it, where room is short.
    pub fn sign(self, ascii: bool) -> String {
        match self.code {
            KeyCode::Char(' ') if !ascii => "␣".to_owned(),
            KeyCode::Enter if !ascii => "⏎".to_owned(),
            _ => self.name(),
        }
    }
}

/// The names that a script may write between `<` and `>`, beside `f1`…`f12` and `c-` with a letter.
const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("space", KeyCode::Char(' ')),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("bs", KeyCode::Backspace),
    ("del", KeyCode::Delete),
    ("lt", KeyCode::Char('<')),
];

/// `jj<enter>/tcp<enter><c-c>`: plain characters are themselves, others stand in angle brackets.
pub fn parse_keys(script: &str) -> Result<Vec<KeyEvent>, String> {
    let mut keys = Vec::new();
    let mut rest = script;
    while let Some(c) = rest.chars().next() {
        if c != '<' {
            keys.push(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (name, after) = rest[1..]
            .split_once('>')
            .ok_or_else(|| format!("'{rest}' has no '>'; a plain '<' is written <lt>"))?;
        keys.push(named(name).ok_or_else(|| unknown(name))?);
        rest = after;
    }
    Ok(keys)
}

fn named(name: &str) -> Option<KeyEvent> {
    let name = name.to_ascii_lowercase();
    if let Some(letter) = name.strip_prefix("c-") {
        let mut letters = letter.chars();
        let c = letters.next().filter(char::is_ascii_lowercase)?;
        return (letters.next().is_none())
            .then(|| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
    }
    let function = name.strip_prefix('f').and_then(|n| n.parse().ok());
    let code = match function {
        Some(n @ 1..=12) => KeyCode::F(n),
        _ => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some(KeyEvent::new(code, KeyModifiers::NONE))
}

fn unknown(name: &str) -> String {
    let known: Vec<String> = NAMED.iter().map(|(name, _)| format!("<{name}>")).collect();
    format!(
        "there is no key <{name}>; known are {} <f1>…<f12> <c-a>…<c-z>",
        known.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_reads_as_the_keys_a_person_would_press() {
        let keys = parse_keys("q<enter><c-c><f1><lt>>").expect("valid");
        let codes: Vec<_> = keys.iter().map(|key| key.code).collect();
        assert_eq!(
            codes,
            [
                KeyCode::Char('q'),
                KeyCode::Enter,
                KeyCode::Char('c'),
                KeyCode::F(1),
                KeyCode::Char('<'),
                KeyCode::Char('>'),
            ]
        );
        assert!(keys[2].modifiers.contains(KeyModifiers::CONTROL));
        assert!(Key::ctrl('c').matches(keys[2]) && !Key::char('c').matches(keys[2]));
    }

    #[test]
    fn every_named_key_is_understood_and_others_are_refused_with_the_list() {
        for (name, code) in NAMED {
            assert_eq!(
                parse_keys(&format!("<{name}>")).map(|keys| keys[0].code),
                Ok(*code)
            );
        }
        for bad in ["<nope>", "<", "<c->", "<f13>", "<c-ab>", "<f0>"] {
            let why = parse_keys(bad).expect_err(bad);
            assert!(why.contains("<enter>") || why.contains("<lt>"), "{why}");
        }
    }

    #[test]
    fn shift_is_in_the_character_and_alt_is_another_key() {
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert!(Key::char('G').matches(shifted));
        let alt = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
        assert!(!Key::char('q').matches(alt));
    }
}

//! Colours, and nothing else names one: 16 of them at most, and every meaning they carry is also
//! in the text. `ascii` is the other half: one table from each sign netop draws to a plain one.

use ratatui::style::{Color, Modifier, Style};

#[derive(Debug, PartialEq, Eq)]
pub struct Theme {
    pub name: &'static str,
    /// Host, labels of the header lines, names of things.
    pub strong: Style,
    /// What is there but not looked for: units, hints, `–`.
    pub dim: Style,
    /// Column titles and rules.
    pub title: Style,
    /// The row under the cursor; it covers the colours of its cells.
    pub selected: Style,
    pub tab: Style,
    pub good: Style,
    pub warn: Style,
    pub bad: Style,
    pub spark: Style,
    /// User-space frames of a stack.
    pub user: Style,
    /// What a search found.
    pub found: Style,
    pub key: Style,
    /// Boxes of the flame graph; neighbours take turns.
    pub boxes: [Style; 2],
    pub user_boxes: [Style; 2],
    pub found_box: Style,
    /// More and less than in the mark, or as much.
    pub more: Style,
    pub same: Style,
    pub less: Style,
}

const PLAIN: Style = Style::new();
const BOLD: Style = PLAIN.add_modifier(Modifier::BOLD);
const REVERSED: Style = PLAIN.add_modifier(Modifier::REVERSED);

const fn ink(color: Color) -> Style {
    PLAIN.fg(color)
}

const DARK: Theme = Theme {
    name: "dark",
    strong: BOLD,
    dim: ink(Color::DarkGray),
    title: ink(Color::Cyan),
    selected: ink(Color::Black).bg(Color::Cyan),
    tab: ink(Color::Black).bg(Color::Cyan),
    good: ink(Color::Green),
    warn: ink(Color::Yellow),
    bad: ink(Color::LightRed).add_modifier(Modifier::BOLD),
    spark: ink(Color::Green),
    user: ink(Color::Yellow),
    found: ink(Color::Black).bg(Color::Yellow),
    key: ink(Color::Cyan),
    boxes: [
        ink(Color::Black).bg(Color::Yellow),
        ink(Color::Black).bg(Color::LightRed),
    ],
    user_boxes: [
        ink(Color::Black).bg(Color::Green),
        ink(Color::Black).bg(Color::LightGreen),
    ],
    found_box: ink(Color::Black).bg(Color::LightMagenta),
    more: ink(Color::Black).bg(Color::LightRed),
    same: ink(Color::Black).bg(Color::Gray),
    less: ink(Color::Black).bg(Color::LightBlue),
};

/// The first is the default; `t` goes round.
pub static THEMES: &[Theme] = &[
    DARK,
    Theme {
        name: "light",
        strong: BOLD,
        dim: ink(Color::DarkGray),
        title: ink(Color::Blue),
        selected: ink(Color::White).bg(Color::Blue),
        tab: ink(Color::White).bg(Color::Blue),
        good: ink(Color::Blue),
        warn: ink(Color::Magenta),
        bad: ink(Color::Red).add_modifier(Modifier::BOLD),
        spark: ink(Color::Blue),
        user: ink(Color::Magenta),
        found: ink(Color::White).bg(Color::Magenta),
        key: ink(Color::Blue),
        ..DARK
    },
    Theme {
        name: "mono",
        strong: BOLD,
        dim: PLAIN,
        title: BOLD,
        selected: REVERSED,
        tab: REVERSED,
        good: PLAIN,
        warn: BOLD,
        bad: BOLD.add_modifier(Modifier::UNDERLINED),
        spark: PLAIN,
        user: PLAIN,
        found: REVERSED,
        key: BOLD,
        boxes: [PLAIN, PLAIN],
        user_boxes: [PLAIN, PLAIN],
        found_box: REVERSED,
        more: BOLD,
        same: PLAIN,
        less: PLAIN,
    },
];

impl Theme {
    /// The theme of that name; without colour (`NO_COLOR`, `--color never`) always mono.
    pub fn choose(name: Option<&str>, color: bool) -> Option<&'static Theme> {
        let name = if color {
            name.unwrap_or("dark")
        } else {
            "mono"
        };
        THEMES.iter().find(|theme| theme.name == name)
    }

    pub fn next(&self) -> &'static Theme {
        let here = THEMES.iter().position(|theme| theme.name == self.name);
        &THEMES[here.map_or(0, |i| (i + 1) % THEMES.len())]
    }
}

/// The plain sign for one that a terminal without Unicode cannot show; `?` for a stranger's.
pub fn ascii(sign: char) -> char {
    match sign {
        ' '..='~' => sign,
        '▁' => ' ',
        '▂' | '·' | '…' => '.',
        '▃' | '░' => ':',
        '▄' | '≥' | '▒' => '=',
        '▅' | '▸' => '+',
        '▆' | '×' => '*',
        '▇' | '█' => '#',
        '▶' | '→' | '›' => '>',
        '←' | '‹' => '<',
        '▼' | '↓' => 'v',
        '▲' | '↑' => '^',
        '│' | '▏' | '├' => '|',
        '└' => '`',
        '─' | '–' | '▾' => '-',
        '≈' | '±' => '~',
        'µ' => 'u',
        'Δ' => 'd',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_colour_means_no_colour_anywhere() {
        let mono = Theme::choose(Some("dark"), false).expect("mono exists");
        assert_eq!(mono.name, "mono");
        for style in [
            mono.strong,
            mono.dim,
            mono.title,
            mono.selected,
            mono.tab,
            mono.good,
            mono.warn,
            mono.bad,
            mono.spark,
            mono.user,
            mono.found,
            mono.key,
            mono.boxes[0],
            mono.boxes[1],
            mono.user_boxes[0],
            mono.user_boxes[1],
            mono.found_box,
            mono.more,
            mono.same,
            mono.less,
        ] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }

    #[test]
    fn themes_have_different_names_and_t_visits_each() {
        assert!(THEMES.len() >= 3);
        let mut theme = &THEMES[0];
        let mut seen = Vec::new();
        for _ in THEMES {
            assert!(!seen.contains(&theme.name));
            seen.push(theme.name);
            theme = theme.next();
        }
        assert_eq!(theme.name, THEMES[0].name);
        assert!(Theme::choose(Some("no such theme"), true).is_none());
    }
}

//! A flame graph as SVG, with zoom and search of its own in a browser.

use inferno::flamegraph::{self, Options, TextTruncateDirection};

use super::clean::clean;
use super::stacks::Profile;

/// `None`: there is nothing to draw.
pub fn picture(profile: &Profile) -> Option<String> {
    let lines = profile.lines();
    let mut options = Options::default();
    options.title = clean(&profile.title).into_owned();
    options.subtitle = Some(clean(&profile.subtitle).into_owned());
    profile.unit().clone_into(&mut options.count_name);
    // The same stacks give the same picture, and a function its colour in every picture.
    options.deterministic = true;
    options.text_truncate_direction = TextTruncateDirection::Right;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg).ok()?;
    svg.push(b'\n');
    String::from_utf8(svg).ok()
}

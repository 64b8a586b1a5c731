//! A flame graph as SVG, with zoom and search of its own in a browser; and what changed between
//! two profiles as one.

use inferno::differential;
use inferno::flamegraph::{self, Options, TextTruncateDirection};

use super::clean::clean;
use super::stacks::Profile;

/// `None`: there is nothing to draw.
pub fn picture(profile: &Profile) -> Option<String> {
    drawn(
        &profile.title,
        &profile.subtitle,
        profile.unit(),
        &profile.lines(),
    )
}

/// `after`, coloured by what is more (red) and less (blue) than in `before`, whose weights count
/// for as long as `after` took. What is gone has no width. `None`: there is nothing to draw, or
/// time and hits were to be compared.
pub fn difference(before: &Profile, after: &Profile) -> Option<String> {
    if before.unit() != after.unit() {
        return None;
    }
    let factor = after.seconds / before.seconds;
    let factor = if factor.is_finite() && factor > 0.0 {
        factor
    } else {
        1.0
    };
    let folded = |lines: Vec<String>| lines.join("\n") + "\n";
    let (before_lines, after_lines) = (folded(before.lines_times(factor)), folded(after.lines()));
    let mut lines = Vec::new();
    differential::from_readers(
        differential::Options::default(),
        before_lines.as_bytes(),
        after_lines.as_bytes(),
        &mut lines,
    )
    .ok()?;
    let lines = String::from_utf8(lines).ok()?;
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    drawn(
        &format!("{} → {}", before.title, after.title),
        &format!(
            "red: more than before, blue: less; width: after · {} → {}",
            before.subtitle, after.subtitle
        ),
        after.unit(),
        &lines,
    )
}

fn drawn(title: &str, subtitle: &str, unit: &str, lines: &[impl AsRef<str>]) -> Option<String> {
    let mut options = Options::default();
    options.title = clean(title).into_owned();
    options.subtitle = Some(clean(subtitle).into_owned());
    unit.clone_into(&mut options.count_name);
    // The same stacks give the same picture, and a function its colour in every picture.
    options.deterministic = true;
    options.text_truncate_direction = TextTruncateDirection::Right;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(AsRef::as_ref), &mut svg).ok()?;
    svg.push(b'\n');
    String::from_utf8(svg).ok()
}

#[cfg(test)]
#[path = "svg_tests.rs"]
mod tests;

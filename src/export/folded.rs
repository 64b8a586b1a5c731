//! Folded stacks, a line each: what flamegraph.pl, inferno and speedscope read.

use super::stacks::Profile;

/// `None`: there is nothing in it.
pub fn text(profile: &Profile) -> Option<String> {
    let lines = profile.lines();
    (!lines.is_empty()).then(|| lines.join("\n") + "\n")
}

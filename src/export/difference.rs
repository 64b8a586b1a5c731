//! The flame graph of two measurements: as wide as the second is, red where a stack takes more of it
//! than of the first, blue where less.

use inferno::differential;
use inferno::flamegraph::{self, Options};

use super::clean::clean;
use super::stacks::Profile;

/// `None`: one of the two has nothing to draw. Weights should be for the same length of time.
pub fn picture(before: &Profile, after: &Profile) -> Option<String> {
    let [then, now] = [before, after].map(|profile| profile.lines().join("\n"));
    if then.is_empty() || now.is_empty() {
        return None;
    }
    let mut folded = Vec::new();
    let plain = differential::Options::default();
    differential::from_readers(plain, then.as_bytes(), now.as_bytes(), &mut folded).ok()?;
    let mut options = Options::default();
    options.title = clean(&after.title).into_owned();
    options.subtitle = Some(clean(&after.subtitle).into_owned());
    after.unit().clone_into(&mut options.count_name);
    options.deterministic = true;
    let mut svg = Vec::new();
    flamegraph::from_reader(&mut options, folded.as_slice(), &mut svg).ok()?;
    svg.push(b'\n');
    String::from_utf8(svg).ok()
}

//! Call stacks as JSON: one object, the stacks as a snapshot has them (docs/snapshot.md).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::json;
use super::stacks::Profile;
use crate::model::{Stack, format_time};

const SCHEMA: &str = "netop.stacks/1";

#[derive(Serialize)]
struct Page<'a> {
    schema: &'static str,
    title: &'a str,
    subtitle: &'a str,
    /// End, RFC 3339; null: not known.
    at: Option<String>,
    seconds: f64,
    /// Leaf first, as in a snapshot.
    stacks: &'a [Stack],
    lines: &'a BTreeMap<Arc<str>, Arc<str>>,
}

/// `None`: there is nothing in it.
pub fn text(profile: &Profile) -> Option<String> {
    let page = Page {
        schema: SCHEMA,
        title: &profile.title,
        subtitle: &profile.subtitle,
        at: (profile.at > 0).then(|| format_time(profile.at)),
        seconds: profile.seconds,
        stacks: profile.stacks,
        lines: profile.lines,
    };
    (!profile.stacks.is_empty()).then(|| json::finish(serde_json::to_string_pretty(&page)))
}

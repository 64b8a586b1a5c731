//! The row of drops in Path: what is trouble, and beside it how many drops are not.

use super::Scene;
use crate::model::{Class, ClassRate, Function, Role};
use crate::tui::figure;

/// Drops that are part of normal work would hide those that matter: where their reasons are known
/// the row shows these.
pub fn trouble(scene: &Scene<'_>, f: &Function) -> Option<ClassRate> {
    let known = f.rate.is_some() && f.role == Some(Role::Drops);
    let losses = &scene.snapshot.losses;
    known.then(|| losses.skb_rate(Class::Trouble)).flatten()
}

/// `+31 expected`, or how many are neither that nor trouble; as much as there is room for.
pub fn beside_trouble(scene: &Scene<'_>, width: u16) -> Option<String> {
    let rates = &scene.snapshot.losses.skb_rates;
    let of = |class: Class| rates.iter().filter(move |r| r.class == class);
    let sum = |class| of(class).map(|r| r.rate).sum::<f64>();
    let (expected, other) = (sum(Class::Expected), sum(Class::Look) + sum(Class::Policy));
    let (rate, words) = if other > 0.0 {
        (other, ["to look at", "look"])
    } else if expected > 0.0 {
        (expected, ["expected", "exp."])
    } else {
        return None;
    };
    let rate = figure::rate(Some(rate));
    let texts = words.map(|word| format!("+{rate} {word}"));
    let fits = |text: &String| text.chars().count() <= usize::from(width);
    texts.into_iter().find(fits)
}

//! Why a pair of events has no times to show.

use crate::decode::{Fate, LatencySample};
use crate::model::Pair;

pub fn reason(pair: Pair, sample: &LatencySample, fate: &Fate, unfair: bool) -> Option<String> {
    if let Some(why) = &sample.refused {
        return Some(format!(
            "times need BPF programs, which do not load here: {why}"
        ));
    }
    let Some(timing) = sample.timing else {
        return Some("attaching …".to_owned());
    };
    if timing.softirqs_only && !pair.is_softirq() {
        return Some(
            "detached: timing packets costs more than the budget; --max-overhead 100 keeps it"
                .to_owned(),
        );
    }
    if !unfair {
        return None;
    }
    let causes = [
        (fate.freed, freed(pair)),
        (
            fate.replaced,
            "most packets went on without the second event",
        ),
        (
            fate.orphans,
            if pair.is_softirq() {
                "most runs were not raised where netop could see it"
            } else {
                SPLIT
            },
        ),
        (fate.given_up, "most have waited for ten seconds or longer"),
    ];
    let (_, why) = causes.into_iter().max_by_key(|(count, _)| *count)?;
    Some(format!("{why}: the rest is no fair sample"))
}

const SPLIT: &str =
    "most packets were split into segments on the way (GSO; tbf, fq_codel, or no TSO)";

/// Some devices have no times, others do.
pub fn left_out(pair: Pair, devices: &str) -> String {
    let (from, _) = pair.events();
    format!("{devices} left out: {SPLIT} after {from}")
}

fn freed(pair: Pair) -> &'static str {
    match pair {
        Pair::Queue | Pair::Qdisc => {
            "most packets were dropped, or split into segments on the way (GSO; tbf, fq_codel, or no TSO)"
        }
        _ => "most packets were freed on the way",
    }
}

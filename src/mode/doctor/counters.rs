//! What needs no event: the kernel's own counters and the namespaces they are read in.

use super::check::Check;
use super::facts::Facts;

pub fn checks(facts: &Facts) -> Vec<Check> {
    vec![free(facts), softnet(facts), namespaces(facts)]
}

fn free(facts: &Facts) -> Check {
    match &facts.counters {
        Ok(()) => Check::ok("free counters", "/proc/softirqs, softnet_stat and stat"),
        Err(why) => Check::no("free counters", why),
    }
}

fn softnet(facts: &Facts) -> Check {
    match &facts.softnet_inexact {
        None => Check::ok("softnet exact", "one count per netif_receive_skb"),
        // The function is counted by its event then.
        Some(why) => Check::partly("softnet exact", why).extra(),
    }
}

fn namespaces(facts: &Facts) -> Check {
    let name = "network namespaces";
    let found = format!("{} with processes", facts.namespaces);
    match facts.unreadable {
        // One is no news: a sandbox may hide its pid 1 from root too.
        0 | 1 => Check::ok(name, found),
        hidden => {
            let found = format!("{found}; those of {hidden} processes cannot be read");
            Check::partly(name, found).mended_by(facts.all_capabilities())
        }
    }
}

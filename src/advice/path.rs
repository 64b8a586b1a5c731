//! Routes and neighbours, and frames that nobody wants (signals.md A42–A44).

use super::card::About;
use super::limits::Limits;
use super::window::Window;
use crate::model::{Finding, Severity};

fn reason_rate(window: &Window<'_>, prefixes: &[&str]) -> f64 {
    let of = |reason: &str| prefixes.iter().any(|prefix| reason.starts_with(prefix));
    let lost = window.losses(|drop| drop.reason.as_deref().is_some_and(of));
    lost.iter().map(|(_, rate)| rate).sum()
}

const NEIGHBOUR: About = About {
    rule: "A42",
    name: "neighbour",
    source: "Documentation/networking/ip-sysctl.rst (neigh, gc_thresh3)",
};

pub fn neighbour(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let rate = reason_rate(window, &["NEIGH_"]);
    if rate < limits.get("A42.failures") {
        return None;
    }
    let old = window
        .sysctl_number("net.ipv4.neigh.default.gc_thresh3")
        .unwrap_or(1024);
    NEIGHBOUR
        .card(Severity::Drop, "", format!("{rate:.0} packets a second wait for a neighbour that does not answer"))
        .why("Packets wait for, or fail, address resolution: the next hop is not there, or the table of neighbours is full, which fails good ones too.")
        .saw("drops at neighbours", rate, "/s")
        .state("net.ipv4.neigh.default.gc_thresh3", Some(old as f64), "entries")
        .check("ip -s neigh; sysctl net.ipv4.neigh.default.gc_thresh3")
        .attempt(
            format!("sysctl -w net.ipv4.neigh.default.gc_thresh3={}  # only when `ip neigh | wc -l` is near it", 2 * old),
            format!("sysctl -w net.ipv4.neigh.default.gc_thresh3={old}"),
        )
        .done()
}

const REVERSE_PATH: About = About {
    rule: "A43",
    name: "rp-filter",
    source: "Documentation/networking/ip-sysctl.rst (rp_filter)",
};

const SETTING: &str = "net.ipv4.conf.all.rp_filter";

pub fn reverse_path(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let rate =
        reason_rate(window, &["IP_RPFILTER"]).max(window.counter("TcpExt.IPReversePathFilter"));
    if rate < limits.get("A43.drops") {
        return None;
    }
    // Strict is 1; of a device's own setting and that of all the larger number counts: 2 (loose) of all lifts a strict device.
    let strict = |netns: &&String| window.sysctl_inside(Some(netns), SETTING) == Some("1");
    let inside = match window.sysctl(SETTING) {
        Some("1") => None,
        _ => window
            .facts()
            .inside
            .keys()
            .find(strict)
            .map(String::as_str),
    };
    let old = window
        .sysctl_inside(inside, SETTING)
        .unwrap_or("1")
        .to_owned();
    let typed = |command: &str| match inside {
        Some(netns) => format!("ip netns exec {netns} {command}"),
        None => command.to_owned(),
    };
    REVERSE_PATH
        .card(Severity::Drop, inside.unwrap_or_default(), format!("the reverse path filter drops {rate:.0} packets a second"))
        .why("The best route back to these sources uses another interface: asymmetric routing met strict filtering, or the sources are spoofed. Loose mode (2) accepts every source that can be reached at all.")
        .saw("packets refused", rate, "/s")
        .state("net.ipv4.conf.all.rp_filter", old.parse().ok(), "")
        .check("sysctl -a 2>/dev/null | grep '\\.rp_filter'; ip route get SOURCE")
        .attempt(typed("sysctl -w net.ipv4.conf.all.rp_filter=2"), typed(&format!("sysctl -w net.ipv4.conf.all.rp_filter={old}")))
        .done()
}

const HARMLESS: About = About {
    rule: "A44",
    name: "unwanted-frames",
    source: "net/core/dev.c; include/net/dropreason-core.h",
};

pub fn unwanted(window: &Window<'_>, limits: &Limits) -> Option<Finding> {
    let rate = reason_rate(window, &["UNHANDLED_PROTO", "OTHERHOST"]);
    if rate < limits.get("A44.drops") {
        return None;
    }
    let backlog: f64 = window
        .losses(|drop| drop.layer == crate::model::Layer::Backlog)
        .iter()
        .map(|(_, rate)| rate)
        .fold(0.0, |sum, rate| sum + rate);
    HARMLESS
        .card(Severity::Info, "", format!("{rate:.0} frames a second are of protocols that nobody here wants"))
        .why("rx_dropped grows by frames of protocols without a receiver here (LLDP, STP, other VLANs) or for other hosts. It is no performance problem, and no data is lost.")
        .saw("such frames", rate, "/s")
        .guard("no backlog drops", format!("{backlog:.1}/s"), backlog == 0.0)
        .check("ip -s -s link; tcpdump -nei DEV -c 5 not ip and not ip6 and not arp")
        .done()
}

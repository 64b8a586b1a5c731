//! Findings as a page to read or to paste into a ticket.

use std::fmt::Write as _;

use super::clean;
use crate::model::{Class, Evidence, Finding, OUTSIDE, Snapshot, Tried, format_time};

/// Everything that was found, and what was looked at.
pub fn page(snapshot: &Snapshot) -> String {
    let mut page = head(snapshot);
    if snapshot.findings.is_empty() {
        page.push_str("Nothing to advise.\n");
    }
    for (number, finding) in snapshot.findings.iter().enumerate() {
        card(&mut page, number + 1, finding);
    }
    if !snapshot.checked.is_empty() {
        let _infallible = writeln!(page, "\nchecked and fine: {}", snapshot.checked.join(", "));
    }
    for rule in &snapshot.unjudged {
        let _infallible = writeln!(page, "not judged: {rule}");
    }
    page
}

/// What is wrong first, then what costs, then what could not be seen.
pub fn why(snapshot: &Snapshot) -> String {
    let mut page = head(snapshot);
    let lost: Vec<_> = (snapshot.drops.iter())
        .filter(|d| d.class >= Class::Policy && d.total > 0)
        .collect();
    let _infallible = writeln!(page, "\nLOST");
    if lost.is_empty() {
        page.push_str("  no loss in any counter that can be read here\n");
    }
    for d in lost.iter().take(10) {
        let owner = d.comm.as_deref();
        let owner = owner.map(|comm| format!(", socket of {}", clean(comm)));
        let partly = (d.counted_s)
            .map(|seconds| format!(", counted for {seconds:.1} of {:.1} s", snapshot.elapsed_s));
        let _infallible = writeln!(
            page,
            "  {}{} {} at {} ({}){}{}",
            d.mark(),
            d.total,
            d.unit,
            clean(&d.place),
            d.class.name(),
            owner.unwrap_or_default(),
            partly.unwrap_or_default()
        );
    }
    let _infallible = writeln!(page, "\nCOST");
    let summary = &snapshot.summary;
    if let (Some(cores), Some(ns)) = (summary.net_cores, summary.ns_per_packet) {
        let error = summary.ns_error.map(|error| format!(" ±{error:.0}"));
        let _infallible = writeln!(
            page,
            "  {cores:.2} of {} CPUs in the network stack, {ns:.0}{} ns a packet",
            snapshot.host.cpus_online,
            error.unwrap_or_default()
        );
    }
    if let (Some(cpu), Some(pct)) = (summary.hot_cpu, summary.hot_softirq_pct) {
        let cause = summary.hot_cause.as_deref().map(clean).unwrap_or_default();
        let said = format!("  hottest: cpu{cpu}, {pct:.0}% softirq {cause}");
        page.push_str(said.trim_end());
        page.push('\n');
    }
    let of_network = snapshot.stages.iter().filter(|s| s.stage != OUTSIDE);
    for stage in of_network.take(5) {
        let _infallible = writeln!(
            page,
            "  {:<12} {:<4} {:>5.1}% of a CPU",
            stage.stage, stage.direction, stage.cpu_pct
        );
    }
    let _infallible = writeln!(page, "\nADVICE");
    if snapshot.findings.is_empty() {
        page.push_str("  none\n");
    }
    for (number, finding) in snapshot.findings.iter().enumerate() {
        card(&mut page, number + 1, finding);
    }
    let _infallible = writeln!(
        page,
        "\nCHECKED AND FINE\n  {}",
        snapshot.checked.join(", ")
    );
    let unseen = snapshot.unjudged.iter().chain(&snapshot.health.notes);
    let _infallible = writeln!(page, "\nNOT SEEN");
    if snapshot.elapsed_s < 10.0 {
        page.push_str("  the rules of the advice look at ten seconds in a row: this was shorter\n");
    }
    let mut nothing = true;
    for sentence in unseen {
        nothing = false;
        let _infallible = writeln!(page, "  {}", clean(sentence));
    }
    if nothing {
        page.push_str("  nothing is missing\n");
    }
    page
}

/// A finding before and after its advice was followed.
pub fn tried(tried: &Tried) -> String {
    let mut page = format!("{}\n\nCHANGED\n", clean(&tried.verdict));
    for c in &tried.changed {
        let line = format!("{} {} → {}", c.name, c.before, c.after);
        let _infallible = writeln!(page, "  {}", clean(&line));
    }
    match (&tried.changed[..], tried.changed_after_s) {
        (_, None) => page.push_str("  nothing yet\n"),
        ([], Some(_)) => {
            page.push_str("  a setting that netop does not read (marked with the key)\n");
        }
        _ => {}
    }
    page.push_str("\nBEFORE");
    card(&mut page, 1, &tried.before);
    page.push_str("\nAFTER");
    match &tried.after {
        Some(after) => card(&mut page, 1, after),
        None => page.push_str("\nthe finding is gone\n"),
    }
    page
}

fn head(snapshot: &Snapshot) -> String {
    let host = &snapshot.host;
    format!(
        "{} {} {}cpu, {:.0} s until {}\n",
        clean(&host.hostname),
        clean(&host.kernel),
        host.cpus_online,
        snapshot.elapsed_s,
        format_time(snapshot.at)
    )
}

fn card(page: &mut String, number: usize, f: &Finding) {
    let sure = if f.confirmed { "" } else { " (not sure yet)" };
    let _infallible = writeln!(
        page,
        "\n{number}. {} {}: {}{sure}",
        f.severity.name(),
        f.rule,
        clean(&f.title)
    );
    let _infallible = writeln!(page, "   {}", f.why);
    let seen: Vec<String> = f.evidence.iter().map(evidence).collect();
    let ruled_out: Vec<String> = f
        .guards
        .iter()
        .map(|g| format!("{}: {}", g.name, g.value))
        .collect();
    for (lead, text) in [
        ("seen", seen.join(" · ")),
        ("ruled out", ruled_out.join(" · ")),
        ("check", f.check.clone()),
        ("try", f.attempt.clone()),
        ("undo", f.revert.clone()),
        ("source", f.source.to_owned()),
    ] {
        if !text.is_empty() {
            let _infallible = writeln!(page, "   {lead:<9} {}", clean(&text));
        }
    }
}

fn evidence(e: &Evidence) -> String {
    let value = if e.value.abs() < 100.0 {
        format!("{:.1}", e.value)
    } else {
        format!("{:.0}", e.value)
    };
    match e.unit {
        unit if unit.starts_with(['/', '%']) => format!("{} {value}{unit}", clean(&e.name)),
        "" => format!("{} {value}", clean(&e.name)),
        unit => format!("{} {value} {unit}", clean(&e.name)),
    }
}

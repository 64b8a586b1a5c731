//! Events: which of the path there are, whether they open on every CPU, and with what room.

use std::fmt::Write;

use super::check::Check;
use super::facts::{Facts, Function, Rings};
use super::kernel::version;
use crate::decode::ClockKind;
use crate::probe::PROBES;
use crate::source::live::RING_BYTES;

/// Descriptors beside those of the events: rings, /proc files, sockets.
const OTHER_FILES: u64 = 64;

pub fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = if facts.functions.is_empty() {
        vec![no_functions(facts)]
    } else {
        facts
            .functions
            .iter()
            .map(|function| row(facts, function))
            .collect()
    };
    checks.push(events(facts));
    checks.extend(facts.rings.as_ref().and_then(|rings| room(facts, rings)));
    checks.push(gate(facts));
    checks.push(open_files(facts));
    checks.push(clock(facts));
    checks
}

/// Counting with BPF programs costs a third of counting with perf events, which is no need.
fn gate(facts: &Facts) -> Check {
    let name = "BPF counting";
    let check = match &facts.gate {
        Ok(refused) => match refused.first() {
            None => return Check::ok(name, "every function's program loads").extra(),
            Some((event, why)) => Check::partly(
                name,
                format!(
                    "{} of the programs do not load: {event}: {why}",
                    refused.len()
                ),
            ),
        },
        Err(why) => Check::no(name, format!("perf events count instead: {why}")),
    };
    let may = facts.permissions;
    if facts.btf && !may.root && !(may.bpf || may.sys_admin) {
        return check.extra().mended_by(facts.all_capabilities());
    }
    check.extra()
}

/// Without tracefs nobody knows which events there are.
fn no_functions(facts: &Facts) -> Check {
    let free: Vec<&str> = PROBES
        .iter()
        .filter(|probe| probe.free().is_some())
        .map(|probe| probe.function())
        .collect();
    let check = Check::partly(
        "functions",
        format!(
            "{} of {} without events, from free counters: {}",
            free.len(),
            PROBES.len(),
            free.join(", ")
        ),
    );
    match super::rights::tracefs(facts).mend {
        Some(mend) => check.mended_by(mend),
        None => check,
    }
}

fn row(facts: &Facts, function: &Function) -> Check {
    let name = function.name.as_str();
    let free = function.free.map(|file| format!("free from {file}"));
    let lacks: Vec<String> = function
        .missing
        .iter()
        .map(|missing| match (&missing.why, missing.since) {
            (Some(why), _) => why.clone(),
            (None, Some(since)) if version(&facts.host.kernel) >= version(since) => format!(
                "this kernel has no {} (Linux has since {since}: built without it)",
                missing.event
            ),
            (None, Some(since)) => {
                format!("this kernel has no {} (needs ≥ {since})", missing.event)
            }
            (None, None) => format!("this kernel has no {}", missing.event),
        })
        .collect();
    if !lacks.is_empty() {
        let found = [lacks, free.clone().into_iter().collect()]
            .concat()
            .join("; ");
        return if free.is_some() || !function.present.is_empty() {
            Check::partly(name, found)
        } else {
            Check::no(name, found)
        };
    }
    let mut found = [function.present.clone(), free.into_iter().collect()]
        .concat()
        .join(", ");
    if function.without.is_empty() {
        return Check::ok(name, found);
    }
    let _infallible = write!(found, "; without {}", function.without.join(", "));
    if function
        .without
        .iter()
        .any(|field| field == "skb:kfree_skb.reason")
    {
        found.push_str(" (needs ≥ 5.17): drops have no reason");
    }
    Check::partly(name, found)
}

fn events(facts: &Facts) -> Check {
    let all = facts.host.cpus.len();
    let Some(rings) = &facts.rings else {
        let check = Check::no("events open", "not tried: no event ids to open");
        return match super::rights::tracefs(facts).mend {
            Some(mend) => check.mended_by(mend),
            None => check,
        };
    };
    let Some((cpu, refusal)) = &rings.refused else {
        return Check::ok(
            "events open",
            format!("opened and read on each of {all} CPUs"),
        );
    };
    let found = format!(
        "on {} of {all} CPUs; cpu {cpu}: {}",
        rings.opened, refusal.why
    );
    let check = if rings.opened == 0 {
        Check::no("events open", found)
    } else {
        Check::partly("events open", found)
    };
    match &refusal.mend {
        None => check,
        Some(_) if !facts.permissions.may_trace() => check.mended_by(facts.grant()),
        Some(mend) => check.mended_by(mend),
    }
}

fn room(facts: &Facts, rings: &Rings) -> Option<Check> {
    let bytes = rings.bytes?;
    let found = format!("rings of {} KiB per CPU", bytes >> 10);
    Some(if bytes >= RING_BYTES {
        Check::ok("locked memory", found)
    } else {
        let check = Check::partly(
            "locked memory",
            format!(
                "{found} instead of {}: bursts may be lost",
                RING_BYTES >> 10
            ),
        );
        check.mended_by(if facts.permissions.ipc_lock {
            "sudo sysctl -w kernel.perf_event_mlock_kb=2048".to_owned()
        } else {
            facts.all_capabilities()
        })
    })
}

fn open_files(facts: &Facts) -> Check {
    let events: usize = PROBES.iter().map(|probe| probe.events().len()).sum();
    // Per CPU: the leader, its reader, the wake-up, and every event.
    let need = (events as u64 + 3) * facts.host.cpus.len() as u64 + OTHER_FILES;
    let limit = facts.open_files;
    if limit >= need {
        Check::ok(
            "open files",
            format!("limit {limit}, {need} are needed at most"),
        )
    } else {
        Check::no("open files", format!("limit {limit}, {need} may be needed"))
            .mended_by(format!("ulimit -n {need}"))
    }
}

fn clock(facts: &Facts) -> Check {
    let name = "CPU sampling";
    match &facts.clock {
        Ok(ClockKind::Cycles) => Check::ok(name, "cycles, the processor's own counter").extra(),
        Ok(ClockKind::CpuClock) => Check::partly(
            name,
            "cpu-clock: no hardware counters (a virtual machine?), code with interrupts off shows at its end",
        )
        .extra(),
        Err(refusal) => {
            let check = Check::no(name, &refusal.why).extra();
            match &refusal.mend {
                None => check,
                Some(_) if !facts.permissions.may_trace() => check.mended_by(facts.grant()),
                Some(mend) => check.mended_by(mend),
            }
        }
    }
}

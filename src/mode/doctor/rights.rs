//! What this user may do: capabilities, perf_event_paranoid, tracefs, the container around it.

use super::check::Check;
use super::facts::{Facts, Mount};
use crate::sys::UNPATCHED_LEVEL;

pub fn checks(facts: &Facts) -> Vec<Check> {
    vec![
        user(facts),
        paranoid(facts),
        container(facts),
        tracefs(facts),
    ]
}

fn user(facts: &Facts) -> Check {
    let may = facts.permissions;
    let who = match (may.root, may.uid) {
        (true, _) if facts.contained.contains(&"user") => {
            "root of a user namespace, which is nobody to the kernel".to_owned()
        }
        (true, _) => "root".to_owned(),
        (false, Some(uid)) => format!("uid {uid}"),
        (false, None) => "unknown uid".to_owned(),
    };
    let lacks: Vec<&str> = [
        (may.perfmon || may.sys_admin, "cap_perfmon"),
        (may.bpf || may.sys_admin, "cap_bpf"),
        (may.syslog, "cap_syslog"),
        (may.dac_read_search, "cap_dac_read_search"),
        (may.sys_ptrace, "cap_sys_ptrace"),
        (may.ipc_lock, "cap_ipc_lock"),
    ]
    .into_iter()
    .filter_map(|(has, name)| (!has).then_some(name))
    .collect();
    let check = match lacks.len() {
        0 => return Check::ok("user", format!("{who}, with every capability netop uses")),
        6 => Check::no("user", format!("{who}, without any capability netop uses")),
        _ => Check::partly("user", format!("{who}, without {}", lacks.join(", "))),
    };
    check.mended_by(facts.all_capabilities())
}

fn paranoid(facts: &Facts) -> Check {
    let name = "perf_event_paranoid";
    let may = facts.permissions;
    let Some(level) = may.paranoid else {
        return Check::no(
            name,
            "this kernel has no perf events: only counters are shown",
        );
    };
    let meaning = match level {
        ..0 => "every user may profile everything",
        0 => "raw tracepoints need cap_perfmon",
        1 => "CPU-wide events need cap_perfmon",
        2 => "profiling the kernel needs cap_perfmon",
        _ => "Debian's and Ubuntu's kernels then want cap_sys_admin, cap_perfmon is not enough",
    };
    if may.may_trace() {
        Check::ok(name, format!("{level}: {meaning}; allowed here"))
    } else {
        let mend = if level > 2 && facts.contained.is_empty() {
            UNPATCHED_LEVEL.to_owned()
        } else {
            facts.grant()
        };
        Check::no(name, format!("{level}: {meaning}")).mended_by(mend)
    }
}

fn container(facts: &Facts) -> Check {
    match facts.contained.as_slice() {
        [] => Check::ok("container", "the host's own pid and user namespaces"),
        inside => Check::partly(
            "container",
            format!(
                "inside a {} namespace: the host's processes cannot be named",
                inside.join(" and ")
            ),
        )
        .mended_by(facts.grant()),
    }
}

pub fn tracefs(facts: &Facts) -> Check {
    match &facts.tracefs {
        Ok(root) => {
            let mounted = if facts.mount == Mount::JustNow {
                ", mounted just now"
            } else {
                ""
            };
            Check::ok("tracefs", format!("{}{mounted}", root.display()))
        }
        // Mounting it would not help.
        Err(_) if facts.is_confidential() => Check::no(
            "tracefs",
            "kernel lockdown (confidentiality) keeps it empty",
        ),
        Err(_) if facts.mount == Mount::Missing => {
            Check::no("tracefs", "not mounted, so no events")
                .mended_by("sudo mount -t tracefs nodev /sys/kernel/tracing")
        }
        Err(why) if facts.permissions.dac_read_search => Check::no("tracefs", why),
        Err(why) => Check::no("tracefs", why).mended_by(facts.all_capabilities()),
    }
}

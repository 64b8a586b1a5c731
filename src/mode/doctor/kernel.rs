//! The kernel itself: its release, what it locks down, and what it was built with.

use super::check::Check;
use super::facts::{Facts, KernelNames};
use crate::sys::chosen_lockdown;

/// The oldest kernel whose events were looked at (signals.md).
const OLDEST: (u32, u32) = (4, 4);

/// `inherit_thread`: a process counted with the threads it starts, without its children.
const THREADS: (u32, u32) = (5, 13);

pub fn checks(facts: &Facts) -> Vec<Check> {
    vec![
        release(facts),
        lockdown(facts),
        names(facts),
        if facts.btf {
            Check::ok("type information", "/sys/kernel/btf/vmlinux").extra()
        } else {
            Check::no(
                "type information",
                "no BTF: built without CONFIG_DEBUG_INFO_BTF",
            )
            .extra()
        },
        if facts.kprobes {
            Check::ok("kprobes", "/sys/bus/event_source/devices/kprobe").extra()
        } else {
            Check::no("kprobes", "built without CONFIG_KPROBE_EVENTS").extra()
        },
        if facts.uprobes {
            Check::ok("uprobes", "/sys/bus/event_source/devices/uprobe").extra()
        } else {
            Check::no("uprobes", "built without CONFIG_UPROBE_EVENTS").extra()
        },
    ]
}

fn release(facts: &Facts) -> Check {
    let host = &facts.host;
    let found = format!(
        "{} {}, {} CPUs online",
        host.kernel,
        host.arch,
        host.cpus.len()
    );
    match version(&host.kernel) {
        Some(version) if version < OLDEST => Check::partly(
            "kernel",
            format!("{found}; older than any netop was made for (4.4)"),
        ),
        Some(version) if version < THREADS => Check::partly(
            "kernel",
            format!("{found}; -p cannot follow the threads a process starts (needs ≥ 5.13)"),
        ),
        _ => Check::ok("kernel", found),
    }
}

/// `6.18.44-fc` → (6, 18)
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn lockdown(facts: &Facts) -> Check {
    let mode = facts.lockdown.as_deref().and_then(chosen_lockdown);
    match mode {
        Some("confidentiality") => Check::no(
            "lockdown",
            "confidentiality forbids tracing: boot with lockdown=integrity",
        ),
        Some(mode) => Check::ok("lockdown", format!("{mode}: tracing is allowed")),
        None => Check::ok("lockdown", "none to be seen"),
    }
}

fn names(facts: &Facts) -> Check {
    let name = "kernel symbols";
    let restrict = facts.permissions.kptr_restrict;
    match facts.kernel_names {
        KernelNames::Shown => Check::ok(name, "/proc/kallsyms has addresses"),
        KernelNames::None => Check::no(
            name,
            "no /proc/kallsyms: stacks will be addresses (built without CONFIG_KALLSYMS)",
        ),
        KernelNames::Hidden => {
            let why = match restrict {
                Some(level) if level > 1 => format!("kptr_restrict={level}"),
                _ => "no cap_syslog".to_owned(),
            };
            let check = Check::no(
                name,
                format!("function names are hidden ({why}): stacks will be addresses"),
            );
            let lower = "sudo sysctl -w kernel.kptr_restrict=1";
            match (restrict, facts.permissions.syslog) {
                (Some(2..), true) => check.mended_by(lower),
                (Some(2..), false) => {
                    check.mended_by(format!("{lower} && {}", facts.all_capabilities()))
                }
                _ => check.mended_by(facts.all_capabilities()),
            }
        }
    }
}

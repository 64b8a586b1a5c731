//! What this process is allowed: capabilities, perf_event_paranoid, open files.

use std::fs;

use super::errno_hint::{SETCAP, UNPATCHED_LEVEL};

/// Bits of `CapEff` and `CapPrm` in /proc/self/status (include/uapi/linux/capability.h).
pub(super) const CAP_DAC_OVERRIDE: u32 = 1;
pub(super) const CAP_DAC_READ_SEARCH: u32 = 2;
const CAP_IPC_LOCK: u32 = 14;
pub(super) const CAP_SYS_PTRACE: u32 = 19;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_SYSLOG: u32 = 34;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "capabilities are a set of independent yes or no"
)]
pub struct Permissions {
    pub root: bool,
    pub uid: Option<u32>,
    pub perfmon: bool,
    pub bpf: bool,
    pub sys_admin: bool,
    pub syslog: bool,
    pub dac_read_search: bool,
    pub sys_ptrace: bool,
    pub ipc_lock: bool,
    /// /proc/sys/kernel/perf_event_paranoid; `None`: no such file (no perf events).
    pub paranoid: Option<i32>,
    /// /proc/sys/kernel/kptr_restrict.
    pub kptr_restrict: Option<i32>,
}

impl Permissions {
    pub fn of_this_process() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let permissions = Self::parse(
            &status,
            number("perf_event_paranoid"),
            number("kptr_restrict"),
        );
        if in_first_user_namespace() {
            permissions
        } else {
            permissions.without_capabilities()
        }
    }

    /// The kernel asks for these in its first user namespace: those of another are worth nothing.
    fn without_capabilities(self) -> Self {
        Permissions {
            root: self.root,
            uid: self.uid,
            paranoid: self.paranoid,
            kptr_restrict: self.kptr_restrict,
            ..Permissions::default()
        }
    }

    fn parse(status: &str, paranoid: Option<i32>, kptr_restrict: Option<i32>) -> Self {
        let value = |key| status.lines().find_map(|line: &str| line.strip_prefix(key));
        let set = |key| {
            let text = value(key)?.trim();
            u64::from_str_radix(text, 16).ok()
        };
        let caps = set("CapEff:").unwrap_or(0);
        let has = |bit| caps & (1u64 << bit) != 0;
        // Those that `set_aside_rights` takes out of the effective set.
        let permitted = set("CapPrm:").unwrap_or(caps);
        let may_raise = |bit| permitted & (1u64 << bit) != 0;
        let euid = value("Uid:").and_then(|v| v.split_whitespace().nth(1)?.parse().ok());
        Permissions {
            root: euid == Some(0),
            uid: euid,
            perfmon: has(CAP_PERFMON),
            bpf: has(CAP_BPF),
            sys_admin: has(CAP_SYS_ADMIN),
            syslog: has(CAP_SYSLOG),
            dac_read_search: may_raise(CAP_DAC_READ_SEARCH),
            sys_ptrace: may_raise(CAP_SYS_PTRACE),
            ipc_lock: has(CAP_IPC_LOCK),
            paranoid,
            kptr_restrict,
        }
    }

    /// Tracepoints on all CPUs: CAP_PERFMON, or CAP_SYS_ADMIN (which Debian's patch demands
    /// above paranoid 2), or a kernel that lets everybody.
    pub fn may_trace(self) -> bool {
        match self.paranoid {
            None => false,
            Some(level) if level > 2 => self.sys_admin,
            Some(level) => level < 0 || self.perfmon || self.sys_admin,
        }
    }

    /// The command after which this user may trace.
    pub fn grant(self) -> String {
        match (self.paranoid.is_some_and(|level| level > 2), self.perfmon) {
            (true, true) => UNPATCHED_LEVEL.to_owned(),
            (true, false) => format!("{UNPATCHED_LEVEL} && {SETCAP}"),
            (false, _) => SETCAP.to_owned(),
        }
    }
}

/// Its number is fixed (PROC_USER_INIT_INO). Where it cannot be read there is no other.
fn in_first_user_namespace() -> bool {
    fs::read_link("/proc/self/ns/user").map_or(true, |link| link.as_os_str() == "user:[4026531837]")
}

fn number(name: &str) -> Option<i32> {
    fs::read_to_string(format!("/proc/sys/kernel/{name}"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Raises the soft limit of open files to the hard one: events × CPUs are many.
/// Returns the limit now in force.
pub fn raise_open_files() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid rlimit for both calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0
            && limit.rlim_cur < limit.rlim_max
        {
            let soft = limit.rlim_cur;
            limit.rlim_cur = limit.rlim_max;
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) != 0 {
                limit.rlim_cur = soft;
            }
        }
    }
    limit.rlim_cur
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(caps: u64, paranoid: i32) -> Permissions {
        let status = format!("Name:\tx\nUid:\t0\t1000\t0\t0\nCapEff:\t{caps:016x}\n");
        Permissions::parse(&status, Some(paranoid), None)
    }

    #[test]
    fn perfmon_traces_up_to_paranoid_2_and_debians_level_3_needs_sys_admin() {
        let (perfmon, admin) = (1u64 << CAP_PERFMON, 1u64 << CAP_SYS_ADMIN);
        for (caps, paranoid, may) in [
            (perfmon, 2, true),
            (perfmon, 3, false),
            (admin, 4, true),
            (0, 0, false),
            (0, -1, true),
        ] {
            assert_eq!(
                of(caps, paranoid).may_trace(),
                may,
                "caps {caps:x} paranoid {paranoid}"
            );
        }
    }

    #[test]
    fn root_of_another_user_namespace_may_not_trace() {
        let inside = of(u64::MAX, 2).without_capabilities();
        assert!(!inside.may_trace() && !inside.ipc_lock);
        assert_eq!(inside.paranoid, Some(2));
    }

    #[test]
    fn what_was_set_aside_and_can_be_raised_counts() {
        let status = "CapPrm:\t0000000000080004\nCapEff:\t0000000000000000\n";
        let permissions = Permissions::parse(status, Some(2), None);
        assert!(permissions.dac_read_search && permissions.sys_ptrace);
        assert!(!permissions.perfmon && !permissions.syslog);
    }

    #[test]
    fn the_effective_uid_decides_who_is_root() {
        assert!(!of(0, 2).root);
    }
}

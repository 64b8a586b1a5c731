//! errno of perf_event_open and its rings → what it means here and the command that mends it.

use std::fmt;
use std::io;

use super::caps::Permissions;
use super::lockdown::{FORBIDS, is_confidential};

/// The command that lets a user who is not root see everything.
pub const SETCAP: &str = "sudo setcap cap_perfmon,cap_bpf,cap_syslog,cap_dac_read_search,cap_sys_ptrace,cap_ipc_lock+ep $(command -v netop)";

/// Debian (above 2) and Ubuntu (above 3) patch the kernel so that CAP_PERFMON is not enough; this
/// is the level at which it is.
pub const UNPATCHED_LEVEL: &str = "sudo sysctl -w kernel.perf_event_paranoid=2";

/// Why the kernel said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrnoHint {
    pub why: String,
    pub mend: Option<String>,
}

impl ErrnoHint {
    pub fn of(error: &io::Error) -> ErrnoHint {
        ErrnoHint::explain(error, Permissions::of_this_process())
    }

    fn explain(error: &io::Error, permissions: Permissions) -> ErrnoHint {
        let (why, mend) = match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) if is_confidential() => (FORBIDS.to_owned(), None),
            Some(libc::EPERM | libc::EACCES) if permissions.may_trace() => (
                "blocked by a container's seccomp filter, a security module or kernel lockdown"
                    .to_owned(),
                None,
            ),
            Some(libc::EPERM | libc::EACCES) => (
                permissions.paranoid.map_or_else(
                    || "kernel profiling is not allowed for this user".to_owned(),
                    |level| {
                        format!("kernel profiling is not allowed for this user (perf_event_paranoid={level})")
                    },
                ),
                Some(permissions.grant()),
            ),
            Some(libc::EMFILE | libc::ENFILE) => (
                "too many open files".to_owned(),
                Some("ulimit -n 65536".to_owned()),
            ),
            Some(libc::ENOSYS | libc::EOPNOTSUPP) => (
                "this kernel has no perf events: only counters are shown".to_owned(),
                None,
            ),
            Some(libc::ENOMEM | libc::ENOSPC | libc::EBUSY) => {
                (format!("the kernel has no room for it ({error})"), None)
            }
            Some(libc::EINVAL) => ("the kernel refused the event or its filter".to_owned(), None),
            Some(libc::ENODEV) => ("that CPU went offline".to_owned(), None),
            Some(libc::ESRCH) => ("the process is gone".to_owned(), None),
            _ => (error.to_string(), None),
        };
        ErrnoHint { why, mend }
    }
}

impl fmt::Display for ErrnoHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        match &self.mend {
            Some(mend) => write!(f, "; try: {mend}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(errno: i32, perfmon: bool, paranoid: i32) -> ErrnoHint {
        let permissions = Permissions {
            perfmon,
            paranoid: Some(paranoid),
            ..Permissions::default()
        };
        ErrnoHint::explain(&io::Error::from_raw_os_error(errno), permissions)
    }

    #[test]
    fn a_user_without_the_capability_is_given_the_command_that_grants_it() {
        for errno in [libc::EACCES, libc::EPERM] {
            let refusal = explained(errno, false, 2);
            assert!(refusal.why.contains("perf_event_paranoid=2"));
            assert_eq!(refusal.mend.as_deref(), Some(SETCAP));
        }
    }

    #[test]
    fn where_the_capability_is_not_enough_the_level_is_lowered_too() {
        let both = format!("{UNPATCHED_LEVEL} && {SETCAP}");
        assert_eq!(explained(libc::EACCES, false, 3).mend, Some(both));
        let level = Some(UNPATCHED_LEVEL.to_owned());
        assert_eq!(explained(libc::EACCES, true, 3).mend, level);
    }

    #[test]
    fn who_has_the_capability_and_is_refused_is_told_who_else_blocks() {
        let refusal = explained(libc::EPERM, true, 2);
        assert!(refusal.why.contains("seccomp") && refusal.mend.is_none());
    }

    #[test]
    fn every_errno_of_the_table_is_a_sentence_of_its_own() {
        let errnos = [
            libc::EACCES,
            libc::EMFILE,
            libc::ENOSYS,
            libc::ENOMEM,
            libc::EINVAL,
            libc::ENODEV,
            libc::ESRCH,
        ];
        let mut said: Vec<String> = errnos.map(|e| explained(e, false, 2).why).into();
        said.sort();
        said.dedup();
        assert_eq!(said.len(), errnos.len());
    }

    #[test]
    fn the_sentence_ends_with_the_command_where_there_is_one() {
        let full = explained(libc::EMFILE, true, 2).to_string();
        assert_eq!(full, "too many open files; try: ulimit -n 65536");
    }
}

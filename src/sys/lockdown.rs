//! Kernel lockdown: in its confidential mode nobody traces, whoever they are
//! (`LOCKDOWN_CONFIDENTIALITY_MAX`, security/security.c).

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

const FILE: &str = "/sys/kernel/security/lockdown";

/// linux/mount.h
const FSCONFIG_CMD_CREATE: libc::c_long = 6;

/// Why nothing can be traced, with what mends it.
pub const FORBIDS: &str =
    "kernel lockdown (confidentiality) forbids tracing: boot with lockdown=integrity";

/// `none [integrity] confidentiality`, as the kernel tells it or its command line asks for it;
/// `None`: neither does.
pub fn lockdown() -> Option<&'static str> {
    static MODES: OnceLock<Option<String>> = OnceLock::new();
    let modes = || {
        let told = fs::read_to_string(FILE).or_else(|_| from_unmounted());
        told.ok().or_else(|| {
            let asked = fs::read_to_string("/proc/cmdline").ok()?;
            asked_for(&asked).map(str::to_owned)
        })
    };
    MODES.get_or_init(modes).as_deref()
}

/// Tracing is forbidden.
pub fn is_confidential() -> bool {
    lockdown().and_then(chosen) == Some("confidentiality")
}

/// The mode that is in force, of the file's text.
pub fn chosen(modes: &str) -> Option<&str> {
    Some(modes.split_once('[')?.1.split_once(']')?.0)
}

/// What the kernel was started with, as the file has it.
fn asked_for(command_line: &str) -> Option<&'static str> {
    let mut words = command_line.split_whitespace();
    match words.find_map(|word| word.strip_prefix("lockdown="))? {
        "confidentiality" => Some("none integrity [confidentiality]"),
        "integrity" => Some("none [integrity] confidentiality"),
        _ => None,
    }
}

/// Where securityfs is not mounted (a container, a rescue system): through a mount that stands in no
/// directory and ends with this call.
fn from_unmounted() -> io::Result<String> {
    let descriptor = |number: libc::c_long| {
        let number = i32::try_from(number).unwrap_or(-1);
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just opened it for us.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    };
    // SAFETY: a name that ends with 0, and no flags; the descriptor is ours.
    let context =
        descriptor(unsafe { libc::syscall(libc::SYS_fsopen, c"securityfs".as_ptr(), 0) })?;
    // SAFETY: this command takes no key and no value.
    let created = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            std::ptr::null::<libc::c_char>(),
            std::ptr::null::<libc::c_char>(),
            0,
        )
    };
    if created < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: no pointers.
    let mount = descriptor(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 0, 0) })?;
    // SAFETY: a name that ends with 0.
    let file = unsafe { libc::openat(mount.as_raw_fd(), c"lockdown".as_ptr(), libc::O_CLOEXEC) };
    let mut text = String::new();
    fs::File::from(descriptor(file.into())?).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_in_force_is_the_one_in_brackets() {
        assert_eq!(
            chosen("none [integrity] confidentiality\n"),
            Some("integrity")
        );
        assert_eq!(chosen("[none] integrity confidentiality"), Some("none"));
        assert_eq!(chosen("none"), None);
    }

    #[test]
    fn the_command_line_says_what_was_asked_for() {
        let mode = |line| asked_for(line).and_then(chosen);
        assert_eq!(
            mode("quiet lockdown=confidentiality ro\n"),
            Some("confidentiality")
        );
        assert_eq!(mode("lockdown=integrity"), Some("integrity"));
        assert_eq!(mode("nolockdown=confidentiality quiet"), None);
        assert_eq!(mode(""), None);
    }

    #[test]
    fn a_kernel_without_the_module_has_no_mode_and_is_not_confidential() {
        // Linux without CONFIG_SECURITY_LOCKDOWN_LSM, or in any mode: never a panic, and no mount stays.
        let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("/proc is there");
        let before = mounts();
        let _there_or_not = from_unmounted();
        assert_eq!(mounts(), before);
        assert_eq!(
            is_confidential(),
            lockdown().and_then(chosen) == Some("confidentiality")
        );
    }
}

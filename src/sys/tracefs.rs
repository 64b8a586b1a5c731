//! tracefs: where it is, mounting it as perf does, ids and formats of events.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::lockdown::{FORBIDS, is_confidential};
use super::rights::Raised;

const USUAL: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// A hung TX queue, an OOM kill, a stopped kernel thread: from rarest to oldest.
const QUIET: [(&str, &str); 3] = [
    ("net", "net_dev_xmit_timeout"),
    ("oom", "mark_victim"),
    ("sched", "sched_kthread_stop"),
];

#[derive(Debug, Clone)]
pub struct Tracefs {
    events: PathBuf,
}

const NO_TRACEPOINT: &str = "this kernel has no tracepoint";

impl Tracefs {
    /// Finds tracefs; mounts it at its usual place when it is not there and we may.
    pub fn find_or_mount() -> Result<Tracefs, String> {
        let _root_only = Raised::all();
        let found = USUAL
            .iter()
            .map(|root| Path::new(root).join("events"))
            .find(|e| e.exists());
        if let Some(events) = found {
            return readable(Tracefs { events });
        }
        if is_confidential() {
            return Err(FORBIDS.to_owned());
        }
        match mount() {
            Ok(()) => readable(Tracefs {
                events: Path::new(USUAL[0]).join("events"),
            }),
            Err(_) if fs::metadata(USUAL[0]).is_ok_and(|_| fs::read_dir(USUAL[0]).is_err()) => Err(
                "cannot read event ids in /sys/kernel/tracing (root only): live events are off"
                    .to_owned(),
            ),
            Err(error) => Err(format!(
                "tracefs is not mounted and could not be ({error}): mount -t tracefs nodev {}",
                USUAL[0]
            )),
        }
    }

    /// Where it is mounted.
    pub fn root(&self) -> &Path {
        self.events.parent().unwrap_or(&self.events)
    }

    /// The `format` text of an event. The error is a sentence.
    pub fn format(&self, group: &str, name: &str) -> Result<String, String> {
        if !is_event_name(group) || !is_event_name(name) {
            return Err(format!("{group}:{name} is no event name"));
        }
        let path = self.events.join(group).join(name).join("format");
        let _root_only = Raised::all();
        read_text(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("{NO_TRACEPOINT} {group}:{name}"),
            _ => format!("{}: {error}", path.display()),
        })
    }

    /// The id of a tracepoint that hardly ever fires, to lead the groups of events.
    pub fn quiet(&self) -> Result<u64, String> {
        let id = |text: String| {
            text.lines()
                .find_map(|line| line.strip_prefix("ID:")?.trim().parse().ok())
        };
        let mut why = None;
        for (group, name) in QUIET {
            match self.format(group, name) {
                Ok(text) => {
                    if let Some(id) = id(text) {
                        return Ok(id);
                    }
                }
                Err(error) if error.starts_with(NO_TRACEPOINT) => {}
                Err(error) => why = why.or(Some(error)),
            }
        }
        let none = || "this kernel has none of the tracepoints that lead a group".to_owned();
        Err(why.unwrap_or_else(none))
    }

    /// All `group:name` of this kernel, sorted.
    pub fn all(&self) -> Vec<String> {
        let _root_only = Raised::all();
        let names = |path: &Path| -> Vec<String> {
            let Ok(entries) = fs::read_dir(path) else {
                return Vec::new();
            };
            entries
                .filter_map(Result::ok)
                .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
                .filter_map(|e| e.file_name().into_string().ok())
                .collect()
        };
        let mut all: Vec<String> = names(&self.events)
            .into_iter()
            .flat_map(|group| {
                names(&self.events.join(&group))
                    .into_iter()
                    .map(move |n| format!("{group}:{n}"))
            })
            .collect();
        all.sort();
        all
    }
}

fn readable(tracefs: Tracefs) -> Result<Tracefs, String> {
    match fs::read_dir(&tracefs.events) {
        Ok(_) => Ok(tracefs),
        Err(_) if is_confidential() => Err(FORBIDS.to_owned()),
        Err(error) => Err(format!(
            "cannot read event ids in {} ({error}): live events are off",
            tracefs.events.display()
        )),
    }
}

/// A path component that cannot leave its directory.
fn is_event_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// One read with a large buffer: some tracefs files report their end after a short read.
fn read_text(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut len = 0;
    loop {
        match file.read(&mut buffer[len..])? {
            0 => break,
            n => len += n,
        }
        if len == buffer.len() {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&buffer[..len]).into_owned())
}

fn mount() -> io::Result<()> {
    let (kind, source) = (CString::new("tracefs")?, CString::new("nodev")?);
    let target = CString::new(USUAL[0])?;
    // SAFETY: three valid C strings; no data.
    let result = unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            0,
            std::ptr::null(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_leave_tracefs_is_refused() {
        let tracefs = Tracefs { events: "/".into() };
        for (group, name) in [("..", "etc"), ("net", "../../x"), ("", "a"), ("a", "b/c")] {
            assert!(
                tracefs
                    .format(group, name)
                    .unwrap_err()
                    .contains("no event name")
            );
        }
    }
}

//! What there is on this host, looked at once and judged elsewhere. Mounts tracefs when root and
//! leaves everything else as it is.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use super::trial;
use crate::decode::{ClockKind, Host};
use crate::host::{FastCounters, Proc, Question, SlowReader, identity};
use crate::source::live::gate_refusals;
use crate::sys::{
    ErrnoHint, Permissions, SETCAP, Tracefs, chosen_lockdown, cpu_clock, is_terminal, lockdown,
    monotonic_ns, raise_open_files,
};

pub struct Facts {
    pub host: Host,
    pub permissions: Permissions,
    /// This program, quoted for a shell.
    pub program: String,
    /// Namespaces (`pid`, `user`) that are not the host's.
    pub contained: Vec<&'static str>,
    /// /sys/kernel/security/lockdown: `none [integrity] confidentiality`.
    pub lockdown: Option<String>,
    pub tracefs: Result<PathBuf, String>,
    pub mount: Mount,
    pub functions: Vec<Function>,
    /// `None`: without event ids there was nothing to open.
    pub rings: Option<Rings>,
    /// The limit, raised as far as it goes.
    pub open_files: u64,
    pub clock: Result<ClockKind, ErrnoHint>,
    pub kernel_names: KernelNames,
    pub btf: bool,
    /// Functions that netop's BPF programs cannot count here and why, or why none can.
    pub gate: Result<Vec<(&'static str, String)>, String>,
    pub kprobes: bool,
    pub uprobes: bool,
    pub counters: Result<(), String>,
    pub softnet_inexact: Option<String>,
    /// Network namespaces that have processes in them.
    pub namespaces: usize,
    /// Processes whose namespace may not be read.
    pub unreadable: usize,
    pub terminal: Option<Terminal>,
}

/// Is tracefs mounted?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    Before,
    /// By this run.
    JustNow,
    Missing,
}

/// A row of the path and the events it stands on.
pub struct Function {
    pub name: String,
    /// The free counter that equals it.
    pub free: Option<&'static str>,
    pub present: Vec<String>,
    pub missing: Vec<Missing>,
    /// Fields of present events that this kernel lacks, `event.field`.
    pub without: Vec<String>,
}

pub struct Missing {
    pub event: String,
    pub since: Option<&'static str>,
    /// Why it cannot be read although it is there.
    pub why: Option<String>,
}

#[derive(Default)]
pub struct Rings {
    /// CPUs on which an event opened and was read.
    pub opened: usize,
    /// The smallest ring got, bytes.
    pub bytes: Option<usize>,
    pub refused: Option<(u32, ErrnoHint)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelNames {
    Shown,
    Hidden,
    None,
}

pub struct Terminal {
    pub columns: u16,
    pub rows: u16,
    pub colours: u16,
    pub unicode: bool,
}

impl Facts {
    /// Kernel lockdown forbids tracing.
    pub fn is_confidential(&self) -> bool {
        let modes = self.lockdown.as_deref();
        modes.and_then(chosen_lockdown) == Some("confidentiality")
    }

    pub fn of_this_host(unicode: bool) -> Facts {
        let proc = Proc::host();
        let host = identity(&proc);
        let open_files = raise_open_files();
        let mounted_before = is_mounted(&proc);
        let tracefs = Tracefs::find_or_mount();
        let mount = match (mounted_before, is_mounted(&proc)) {
            (true, _) => Mount::Before,
            (false, true) => Mount::JustNow,
            (false, false) => Mount::Missing,
        };
        let readable = tracefs.as_ref().ok();
        let slow = SlowReader::new(Proc::host()).read(&Question {
            at: monotonic_ns(),
            ..Question::default()
        });
        let (namespaces, unreadable) = network_namespaces(&proc);
        Facts {
            permissions: Permissions::of_this_process(),
            program: program(),
            contained: contained(&proc),
            lockdown: lockdown().map(str::to_owned),
            functions: readable.map_or_else(Vec::new, trial::functions),
            rings: readable.and_then(|tracefs| trial::rings(tracefs, &host.cpus)),
            mount,
            tracefs: tracefs.map(|tracefs| tracefs.root().to_owned()),
            open_files,
            clock: cpu_clock(host.cpus[0]).map_err(|error| ErrnoHint::of(&error)),
            kernel_names: kernel_names(&proc),
            gate: gate_refusals(),
            btf: proc.exists("sys/kernel/btf/vmlinux"),
            kprobes: proc.exists("sys/bus/event_source/devices/kprobe"),
            uprobes: proc.exists("sys/bus/event_source/devices/uprobe"),
            counters: FastCounters::open(&proc)
                .and_then(|mut fast| fast.read())
                .map(drop)
                .map_err(|error| error.to_string()),
            softnet_inexact: slow.softnet_inexact,
            namespaces,
            unreadable,
            terminal: terminal(unicode),
            host,
        }
    }

    /// The command that gives this user what profiling needs.
    pub fn grant(&self) -> String {
        if !self.contained.is_empty() {
            "docker run --privileged --pid=host --network=host IMAGE netop".to_owned()
        } else if self.permissions.root {
            format!("systemd-run --pty --wait {}", self.program)
        } else {
            let command = self.permissions.grant();
            command.replace("$(command -v netop)", &self.program)
        }
    }

    /// `SETCAP` for this program; capabilities beyond those that tracing needs.
    pub fn all_capabilities(&self) -> String {
        if self.contained.is_empty() && !self.permissions.root {
            SETCAP.replace("$(command -v netop)", &self.program)
        } else {
            self.grant()
        }
    }
}

fn program() -> String {
    let path = std::env::current_exe().map_or_else(
        |_| "netop".to_owned(),
        |path| path.to_string_lossy().into_owned(),
    );
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

/// The numbers of the first namespaces are fixed (include/uapi/linux/nsfs.h, before it
/// include/linux/proc_ns.h).
fn contained(proc: &Proc) -> Vec<&'static str> {
    [("pid", "pid:[4026531836]"), ("user", "user:[4026531837]")]
        .into_iter()
        .filter(|(name, first)| {
            proc.link_name(&format!("proc/self/ns/{name}"))
                .is_ok_and(|link| link != *first)
        })
        .map(|(name, _)| name)
        .collect()
}

fn is_mounted(proc: &Proc) -> bool {
    proc.text("proc/self/mountinfo")
        .is_ok_and(|text| text.lines().any(|line| line.contains(" - tracefs ")))
}

fn kernel_names(proc: &Proc) -> KernelNames {
    let mut head = String::new();
    let read = proc
        .open("proc/kallsyms")
        .and_then(|file: File| file.take(256 << 10).read_to_string(&mut head));
    if read.is_err() {
        return KernelNames::None;
    }
    // Some per-CPU symbols are truly at 0.
    let shown = head.lines().any(|line| {
        let address = line.split_whitespace().next().unwrap_or("0");
        address.bytes().any(|digit| digit != b'0')
    });
    if shown {
        KernelNames::Shown
    } else {
        KernelNames::Hidden
    }
}

/// (namespaces with processes, processes whose namespace may not be read)
fn network_namespaces(proc: &Proc) -> (usize, usize) {
    let (mut found, mut unreadable) = (BTreeSet::new(), 0);
    for pid in proc.pids().unwrap_or_default() {
        match proc.link_name(&format!("proc/{pid}/ns/net")) {
            Ok(link) => {
                found.insert(link);
            }
            // Anything else is a process that ended meanwhile.
            Err(error) => unreadable += usize::from(error.kind() == ErrorKind::PermissionDenied),
        }
    }
    (found.len(), unreadable)
}

fn terminal(unicode: bool) -> Option<Terminal> {
    if !is_terminal() {
        return None;
    }
    let (columns, rows) = crossterm::terminal::size().ok()?;
    Some(Terminal {
        columns,
        rows,
        colours: crossterm::style::available_color_count(),
        unicode,
    })
}

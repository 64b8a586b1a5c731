//! Control groups: what a process's is called (container, pod, unit), which processes are in one, and
//! how often its CPU quota stopped it. Both hierarchies (cgroups(7)); no daemon is asked.

use rustc_hash::FxHashMap;

use crate::host::proc::{Proc, printable};

/// Directories below a group that are looked through for its processes.
const MOST_GROUPS: usize = 4096;

/// Where a process is: the path in each hierarchy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The longest, which says most.
    pub path: String,
    /// Below /sys/fs/cgroup, where cpu.stat is.
    cpu: String,
}

/// `None`: it ended, or is somebody else's.
pub fn of(proc: &Proc, pid: u32) -> Option<Groups> {
    let text = proc.text(&format!("proc/{pid}/cgroup")).ok()?;
    Some(parse(&text))
}

/// `4:cpu,cpuacct:/path` of version 1, `0::/path` of version 2.
fn parse(text: &str) -> Groups {
    let mut groups = Groups::default();
    let mut unified = "";
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        if path.len() > groups.path.len() {
            path.clone_into(&mut groups.path);
        }
        if controllers.split(',').any(|c| c == "cpu") {
            // Of the root group the path is `/`, which would be looked at twice.
            let path = path.trim_end_matches('/');
            groups.cpu = format!("{controllers}{path}");
        } else if controllers.is_empty() {
            unified = path;
        }
    }
    if groups.cpu.is_empty() {
        unified.trim_start_matches('/').clone_into(&mut groups.cpu);
    }
    groups
}

/// What quotas have said in one reading: most processes share a group with others.
#[derive(Debug, Default)]
pub struct Quotas(FxHashMap<String, Option<(u64, u64)>>);

impl Quotas {
    /// As [`throttled`], each group's files once.
    pub fn throttled(&mut self, proc: &Proc, groups: &Groups) -> Option<(u64, u64)> {
        if let Some(known) = self.0.get(&groups.cpu) {
            return *known;
        }
        let read = throttled(proc, groups);
        self.0.insert(groups.cpu.clone(), read);
        read
    }
}

/// Periods of the CPU quota so far, and those in which the group was stopped: of the nearest group
/// upwards that has one. `None`: there is no quota.
fn throttled(proc: &Proc, groups: &Groups) -> Option<(u64, u64)> {
    let mut path = groups.cpu.as_str();
    loop {
        let file = format!("sys/fs/cgroup/{path}/cpu.stat");
        let text = proc.text(&file).unwrap_or_default();
        let field = |name: &str| {
            let of_name = |line: &str| line.strip_prefix(name)?.trim().parse::<u64>().ok();
            text.lines().find_map(of_name)
        };
        if let Some(periods) = field("nr_periods ").filter(|n| *n > 0) {
            return Some((periods, field("nr_throttled ")?));
        }
        path = path.rsplit_once('/')?.0;
    }
}

/// What people call it: a pod, a container, a unit; `None`: nothing worth a name.
pub fn name(proc: &Proc, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let uid = parts.iter().rev().find_map(|part| pod_uid(part));
    let id = parts.iter().rev().find_map(|part| container_id(part));
    if let Some(uid) = uid {
        let pod = pod_name(proc, &uid);
        return Some(pod.unwrap_or_else(|| format!("pod {}", &uid[..8])));
    }
    if let Some(id) = id {
        return Some(id[..12].to_owned());
    }
    let lxc = parts.iter().position(|part| *part == "lxc");
    let named = lxc.and_then(|at| parts.get(at + 1).copied());
    let payload = parts
        .iter()
        .find_map(|part| part.strip_prefix("lxc.payload."));
    let machine =
        (parts.iter()).find_map(|part| part.strip_prefix("machine-")?.strip_suffix(".scope"));
    let unit = parts.iter().rev().find(|part| {
        let said = [".service", ".scope"]
            .iter()
            .any(|kind| part.ends_with(kind));
        said && **part != "init.scope"
    });
    let name = named.or(payload).or(machine).or(unit.copied());
    name.map(printable)
}

/// `kubepods-burstable-pod1234_….slice` of systemd, `pod1234-…` of cgroupfs.
fn pod_uid(part: &str) -> Option<String> {
    let part = part.strip_suffix(".slice").unwrap_or(part);
    let uid = part.rsplit_once("pod")?.1.replace('_', "-");
    let hex = uid.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    (uid.len() >= 32 && hex).then_some(uid)
}

/// The 64 hexadecimal digits of docker, containerd, CRI-O, podman, with what they are put between.
fn container_id(part: &str) -> Option<&str> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let id = part.rsplit(['-', ':']).next()?;
    (id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
}

/// The kubelet keeps its containers' logs in NAMESPACE_NAME_UID; that of a static pod has no dashes.
fn pod_name(proc: &Proc, uid: &str) -> Option<String> {
    let plain = |text: &str| text.replace('-', "");
    (proc.list("var/log/pods").ok()?.into_iter()).find_map(|entry| {
        let (name, its) = entry.rsplit_once('_')?;
        let (_, name) = name.split_once('_')?;
        (plain(its) == plain(uid)).then(|| printable(name))
    })
}

/// The processes in the group of this path and below; `None`: there is no such group.
pub fn members(proc: &Proc, path: &str) -> Option<Vec<u32>> {
    let path = path.strip_prefix("/sys/fs/cgroup").unwrap_or(path);
    let path = path.trim_matches('/');
    let roots = proc.list("sys/fs/cgroup").ok()?;
    // Version 1 has a tree per controller, in any of which the group may be.
    let tops = std::iter::once(String::new()).chain(roots.into_iter().map(|root| root + "/"));
    let mut waiting: Vec<String> = tops
        .map(|root| format!("sys/fs/cgroup/{root}{path}"))
        .filter(|dir| proc.exists(&format!("{dir}/cgroup.procs")))
        .collect();
    if waiting.is_empty() {
        return None;
    }
    let (mut pids, mut looked) = (Vec::new(), 0);
    while let Some(dir) = waiting.pop() {
        looked += 1;
        if looked > MOST_GROUPS {
            break;
        }
        let text = proc
            .text(&format!("{dir}/cgroup.procs"))
            .unwrap_or_default();
        pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
        for below in proc.list(&dir).unwrap_or_default() {
            let below = format!("{dir}/{below}");
            if proc.exists(&format!("{below}/cgroup.procs")) {
                waiting.push(below);
            }
        }
    }
    pids.sort_unstable();
    pids.dedup();
    // 0: of another PID namespace.
    pids.retain(|pid| *pid != 0);
    Some(pids)
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;

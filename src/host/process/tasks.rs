//! Processes: name, start, network namespace and how long they waited for a CPU.

use super::cgroup::Quotas;
use super::{cgroup, process_tree};
use crate::decode::TaskCounters;
use crate::host::netns;
use crate::host::proc::{Proc, printable};

/// Those of `pids` that exist. `named`: the namespaces that have names, by inode.
pub fn read(proc: &Proc, pids: &[u32], named: &[(u64, String)]) -> Vec<TaskCounters> {
    let mut quotas = Quotas::default();
    pids.iter()
        .filter_map(|pid| task(proc, *pid, named, &mut quotas))
        .collect()
}

fn task(
    proc: &Proc,
    pid: u32,
    named: &[(u64, String)],
    quotas: &mut Quotas,
) -> Option<TaskCounters> {
    // That of the main thread: the kernel adds up nothing over all threads for it.
    let stat = proc.text(&format!("proc/{pid}/task/{pid}/stat")).ok()?;
    // 0: somebody else's process, not ours to see.
    let netns = netns::of(proc, pid).unwrap_or(0);
    let known = |netns: u64| named.iter().find(|(inode, _)| *inode == netns);
    let groups = cgroup::of(proc, pid);
    Some(TaskCounters {
        pid,
        container: (groups.as_ref())
            .and_then(|groups| cgroup::name(proc, &groups.path))
            .or_else(|| Some(format!("netns {}", &known(netns)?.1))),
        throttled: groups.and_then(|groups| quotas.throttled(proc, &groups)),
        comm: printable(&process_tree::name(&stat)?),
        start_ticks: process_tree::start_ticks(&stat),
        netns,
        runq_ns: proc
            .text(&format!("proc/{pid}/schedstat"))
            .ok()
            .and_then(|text| runq_delay(&text)),
    })
}

/// `on_cpu_ns runq_delay_ns timeslices` (proc_pid_schedstat); the kernel prints `0 0 0` when it
/// keeps no such statistics.
fn runq_delay(text: &str) -> Option<u64> {
    let mut words = text.split_ascii_whitespace();
    let on_cpu: u64 = words.next()?.parse().ok()?;
    let delay: u64 = words.next()?.parse().ok()?;
    let timeslices: u64 = words.next()?.parse().ok()?;
    (on_cpu > 0 || delay > 0 || timeslices > 0).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

    #[test]
    fn the_second_field_of_schedstat_is_the_delay() {
        assert_eq!(runq_delay("12 345 6\n"), Some(345));
        assert_eq!(runq_delay("12 0 6\n"), Some(0));
        for unknown in ["0 0 0\n", "", "12", "12 3", "a b c"] {
            assert_eq!(runq_delay(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn processes_that_ended_are_left_out_and_names_are_made_printable() {
        let (_dir, proc) = root_with(&[
            ("proc/5/task/5/stat", "5 (evil\u{1b}) ]0;) S 1 2"),
            ("proc/5/schedstat", "1 2 3\n"),
            (
                "proc/9/task/9/stat",
                "9 (a\\\\b) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 4711 23\n",
            ),
        ]);
        let expected = [
            TaskCounters {
                pid: 5,
                comm: "evil?) ]0;".to_owned(),
                runq_ns: Some(2),
                ..TaskCounters::default()
            },
            TaskCounters {
                pid: 9,
                comm: "a\\b".to_owned(),
                start_ticks: Some(4711),
                ..TaskCounters::default()
            },
        ];
        assert_eq!(read(&proc, &[5, 7, 9], &[]), expected);
    }

    #[test]
    fn this_process_is_in_its_own_namespace() {
        let proc = Proc::host();
        let tasks = read(&proc, &[std::process::id()], &[]);
        assert_eq!(tasks.len(), 1);
        assert_eq!(tasks[0].netns, netns::own(&proc).expect("own namespace"));
        assert!(tasks[0].netns > 0);
    }
}

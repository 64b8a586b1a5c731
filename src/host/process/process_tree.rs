//! What /proc/PID/stat says of a process: its parent, and so who was forked by whom; its start; its name.

use crate::host::proc::Proc;

/// The processes forked by `pids`, and by those, without `pids` themselves; ascending.
pub fn descendants(proc: &Proc, pids: &[u32]) -> Vec<u32> {
    let mut parents: Vec<(u32, u32)> = (proc.pids().unwrap_or_default().into_iter())
        .filter_map(|pid| Some((pid, parent(&proc.text(&format!("proc/{pid}/stat")).ok()?)?)))
        .collect();
    let mut family = pids.to_vec();
    loop {
        let before = family.len();
        parents.retain(|(pid, parent)| {
            let born_here = family.contains(parent);
            if born_here && !family.contains(pid) {
                family.push(*pid);
            }
            !born_here
        });
        if family.len() == before {
            break;
        }
    }
    let mut children = family.split_off(pids.len());
    children.sort_unstable();
    children
}

/// `pid (comm) state ppid …`; the name may hold anything, a parenthesis too.
fn parent(stat: &str) -> Option<u32> {
    field(stat, 4)?.parse().ok()
}

/// When a process started, in clock ticks since boot: with its number it is that process and no other.
pub fn started_at(proc: &Proc, pid: u32) -> Option<u64> {
    start_ticks(&proc.text(&format!("proc/{pid}/stat")).ok()?)
}

pub(in crate::host) fn start_ticks(stat: &str) -> Option<u64> {
    field(stat, 22)?.parse().ok()
}

/// The name as /proc/PID/comm has it; stat writes a backslash and a line's end as C does
/// (`proc_task_name` of fs/proc/array.c).
pub(in crate::host) fn name(stat: &str) -> Option<String> {
    let (_, from_name) = stat.split_once('(')?;
    let (name, _) = from_name.rsplit_once(')')?;
    let mut chars = name.chars();
    let next = || match chars.next()? {
        '\\' => chars.next().map(|c| if c == 'n' { '\n' } else { c }),
        c => Some(c),
    };
    Some(std::iter::from_fn(next).collect())
}

/// A field behind the name, counted from 1 as in man 5 proc_pid_stat.
fn field(stat: &str, number: usize) -> Option<&str> {
    let behind_name = stat.rsplit_once(')')?.1;
    behind_name.split_ascii_whitespace().nth(number - 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

    #[test]
    fn grandchildren_belong_to_the_family_and_strangers_do_not() {
        let (_dir, proc) = root_with(&[
            ("proc/2/stat", "2 (chosen) S 1 2"),
            ("proc/30/stat", "30 (a) b) S 2 30"),
            ("proc/9/stat", "9 (grandchild) R 30 9"),
            ("proc/4/stat", "4 (stranger) S 1 4"),
            ("proc/5/stat", "garbage"),
        ]);
        assert_eq!(descendants(&proc, &[2]), [9, 30]);
        assert_eq!(descendants(&proc, &[4]), [0u32; 0]);
    }
}

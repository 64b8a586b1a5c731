//! What the side band would have told, had it been listened to since boot: every task's name and
//! every process's code. A recording begins with it.

use crate::decode::maps::{Mapping as Mapped, parse};
use crate::decode::{Happened, MappedFile, Mapping, SideBand};
use crate::host::proc::Proc;

/// More tasks of a process than this have no names of their own.
const MOST_THREADS: usize = 1 << 14;

/// All processes; the times are 0.
pub fn processes(proc: &Proc) -> Vec<SideBand> {
    let mut told = Vec::new();
    for pid in proc.pids().unwrap_or_default() {
        process(proc, pid, &mut told);
    }
    told
}

/// A process that ends meanwhile is told as far as it was seen.
fn process(proc: &Proc, pid: u32, told: &mut Vec<SideBand>) {
    let threads = proc.list(&format!("proc/{pid}/task")).unwrap_or_default();
    let tids = threads.iter().filter_map(|tid| tid.parse().ok());
    let begun = |tid, what| SideBand {
        time: 0,
        cpu: 0,
        pid,
        tid,
        what,
    };
    // The process's own name comes first: its threads begin with it.
    let mut tids: Vec<u32> = tids.take(MOST_THREADS).collect();
    tids.sort_by_key(|tid| *tid != pid);
    for tid in tids {
        let Ok(name) = proc.text(&format!("proc/{pid}/task/{tid}/comm")) else {
            continue;
        };
        if tid != pid {
            let (parent, parent_tid) = (pid, pid);
            told.push(begun(tid, Happened::Forked { parent, parent_tid }));
        }
        let (comm, exec) = (name.trim_end_matches('\n').to_owned(), false);
        told.push(begun(tid, Happened::Named { comm, exec }));
    }
    let maps = proc.text(&format!("proc/{pid}/maps")).unwrap_or_default();
    told.extend(
        parse(&maps)
            .into_iter()
            .map(|code| begun(pid, mapped(code))),
    );
}

fn mapped(code: Mapped) -> Happened {
    let is_file = code.inode != 0;
    let path = match code.path {
        // As the kernel calls it in its own records.
        path if path.is_empty() => "//anon".to_owned(),
        path if code.deleted => format!("{path} (deleted)"),
        path => path,
    };
    Happened::Mapped(Mapping {
        start: code.start,
        len: code.end.saturating_sub(code.start),
        offset: code.offset,
        path,
        file: if is_file {
            MappedFile::Inode {
                major: libc::major(code.device),
                minor: libc::minor(code.device),
                inode: code.inode,
                generation: 0,
            }
        } else {
            MappedFile::Unknown
        },
        kernel: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::proc::tests::root_with;

    #[test]
    fn a_process_has_its_name_its_threads_and_its_code() {
        let (_dir, proc) = root_with(&[
            ("proc/7/task/5/comm", "worker\n"),
            ("proc/7/task/7/comm", "nginx\n"),
            (
                "proc/7/maps",
                "1000-3000 r-xp 00004000 fd:01 99     /usr/bin/nginx\n5000-6000 rwxp 00000000 00:00 0 \n",
            ),
            ("proc/8/task/8/comm", "kthreadd\n"),
        ]);
        let told = processes(&proc);
        let tasks: Vec<_> = told.iter().map(|t| (t.pid, t.tid)).collect();
        assert_eq!(tasks, [(7, 7), (7, 5), (7, 5), (7, 7), (7, 7), (8, 8)]);
        let named = |name: &str| Happened::Named {
            comm: name.to_owned(),
            exec: false,
        };
        assert_eq!(
            (&told[0].what, &told[2].what),
            (&named("nginx"), &named("worker"))
        );
        let Happened::Mapped(code) = &told[3].what else {
            panic!("{told:?}")
        };
        assert_eq!(
            (code.start, code.len, code.offset),
            (0x1000, 0x2000, 0x4000)
        );
        assert_eq!((code.path.as_str(), code.kernel), ("/usr/bin/nginx", false));
        assert!(matches!(
            code.file,
            MappedFile::Inode {
                major: 0xfd,
                minor: 1,
                inode: 99,
                ..
            }
        ));
        let Happened::Mapped(anonymous) = &told[4].what else {
            panic!("{told:?}")
        };
        assert_eq!(anonymous.path, "//anon");
    }
}

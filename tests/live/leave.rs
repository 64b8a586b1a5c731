//! However netop ends, a second later nothing of it is left in the kernel: no process of its own
//! holds a perf event or anything of BPF, and no program of its is loaded.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::net::may_run;
use crate::programs;

/// After the end of the program.
const WITHIN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(20);

/// netop in a terminal; `mark` is in the environment of every process that comes of it.
struct Run {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    output: Box<dyn Read + Send>,
    mark: String,
}

impl Run {
    fn start(kind: &str) -> Run {
        let size = PtySize {
            rows: 24,
            cols: 80,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mark = format!("leave-{}-{kind}", std::process::id());
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_netop"));
        command.args(["--max-overhead", "100"]);
        command.env("TERM", "xterm-256color");
        command.env("NETOP_TEST", &mark);
        let mut run = Run {
            child: pair.slave.spawn_command(command).expect("netop starts"),
            keys: pair.master.take_writer().expect("a writer"),
            output: pair.master.try_clone_reader().expect("a reader"),
            master: pair.master,
            mark,
        };
        let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&seen).contains("RATE/s") {
            let n = run.output.read(&mut bytes).expect("it draws");
            seen.extend_from_slice(&bytes[..n]);
        }
        run
    }

    fn pid(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }
}

fn marked(pid: &str, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    String::from_utf8_lossy(&environment).contains(&format!("NETOP_TEST={mark}\0"))
}

fn processes() -> Vec<String> {
    let names = fs::read_dir("/proc").expect("/proc").flatten();
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .collect()
}

/// What the processes with this mark hold of the kernel: "PID anon_inode:[perf_event]".
fn held(mark: &str) -> Vec<String> {
    let mut held = Vec::new();
    for pid in processes().iter().filter(|pid| marked(pid, mark)) {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten() {
            let link = fs::read_link(descriptor.path()).unwrap_or_default();
            let link = link.to_string_lossy();
            let ours = [
                "[perf_event]",
                "bpf-prog",
                "bpf-map",
                "bpf-link",
                "bpf_link",
            ];
            if link.starts_with("anon_inode:") && ours.iter().any(|kind| link.contains(kind)) {
                held.push(format!("{pid} {link}"));
            }
        }
    }
    held
}

/// Processes of this mark that have not ended. One that is closing its descriptors has no environment
/// any more: new, without one and called as netop's threads are, it is ours.
fn running(mark: &str, before: &[String]) -> Vec<String> {
    let mut running = processes();
    running.retain(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let named = stat.contains("(netop)") || stat.contains("(deadline)");
        let ended = stat.is_empty() || stat.contains(") Z ");
        let closing =
            || fs::read(format!("/proc/{pid}/environ")).map_or(true, |text| text.is_empty());
        !ended && !before.contains(pid) && (marked(pid, mark) || named && closing())
    });
    running
}

/// Programs named `netop_…` above an id (they only grow) that no process but this test and its
/// netop holds: another netop on this host has its own.
fn programs_left(mark: &str, above: u32) -> Vec<(u32, String)> {
    let mut left = programs::loaded();
    left.retain(|(id, name)| *id > above && name.starts_with("netop_"));
    if left.is_empty() {
        return left;
    }
    let this = std::process::id().to_string();
    for pid in processes() {
        if pid == this || marked(&pid, mark) {
            continue;
        }
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
            continue;
        };
        for descriptor in descriptors.flatten() {
            let text = fs::read_to_string(descriptor.path()).unwrap_or_default();
            let of = text.lines().find_map(|line| line.strip_prefix("prog_id:"));
            let of = of.and_then(|id| id.trim().parse().ok());
            left.retain(|(id, _)| Some(*id) != of);
        }
    }
    left
}

fn newest_program() -> u32 {
    programs::loaded().last().map_or(0, |(id, _)| *id)
}

fn until(what: &str, patience: Duration, mut done: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !done() {
        assert!(
            began.elapsed() < patience,
            "{what}: not within {patience:?}"
        );
        thread::sleep(LOOK);
    }
    began.elapsed()
}

#[test]
fn however_it_ends_nothing_of_it_is_left_in_the_kernel_a_second_later() {
    let Some(_one) = may_run() else { return };
    for kind in ["q", "INT", "TERM", "HUP", "KILL", "closed terminal"] {
        let (before, others) = (newest_program(), processes());
        let run = Run::start(kind);
        let (pid, mark) = (run.pid(), run.mark.clone());
        until("perf events", PATIENCE, || held(&mark).len() > 4);
        let holds = held(&mark).len();
        let Run {
            mut child,
            mut keys,
            master,
            mut output,
            ..
        } = run;
        let open = if kind == "closed terminal" {
            drop((keys, output, master));
            None
        } else {
            // What it writes on its way out is taken.
            thread::spawn(move || while let Ok(1..) = output.read(&mut [0; 4096]) {});
            if kind == "q" {
                keys.write_all(b"q").expect("it takes keys");
                keys.flush().expect("it takes keys");
            } else {
                let mut kill = Command::new("sh");
                kill.args(["-c", &format!("kill -{kind} {pid}")]);
                assert!(kill.status().expect("sh is there").success());
            }
            Some((keys, master))
        };
        let ended = until(kind, PATIENCE, || {
            child.try_wait().expect("it is our child").is_some()
        });
        let gone = until(kind, WITHIN, || {
            held(&mark).is_empty()
                && running(&mark, &others).is_empty()
                && programs_left(&mark, before).is_empty()
        });
        println!("{kind}: {holds} held, ended after {ended:?}, all gone {gone:?} later");
        drop(open);
    }
}

/// The look itself sees what is there.
#[test]
fn a_program_that_is_left_is_found() {
    let Some(_one) = may_run() else { return };
    let before = newest_program();
    let program = programs::load("netop_left");
    let names = |left: Vec<(u32, String)>| left.into_iter().map(|(_, name)| name).collect();
    let left: Vec<String> = names(programs_left("nobody", before));
    assert_eq!(left, ["netop_left"]);
    drop(program);
    until("it goes with its descriptor", WITHIN, || {
        programs_left("nobody", before).is_empty()
    });
}

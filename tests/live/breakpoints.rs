//! Breakpoints in a library that the test compiles (`cc`, which linking netop needs too): exact,
//! per process, over threads that start later, recursion and other mounts.

use crate::skip::skip;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::net::{A, B, Net, Traffic, may_run};
use crate::netop::Netop;

const LIBRARY: &str = "
__attribute__((noinline)) int answer(int deep)
{
    __asm__ volatile(\"\" ::: \"memory\");
    return deep ? 1 + answer(deep - 1) : 0;
}
";

/// Says `ready`; for each line `N` it reads, four threads call `answer(4)` N times each (five
/// calls a time), and it says `done`.
const PROGRAM: &str = "
#include <pthread.h>
#include <stdio.h>
int answer(int);
static int times;
static void *run(void *unused)
{
    for (int i = 0; i < times; i++)
        answer(4);
    return unused;
}
int main(void)
{
    puts(\"ready\");
    fflush(stdout);
    while (scanf(\"%d\", &times) == 1) {
        pthread_t threads[4];
        int failed = 0;
        for (int i = 0; i < 4; i++)
            failed += pthread_create(&threads[i], 0, run, 0) != 0;
        for (int i = 0; i < 4 - failed; i++)
            pthread_join(threads[i], 0);
        puts(failed ? \"failed\" : \"done\");
        fflush(stdout);
    }
    return 0;
}
";

pub const CALLS_A_TIME: u64 = 4 * 5;

pub fn compiled(dir: &Path) -> (PathBuf, PathBuf) {
    let (library, program) = (dir.join("libanswer.so.1"), dir.join("asker"));
    std::fs::write(dir.join("answer.c"), LIBRARY).expect("a file");
    std::fs::write(dir.join("asker.c"), PROGRAM).expect("a file");
    let cc = |words: &[&str]| {
        let mut command = Command::new("cc");
        command.current_dir(dir).args([
            "-O1",
            "-fomit-frame-pointer",
            "-fno-optimize-sibling-calls",
        ]);
        let status = command.args(words).status().expect("cc, the C compiler");
        assert!(status.success(), "cc {words:?}");
    };
    cc(&["-shared", "-fPIC", "-o", "libanswer.so.1", "answer.c"]);
    cc(&["-o", "asker", "asker.c", "./libanswer.so.1", "-lpthread"]);
    (library, program)
}

pub struct Asker {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Asker {
    fn start(mut command: Command) -> Asker {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut asker = Asker {
            orders: child.stdin.take().expect("piped"),
            answers: BufReader::new(child.stdout.take().expect("piped")),
            child,
        };
        assert_eq!(asker.line(), "ready");
        asker
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("text");
        line.trim().to_owned()
    }

    pub fn ask(&mut self, times: u32) -> String {
        writeln!(self.orders, "{times}").expect("it reads");
        self.line()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub fn asker(dir: &Path, program: &Path) -> Asker {
    let mut command = Command::new(program);
    command.current_dir(dir);
    Asker::start(command)
}

#[test]
fn calls_of_a_library_are_exact_over_processes_threads_and_recursion() {
    let Some(_one) = may_run() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (library, program) = compiled(dir.path());
    let (mut first, mut second) = (asker(dir.path(), &program), asker(dir.path(), &program));
    let file = library.display();
    let (call, leave) = (
        format!("uprobe:{file}:answer"),
        format!("uretprobe:{file}:answer"),
    );
    let mut netop = Netop::watch(&["-e", &format!("{call},{leave}")]);
    let before = [netop.settle(&call), netop.settle(&leave)];
    assert_eq!(before, [0, 0]);
    assert_eq!([first.ask(500), second.ask(300)], ["done", "done"]);
    let expected = (500 + 300) * CALLS_A_TIME;
    assert_eq!([netop.settle(&call), netop.settle(&leave)], [expected; 2]);
}

/// A library whose function keeps no frame pointer and pushes none: the kernel's walk ends in it.
#[test]
fn stacks_lead_out_of_a_library_without_frame_pointers_to_its_caller() {
    let Some(_one) = may_run() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (library, program) = compiled(dir.path());
    let mut asker = asker(dir.path(), &program);
    let event = format!("uprobe:{}:answer", library.display());
    for counting in ["bpf", "perf"] {
        let mut netop = Netop::watch(&["-e", &event, "--counting", counting]);
        assert_eq!(netop.field(&event, "source"), counting);
        let mut called = Vec::new();
        for _ in 0..8 {
            assert_eq!(asker.ask(50), "done");
            let stacks = netop.next()["stacks"].as_array().cloned();
            let ours = |stack: &serde_json::Value| stack["function"] == event.as_str();
            called.extend(stacks.into_iter().flatten().filter(ours));
        }
        let frames = |stack: &serde_json::Value| -> Vec<String> {
            let frames = stack["frames"].as_array().expect("frames");
            frames.iter().map(ToString::to_string).collect()
        };
        // Names are looked up meanwhile.
        called.retain(|stack| frames(stack)[0].contains("answer"));
        // By the thread's own function, and by itself.
        for caller in ["run (asker)", "answer (libanswer"] {
            let by = |stack: &serde_json::Value| {
                frames(stack).get(1).is_some_and(|f| f.contains(caller))
            };
            assert!(
                called.iter().any(by),
                "{counting}: not by {caller}: {called:#?}"
            );
        }
    }
}

#[test]
fn calls_of_one_process_are_its_own_and_it_can_start_threads() {
    let Some(_one) = may_run() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (_, program) = compiled(dir.path());
    let (mut chosen, mut other) = (asker(dir.path(), &program), asker(dir.path(), &program));
    let pid = chosen.pid().to_string();
    // By its name alone, as that process has it.
    let event = "uprobe:libanswer:answer";
    for counting in ["auto", "perf"] {
        let mut netop = Netop::watch(&["-e", event, "-p", &pid, "--counting", counting]);
        if counting == "perf" {
            let reason = netop.field(event, "reason").as_str().expect("a reason");
            assert!(
                reason.contains("perf events cannot follow one process"),
                "{reason}"
            );
            assert_eq!(chosen.ask(10), "done", "threads start all the same");
            continue;
        }
        if netop.field(event, "source") != "bpf" {
            skip(&format!(
                "BPF does not load here: {}",
                netop.last["health"]["notes"]
            ));
            return;
        }
        let before = netop.settle(event);
        assert_eq!([chosen.ask(400), other.ask(700)], ["done", "done"]);
        assert_eq!(netop.settle(event) - before, 400 * CALLS_A_TIME);
    }
}

#[test]
fn a_library_in_another_mount_namespace_is_found_through_its_process() {
    let Some(_one) = may_run() else { return };
    let unshare = Command::new("unshare").arg("--version").output();
    if unshare.is_err() {
        skip("unshare (util-linux) is missing");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let hidden = tempfile::tempdir().expect("a directory");
    compiled(dir.path());
    // Over there the directory stands in another one's place, which is empty here.
    let script = format!(
        "mount --bind {} {} && cd {} && exec ./asker",
        dir.path().display(),
        hidden.path().display(),
        hidden.path().display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    let mut asker = Asker::start(command);
    let pid = asker.pid().to_string();
    let path = hidden.path().join("libanswer.so.1");
    assert!(!path.exists());
    let event = format!("uprobe:{}:answer", path.display());
    let mut netop = Netop::watch(&["-e", &event, "-p", &pid]);
    if netop.field(&event, "source") != "bpf" {
        skip("BPF does not load here");
        return;
    }
    let before = netop.settle(&event);
    assert_eq!(asker.ask(123), "done");
    assert_eq!(netop.settle(&event) - before, 123 * CALLS_A_TIME);
}

#[test]
fn filters_count_what_they_say_and_the_kernel_refuses_none_that_was_accepted() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let (short, long) = (
        format!("net:net_dev_queue:len<1000 && name=={}", net.va),
        format!("net:net_dev_queue:len>=1000 and name == {}", net.va),
    );
    let mut netop = Netop::watch(&["-e", &short, "-e", &long]);
    let before = [netop.settle(&short), netop.settle(&long)];
    for (datagrams, bytes) in [(300, 64), (200, 1200)] {
        let order = format!("udp-send {A}:0 {B}:9000 1 {datagrams} {bytes}");
        let mut traffic = Traffic::start(&net.a, &order);
        traffic.go();
        traffic.finish();
    }
    let after = [netop.settle(&short), netop.settle(&long)];
    assert_eq!([after[0] - before[0], after[1] - before[1]], [300, 200]);
}

/// Kernels with kprobes count calls of a kernel function as exactly; others name what comes nearest.
#[test]
fn calls_of_a_kernel_function_are_exact_or_the_nearest_tracepoint_is_named() {
    let Some(_one) = may_run() else { return };
    let event = "kprobe:udp_sendmsg";
    let pmu = Path::new("/sys/bus/event_source/devices/kprobe");
    if !pmu.exists() {
        let output = Command::new(env!("CARGO_BIN_EXE_netop"))
            .args(["-b", "-n", "1", "-e", "kprobe:dev_queue_xmit"])
            .output()
            .expect("netop starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("no kprobes (CONFIG_KPROBE_EVENTS)"), "{said}");
        assert!(said.contains("try: netop -e dev_queue_xmit"), "{said}");
        skip(&format!("this kernel has no kprobes ({})", pmu.display()));
        return;
    }
    let net = Net::new();
    let returns = "kretprobe:udp_sendmsg";
    let mut netop = Netop::watch(&["-e", &format!("{event},{returns}")]);
    let before = [netop.settle(event), netop.settle(returns)];
    let mut traffic = Traffic::start(&net.a, &format!("udp-send {A}:0 {B}:9000 1 400 64"));
    traffic.go();
    traffic.finish();
    let after = [netop.settle(event), netop.settle(returns)];
    // Others of this host may send a name query meanwhile.
    for (after, before) in after.iter().zip(before) {
        assert!((400..420).contains(&(after - before)), "{before} {after}");
    }
}

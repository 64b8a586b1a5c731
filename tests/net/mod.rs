//! Two namespaces joined by a veth pair, known traffic inside, and netop watching from outside.
//! The traffic is made by the test program itself, started again inside a namespace.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The live tests share two CPUs and one kernel: one at a time.
static ONE: Mutex<()> = Mutex::new(());

/// What the traffic program is told to do, in its environment.
const ORDER: &str = "NETOP_TRAFFIC";

pub fn may_run() -> Option<MutexGuard<'static, ()>> {
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let ip = Command::new("ip").arg("-V").output().is_ok();
    if root && ip {
        return Some(ONE.lock().unwrap_or_else(PoisonError::into_inner));
    }
    let why = if root {
        "the command ip (iproute2) is missing"
    } else {
        "live tests need root"
    };
    assert!(
        std::env::var_os("NETOP_REQUIRE_LIVE").is_none(),
        "{why}, and NETOP_REQUIRE_LIVE is set"
    );
    eprintln!("skipped: {why}");
    None
}

/// 10.99.0.1 on `va` in namespace a, 10.99.0.2 on `vb` in namespace b; nothing else is sent:
/// no IPv6, and the neighbours are known.
pub struct Net {
    pub a: String,
    pub b: String,
    pub va: String,
    pub vb: String,
}

pub const A: &str = "10.99.0.1";
pub const B: &str = "10.99.0.2";

impl Net {
    pub fn new() -> Net {
        Net::called("")
    }

    /// One of several, which differ in `mark`.
    pub fn called(mark: &str) -> Net {
        let id = std::process::id() % 100_000;
        let name = |kind: &str| format!("nt{kind}{id}{mark}");
        let net = Net {
            a: name("a"),
            b: name("b"),
            va: name("x"),
            vb: name("y"),
        };
        net.delete();
        for namespace in [&net.a, &net.b] {
            ip(&["netns", "add", namespace]);
            for setting in ["all", "default"] {
                let file = format!("/proc/sys/net/ipv6/conf/{setting}/disable_ipv6");
                run(&[
                    "ip",
                    "netns",
                    "exec",
                    namespace,
                    "sh",
                    "-c",
                    &format!("test ! -e {file} || echo 1 > {file}"),
                ]);
            }
        }
        ip(&[
            "link", "add", &net.va, "netns", &net.a, "type", "veth", "peer", "name", &net.vb,
            "netns", &net.b,
        ]);
        for (namespace, device, own, other, mac, other_mac) in [
            (
                &net.a,
                &net.va,
                A,
                B,
                "02:00:00:00:00:0a",
                "02:00:00:00:00:0b",
            ),
            (
                &net.b,
                &net.vb,
                B,
                A,
                "02:00:00:00:00:0b",
                "02:00:00:00:00:0a",
            ),
        ] {
            let in_ns = |words: &[&str]| ip(&[&["-n", namespace], words].concat());
            in_ns(&["link", "set", device, "address", mac]);
            in_ns(&["addr", "add", &format!("{own}/24"), "dev", device]);
            in_ns(&["link", "set", "lo", "up"]);
            in_ns(&["link", "set", device, "up"]);
            in_ns(&[
                "neigh",
                "replace",
                other,
                "lladdr",
                other_mac,
                "dev",
                device,
                "nud",
                "permanent",
            ]);
        }
        net
    }

    fn delete(&self) {
        for namespace in [&self.a, &self.b] {
            // It may not be there.
            let _absent = Command::new("ip")
                .args(["netns", "del", namespace])
                .stderr(Stdio::null())
                .status();
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.delete();
    }
}

pub struct Traffic {
    /// `ip netns exec` becomes the program: its pid is this one's.
    pub child: Child,
    go: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

impl Traffic {
    /// Starts the traffic program in a namespace; it answers "ready" and waits for a line.
    pub fn start(namespace: &str, order: &str) -> Traffic {
        let exe = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(exe)
            .args(["--exact", "traffic", "--nocapture"])
            .env(ORDER, order)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("ip starts");
        let go = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut traffic = Traffic {
            child,
            go: Some(go),
            lines,
        };
        traffic.wait_for("ready");
        traffic
    }

    pub fn go(&mut self) {
        self.go
            .as_mut()
            .expect("not finished")
            .write_all(b"go\n")
            .expect("the program reads");
    }

    /// The line that ends with the word, which says what the program found out.
    pub fn wait_for(&mut self, word: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self
                .lines
                .read_line(&mut line)
                .expect("the program writes text");
            assert!(read > 0, "the traffic program ended before it said {word}");
            if line.trim_end().ends_with(word) {
                return line;
            }
        }
    }

    /// Lets the program end and waits for it.
    pub fn finish(mut self) {
        drop(self.go.take());
        let status = self.child.wait().expect("it ran");
        assert!(status.success(), "the traffic program failed");
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub fn run(words: &[&str]) -> Output {
    let output = Command::new(words[0])
        .args(&words[1..])
        .output()
        .expect("the command starts");
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

pub fn ip(words: &[&str]) {
    run(&[&["ip"], words].concat());
}

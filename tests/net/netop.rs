//! netop in batch mode, watched snapshot by snapshot.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// `netop -b --format json` and its snapshots, one by one.
pub struct Netop {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub last: Value,
}

impl Netop {
    /// Returns when the first snapshot is there: everything asked for is attached by then.
    pub fn watch(flags: &[&str]) -> Netop {
        let exact = ["--max-overhead", "100"];
        Netop::watch_every("0.3", &[&exact, flags].concat())
    }

    pub fn watch_every(seconds: &str, flags: &[&str]) -> Netop {
        let mut child = Command::new(env!("CARGO_BIN_EXE_netop"))
            .args(["-b", "--format", "json", "-d", seconds])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("netop starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut netop = Netop {
            child,
            lines,
            last: Value::Null,
        };
        netop.next();
        netop
    }

    pub fn next(&mut self) -> &Value {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("netop writes text");
        assert!(read > 0, "netop ended");
        self.last = serde_json::from_str(&line).expect("one JSON object per line");
        &self.last
    }

    pub fn total(&self, function: &str) -> u64 {
        self.field(function, "total").as_u64().unwrap_or_else(|| {
            panic!(
                "{function} is not counted: {}",
                self.field(function, "reason")
            )
        })
    }

    pub fn field(&self, function: &str, field: &str) -> &Value {
        &self.row(function)[field]
    }

    pub fn row(&self, function: &str) -> &Value {
        let rows = self.last["functions"].as_array().expect("a table");
        let row = rows.iter().find(|row| row["name"] == function);
        row.expect("a known function")
    }

    /// Skips what was printed before now: the pipe holds snapshots nobody has read yet.
    pub fn catch_up(&mut self) {
        let now = jiff::Timestamp::now();
        while self.next()["at"]
            .as_str()
            .expect("a time")
            .parse::<jiff::Timestamp>()
            .expect("RFC 3339")
            < now
        {}
    }

    /// Takes snapshots until `function` has not moved for two of them.
    pub fn settle(&mut self, function: &str) -> u64 {
        self.catch_up();
        let started = Instant::now();
        let (mut seen, mut still) = (self.total(function), 0);
        while still < 2 {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "{function} never stands still"
            );
            self.next();
            let now = self.total(function);
            still = if now == seen { still + 1 } else { 0 };
            seen = now;
        }
        seen
    }
}

impl Drop for Netop {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

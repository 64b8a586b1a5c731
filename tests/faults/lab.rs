//! Makes a fault, lets `netop advise` look at it, and keeps the score.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::net::{Net, Traffic, run};

/// A fault, or a load without one. `{va}` and `{vb}` stand for the two devices.
pub struct Case {
    pub name: &'static str,
    /// Rules of which one must be named; none: nothing above info may be.
    pub expect: &'static [&'static str],
    /// Namespace a or b, and a shell command there.
    pub setup: &'static [(char, &'static str)],
    /// Settings of the whole host, which has no namespaces of them; restored after the case.
    pub host: &'static [(&'static str, &'static str)],
    /// Namespace, order of the traffic program, and how often it is told to go.
    pub traffic: &'static [(char, &'static str, usize)],
    /// One of those that every test run makes.
    pub quick: bool,
}

pub struct Load {
    pub name: &'static str,
    pub traffic: &'static [(char, &'static str, usize)],
}

pub struct Made<'a> {
    case: &'a Case,
    load: &'static str,
    // The traffic ends before its network does.
    _traffic: Vec<Traffic>,
    _net: Net,
    _host: Vec<Restored>,
}

/// A file of the host's settings, and what it held.
struct Restored(String, String);

impl Restored {
    fn set(name: &str, value: &str) -> Restored {
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        let old = std::fs::read_to_string(&file).expect("a setting of this kernel");
        std::fs::write(&file, value).expect("root may set it");
        Restored(file, old)
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        std::fs::write(&self.0, &self.1).expect("it was set before");
    }
}

pub struct Judged {
    name: String,
    healthy: bool,
    expected: String,
    named: Vec<String>,
    right: bool,
}

impl<'a> Made<'a> {
    pub fn new(case: &'a Case, load: Option<&Load>, net: Net) -> Made<'a> {
        let named = |text: &str| text.replace("{va}", &net.va).replace("{vb}", &net.vb);
        let inside = |place: char| if place == 'a' { &net.a } else { &net.b };
        for (place, command) in case.setup {
            let command = named(command);
            if command.starts_with("offloads") {
                Traffic::start(inside(*place), &command).finish();
                continue;
            }
            run(&["ip", "netns", "exec", inside(*place), "sh", "-ec", &command]);
        }
        let load_traffic = load.map_or(&[][..], |load| load.traffic);
        let orders = case.traffic.iter().chain(load_traffic);
        let traffic = orders.map(|(place, order, times)| {
            let mut traffic = Traffic::start(inside(*place), &named(order));
            (0..*times).for_each(|_| traffic.go());
            traffic
        });
        Made {
            case,
            load: load.map_or("", |load| load.name),
            _traffic: traffic.collect(),
            _net: net,
            _host: (case.host.iter())
                .map(|(name, value)| Restored::set(name, value))
                .collect(),
        }
    }

    /// `host`: what this host has without us.
    pub fn judge(&self, findings: &[Value], host: &[Value]) -> Judged {
        let same = |a: &Value, b: &Value| a["rule"] == b["rule"] && a["subject"] == b["subject"];
        let ours = |f: &&Value| !host.iter().any(|other| same(f, other));
        let findings: Vec<&Value> = findings.iter().filter(ours).collect();
        let healthy = self.case.expect.is_empty();
        let rule = |finding: &Value| finding["rule"].as_str().unwrap_or_default().to_owned();
        let grave = |finding: &Value| finding["severity"] != "info";
        let right = if healthy {
            !findings.iter().any(|finding| grave(finding))
        } else {
            findings
                .iter()
                .any(|f| self.case.expect.contains(&&*rule(f)))
        };
        Judged {
            name: format!("{} {}", self.case.name, self.load)
                .trim_end()
                .to_owned(),
            healthy,
            expected: self.case.expect.join(" or "),
            named: findings
                .iter()
                .map(|f| format!("{}:{}", rule(f), f["severity"].as_str().unwrap_or_default()))
                .collect(),
            right,
        }
    }
}

pub fn run_alone(case: &Case, load: Option<&Load>, seconds: &str, host: &[Value]) -> Judged {
    let made = Made::new(case, load, Net::new());
    let judged = made.judge(&advise(seconds), host);
    judged.print();
    judged
}

/// The findings, gravest first.
pub fn advise(seconds: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["advise", "--duration", seconds, "--format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .expect("netop starts");
    assert!(output.status.success(), "netop advise fails");
    let snapshot: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let findings = snapshot["findings"].as_array().expect("a list").clone();
    if std::env::var_os("NETOP_FAULTS").is_some() {
        for finding in &findings {
            println!("    {} {}", finding["rule"], finding["title"]);
        }
    }
    findings
}

impl Judged {
    fn print(&self) {
        let mark = if self.right { "ok  " } else { "MISS" };
        let expected = if self.healthy {
            "nothing"
        } else {
            &self.expected
        };
        println!(
            "{mark} {:34} {expected:12} named: {}",
            self.name,
            self.named.join(" ")
        );
    }
}

/// Prints the table and asserts the figures of merit of issue 7.
pub fn report(judged: &[Judged]) {
    judged.iter().for_each(Judged::print);
    let count = |healthy: bool| {
        let of_kind = || judged.iter().filter(move |row| row.healthy == healthy);
        (of_kind().filter(|row| row.right).count(), of_kind().count())
    };
    let ((named, faults), (silent, healthy)) = (count(false), count(true));
    println!("{named} of {faults} faults named, {silent} of {healthy} healthy loads left alone");
    assert!(10 * named >= 9 * faults, "recall is below 0.9");
    assert!(
        20 * (healthy - silent) <= healthy,
        "more than 5% false alarms"
    );
}

//! The command line from outside: exit codes, messages, what goes to which stream. The made-up
//! machine stands in wherever privileges are not the point.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use skip::skip;

#[path = "cli/batch.rs"]
mod batch;
#[path = "cli/diff.rs"]
mod diff;
#[path = "cli/export.rs"]
mod export;
#[path = "cli/hostile.rs"]
mod hostile;
#[path = "cli/rights.rs"]
mod rights;
mod skip;

fn netop(words: &str) -> Command {
    let mut command = Command::new(program());
    command
        .args(words.split_whitespace())
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8");
    command
}

fn program() -> PathBuf {
    assert_cmd::cargo::cargo_bin!("netop").to_owned()
}

/// What a finished run left behind.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

fn ended(output: Output) -> Ended {
    let text = |bytes| String::from_utf8(bytes).expect("netop prints UTF-8");
    Ended {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

fn run(words: &str) -> Ended {
    ended(netop(words).output().expect("netop starts"))
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let uids = status.lines().find(|line| line.starts_with("Uid:"));
    uids.and_then(|line| line.split_whitespace().nth(2)) == Some("0")
}

fn parsed(line: &str) -> serde_json::Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn what_is_not_understood_is_exit_2_and_says_what_was_wrong() {
    for (words, said) in [
        ("--no-such-flag", "--no-such-flag"),
        ("-d x", "seconds from 0.05 to 3600"),
        ("-d 0", "seconds from 0.05 to 3600"),
        ("-n 0", "0 is not in 1.."),
        ("-p 0 -b", "0 is not in 1.."),
        ("--max-overhead 101", "percent from 0 to 100"),
        ("--format json", "--batch"),
        ("-b --format xml", "[possible values: text, json, csv]"),
        ("-b --table cpus", "--format csv"),
        ("doctor --format csv", "[possible values: text, json]"),
        ("demo --theme nonsense --keys q", "netop --theme "),
        ("frobnicate", "frobnicate"),
    ] {
        let ended = run(words);
        assert_eq!(ended.code, Some(2), "{words}: {ended:?}");
        assert!(ended.err.contains(said), "{words}: {}", ended.err);
        assert_eq!(ended.out, "", "{words}");
    }
}

#[test]
fn a_screen_without_a_terminal_is_exit_2_with_batch_as_the_hint() {
    for words in ["", "demo"] {
        let ended = run(words);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("try: netop -b"), "{}", ended.err);
        assert_eq!(ended.out, "");
    }
}

#[test]
fn a_process_that_does_not_exist_is_exit_1() {
    // Above the largest pid_max there is (2^22).
    let ended = run("-b -n 1 -p 4194999");
    if is_root() {
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("there is no process 4194999"));
    } else {
        skip("without privilege a filter is refused before its process is looked for");
        assert_eq!(ended.code, Some(3), "{ended:?}");
    }
}

#[test]
fn counting_with_bpf_counts_with_bpf_or_is_refused_with_what_to_do() {
    let ended = run("-b -n 1 -d 0.2 --counting bpf");
    match ended.code {
        Some(0) => assert!(ended.out.contains(" bpf"), "{ended:?}"),
        Some(3) => assert!(ended.err.contains("try: "), "{ended:?}"),
        _ => panic!("{ended:?}"),
    }
}

#[test]
fn an_unknown_event_is_exit_3_with_the_nearest_name() {
    let ended = run("-b -n 1 -e net:net_dev_xmitt");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    if !is_root() {
        return skip("without privilege no event name can be looked up");
    }
    assert!(ended.err.contains("has no tracepoint net:net_dev_xmitt"));
    assert!(ended.err.contains("netop -e net:net_dev_xmit "));
}

#[test]
fn completions_manual_help_and_version_are_printed_and_end_well() {
    for (words, said) in [
        ("completions bash", "_netop"),
        ("completions zsh", "#compdef netop"),
        ("completions fish", "complete -c netop"),
        ("man", ".TH netop 1"),
        ("--help", "--max-overhead"),
        ("doctor --help", "Exit code 0"),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        let ended = run(words);
        assert_eq!(ended.code, Some(0), "{words}: {ended:?}");
        assert!(ended.out.contains(said), "{words}: {}", ended.out);
        assert_eq!(ended.err, "", "{words}");
    }
}

#[test]
fn nothing_that_is_piped_has_an_escape_code() {
    for words in [
        "demo -b -n 1 -d 0.05",
        "demo -b -n 1 -d 0.05 --color always",
        "demo -b -n 1 -d 0.05 --format json",
        "demo -b -n 1 -d 0.05 --format csv",
        "demo --keys q --size 80x24",
        "doctor",
        "doctor --format json",
        "completions bash",
        "--help",
        "--no-such-flag",
        "",
    ] {
        let ended = run(words);
        assert!(!ended.out.contains('\u{1b}'), "{words}: {}", ended.out);
        assert!(!ended.err.contains('\u{1b}'), "{words}: {}", ended.err);
    }
}

//! What a user without privilege gets, and what the doctor says to nobody and to root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Ended, ended, is_root, parsed, program, run, skipped};

/// A user whom nothing belongs to.
const NOBODY: &str = "65534";

const SETCAP: &str = "setcap cap_perfmon,cap_bpf,cap_syslog,cap_dac_read_search";

/// A copy of the program that nobody can reach and run: the build may lie in a closed directory.
fn public_program() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let copy = dir.path().join("netop");
    fs::copy(program(), &copy).expect("copy");
    (dir, copy)
}

/// Runs as nobody; `None`, with the reason printed, when this user cannot become nobody.
fn run_as_nobody(words: &str) -> Option<Ended> {
    if !is_root() {
        skipped("only root can start a program as nobody");
        return None;
    }
    let (_dir, copy) = public_program();
    let output = Command::new("setpriv")
        .arg(format!("--reuid={NOBODY}"))
        .arg(format!("--regid={NOBODY}"))
        .args(["--clear-groups", "--inh-caps=-all", "--bounding-set=-all"])
        .arg(&copy)
        .args(words.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .expect("setpriv of util-linux");
    Some(ended(output))
}

#[test]
fn without_privilege_the_counters_run_and_the_banner_has_the_command() {
    let Some(ended) = run_as_nobody("-b -n 1 -d 0.05") else {
        return;
    };
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains(SETCAP), "{}", ended.out);
    let row = |name: &str| {
        let line = ended.out.lines().find(|line| line.starts_with(name));
        let mut words = line.expect(name).split_whitespace();
        (
            words.nth(1).map(str::to_owned),
            words.next().map(str::to_owned),
        )
    };
    let (source, calls) = row("net_rx_action");
    assert_eq!(source.as_deref(), Some("proc"));
    assert!(calls.is_some_and(|calls| calls.parse::<u64>().is_ok()));
    assert_eq!(row("dev_queue_xmit").1.as_deref(), Some("–"));
}

#[test]
fn what_was_asked_for_by_name_and_needs_privilege_is_exit_3_with_the_command() {
    for words in [
        "-b -n 1 --counting perf",
        "-b -n 1 -e kfree_skb",
        "-b -n 1 -i lo",
    ] {
        let Some(ended) = run_as_nobody(words) else {
            return;
        };
        assert_eq!(ended.code, Some(3), "{words}: {ended:?}");
        assert!(ended.err.contains(SETCAP), "{words}: {}", ended.err);
        assert_eq!(ended.out, "", "{words}");
    }
}

#[test]
fn the_demo_needs_no_privilege() {
    let Some(ended) = run_as_nobody("demo -b -n 1 -d 0.05") else {
        return;
    };
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.contains("net_rx_action"));
}

#[test]
fn the_doctor_sends_nobody_for_capabilities_of_this_very_program() {
    let Some(ended) = run_as_nobody("doctor --format json") else {
        return;
    };
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let checks = parsed(&ended.out);
    let of = |name: &str| {
        let all = checks.as_array().expect("an array");
        let check = all.iter().find(|check| check["check"] == name);
        check.unwrap_or_else(|| panic!("no check {name}")).clone()
    };
    assert_eq!(of("free counters")["verdict"], "ok");
    let user = of("user");
    assert_eq!(user["verdict"], "no");
    let mend = user["mend"].as_str().expect("a command");
    assert!(mend.contains(SETCAP) && mend.ends_with("/netop"), "{mend}");
}

#[test]
fn the_doctor_finds_root_able_to_do_the_full_job() {
    if !is_root() {
        return skipped("root's rights are the point");
    }
    let ended = run("doctor");
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (Some(0), ""),
        "{}",
        ended.out
    );
    for line in ended.out.lines().take_while(|line| !line.is_empty()) {
        let word = line.split_whitespace().next();
        assert!(matches!(word, Some("ok" | "partly" | "no")), "{line}");
    }
    let events = ended.out.lines().find(|line| line.contains("events open"));
    assert!(events.is_some_and(|line| line.starts_with("ok")));
}

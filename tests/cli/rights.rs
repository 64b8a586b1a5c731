//! What a user without privilege gets, what one gets with the README's capabilities, and what the
//! doctor says to nobody and to root.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::CommandFactory;

use netop::cli::Cli;

use super::skip::skip;
use super::{Ended, ended, is_root, parsed, program, run};

/// A user whom nothing belongs to.
const NOBODY: &str = "65534";

const ALL_OF_README: &str =
    "cap_perfmon,cap_bpf,cap_syslog,cap_dac_read_search,cap_sys_ptrace,cap_ipc_lock+ep";

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
        skip("only root can start a program as nobody");
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

/// How a flag that names a file is given: command, argument, words. `F` is a file that only root may
/// read, in a directory that only root may enter.
const PATHS: [(&str, &str, &str); 18] = [
    ("netop", "rules", "-b -n 1 -d 0.05 --rules F"),
    ("netop", "output", "-b -n 1 -d 0.05 -o F"),
    ("netop", "snapshot_dir", "demo --keys w --snapshot-dir F"),
    ("demo", "rules", "demo -b -n 1 -d 0.05 --rules F"),
    ("demo", "output", "demo -b -n 1 -d 0.05 -o F"),
    ("demo", "snapshot_dir", "demo --keys W --snapshot-dir F"),
    ("report", "file", "report F -b"),
    ("report", "output", "report F -b -o F"),
    (
        "report",
        "snapshot_dir",
        "report F --keys w --snapshot-dir F",
    ),
    ("export", "file", "export F --to json"),
    ("export", "output", "export F --to folded -o F"),
    ("diff", "before", "diff F F"),
    ("diff", "after", "diff F F --format json"),
    ("diff", "output", "diff F F -o F"),
    ("record", "output", "record --demo --duration 0.1 -o F"),
    ("record", "dir", "record --flight --duration 1 --dir F"),
    ("advise", "rules", "advise --duration 1 --rules F"),
    // Files that are part of a name.
    ("list", "pattern", "list uprobe:F:"),
];

/// Flags of every command that take a path.
fn flags_with_paths() -> BTreeSet<(String, String)> {
    let mut root = Cli::command();
    root.build();
    let mut flags = BTreeSet::new();
    let mut add = |command: &clap::Command| {
        let is_path = |arg: &&clap::Arg| {
            arg.get_value_parser().type_id() == std::any::TypeId::of::<PathBuf>()
        };
        for arg in command.get_arguments().filter(is_path) {
            flags.insert((command.get_name().to_owned(), arg.get_id().to_string()));
        }
    };
    add(&root);
    root.get_subcommands().for_each(&mut add);
    flags
}

#[test]
fn with_the_capabilities_of_the_readme_no_flag_opens_what_its_caller_may_not() {
    let known: BTreeSet<(String, String)> = (PATHS.iter())
        .filter(|(command, ..)| *command != "list")
        .map(|(command, flag, _)| ((*command).to_owned(), (*flag).to_owned()))
        .collect();
    assert_eq!(flags_with_paths(), known, "each is given below");
    if !is_root() {
        return skip("only root can give a program capabilities");
    }
    let (dir, copy) = public_program();
    let given = Command::new("setcap")
        .arg(ALL_OF_README)
        .arg(&copy)
        .status();
    assert!(given.expect("setcap of libcap2-bin").success());
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).expect("a directory");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("chmod");
    let secret = closed.join("secret");
    fs::write(&secret, "hunter2:$y$j9T$marker\n").expect("a file");
    let nobody = |words: &str| {
        let output = Command::new("setpriv")
            .arg(format!("--reuid={NOBODY}"))
            .arg(format!("--regid={NOBODY}"))
            .arg("--clear-groups")
            .arg(&copy)
            .args(words.split_whitespace())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .output();
        ended(output.expect("setpriv of util-linux"))
    };
    // The capabilities work: tracefs is root's.
    let list = nobody("list net:net_dev_q*");
    assert!(list.out.contains("net:net_dev_queue"), "{list:?}");
    let before = fs::read(&secret).expect("the secret");
    for (_, _, words) in PATHS {
        for file in [secret.clone(), closed.join("new")] {
            let words = words.replace('F', &file.display().to_string());
            let ended = nobody(&words);
            let said = format!("{}{}", ended.out, ended.err);
            assert!(!said.contains("marker"), "{words}: {said}");
            let refused = ["Permission denied", "there is no file"];
            assert!(
                refused.iter().any(|why| said.contains(why)),
                "{words}: {said}"
            );
        }
    }
    assert_eq!(fs::read(&secret).expect("the secret"), before);
    let left: Vec<_> = fs::read_dir(&closed).expect("list").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    // Nor is a command started from where its caller may not go.
    let program = closed.join("program");
    fs::copy("/bin/true", &program).expect("a program");
    let open = dir.path().join("open");
    fs::create_dir(&open).expect("a directory");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("chmod");
    let record = format!("record --demo --duration 1 -o {}/x -- ", open.display());
    let ended = nobody(&format!("{record} {}", program.display()));
    assert!(ended.err.contains("Permission denied"), "{ended:?}");
    let ended = nobody(&format!("{record} /bin/true"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
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
        return skip("root's rights are the point");
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

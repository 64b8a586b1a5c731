//! Names and files that somebody prepared: nothing is followed, waited for, or obeyed by a terminal.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use super::skip::skip;
use super::{Ended, ended, is_root, program, run};

/// Sets the title of a terminal.
const TITLE: &str = "\u{1b}]0;pwned\u{7}";

fn steers(ended: &Ended) -> bool {
    let obeyed = |c: char| c != '\n' && c.is_control() || matches!(c, '\u{202e}' | '\u{61c}');
    format!("{}{}", ended.out, ended.err).chars().any(obeyed)
}

#[test]
fn no_name_in_an_error_steers_the_terminal() {
    let dir = tempfile::tempdir().expect("a directory");
    let rules = dir.path().join("rules.toml");
    for hostile in [TITLE, "\u{202e}", "\u{61c}"] {
        fs::write(&rules, format!("\"{hostile}\" = 1\n{hostile}\n")).expect("a file");
        let rules = rules.display();
        for words in [
            format!("report /nowhere/{hostile}"),
            format!("export /nowhere/{hostile} --to json"),
            format!("diff /nowhere/{hostile} /nowhere/b"),
            format!("demo -b -n 1 -d 0.05 -o /nowhere/{hostile}"),
            format!("demo -b -n 1 -d 0.05 -e {hostile}"),
            format!("-b -n 1 -d 0.05 -e uprobe:/nowhere/{hostile}:x"),
            format!("list {hostile}"),
            format!("demo --{hostile}"),
            hostile.to_owned(),
            format!("demo -b -n 1 -d 0.05 --rules {rules}"),
        ] {
            let ended = run(&words);
            assert_ne!(ended.code, Some(0), "{words:?}: {ended:?}");
            assert!(!steers(&ended), "{words:?}: {ended:?}");
        }
    }
}

#[test]
fn rules_are_a_regular_file_of_a_bounded_size_and_no_line_of_it_is_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let made = Command::new("mkfifo").arg(at("fifo")).status();
    assert!(made.expect("mkfifo").success());
    let large = fs::File::create(at("large")).expect("a file");
    large.set_len(1 << 30).expect("a hole");
    fs::write(at("other"), "root:$y$j9T$marker:1\n").expect("a file");
    fs::write(at("typo"), "\"A27.drops\" = 5\n\"A27.drops = 6\n").expect("a file");
    for (rules, why) in [
        (at("fifo"), "it is no regular file"),
        ("/dev/zero".to_owned(), "it is no regular file"),
        (at("large"), "it is larger than 1 MiB"),
        (at("other"), "line 1: "),
        (at("typo"), "line 2: "),
    ] {
        let started = Instant::now();
        let ended = run(&format!("demo -b -n 1 -d 0.05 --rules {rules}"));
        assert_eq!(ended.code, Some(2), "{rules}: {ended:?}");
        assert!(ended.err.contains(why), "{rules}: {}", ended.err);
        assert!(!ended.err.contains("marker"), "{}", ended.err);
        assert!(started.elapsed() < Duration::from_secs(5), "{rules}");
    }
}

/// A flight recorder that ends by itself, or is ended.
fn flight(dir: &str) -> Ended {
    let mut command = Command::new("timeout");
    command.args(["10"]).arg(super::program());
    command.args(["record", "--flight", "--duration", "1", "--dir", dir]);
    ended(command.output().expect("timeout of coreutils"))
}

#[test]
fn a_flight_recorder_takes_no_prepared_lock_and_no_directory_of_somebody_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    fs::write(at("victim"), "of root").expect("a file");
    for (name, why) in [
        ("link", "it is a symbolic link"),
        ("dangling", "it is a symbolic link"),
        ("fifo", "it is no regular file"),
    ] {
        let ring = at(&format!("ring-{name}"));
        fs::create_dir(&ring).expect("a directory");
        let lock = ring.join("lock");
        match name {
            "link" => symlink(at("victim"), &lock).expect("a link"),
            "dangling" => symlink(at("nowhere"), &lock).expect("a link"),
            _ => assert!(
                Command::new("mkfifo")
                    .arg(&lock)
                    .status()
                    .expect("mkfifo")
                    .success()
            ),
        }
        let ended = flight(&ring.display().to_string());
        assert_eq!(ended.code, Some(4), "{name}: {ended:?}");
        assert!(ended.err.contains(why), "{name}: {}", ended.err);
    }
    assert_eq!(fs::read_to_string(at("victim")).expect("text"), "of root");
    assert!(!at("nowhere").exists());
    let ring = at("theirs");
    fs::create_dir(&ring).expect("a directory");
    symlink(&ring, at("ring-by-link")).expect("a link");
    let ended = flight(&at("ring-by-link").display().to_string());
    assert!(ended.err.contains("it is a symbolic link"), "{ended:?}");
    if !is_root() {
        return skip("only root can give a directory away");
    }
    std::os::unix::fs::chown(&ring, Some(65_534), None).expect("given away");
    let ended = flight(&ring.display().to_string());
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(
        ended.err.contains("it belongs to user 65534"),
        "{}",
        ended.err
    );
}

#[test]
fn an_output_is_no_fifo_that_nobody_reads() {
    let dir = tempfile::tempdir().expect("a directory");
    let fifo = dir.path().join("fifo").display().to_string();
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    let ended = run(&format!("demo -b -n 1 -d 0.05 -o {fifo}"));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.err.contains("it is no regular file"), "{}", ended.err);
    let ended = run("demo -b -n 1 -d 0.05 -o /dev/null");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

#[test]
fn no_line_of_a_name_looks_like_one_of_netops_own() {
    let forged = "/nowhere/none\n  try: sudo rm -rf /";
    for words in [
        &["report", "-b", forged][..],
        &["export", forged, "--to", "json"],
        &["diff", forged, "/nowhere/b"],
        &["demo", "-b", "-n", "1", "-o", forged],
        &["demo", "-b", "-n", "1", "--rules", forged],
        &["-b", "-n", "1", "-d", "0.05", "-e", forged],
        &["list", forged],
        &["demo", "--format", forged],
    ] {
        let output = Command::new(super::program()).args(words).output();
        let ended = ended(output.expect("netop runs"));
        assert_ne!(ended.code, Some(0), "{words:?}: {ended:?}");
        let forged = ended
            .err
            .lines()
            .find(|line| line.starts_with("  try: sudo"));
        assert_eq!(forged, None, "{words:?}: {ended:?}");
    }
}

#[test]
fn a_command_to_type_names_a_file_as_a_shell_reads_it() {
    let name = "/nowhere/none b;reboot";
    let output = Command::new(super::program())
        .args(["export", name, "--to", "json"])
        .output();
    let ended = ended(output.expect("netop runs"));
    assert!(
        ended.err.contains("try: ls -l '/nowhere/none b;reboot'"),
        "{ended:?}"
    );
}

#[test]
fn a_flight_recorder_removes_what_an_earlier_one_left_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(dir.path(), mode).expect("own");
    let at = |name: &str| dir.path().join(name);
    for name in ["movie.part", "20261123T031000.123Z.part"] {
        fs::write(at(name), "x").expect("a file");
    }
    fs::create_dir(at("x.part")).expect("a directory");
    let ended = flight(&dir.path().display().to_string());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(at("movie.part").exists() && at("x.part").exists());
    assert!(!at("20261123T031000.123Z.part").exists());
}

#[test]
fn an_export_of_a_recording_that_was_cut_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("x.perf.data").display().to_string();
    let ended = run(&format!("record --demo --duration 0.3 -o {path}"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let bytes = fs::read(&path).expect("a recording");
    fs::write(&path, &bytes[..bytes.len() / 3]).expect("cut");
    let ended = run(&format!("export --to folded {path}"));
    assert!(ended.err.contains("data is cut short"), "{ended:?}");
}

#[test]
fn export_says_what_a_file_is_that_is_no_snapshot() {
    let dir = tempfile::tempdir().expect("a directory");
    for (bytes, why) in [
        (&b""[..], "it is empty"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03abcdef\xff", "gunzip it first"),
        (b"root:x:0:0\n", "is no snapshot of netop"),
    ] {
        let path = dir.path().join("x");
        fs::write(&path, bytes).expect("a file");
        let ended = run(&format!("export --to json {}", path.display()));
        assert_ne!(ended.code, Some(0), "{ended:?}");
        assert!(ended.err.contains(why), "{why}: {ended:?}");
    }
}

/// Less than the program itself takes is the loader's business; from there on netop says what is missing.
#[test]
fn however_little_memory_there_is_netop_ends_with_a_sentence() {
    let netop = program().display().to_string();
    let mut said = 0;
    for megabytes in (10..=160).step_by(3) {
        let script = format!(
            "ulimit -v {}; exec '{netop}' demo -b -n 1",
            megabytes * 1024
        );
        let output = Command::new("sh").args(["-c", &script]).output();
        let ended = ended(output.expect("sh"));
        let loader = ended.err.is_empty() || ended.err.contains("shared libraries");
        match ended.code {
            Some(0) => {}
            Some(4) => said += u32::from(ended.err.contains("ulimit")),
            code => assert!(loader && code != Some(134), "{megabytes} MB: {ended:?}"),
        }
    }
    assert!(said > 0, "the limits were all too high or too low");
}

//! `netop export`: from a snapshot, from the made-up machine, to files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::run;

/// What flamegraph.pl takes for a line: frames, a space, a whole number.
fn is_folded(line: &str) -> bool {
    let Some((frames, weight)) = line.rsplit_once(' ') else {
        return false;
    };
    frames.split(';').all(|frame| !frame.is_empty()) && weight.parse::<u64>().is_ok_and(|w| w > 0)
}

#[test]
fn the_made_up_machine_gives_folded_lines_whose_weights_are_all_its_time_or_the_networks() {
    let ended = run("export --demo --duration 4 --to folded");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let lines: Vec<_> = ended.out.lines().collect();
    assert!(lines.len() > 50 && lines.iter().all(|line| is_folded(line)));
    assert!(lines.is_sorted());
    let weights = lines.iter().filter_map(|line| line.rsplit_once(' '));
    let total: u64 = weights.filter_map(|(_, us)| us.parse::<u64>().ok()).sum();
    // Four CPUs for four seconds, half of them idle, in µs.
    assert!((15_900_000..16_100_000).contains(&total), "{total}");
    let network = run("export --demo --duration 4 --network --to folded");
    let weights = network.out.lines().filter_map(|line| line.rsplit_once(' '));
    let network: u64 = weights.filter_map(|(_, us)| us.parse::<u64>().ok()).sum();
    assert!((6_000_000..11_000_000).contains(&network), "{network}");
    for root in ["softirq;net_rx_action;", "kafka;", "statsd;", "ksoftirqd;"] {
        assert!(lines.iter().any(|line| line.starts_with(root)), "{root}");
    }
    assert_eq!(run("export --demo --duration 4 --to folded").out, ended.out);
}

#[test]
fn every_format_is_written_and_holds_the_functions() {
    let dir = tempfile::tempdir().expect("a directory");
    for (format, begin, said) in [
        ("folded", &b""[..], "net_rx_action;"),
        ("svg", b"<?xml", "net_rx_action ("),
        ("firefox", b"{", "\"net_rx_action\""),
        ("json", b"{", "\"net_rx_action\""),
        ("pprof", b"\x1f\x8b", ""),
    ] {
        let path = dir.path().join(format);
        let ended = run(&format!(
            "export --demo --duration 1 --to {format} -o {}",
            path.display()
        ));
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{format}");
        let bytes = fs::read(&path).expect("a file");
        assert!(bytes.starts_with(begin), "{format}");
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains(said), "{format}");
    }
}

#[test]
fn a_functions_hits_have_the_stacks_that_lead_to_it() {
    let ended = run("export --demo --duration 2 --function dev_queue_xmit --to folded");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(!ended.out.is_empty());
    for line in ended.out.lines() {
        let (frames, _) = line.rsplit_once(' ').expect("a weight");
        assert!(
            is_folded(line) && frames.ends_with(";__dev_queue_xmit"),
            "{line}"
        );
    }
}

#[test]
fn a_snapshot_is_exported_with_a_word_about_its_fifty_stacks() {
    let dir = tempfile::tempdir().expect("a directory");
    let stream = dir.path().join("s.json");
    let stream = stream.display();
    let batch = run(&format!("demo -b -n 2 -d 0.5 --format json -o {stream}"));
    assert_eq!(batch.code, Some(0), "{batch:?}");

    let cpu = run(&format!("export {stream} --to folded"));
    assert_eq!(cpu.code, Some(0), "{cpu:?}");
    assert!(cpu.err.contains("50 heaviest"), "{}", cpu.err);
    assert!(cpu.out.contains("softirq;net_rx_action;") && cpu.out.lines().all(is_folded));

    let svg = run(&format!("export {stream} --to svg"));
    assert_eq!(svg.code, Some(0), "{svg:?}");
    for said in ["<svg", "demo-12: CPU time", "50 heaviest", " µs, "] {
        assert!(svg.out.contains(said), "no {said}");
    }

    let none = run(&format!("export {stream} --function tcp_probe --to svg"));
    assert_eq!((none.code, none.out.as_str()), (Some(1), ""));
    assert!(none.err.contains("has no stacks of tcp_probe") && none.err.contains("try: netop"));
}

#[test]
fn what_is_no_snapshot_or_cannot_be_together_ends_with_the_next_command() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = dir.path().join("t.json");
    fs::write(&text, "{\"schema\":\"other\x1b[31m\"}").expect("a file");
    let large = dir.path().join("large.json");
    let file = fs::File::create(&large).expect("a file");
    file.set_len((64 << 20) + 1).expect("a sparse file");
    let (text, large) = (text.display(), large.display());
    for (words, code, said) in [
        (
            format!("export {text} --to svg"),
            4,
            "is no snapshot of netop",
        ),
        (format!("export {large} --to svg"), 4, "try: tail -n 1"),
        (
            "export /nowhere --to svg".to_owned(),
            4,
            "try: ls -l /nowhere",
        ),
        ("export /dev/null --to svg".to_owned(), 4, "no regular file"),
        (
            format!("export {text} --to svg --duration 3"),
            2,
            "--duration",
        ),
        (format!("export {text} --to svg -p 7"), 2, "--pid"),
        ("export --demo".to_owned(), 2, "--to <FORMAT>"),
        (
            "export --to png".to_owned(),
            2,
            "[possible values: folded, svg, firefox, pprof, json]",
        ),
        (
            "export --to svg --duration 31".to_owned(),
            2,
            "from 0.05 to 30",
        ),
        (
            "export --demo --to svg --function no_such".to_owned(),
            3,
            "no_such is neither",
        ),
    ] {
        let ended = run(&words);
        assert_eq!(ended.code, Some(code), "{words}: {ended:?}");
        assert!(ended.err.contains(said), "{words}: {}", ended.err);
        assert!(!ended.err.contains('\u{1b}') && ended.out.is_empty());
    }
}

#[test]
fn a_file_is_written_whole_for_its_owner_and_through_no_link() {
    let dir = tempfile::tempdir().expect("a directory");
    let svg = dir.path().join("cpu.svg");
    let export = |path: &std::path::Path| {
        run(&format!(
            "export --demo --duration 1 --to svg -o {}",
            path.display()
        ))
    };
    for _again in 0..2 {
        let ended = export(&svg);
        assert_eq!(
            (ended.code, ended.out.as_str(), ended.err.as_str()),
            (Some(0), "", "")
        );
    }
    let meta = fs::metadata(&svg).expect("the file");
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert!(
        fs::read_to_string(&svg)
            .expect("text")
            .ends_with("</svg>\n")
    );

    let victim = dir.path().join("victim");
    fs::write(&victim, "mine").expect("a file");
    let link = dir.path().join("link.svg");
    symlink(&victim, &link).expect("a link");
    let refused = export(&link);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.err.contains("it is a symbolic link"));
    assert_eq!(fs::read_to_string(&victim).expect("text"), "mine");
    let nowhere = export(&dir.path().join("no/such/cpu.svg"));
    assert_eq!(nowhere.code, Some(4), "{nowhere:?}");
    assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 3);
}

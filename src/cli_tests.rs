//! What is understood and what is refused, word by word.

use super::*;

fn typed(line: &str) -> Result<Cli, clap::Error> {
    Cli::from_words(std::iter::once("netop").chain(line.split_whitespace()))
}

fn live(line: &str) -> Live {
    typed(line).unwrap_or_else(|e| panic!("{line}: {e}")).live
}

#[test]
fn without_words_the_defaults_hold() {
    let cli = typed("").expect("netop alone is the main job");
    assert_eq!(cli.command, None);
    let live = cli.live;
    assert_eq!(live.interval, Duration::from_secs(1));
    assert_eq!(live.count, None);
    assert!(!live.batch.batch && !live.what.children && !live.screen.ascii);
    assert_eq!(
        (live.batch.format.as_str(), live.batch.table.as_str()),
        ("text", "functions")
    );
    assert!((live.cost.max_overhead - 5.0).abs() < f64::EPSILON);
    assert_eq!(live.cost.counting, Counting::Auto);
    assert_eq!(live.what.by, By::Owner);
    assert_eq!(live.screen.color, Color::Auto);
}

#[test]
fn lists_are_split_at_commas_and_flags_repeat() {
    let live = live("-p 1,22 -p 333 --children -e net:net_rx_action,kfree_skb -e sock:x");
    assert_eq!(live.what.pids, [1, 22, 333]);
    assert_eq!(
        live.what.events,
        ["net:net_rx_action", "kfree_skb", "sock:x"]
    );
    assert!(live.what.children);
}

#[test]
fn values_arrive_as_typed() {
    assert_eq!(live("-d 0.05").interval, Duration::from_millis(50));
    assert_eq!(live("-d 3600 -n 3").count, Some(3));
    assert_eq!(live("-i eth0").what.device.as_deref(), Some("eth0"));
    assert_eq!(live("--size 80x24 --keys jj").screen.size, Some((80, 24)));
    assert_eq!(live("--counting bpf").cost.counting, Counting::Bpf);
    assert!((live("--max-overhead 100").cost.max_overhead - 100.0).abs() < f64::EPSILON);
    let batch = live("-b --format csv --table cpus -o out.csv").batch;
    assert!(batch.batch);
    assert_eq!(batch.table, "cpus");
    assert_eq!(batch.output, Some(PathBuf::from("out.csv")));
    let screen = live("--color never --ascii --theme mono --sort rate --snapshot-dir /tmp").screen;
    assert_eq!(screen.color, Color::Never);
    assert_eq!(screen.snapshot_dir, Some(PathBuf::from("/tmp")));
}

#[test]
fn commands_are_understood() {
    let command = |line: &str| {
        typed(line)
            .unwrap_or_else(|e| panic!("{line}: {e}"))
            .command
    };
    assert!(
        matches!(command("doctor --format json"), Some(Command::Doctor(d)) if d.format == "json")
    );
    assert!(matches!(command("man"), Some(Command::Man)));
    assert!(matches!(
        command("completions zsh"),
        Some(Command::Completions { shell: Shell::Zsh })
    ));
    let Some(Command::Demo(demo)) = command("demo --seed 7 -b -n 2 --format json -p 9127") else {
        panic!("not the demo");
    };
    assert_eq!((demo.seed, demo.live.count), (7, Some(2)));
    assert_eq!(demo.live.what.pids, [9127]);
    let Some(Command::Record(record)) =
        command("record -o x -e kfree_skb,net:netif_rx --duration 5 -- iperf3 -c host")
    else {
        panic!("no recording");
    };
    assert_eq!(record.command, ["iperf3", "-c", "host"]);
    assert_eq!(record.duration, Some(Duration::from_secs(5)));
    let as_live = record.live();
    assert_eq!(as_live.what.events, ["kfree_skb", "net:netif_rx"]);
    assert_eq!(as_live.cost.counting, Counting::Perf);
}

#[test]
fn what_makes_no_sense_is_refused_as_usage() {
    let refused = [
        "-d 0.04",
        "-d 3601",
        "-d nan",
        "-d -1",
        "-d soon",
        "-n 0",
        "-p 0",
        "-p x",
        "-p 1,,2",
        "-e net:a,,b",
        "--children",
        "--by nobody",
        "--format json",
        "-b --format xml",
        "-b --format csv --table nonsense",
        "-b --table cpus",
        "demo -b --format json --table cpus",
        "-o out",
        "--max-overhead 101",
        "--max-overhead -1",
        "--max-overhead nan",
        "--counting guess",
        "--color green",
        "--size 80",
        "--size 80x",
        "--size 80x99999",
        "-d 1 doctor",
        "record ping",
        "record --duration 0",
        "record --children",
        "doctor --format csv",
        "completions",
        "completions tcsh",
        "nonsense",
        "--nonsense",
    ];
    for line in refused {
        let error = typed(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for line in ["--help", "-h", "--version", "demo --help", "doctor -h"] {
        assert_eq!(typed(line).expect_err(line).exit_code(), 0, "{line}");
    }
}

#[test]
fn every_help_fits_80_columns_and_explains_every_flag() {
    Cli::command().debug_assert();
    for line in [
        "--help",
        "-h",
        "demo --help",
        "doctor --help",
        "completions --help",
    ] {
        let help = typed(line).expect_err(line).to_string();
        for text in help.lines() {
            assert!(text.chars().count() <= 80, "{line}: {text}");
        }
        assert!(!help.contains("--keys"), "hidden flags stay hidden");
    }
    for argument in Cli::command().get_arguments() {
        assert!(argument.get_help().is_some(), "{}", argument.get_id());
    }
}

#[test]
fn a_report_takes_the_flags_of_views_and_of_batch() {
    let line = "report x.data -b --format json -d 2 -p 7,8 -i eth0 --start 2.5 --stop 4";
    let Some(Command::Report(report)) = typed(line).expect("it is understood").command else {
        panic!("no report")
    };
    assert_eq!(report.file, PathBuf::from("x.data"));
    assert_eq!(report.interval, Some(Duration::from_secs(2)));
    assert_eq!(
        (report.start.as_deref(), report.stop.as_deref()),
        (Some("2.5"), Some("4"))
    );
    assert_eq!(report.live().what.pids, [7, 8]);
    assert!(typed("report").is_err());
    assert!(typed("report x.data -b --table cpus").is_err());
    assert!(typed("report - -e x").is_err());
}

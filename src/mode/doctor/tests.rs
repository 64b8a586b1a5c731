//! Made-up hosts, and what doctor says of each.

use std::path::PathBuf;

use super::facts::{Function, KernelNames, Missing, Mount, Rings, Terminal};
use super::*;
use crate::decode::{ClockKind, Host};
use crate::source::live::RING_BYTES;
use crate::sys::{ErrnoHint, Permissions};

/// A host where nothing is missing.
fn healthy() -> Facts {
    Facts {
        host: Host {
            hostname: "edge-12".to_owned(),
            kernel: "6.18.44".to_owned(),
            arch: "x86_64".to_owned(),
            cpus: vec![0, 1],
            clock: None,
        },
        permissions: Permissions {
            root: true,
            uid: Some(0),
            perfmon: true,
            sys_admin: true,
            syslog: true,
            dac_read_search: true,
            sys_ptrace: true,
            ipc_lock: true,
            bpf: true,
            paranoid: Some(2),
            kptr_restrict: Some(0),
        },
        program: "/usr/bin/netop".to_owned(),
        contained: Vec::new(),
        lockdown: Some("none [integrity] confidentiality\n".to_owned()),
        tracefs: Ok(PathBuf::from("/sys/kernel/tracing")),
        mount: Mount::Before,
        functions: vec![function("napi_poll", &["napi:napi_poll"], None)],
        rings: Some(Rings {
            opened: 2,
            bytes: Some(RING_BYTES),
            refused: None,
        }),
        open_files: 1024,
        clock: Ok(ClockKind::Cycles),
        kernel_names: KernelNames::Shown,
        btf: true,
        gate: Ok(Vec::new()),
        kprobes: true,
        uprobes: true,
        counters: Ok(()),
        softnet_inexact: None,
        namespaces: 1,
        unreadable: 1,
        terminal: Some(Terminal {
            columns: 80,
            rows: 24,
            colours: 256,
            unicode: true,
        }),
    }
}

/// The same host for a user without capabilities.
fn nobody() -> Facts {
    let refusal = ErrnoHint {
        why: "not allowed".to_owned(),
        mend: Some("sudo setcap".to_owned()),
    };
    Facts {
        permissions: Permissions {
            uid: Some(65534),
            paranoid: Some(2),
            kptr_restrict: Some(1),
            ..Permissions::default()
        },
        tracefs: Err("cannot read event ids".to_owned()),
        functions: Vec::new(),
        rings: None,
        clock: Err(refusal),
        kernel_names: KernelNames::Hidden,
        unreadable: 73,
        ..healthy()
    }
}

fn function(name: &str, present: &[&str], missing: Option<Missing>) -> Function {
    Function {
        name: name.to_owned(),
        free: None,
        present: present.iter().map(|&event| event.to_owned()).collect(),
        missing: missing.into_iter().collect(),
        without: Vec::new(),
    }
}

fn without_recv(since: Option<&'static str>) -> Function {
    let missing = Missing {
        event: "sock:sock_recv_length".to_owned(),
        since,
        why: None,
    };
    function("sock_recv_length", &[], Some(missing))
}

fn of(facts: &Facts, name: &str) -> Check {
    let found = judged(facts).into_iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no check {name}"))
}

fn mend(facts: &Facts, name: &str) -> String {
    of(facts, name).mend.unwrap_or_default()
}

#[test]
fn on_a_healthy_host_every_check_is_ok_and_nothing_is_to_mend() {
    let checks = judged(&healthy());
    for check in &checks {
        assert_eq!(check.verdict, Verdict::Ok, "{check:?}");
        assert_eq!(check.mend, None, "{check:?}");
    }
    assert!(verdict(&checks).is_ok());
}

#[test]
fn check_names_are_unique() {
    for facts in [healthy(), nobody()] {
        let mut names: Vec<String> = judged(&facts).into_iter().map(|c| c.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

#[test]
fn a_user_without_capabilities_gets_one_command_with_this_programs_path() {
    let page = text(&judged(&nobody()));
    let mends = page.split("How to fix it:\n").nth(1).unwrap();
    assert_eq!(
        mends,
        "[1] sudo setcap cap_perfmon,cap_bpf,cap_syslog,cap_dac_read_search,cap_sys_ptrace,cap_ipc_lock+ep /usr/bin/netop\n"
    );
    let error = verdict(&judged(&nobody())).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.hint().starts_with("sudo setcap"), "{}", error.hint());
}

#[test]
fn without_event_ids_the_free_counters_are_what_is_left() {
    let functions = of(&nobody(), "functions");
    assert_eq!(functions.verdict, Verdict::Partly);
    assert!(functions.found.contains("net_rx_action, netif_receive_skb"));
    assert_eq!(of(&nobody(), "events open").verdict, Verdict::No);
}

#[test]
fn above_level_2_the_sysctl_is_the_first_step_even_with_perfmon() {
    let mut facts = nobody();
    facts.permissions.paranoid = Some(3);
    facts.permissions.perfmon = true;
    let check = of(&facts, "perf_event_paranoid");
    assert_eq!(check.verdict, Verdict::No);
    assert_eq!(
        check.mend.as_deref(),
        Some("sudo sysctl -w kernel.perf_event_paranoid=2")
    );
    facts.permissions.perfmon = false;
    assert_eq!(of(&facts, "perf_event_paranoid").mend, check.mend);
    facts.permissions.sys_admin = true;
    assert_eq!(of(&facts, "perf_event_paranoid").verdict, Verdict::Ok);
}

#[test]
fn tracefs_that_is_not_mounted_is_mended_by_mounting_it() {
    let mut facts = nobody();
    facts.mount = Mount::Missing;
    for name in ["tracefs", "functions", "events open"] {
        assert_eq!(
            mend(&facts, name),
            "sudo mount -t tracefs nodev /sys/kernel/tracing"
        );
    }
}

#[test]
fn tracefs_mounted_by_this_run_is_said() {
    let mut facts = healthy();
    facts.mount = Mount::JustNow;
    assert!(of(&facts, "tracefs").found.ends_with("mounted just now"));
}

#[test]
fn an_event_the_kernel_is_too_old_for_names_the_kernel_that_has_it() {
    let mut facts = healthy();
    facts.host.kernel = "6.1.0-25-amd64".to_owned();
    facts.functions = vec![without_recv(Some("6.5"))];
    let check = of(&facts, "sock_recv_length");
    assert_eq!(check.verdict, Verdict::No);
    assert_eq!(
        check.found,
        "this kernel has no sock:sock_recv_length (needs ≥ 6.5)"
    );
    assert!(verdict(&judged(&facts)).is_err());
    facts.host.kernel = "6.12.3".to_owned();
    let found = of(&facts, "sock_recv_length").found;
    assert!(found.contains("built without it"), "{found}");
}

#[test]
fn a_function_with_a_free_counter_or_another_event_is_partly_there() {
    let missing = || Missing {
        event: "net:b".to_owned(),
        since: None,
        why: None,
    };
    let mut facts = healthy();
    let mut free = function("free", &[], Some(missing()));
    free.free = Some("softnet");
    facts.functions = vec![free, function("half", &["net:a"], Some(missing()))];
    let free = of(&facts, "free");
    assert_eq!(free.verdict, Verdict::Partly);
    assert_eq!(free.found, "this kernel has no net:b; free from softnet");
    assert_eq!(of(&facts, "half").verdict, Verdict::Partly);
}

#[test]
fn drops_without_reasons_are_said_with_the_kernel_that_has_them() {
    let mut facts = healthy();
    let mut drops = function("kfree_skb", &["skb:kfree_skb"], None);
    drops.without.push("skb:kfree_skb.reason".to_owned());
    facts.functions = vec![drops];
    let check = of(&facts, "kfree_skb");
    assert_eq!(check.verdict, Verdict::Partly);
    assert!(check.found.contains("5.17"), "{}", check.found);
}

#[test]
fn a_cpu_that_refuses_is_named_and_some_are_better_than_none() {
    let mut facts = healthy();
    for (opened, expected) in [(1, Verdict::Partly), (0, Verdict::No)] {
        let refusal = ErrnoHint {
            why: "too many open files".to_owned(),
            mend: Some("ulimit -n 65536".to_owned()),
        };
        facts.rings = Some(Rings {
            opened,
            bytes: None,
            refused: Some((1, refusal)),
        });
        let check = of(&facts, "events open");
        assert_eq!(check.verdict, expected);
        assert!(check.found.contains("cpu 1: too many open files"));
        assert_eq!(check.mend.as_deref(), Some("ulimit -n 65536"));
    }
}

#[test]
fn small_rings_and_few_descriptors_are_gaps_with_a_command() {
    let mut facts = healthy();
    facts.rings.as_mut().unwrap().bytes = Some(128 << 10);
    facts.open_files = 40;
    assert_eq!(of(&facts, "locked memory").verdict, Verdict::Partly);
    assert!(mend(&facts, "open files").starts_with("ulimit -n "));
}

#[test]
fn hidden_symbols_are_mended_by_what_hides_them() {
    let mut facts = healthy();
    facts.kernel_names = KernelNames::Hidden;
    facts.permissions.kptr_restrict = Some(2);
    let lower = "sudo sysctl -w kernel.kptr_restrict=1";
    assert_eq!(mend(&facts, "kernel symbols"), lower);
    facts.permissions.root = false;
    facts.permissions.syslog = false;
    assert!(mend(&facts, "kernel symbols").starts_with(&format!("{lower} && sudo setcap ")));
    facts.permissions.kptr_restrict = Some(1);
    assert!(mend(&facts, "kernel symbols").starts_with("sudo setcap "));
}

#[test]
fn in_a_container_the_way_out_is_the_containers() {
    let mut facts = nobody();
    facts.contained = vec!["pid", "user"];
    for name in ["container", "user", "perf_event_paranoid", "tracefs"] {
        assert!(
            mend(&facts, name).starts_with("docker run --privileged"),
            "{name}"
        );
    }
}

#[test]
fn lockdown_matters_only_in_its_confidential_mode() {
    let mut facts = healthy();
    facts.lockdown = Some("none integrity [confidentiality]\n".to_owned());
    assert_eq!(of(&facts, "lockdown").verdict, Verdict::No);
    let mut empty = nobody();
    empty.mount = Mount::Missing;
    empty.lockdown.clone_from(&facts.lockdown);
    assert!(of(&empty, "tracefs").found.contains("lockdown"));
    assert!(!mend(&empty, "tracefs").contains("mount"));
    facts.lockdown = None;
    assert_eq!(of(&facts, "lockdown").verdict, Verdict::Ok);
}

#[test]
fn old_kernels_are_told_what_they_lack() {
    let mut facts = healthy();
    for (release, expected) in [
        ("4.3.0", Verdict::Partly),
        ("5.10.0-30-amd64", Verdict::Partly),
        ("5.13", Verdict::Ok),
        ("mainline", Verdict::Ok),
    ] {
        facts.host.kernel = release.to_owned();
        assert_eq!(of(&facts, "kernel").verdict, expected, "{release}");
    }
}

#[test]
fn optional_gaps_are_marked_and_leave_the_exit_code_alone() {
    let mut facts = healthy();
    facts.btf = false;
    facts.gate = Err("no BTF".to_owned());
    facts.kprobes = false;
    facts.clock = Ok(ClockKind::CpuClock);
    facts.softnet_inexact = Some("stacked".to_owned());
    facts.terminal = None;
    let checks = judged(&facts);
    assert!(verdict(&checks).is_ok());
    assert_eq!(text(&checks).matches("(optional)").count(), 6);
}

#[test]
fn a_terminal_that_is_small_or_speaks_ascii_is_partly_good() {
    let mut facts = healthy();
    facts.terminal.as_mut().unwrap().unicode = false;
    assert_eq!(mend(&facts, "terminal"), "export LC_ALL=C.UTF-8");
    facts.terminal.as_mut().unwrap().columns = 60;
    assert_eq!(of(&facts, "terminal").verdict, Verdict::Partly);
}

#[test]
fn one_hidden_process_is_no_news_and_many_are_mended_by_capabilities() {
    assert_eq!(of(&healthy(), "network namespaces").verdict, Verdict::Ok);
    assert!(mend(&nobody(), "network namespaces").contains("cap_sys_ptrace"));
}

#[test]
fn json_has_the_promised_fields_and_words() {
    let value: serde_json::Value = serde_json::from_str(&json(&judged(&nobody()))).unwrap();
    let checks = value.as_array().unwrap();
    for check in checks {
        let mut keys: Vec<&str> = check
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        assert_eq!(keys, ["check", "found", "mend", "needed", "verdict"]);
        let word = check["verdict"].as_str().unwrap();
        assert!(["ok", "partly", "no"].contains(&word));
    }
    let kernel = checks.iter().find(|c| c["check"] == "kernel").unwrap();
    assert!(kernel["mend"].is_null());
}

#[test]
fn text_of_strangers_steers_no_terminal() {
    let mut facts = healthy();
    facts.softnet_inexact = Some("softnet counts \u{1b}[31mevil\u{9b}".to_owned());
    facts.program = "'/tmp/\u{1b}]0;x\u{7}netop'".to_owned();
    facts.permissions = Permissions::default();
    let page = text(&judged(&facts));
    assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "{page}");
}

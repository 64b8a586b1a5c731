//! Control groups of made-up roots.

use super::*;
use crate::host::proc::tests::root_with;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn containers_pods_and_units_have_the_names_people_know_them_by() {
    let log = "var/log/pods/prod_metrics-0_12345678-1234-1234-1234-1234567890ab/x";
    let (_dir, proc) = root_with(&[(log, "")]);
    let called = |path: &str| name(&proc, path);
    for path in [
        format!("/system.slice/docker-{ID}.scope"),
        format!("/docker/{ID}"),
        format!("/machine.slice/libpod-{ID}.scope/container"),
    ] {
        assert_eq!(called(&path).as_deref(), Some("0123456789ab"), "{path}");
    }
    let pod = "kubepods-burstable-pod12345678_1234_1234_1234_1234567890ab.slice";
    let path = format!("/kubepods.slice/{pod}/cri-containerd-{ID}.scope");
    assert_eq!(called(&path).as_deref(), Some("metrics-0"));
    let unknown = "/kubepods/pod99999999-1234-1234-1234-1234567890ab/x";
    assert_eq!(called(unknown).as_deref(), Some("pod 99999999"));
    for (path, name) in [
        ("/system.slice/nginx.service", Some("nginx.service")),
        ("/lxc/web/init.scope", Some("web")),
        ("/machine.slice/machine-db.scope", Some("db")),
        ("/init.scope", None),
        ("/", None),
        ("/user.slice", None),
        ("/evil\u{1b}.service", Some("evil?.service")),
    ] {
        assert_eq!(called(path).as_deref(), name, "{path}");
    }
}

#[test]
fn the_quota_is_that_of_the_nearest_group_that_has_one() {
    let (_dir, proc) = root_with(&[
        ("proc/7/cgroup", "0::/a/b\n"),
        ("proc/8/cgroup", "4:cpu,cpuacct:/a\n0::/\n"),
        ("sys/fs/cgroup/a/b/cpu.stat", "usage_usec 5\nnr_periods 0\n"),
        (
            "sys/fs/cgroup/a/cpu.stat",
            "nr_periods 100\nnr_throttled 61\n",
        ),
        (
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.stat",
            "nr_periods 10\nnr_throttled 1\nthrottled_time 9\n",
        ),
    ]);
    let of = |pid| throttled(&proc, &of(&proc, pid).expect("groups"));
    assert_eq!((of(7), of(8)), (Some((100, 61)), Some((10, 1))));
    assert_eq!(throttled(&proc, &Groups::default()), None);
    let root = parse("4:cpu,cpuacct:/\n");
    assert_eq!(root.cpu, "cpu,cpuacct", "no file is read twice");
    let mut quotas = Quotas::default();
    let groups = parse("0::/a/b\n");
    assert_eq!(quotas.throttled(&proc, &groups), Some((100, 61)));
    std::fs::remove_file(proc.path("sys/fs/cgroup/a/cpu.stat")).expect("a file");
    assert_eq!(
        quotas.throttled(&proc, &groups),
        Some((100, 61)),
        "once a reading"
    );
    assert_eq!(throttled(&proc, &groups), None);
}

#[test]
fn a_groups_processes_are_those_below_it_too() {
    let (_dir, proc) = root_with(&[
        ("sys/fs/cgroup/a/cgroup.procs", "7\n0\n"),
        ("sys/fs/cgroup/a/b/cgroup.procs", "9\n8\n"),
        ("sys/fs/cgroup/cpu/c/cgroup.procs", "5\n"),
    ]);
    assert_eq!(members(&proc, "/a/"), Some(vec![7, 8, 9]));
    assert_eq!(members(&proc, "/sys/fs/cgroup/a/b"), Some(vec![8, 9]));
    assert_eq!(members(&proc, "c"), Some(vec![5]));
    assert_eq!(members(&proc, "none"), None);
}

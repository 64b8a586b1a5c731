//! A recording of a kernel, and a made-up host that runs the same or another.

use std::time::Duration;

use super::*;

/// Begin of the kernel in the recording; the host's is at 0xffffffff81000000.
const THERE: u64 = 0xffff_ffff_9a00_0000;
const ID: [u8; 4] = [0xab, 0xcd, 0xef, 0x01];
const KALLSYMS: &str = "\
ffffffff81000000 T _text
ffffffff81000100 T ksys_read
ffffffff81000300 T _etext
ffffffffc0201000 t veth_xmit\t[veth]
ffffffffc0300000 t bpf_prog_6deef7357e7b4530_x\t[bpf]
";

struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let host = Host {
            dir: tempfile::tempdir().expect("a temporary directory"),
        };
        host.write("proc/kallsyms", KALLSYMS.as_bytes());
        let note = [4_u32, 4, 3].map(u32::to_ne_bytes).concat();
        host.write("sys/kernel/notes", &[&note[..], b"GNU\0", &ID].concat());
        let modules = "veth 40960 0 - Live 0xffffffffc0200000\n";
        host.write("proc/modules", modules.as_bytes());
        host.write("proc/sys/kernel/osrelease", b"6.8.0\n");
        host
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
        fs::write(path, bytes).expect("file");
    }

    fn cache(&self) -> Option<KernelCache> {
        KernelCache::at(self.dir.path().join("cache"))
    }

    fn names(&self, id: Option<&[u8]>, release: Option<&str>) -> PerfFileKernel {
        PerfFileKernel::new(
            KernelFiles::below(self.dir.path()),
            self.cache(),
            Some(self.dir.path().join("debug")),
            id.map(<[u8]>::to_vec),
            release.map(str::to_owned),
        )
    }
}

fn map(names: &mut PerfFileKernel, path: &str, start: u64, offset: u64) {
    names.mapped(&Mapped {
        pid: None,
        start,
        len: 0x4000,
        offset,
        path,
        build_id: None,
    });
}

fn begins_at(names: &mut PerfFileKernel, begin: u64) {
    map(names, "[kernel.kallsyms]_text", begin, begin);
}

fn name(names: &mut PerfFileKernel, address: u64) -> String {
    let name = names.name(address, &mut Patience::new(Duration::from_secs(10)));
    assert!(name.settled, "{address:#x}");
    name.text.to_string()
}

#[test]
fn the_same_build_has_the_names_however_far_a_boot_moved_it() {
    let host = Host::new();
    let mut names = host.names(Some(&ID), None);
    begins_at(&mut names, THERE);
    map(
        &mut names,
        "/lib/modules/6.8.0/veth.ko.zst",
        0xffff_ffff_c100_0000,
        0,
    );
    map(&mut names, "[other_one]", 0xffff_ffff_c200_0000, 0);
    for (address, expected) in [
        (THERE + 0x110, "ksys_read"),
        (THERE + 0x400, "0xffffffff9a000400"),
        (0xffff_ffff_c100_1010, "veth_xmit [veth]"),
        (0xffff_ffff_c200_0010, "other_one+0x10 [other_one]"),
        (0xffff_ffff_8100_0110, "0xffffffff81000110"),
        // It was where the program is now.
        (
            0xffff_ffff_c030_0000 - 0xffff_ffff_8100_0000 + THERE,
            "0xffffffffd9300000",
        ),
    ] {
        assert_eq!(name(&mut names, address), expected, "{address:#x}");
    }
    assert_eq!(names.missing(), None);
}

#[test]
fn another_build_gives_no_names_and_says_what_would() {
    let host = Host::new();
    let mut names = host.names(Some(&[1, 2, 3]), Some("6.8.0"));
    begins_at(&mut names, THERE);
    assert_eq!(name(&mut names, THERE + 0x110), "0xffffffff9a000110");
    let why = names.missing().expect("a reason");
    for said in ["010203…", "abcdef01…", "netop record"] {
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn a_kernel_that_ran_here_before_is_known_from_the_cache_at_once() {
    let host = Host::new();
    let mut first = host.names(Some(&ID), None);
    begins_at(&mut first, THERE);
    assert_eq!(name(&mut first, THERE + 0x110), "ksys_read");
    fs::remove_file(host.dir.path().join("proc/kallsyms")).expect("removed");
    host.write("sys/kernel/notes", b"");
    let mut names = host.names(Some(&ID), None);
    begins_at(&mut names, 0x7000_0000);
    let answer = names.name(0x7000_0110, &mut Patience::new(Duration::ZERO));
    assert_eq!((&*answer.text, answer.settled), ("ksys_read", true));
    assert_eq!(names.missing(), None);
}

#[test]
fn what_perf_kept_of_another_kernel_is_taken() {
    let host = Host::new();
    let kept = "ffffffff90000000 T _text\nffffffff90000200 T other\n";
    host.write("debug/.build-id/01/0203/kallsyms", kept.as_bytes());
    let mut names = host.names(Some(&[1, 2, 3]), None);
    begins_at(&mut names, THERE);
    assert_eq!(name(&mut names, THERE + 0x210), "other");
}

#[test]
fn without_a_build_id_release_and_beginning_must_be_those_of_the_host() {
    let host = Host::new();
    let here = 0xffff_ffff_8100_0000;
    for (release, begin, expected) in [
        (Some("6.8.0"), here, "ksys_read"),
        (Some("6.8.1"), here, "0xffffffff81000110"),
        (None, here, "0xffffffff81000110"),
        (Some("6.8.0"), THERE, "0xffffffff9a000110"),
    ] {
        let mut names = host.names(None, release);
        begins_at(&mut names, begin);
        assert_eq!(name(&mut names, begin + 0x110), expected, "{release:?}");
        assert_eq!(names.missing().is_some(), expected.starts_with("0x"));
    }
}

#[test]
fn the_beginning_may_be_told_late_and_without_it_there_is_a_reason() {
    let host = Host::new();
    let mut names = host.names(Some(&ID), None);
    let mut none = Patience::new(Duration::ZERO);
    names.name(THERE + 0x120, &mut none);
    assert!(names.missing().is_some_and(|why| why.contains("began")));
    begins_at(&mut names, THERE);
    assert_eq!(name(&mut names, THERE + 0x120), "ksys_read");
    assert_eq!(names.missing(), None);
}

#[test]
fn a_module_that_claims_all_addresses_has_none_before_its_begin() {
    let host = Host::new();
    let mut names = host.names(Some(&ID), None);
    names.mapped(&Mapped {
        pid: None,
        start: 0xffff_ffff_c020_0000,
        len: u64::MAX,
        offset: 0,
        path: "[veth]",
        build_id: None,
    });
    assert!(names.module(0xffff_ffff_c020_0000).is_some());
    assert!(names.module(0xffff_ffff_c01f_ffff).is_none());
}

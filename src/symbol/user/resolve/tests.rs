//! A made-up /proc, asked about.

use super::*;
use crate::symbol::elf::dwarf_budget::DwarfBudget;
use crate::symbol::user::process::REREAD_AFTER;
use std::fs;

use crossbeam_channel::unbounded;

const MAPS: &str = "\
1000-2000 r-xp 00000000 00:00 0 
3000-4000 r-xp 00000500 fd:01 77 /nowhere/lib\u{1b}.so
5000-6000 r-xp 00000000 00:00 0 [vsyscall]
";

struct Host {
    dir: tempfile::TempDir,
    resolver: Resolver,
}

impl Host {
    fn with_maps(maps: &str) -> Host {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (answers, _) = unbounded();
        let proc = dir.path().join("proc");
        let resolver = Resolver::new(proc, Files::new(answers, DwarfBudget::unlimited(), None));
        let host = Host { dir, resolver };
        host.write("7/maps", maps);
        host
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join("proc").join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
        fs::write(path, text).expect("file");
    }

    /// Program `start` of pid 7.
    fn write_stat(&self, start: u32) {
        let zeros = "0 ".repeat(18);
        self.write(
            "7/stat",
            &format!("7 (a ) b) R {zeros}{start} {zeros}{zeros}"),
        );
    }

    fn outcome(&mut self, address: u64) -> Outcome {
        self.resolver.name(&Frame {
            pid: 7,
            life: 0,
            address,
            first_asked: Instant::now(),
        })
    }

    fn name(&mut self, address: u64) -> Option<String> {
        match self.outcome(address).name {
            Name::Is(text) => Some(text),
            Name::Later => None,
            Name::Coming => Some("coming".to_owned()),
        }
    }

    /// As if everything had been read so long ago.
    fn age(&mut self, by: Duration) {
        for used in self.resolver.processes.values_mut() {
            used.process.age(by);
        }
    }
}

#[test]
fn what_has_no_symbol_is_named_by_its_mapping() {
    let mut host = Host::with_maps(MAPS);
    let names = [0x1800, 0x3010, 0x5000].map(|address| host.name(address));
    let names = names.map(|name| name.expect("an answer"));
    assert_eq!(names, ["[anon]", "lib?.so+0x510", "[vsyscall]"]);
}

#[test]
fn a_mapping_holds_addresses_from_its_start_to_just_before_its_end() {
    let mut host = Host::with_maps(&format!("{MAPS}20000-10000 r-xp 0 0:0 0 [x]\n"));
    for (address, name) in [
        (0x5000, "[vsyscall]"),
        (0x5fff, "[vsyscall]"),
        (0x6000, "[unknown]"),
        (0xfff, "[unknown]"),
        (0x18000, "[unknown]"),
        (u64::MAX, "[unknown]"),
    ] {
        host.age(REREAD_AFTER);
        assert_eq!(host.name(address).as_deref(), Some(name), "{address:#x}");
    }
}

#[test]
fn jitted_code_has_the_name_of_the_perf_map() {
    let mut host = Host::with_maps(MAPS);
    host.write("7/status", "Uid:\t0\t0\t0\t0\nNSpid:\t7\n");
    host.write("7/root/tmp/perf-7.map", "1800 10 fast_path\n");
    assert_eq!(host.name(0x1808).as_deref(), Some("fast_path [jit]"));
}

#[test]
fn a_function_that_is_compiled_later_is_found() {
    let mut host = Host::with_maps(MAPS);
    host.write("7/status", "Uid:\t0\t0\t0\t0\nNSpid:\t7\n");
    assert_eq!(host.name(0x1808).as_deref(), Some("[anon]"));
    host.write("7/root/tmp/perf-7.map", "1800 10 fast_path\n");
    assert_eq!(host.name(0x1808), None);
    host.age(REREAD_AFTER);
    assert_eq!(host.name(0x1808).as_deref(), Some("fast_path [jit]"));
}

#[test]
fn a_miss_waits_for_younger_mappings_and_is_then_final() {
    let mut host = Host::with_maps(MAPS);
    host.resolver.meet(7);
    assert_eq!(host.name(0x9000), None);
    host.age(REREAD_AFTER);
    assert_eq!(host.name(0x9000).as_deref(), Some("[unknown]"));
}

#[test]
fn a_library_loaded_later_is_found_and_an_ended_process_keeps_its_mappings() {
    let mut host = Host::with_maps("");
    host.resolver.meet(7);
    host.write("7/maps", MAPS);
    host.age(REREAD_AFTER);
    assert_eq!(host.name(0x5010).as_deref(), Some("[vsyscall]"));
    fs::remove_dir_all(host.dir.path().join("proc/7")).expect("process 7 ends");
    host.age(REREAD_AFTER);
    assert_eq!(host.name(0x9000).as_deref(), Some("[unknown]"));
    assert_eq!(host.name(0x5010).as_deref(), Some("[vsyscall]"));
    assert!(!host.resolver.check(7));
}

#[test]
fn names_are_forgotten_when_a_file_leaves_its_place_but_not_when_one_comes() {
    let mut host = Host::with_maps(MAPS);
    host.resolver.meet(7);
    for (maps, forget) in [
        (
            format!("{MAPS}7000-8000 r-xp 00000000 fd:01 78 /nowhere/x\n"),
            false,
        ),
        (MAPS.replace("fd:01 77", "fd:01 79"), true),
    ] {
        host.write("7/maps", &maps);
        host.age(REREAD_AFTER);
        assert_eq!(host.outcome(0x9000).forget, forget, "{maps}");
    }
}

#[test]
fn another_program_under_the_same_pid_is_noticed_once() {
    let mut host = Host::with_maps(MAPS);
    host.write_stat(100);
    host.resolver.meet(7);
    assert!(!host.resolver.check(7));
    host.write_stat(200);
    host.write("7/maps", "1000-2000 r-xp 00000000 00:00 0 [vsyscall]\n");
    assert!(host.resolver.check(7));
    assert_eq!(host.name(0x1800).as_deref(), Some("[vsyscall]"));
    assert!(!host.resolver.check(7));
}

#[test]
fn only_so_many_processes_are_kept() {
    let mut host = Host::with_maps(MAPS);
    host.name(0x5000);
    for pid in 100..100 + 2 * MOST_PROCESSES as u32 {
        host.resolver.meet(pid);
    }
    assert_eq!(host.resolver.processes.len(), MOST_PROCESSES);
}

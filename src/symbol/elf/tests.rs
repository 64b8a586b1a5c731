//! Files that are broken, and files that were made to hurt whoever reads them.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::dwarf_limits::STACK;
use super::memory::ElfMemory;
use super::*;

/// In a thread with the stack of those that read files.
fn in_reader<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = thread::Builder::new().stack_size(STACK).spawn(work);
    thread.expect("a thread").join().expect("no panic")
}

/// Reads it as far as it can be read and asks for functions all over it.
fn ask(bytes: &[u8]) -> usize {
    let pieces = Pieces::new(Cursor::new(bytes));
    let Some(file) = parse(&pieces) else {
        return 0;
    };
    let _ = marks(&file);
    let dwarf = Dwarf::read(&file).unwrap_or_default();
    let memory = ElfMemory::default().file();
    let limits = DwarfLimits::for_bytes(dwarf.bytes(), &memory);
    let elf = Elf::new(&file, None::<&Parsed<Cursor<&[u8]>>>, &dwarf, &limits);
    let offsets = (0..bytes.len() as u64).step_by(7);
    offsets.map(|offset| elf.functions(offset).len()).sum()
}

/// A small program with DWARF, symbols and inlining; `None` and the reason said without `cc`.
fn small_program() -> Option<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/inlined.c");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("prog");
    let mut cc = Command::new("cc");
    let Ok(status) = cc
        .args(["-O1", "-g", "-o"])
        .arg(&program)
        .arg(source)
        .status()
    else {
        println!("skipped: no cc here");
        return None;
    };
    assert!(status.success(), "{status}");
    Some(fs::read(program).expect("the program"))
}

#[test]
fn files_that_are_no_linked_elf_are_refused() {
    for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", &[0xff; 4096]] {
        assert!(
            parse(&Pieces::new(Cursor::new(bytes))).is_none(),
            "{bytes:?}"
        );
    }
}

#[test]
fn a_program_cut_anywhere_is_survived() {
    let Some(program) = small_program() else {
        return;
    };
    in_reader(move || {
        assert!(ask(&program) > 20);
        for len in (0..program.len()).step_by(331) {
            ask(&program[..len]);
        }
    });
}

#[test]
fn what_lies_before_a_segment_is_not_in_it_however_long_that_claims_to_be() {
    let Some(mut program) = small_program() else {
        return;
    };
    // Elf64_Ehdr: e_phoff, e_phnum; Elf64_Phdr: p_type, p_offset, p_filesz.
    let word = |program: &[u8], at: usize| {
        u64::from_le_bytes(program[at..at + 8].try_into().expect("eight bytes"))
    };
    let (first, count) = (word(&program, 32) as usize, usize::from(program[56]));
    for header in (0..count).map(|index| first + 56 * index) {
        if program[header] == 1 {
            let beyond = program.len() as u64;
            program[header + 8..header + 16].copy_from_slice(&beyond.to_le_bytes());
            program[header + 32..header + 40].copy_from_slice(&u64::MAX.to_le_bytes());
        }
    }
    in_reader(move || assert_eq!(ask(&program), 0));
}

#[test]
fn a_program_with_any_bytes_changed_is_survived() {
    let Some(program) = small_program() else {
        return;
    };
    in_reader(move || {
        let len = program.len();
        // The headers are few bytes, and everything else hangs on them.
        let place = prop_oneof![4 => 0..len, 1 => 0..1024usize, 2 => len - 4096..len];
        let changes = prop::collection::vec((place, any::<u8>()), 1..40);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 400,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let survived = runner.run(&changes, |changes| {
            let mut broken = program.clone();
            for (at, byte) in changes {
                broken[at] = byte;
            }
            ask(&broken);
            Ok(())
        });
        survived.expect("no panic");
    });
}

/// DWARF 4 of one unit at 0x1000..0x2000 with these entries, and these ranges.
fn dwarf(entries: &[u8], ranges: &[u8]) -> Dwarf<'static> {
    // Tag, has children, then (attribute, form) pairs: DWARF 4, 7.5.3.
    const ABBREVIATIONS: &[u8] = &[
        1, 0x11, 1, 0x11, 0x01, 0x12, 0x06, 0, 0, // unit: low_pc, high_pc
        2, 0x2e, 1, 0x11, 0x01, 0x12, 0x06, 0, 0, // function with children: the same
        3, 0x1d, 1, 0, 0, // inlined function with children
        4, 0x2e, 0, 0x55, 0x17, 0, 0, // function: ranges
        0,
    ];
    let mut unit = vec![4, 0, 0, 0, 0, 0, 8, 1];
    unit.extend(0x1000u64.to_le_bytes());
    unit.extend(0x1000u32.to_le_bytes());
    unit.extend(entries);
    let mut info = (unit.len() as u32).to_le_bytes().to_vec();
    info.extend(unit);
    let bytes = (info.len() + ranges.len() + ABBREVIATIONS.len()) as u64;
    let load = |id| {
        Ok::<_, Infallible>(match id {
            SectionId::DebugAbbrev => Section::whole(ABBREVIATIONS.to_vec()),
            SectionId::DebugInfo => Section::whole(info.clone()),
            SectionId::DebugRanges => Section::whole(ranges.to_vec()),
            _ => Section::default(),
        })
    };
    let Ok(sections) = DwarfSections::load(load);
    Dwarf {
        sections,
        bytes,
        endian: RunTimeEndian::Little,
    }
}

/// What a lookup in it finds, and whether its limit is used up.
fn look_up(entries: Vec<u8>, ranges: Vec<u8>) -> (usize, bool) {
    in_reader(move || {
        let dwarf = dwarf(&entries, &ranges);
        let memory = ElfMemory::default().file();
        let limits = DwarfLimits::for_bytes(dwarf.bytes(), &memory);
        let elf = Elf {
            segments: Vec::new(),
            functions: FunctionTable::default(),
            debug: Context::from_dwarf(
                (dwarf.sections).borrow(|section| Reader::new(section, dwarf.endian, &limits)),
            )
            .ok(),
        };
        (elf.in_dwarf(0x1010).len(), limits.is_empty())
    })
}

fn function_at_0x1000() -> Vec<u8> {
    let mut entry = vec![2];
    entry.extend(0x1000u64.to_le_bytes());
    entry.extend(0x100u32.to_le_bytes());
    entry
}

#[test]
fn functions_inlined_into_each_other_a_million_deep_do_not_overflow_the_stack() {
    let few = [function_at_0x1000(), vec![3; 100], vec![0; 102]].concat();
    assert_eq!(look_up(few, Vec::new()), (1, false));
    let deep = [function_at_0x1000(), vec![3; 5_000_000]].concat();
    assert_eq!(look_up(deep, Vec::new()), (0, false));
}

#[test]
fn a_list_of_ranges_that_every_function_shares_ends_with_the_fuel() {
    const MANY: usize = 50_000;
    let range = [0x1000u64.to_le_bytes(), 0x1001u64.to_le_bytes()].concat();
    let ranges = [range.repeat(MANY), vec![0; 16]].concat();
    let function = [4, 0, 0, 0, 0];
    let began = Instant::now();
    let (found, burned) = look_up(function.repeat(MANY), ranges);
    // 2.5 thousand million ranges.
    assert_eq!((found, burned), (0, true));
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}

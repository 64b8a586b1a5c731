//! A function of an ELF file → where its first instruction lies in the file: what a uprobe wants.

use std::fs::File;
use std::path::Path;

use super::debug_file::Whereabouts;
use super::instruction::{begins_at, function_around, in_file};
use super::named::{Function, Unclear, find, functions, names};
use super::sections::Pieces;
use crate::symbol::elf;

/// Names offered when there is none like the one that was typed.
const OFFERED: usize = 2000;

/// Why there is no breakpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// A sentence.
    pub why: String,
    /// What can be typed instead.
    pub instead: Vec<String>,
    /// Functions of the file, among which the right one may be.
    pub others: Vec<String>,
}

/// A name that can be typed, and what it is called where that is something else.
pub type Named = (String, Option<String>);

/// Offset in the file of `function` + `offset`.
pub fn of_function(path: &Path, function: &str, offset: u64) -> Result<u64, Missing> {
    let shown = path.display();
    let file = File::open(path).map_err(|e| refused(format!("{shown}: {e}")))?;
    let pieces = Pieces::new(file);
    let parsed =
        elf::parse(&pieces).ok_or_else(|| refused(format!("{shown} is no program or library")))?;
    let mut found = find(&parsed, function).map(place);
    if found == Err(Unclear::Missing) {
        // A stripped program's own functions are named in its debug file only.
        let build_id = |file: File| {
            let pieces = Pieces::new(file);
            elf::marks(&elf::parse(&pieces)?).build_id
        };
        let places = Whereabouts::of(
            Path::new("/proc"),
            std::process::id(),
            &path.to_string_lossy(),
        );
        if let Some(debug) = places.find(&elf::marks(&parsed), build_id)
            && let Ok(file) = File::open(debug.path())
        {
            let pieces = Pieces::new(file);
            if let Some(parsed) = elf::parse(&pieces) {
                found = find(&parsed, function).map(place);
            }
        }
    }
    let (begin, size) = found.map_err(|unclear| match unclear {
        Unclear::Missing => {
            let others: Vec<String> = names(&parsed).into_keys().take(OFFERED).collect();
            let why = if others.is_empty() {
                format!("{shown} names no function (it is stripped); an address serves, too")
            } else {
                format!("{shown} has no function {function}")
            };
            Missing {
                others,
                ..refused(why)
            }
        }
        Unclear::Several(instead) => Missing {
            why: format!(
                "{shown} has several functions called {function}: {}",
                instead.join(", ")
            ),
            instead,
            others: Vec::new(),
        },
        Unclear::Picks => refused(format!(
            "{function} of {shown} runs once, to pick the function for this processor (IFUNC): name the one it picks"
        )),
    })?;
    let spot = || format!("{function}+{offset:#x} of {shown}");
    let address = begin.saturating_add(offset);
    if size > 0 && offset >= size {
        return Err(refused(format!(
            "{} is behind the function's end, which has {size:#x} bytes",
            spot()
        )));
    }
    let in_file =
        in_file(&parsed, address).ok_or_else(|| refused(format!("{} is no code", spot())))?;
    begins_at(&pieces, &parsed, begin, address)
        .map_err(|why| refused(format!("{} {why}", spot())))?;
    Ok(in_file)
}

/// Offset in the file of an address as the file's own headers number its memory.
pub fn of_address(path: &Path, address: u64) -> Result<u64, String> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let pieces = Pieces::new(file);
    let parsed = elf::parse(&pieces);
    let no_code = || format!("{address:#x} is no code of {}", path.display());
    let parsed = parsed.ok_or_else(no_code)?;
    let in_file = in_file(&parsed, address).ok_or_else(no_code)?;
    let spot = || format!("{address:#x} of {}", path.display());
    let around = |f: &Function<'_>| (f.begin..f.begin + f.size).contains(&address);
    let begin = functions(&parsed).find(around).map(|f| f.begin);
    let begin = begin.or_else(|| function_around(&parsed, address));
    let begin = begin.ok_or_else(|| {
        format!(
            "{} is in no function that the file knows, so that nothing tells where an instruction begins",
            spot()
        )
    })?;
    begins_at(&pieces, &parsed, begin, address).map_err(|why| format!("{} {why}", spot()))?;
    Ok(in_file)
}

/// The functions that a file defines, sorted.
pub fn functions_of(path: &Path) -> Result<Vec<Named>, String> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let pieces = Pieces::new(file);
    let parsed = elf::parse(&pieces)
        .ok_or_else(|| format!("{} is no program or library", path.display()))?;
    Ok(names(&parsed).into_iter().collect())
}

/// Where it begins, and its bytes.
fn place(function: Function<'_>) -> (u64, u64) {
    (function.begin, function.size)
}

fn refused(why: String) -> Missing {
    Missing {
        why,
        instead: Vec::new(),
        others: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn libc() -> std::path::PathBuf {
        super::super::library::find(Path::new("/"), "libc.so.6", &[]).expect("libc")
    }

    #[test]
    fn a_function_of_libc_lies_where_this_process_has_it() {
        let offset = of_function(&libc(), "getpid", 0).expect("an offset");
        let address = libc::getpid as *const () as usize as u64;
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        let maps = crate::symbol::maps::parse(&maps);
        let around = maps.iter().find(|m| (m.start..m.end).contains(&address));
        let around = around.expect("mapped");
        assert_eq!(offset, address - around.start + around.offset);
    }

    /// Those of x86-64 have one to fifteen bytes: each offset of a function either begins one, or
    /// is refused with its neighbours, which are taken.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_breakpoint_stands_where_an_instruction_begins_and_nowhere_else() {
        let begin = of_function(&libc(), "getaddrinfo", 0).expect("an offset");
        let (mut taken, mut inside) = (0, 0);
        for offset in 0..400 {
            match of_function(&libc(), "getaddrinfo", offset) {
                Ok(found) => {
                    assert_eq!(found, begin + offset);
                    taken += 1;
                }
                Err(Missing { why, .. }) => {
                    let next = why.rsplit_once("next at +0x").expect("a neighbour").1;
                    let next = u64::from_str_radix(next, 16).expect("an offset");
                    assert!(next > offset && next < offset + 15, "{why}");
                    assert!(of_function(&libc(), "getaddrinfo", next).is_ok(), "{why}");
                    inside += 1;
                }
            }
        }
        assert!(taken > 60 && inside > 200, "{taken} {inside}");
        let why = of_function(&libc(), "getaddrinfo", 1 << 30)
            .expect_err("far away")
            .why;
        assert!(why.contains("behind the function's end"), "{why}");
    }

    #[test]
    fn an_address_is_checked_by_the_function_around_it_and_headers_are_no_code() {
        let libc = libc();
        let pieces = Pieces::new(File::open(&libc).expect("libc"));
        let parsed = elf::parse(&pieces).expect("ELF");
        let begin = find(&parsed, "getaddrinfo").expect("it is there").begin;
        assert_eq!(
            of_address(&libc, begin),
            of_function(&libc, "getaddrinfo", 0).map_err(|e| e.why)
        );
        assert_eq!(
            function_around(&parsed, begin + 9),
            Some(begin),
            "by the unwinding tables"
        );
        for header in [0, 1, 64] {
            let why = of_address(&libc, header).expect_err("the ELF header");
            assert!(why.contains("is no code"), "{why}");
        }
    }

    #[test]
    fn a_missing_function_comes_with_those_there_are() {
        let missing = of_function(&libc(), "getpidd", 0).expect_err("no such function");
        assert!(missing.why.ends_with("has no function getpidd"));
        assert!(missing.others.iter().any(|name| name == "getpid"));
    }

    #[test]
    fn data_is_no_code_and_a_text_file_no_program() {
        assert!(of_address(&libc(), u64::MAX - 3).is_err());
        let missing = of_function(Path::new("/etc/passwd"), "x", 0).expect_err("no ELF");
        assert!(missing.why.contains("no program or library"));
        assert!(functions_of(&libc()).expect("names").len() > 1000);
    }
}

#[cfg(test)]
#[path = "entry_damaged_tests.rs"]
mod damaged_tests;

//! A function of an ELF file → where its first instruction lies in the file: what a uprobe wants.

use std::fs::File;
use std::path::Path;

use object::{Object, ObjectSymbol, SymbolKind};

use super::debug_file::Whereabouts;
use super::elf::{self, Parsed};
use super::instruction::{begins_at, function_around, in_file};
use super::pieces::Pieces;
use super::readable;

/// Names offered when there is none like the one that was typed.
const OFFERED: usize = 2000;

/// Functions of a file that a pattern may list.
const LISTED: usize = 100_000;

/// `Err`: a sentence. The second value: functions of the file, among which the right one may be.
pub type Missing = (String, Vec<String>);

/// Offset in the file of `function` + `offset`.
pub fn of_function(path: &Path, function: &str, offset: u64) -> Result<u64, Missing> {
    let refused = |why: String| (why, Vec::new());
    let file = File::open(path).map_err(|e| refused(format!("{}: {e}", path.display())))?;
    let pieces = Pieces::new(file);
    let parsed = elf::parse(&pieces)
        .ok_or_else(|| refused(format!("{} is no program or library", path.display())))?;
    let mut begin = address(&parsed, function);
    if begin.is_none() {
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
            begin = elf::parse(&pieces).and_then(|parsed| address(&parsed, function));
        }
    }
    let Some((begin, size)) = begin else {
        let why = format!("{} has no function {function}", path.display());
        let names = functions(&parsed).map(|(name, ..)| readable::symbol(name));
        return Err((why, names.take(OFFERED).collect()));
    };
    let spot = || format!("{function}+{offset:#x} of {}", path.display());
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
    let around = |&(_, begin, size): &(&str, u64, u64)| (begin..begin + size).contains(&address);
    let begin = functions(&parsed).find(around).map(|(_, begin, _)| begin);
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

/// Names of the functions that a file defines, demangled, sorted.
pub fn names(path: &Path) -> Result<Vec<String>, String> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let pieces = Pieces::new(file);
    let parsed = elf::parse(&pieces)
        .ok_or_else(|| format!("{} is no program or library", path.display()))?;
    let mut names: Vec<String> = functions(&parsed)
        .map(|(name, ..)| readable::symbol(name))
        .take(LISTED)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Name, address and size; a size of 0 is not known.
fn functions<'a, 'd, R: std::io::Read + std::io::Seek>(
    file: &'a Parsed<'d, R>,
) -> impl Iterator<Item = (&'d str, u64, u64)> + use<'a, 'd, R> {
    let symbols = file.symbols().chain(file.dynamic_symbols());
    symbols
        .filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text)
        .filter_map(|symbol| Some((symbol.name().ok()?, symbol.address(), symbol.size())))
        .filter(|(name, begin, size)| !name.is_empty() && begin.checked_add(*size).is_some())
}

/// By its name in the file, without the version that some tables append; else by its demangled one.
fn address<R: std::io::Read + std::io::Seek>(
    file: &Parsed<'_, R>,
    function: &str,
) -> Option<(u64, u64)> {
    let plain = |name: &str| name.split('@').next() == Some(function);
    let exact = functions(file).find(|(name, ..)| plain(name));
    let demangled = || functions(file).find(|(name, ..)| readable::symbol(name) == function);
    let found = exact.or_else(demangled);
    found.map(|(_, address, size)| (address, size))
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
        let maps = super::super::maps::parse(&maps);
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
                Err((why, _)) => {
                    let next = why.rsplit_once("next at +0x").expect("a neighbour").1;
                    let next = u64::from_str_radix(next, 16).expect("an offset");
                    assert!(next > offset && next < offset + 15, "{why}");
                    assert!(of_function(&libc(), "getaddrinfo", next).is_ok(), "{why}");
                    inside += 1;
                }
            }
        }
        assert!(taken > 60 && inside > 200, "{taken} {inside}");
        let (why, _) = of_function(&libc(), "getaddrinfo", 1 << 30).expect_err("far away");
        assert!(why.contains("behind the function's end"), "{why}");
    }

    #[test]
    fn an_address_is_checked_by_the_function_around_it_and_headers_are_no_code() {
        let libc = libc();
        let pieces = Pieces::new(File::open(&libc).expect("libc"));
        let parsed = elf::parse(&pieces).expect("ELF");
        let (begin, _) = address(&parsed, "getaddrinfo").expect("it is there");
        assert_eq!(
            of_address(&libc, begin),
            of_function(&libc, "getaddrinfo", 0).map_err(|e| e.0)
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
        let (why, names) = of_function(&libc(), "getpidd", 0).expect_err("no such function");
        assert!(why.ends_with("has no function getpidd"), "{why}");
        assert!(names.iter().any(|name| name == "getpid"));
    }

    #[test]
    fn data_is_no_code_and_a_text_file_no_program() {
        assert!(of_address(&libc(), u64::MAX - 3).is_err());
        let (why, _) = of_function(Path::new("/etc/passwd"), "x", 0).expect_err("no ELF");
        assert!(why.contains("no program or library"), "{why}");
        assert!(names(&libc()).expect("names").len() > 1000);
    }
}

#[cfg(test)]
#[path = "entry_damaged_tests.rs"]
mod damaged_tests;
